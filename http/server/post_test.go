package main

import (
	"bufio"
	"bytes"
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
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/drain"
	"example.com/netrpc/shared/rpctest"
)

// Odd is a service whose methods do what those of MathService do not.
type Odd struct{ executed atomic.Int32 }

// Count returns how often it was called.
func (o *Odd) Count(_ struct{}, reply *int32) error { *reply = o.executed.Add(1); return nil }

// Panic panics.
func (o *Odd) Panic(_ struct{}, reply *int) error { panic("a bug in the method") }

// NaN returns what JSON cannot hold.
func (o *Odd) NaN(_ struct{}, reply *float64) error { *reply = math.NaN(); return nil }

const (
	multiply = `{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`
	request  = "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
)

// half is a request that promises multiply, of which 40 bytes come.
var half = fmt.Sprintf(request, len(multiply), multiply[:40])

// routes are those of main, to a server of their own.
func routes(t *testing.T) http.Handler {
	t.Helper()
	server := rpctest.Server(t, new(shared.MathService), new(Odd))
	mux := http.NewServeMux()
	mux.Handle(rpc.DefaultRPCPath, server)
	mux.Handle("POST /jsonrpc", newPostHandler(server))
	return closeHijacked(mux)
}

// post posts body to a server, and returns the response and what answer makes of it.
func post(t *testing.T, ts *httptest.Server, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("POST", ts.URL+"/jsonrpc", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := ts.Client()
	client.Timeout = rpctest.Patience
	resp, err := client.Do(req)
	return resp, answer(t, resp, err)
}

// answer reads a response to its end, and returns its status and its body. It adds what most
// have not: a Content-Type other than JSON's, and Connection: close.
func answer(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%d %s", resp.StatusCode, bytes.TrimSpace(body))
	if kind := resp.Header.Get("Content-Type"); kind != "application/json" {
		text += "\nand Content-Type: " + kind
	}
	if resp.Close {
		text += "\nand Connection: close"
	}
	return text
}

// http/server's answer to what the tutorial hopes for from HTTP (§4.3, C17): a call for each
// request, and JSON whatever the status.
func TestPostAnswersEachRequestInJSON(t *testing.T) {
	t.Parallel() // net/http waits half a second when it has answered 413
	var saw rpctest.Transcript
	ts := httptest.NewServer(routes(t))
	defer ts.Close()
	field := strings.NewReplacer("Args.A", "A", ".0.A", "A") // as Go 1.26 and 1.27 have it
	long := func(size int) string { return multiply + strings.Repeat(" ", size-len(multiply)) }
	before := ""
	for _, row := range []struct{ name, request string }{
		{"a product", multiply},
		{"a quotient", `{"method":"MathService.Divide","params":[{"A":17,"B":5}],"id":"x"}`},
		{"an error", `{"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":2}`},
		{"no such method", `{"method":"MathService.Modulo","params":[{}],"id":3}`},
		{"a wrong argument", `{"method":"MathService.Multiply","params":[{"A":"1"}],"id":4}`},
		{"a notification", `{"method":"MathService.Multiply","params":[{"A":2,"B":3}]}`},
		{"a NaN", `{"method":"Odd.NaN","params":[{}],"id":5}`},
		{"exactly 1 MiB", long(1 << 20)},
		{"more than 1 MiB", long(1<<20 + 1)},
		{"nothing", ``},
		{"null", `null`},
		{"no JSON", `multiply 10 by 20`},
		{"half a request", multiply[:40]},
		{"two requests", multiply + multiply},
		{"a request and more", multiply + "x"},
		{"a batch", "[" + multiply + "]"},
		{"no method", `{"params":[{"A":1,"B":2}],"id":1}`},
		{"a method twice", `{"method":"MathService.Multiply","method":5,"params":[{"A":1,"B":2}],"id":1}`},
		{"no params", `{"method":"MathService.Multiply","id":1}`},
		{"named params", `{"method":"MathService.Multiply","params":{"A":1,"B":2},"id":1}`},
		{"positional params", `{"method":"MathService.Multiply","params":[10,20],"id":1}`},
		{"an empty params list", `{"method":"MathService.Multiply","params":[],"id":1}`},
	} {
		_, answer := post(t, ts, row.request)
		if answer = field.Replace(answer); answer == before {
			saw.Add("%s: the same", row.name)
		} else {
			saw.Add("%s: %s", row.name, answer)
		}
		before = answer
	}
	saw.Want(t, `
a product: 200 {"id":1,"result":200,"error":null}
a quotient: 200 {"id":"x","result":{"Quo":3,"Rem":2},"error":null}
an error: 200 {"id":2,"result":null,"error":"divide by zero"}
no such method: 200 {"id":3,"result":null,"error":"rpc: can't find method MathService.Modulo"}
a wrong argument: 200 {"id":4,"result":null,"error":"json: cannot unmarshal string into Go struct field A of type int"}
a notification: 200 {"id":null,"result":6,"error":null}
a NaN: 500 {"error":"the reply cannot be encoded as JSON","id":null,"result":null}
exactly 1 MiB: 200 {"id":1,"result":200,"error":null}
more than 1 MiB: 413 {"error":"http: request body too large","id":null,"result":null}
and Connection: close
nothing: 400 {"error":"want {\"method\": \"Service.Method\", \"params\": [{one object}], \"id\": 1}","id":null,"result":null}
null: the same
no JSON: the same
half a request: the same
two requests: the same
a request and more: the same
a batch: the same
no method: the same
a method twice: the same
no params: the same
named params: the same
positional params: the same
an empty params list: the same`)
}

// A client that promises a body and stops in its middle is not waited for longer than
// ReadTimeout.
func TestPostAnswers408WhenTheBodyStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		l, server := make(rpctest.Queue), &http.Server{Handler: routes(t), ReadTimeout: 2 * time.Second}
		go server.Serve(l)
		defer server.Close()
		conn, begin := l.Dial(t), time.Now()
		io.WriteString(conn, half)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		saw.Add("40 of %d bytes; after %v: %s", len(multiply), time.Since(begin), answer(t, resp, err))
		saw.Want(t, `
40 of 75 bytes; after 2s: 408 {"error":"the body did not arrive in time","id":null,"result":null}
and Connection: close`)
	})
}

