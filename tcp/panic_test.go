package tcp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"strings"
	"testing"
	"time"
)

// Faulty is a service with a fault.
type Faulty struct{}

// Panic panics when half of its work is done.
func (Faulty) Panic(n int, reply *int) error {
	fmt.Fprintln(os.Stderr, "the first half is done")
	panic("a fault in a method")
}

// Hang never returns.
func (Faulty) Hang(n int, reply *int) error { select {} }

// Tutorial §4.1 says nothing of a method that panics. net/rpc does not recover: the whole
// server ends, with exit status 2 and the work half done. Its clients see a lost connection,
// also those who have called something else, and nobody listens any more.
// Example_panic (in shared) shows what to do.
func TestAPanickingMethodEndsTheServer(t *testing.T) {
	addr, wait := startProcess(t, Faulty{})
	connect := func() *rpc.Client {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		client := rpc.NewClient(conn)
		t.Cleanup(func() { client.Close() })
		if err := client.Call("Faulty.None", 1, new(int)); err != rpc.ServerError("rpc: can't find method Faulty.None") {
			t.Fatalf("before the panic: %v, want an answer", err)
		}
		return client
	}
	client, other := connect(), connect()
	hanging := other.Go("Faulty.Hang", 1, new(int), nil)

	// A reset where the server had not read everything.
	if err := client.Call("Faulty.Panic", 1, new(int)); err != io.ErrUnexpectedEOF && !isReset(err) {
		t.Errorf("the call that panics: %v, want unexpected EOF or a reset", err)
	}
	if err := within(t, hanging.Done, "the end of another client's call").Error; err != io.ErrUnexpectedEOF && !isReset(err) {
		t.Errorf("another client's call: %v, want unexpected EOF or a reset", err)
	}
	next := client.Call("Faulty.None", 1, new(int))
	if next != rpc.ErrShutdown {
		t.Errorf("after the panic: %v, want rpc.ErrShutdown", next)
	}
	status, stderr := wait()
	if status != 2 || !strings.HasPrefix(stderr, "the first half is done\npanic: a fault in a method") {
		t.Errorf("the server ended with exit status %d and %q, want 2 and its panic", status, stderr)
	}
	again, err := rpc.Dial("tcp", addr)
	var refused *net.OpError
	if !errors.As(err, &refused) || refused.Op != "dial" {
		if err == nil {
			again.Close()
		}
		t.Fatalf("a new Dial: %v, want it to be refused", err)
	}
	head, _, _ := strings.Cut(stderr, "\n\n")
	t.Logf("the server: exit status %d, %q", status, head)
	t.Logf("the call, and another client's: unexpected EOF or a reset; the next call: %v; a new Dial: %v", next, refused.Err)
}
