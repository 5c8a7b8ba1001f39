package http_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/rpc"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

const (
	connectRequest = "CONNECT /_goRPC_ HTTP/1.0\n\n"
	connectAnswer  = "HTTP/1.0 200 Connected to Go RPC\n\n"
)

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

func dialHTTP(t *testing.T, addr string) *rpc.Client {
	t.Helper()
	client, err := rpc.DialHTTP("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// sendCONNECT does what DialHTTP does, on a connection that there is already.
func sendCONNECT(t *testing.T, conn net.Conn) *rpc.Client {
	t.Helper()
	io.WriteString(conn, connectRequest)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %s, want 200", resp.Status)
	}
	return rpc.NewClient(conn)
}

func multiply(t *testing.T, client *rpc.Client, a, b int) {
	t.Helper()
	var product int
	if err := client.Call("MathService.Multiply", &shared.Args{A: a, B: b}, &product); err != nil || product != a*b {
		t.Errorf("Multiply(%d, %d) = %d, %v, want %d", a, b, product, err, a*b)
	}
}

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Middleware sees
// the CONNECT of each connection, and none of its calls.
func TestMiddlewareRunsOncePerConnection(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	var runs atomic.Int32
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		server.ServeHTTP(w, r)
	}))
	for connections := 1; connections <= 2; connections++ {
		client := dialHTTP(t, addr)
		for i := range 100 {
			multiply(t, client, i, 2)
		}
		if got := int(runs.Load()); got != connections {
			t.Errorf("%d connections of 100 calls: middleware ran %d times, want %d", connections, got, connections)
		}
	}
}

// withPanics sends what next panics with, and leaves the panic to net/http.
func withPanics(next http.Handler) (http.Handler, chan any) {
	panics := make(chan any, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				panics <- p
				panic(p)
			}
		}()
		next.ServeHTTP(w, r)
	}), panics
}

// wantNoHijacker fails the test unless there was a panic because a ResponseWriter has no Hijack.
func wantNoHijacker(t *testing.T, panics chan any) {
	t.Helper()
	var p any
	select {
	case p = <-panics:
	default:
	}
	if err, ok := p.(*runtime.TypeAssertionError); !ok || !strings.Contains(err.Error(), "is not http.Hijacker: missing method Hijack") {
		t.Errorf("ServeHTTP panicked with %v, want a failed assertion to http.Hijacker", p)
	}
}

type plainWriter struct{ http.ResponseWriter }

type unwrapWriter struct{ http.ResponseWriter }

// Unwrap leads http.ResponseController to Hijack; net/rpc does not ask for it.
func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Under middleware
// that wraps the ResponseWriter without a Hijack of its own, ServeHTTP panics.
func TestWrappedResponseWriterWithoutHijackPanics(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(next http.Handler) http.Handler{
		"a wrapper": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plainWriter{w}, r) })
		},
		"a wrapper with Unwrap": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(unwrapWriter{w}, r) })
		},
		"http.TimeoutHandler": func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler, panics := withPanics(wrap(newServer(t)))
			addr := start(t, handler)
			for range 2 { // net/http recovers and serves the next connection
				if _, err := rpc.DialHTTP("tcp", addr); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("DialHTTP: %v, want io.ErrUnexpectedEOF", err)
				}
				wantNoHijacker(t, panics)
			}
		})
	}
}

// The remedy for middleware that wraps: hand Hijack on.
func TestWrappedResponseWriterWithHijackWorks(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(struct {
			http.ResponseWriter
			http.Hijacker
		}{w, w.(http.Hijacker)}, r)
	}))
	multiply(t, dialHTTP(t, addr), 10, 20)
}

