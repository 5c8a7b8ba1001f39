// Server publishes MathService over TCP, encoded with gob (tutorial §4.2).
//
// Usage: go run ./tcp/server [-addr localhost:1234]
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"syscall"

	"example.com/netrpc/shared"
)

var addr = flag.String("addr", "localhost:1234", "listen on this `address`")

func main() {
	shared.ParseFlags("tcp/server", "Server publishes MathService over TCP, encoded with gob (tutorial §4.2).")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)

	// 1. Register: the names of the type and of its methods become
	// "MathService.Multiply" and "MathService.Divide". Not all exported methods,
	// as the tutorial says: the unsuitable are left out (TestRegister).
	mathService := new(shared.MathService)
	err := rpc.Register(mathService)
	if err != nil {
		log.Fatal(err)
	}

	// 2. Listen: on this machine only, for the service asks nobody who they are.
	inner, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; choose another address with -addr", err)
	}
	listener := shared.NewDrainListener(ctx, inner)
	defer listener.Close()
	log.Println("listening on", listener.Addr())

	// 3. Accept: a goroutine for each connection, and one for each call, until Ctrl-C.
	rpc.Accept(listener)

	// 4. Drain: answer the calls in flight. A second Ctrl-C ends at once.
	stop()
	if err := listener.Wait(); err != nil {
		log.Fatal(err)
	}
}
