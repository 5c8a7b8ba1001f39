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
)

var addr = flag.String("addr", "localhost:1235", "listen on this `address`")

func main() {
	shared.ParseFlags("http/server")

	// 1. Register: the same service as over TCP.
	err := rpc.Register(new(shared.MathService))
	if err != nil {
		log.Fatal(err)
	}

	// 2. HandleHTTP: gob RPC at /_goRPC_, for clients that CONNECT, and its counters at
	// /debug/rpc. After CONNECT there is no more HTTP; with POST /jsonrpc, each call is HTTP.
	rpc.HandleHTTP()
	http.Handle("POST /jsonrpc", postHandler{rpc.DefaultServer})

	// 3. Listen: on this machine only, for the service asks nobody who they are.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; choose another address with -addr", err)
	}
	listener = shared.DrainOnInterrupt(listener)
	log.Println("listening on", listener.Addr())

	// 4. Serve, but not what a browser sends for another site. The time limit ends at CONNECT.
	handler := http.NewCrossOriginProtection().Handler(closeHijacked(http.DefaultServeMux))
	server := &http.Server{Handler: handler, ConnContext: withConn, ReadTimeout: 2 * time.Second}
	log.Print(server.Serve(listener))
}
