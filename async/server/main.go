// Server publishes a MathService that takes its time (tutorial §4.2, step 3, at its end). A server
// needs nothing for asynchronous calls: this one is merely slow, so that one sees the client wait.
package main

import (
	"flag"
	"log"
	"net"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
	"example.com/netrpc/shared/drain"
)

var (
	addr  = flag.String("addr", "localhost:1237", "listen on this `address`")
	delay = flag.Duration("delay", 100*time.Millisecond, "take this `long` over each Multiply")
)

// MathService is shared.MathService with a slow Multiply. It is registered under the same name.
type MathService struct{ shared.MathService }

// Multiply is shared.MathService.Multiply after the delay.
func (t *MathService) Multiply(args *shared.Args, reply *int) error {
	time.Sleep(*delay)
	return t.MathService.Multiply(args, reply)
}

func main() {
	cli.Parse("async/server")

	// 1. Register the slow service.
	if err := rpc.Register(new(MathService)); err != nil {
		cli.Fatal(err)
	}

	// 2. Listen, on this machine only: the service does not authenticate its callers.
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	listener = drain.OnInterrupt(listener) // ours: without it Ctrl-C cuts off calls in flight
	log.Println("listening on", listener.Addr())

	// 3. Accept connections: each call has a goroutine of its own, so that calls wait side by side.
	rpc.Accept(listener)
}
