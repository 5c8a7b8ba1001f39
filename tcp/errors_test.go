package tcp_test

import (
	"cmp"
	"fmt"
	"net"
	"net/rpc"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// connection is a client, its end of a TCP connection, and the server's end.
type connection struct {
	client       *rpc.Client
	ours, theirs *net.TCPConn
}

// dial returns a connection to l, which nobody serves yet. Its calls fail after Patience.
func dial(t *testing.T, l net.Listener) connection {
	t.Helper()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours.SetDeadline(time.Now().Add(rpctest.Patience))
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return connection{client, ours.(*net.TCPConn), theirs.(*net.TCPConn)}
}

// Tutorial §2: the result or the error comes back. What if none can? What becomes of a
// call, was it executed, and what becomes of the next one? After an rpc.ServerError, an
// answer, the client goes on. A lost connection ends it, and looks the same whether the
// call was executed or not. After that rpc.ErrShutdown says: not sent.
func TestALostConnectionDoesNotSayWhatWasExecuted(t *testing.T) {
	var saw rpctest.Transcript
	for _, row := range []struct {
		name     string
		method   string
		unserved bool             // the server accepts the connection, and does not read
		event    func(connection) // happens to the call in flight
	}{
		{name: "the method returns an error", method: "Desk.Fail"},
		{name: "no such method", method: "Desk.None"},
		{name: "the server hangs up during the call", method: "Desk.Wait",
			event: func(c connection) { c.theirs.Close() }},
		{name: "the server hangs up before it reads", method: "Desk.Wait", unserved: true,
			event: func(c connection) { c.theirs.CloseWrite() }}, // Close resets if a request is unread
		{name: "the server resets the connection", method: "Desk.Wait",
			event: func(c connection) { c.theirs.SetLinger(0); c.theirs.Close() }},
		{name: "the client closes", method: "Desk.Wait",
			event: func(c connection) { c.client.Close() }},
		{name: "the connection's deadline passes", method: "Desk.Wait",
			event: func(c connection) { c.ours.SetDeadline(time.Now()) }},
	} {
		desk, c := newDesk(), dial(t, rpctest.Listen(t))
		defer close(desk.release)
		if !row.unserved {
			go rpctest.Server(t, desk).ServeConn(c.theirs)
		}
		call := c.client.Go(row.method, 1, new(int), nil)
		if row.event != nil {
			if !row.unserved {
				rpctest.Within(t, desk.entered, "the call at the server")
			}
			row.event(c)
		}
		rpctest.Within(t, call.Done, "the end of the call")
		executed := desk.executed.Load()
		next := c.client.Call("Desk.Double", 1, new(int))
		saw.Add("%s: %s; executed: %d; next: %v", row.name, describe(call.Error), executed, next)
	}
	saw.Want(t, `
the method returns an error: rpc.ServerError "no luck"; executed: 1; next: <nil>
no such method: rpc.ServerError "rpc: can't find method Desk.None"; executed: 0; next: <nil>
the server hangs up during the call: unexpected EOF; executed: 1; next: connection is shut down
the server hangs up before it reads: unexpected EOF; executed: 0; next: connection is shut down
the server resets the connection: a reset; executed: 1; next: connection is shut down
the client closes: net.ErrClosed; executed: 1; next: connection is shut down
the connection's deadline passes: os.ErrDeadlineExceeded; executed: 1; next: connection is shut down`)
}

// A client whose connection is lost stays so, also when its server is back.
func TestAClientNeverReconnects(t *testing.T) {
	var saw rpctest.Transcript
	l := rpctest.Listen(t)
	c := dial(t, l)
	lost := c.client.Go("Desk.Double", 1, new(int), nil)
	c.theirs.Close()
	rpctest.Within(t, lost.Done, "the end of the lost call")
	saw.Add("the server goes: unexpected EOF or a reset: %t", isLost(lost.Error))
	go rpctest.Server(t, newDesk()).Accept(l) // at the same address
	for range 3 {
		saw.Add("it is back; the old client: %v", c.client.Call("Desk.Double", 1, new(int)))
	}
	client, err := rpc.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := client.Go("Desk.Double", 1, new(int), nil)
	rpctest.Within(t, call.Done, "an answer to the new client")
	saw.Add("it is back; a new client: %v", call.Error)
	saw.Want(t, `
the server goes: unexpected EOF or a reset: true
it is back; the old client: connection is shut down
it is back; the old client: connection is shut down
it is back; the old client: connection is shut down
it is back; a new client: <nil>`)
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
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		ours, theirs := net.Pipe()
		go rpctest.Server(t, desk).ServeConn(theirs)
		conn := &mute{Conn: ours}
		client := rpc.NewClient(conn)
		inFlight := client.Go("Desk.Wait", 1, new(int), nil)
		synctest.Wait()
		conn.vanished.Store(true)
		close(desk.release) // the call is executed, and answered
		next := client.Go("Desk.Double", 1, new(int), nil)

		time.Sleep(time.Hour) // synctest's, which takes no time
		saw.Add("an hour later the call in flight has ended: %t, the next one: %t; executed: %d of 2",
			len(inFlight.Done) > 0, len(next.Done) > 0, desk.executed.Load())
		client.Close()
		synctest.Wait()
		saw.Add("after Close the call in flight: %v", inFlight.Error)
		saw.Add("after Close the next one: %v", next.Error)
	})
	saw.Want(t, `
an hour later the call in flight has ended: false, the next one: false; executed: 1 of 2
after Close the call in flight: io: read/write on closed pipe
after Close the next one: io: read/write on closed pipe`)
}