// Half a request that has come when draining begins is refused in JSON, like any other.
func TestPostRefusesHalfARequestWhenTheServerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		inner := make(rpctest.Queue)
		l, server := drain.New(inner), &http.Server{Handler: routes(t)}
		go server.Serve(l)
		defer server.Close()
		conn := inner.Dial(t)
		io.WriteString(conn, half)
		synctest.Wait() // the handler waits for the rest
		l.Close()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		saw.Add("40 of %d bytes, and the server stops:\n%s", len(multiply), answer(t, resp, err))
		saw.Want(t, `
40 of 75 bytes, and the server stops:
400 {"error":"read: the server is stopping; this call was not executed","id":null,"result":null}
and Connection: close`)
	})
}

// Who announces a terabyte is answered after the first 1 MiB, and the rest stays unread.
func TestPostAnswers413AndReadsNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var tape rpctest.Tape
		l, server := make(rpctest.Queue), &http.Server{Handler: routes(t)}
		go server.Serve(tape.Listener(l))
		defer server.Close()
		conn, sent := l.Dial(t), make(chan error, 1)
		go func() {
			_, err := fmt.Fprintf(conn, request, int64(1)<<40, "")
			spaces := bytes.Repeat([]byte(" "), 1<<16)
			for i := 0; err == nil && i < 1024; i++ { // 64 MiB
				_, err = conn.Write(spaces)
			}
			sent <- err
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		saw.Add("a terabyte: %s", answer(t, resp, err))
		saw.Add("sending goes on, until: %v", <-sent)
		_, received := tape.Take()
		saw.Add("the server has read 1 MiB, and at most 8 KiB more: %t", len(received)-1<<20 <= 8<<10)
		saw.Want(t, `
a terabyte: 413 {"error":"http: request body too large","id":null,"result":null}
and Connection: close
sending goes on, until: io: read/write on closed pipe
the server has read 1 MiB, and at most 8 KiB more: true`)
	})
}

// The tutorial hopes for HTTP's middleware (§4.3, C17), which sees one CONNECT for all calls
// of a gob client (TestMiddlewareRunsOncePerConnection). Of POST it sees each call.
func TestPostRunsMiddlewareForEachCall(t *testing.T) {
	var saw rpctest.Transcript
	var runs atomic.Int32
	handler := routes(t)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		handler.ServeHTTP(w, r)
	}))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(rpctest.Patience))
	answers, right := bufio.NewReader(conn), 0
	for range 100 {
		fmt.Fprintf(conn, request, len(multiply), multiply)
		resp, err := http.ReadResponse(answers, nil)
		if answer(t, resp, err) == `200 {"id":1,"result":200,"error":null}` {
			right++
		}
	}
	saw.Add("one connection: %d calls answered; runs of the middleware: %d", right, runs.Load())
	saw.Want(t, `
one connection: 100 calls answered; runs of the middleware: 100`)
}

