// Client calls MathService over TCP, encoded with gob (tutorial §4.2).
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
	addr    = flag.String("addr", "localhost:1234", "`address` of the server")
	a       = flag.Int("a", 10, "first operand")
	b       = flag.Int("b", 20, "second operand")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	shared.ParseFlags("tcp/client")
	shared.GiveUpAfter(*timeout) // Dial and Call can wait forever (TestWhoHangsOnWhom)

	// 1. Dial: connect to the server.
	client, err := rpc.Dial("tcp", *addr)
	if err != nil {
		log.Fatal(shared.Explain(err))
	}
	defer client.Close()

	// 2. Call: the method by its registered name, and a pointer for the reply.
	args := &shared.Args{A: *a, B: *b}
	var reply int
	err = client.Call("MathService.Multiply", args, &reply)
	if err != nil {
		log.Fatalf("MathService.Multiply(%d, %d): %v", *a, *b, shared.Explain(err))
	}
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, reply)

	// 3. The same through the client stub: a function with types, as if it were local.
	quotient, err := shared.NewMathServiceClient(client).Divide(context.Background(), *a, *b)
	if err != nil {
		log.Fatal(shared.Explain(err))
	}
	fmt.Printf("MathService.Divide(%d, %d) = %d remainder %d\n", *a, *b, quotient.Quo, quotient.Rem)
}
