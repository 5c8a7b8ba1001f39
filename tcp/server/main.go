// Server publishes MathService over TCP, encoded with gob (tutorial §4.2).
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
	"example.com/netrpc/shared/drain"
)

var addr = flag.String("addr", "localhost:1234", "listen on this `address`")

func main() {
	cli.Parse("tcp/server")

	// 1. Register the service: its methods get the names
	// "MathService.Multiply" and "MathService.Divide".
	mathService := new(shared.MathService)
	err := rpc.Register(mathService)
	if err != nil {
		cli.Fatal(err)
	}

	// 2. Listen, on this machine only: the service does not authenticate its callers.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	listener = drain.OnInterrupt(listener) // ours: without it Ctrl-C cuts off calls in flight
	log.Println("listening on", listener.Addr())

	// 3. Accept connections: each has a goroutine of its own, and so has each call.
	rpc.Accept(listener)
}
