// Server publishes MathService over HTTP (tutorial §4.3).
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
	"example.com/netrpc/shared/drain"
)

var addr = flag.String("addr", "localhost:1235", "listen on this `address`")

func main() {
	cli.Parse("http/server")

	// 1. Register the service, as over TCP.
	if err := rpc.Register(new(shared.MathService)); err != nil {
		cli.Fatal(err)
	}

	// 2. HandleHTTP: gob RPC at /_goRPC_, for clients that send CONNECT, and a page about
	// the service at /debug/rpc. After CONNECT there is no more HTTP on the connection.
	rpc.HandleHTTP()
	http.Handle("POST /jsonrpc", newPostHandler(rpc.DefaultServer)) // ours: calls as HTTP, but no other site's (post.go)

	// 3. Listen, on this machine only: the service does not authenticate its callers.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	listener = drain.OnInterrupt(listener) // ours: without it Ctrl-C cuts off calls in flight
	log.Println("listening on", listener.Addr())

	// 4. Serve. The time limits are those of HTTP, and end at CONNECT.
	server := &http.Server{ReadTimeout: 2 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute}
	closeHijacked(server, http.DefaultServeMux) // ours: a panic in net/rpc leaves no connection open (hijack.go)
	log.Print(server.Serve(listener))
}
