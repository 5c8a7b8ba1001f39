package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/rpc"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// Odd is a service whose methods end in ways that MathService's do not.
type Odd struct{}

// Panic panics.
func (Odd) Panic(args *shared.Args, reply *int) error { panic("a bug in the method") }

// NaN returns what JSON cannot hold.
func (Odd) NaN(args *shared.Args, reply *float64) error {
	*reply = math.NaN()
	return nil
}

const (
	multiply = `{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`
	product  = `{"id":1,"result":200,"error":null}`

	patience = 10 * time.Second // for what should take no time
)

func newPostHandler(t *testing.T) http.Handler {
	t.Helper()
	server := rpc.NewServer()
	for _, service := range []any{new(shared.MathService), Odd{}} {
		if err := server.Register(service); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /jsonrpc", postHandler{server})
	mux.Handle(rpc.DefaultRPCPath, server)
	return mux
}

// newPostServer returns a server that waits for Start, and logs nothing when a method panics.
func newPostServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	ts := httptest.NewUnstartedServer(handler)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(ts.Close)
	return ts
}

func startPostServer(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	ts := newPostServer(t, handler)
	ts.Start()
	return ts
}

// post posts request to a server, and returns the response with its body.
func post(t *testing.T, ts *httptest.Server, request string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", ts.URL+"/jsonrpc", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := ts.Client()
	client.Timeout = patience
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(bytes.TrimSpace(body))
}

// wantProduct fails the test unless the response is that to multiply.
func wantProduct(t *testing.T, what string, resp *http.Response, body string) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || body != product {
		t.Errorf("%s: status %d, %s, want 200, %s", what, resp.StatusCode, body, product)
	}
}

// wantRefusal fails the test unless body is in the dialect of net/rpc/jsonrpc, with some error.
func wantRefusal(t *testing.T, body string) {
	t.Helper()
	var response map[string]any
	if err := json.Unmarshal([]byte(body), &response); err != nil {
		t.Fatalf("response %q: %v", body, err)
	}
	if text, ok := response["error"].(string); !ok || text == "" || len(response) != 3 || response["id"] != nil || response["result"] != nil {
		t.Errorf("response %s, want an error, and null for id and result", body)
	}
}

// http/server's answer to what the tutorial hopes for from HTTP (§4.3, C17): a call for each
// request, and JSON whatever the status.
func TestPostAnswersEachRequestInJSON(t *testing.T) {
	t.Parallel() // real time passes
	long := func(size int) string { return multiply + strings.Repeat(" ", size-len(multiply)) }
	ts := startPostServer(t, newPostHandler(t))
	for _, row := range []struct {
		name, request string
		response      string // "error" stands for any error with id null, … for what encoding/json says
		status        int
	}{
		{"a product", multiply, product, 200},
		{"a quotient", `{"method":"MathService.Divide","params":[{"A":17,"B":5}],"id":"x"}`, `{"id":"x","result":{"Quo":3,"Rem":2},"error":null}`, 200},
		{"an error", `{"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":2}`, `{"id":2,"result":null,"error":"divide by zero"}`, 200},
		{"an unknown method", `{"method":"MathService.Modulo","params":[{}],"id":3}`, `{"id":3,"result":null,"error":"rpc: can't find method MathService.Modulo"}`, 200},
		{"a wrong argument", `{"method":"MathService.Multiply","params":[{"A":"1"}],"id":4}`, `{"id":4,"result":null,"error":"json: cannot unmarshal string…"}`, 200},
		{"a notification", `{"method":"MathService.Multiply","params":[{"A":2,"B":3}]}`, `{"id":null,"result":6,"error":null}`, 200},
		{"a NaN", `{"method":"Odd.NaN","params":[{}],"id":5}`, "error", 500},
		{"exactly 1 MiB", long(1 << 20), product, 200},
		{"more than 1 MiB", long(1<<20 + 1), "error", 413},
		{"nothing", ``, "error", 400},
		{"null", `null`, "error", 400},
		{"no JSON", `multiply 10 by 20`, "error", 400},
		{"half a request", multiply[:40], "error", 400},
		{"two requests", multiply + multiply, "error", 400},
		{"a request and more", multiply + "x", "error", 400},
		{"a batch", "[" + multiply + "]", "error", 400},
		{"no method", `{"params":[{"A":1,"B":2}],"id":1}`, "error", 400},
		{"no params", `{"method":"MathService.Multiply","id":1}`, "error", 400},
		{"named params", `{"method":"MathService.Multiply","params":{"A":1,"B":2},"id":1}`, "error", 400},
		{"positional params", `{"method":"MathService.Multiply","params":[10,20],"id":1}`, "error", 400},
		{"an empty params list", `{"method":"MathService.Multiply","params":[],"id":1}`, "error", 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			resp, body := post(t, ts, row.request)
			if resp.StatusCode != row.status || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("status %d, Content-Type %q, want %d, application/json", resp.StatusCode, resp.Header.Get("Content-Type"), row.status)
			}
			begin, end, _ := strings.Cut(row.response, "…")
			if row.response == "error" {
				wantRefusal(t, body)
			} else if body != row.response && (end == "" || !strings.HasPrefix(body, begin) || !strings.HasSuffix(body, end)) {
				t.Errorf("response %s, want %s", body, row.response)
			}
			t.Logf("%.100s\n→ %d %s", strings.TrimSpace(row.request), resp.StatusCode, body)
		})
	}
}

