package http_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

const (
	connectRequest = "CONNECT /_goRPC_ HTTP/1.0\n\n"
	connectAnswer  = "HTTP/1.0 200 Connected to Go RPC\n\n"

	patience = 10 * time.Second // for what should take no time
)

// web is http.DefaultClient with a time limit.
var web = &http.Client{Timeout: patience}

// within receives from c; what says what is missing if nothing comes.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	var value T
	select {
	case value = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	return value
}

func newServer(t *testing.T) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		t.Fatal(err)
	}
	return server
}

// unstarted returns a server that waits for Start, and logs nothing when its handler panics.
func unstarted(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	ts := httptest.NewUnstartedServer(handler)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(ts.Close)
	return ts
}

// start serves handler and returns the address.
func start(t *testing.T, handler http.Handler) string {
	t.Helper()
	ts := unstarted(t, handler)
	ts.Start()
	return ts.Listener.Addr().String()
}

// tryDialHTTP is rpc.DialHTTPPath, which waits forever, with a time limit.
func tryDialHTTP(t *testing.T, addr, path string) (*rpc.Client, error) {
	t.Helper()
	var client *rpc.Client
	answer := make(chan error, 1)
	go func() {
		var err error
		client, err = rpc.DialHTTPPath("tcp", addr, path)
		answer <- err
	}()
	err := within(t, answer, "answer to DialHTTP")
	if err == nil {
		t.Cleanup(func() { client.Close() })
	}
	return client, err
}

func dialHTTP(t *testing.T, addr string) *rpc.Client {
	t.Helper()
	client, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// sendCONNECT does what DialHTTP does, on a connection that there is already.
func sendCONNECT(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, connectRequest)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %s, want 200", resp.Status)
	}
	conn.SetDeadline(time.Time{})
}

func multiply(t *testing.T, client *rpc.Client, a, b int) {
	t.Helper()
	var product int
	call := client.Go("MathService.Multiply", &shared.Args{A: a, B: b}, &product, nil)
	within(t, call.Done, "reply to Multiply")
	if call.Error != nil || product != a*b {
		t.Errorf("Multiply(%d, %d) = %d, %v, want %d", a, b, product, call.Error, a*b)
	}
}

// pipeListener accepts what is sent to it, for http.Server to work in a synctest bubble.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if conn, ok := <-l; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return nil }

// connect returns the client's end of a new connection to a server of l.
func (l pipeListener) connect(t *testing.T) net.Conn {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	l <- theirs
	return ours
}
