package tcp_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// Desk is a service that counts the calls which it executes.
type Desk struct {
	executed atomic.Int32
	entered  chan bool // gets a value for each call of Wait
	release  chan bool // Wait returns when it is closed
}

func newDesk() *Desk {
	return &Desk{entered: make(chan bool, 100), release: make(chan bool)}
}

// Double doubles n.
func (d *Desk) Double(n int, reply *int) error {
	d.executed.Add(1)
	*reply = 2 * n
	return nil
}

// Fail fails.
func (d *Desk) Fail(n int, reply *int) error {
	d.executed.Add(1)
	return errors.New("no luck")
}

// Wait doubles n when the test lets it.
func (d *Desk) Wait(n int, reply *int) error {
	d.executed.Add(1)
	d.entered <- true
	<-d.release
	*reply = 2 * n
	return nil
}

func newServer(t *testing.T, service any) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	return server
}

// patience bounds every wait for something that should take no time.
const patience = 30 * time.Second

// within receives from c, in time.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	var value T
	select {
	case value = <-c:
	case <-time.After(patience):
		t.Fatal("nothing came within ", patience)
	}
	return value
}

// countedConn counts the bytes that go through a connection.
type countedConn struct {
	net.Conn
	out, in atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

// codecs are the two in which net/rpc serves a connection.
var codecs = map[string]struct {
	serve     func(*rpc.Server, io.ReadWriteCloser)
	newClient func(io.ReadWriteCloser) *rpc.Client
}{
	"gob": {(*rpc.Server).ServeConn, rpc.NewClient},
	"JSON": {func(server *rpc.Server, conn io.ReadWriteCloser) {
		server.ServeCodec(jsonrpc.NewServerCodec(conn))
	}, jsonrpc.NewClient},
}

// connect returns a client of a server that publishes service, and the client's
// end of the pipe between them, whose deadline bounds every call.
func connect(t *testing.T, codec string, service any) (*rpc.Client, *countedConn) {
	t.Helper()
	ours, theirs := net.Pipe()
	ours.SetDeadline(time.Now().Add(patience))
	go codecs[codec].serve(newServer(t, service), theirs)
	conn := &countedConn{Conn: ours}
	client := codecs[codec].newClient(conn)
	t.Cleanup(func() { client.Close() })
	return client, conn
}

// listen listens on a free port until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

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

// Tutorial §2, C4: the transport is "TCP, HTTP or UDP". It is any stream that keeps the
// order and loses nothing; TestAPanickingMethodEndsTheServer has one more, stdin and stdout.
func TestAnyReliableStreamWorks(t *testing.T) {
	t.Parallel()
	// Not t.TempDir: a unix socket's path must be short.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	overListener := func(network, addr string) func(*testing.T, *rpc.Server) (*rpc.Client, error) {
		return func(t *testing.T, server *rpc.Server) (*rpc.Client, error) {
			l, err := net.Listen(network, addr)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { l.Close() })
			go server.Accept(l)
			return rpc.Dial(network, l.Addr().String())
		}
	}
	for name, start := range map[string]func(*testing.T, *rpc.Server) (*rpc.Client, error){
		"TCP":         overListener("tcp", "127.0.0.1:0"),
		"unix socket": overListener("unix", filepath.Join(dir, "socket")),
		"net.Pipe": func(t *testing.T, server *rpc.Server) (*rpc.Client, error) {
			ours, theirs := net.Pipe()
			go server.ServeConn(theirs)
			return rpc.NewClient(ours), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := start(t, newServer(t, new(shared.MathService)))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var reply int
			call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply, nil)
			if err := within(t, call.Done).Error; err != nil || reply != 200 {
				t.Errorf("Multiply(10, 20) = %d, %v, want 200", reply, err)
			}
		})
	}
}

// Tutorial §2, C4: UDP will do. Accept needs a net.Listener, and there is none for UDP.
func TestListenRefusesUDP(t *testing.T) {
	t.Parallel()
	if l, err := net.Listen("udp", "127.0.0.1:0"); err == nil {
		l.Close()
		t.Error("net.Listen works for UDP, want an error")
	}
}

