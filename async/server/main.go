// Server publishes a MathService that takes its time (tutorial §4.2, step 3, at its end).
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
)

var (
	addr  = flag.String("addr", "localhost:1237", "listen on this `address`")
	delay = flag.Duration("delay", 100*time.Millisecond, "take this `long` over each Multiply")
)

// MathService is shared.MathService with a slow Multiply. A name is registered without its
// package, so clients find it under the same one.
type MathService struct{ shared.MathService }

// Multiply is shared.MathService.Multiply after the delay.
func (t *MathService) Multiply(args *shared.Args, reply *int) error {
	time.Sleep(*delay)
	return t.MathService.Multiply(args, reply)
}

func main() {
	shared.ParseFlags("async/server")

	// 1. Register: the slow service.
	err := rpc.Register(new(MathService))
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

	// 3. Accept: a goroutine for each call, so that calls wait side by side.
	rpc.Accept(listener)
}
