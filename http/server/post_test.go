package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/drain"
	"example.com/netrpc/shared/rpctest"
)

const (
	multiply = `{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`
	request  = "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s"
)

// half is a request that promises multiply, of which 40 bytes come.
var half = fmt.Sprintf(request, "", len(multiply), multiply[:40])

// post posts body over a connection of its own, and returns what answer makes of the response.
func post(t *testing.T, l rpctest.Queue, headers, body string) string {
	t.Helper()
	conn := l.Dial(t)
	go fmt.Fprintf(conn, request, headers, len(body), body)
	return answer(http.ReadResponse(bufio.NewReader(conn), nil))
}

// http/server's answer to what the tutorial hopes for from HTTP (§4.3, C17): a call for each
// request. A method that panics would end the process, this test included, in a goroutine of
// net/rpc's own. Here it runs in net/http's, which recovers, and closes the connection.
func TestPostAnswersEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		l := make(rpctest.Queue)
		serveRoutes(t, l)
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
			{"a panic", `{"method":"Odd.Panic","params":[{}],"id":1}`},
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
			answer := field.Replace(post(t, l, "", row.request))
			if answer == before {
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
a panic: unexpected EOF
a NaN: 200
exactly 1 MiB: 200 {"id":1,"result":200,"error":null}
more than 1 MiB: 400 http: request body too large
and Connection: close
nothing: 400 want {"method": "Service.Method", "params": [{one object}], "id": 1}
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
	})
}

// A client that stops in the middle of its request is not waited for longer than ReadTimeout. If
// draining begins before that, its request is refused, like any other.
func TestPostRefusesHalfARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		inner := make(rpctest.Queue)
		l := drain.New(inner)
		serveRoutes(t, l)
		conn, begin := inner.Dial(t), time.Now()
		io.WriteString(conn, half)
		late := answer(http.ReadResponse(bufio.NewReader(conn), nil))
		saw.Add("40 of %d bytes; after %v: %s", len(multiply), time.Since(begin), late)

		conn = inner.Dial(t)
		io.WriteString(conn, half)
		synctest.Wait() // the handler waits for the rest
		l.Close()
		stopped := answer(http.ReadResponse(bufio.NewReader(conn), nil))
		saw.Add("40 of %d bytes, and the server stops:\n%s", len(multiply), stopped)
		saw.Want(t, `
40 of 75 bytes; after 2s: 400 read pipe: i/o timeout
and Connection: close
40 of 75 bytes, and the server stops:
400 read: the server is stopping; this call was not executed
and Connection: close`)
	})
}

// Who announces a terabyte is answered after the first 1 MiB, and the rest stays unread.
func TestPostReadsNoMoreThanAMebibyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var tape rpctest.Tape
		l := make(rpctest.Queue)
		serveRoutes(t, tape.Listener(l))
		conn, sent := l.Dial(t), make(chan error, 1)
		go func() {
			_, err := fmt.Fprintf(conn, request, "", int64(1)<<40, "")
			spaces := bytes.Repeat([]byte(" "), 1<<16)
			for i := 0; err == nil && i < 1024; i++ { // 64 MiB
				_, err = conn.Write(spaces)
			}
			sent <- err
		}()
		saw.Add("a terabyte: %s", answer(http.ReadResponse(bufio.NewReader(conn), nil)))
		saw.Add("sending goes on, until: %v", <-sent)
		_, received := tape.Take()
		saw.Add("the server has read 1 MiB, and at most 8 KiB more: %t", len(received)-1<<20 <= 8<<10)
		saw.Want(t, `
a terabyte: 400 http: request body too large
and Connection: close
sending goes on, until: io: read/write on closed pipe
the server has read 1 MiB, and at most 8 KiB more: true`)
	})
}

// What the tutorial hopes for from HTTP (§4.3, C17) is true of POST: middleware sees each call,
// where it sees one CONNECT for all calls of a gob client (TestMiddlewareRunsOncePerConnection).
// It goes over TLS (DialHTTP does not: TestCONNECTByHandWorksOverTLS) and over HTTP/2
// (TestHTTP2CannotCarryRPC), through a proxy (TestReverseProxyBreaksDialHTTP), and under
// http.TimeoutHandler, for it needs nothing but Write (TestWrappedResponseWriterNeedsHijack).
func TestPostReusesHTTPsInfrastructure(t *testing.T) {
	var saw rpctest.Transcript
	handler := routes(t)
	middleware := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw.Add("middleware sees %s over %s, TLS: %t", r.Method, r.Proto, r.TLS != nil)
		handler.ServeHTTP(w, r)
	})
	backend := httptest.NewServer(middleware)
	defer backend.Close()
	target := &url.URL{Scheme: "http", Host: backend.Listener.Addr().String()}
	for _, row := range []struct {
		name       string
		handler    http.Handler
		tls, http2 bool
	}{
		{"TLS", middleware, true, false},
		{"HTTP/2", middleware, true, true},
		{"httputil.ReverseProxy", httputil.NewSingleHostReverseProxy(target), false, false},
		{"http.TimeoutHandler", http.TimeoutHandler(middleware, time.Hour, ""), false, false},
	} {
		ts := httptest.NewUnstartedServer(row.handler)
		defer ts.Close()
		ts.EnableHTTP2 = row.http2
		if row.tls {
			ts.StartTLS()
		} else {
			ts.Start()
		}
		ts.Client().Timeout = rpctest.Patience
		resp, err := ts.Client().Post(ts.URL+"/jsonrpc", "application/json", strings.NewReader(multiply))
		saw.Add("%s: %s", row.name, answer(resp, err))
	}
	saw.Want(t, `
middleware sees POST over HTTP/1.1, TLS: true
TLS: 200 {"id":1,"result":200,"error":null}
middleware sees POST over HTTP/2.0, TLS: true
HTTP/2: 200 {"id":1,"result":200,"error":null}
middleware sees POST over HTTP/1.1, TLS: false
httputil.ReverseProxy: 200 {"id":1,"result":200,"error":null}
middleware sees POST over HTTP/1.1, TLS: false
http.TimeoutHandler: 200 {"id":1,"result":200,"error":null}`)
}

// A web page may POST text/plain to any address without asking first, also to a server on the
// reader's own machine. http.CrossOriginProtection goes by the headers that a browser adds.
// Odd.Count says how often it was executed: for none of the pages that are refused.
func TestCrossOriginProtectionRefusesWebPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		l := make(rpctest.Queue)
		serveRoutes(t, l)
		const count = `{"method":"Odd.Count","params":[{}],"id":1}`
		for _, row := range []struct{ name, headers string }{
			{"curl", ""},
			{"a page of another site", "Sec-Fetch-Site: cross-site\r\nOrigin: https://a.example\r\n"},
			{"a page of another port", "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost:8080\r\n"},
			{"an old browser, another origin", "Origin: https://a.example\r\n"},
			{"an old browser, a file", "Origin: null\r\n"},
			{"an old browser, this server's own page", "Origin: http://localhost\r\n"},
			{"this server's own page", "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n"},
		} {
			answer := post(t, l, "Content-Type: text/plain\r\n"+row.headers, count)
			if strings.HasPrefix(answer, "403 ") {
				answer = "403 Forbidden"
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
	})
}
