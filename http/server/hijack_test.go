package main

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// This server closes a connection in which net/rpc has panicked, and so neither runs out of
// descriptors nor waits for it when it stops. (Without closeHijacked the connection stays open:
// TestAPanicInARPCConnectionLeavesItOpen, in http.)
func TestAPanicInARPCConnectionClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		l := make(rpctest.Queue)
		serveRoutes(t, l)
		refused := l.Dial(t)
		go io.WriteString(refused, "GET /_goRPC_ HTTP/1.0\n\n")
		saw.Add("GET is answered: %s", answer(http.ReadResponse(bufio.NewReader(refused), nil)))
		refused = l.Dial(t)
		go io.WriteString(refused, "CONNECT /elsewhere HTTP/1.0\n\n")
		saw.Add("CONNECT at another path: %s", answer(http.ReadResponse(bufio.NewReader(refused), nil)))
		conn, begin := l.Dial(t), time.Now()
		conn.SetDeadline(begin.Add(time.Hour))
		io.WriteString(conn, "CONNECT /_goRPC_ HTTP/1.0\n\n")
		connected := make([]byte, len("HTTP/1.0 200 Connected to Go RPC\n\n"))
		io.ReadFull(conn, connected)
		saw.Add("CONNECT is answered %q", connected)
		go conn.Write(rpctest.HostileGob())
		_, err := io.Copy(io.Discard, conn)
		saw.Add("net/rpc panics, and the connection ends after %v: %v", time.Since(begin), err)
		saw.Want(t, `
GET is answered: 405 405 must CONNECT
and Connection: close
CONNECT at another path: 404 404 page not found
and Connection: close
CONNECT is answered "HTTP/1.0 200 Connected to Go RPC\n\n"
net/rpc panics, and the connection ends after 0s: <nil>`)
	})
}
