// Server publishes MathService over TCP, encoded with gob (tutorial §4.2).
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"

	"example.com/netrpc/shared"
)

var addr = flag.String("addr", "localhost:1234", "listen on this `address`")

func main() {
	shared.ParseFlags("tcp/server")

	// 1. Register: the suitable methods of the service get the names
	// "MathService.Multiply" and "MathService.Divide".
	mathService := new(shared.MathService)
	err := rpc.Register(mathService)
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

	// 3. Accept: a goroutine for each connection, and one for each call. It returns
	// after Ctrl-C, when the calls in flight have been answered.
	rpc.Accept(listener)
}
