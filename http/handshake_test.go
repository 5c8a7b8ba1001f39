package http_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// The tutorial says that "the client handles HTTP POST and the path" (§4.3, C19). The path
// it does handle; but it sends CONNECT, one line of HTTP/1.0 that ends in a bare LF.
func TestDialHTTPSendsCONNECT(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			sent <- err.Error()
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		request := make([]byte, len(connectRequest))
		n, _ := io.ReadFull(conn, request)
		io.WriteString(conn, connectAnswer)
		rest, _ := io.ReadAll(conn) // until the client's Close
		sent <- string(request[:n]) + string(rest)
	}()
	dialHTTP(t, l.Addr().String()).Close()
	got := within(t, sent, "request")
	if got != connectRequest {
		t.Errorf("DialHTTP sent %q, want %q", got, connectRequest)
	}
	t.Logf("DialHTTP sends      %q", got)
	t.Logf("and is content with %q", connectAnswer)
}

// The tutorial says POST (§4.3, C19) and HTTP/1.1 (§5, C26). The server takes CONNECT, and
// answers it with HTTP/1.0, a bare LF and no header, whatever version was asked for.
func TestServerAnswersCONNECTWithHTTP10(t *testing.T) {
	addr := start(t, newServer(t))
	for _, request := range []string{
		connectRequest,
		"CONNECT /_goRPC_ HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		if string(answer) != connectAnswer {
			t.Errorf("%q was answered %q, %v, want %q", request, answer, err, connectAnswer)
		}
		t.Logf("%q\n→ %q", request, answer)
	}
}

// The tutorial says that the client handles HTTP POST (§4.3, C19). The server refuses POST,
// as it does everything but CONNECT.
func TestOnlyCONNECTIsAllowed(t *testing.T) {
	addr := start(t, newServer(t))
	for _, method := range []string{"GET", "POST", "PUT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+addr+rpc.DefaultRPCPath, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || string(body) != "405 must CONNECT\n" {
			t.Errorf("%s: status %d, body %q, %v, want 405, %q", method, resp.StatusCode, body, err, "405 must CONNECT\n")
		}
		t.Logf("%s /_goRPC_: status %d, body %q", method, resp.StatusCode, body)
	}
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). DialHTTP sends no
// header, so no Authorization either: see Example_bearerToken for a client that does.
func TestDialHTTPSendsNoHeaders(t *testing.T) {
	headers := make(chan http.Header, 1)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusUnauthorized)
	}))
	_, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	if want := "dial-http tcp " + addr + ": unexpected HTTP response: 401 Unauthorized"; err == nil || err.Error() != want {
		t.Errorf("DialHTTP: %v, want %s", err, want)
	}
	header := within(t, headers, "request")
	if len(header) != 0 {
		t.Errorf("DialHTTP sent the headers %v, want none", header)
	}
	t.Logf("DialHTTP sent %d headers; the answer 401 becomes %q", len(header), errors.Unwrap(err))
}

// A client of another kind (§4.2 to §4.4 put all servers on one port) speaks no HTTP. The
// server waits for the end of a line, which a JSON client sends and a gob client may not;
// then it answers 400 and hangs up. In the second row, the 5 is on the wire as a line feed.
func TestGarbageIsAnswered400AtTheEndOfALine(t *testing.T) {
	gobCall := func(a, b int) string {
		var request bytes.Buffer
		encoder := gob.NewEncoder(&request)
		encoder.Encode(rpc.Request{ServiceMethod: "MathService.Multiply"})
		encoder.Encode(shared.Args{A: a, B: b})
		return request.String()
	}
	const refused = "HTTP/1.1 400 Bad Request"
	for _, row := range []struct {
		name, request, status string
		err                   error // of reading the answer to its end, for an hour
	}{
		{"JSON", `{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}` + "\n", refused, nil},
		{"gob, Multiply(5, 20)", gobCall(5, 20), refused, nil},
		{"gob, Multiply(10, 20)", gobCall(10, 20), "", os.ErrDeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &http.Server{Handler: newServer(t)}
			l := make(pipeListener)
			go server.Serve(l)
			defer server.Close()
			conn := l.connect(t)
			conn.SetDeadline(time.Now().Add(time.Hour))
			io.WriteString(conn, row.request)
			answer, err := io.ReadAll(conn)
			status, _, _ := strings.Cut(string(answer), "\r\n")
			if status != row.status || !errors.Is(err, row.err) {
				t.Errorf("%s was answered %q, %v, want %q, %v", row.name, answer, err, row.status, row.err)
			}
			if err == nil {
				t.Logf("%s → %q, and closed", row.name, status)
			} else {
				t.Logf("%s → %q for an hour, and not closed", row.name, status)
			}
		})
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
	l := &tape{Listener: inner}
	t.Cleanup(func() { inner.Close() })
	server := newServer(t)
	go func() {
		if conn, err := l.Accept(); err == nil {
			server.ServeConn(conn)
		}
	}()
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
	tcpClient, _ := overTCP(t)
	httpClient, _ := overHTTP(t)
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
		for _, over := range []struct {
			transport string
			client    *rpc.Client
		}{{"TCP", tcpClient}, {"HTTP", httpClient}} {
			var reply shared.Quotient
			call := over.client.Go(row.method, &shared.Args{A: row.a, B: row.b}, &reply, nil)
			within(t, call.Done, "reply over "+over.transport)
			var text string
			if call.Error != nil {
				text = call.Error.Error()
			}
			if reply != row.reply || text != row.err {
				t.Errorf("over %s: %s(%d, %d) = %v, %q, want %v, %q", over.transport, row.method, row.a, row.b, reply, text, row.reply, row.err)
			}
		}
		t.Logf("over both: %s(%d, %d) = %v, error %q", row.method, row.a, row.b, row.reply, row.err)
	}
}

// The tutorial's table gives net/rpc HTTP/1.1 (§5, C26). There is one handshake in HTTP/1.0;
// after it no HTTP at all, but byte for byte what goes over TCP (§4.3, C20).
func TestNoHTTPFollowsTheHandshake(t *testing.T) {
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
	t.Logf("three calls over HTTP send %q and then the same %d bytes as over TCP", connectRequest, tcpTape.read.Len())
	t.Logf("and get %q and then the same %d bytes", connectAnswer, tcpTape.written.Len())
}
