// Client calls MathService over HTTP (tutorial §4.3).
package main

import (
	"context"
	"flag"
	"fmt"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
)

var (
	addr    = flag.String("addr", "localhost:1235", "`address` of the server")
	a       = flag.Int("a", 10, "first operand")
	b       = flag.Int("b", 20, "second operand")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	cli.Parse("http/client")
	cli.GiveUpAfter(*timeout) // ours: Dial and Call can wait forever (TestWhoHangsOnWhom)

	// 1. DialHTTP: connect, and send CONNECT; the tutorial says POST (TestDialHTTPSendsCONNECT).
	client, err := rpc.DialHTTP("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	defer client.Close()

	// 2. Call the method by its registered name. The reply comes through the pointer.
	args := &shared.Args{A: *a, B: *b}
	var reply int
	err = client.Call("MathService.Multiply", args, &reply)
	if err != nil {
		cli.Fatal(fmt.Errorf("MathService.Multiply(%d, %d): %w", *a, *b, err))
	}
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, reply)

	// 3. Or through a client stub. It is ours: net/rpc generates none (TestTheCompilerChecksNoCall).
	stub := shared.NewMathServiceClient(client)
	quotient, err := stub.Divide(context.Background(), *a, *b)
	if err != nil {
		cli.Fatal(err)
	}
	fmt.Printf("MathService.Divide(%d, %d) = %d remainder %d\n", *a, *b, quotient.Quo, quotient.Rem)
}