// http.TimeoutHandler gives its handler a ResponseWriter that cannot be hijacked, at which
// CONNECT panics (TestWrappedResponseWriterNeedsHijack). POST needs nothing but Write.
func TestPostWorksUnderATimeoutHandler(t *testing.T) {
	var saw rpctest.Transcript
	ts := httptest.NewServer(http.TimeoutHandler(routes(t), time.Hour, ""))
	defer ts.Close()
	_, answer := post(t, ts, multiply)
	saw.Add("under http.TimeoutHandler: %s", answer)
	saw.Want(t, `
under http.TimeoutHandler: 200 {"id":1,"result":200,"error":null}`)
}

// A reverse proxy breaks DialHTTP (§4.3, C17: TestReverseProxyBreaksDialHTTP), and not POST.
func TestPostPassesAReverseProxy(t *testing.T) {
	var saw rpctest.Transcript
	ts := httptest.NewServer(routes(t))
	defer ts.Close()
	target := &url.URL{Scheme: "http", Host: ts.Listener.Addr().String()}
	proxy := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
	defer proxy.Close()
	_, answer := post(t, proxy, multiply)
	saw.Add("through httputil.ReverseProxy: %s", answer)
	saw.Want(t, `
through httputil.ReverseProxy: 200 {"id":1,"result":200,"error":null}`)
}

// DialHTTP speaks no TLS (§4.3, C17: TestDialHTTPSpeaksNoTLS), and HTTP/2 cannot carry it
// (TestHTTP2CannotCarryRPC). POST goes over both.
func TestPostWorksOverTLSAndHTTP2(t *testing.T) {
	var saw rpctest.Transcript
	for _, http2 := range []bool{false, true} {
		ts := httptest.NewUnstartedServer(routes(t))
		ts.EnableHTTP2 = http2
		ts.StartTLS()
		defer ts.Close()
		resp, answer := post(t, ts, multiply)
		saw.Add("%s, TLS: %t: %s", resp.Proto, resp.TLS != nil, answer)
	}
	saw.Want(t, `
HTTP/1.1, TLS: true: 200 {"id":1,"result":200,"error":null}
HTTP/2.0, TLS: true: 200 {"id":1,"result":200,"error":null}`)
}

// A web page may POST text/plain to any address without asking first, also to a server on the
// reader's own machine. http.CrossOriginProtection goes by the headers that a browser adds.
// Odd.Count says how often it was executed: for none of the pages that are refused.
func TestCrossOriginProtectionRefusesWebPages(t *testing.T) {
	var saw rpctest.Transcript
	ts := httptest.NewServer(routes(t))
	defer ts.Close()
	for _, row := range []struct {
		name    string
		headers []string
	}{
		{"curl", nil},
		{"a page of another site", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://a.example"}},
		{"a page of another port", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1"}},
		{"an old browser, another origin", []string{"Origin", "https://a.example"}},
		{"an old browser, a file", []string{"Origin", "null"}},
		{"an old browser, this server's own page", []string{"Origin", ts.URL}},
		{"this server's own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", ts.URL}},
	} {
		const count = `{"method":"Odd.Count","params":[{}],"id":1}`
		resp, answer := post(t, ts, count, append(row.headers, "Content-Type", "text/plain")...)
		if resp.StatusCode != http.StatusOK {
			answer = resp.Status
		}
		saw.Add("%s: %s", row.name, answer)
	}
	saw.Want(t, `
curl: 200 {"id":1,"result":1,"error":null}
a page of another site: 403 Forbidden
a page of another port: 403 Forbidden
an old browser, another origin: 403 Forbidden
an old browser, a file: 403 Forbidden
an old browser, this server's own page: 200 {"id":1,"result":2,"error":null}
this server's own page: 200 {"id":1,"result":3,"error":null}`)
}

// A panic in a goroutine of net/rpc's own would end the process, this test included. Here the
// method runs in net/http's, which recovers, and closes the connection.
func TestPostSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		l := make(rpctest.Queue)
		server := &http.Server{Handler: routes(t), ErrorLog: log.New(io.Discard, "", 0)}
		go server.Serve(l)
		defer server.Close()
		const call = `{"method":"Odd.Panic","params":[{}],"id":1}`
		conn := l.Dial(t)
		fmt.Fprintf(conn, request, len(call), call)
		rest, err := io.ReadAll(conn)
		saw.Add("a method that panics: %q, %v", rest, err)
		conn = l.Dial(t)
		fmt.Fprintf(conn, request, len(multiply), multiply)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		saw.Add("the next call: %s", answer(t, resp, err))
		saw.Want(t, `
a method that panics: "", <nil>
the next call: 200 {"id":1,"result":200,"error":null}`)
	})
}
