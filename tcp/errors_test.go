package tcp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// connection is a client, its end of a TCP connection, and the server's end.
type connection struct {
	client       *rpc.Client
	ours, theirs *net.TCPConn
}

// dial returns a connection to l, which nobody serves yet.
func dial(t *testing.T, l net.Listener) connection {
	t.Helper()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return connection{client, ours.(*net.TCPConn), theirs.(*net.TCPConn)}
}

// isReset reports whether err is a reset of the connection, whose number is not the same
// on every system.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "read" && !op.Timeout() && !errors.Is(err, net.ErrClosed)
}

// Tutorial §2: the result or the error comes back. What if none can? What becomes of a
// call, was it executed, and what becomes of the next one? After an rpc.ServerError, an
// answer, the client goes on. A lost connection ends it, and looks the same whether the
// call was executed or not. After that rpc.ErrShutdown says: not sent.
func TestALostConnectionDoesNotSayWhatWasExecuted(t *testing.T) {
	is := func(want error) func(error) bool {
		return func(err error) bool { return errors.Is(err, want) }
	}
	for _, row := range []struct {
		name     string
		method   string
		unserved bool             // the server accepts the connection, and does not read
		event    func(connection) // happens to the call in flight
		failed   func(error) bool // what the call ends with
		says     string           // the same, for the log
		executed int32            // how many calls
		next     error            // what the next call ends with
	}{
		{name: "the method returns an error", method: "Desk.Fail",
			failed: is(rpc.ServerError("no luck")), says: "no luck", executed: 1},
		{name: "there is no such method", method: "Desk.None",
			failed: is(rpc.ServerError("rpc: can't find method Desk.None")), says: "can't find method", executed: 0},
		{name: "the server hangs up while it executes the call", method: "Desk.Wait",
			event:  func(c connection) { c.theirs.Close() },
			failed: is(io.ErrUnexpectedEOF), says: "unexpected EOF", executed: 1, next: rpc.ErrShutdown},
		{name: "the server hangs up before it executes the call", method: "Desk.Wait", unserved: true,
			event:  func(c connection) { c.theirs.CloseWrite() }, // Close resets if a request is unread
			failed: is(io.ErrUnexpectedEOF), says: "unexpected EOF", executed: 0, next: rpc.ErrShutdown},
		{name: "the server resets the connection", method: "Desk.Wait",
			event:  func(c connection) { c.theirs.SetLinger(0); c.theirs.Close() },
			failed: isReset, says: "connection reset", executed: 1, next: rpc.ErrShutdown},
		{name: "the client closes", method: "Desk.Wait",
			event:  func(c connection) { c.client.Close() },
			failed: is(net.ErrClosed), says: "net.ErrClosed", executed: 1, next: rpc.ErrShutdown},
		{name: "a deadline of the connection passes", method: "Desk.Wait",
			event:  func(c connection) { c.ours.SetDeadline(time.Now()) },
			failed: is(os.ErrDeadlineExceeded), says: "os.ErrDeadlineExceeded", executed: 1, next: rpc.ErrShutdown},
	} {
		t.Run(row.name, func(t *testing.T) {
			desk := newDesk()
			defer close(desk.release)
			c := dial(t, listen(t))
			if !row.unserved {
				go newServer(t, desk).ServeConn(c.theirs)
			}
			call := c.client.Go(row.method, 1, new(int), nil)
			if row.method == "Desk.Wait" && !row.unserved {
				within(t, desk.entered, "the call at the server")
			}
			if row.event != nil {
				row.event(c)
			}
			if within(t, call.Done, "the end of the call"); !row.failed(call.Error) {
				t.Errorf("the call ended with %v, want %s", call.Error, row.says)
			}
			executed := desk.executed.Load()
			if executed != row.executed {
				t.Errorf("%d calls executed, want %d", executed, row.executed)
			}
			next := c.client.Go("Desk.Double", 1, new(int), nil)
			if within(t, next.Done, "the end of the next call"); next.Error != row.next {
				t.Errorf("the next call: %v, want %v", next.Error, row.next)
			}
			t.Logf("the call: %s; executed: %d; the next call: %v", row.says, executed, next.Error)
		})
	}
}