// Tutorial §2, C4: UDP will do. Dial finds nothing wrong, for UDP has no connection that
// could fail; but when a datagram is lost, nobody sends it again, and the call hangs.
func TestDialUDPHangs(t *testing.T) {
	t.Parallel()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	client, err := rpc.Dial("udp", socket.LocalAddr().String())
	if err != nil {
		t.Fatalf("rpc.Dial: %v, want no error", err)
	}
	defer client.Close()
	call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
	socket.SetReadDeadline(time.Now().Add(patience))
	if _, _, err := socket.ReadFrom(make([]byte, 1000)); err != nil {
		t.Fatalf("the request did not come: %v", err)
	}
	// The request is lost here. It does not come again, and the call does not end.
	socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, _, err := socket.ReadFrom(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the request: %d bytes, %v, want nothing", n, err)
	}
	select {
	case <-call.Done:
		t.Errorf("the call ended with %v, want it to hang", call.Error)
	default:
	}
	client.Close()
	if err := within(t, call.Done).Error; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close the call ended with %v, want net.ErrClosed", err)
	}
}

// Tutorial §4.2, C12: gob. It describes the types (Request, Args; Response) once for each
// connection, so the first call on it costs about three times the bytes of a later one.
func TestGobSendsTypesOnce(t *testing.T) {
	t.Parallel()
	client, conn := connect(t, "gob", new(shared.MathService))
	for i, want := range []struct{ out, in int64 }{{112, 91}, {36, 34}, {36, 34}} {
		out, in := conn.out.Load(), conn.in.Load()
		var reply int
		if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply); err != nil || reply != 200 {
			t.Fatalf("Multiply(10, 20) = %d, %v, want 200", reply, err)
		}
		out, in = conn.out.Load()-out, conn.in.Load()-in
		if out != want.out || in != want.in {
			t.Errorf("call %d sent %d bytes and received %d, want %d and %d", i+1, out, in, want.out, want.in)
		}
	}
}

// queue is a listener whose Accept returns what the test puts into it.
type queue chan any

func (q queue) Accept() (net.Conn, error) {
	switch next := (<-q).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	default: // the test has closed it
		return nil, net.ErrClosed
	}
}

func (q queue) Close() error   { return nil }
func (q queue) Addr() net.Addr { return nil }

// Tutorial §4.2, C14: Accept gives each connection a goroutine. So it is.
func TestEachConnectionHasAGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk, l := newDesk(), make(queue, 50)
		defer close(l)
		defer close(desk.release)
		go newServer(t, desk).Accept(l)
		for range 50 {
			ours, theirs := net.Pipe()
			l <- theirs
			client := rpc.NewClient(ours)
			defer client.Close()
			go client.Call("Desk.Wait", 1, new(int))
		}
		synctest.Wait() // until every goroutine waits for something
		if inside := len(desk.entered); inside != 50 {
			t.Errorf("calls of %d connections are inside the method, want 50", inside)
		}
	})
}

// Tutorial §4.2, C14: a goroutine for each connection. There is one for each request too:
// the calls of one connection run at the same time, and must lock what they share.
func TestEachRequestHasAGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		defer close(desk.release)
		client, _ := connect(t, "gob", desk)
		for range 50 {
			client.Go("Desk.Wait", 1, new(int), nil)
		}
		synctest.Wait()
		if inside := len(desk.entered); inside != 50 {
			t.Errorf("%d calls are inside the method, want 50", inside)
		}
	})
}

// Tutorial §4.2, C14: Accept serves. It returns on any error, even on one that passes, and
// the connections that wait behind it are never served. A DrainListener tries again.
func TestAcceptGivesUpOnAnError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		listen func(context.Context, net.Listener) net.Listener
		goesOn bool
	}{
		{"plain listener", func(_ context.Context, l net.Listener) net.Listener { return l }, false},
		{"DrainListener", func(ctx context.Context, l net.Listener) net.Listener { return shared.NewDrainListener(ctx, l) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				inner := make(queue, 2)
				defer close(inner)
				inner <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE} // too many open files
				inner <- theirs
				l, server := row.listen(t.Context(), inner), newServer(t, new(shared.MathService))
				var returned, answered atomic.Bool
				go func() {
					server.Accept(l)
					returned.Store(true)
				}()
				client := rpc.NewClient(ours)
				defer client.Close()
				go func() {
					err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
					answered.Store(err == nil)
				}()
				time.Sleep(time.Hour) // synctest's, which takes no time
				if returned.Load() == row.goesOn || answered.Load() != row.goesOn {
					t.Errorf("after an error: Accept returned = %t, next connection answered = %t, want %t, %t",
						returned.Load(), answered.Load(), !row.goesOn, row.goesOn)
				}
			})
		})
	}
}

// Clock is a service that takes time.
type Clock struct{}

// Sleep sleeps.
func (Clock) Sleep(d time.Duration, reply *time.Duration) error {
	time.Sleep(d)
	*reply = d
	return nil
}

