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
// use Go. So it is: Go returns before the reply. Left unsaid: it encodes and writes the request
// in the caller's goroutine (golang/go#13442), and blocks there while the peer does not read:
// over net.Pipe, which has no buffer, at once.
func TestGoWaitsForTheSendingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		ours, theirs := net.Pipe()
		client := rpc.NewClient(ours)
		defer client.Close()
		returned, done := make(chan bool, 1), make(chan *rpc.Call, 1)
		go func() {
			client.Go("Sleeper.Sleep", time.Minute, new(time.Duration), done)
			returned <- true
		}()
		time.Sleep(time.Hour) // synctest's, which takes no time
		saw.Add("nobody reads; an hour later Go has returned: %t", len(returned) > 0)
		begin := time.Now()
		go rpctest.Server(t, Sleeper{}).ServeConn(theirs)
		<-returned
		saw.Add("somebody reads; Go returns after %v; the call has ended: %t", time.Since(begin), len(done) > 0)
		call := <-done
		saw.Add("the reply comes after %v, with the error %v", time.Since(begin), call.Error)
		saw.Want(t, `
nobody reads; an hour later Go has returned: false
somebody reads; Go returns after 0s; the call has ended: false
the reply comes after 1m0s, with the error <nil>`)
	})
}

// Over TCP (C16) there are buffers on both sides, and so Go returns many times before it
// blocks. How many depends on the system, but all buffers have an end: of two clients that
// send the same, the one whose peer does not read is still at it when the other has done.
func TestGoBlocksOverTCPOnceTheBuffersAreFull(t *testing.T) {
	var saw rpctest.Transcript
	large := strings.Repeat("x", 64<<10)
	// begin has a goroutine send to a new peer 100 small requests, which are less than any buffer,
	// and 1024 large ones, which are more. It tells when Go has returned from the small ones, and
	// then from how many of the large ones without an error.
	begin := func() (peer net.Conn, returned <-chan int) {
		ours, peer := rpctest.TCPPair(t)
		client, times := rpc.NewClient(ours), make(chan int, 2)
		t.Cleanup(func() { client.Close() })
		go func() {
			for range 100 {
				client.Go("MathService.Multiply", 1, nil, nil)
			}
			times <- 100
			sent := 0
			for range 1024 {
				sent += 1 - len(client.Go("MathService.Multiply", large, nil, nil).Done)
			}
			times <- sent
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