// The tutorial's table gives net/rpc "TCP or HTTP/1.1" (§5, C26). HTTP/2 it cannot use:
// a stream of HTTP/2 is no connection to hijack, and ServeHTTP panics.
func TestHTTP2CannotCarryRPC(t *testing.T) {
	t.Parallel()
	handler, panics := withPanics(newServer(t))
	ts := unstarted(t, handler)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	req, err := http.NewRequestWithContext(t.Context(), "CONNECT", ts.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := ts.Client().Do(req); err == nil {
		resp.Body.Close()
		t.Fatalf("CONNECT over %s: %s, want an error", resp.Proto, resp.Status)
	}
	wantNoHijacker(t, panics)
}

// The tutorial says that HTTP lets net/rpc pass firewalls (§4.3, C17). A proxy that speaks
// HTTP changes the status line, and DialHTTP insists on "200 Connected to Go RPC".
func TestReverseProxyBreaksDialHTTP(t *testing.T) {
	t.Parallel()
	backend := start(t, newServer(t))
	multiply(t, dialHTTP(t, backend), 10, 20) // without the proxy
	proxy := start(t, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend}))
	_, err := rpc.DialHTTP("tcp", proxy)
	if want := "dial-http tcp " + proxy + ": unexpected HTTP response: 200 OK"; err == nil || err.Error() != want {
		t.Errorf("DialHTTP through a proxy: %v, want %s", err, want)
	}
}

// Gate is a service whose calls wait until the test lets them go.
type Gate struct{ entered, release chan bool }

// Pass says that it has been entered, waits for release and doubles n.
func (g *Gate) Pass(n int, reply *int) error {
	g.entered <- true
	<-g.release
	*reply = 2 * n
	return nil
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). Neither Shutdown
// nor Close of an http.Server knows of RPC connections: they go on serving, until a
// shared.DrainListener or the client ends them.
func TestShutdownLeavesConnectionsServing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *http.Server) error{
		"Shutdown": func(ctx context.Context, server *http.Server) error { return server.Shutdown(ctx) },
		"Close":    func(_ context.Context, server *http.Server) error { return server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := &Gate{make(chan bool), make(chan bool)}
			server := newServer(t)
			if err := server.Register(gate); err != nil {
				t.Fatal(err)
			}
			ts := unstarted(t, server)
			ts.Start()
			client := dialHTTP(t, ts.Listener.Addr().String())
			var reply int
			call := client.Go("Gate.Pass", 21, &reply, nil)
			<-gate.entered

			// The call ends when it is released below. Whoever waits for it here gets an error.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := end(ctx, ts.Config); err != nil {
				t.Errorf("%s with a call in flight: %v, want nil without waiting for the call", name, err)
			}
			close(gate.release)
			if <-call.Done; call.Error != nil || reply != 42 {
				t.Errorf("call in flight: %d, %v, want 42", reply, call.Error)
			}
			multiply(t, client, 10, 20)
		})
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

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). The timeouts of
// an http.Server end at CONNECT: a client may be silent for hours.
func TestServerTimeoutsEndAtCONNECT(t *testing.T) {
	t.Parallel()
	const timeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		server := &http.Server{
			Handler:     newServer(t),
			ReadTimeout: timeout, ReadHeaderTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout,
		}
		l := make(pipeListener)
		go server.Serve(l)
		defer server.Close()
		dial := func() net.Conn {
			ours, theirs := net.Pipe()
			l <- theirs
			return ours
		}

		silent := dial()
		defer silent.Close()
		begin := time.Now()
		if _, err := io.ReadAll(silent); err != nil || time.Since(begin) != timeout {
			t.Errorf("before CONNECT the server hung up after %v, %v, want %v", time.Since(begin), err, timeout)
		}

		client := sendCONNECT(t, dial())
		defer client.Close()
		for range 3 {
			time.Sleep(time.Hour)
			multiply(t, client, 10, 20)
		}
	})
}