// A client whose connection is lost stays so, also when its server is back.
func TestAClientNeverReconnects(t *testing.T) {
	l := listen(t)
	c := dial(t, l)
	lost := c.client.Go("Desk.Double", 1, new(int), nil)
	c.theirs.Close()
	if within(t, lost.Done, "the end of the lost call"); lost.Error == nil {
		t.Error("a lost call ended without an error")
	}
	go newServer(t, newDesk()).Accept(l) // the server is back, at the same address
	for range 3 {
		call := c.client.Go("Desk.Double", 1, new(int), nil)
		if within(t, call.Done, "the end of a call by the old client"); call.Error != rpc.ErrShutdown {
			t.Errorf("the old client: %v, want rpc.ErrShutdown", call.Error)
		}
		t.Logf("the server is back; the old client: %v", call.Error)
	}
	client, err := rpc.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := client.Go("Desk.Double", 1, new(int), nil)
	if within(t, call.Done, "an answer to the new client"); call.Error != nil {
		t.Errorf("a new client: %v, want no error", call.Error)
	}
	t.Logf("the server is back; a new client: %v", call.Error)
}

// mute is a connection whose peer can vanish: what is written then gets lost, and nothing
// comes any more, as if somebody had pulled the cable.
type mute struct {
	net.Conn
	vanished atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.vanished.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

func (m *mute) Read(p []byte) (int, error) {
	for {
		n, err := m.Conn.Read(p)
		if err != nil || !m.vanished.Load() {
			return n, err
		}
	}
}

// A server's process that ends hangs up, and the client hears of it. A host or a network
// that vanishes says nothing, and net/rpc never asks: it has no timeout and no heartbeat.
// Over TCP the operating system gives up in the end: Linux took two and a half minutes
// (keep-alive) for a call that it had delivered, and 15 for a request on its way.
func TestAVanishedPeerIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		ours, theirs := net.Pipe()
		go newServer(t, desk).ServeConn(theirs)
		conn := &mute{Conn: ours}
		client := rpc.NewClient(conn)
		inFlight := client.Go("Desk.Wait", 1, new(int), nil)
		synctest.Wait()
		conn.vanished.Store(true)
		close(desk.release) // the call is executed, and answered
		next := client.Go("Desk.Double", 1, new(int), nil)

		time.Sleep(time.Hour) // synctest's, which takes no time
		if len(inFlight.Done)+len(next.Done) > 0 {
			t.Errorf("the call in flight: %v, the next one: %v, want both to wait", inFlight.Error, next.Error)
		}
		executed := desk.executed.Load()
		if executed != 1 {
			t.Errorf("%d calls executed, want the first one only", executed)
		}
		t.Logf("after an hour the call in flight has ended: %t, the next one: %t; executed: %d of 2",
			len(inFlight.Done) > 0, len(next.Done) > 0, executed)
		client.Close()
		for _, call := range []*rpc.Call{inFlight, next} {
			if <-call.Done; call.Error == nil {
				t.Error("after Close a call ended without an error")
			}
		}
	})
}

// Tutorial §2: the stub deserialises the result. Into a variable of a wrong type it may do
// so without a word: both codecs take the fields whose names fit, and leave the others as
// they were. Where none fits, gob gives an error, and JSON does not.
func TestWrongReplyTypeMayGoUnnoticed(t *testing.T) {
	type (
		oneFits  struct{ Quo, X int }
		noneFits struct{ X, Y int }
	)
	const gobs = "reading body gob: type mismatch: no fields matched compiling decoder for noneFits"
	for _, row := range []struct {
		codec int // in codecs
		reply any
		want  string // that reply, afterwards
		err   string // which ends the client
	}{
		{0, &oneFits{-1, -1}, "&{Quo:3 X:-1}", "<nil>"},
		{1, &oneFits{-1, -1}, "&{Quo:3 X:-1}", "<nil>"},
		{0, &noneFits{-1, -1}, "&{X:-1 Y:-1}", gobs},
		{1, &noneFits{-1, -1}, "&{X:-1 Y:-1}", "<nil>"},
	} {
		codec := codecs[row.codec]
		client, _ := codec.connect(t, new(shared.MathService))
		err := client.Call("MathService.Divide", &shared.Args{A: 17, B: 5}, row.reply)
		if got := fmt.Sprintf("%+v", row.reply); got != row.want || fmt.Sprint(err) != row.err {
			t.Errorf("%s: Divide(17, 5) = %s, %v, want %s, %s", codec.name, got, err, row.want, row.err)
		}
		next := client.Call("MathService.Divide", &shared.Args{A: 17, B: 5}, new(shared.Quotient))
		if (next == nil) != (err == nil) {
			t.Errorf("%s: after %+v, %v the next call: %v, want it to end as this one", codec.name, row.reply, err, next)
		}
		t.Logf("%s: {Quo:3 Rem:2} becomes %+v, error: %v", codec.name, row.reply, err)
	}
}

