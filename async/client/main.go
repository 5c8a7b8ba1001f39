// Client calls MathService asynchronously (tutorial §4.2, step 3, at its end).
package main

import (
	"flag"
	"fmt"
	"net/rpc"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/cli"
)

var (
	addr    = flag.String("addr", "localhost:1237", "`address` of the server")
	a       = flag.Int("a", 5, "first operand")
	b       = flag.Int("b", 6, "second operand")
	timeout = flag.Duration("timeout", 5*time.Second, "give up after this `time`")
)

func main() {
	cli.Parse("async/client")
	cli.GiveUpAfter(*timeout) // ours: Dial and a call can wait forever (TestWhoHangsOnWhom)
	client, err := rpc.Dial("tcp", *addr)
	if err != nil {
		cli.Fatal(err)
	}
	defer client.Close()

	// 1. Go sends the request and returns. When the call comes on Done, the reply is there.
	var asyncReply int
	call := client.Go("MathService.Multiply", &shared.Args{A: *a, B: *b}, &asyncReply, nil)
	fmt.Printf("meanwhile: %d + %d = %d\n", *a, *b, *a+*b)
	replyCall := <-call.Done
	check(replyCall)
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, asyncReply)

	// 2. One after another: each request is sent when the last one has been answered.
	start := time.Now()
	for i := 1; i <= 10; i++ {
		check(<-client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), nil).Done)
	}
	fmt.Println("10 calls one after another:", time.Since(start).Round(time.Millisecond))

	// 3. All at once, with a reply for each, and room for all of them (TestUndersizedDoneDropsReplies).
	start, replies, done := time.Now(), "", make(chan *rpc.Call, 10)
	for i := 1; i <= 10; i++ {
		client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), done)
	}
	for range 10 {
		call := check(<-done) // they come in any order
		replies += fmt.Sprintf(" %d*%[1]d=%d", call.Args.(*shared.Args).A, *call.Reply.(*int))
	}
	fmt.Printf("10 calls in flight at once: %v\nthe first 10 replies:%s\n", time.Since(start).Round(time.Millisecond), replies)
}

// check returns a call that has come on Done, or ends the program if it has failed.
func check(call *rpc.Call) *rpc.Call {
	if call.Error != nil {
		args := call.Args.(*shared.Args)
		cli.Fatal(fmt.Errorf("%s(%d, %d): %w", call.ServiceMethod, args.A, args.B, call.Error))
	}
	return call
}