// The tutorial says that net/rpc reuses HTTP's TLS (§4.3, C17). DialHTTP speaks no TLS; a
// client must dial with crypto/tls and send CONNECT itself (without HTTP: see tcp).
func TestDialHTTPSpeaksNoTLS(t *testing.T) {
	t.Parallel()
	ts := unstarted(t, newServer(t))
	ts.StartTLS()
	addr := ts.Listener.Addr().String()
	if client, err := rpc.DialHTTP("tcp", addr); err == nil {
		client.Close()
		t.Error("DialHTTP of a TLS server succeeded, want an error")
	}
	conn, err := tls.Dial("tcp", addr, ts.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	client := sendCONNECT(t, conn)
	defer client.Close()
	multiply(t, client, 10, 20)
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). DialHTTP sends no
// header, so no Authorization either: see Example_bearerToken for a client that does.
func TestDialHTTPSendsNoHeaders(t *testing.T) {
	t.Parallel()
	headers := make(chan http.Header, 1)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusUnauthorized)
	}))
	_, err := rpc.DialHTTP("tcp", addr)
	if want := "dial-http tcp " + addr + ": unexpected HTTP response: 401 Unauthorized"; err == nil || err.Error() != want {
		t.Errorf("DialHTTP: %v, want %s", err, want)
	}
	if header := <-headers; len(header) != 0 {
		t.Errorf("DialHTTP sent the headers %v, want none", header)
	}
}

// The tutorial says that HandleHTTP exposes the path _goRPC_ (§4.3, C18). It is /_goRPC_, and
// there is a second one, /debug/rpc, which tells whoever asks what is served and how often.
func TestHandleHTTPPaths(t *testing.T) {
	t.Parallel()
	if rpc.DefaultRPCPath != "/_goRPC_" || rpc.DefaultDebugPath != "/debug/rpc" {
		t.Errorf("HandleHTTP opens %s and %s, want /_goRPC_ and /debug/rpc", rpc.DefaultRPCPath, rpc.DefaultDebugPath)
	}
	// HandleHTTP registers on http.DefaultServeMux, once and for all: each run needs paths of its own.
	server := newServer(t)
	root := fmt.Sprintf("/%s/%p", t.Name(), server)
	server.HandleHTTP(root+rpc.DefaultRPCPath, root+rpc.DefaultDebugPath)
	addr := start(t, http.DefaultServeMux)
	client, err := rpc.DialHTTPPath("tcp", addr, root+rpc.DefaultRPCPath)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for calls := range 3 {
		resp, err := http.Get("http://" + addr + root + rpc.DefaultDebugPath)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("debug page: %s, %v, want 200", resp.Status, err)
		}
		page := strings.Join(strings.Fields(string(body)), " ")
		for _, want := range []string{
			"Service MathService",
			"Divide(*shared.Args, *shared.Quotient) error</td> <td align=center>0</td>",
			fmt.Sprintf("Multiply(*shared.Args, *int) error</td> <td align=center>%d</td>", calls),
		} {
			if !strings.Contains(page, want) {
				t.Errorf("after %d calls the debug page is %s, want %s in it", calls, page, want)
			}
		}
		multiply(t, client, 10, 20)
	}
}

// The tutorial says that "the client handles HTTP POST and the path" (§4.3, C19). It sends
// CONNECT, one line of HTTP/1.0 that ends in a bare LF, and no header.
func TestDialHTTPSendsCONNECT(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			close(sent)
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		request := make([]byte, len(connectRequest))
		n, _ := io.ReadFull(conn, request)
		io.WriteString(conn, connectAnswer)
		rest, _ := io.ReadAll(conn) // until the client's Close
		sent <- append(request[:n], rest...)
	}()
	client, err := rpc.DialHTTP("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	if got := string(<-sent); got != connectRequest {
		t.Errorf("DialHTTP sent %q, want %q", got, connectRequest)
	}
}

// The tutorial says POST (§4.3, C19) and HTTP/1.1 (§5, C26). The server takes CONNECT, and
// answers it with HTTP/1.0, a bare LF and no header, whatever version was asked for.
func TestServerAnswersCONNECTWithHTTP10(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		connectRequest,
		"CONNECT /_goRPC_ HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", start(t, newServer(t)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		if answer, err := io.ReadAll(conn); string(answer) != connectAnswer {
			t.Errorf("%q was answered %q, %v, want %q", request, answer, err, connectAnswer)
		}
	}
}

