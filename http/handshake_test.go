package http_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/rpc"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The tutorial says that "the client handles HTTP POST and the path" (§4.3, C19). The path
// it does handle; but it sends CONNECT, one line of HTTP/1.0 that ends in a bare LF.
func TestDialHTTPSendsCONNECT(t *testing.T) {
	var saw rpctest.Transcript
	ts, tape := unstarted(t, rpctest.Server(t, new(shared.MathService)))
	ts.Start()
	dialHTTP(t, ts.Listener.Addr().String())
	answer, request := tape.Take() // the server sends the answer
	saw.Add("DialHTTP sends      %q", request)
	saw.Add("and is content with %q", answer)
	saw.Want(t, `
DialHTTP sends      "CONNECT /_goRPC_ HTTP/1.0\n\n"
and is content with "HTTP/1.0 200 Connected to Go RPC\n\n"`)
}

// The tutorial says POST (§4.3, C19) and HTTP/1.1 (§5, C26). The server refuses POST, as it does
// everything but CONNECT, to which it answers in HTTP/1.0, whatever version was asked for.
func TestOnlyCONNECTIsAllowed(t *testing.T) {
	var saw rpctest.Transcript
	l := serve(t, &http.Server{Handler: rpctest.Server(t, new(shared.MathService))})
	for _, method := range []string{"CONNECT", "POST", "PUT", "GET"} {
		conn := l.Dial(t)
		conn.SetDeadline(time.Now().Add(rpctest.Patience))
		fmt.Fprintf(conn, "%s /_goRPC_ HTTP/1.1\r\nHost: localhost\r\n\r\n", method)
		resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		saw.Add("%s /_goRPC_ HTTP/1.1: %s %s", method, resp.Proto, resp.Status)
	}
	saw.Want(t, `
CONNECT /_goRPC_ HTTP/1.1: HTTP/1.0 200 Connected to Go RPC
POST /_goRPC_ HTTP/1.1: HTTP/1.1 405 Method Not Allowed
PUT /_goRPC_ HTTP/1.1: HTTP/1.1 405 Method Not Allowed
GET /_goRPC_ HTTP/1.1: HTTP/1.1 405 Method Not Allowed`)
}

func init() { rpctest.NumberTypes(rpc.Request{}) }

// The tutorial's table gives net/rpc HTTP/1.1 (§5, C26). There is one handshake in HTTP/1.0;
// after it no HTTP at all, but byte for byte what goes over TCP (§4.3, C20).
func TestNoHTTPFollowsTheHandshake(t *testing.T) {
	server := rpctest.Server(t, new(shared.MathService))
	var received, sent [2]string // by the server
	for i, transport := range []rpctest.Transport{rpctest.GobTCP, rpctest.GobHTTP} {
		var tape rpctest.Tape
		l := tape.Listener(rpctest.Listen(t))
		go transport.Serve(server, l)
		client, err := transport.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for range 3 {
			multiply(t, client)
		}
		sent[i], received[i] = tape.Take()
	}
	connect, requests, _ := strings.Cut(received[1], "\n\n")
	connected, replies, _ := strings.Cut(sent[1], "\n\n")

	var saw rpctest.Transcript
	saw.Add("three calls over HTTP send %q and a blank line,", connect)
	saw.Add("then %d bytes, which are the same over TCP: %t", len(requests), requests == received[0])
	saw.Add("they get %q and a blank line,", connected)
	saw.Add("then %d bytes, which are the same over TCP: %t", len(replies), replies == sent[0])
	saw.Want(t, `
three calls over HTTP send "CONNECT /_goRPC_ HTTP/1.0" and a blank line,
then 184 bytes, which are the same over TCP: true
they get "HTTP/1.0 200 Connected to Go RPC" and a blank line,
then 159 bytes, which are the same over TCP: true`)
}
