// Package rpctest is to net/rpc what net/http/httptest is to net/http: servers and clients for
// tests, the bytes between them, and a way to write down what a test sees. For tests only.
package rpctest

import (
	"encoding/gob"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
)

// Patience bounds each wait. It is long, so that a slow machine fails no test.
const Patience = programtest.Patience

// Server returns a server that publishes services, each under the name of its type.
func Server(t testing.TB, services ...any) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	for _, service := range services {
		if err := server.Register(service); err != nil {
			t.Fatal(err)
		}
	}
	return server
}

// Codec is one of the two ways of net/rpc to write a call.
type Codec struct {
	Name      string
	Serve     func(server *rpc.Server, conn io.ReadWriteCloser) // until the client hangs up
	NewClient func(conn io.ReadWriteCloser) *rpc.Client
}

// Gob and JSON are the codecs of net/rpc and of net/rpc/jsonrpc.
var (
	Gob  = Codec{"gob", (*rpc.Server).ServeConn, rpc.NewClient}
	JSON = Codec{"JSON", func(server *rpc.Server, conn io.ReadWriteCloser) {
		server.ServeCodec(jsonrpc.NewServerCodec(conn))
	}, jsonrpc.NewClient}
)

// Connect returns a client of a server that publishes services, and the tape of the client's end of
// the net.Pipe between them. If the only argument is an *rpc.Server, it is served as it is. The client
// is closed when the test ends, and its calls fail after Patience: no test waits for ever.
func (c Codec) Connect(t testing.TB, services ...any) (*rpc.Client, *Tape) {
	t.Helper()
	ours, theirs := net.Pipe()
	var server *rpc.Server
	if len(services) == 1 {
		server, _ = services[0].(*rpc.Server)
	}
	if server == nil {
		server = Server(t, services...)
	}
	go c.Serve(server, theirs)
	ours.SetDeadline(time.Now().Add(Patience))
	tape := new(Tape)
	client := c.NewClient(tape.Conn(ours))
	t.Cleanup(func() { client.Close() })
	return client, tape
}

// NumberTypes has gob number the types of values, in this order. It numbers the types of a
// process as it meets them, and a larger number can take a byte more: a package that counts bytes
// calls this in an init function, so that its figures do not depend on which test runs first.
func NumberTypes(values ...any) {
	encoder := gob.NewEncoder(io.Discard)
	for _, value := range values {
		if err := encoder.Encode(value); err != nil {
			panic(err)
		}
	}
}

// Listen listens on a free port of this machine until the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Dial returns a connection to a server. It ends with the test, or after Patience.
func Dial(t testing.TB, network, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(Patience))
	return conn
}

// TCPPair returns both ends of a connection over TCP, which ends with the test.
func TCPPair(t testing.TB) (ours, theirs net.Conn) {
	t.Helper()
	l := Listen(t)
	ours, err := net.Dial("tcp", l.Addr().String())
	if err == nil {
		theirs, err = l.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// Within receives from c, and ends the test if nothing comes within Patience. What says what
// the test has waited for.
func Within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-c:
		return value
	case <-time.After(Patience):
		t.Fatalf("%s: not within %v", what, Patience)
		panic("unreachable")
	}
}

// SkipUnlessCI skips a test if this machine lacks what it needs, as err says. In CI, where no test
// is skipped, it ends the test as failed. Without an error it does nothing.
func SkipUnlessCI(t testing.TB, err error) {
	t.Helper()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
}

// Queue is a listener that accepts what a test sends it: a net.Conn or an error. When it is
// closed, by Close or by close, Accept returns net.ErrClosed.
type Queue chan any

// Dial returns one end of a net.Pipe, and queues the other. Within a synctest bubble it is what
// net.Dial is outside.
func (q Queue) Dial(t testing.TB) net.Conn {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	q <- theirs
	return ours
}

// Accept waits for the next connection or error.
func (q Queue) Accept() (net.Conn, error) {
	switch next := (<-q).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	}
	return nil, net.ErrClosed
}

// Close closes the queue, if it is open.
func (q Queue) Close() error {
	defer func() { recover() }() // close panics if it is not
	close(q)
	return nil
}

// Addr returns an address that nobody can dial.
func (q Queue) Addr() net.Addr { return &net.UnixAddr{Name: "queue", Net: "queue"} }
