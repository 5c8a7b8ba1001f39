package tcp_test

import (
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, Clock{})
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
		took := time.Since(begin)
		if took != 100*time.Millisecond {
			t.Errorf("100 calls of 100 ms took %v, want 100ms", took)
		}
		t.Logf("100 calls of 100 ms over one connection: %v", took)
	})
}

// Tutorial §5, C25: "no connection multiplexing". Each reply carries the number of its
// call, so that a quick one overtakes a slow one.
func TestQuickReplyOvertakesASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := connect(t, Clock{})
		done := make(chan *rpc.Call, 2)
		client.Go("Clock.Sleep", 2*time.Second, new(time.Duration), done)
		client.Go("Clock.Sleep", time.Second, new(time.Duration), done)
		for _, want := range []time.Duration{time.Second, 2 * time.Second} {
			call := <-done
			got := *call.Reply.(*time.Duration)
			if call.Error != nil || got != want {
				t.Errorf("reply %v, %v, want that of %v", got, call.Error, want)
			}
			t.Logf("sent after 2s, 1s; the next reply: %v", got)
		}
	})
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
	const large, small = 1 << 20, 1
	text := Text{make(chan int, 2)}
	server := newServer(t, text)
	// client – near … the test … far – server
	near, fromClient := net.Pipe()
	far, fromServer := net.Pipe()
	for _, conn := range []net.Conn{near, far} {
		conn.SetDeadline(time.Now().Add(patience))
		defer conn.Close()
	}
	go server.ServeConn(fromServer)
	go io.Copy(far, fromClient) // requests pass at once
	client := rpc.NewClient(near)
	done := make(chan *rpc.Call, 2)

	client.Go("Text.Make", large, new(string), done)
	if _, err := io.CopyN(fromClient, far, 1000); err != nil { // the large reply has begun
		t.Fatal(err)
	}
	client.Go("Text.Make", small, new(string), done)
	for _, want := range []int{large, small} {
		if made := within(t, text.made, "a reply to be made"); made != want {
			t.Fatalf("a reply of %d bytes is made, want %d", made, want)
		}
	}
	go io.Copy(fromClient, far) // both replies are ready: let them pass
	for _, want := range []int{large, small} {
		call := within(t, done, "a reply")
		got := len(*call.Reply.(*string))
		if call.Error != nil || got != want {
			t.Errorf("a reply of %d bytes, %v, want %d bytes", got, call.Error, want)
		}
		t.Logf("both are ready, the large one has begun; the next reply to arrive: %d bytes", got)
	}
}
