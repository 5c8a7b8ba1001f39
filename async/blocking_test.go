package async_test

import (
	"io"
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// The tutorial (end of §4.2, C16): who does not want to wait blocked for the result can
// use Go. So it is: Go returns before the reply.
func TestGoReturnsBeforeTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, Sleeper{})
		begin, minute := time.Now(), time.Minute
		call := client.Go("Sleeper.Sleep", &minute, new(bool), nil)
		returned := time.Since(begin)
		if returned != 0 || isDone(call) {
			t.Errorf("Go returned after %v, done: %t; want 0s, false", returned, isDone(call))
		}
		<-call.Done
		replied := time.Since(begin)
		if replied != minute || call.Error != nil {
			t.Errorf("the reply came after %v, %v, want 1m0s", replied, call.Error)
		}
		t.Logf("Go returned after %v, the reply came after %v", returned, replied)
	})
}

// Left unsaid (C16): Go encodes and writes the request in the caller's goroutine
// (golang/go#13442). While the peer does not read, it can block there: over net.Pipe,
// which has no buffer, at once.
func TestGoBlocksWhileThePeerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // nobody reads from theirs
		defer theirs.Close()
		client := rpc.NewClient(ours)
		returned := make(chan *rpc.Call, 1)
		go func() { returned <- client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, new(int), nil) }()
		time.Sleep(time.Hour) // synctest's, which takes no time
		if len(returned) > 0 {
			t.Error("Go returned although nobody reads the request")
		}
		t.Logf("after an hour Go has returned: %t", len(returned) > 0)
		client.Close() // the one way out, without a deadline on the connection
		call := <-returned
		if !isDone(call) || call.Error == nil {
			t.Errorf("after Close: done: %t, %v, want an error", isDone(call), call.Error)
		}
		t.Logf("after Close: %v", call.Error)
	})
}

// Over TCP (C16) there are buffers on both sides, and so Go returns many times before
// it blocks. It goes on when the peer reads.
func TestGoBlocksOverTCPOnceTheBuffersAreFull(t *testing.T) {
	t.Parallel() // real time passes
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ours, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(ours)
	defer client.Close()
	theirs, err := listener.Accept() // nobody reads from it
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()

	const most = 2_000_000 // 72 MB of requests: more than any buffer
	returned := make(chan bool)
	go func() {
		defer close(returned)
		for range most {
			if call := client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, nil, make(chan *rpc.Call, 1)); isDone(call) {
				return // the connection is closed
			}
			returned <- true
		}
	}()
	times := 0
	for blocked := false; !blocked; {
		select {
		case _, ok := <-returned:
			if !ok {
				t.Fatalf("Go returned %d times although nobody reads", times)
			}
			times++
		case <-time.After(time.Second):
			blocked = true
		}
	}
	if times <= 1000 {
		t.Errorf("Go returned %d times before it blocked, want thousands", times)
	}
	t.Logf("before it blocked for a second, Go returned more than 1000 times: %t", times > 1000)
	go io.Copy(io.Discard, theirs)
	select {
	case _, ok := <-returned:
		if !ok {
			t.Error("the call that was blocked failed")
		}
		t.Log("now the peer reads, and Go returns")
	case <-time.After(30 * time.Second):
		t.Error("the peer reads, and Go does not return within 30s")
	}
	client.Close() // ends the goroutine, which nobody must keep waiting
	for range returned {
	}
}
