// Server publishes MathService over TCP, encoded as JSON-RPC (tutorial §4.4).
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"

	"example.com/netrpc/shared"
)

var addr = flag.String("addr", "localhost:1236", "listen on this `address`")

func main() {
	shared.ParseFlags("jsonrpc/server")

	// 1. Register: the same service as over TCP.
	err := rpc.Register(new(shared.MathService))
	if err != nil {
		log.Fatal(err)
	}

	// 2. Listen: on this machine only, for the service asks nobody who they are.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; choose another address with -addr", err)
	}
	listener = shared.DrainOnInterrupt(listener)
	log.Println("listening on", listener.Addr())

	// 3. Accept: a goroutine for each connection, until the listener is stopped. It tries
	// again itself after other errors, on which the tutorial's `continue` would spin.
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		go jsonrpc.ServeConn(conn)
	}
}
