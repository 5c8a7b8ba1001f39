package async_test

import (
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// The tutorial (end of §4.2, C16): who does not want to wait blocked for the result can
// use Go. So it is: Go returns before the reply.
func TestGoReturnsBeforeTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		client, _ := rpctest.Gob.Connect(t, Sleeper{})
		begin := time.Now()
		call := client.Go("Sleeper.Sleep", time.Minute, new(time.Duration), nil)
		saw.Add("Go returned after %v; the call has ended: %t", time.Since(begin), len(call.Done) > 0)
		<-call.Done
		saw.Add("the reply came after %v, with the error %v", time.Since(begin), call.Error)
		saw.Want(t, `
Go returned after 0s; the call has ended: false
the reply came after 1m0s, with the error <nil>`)
	})
}

// Left unsaid (C16): Go encodes and writes the request in the caller's goroutine
// (golang/go#13442). While the peer does not read, it can block there: over net.Pipe,
// which has no buffer, at once. Without a deadline on the connection, Close is the one way out.
func TestGoBlocksWhileThePeerDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		ours, theirs := net.Pipe() // nobody reads from theirs
		defer theirs.Close()
		client := rpc.NewClient(ours)
		returned := make(chan *rpc.Call, 1)
		go func() { returned <- client.Go("MathService.Multiply", 1, nil, nil) }()
		time.Sleep(time.Hour) // synctest's, which takes no time
		saw.Add("nobody reads; an hour later Go has returned: %t", len(returned) > 0)
		client.Close()
		call := <-(<-returned).Done
		saw.Add("after Close it has, and the call has failed: %v", call.Error)
		saw.Want(t, `
nobody reads; an hour later Go has returned: false
after Close it has, and the call has failed: io: read/write on closed pipe`)
	})
}

// Over TCP (C16) there are buffers on both sides, and so Go returns many times before it
// blocks. How many depends on the system, but all buffers have an end: of two clients that
// send the same, the one whose peer does not read is still at it when the other has done.
func TestGoBlocksOverTCPOnceTheBuffersAreFull(t *testing.T) {
	const (
		few  = 100  // requests of some 30 bytes: less than any buffer
		many = 1024 // requests of 64 KiB: more than any buffer
	)
	var saw rpctest.Transcript
	l, large := rpctest.Listen(t), strings.Repeat("x", 64<<10)
	// begin has a goroutine send to a new peer, and tell when Go has returned few times, then many.
	begin := func() (peer net.Conn, returned <-chan int) {
		ours, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		peer, err = l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client, times := rpc.NewClient(ours), make(chan int, 2)
		t.Cleanup(func() { peer.Close(); client.Close() })
		go func() {
			for range few {
				client.Go("MathService.Multiply", 1, nil, nil)
			}
			times <- few
			failed := 0
			for range many {
				failed += len(client.Go("MathService.Multiply", large, nil, nil).Done)
			}
			times <- many - failed
		}()
		return peer, times
	}
	mute, blocked := begin()
	times := rpctest.Within(t, blocked, "small requests")
	saw.Add("%d small requests that nobody reads: Go has returned from all", times)
	reader, returned := begin()
	go io.Copy(io.Discard, reader)
	rpctest.Within(t, returned, "small requests to a peer that reads")
	times = rpctest.Within(t, returned, "64 MiB to a peer that reads")
	saw.Add("64 MiB that are read: Go has returned from %d requests", times)
	saw.Add("64 MiB that are not: Go has returned from as many: %t", len(blocked) > 0)
	go io.Copy(io.Discard, mute)
	times = rpctest.Within(t, blocked, "64 MiB, which are read now")
	saw.Add("now they are read: Go has returned from %d requests", times)
	saw.Want(t, `
100 small requests that nobody reads: Go has returned from all
64 MiB that are read: Go has returned from 1024 requests
64 MiB that are not: Go has returned from as many: false
now they are read: Go has returned from 1024 requests`)
}