// Tutorial §2: the stub deserialises the result. Into a variable of a wrong type it may do
// so without a word: both codecs take the fields whose names fit, and leave the others as
// they were. Where none fits, JSON gives no error, and gob's ends the client: the next call
// gets rpc.ErrShutdown or, if it is sent a moment before, gob's error too.
func TestWrongReplyTypeMayGoUnnoticed(t *testing.T) {
	type (
		oneFits  struct{ Quo, X int }
		noneFits struct{ X, Y int }
	)
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		for _, reply := range []any{&oneFits{-1, -1}, &noneFits{-1, -1}, &[]int{-1}} {
			client, _ := codec.Connect(t, new(shared.MathService))
			args := &shared.Args{A: 17, B: 5}
			err := client.Call("MathService.Divide", args, reply)
			next := client.Call("MathService.Divide", args, new(shared.Quotient))
			saw.Add("%s: Divide(17, 5) = %+v; the next call works: %t", codec.Name, reply, next == nil)
			what, _, _ := strings.Cut(fmt.Sprint(err), " into Go") // JSON's words differ between Go's versions
			saw.Add("  error: %s", what)
		}
	}
	saw.Want(t, `
gob: Divide(17, 5) = &{Quo:3 X:-1}; the next call works: true
  error: <nil>
gob: Divide(17, 5) = &{X:-1 Y:-1}; the next call works: false
  error: reading body gob: type mismatch: no fields matched compiling decoder for noneFits
gob: Divide(17, 5) = &[-1]; the next call works: false
  error: reading body gob: decoding into local type *[]int, received remote type Quotient = struct { Quo int; Rem int; }
JSON: Divide(17, 5) = &{Quo:3 X:-1}; the next call works: true
  error: <nil>
JSON: Divide(17, 5) = &{X:-1 Y:-1}; the next call works: true
  error: <nil>
JSON: Divide(17, 5) = &[-1]; the next call works: false
  error: reading body json: cannot unmarshal object`)
}

