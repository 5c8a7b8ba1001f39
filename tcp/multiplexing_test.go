package tcp_test

import (
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared/rpctest"
)

// Tutorial §5, C25: net/rpc has "no connection multiplexing". It has: one connection
// carries many calls at once.
func TestOneConnectionCarriesManyCalls(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		desk, done := newDesk(), make(chan *rpc.Call, 100)
		client, _ := rpctest.Gob.Connect(t, desk)
		for range cap(done) {
			client.Go("Desk.Wait", 1, new(int), done)
		}
		synctest.Wait()
		saw.Add("one connection: %d calls are executed at once; answered: %d", len(desk.entered), len(done))
		close(desk.release)
		for range cap(done) {
			if call := <-done; call.Error != nil {
				t.Fatal(call.Error)
			}
		}
	})
	saw.Want(t, "one connection: 100 calls are executed at once; answered: 0")
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
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		text, done := Text{make(chan int, 2)}, make(chan *rpc.Call, 2)
		// client – near … the test … far – server
		near, fromClient := net.Pipe()
		far, fromServer := net.Pipe()
		defer far.Close()
		go rpctest.Server(t, text).ServeConn(fromServer)
		go io.Copy(far, fromClient) // requests pass at once
		client := rpc.NewClient(near)
		defer client.Close()

		client.Go("Text.Make", 1<<20, new(string), done)
		passed, err := io.CopyN(fromClient, far, 1000)
		saw.Add("of a large reply %d bytes have passed, %v", passed, err)
		client.Go("Text.Make", 2, new(string), done)
		for range 2 {
			saw.Add("ready: a reply of %d bytes", <-text.made)
		}
		go io.Copy(fromClient, far) // let everything pass
		for range 2 {
			call := <-done
			saw.Add("arrives: a reply of %d bytes, %v", len(*call.Reply.(*string)), call.Error)
		}
	})
	saw.Want(t, `
of a large reply 1000 bytes have passed, <nil>
ready: a reply of 1048576 bytes
ready: a reply of 2 bytes
arrives: a reply of 1048576 bytes, <nil>
arrives: a reply of 2 bytes, <nil>`)
}