// postHalf posts 40 bytes of multiply, and promises all of it.
func postHalf(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(multiply), multiply[:40])
	return conn
}

// A client that promises a body and stops in its middle is not waited for longer than
// ReadTimeout.
func TestPostAnswers408WhenTheBodyStops(t *testing.T) {
	t.Parallel() // real time passes
	ts := newPostServer(t, newPostHandler(t))
	ts.Config.ReadTimeout = 500 * time.Millisecond
	ts.Start()
	conn := postHalf(t, ts.Listener.Addr())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("40 of %d bytes: no answer: %v", len(multiply), err)
	}
	body, err := io.ReadAll(resp.Body)
	const want = `{"error":"the body did not arrive in time","id":null,"result":null}` + "\n"
	if err != nil || resp.StatusCode != http.StatusRequestTimeout || string(body) != want {
		t.Errorf("40 of %d bytes: status %d, %s, %v, want 408, %s", len(multiply), resp.StatusCode, body, err, want)
	}
	if resp.Header.Get("Content-Type") != "application/json" || !resp.Close {
		t.Errorf("40 of %d bytes: Content-Type %q, Connection: close is %t, want application/json, true", len(multiply), resp.Header.Get("Content-Type"), resp.Close)
	}
	t.Logf("40 of %d bytes → %s, Connection: close\n%s", len(multiply), resp.Status, bytes.TrimSpace(body))
}

// Half a request that has come when draining begins is refused in JSON, like any other.
func TestPostRefusesHalfARequestWhenTheServerStops(t *testing.T) {
	handler, entered := newPostHandler(t), make(chan bool, 1)
	ts := newPostServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		handler.ServeHTTP(w, r)
	}))
	l := shared.NewDrainListener(t.Context(), ts.Listener)
	ts.Listener = l
	ts.Start()
	conn := postHalf(t, l.Addr())
	select {
	case <-entered:
	case <-time.After(patience):
		t.Fatalf("40 of %d bytes: no handler within %v", len(multiply), patience)
	}
	l.Close()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("40 of %d bytes, and draining: no answer: %v", len(multiply), err)
	}
	body, err := io.ReadAll(resp.Body)
	const want = `{"error":"read: the server is stopping; this call was not executed","id":null,"result":null}` + "\n"
	if err != nil || resp.StatusCode != http.StatusBadRequest || string(body) != want {
		t.Errorf("40 of %d bytes, and draining: status %d, %s, %v, want 400, %s", len(multiply), resp.StatusCode, body, err, want)
	}
}