// Tutorial §5, C25: "no connection multiplexing". A connection carries many calls at once.
func TestOneConnectionCarriesManyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, "gob", Clock{})
		done := make(chan *rpc.Call, 100)
		begin := time.Now()
		for range 100 {
			client.Go("Clock.Sleep", 100*time.Millisecond, new(time.Duration), done)
		}
		for range 100 {
			if call := <-done; call.Error != nil {
				t.Fatal(call.Error)
			}
		}
		if took := time.Since(begin); took != 100*time.Millisecond {
			t.Errorf("100 calls of 100 ms took %v, want 100ms", took)
		}
	})
}

// Tutorial §5, C25: "no connection multiplexing". Each reply carries the number of its
// call, so that a quick one overtakes a slow one.
func TestQuickReplyOvertakesASlowOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, "gob", Clock{})
		done := make(chan *rpc.Call, 2)
		client.Go("Clock.Sleep", 2*time.Second, new(time.Duration), done)
		client.Go("Clock.Sleep", time.Second, new(time.Duration), done)
		for _, want := range []time.Duration{time.Second, 2 * time.Second} {
			if call := <-done; call.Error != nil || *call.Reply.(*time.Duration) != want {
				t.Errorf("reply %v, %v, want that of %v", *call.Reply.(*time.Duration), call.Error, want)
			}
		}
	})
}

// Text is a service with replies of any size.
type Text struct{ made chan int }

// Make replies with n bytes.
func (s Text) Make(n int, reply *string) error {
	*reply = strings.Repeat("x", n)
	s.made <- n
	return nil
}

// Tutorial §5, C25: what is missing is interleaving. A reply that has begun is written to
// its end, however long that takes, and a small one that is ready waits behind it.
func TestSmallReplyWaitsBehindALargeOne(t *testing.T) {
	t.Parallel()
	const large, small = 1 << 20, 1
	text := Text{make(chan int, 2)}
	server := newServer(t, text)
	// client – near … the test … far – server
	near, fromClient := net.Pipe()
	far, fromServer := net.Pipe()
	for _, conn := range []net.Conn{near, far} {
		conn.SetDeadline(time.Now().Add(patience))
		defer conn.Close()
	}
	go server.ServeConn(fromServer)
	go io.Copy(far, fromClient) // requests pass at once
	client := rpc.NewClient(near)
	done := make(chan *rpc.Call, 2)

	client.Go("Text.Make", large, new(string), done)
	if _, err := io.CopyN(fromClient, far, 1000); err != nil { // the large reply has begun
		t.Fatal(err)
	}
	client.Go("Text.Make", small, new(string), done)
	if first, second := within(t, text.made), within(t, text.made); first != large || second != small {
		t.Fatalf("replies made: %d bytes, then %d, want %d, then %d", first, second, large, small)
	}
	go io.Copy(fromClient, far) // both replies are ready: let them pass
	for _, want := range []int{large, small} {
		call := within(t, done)
		if got := len(*call.Reply.(*string)); call.Error != nil || got != want {
			t.Errorf("a reply of %d bytes, %v, want %d bytes", got, call.Error, want)
		}
	}
}

// Gob does not send a field that is zero, so a reply that is used again keeps the
// value of the call before. JSON sends every field.
func TestReusedReplyKeepsStaleFields(t *testing.T) {
	t.Parallel()
	for codec, want := range map[string]shared.Quotient{"gob": {Quo: 2, Rem: 3}, "JSON": {Quo: 2, Rem: 0}} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			client, _ := connect(t, codec, new(shared.MathService))
			reply := shared.Quotient{Quo: 2, Rem: 3} // from a call of Divide(11, 4)
			if err := client.Call("MathService.Divide", &shared.Args{A: 8, B: 4}, &reply); err != nil || reply != want {
				t.Errorf("Divide(8, 4) = %v, %v, want %v", reply, err, want)
			}
		})
	}
}

// Tally is a service whose reply is a map.
type Tally struct{}

// Count replies with the word's count.
func (Tally) Count(word string, reply *map[string]int) error {
	*reply = map[string]int{word: 1}
	return nil
}

// Both codecs add to a map that is used again, and take nothing out of it.
func TestReusedMapIsMerged(t *testing.T) {
	t.Parallel()
	for codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			client, _ := connect(t, codec, Tally{})
			reply := map[string]int{"old": 1}
			want := map[string]int{"old": 1, "new": 1}
			if err := client.Call("Tally.Count", "new", &reply); err != nil || !maps.Equal(reply, want) {
				t.Errorf("Count(new) = %v, %v, want %v", reply, err, want)
			}
		})
	}
}