// A reply of another type than the method's is an error of the client, which does not
// read on: every call in flight fails, and none can be sent any more. They were executed.
func TestWrongReplyTypeEndsTheConnection(t *testing.T) {
	const cause = "gob: decoding into local type *string, received remote type int"
	desk := newDesk()
	defer close(desk.release)
	client, conn := connect(t, desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	within(t, desk.entered, "the other call at the server")
	wrong := client.Call("Desk.Double", 1, new(string))
	if wrong == nil || wrong.Error() != "reading body "+cause {
		t.Errorf("the call with the wrong reply: %v, want reading body %s", wrong, cause)
	}
	if within(t, other.Done, "the end of the other call"); other.Error == nil || other.Error.Error() != cause {
		t.Errorf("another call in flight: %v, want %s", other.Error, cause)
	}
	if executed := desk.executed.Load(); executed != 2 {
		t.Errorf("%d calls executed, want both", executed)
	}
	conn.take()
	next := client.Call("Desk.Double", 1, new(int))
	if sent, _ := conn.take(); next != rpc.ErrShutdown || sent != "" {
		t.Errorf("the next call: %v, %d bytes sent, want rpc.ErrShutdown, none", next, len(sent))
	}
	t.Logf("the call: %v", wrong)
	t.Logf("another in flight: %v", other.Error)
	t.Logf("the next one: %v; executed: %d", next, desk.executed.Load())
}

// An argument of another type than the method's is refused by the server, which does
// not execute the call. The connection goes on, as do the calls in flight.
func TestWrongArgumentTypeDoesNotEndTheConnection(t *testing.T) {
	desk := newDesk()
	client, _ := connect(t, desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	within(t, desk.entered, "the other call at the server")
	const want = rpc.ServerError("gob: decoding into local type *int, received remote type string")
	wrong := client.Call("Desk.Double", "one", new(int))
	if wrong != want {
		t.Errorf("the call with the wrong argument: %v, want %v", wrong, want)
	}
	if executed := desk.executed.Load(); executed != 1 {
		t.Errorf("%d calls executed, want the other one only", executed)
	}
	close(desk.release)
	if within(t, other.Done, "the end of the other call"); other.Error != nil {
		t.Errorf("another call in flight: %v, want no error", other.Error)
	}
	next := client.Call("Desk.Double", 1, new(int))
	if next != nil {
		t.Errorf("the next call: %v, want no error", next)
	}
	t.Logf("the call: %v", wrong)
	t.Logf("another in flight: %v; the next one: %v", other.Error, next)
}

// An argument that gob cannot encode, such as a channel, is an error of the client: nothing
// is sent. But the header of that request stays in a buffer. It goes out before the next
// request, a good one, and the server cannot make sense of the two.
func TestUnencodableArgumentFailsTheNextCall(t *testing.T) {
	desk := newDesk()
	client, conn := connect(t, desk)
	double := func() error { return client.Call("Desk.Double", 1, new(int)) }
	if err := errors.Join(double(), double()); err != nil {
		t.Fatal(err)
	}
	conn.take()

	const want = "gob NewTypeObject can't handle type: chan int"
	bad := client.Call("Desk.Double", make(chan int), new(int))
	if bad == nil || bad.Error() != want {
		t.Errorf("the call with a channel: %v, want %s", bad, want)
	}
	badSent, _ := conn.take()
	if badSent != "" {
		t.Errorf("the call with a channel sent %q, want nothing", badSent)
	}
	good := double()
	goodSent, _ := conn.take()
	headers := strings.Count(goodSent, "Desk.Double")
	if good != io.ErrUnexpectedEOF || headers != 2 {
		t.Errorf("a good call: %v, %d headers sent, want unexpected EOF, 2", good, headers)
	}
	next := double()
	if next != rpc.ErrShutdown {
		t.Errorf("the next good call: %v, want %v", next, rpc.ErrShutdown)
	}
	if executed := desk.executed.Load(); executed != 2 {
		t.Errorf("%d calls executed, want the first two", executed)
	}
	t.Logf("the call with a channel: %v; it sent %d bytes", bad, len(badSent))
	t.Logf("a good call: %v; it sent %d headers: %q", good, headers, goodSent)
	t.Logf("the next one: %v", next)
}

// A nil pointer to an argument is an unencodable argument too, but gob panics on it, in the
// goroutine that calls. Who recovers finds the next call lost, as above. JSON sends null,
// which arrives as zeros.
func TestNilArgumentPanicsInTheCaller(t *testing.T) {
	multiply := func(client *rpc.Client, args *shared.Args) (reply int, err error) {
		reply = -1
		err = client.Call("MathService.Multiply", args, &reply)
		return reply, err
	}
	client, conn := connect(t, new(shared.MathService))
	const want = "gob: cannot encode nil pointer of type *shared.Args"
	func() {
		defer func() {
			panicked := recover()
			if panicked != want {
				t.Errorf("Multiply(nil) panicked with %v, want %s", panicked, want)
			}
			t.Logf("gob: Multiply(nil) panicked: %v", panicked)
		}()
		reply, err := multiply(client, nil)
		t.Errorf("Multiply(nil) = %d, %v, want a panic", reply, err)
	}()
	if sent, _ := conn.take(); sent != "" {
		t.Errorf("Multiply(nil) sent %q, want nothing", sent)
	}
	_, next := multiply(client, &shared.Args{A: 10, B: 20})
	if next != io.ErrUnexpectedEOF {
		t.Errorf("the next call: %v, want unexpected EOF", next)
	}
	t.Logf("gob: the next call: %v", next)

	client, _ = connectJSON(t, new(shared.MathService))
	reply, err := multiply(client, nil)
	if err != nil || reply != 0 {
		t.Errorf("JSON: Multiply(nil) = %d, %v, want 0", reply, err)
	}
	t.Logf("JSON: Multiply(nil) = %d, %v", reply, err)
}

// Names is a service whose reply is a slice.
type Names struct{}

// None sets its reply to nil, as a method does that has found nothing.
func (Names) None(_ int, reply *[]string) error {
	*reply = nil
	return nil
}

// Untouched leaves its reply as net/rpc has made it: empty, but not nil.
func (Names) Untouched(_ int, reply *[]string) error { return nil }

// Tutorial §4.4, C22: the way of calling does not change. So it is, but a method that sets
// its reply to a nil slice, map or pointer sends null in JSON, and a result of null is
// an invalid answer to Go's client, which then ends. Gob sends an empty slice.
func TestNilReplyEndsAJSONClient(t *testing.T) {
	for _, codec := range codecs {
		client, conn := codec.connect(t, Names{})
		var reply []string
		if err := client.Call("Names.Untouched", 1, &reply); err != nil || len(reply) > 0 {
			t.Errorf("%s: Untouched = %q, %v, want an empty slice", codec.name, reply, err)
		}
		conn.take()
		err := client.Call("Names.None", 1, &reply)
		_, received := conn.take()
		next := client.Call("Names.Untouched", 1, &reply)
		switch codec.name {
		case "gob":
			if err != nil || next != nil {
				t.Errorf("gob: None: %v, the next call: %v, want no error", err, next)
			}
		case "JSON":
			if err == nil || err.Error() != "invalid error <nil>" || next != rpc.ErrShutdown {
				t.Errorf("JSON: None: %v, the next call: %v, want invalid error <nil>, %v", err, next, rpc.ErrShutdown)
			}
		}
		t.Logf("%s: a nil slice comes as %q: %v; the next call: %v", codec.name, received, err, next)
	}
}
