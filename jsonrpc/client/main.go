// Client calls MathService over TCP, encoded as JSON-RPC (tutorial §4.4).
//
// Usage: go run ./jsonrpc/client [-a 10] [-addr localhost:1236] [-b 20] [-timeout 5s]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/rpc/jsonrpc"
	"time"

	"example.com/netrpc/shared"
)

var (
	addr    = flag.String("addr", "localhost:1236", "`address` of the server")
	a       = flag.Int("a", 10, "first operand")
	b       = flag.Int("b", 20, "second operand")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	shared.ParseFlags("jsonrpc/client", "Client calls MathService over TCP, encoded as JSON-RPC (tutorial §4.4).")
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()

	// 1. Dial: connect to the server. It knows no context.
	stop := context.AfterFunc(ctx, func() { fail(fmt.Errorf("no answer from %s within %v", *addr, *timeout)) })
	client, err := jsonrpc.Dial("tcp", *addr)
	if !stop() {
		select {} // too late: ctx is about to end the program
	}
	if err != nil {
		fail(err)
	}
	defer client.Close()

	// 2. Call: the same as over TCP, here through the stub, which knows the types.
	math := shared.NewMathServiceClient(client)
	product, err := math.Multiply(ctx, *a, *b)
	if err != nil {
		fail(err)
	}
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, product)

	quotient, err := math.Divide(ctx, *a, *b)
	if err != nil {
		fail(err)
	}
	fmt.Printf("MathService.Divide(%d, %d) = %d remainder %d\n", *a, *b, quotient.Quo, quotient.Rem)
}

func fail(err error) { log.Fatal(shared.NeedsServer(err, "jsonrpc/server", *addr)) }