// A reply of another type than the method's is an error of the client, which does not
// read on: every call in flight fails, and none can be sent any more. They were executed.
func TestWrongReplyTypeEndsTheConnection(t *testing.T) {
	t.Parallel()
	const cause = "gob: decoding into local type *string, received remote type int"
	desk := newDesk()
	defer close(desk.release)
	client, conn := connect(t, "gob", desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	within(t, desk.entered)
	if err := client.Call("Desk.Double", 1, new(string)); err == nil || err.Error() != "reading body "+cause {
		t.Errorf("the call with the wrong reply: %v, want reading body %s", err, cause)
	}
	if err := within(t, other.Done).Error; err == nil || err.Error() != cause {
		t.Errorf("another call in flight: %v, want %s", err, cause)
	}
	if executed := desk.executed.Load(); executed != 2 {
		t.Errorf("%d calls executed, want both", executed)
	}
	sent := conn.out.Load()
	if err := client.Call("Desk.Double", 1, new(int)); err != rpc.ErrShutdown || conn.out.Load() != sent {
		t.Errorf("the next call: %v, %d bytes sent, want rpc.ErrShutdown, none", err, conn.out.Load()-sent)
	}
}

// An argument of another type than the method's is refused by the server, which does
// not execute the call. The connection goes on, as do the calls in flight.
func TestWrongArgumentTypeDoesNotEndTheConnection(t *testing.T) {
	t.Parallel()
	desk := newDesk()
	client, _ := connect(t, "gob", desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	within(t, desk.entered)
	const want = rpc.ServerError("gob: decoding into local type *int, received remote type string")
	if err := client.Call("Desk.Double", "one", new(int)); err != want {
		t.Errorf("the call with the wrong argument: %v, want %v", err, want)
	}
	if executed := desk.executed.Load(); executed != 1 {
		t.Errorf("%d calls executed, want the other one only", executed)
	}
	close(desk.release)
	if err := within(t, other.Done).Error; err != nil {
		t.Errorf("another call in flight: %v, want no error", err)
	}
	if err := client.Call("Desk.Double", 1, new(int)); err != nil {
		t.Errorf("the next call: %v, want no error", err)
	}
}

// An argument that gob cannot encode, such as a channel, is an error of the client. But half
// the request stays in its buffer, and goes out with the next one, a good one, which is lost.
func TestUnencodableArgumentFailsTheNextCall(t *testing.T) {
	t.Parallel()
	desk := newDesk()
	client, _ := connect(t, "gob", desk)
	const want = "gob NewTypeObject can't handle type: chan int"
	if err := client.Call("Desk.Double", make(chan int), new(int)); err == nil || err.Error() != want {
		t.Errorf("the call with a channel: %v, want %s", err, want)
	}
	for _, want := range []error{io.ErrUnexpectedEOF, rpc.ErrShutdown} {
		if err := client.Call("Desk.Double", 1, new(int)); err != want {
			t.Errorf("a good call: %v, want %v", err, want)
		}
	}
	if executed := desk.executed.Load(); executed != 0 {
		t.Errorf("%d calls executed, want none", executed)
	}
}

// What becomes of a call, was it executed, and what becomes of the next one? After an
// rpc.ServerError, an answer, the client goes on. A lost connection ends it, and looks the
// same whether the call was executed or not. After that rpc.ErrShutdown says: not sent.
func TestWhatAClientSees(t *testing.T) {
	t.Parallel()
	is := func(want error) func(error) bool {
		return func(err error) bool { return errors.Is(err, want) }
	}
	reset := func(err error) bool { // its number is not the same on every system
		op, ok := err.(*net.OpError)
		return ok && op.Op == "read" && !op.Timeout() && !errors.Is(err, net.ErrClosed)
	}
	for _, row := range []struct {
		name     string
		method   string
		unserved bool             // the server accepts the connection, and does not read
		event    func(connection) // happens to the call in flight
		failed   func(error) bool // what the call ends with
		executed int32            // how many calls
		next     error            // what the next call ends with
	}{
		{name: "the method returns an error", method: "Desk.Fail",
			failed: is(rpc.ServerError("no luck")), executed: 1},
		{name: "there is no such method", method: "Desk.None",
			failed: is(rpc.ServerError("rpc: can't find method Desk.None")), executed: 0},
		{name: "the server hangs up while it executes the call", method: "Desk.Wait",
			event:  func(c connection) { c.theirs.Close() },
			failed: is(io.ErrUnexpectedEOF), executed: 1, next: rpc.ErrShutdown},
		{name: "the server hangs up before it executes the call", method: "Desk.Wait", unserved: true,
			event:  func(c connection) { c.theirs.CloseWrite() }, // Close resets if a request is unread
			failed: is(io.ErrUnexpectedEOF), executed: 0, next: rpc.ErrShutdown},
		{name: "the server resets the connection", method: "Desk.Wait",
			event:  func(c connection) { c.theirs.SetLinger(0); c.theirs.Close() },
			failed: reset, executed: 1, next: rpc.ErrShutdown},
		{name: "the client closes", method: "Desk.Wait",
			event:  func(c connection) { c.client.Close() },
			failed: is(net.ErrClosed), executed: 1, next: rpc.ErrShutdown},
		{name: "a deadline of the connection passes", method: "Desk.Wait",
			event:  func(c connection) { c.ours.SetDeadline(time.Now()) },
			failed: is(os.ErrDeadlineExceeded), executed: 1, next: rpc.ErrShutdown},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			desk := newDesk()
			defer close(desk.release)
			c := dial(t, listen(t))
			if !row.unserved {
				go newServer(t, desk).ServeConn(c.theirs)
			}
			call := c.client.Go(row.method, 1, new(int), nil)
			if row.method == "Desk.Wait" && !row.unserved {
				within(t, desk.entered)
			}
			if row.event != nil {
				row.event(c)
			}
			if err := within(t, call.Done).Error; !row.failed(err) {
				t.Errorf("the call ended with %v", err)
			}
			if executed := desk.executed.Load(); executed != row.executed {
				t.Errorf("%d calls executed, want %d", executed, row.executed)
			}
			next := c.client.Go("Desk.Double", 1, new(int), nil)
			if err := within(t, next.Done).Error; err != row.next {
				t.Errorf("the next call: %v, want %v", err, row.next)
			}
		})
	}
}