// The tutorial says that the client handles HTTP POST (§4.3, C19). The server refuses POST,
// as it does everything but CONNECT.
func TestOnlyCONNECTIsAllowed(t *testing.T) {
	t.Parallel()
	addr := start(t, newServer(t))
	for _, method := range []string{"GET", "POST", "PUT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+rpc.DefaultRPCPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || string(body) != "405 must CONNECT\n" {
			t.Errorf("%s: status %d, body %q, %v, want 405, %q", method, resp.StatusCode, body, err, "405 must CONNECT\n")
		}
	}
}

// tape is a listener that records what its connections, of which there is one, read and write.
type tape struct {
	net.Listener
	mu            sync.Mutex
	read, written bytes.Buffer
}

type tapedConn struct {
	net.Conn
	tape *tape
}

func (l *tape) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return tapedConn{conn, l}, err
}

func (c tapedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tape.mu.Lock()
	defer c.tape.mu.Unlock()
	c.tape.read.Write(p[:n])
	return n, err
}

func (c tapedConn) Write(p []byte) (int, error) {
	c.tape.mu.Lock()
	c.tape.written.Write(p)
	c.tape.mu.Unlock()
	return c.Conn.Write(p)
}

// overTCP and overHTTP each return a client and the tape of its server.
func overTCP(t *testing.T) (*rpc.Client, *tape) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	l := &tape{Listener: inner}
	go newServer(t).Accept(l)
	client, err := rpc.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, l
}

func overHTTP(t *testing.T) (*rpc.Client, *tape) {
	t.Helper()
	ts := unstarted(t, newServer(t))
	l := &tape{Listener: ts.Listener}
	ts.Listener = l
	ts.Start()
	return dialHTTP(t, l.Addr().String()), l
}

// The tutorial says that calls are the same as over TCP (§4.3, C20). So they are.
func TestCallsAreTheSameAsOverTCP(t *testing.T) {
	t.Parallel()
	tcpClient, _ := overTCP(t)
	httpClient, _ := overHTTP(t)
	for transport, client := range map[string]*rpc.Client{"TCP": tcpClient, "HTTP": httpClient} {
		for _, row := range []struct {
			method string
			a, b   int
			reply  shared.Quotient
			err    string
		}{
			{"MathService.Divide", 17, 5, shared.Quotient{Quo: 3, Rem: 2}, ""},
			{"MathService.Divide", 1, 0, shared.Quotient{}, "divide by zero"},
			{"MathService.Modulo", 17, 5, shared.Quotient{}, "rpc: can't find method MathService.Modulo"},
		} {
			var reply shared.Quotient
			var text string
			if err := client.Call(row.method, &shared.Args{A: row.a, B: row.b}, &reply); err != nil {
				text = err.Error()
			}
			if reply != row.reply || text != row.err {
				t.Errorf("over %s: %s(%d, %d) = %v, %q, want %v, %q", transport, row.method, row.a, row.b, reply, text, row.reply, row.err)
			}
		}
	}
}

// The tutorial's table gives net/rpc HTTP/1.1 (§5, C26). There is one handshake in HTTP/1.0;
// after it no HTTP at all, but byte for byte what goes over TCP (§4.3, C20).
func TestNoHTTPFollowsTheHandshake(t *testing.T) {
	t.Parallel()
	tcpClient, tcpTape := overTCP(t)
	httpClient, httpTape := overHTTP(t)
	for i := range 3 {
		multiply(t, tcpClient, i, 20)
		multiply(t, httpClient, i, 20)
	}
	for _, l := range []*tape{tcpTape, httpTape} {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	if want := connectRequest + tcpTape.read.String(); httpTape.read.String() != want {
		t.Errorf("three calls over HTTP sent\n%q, want a handshake and then what TCP sends,\n%q", &httpTape.read, want)
	}
	if want := connectAnswer + tcpTape.written.String(); httpTape.written.String() != want {
		t.Errorf("three calls over HTTP got\n%q, want a handshake and then what TCP gets,\n%q", &httpTape.written, want)
	}
}