// countingListener counts what the server reads.
type countingListener struct {
	net.Listener
	read atomic.Int64
}

type countingConn struct {
	net.Conn
	read *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, &l.read}, err
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// Who announces a terabyte is answered after the first 1 MiB, and the rest stays unread.
func TestPostAnswers413AndReadsNoFurther(t *testing.T) {
	t.Parallel() // real time passes
	ts := newPostServer(t, newPostHandler(t))
	l := &countingListener{Listener: ts.Listener}
	ts.Listener = l
	ts.Start()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	defer func() { conn.Close(); <-sent }()
	conn.SetDeadline(time.Now().Add(patience))
	go func() {
		_, err := fmt.Fprintf(conn, "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", int64(1)<<40)
		spaces := bytes.Repeat([]byte(" "), 1<<16)
		for i := 0; err == nil && i < 1024; i++ { // 64 MiB, more than all buffers
			_, err = conn.Write(spaces)
		}
		sent <- err
		close(sent)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal("a terabyte: no answer: ", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("a terabyte: %s, %v, Connection: close is %t, want 413, true", resp.Status, err, resp.Close)
	}
	wantRefusal(t, string(body))
	if err := <-sent; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a terabyte: sending goes on after the answer, %v, want an error when the server closes", err)
	}
	const most = 1<<20 + 8<<10 // with the header, and what net/http buffers
	if read := l.read.Load(); read > most {
		t.Errorf("a terabyte: the server read %d bytes, want at most %d", read, most)
	}
	t.Logf("a terabyte → %s, Connection: close; the server read %d MiB of it\n%s", resp.Status, l.read.Load()>>20, bytes.TrimSpace(body))
}

// The tutorial hopes for HTTP's middleware (§4.3, C17), which sees one CONNECT for all calls
// of a gob client (TestMiddlewareRunsOncePerConnection). Of POST it sees each call.
func TestPostRunsMiddlewareForEachCall(t *testing.T) {
	handler := newPostHandler(t)
	var runs, connections atomic.Int32
	ts := newPostServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		handler.ServeHTTP(w, r)
	}))
	ts.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	ts.Start()
	const calls = 100
	for range calls {
		resp, body := post(t, ts, multiply)
		wantProduct(t, "middleware", resp, body)
	}
	if runs.Load() != calls || connections.Load() != 1 {
		t.Errorf("%d calls: middleware ran %d times on %d connections, want %[1]d times on 1", calls, runs.Load(), connections.Load())
	}
	t.Logf("%d connection of %d calls: middleware ran %d times", connections.Load(), calls, runs.Load())
}

// http.TimeoutHandler gives its handler a ResponseWriter that cannot be hijacked, at which
// CONNECT panics (TestWrappedResponseWriterWithoutHijackPanics). POST needs nothing but Write.
func TestPostWorksUnderATimeoutHandler(t *testing.T) {
	ts := startPostServer(t, http.TimeoutHandler(newPostHandler(t), patience, ""))
	resp, body := post(t, ts, multiply)
	wantProduct(t, "http.TimeoutHandler", resp, body)
	t.Logf("under http.TimeoutHandler: %s %s", resp.Status, body)
}

// A reverse proxy breaks DialHTTP (§4.3, C17: TestReverseProxyBreaksDialHTTP), and not POST.
func TestPostPassesAReverseProxy(t *testing.T) {
	backend, err := url.Parse(startPostServer(t, newPostHandler(t)).URL)
	if err != nil {
		t.Fatal(err)
	}
	ts := startPostServer(t, httputil.NewSingleHostReverseProxy(backend))
	resp, body := post(t, ts, multiply)
	wantProduct(t, "httputil.ReverseProxy", resp, body)
	t.Logf("through httputil.ReverseProxy: %s %s", resp.Status, body)
}

