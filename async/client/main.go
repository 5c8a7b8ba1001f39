// Client calls MathService asynchronously (tutorial §4.2, at its end).
//
// Usage: go run ./async/client [-a 5] [-addr localhost:1237] [-b 6] [-n 10] [-timeout 5s]
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"os"
	"strings"
	"time"

	"example.com/netrpc/shared"
)

var (
	addr    = flag.String("addr", "localhost:1237", "`address` of the server")
	a       = flag.Int("a", 5, "first operand")
	b       = flag.Int("b", 6, "second operand")
	n       = flag.Int("n", 10, "`number` of calls, from 1 to 100000")
	timeout = flag.Duration("timeout", 5*time.Second, "give up a call after this `time`")
)

func main() {
	shared.ParseFlags("async/client", "Client calls MathService asynchronously (tutorial §4.2, at its end).")
	if *n < 1 || *n > 100000 {
		log.Printf("-n %d is not from 1 to 100000", *n)
		os.Exit(2)
	}
	conn, err := net.DialTimeout("tcp", *addr, max(*timeout, 1)) // 0 would be for ever
	if err != nil {
		fail(err)
	}
	client := rpc.NewClient(conn)
	defer client.Close()

	// 1. Go: send the request, do other work, then wait for the reply.
	var asyncReply int
	call := client.Go("MathService.Multiply", &shared.Args{A: *a, B: *b}, &asyncReply, nil)
	receive(call.Done, time.After(*timeout))
	fmt.Printf("MathService.Multiply(%d, %d) = %d\n", *a, *b, asyncReply)

	// 2. One after another: send a request when the last one has been answered.
	start := time.Now()
	for i := 1; i <= *n; i++ {
		call := client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), nil)
		receive(call.Done, time.After(*timeout))
	}
	fmt.Printf("%d calls one after another: %v\n", *n, time.Since(start).Round(time.Millisecond))

	// 3. All in flight: one channel with room for all, since a call that finds it full
	// is lost (TestUndersizedDoneDropsReplies). Go blocks while the server does not
	// read, though the tutorial says it does not (TestGoBlocks): hence the goroutine.
	start = time.Now()
	done := make(chan *rpc.Call, *n)
	go func() {
		for i := 1; i <= *n; i++ {
			client.Go("MathService.Multiply", &shared.Args{A: i, B: i}, new(int), done)
		}
	}()
	// The replies come in any order: the *rpc.Call tells which one it is.
	var order strings.Builder
	deadline := time.After(*timeout)
	for range *n {
		call := receive(done, deadline)
		fmt.Fprintf(&order, " %d*%d=%d", call.Args.(*shared.Args).A, call.Args.(*shared.Args).B, *call.Reply.(*int))
	}
	fmt.Printf("%d calls in flight at once: %v\n", *n, time.Since(start).Round(time.Millisecond))
	fmt.Printf("the replies came in this order:%s\n", order.String())
}

// receive waits for the next call that is finished. After the deadline nobody may
// look at a reply, for a late answer is still written there.
func receive(done <-chan *rpc.Call, deadline <-chan time.Time) *rpc.Call {
	select {
	case call := <-done:
		if call.Error != nil {
			args := call.Args.(*shared.Args)
			fail(fmt.Errorf("MathService.Multiply(%d, %d): %w", args.A, args.B, call.Error))
		}
		return call
	case <-deadline:
		fail(fmt.Errorf("no answer from %s within %v", *addr, *timeout))
		return nil
	}
}

func fail(err error) { log.Fatal(shared.NeedsServer(err, "async/server", *addr)) }
