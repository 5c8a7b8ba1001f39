// Client calls MathService asynchronously (tutorial §4.2, step 3, at its end).
package main

import (
	"flag"
	"fmt"
	"log"
	"net/rpc"
	"os"
	"time"

	"example.com/netrpc/shared"
)

var (
	addr    = flag.String("addr", "localhost:1237", "`address` of the server")
	a       = flag.Int("a", 5, "first operand")
	b       = flag.Int("b", 6, "second operand")
	n       = flag.Int("n", 10, "`number` of calls in flight, from 1 to 10000")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	shared.ParseFlags("async/client")
	if *n < 1 || *n > 10000 {
		log.Printf("-n %d is not from 1 to 10000", *n)
		os.Exit(2)
	}
	shared.GiveUpAfter(*timeout)
	client, err := rpc.Dial("tcp", *addr)
	if err != nil {
		log.Fatal(shared.Explain(err))
	}
	defer client.Close()

	// 1. Go: send the request, do other things, then wait for the reply.
	var asyncReply int
	call := client.Go("MathService.Multiply", &shared.Args{A: *a, B: *b}, &asyncReply, nil)
	fmt.Printf("meanwhile: %d + %d = %d\n", *a, *b, *a+*b)
	replyCall := <-call.Done
	if replyCall.Error != nil {
		log.Fatalf("MathService.Multiply(%d, %d): %v", *a, *b, shared.Explain(replyCall.Error))
	}
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, asyncReply)

	// 2. One after another: send a request when the last one has been answered.
	start, few := time.Now(), min(*n, 10)
	for i := 1; i <= few; i++ {
		result(<-client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), nil).Done)
	}
	fmt.Printf("%d calls one after another: %v\n", few, time.Since(start).Round(time.Millisecond))

	// 3. All in flight: each with a reply of its own, and one channel with room for
	// all, since a call that finds it full is lost (TestUndersizedDoneDropsReplies).
	start = time.Now()
	done := make(chan *rpc.Call, *n)
	for i := 1; i <= *n; i++ {
		client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), done)
	}
	// They come in any order. The *rpc.Call tells which one it is.
	order := ""
	for i := range *n {
		product := result(<-done)
		if i < few {
			order += " " + product
		}
	}
	fmt.Printf("%d calls in flight at once: %v\n", *n, time.Since(start).Round(time.Millisecond))
	fmt.Printf("the first %d replies:%s\n", few, order)
}

// result returns the product, or ends the program if the call has failed.
func result(call *rpc.Call) string {
	args := call.Args.(*shared.Args)
	if call.Error != nil {
		log.Fatalf("%s(%d, %d): %v", call.ServiceMethod, args.A, args.B, shared.Explain(call.Error))
	}
	return fmt.Sprintf("%d*%d=%d", args.A, args.B, *call.Reply.(*int))
}