// A client whose connection is lost stays so, also when its server is back.
func TestAClientNeverReconnects(t *testing.T) {
	t.Parallel()
	l := listen(t)
	c := dial(t, l)
	call := c.client.Go("Desk.Double", 1, new(int), nil)
	c.theirs.Close()
	if err := within(t, call.Done).Error; err == nil {
		t.Error("a lost call ended without an error")
	}
	go newServer(t, newDesk()).Accept(l) // the server is back, at the same address
	for range 3 {
		call := c.client.Go("Desk.Double", 1, new(int), nil)
		if err := within(t, call.Done).Error; err != rpc.ErrShutdown {
			t.Errorf("the old client: %v, want rpc.ErrShutdown", err)
		}
	}
	client, err := rpc.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call = client.Go("Desk.Double", 1, new(int), nil)
	if err := within(t, call.Done).Error; err != nil {
		t.Errorf("a new client: %v, want no error", err)
	}
}

// Faulty is a service with a fault.
type Faulty struct{}

// Panic panics.
func (Faulty) Panic(n int, reply *int) error { panic("a fault in a method") }

// stream is a connection made of two pipes.
type stream struct {
	io.Reader
	io.WriteCloser
}

// net/rpc does not recover: a method that panics ends the whole server, with exit
// status 2. Its clients see no more than a lost connection.
func TestAPanickingMethodEndsTheServer(t *testing.T) {
	const serve = "NETRPC_SERVE_FAULTY"
	if os.Getenv(serve) != "" { // this is the second process
		newServer(t, Faulty{}).ServeConn(stream{os.Stdin, os.Stdout})
		return
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, "-test.run=^TestAPanickingMethodEndsTheServer$")
	cmd.Env = append(os.Environ(), serve+"=yes")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(stream{stdout, stdin})
	defer client.Close()
	if err := client.Call("Faulty.None", 1, new(int)); err != rpc.ServerError("rpc: can't find method Faulty.None") {
		t.Errorf("before the panic: %v, want an answer", err)
	}
	if err := client.Call("Faulty.Panic", 1, new(int)); err != io.ErrUnexpectedEOF {
		t.Errorf("the call that panics: %v, want unexpected EOF", err)
	}
	if err := client.Call("Faulty.None", 1, new(int)); err != rpc.ErrShutdown {
		t.Errorf("after the panic: %v, want rpc.ErrShutdown", err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(stderr.String(), "panic: a fault in a method") {
		t.Errorf("the server ended with exit status %d and %q, want 2 and its panic", code, stderr.String())
	}
}