// A reply of another type than the method's is an error of the client, which does not
// read on: every call in flight fails, and none can be sent any more. They were executed.
func TestWrongReplyTypeEndsTheConnection(t *testing.T) {
	var saw rpctest.Transcript
	desk := newDesk()
	defer close(desk.release)
	client, tape := rpctest.Gob.Connect(t, desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	rpctest.Within(t, desk.entered, "the other call at the server")
	saw.Add("the call: %v", client.Call("Desk.Double", 1, new(string)))
	rpctest.Within(t, other.Done, "the end of the other call")
	saw.Add("another in flight: %v", other.Error)
	saw.Add("executed: %d", desk.executed.Load())
	tape.Take()
	next := client.Call("Desk.Double", 1, new(int))
	sent, _ := tape.Take()
	saw.Add("the next call: %v; it sent %d bytes", next, len(sent))
	saw.Want(t, `
the call: reading body gob: decoding into local type *string, received remote type int
another in flight: gob: decoding into local type *string, received remote type int
executed: 2
the next call: connection is shut down; it sent 0 bytes`)
}

// A text for a number is refused by the server, which does not execute the call. The
// connection goes on, as do the calls in flight. That is not so of an interface value whose
// type the server does not know.
func TestWrongArgumentTypeDoesNotEndTheConnection(t *testing.T) {
	var saw rpctest.Transcript
	desk := newDesk()
	client, _ := rpctest.Gob.Connect(t, desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	rpctest.Within(t, desk.entered, "the other call at the server")
	saw.Add("the call: %s", describe(client.Call("Desk.Double", "one", new(int))))
	saw.Add("executed: %d", desk.executed.Load())
	close(desk.release)
	rpctest.Within(t, other.Done, "the end of the other call")
	saw.Add("another in flight: %v", other.Error)
	saw.Add("the next call: %v", client.Call("Desk.Double", 1, new(int)))
	saw.Want(t, `
the call: rpc.ServerError "gob: decoding into local type *int, received remote type string"
executed: 1
another in flight: <nil>
the next call: <nil>`)
}

// An argument that gob cannot encode, such as a channel, is an error of the client: nothing
// is sent. But the header of that request stays in a buffer. It goes out before the next
// request, a good one, and the server cannot make sense of the two.
func TestUnencodableArgumentFailsTheNextCall(t *testing.T) {
	var saw rpctest.Transcript
	desk := newDesk()
	client, tape := rpctest.Gob.Connect(t, desk)
	for _, row := range []struct {
		name string
		arg  any
	}{{"a good call", 1}, {"one with a channel", make(chan int)}, {"a good call", 1}, {"another", 1}} {
		err := client.Call("Desk.Double", row.arg, new(int))
		sent, _ := tape.Take()
		headers := strings.Count(sent, "Desk.Double")
		saw.Add("%s: %v; sent: %d bytes, %d headers", row.name, err, len(sent), headers)
	}
	saw.Add("executed: %d", desk.executed.Load())
	saw.Want(t, `
a good call: <nil>; sent: 68 bytes, 1 headers
one with a channel: gob NewTypeObject can't handle type: chan int; sent: 0 bytes, 0 headers
a good call: unexpected EOF; sent: 42 bytes, 2 headers
another: connection is shut down; sent: 0 bytes, 0 headers
executed: 1`)
}

// A nil pointer to an argument is an unencodable argument too, but gob panics on it, in the
// goroutine that calls. Who recovers finds the next call lost, as above. JSON sends null,
// which arrives as zeros.
func TestNilArgumentPanicsInTheCaller(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, tape := codec.Connect(t, new(shared.MathService))
		for _, args := range []*shared.Args{nil, {A: 10, B: 20}} {
			func() {
				reply := -1
				defer func() {
					if panicked := recover(); panicked != nil {
						sent, _ := tape.Take()
						saw.Add("%s: Multiply(%+v) panicked: %v; bytes sent: %d", codec.Name, args, panicked, len(sent))
					}
				}()
				err := client.Call("MathService.Multiply", args, &reply)
				saw.Add("%s: Multiply(%+v) = %d, %v", codec.Name, args, reply, err)
			}()
		}
	}
	saw.Want(t, `
gob: Multiply(<nil>) panicked: gob: cannot encode nil pointer of type *shared.Args; bytes sent: 0
gob: Multiply(&{A:10 B:20}) = -1, unexpected EOF
JSON: Multiply(<nil>) = 0, <nil>
JSON: Multiply(&{A:10 B:20}) = 200, <nil>`)
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
// an invalid answer to Go's client, which then ends. Over gob it is an empty slice as any.
func TestNilReplyEndsAJSONClient(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, tape := codec.Connect(t, Names{})
		for _, method := range []string{"Untouched", "None", "Untouched"} {
			var reply []string
			err := client.Call("Names."+method, 1, &reply)
			saw.Add("%s: %s: %q, %v", codec.Name, method, reply, err)
			if _, received := tape.Take(); codec.Name == "JSON" {
				saw.Add("  received: %s", cmp.Or(strings.TrimSpace(received), "nothing"))
			}
		}
	}
	saw.Want(t, `
gob: Untouched: [], <nil>
gob: None: [], <nil>
gob: Untouched: [], <nil>
JSON: Untouched: [], <nil>
  received: {"id":0,"result":[],"error":null}
JSON: None: [], invalid error <nil>
  received: {"id":1,"result":null,"error":null}
JSON: Untouched: [], connection is shut down
  received: nothing`)
}
