// Client calls MathService over TCP, encoded with gob (tutorial §4.2).
//
// Usage: go run ./tcp/client [-a 10] [-addr localhost:1234] [-b 20] [-timeout 5s]
package main

import (
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
	shared.ParseFlags("tcp/client", "Client calls MathService over TCP, encoded with gob (tutorial §4.2).")

	// Call has no time limit, and Dial only the system's (TestWhoHangsOnWhom).
	timer := time.AfterFunc(*timeout, func() { fail(fmt.Errorf("no answer from %s within %v", *addr, *timeout)) })

	// 1. Dial: connect to the server.
	client, err := rpc.Dial("tcp", *addr)
	if err != nil {
		fail(err)
	}
	defer client.Close()

	// 2. Call: the method by its registered name, and a pointer for the reply.
	args := &shared.Args{A: *a, B: *b}
	var reply int
	err = client.Call("MathService.Multiply", args, &reply)
	if err != nil {
		fail(fmt.Errorf("MathService.Multiply(%d, %d): %w", *a, *b, err))
	}
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, reply)

	// 3. Call again, over the same connection: another method, another reply type.
	var quotient shared.Quotient
	err = client.Call("MathService.Divide", args, &quotient)
	if err != nil {
		fail(fmt.Errorf("MathService.Divide(%d, %d): %w", *a, *b, err))
	}
	fmt.Printf("MathService.Divide(%d, %d) = %d remainder %d\n", *a, *b, quotient.Quo, quotient.Rem)
	if !timer.Stop() {
		select {} // too late: the timer is about to end the program
	}
}

func fail(err error) { log.Fatal(shared.NeedsServer(err, "tcp/server", *addr)) }