// DialHTTP speaks no TLS (§4.3, C17: TestDialHTTPSpeaksNoTLS), and HTTP/2 cannot carry it
// (TestHTTP2CannotCarryRPC). POST goes over both.
func TestPostWorksOverTLSAndHTTP2(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		ts := newPostServer(t, newPostHandler(t))
		ts.EnableHTTP2 = proto == "HTTP/2.0"
		ts.StartTLS()
		resp, body := post(t, ts, multiply)
		wantProduct(t, "TLS", resp, body)
		if resp.TLS == nil || resp.Proto != proto {
			t.Errorf("over TLS: %t, over %s, want true, %s", resp.TLS != nil, resp.Proto, proto)
		}
		t.Logf("https, %s: %s %s", resp.Proto, resp.Status, body)
	}
}

// A web page may POST text/plain to any address without asking first, also to a server on the
// reader's own machine. http.CrossOriginProtection goes by the headers that a browser adds.
func TestCrossOriginProtectionRefusesWebPages(t *testing.T) {
	var executed atomic.Int32
	handler := newPostHandler(t)
	ts := startPostServer(t, http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		executed.Add(1)
		handler.ServeHTTP(w, r)
	})))
	for _, row := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"curl", nil, 200},
		{"a page of another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://example.com"}, 403},
		{"a page of another port", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1"}, 403},
		{"an old browser, another origin", []string{"Origin", "https://example.com"}, 403},
		{"an old browser, a file", []string{"Origin", "null"}, 403},
		{"an old browser, this server's own page", []string{"Origin", ts.URL}, 200},
		{"this server's own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", ts.URL}, 200},
	} {
		executed.Store(0)
		resp, body := post(t, ts, multiply, append(row.headers, "Content-Type", "text/plain")...)
		if row.status == http.StatusOK {
			wantProduct(t, row.name, resp, body)
		}
		if want := row.status == http.StatusOK; resp.StatusCode != row.status || executed.Load() == 1 != want {
			t.Errorf("%s: status %d, executed %d times, want %d, executed: %t", row.name, resp.StatusCode, executed.Load(), row.status, want)
		}
		t.Logf("%s: %d, executed %d times", row.name, resp.StatusCode, executed.Load())
	}

	// It leaves CONNECT alone: like curl, DialHTTP sends neither header.
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.0\n\n", rpc.DefaultRPCPath)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %v, %v, want 200", resp, err)
	}
	var reply int
	if err := rpc.NewClient(conn).Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply); err != nil || reply != 200 {
		t.Errorf("after CONNECT: Multiply(10, 20) = %d, %v, want 200", reply, err)
	}
	t.Logf("CONNECT: %d, Multiply(10, 20) = %d", resp.StatusCode, reply)
}

// The route in main.go is "POST /jsonrpc", and so net/http refuses the rest.
func TestPostTakesNoOtherMethod(t *testing.T) {
	ts := startPostServer(t, newPostHandler(t))
	for _, method := range []string{"GET", "PUT", "DELETE", "CONNECT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, ts.URL+"/jsonrpc", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := ts.Client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q, want 405, POST", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
		t.Logf("%s /jsonrpc: %s, Allow: %s", method, resp.Status, resp.Header.Get("Allow"))
	}
}

// A panic in a goroutine of net/rpc's own would end the process, this test included.
func TestPostSurvivesAPanic(t *testing.T) {
	ts := startPostServer(t, newPostHandler(t))
	client := ts.Client()
	client.Timeout = patience
	resp, err := client.Post(ts.URL+"/jsonrpc", "", strings.NewReader(`{"method":"Odd.Panic","params":[{}],"id":1}`))
	if err == nil {
		resp.Body.Close()
		t.Fatalf("a method that panics: status %d, want a closed connection", resp.StatusCode)
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("a method that panics: %v, want io.EOF", err)
	}
	resp, body := post(t, ts, multiply)
	wantProduct(t, "after a panic", resp, body)
	t.Logf("a method that panics: %v\nthe next call: %s %s", errors.Unwrap(err), resp.Status, body)
}
