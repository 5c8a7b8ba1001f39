// Server publishes MathService over TCP, encoded as JSON-RPC (tutorial §4.4).
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
	"example.com/netrpc/shared/drain"
)

var addr = flag.String("addr", "localhost:1236", "listen on this `address`")

func main() {
	cli.Parse("jsonrpc/server")

	// 1. Register the service, as over TCP.
	if err := rpc.Register(new(shared.MathService)); err != nil {
		cli.Fatal(err)
	}

	// 2. Listen, on this machine only: the service does not authenticate its callers.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	listener = drain.OnInterrupt(listener) // ours: without it Ctrl-C cuts off calls in flight
	log.Println("listening on", listener.Addr())

	// 3. Accept connections, and serve each in a goroutine of its own. Our listener returns an error
	// when it has stopped; the tutorial's `continue` spins on one (TestTutorialsAcceptLoopSpins).
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		go jsonrpc.ServeConn(conn)
	}
}
