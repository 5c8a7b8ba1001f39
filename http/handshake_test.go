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
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The tutorial says that "the client handles HTTP POST and the path" (§4.3, C19). The path
// it does handle; but it sends CONNECT, one line of HTTP/1.0 that ends in a bare LF.
func TestDialHTTPSendsCONNECT(t *testing.T) {
	l := rpctest.Listen(t)
	sent := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		request := make([]byte, len(connectRequest))
		io.ReadFull(conn, request)
		io.WriteString(conn, connectAnswer)
		rest, _ := io.ReadAll(conn) // until the client's Close
		sent <- string(request) + string(rest)
	}()
	dialHTTP(t, l.Addr().String()).Close()

	var saw rpctest.Transcript
	saw.Add("DialHTTP sends      %q", rpctest.Within(t, sent, "the request"))
	saw.Add("and is content with %q", connectAnswer)
	saw.Want(t, `
DialHTTP sends      "CONNECT /_goRPC_ HTTP/1.0\n\n"
and is content with "HTTP/1.0 200 Connected to Go RPC\n\n"`)
}

// The tutorial says POST (§4.3, C19) and HTTP/1.1 (§5, C26). The server takes CONNECT, and
// answers it with HTTP/1.0, a bare LF and no header, whatever version was asked for.
func TestServerAnswersCONNECTWithHTTP10(t *testing.T) {
	var saw rpctest.Transcript
	addr := start(t, rpctest.Server(t, new(shared.MathService)))
	for _, request := range []string{
		connectRequest,
		"CONNECT /_goRPC_ HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(rpctest.Patience))
		io.WriteString(conn, request)
		conn.(*net.TCPConn).CloseWrite()
		answer, err := io.ReadAll(conn)
		saw.Add("%q\n→ %q, %v", request, answer, err)
	}
	saw.Want(t, `
"CONNECT /_goRPC_ HTTP/1.0\n\n"
→ "HTTP/1.0 200 Connected to Go RPC\n\n", <nil>
"CONNECT /_goRPC_ HTTP/1.1\r\nHost: localhost\r\n\r\n"
→ "HTTP/1.0 200 Connected to Go RPC\n\n", <nil>`)
}

// The tutorial says that the client handles HTTP POST (§4.3, C19). The server refuses POST,
// as it does everything but CONNECT.
func TestOnlyCONNECTIsAllowed(t *testing.T) {
	var saw rpctest.Transcript
	addr := start(t, rpctest.Server(t, new(shared.MathService)))
	for _, method := range []string{"GET", "POST", "PUT"} {
		status, body := fetch(t, method, "http://"+addr+rpc.DefaultRPCPath)
		saw.Add("%s /_goRPC_: %s, %q", method, status, body)
	}
	saw.Want(t, `
GET /_goRPC_: 405 Method Not Allowed, "405 must CONNECT\n"
POST /_goRPC_: 405 Method Not Allowed, "405 must CONNECT\n"
PUT /_goRPC_: 405 Method Not Allowed, "405 must CONNECT\n"`)
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). DialHTTP sends no
// header, so no Authorization either: see Example_bearerToken for a client that does.
func TestDialHTTPSendsNoHeaders(t *testing.T) {
	var saw rpctest.Transcript
	headers := make(chan http.Header, 1)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		w.WriteHeader(http.StatusUnauthorized)
	}))
	_, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	saw.Add("DialHTTP sends the headers %v", rpctest.Within(t, headers, "the request"))
	saw.Add("and makes of the answer 401: %v", err)
	saw.Want(t, `
DialHTTP sends the headers map[]
and makes of the answer 401: dial-http tcp ADDR: unexpected HTTP response: 401 Unauthorized`)
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
	var saw rpctest.Transcript
	for _, row := range []struct{ name, request string }{
		{"JSON", `{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}` + "\n"},
		{"gob, Multiply(5, 20)", gobCall(5, 20)},
		{"gob, Multiply(10, 20)", gobCall(10, 20)},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := make(rpctest.Queue)
			server := &http.Server{Handler: rpctest.Server(t, new(shared.MathService))}
			go server.Serve(l)
			defer server.Close()
			conn, begin := l.Dial(t), time.Now()
			conn.SetDeadline(begin.Add(time.Hour))
			io.WriteString(conn, row.request)
			answer, err := io.ReadAll(conn)
			status, _, _ := strings.Cut(string(answer), "\r\n")
			state := "closed"
			if errors.Is(err, os.ErrDeadlineExceeded) {
				state = "open"
			}
			saw.Add("%s: after %v %q, the connection is %s", row.name, time.Since(begin), status, state)
		})
	}
	saw.Want(t, `
JSON: after 0s "HTTP/1.1 400 Bad Request", the connection is closed
gob, Multiply(5, 20): after 0s "HTTP/1.1 400 Bad Request", the connection is closed
gob, Multiply(10, 20): after 1h0m0s "", the connection is open`)
}

func init() { rpctest.NumberTypes(rpc.Request{}) }

// The tutorial's table gives net/rpc HTTP/1.1 (§5, C26). There is one handshake in HTTP/1.0;
// after it no HTTP at all, but byte for byte what goes over TCP (§4.3, C20).
func TestNoHTTPFollowsTheHandshake(t *testing.T) {
	server := rpctest.Server(t, new(shared.MathService))
	var tcpTape, httpTape rpctest.Tape
	l := tcpTape.Listener(rpctest.Listen(t))
	go func() {
		if conn, err := l.Accept(); err == nil {
			server.ServeConn(conn)
		}
	}()
	ts := unstarted(t, server)
	ts.Listener = httpTape.Listener(ts.Listener)
	ts.Start()
	tcpClient, err := rpc.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tcpClient.Close()
	httpClient := dialHTTP(t, ts.Listener.Addr().String())
	for range 3 {
		multiply(t, tcpClient)
		multiply(t, httpClient)
	}
	tcpReplies, tcpRequests := tcpTape.Take() // the server sends replies
	httpReplies, httpRequests := httpTape.Take()
	connect, requests, _ := strings.Cut(httpRequests, "\n\n")
	connected, replies, _ := strings.Cut(httpReplies, "\n\n")

	var saw rpctest.Transcript
	saw.Add("three calls over HTTP send %q and a blank line,", connect)
	saw.Add("then %d bytes, which are the same over TCP: %t", len(requests), requests == tcpRequests)
	saw.Add("they get %q and a blank line,", connected)
	saw.Add("then %d bytes, which are the same over TCP: %t", len(replies), replies == tcpReplies)
	saw.Want(t, `
three calls over HTTP send "CONNECT /_goRPC_ HTTP/1.0" and a blank line,
then 184 bytes, which are the same over TCP: true
they get "HTTP/1.0 200 Connected to Go RPC" and a blank line,
then 159 bytes, which are the same over TCP: true`)
}
