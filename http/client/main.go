// Client calls MathService over HTTP (tutorial §4.3).
//
// Usage: go run ./http/client [-a 10] [-addr localhost:1235] [-b 20] [-timeout 5s]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
)

var (
	addr    = flag.String("addr", "localhost:1235", "`address` of the server")
	a       = flag.Int("a", 10, "first operand")
	b       = flag.Int("b", 20, "second operand")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	shared.ParseFlags("http/client", "Client calls MathService over HTTP (tutorial §4.3).")
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()

	// 1. DialHTTP: one CONNECT request, no POST as the tutorial says
	// (TestDialHTTPSendsCONNECT). It knows no context and waits for ever.
	stop := context.AfterFunc(ctx, func() { fail(fmt.Errorf("no answer from %s within %v", *addr, *timeout)) })
	client, err := rpc.DialHTTP("tcp", *addr)
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

func fail(err error) { log.Fatal(shared.NeedsServer(err, "http/server", *addr)) }
