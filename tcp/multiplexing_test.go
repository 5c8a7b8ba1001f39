package tcp_test

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

// Clock is a service that takes time.
type Clock struct{}

// Sleep sleeps.
func (Clock) Sleep(d time.Duration, reply *time.Duration) error {
	time.Sleep(d)
	*reply = d
	return nil
}

// Tutorial §5, C25: net/rpc has "no connection multiplexing". It has: one connection
// carries many calls at once.
func TestOneConnectionCarriesManyCalls(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		client, _ := rpctest.Gob.Connect(t, Clock{})
		done := make(chan *rpc.Call, 100)
		begin := time.Now()
		for range 100 {
			client.Go("Clock.Sleep", 100*time.Millisecond, new(time.Duration), done)
		}
		for range 100 {
			if call := <-done; call.Error != nil {
				t.Fatal(call.Error)
			}
		}
		saw.Add("100 calls of 100 ms over one connection: %v", time.Since(begin))
	})
	saw.Want(t, "100 calls of 100 ms over one connection: 100ms")
}

// Text is a service with replies of any size.
type Text struct{ made chan int }

// Make replies with n bytes.
func (s Text) Make(n int, reply *string) error {
	*reply = strings.Repeat("x", n)
	s.made <- n
	return nil
}

// Tutorial §5, C25: what net/rpc lacks is interleaving. A reply that has begun is written
// to its end, however long that takes, and a small one that is ready waits behind it.
func TestSmallReplyWaitsBehindALargeOne(t *testing.T) {
	const large, small = 1 << 20, 2
	var saw rpctest.Transcript
	text := Text{make(chan int, 2)}
	// client – near … the test … far – server
	near, fromClient := net.Pipe()
	far, fromServer := net.Pipe()
	for _, conn := range []net.Conn{near, far} {
		conn.SetDeadline(time.Now().Add(rpctest.Patience))
		defer conn.Close()
	}
	go rpctest.Server(t, text).ServeConn(fromServer)
	go io.Copy(far, fromClient) // requests pass at once
	client := rpc.NewClient(near)
	done := make(chan *rpc.Call, 2)

	client.Go("Text.Make", large, new(string), done)
	passed, err := io.CopyN(fromClient, far, 1000)
	saw.Add("of a large reply %d bytes have passed, %v", passed, err)
	client.Go("Text.Make", small, new(string), done)
	for range 2 {
		saw.Add("ready: a reply of %d bytes", rpctest.Within(t, text.made, "a reply to be made"))
	}
	go io.Copy(fromClient, far) // let everything pass
	for range 2 {
		call := rpctest.Within(t, done, "a reply")
		saw.Add("arrives: a reply of %d bytes, %v", len(*call.Reply.(*string)), call.Error)
	}
	saw.Want(t, `
of a large reply 1000 bytes have passed, <nil>
ready: a reply of 1048576 bytes
ready: a reply of 2 bytes
arrives: a reply of 1048576 bytes, <nil>
arrives: a reply of 2 bytes, <nil>`)
}
