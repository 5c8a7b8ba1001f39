package tcp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"sync/atomic"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

func TestMain(m *testing.M) {
	rpctest.SetTempDir()
	m.Run()
}

// Desk is a service that counts the calls which it executes.
type Desk struct {
	executed atomic.Int32
	entered  chan bool // gets a value for each call of Wait
	release  chan bool // Wait returns when it is closed
}

func newDesk() *Desk {
	return &Desk{entered: make(chan bool, 100), release: make(chan bool)}
}

// Double doubles n.
func (d *Desk) Double(n int, reply *int) error {
	d.executed.Add(1)
	*reply = 2 * n
	return nil
}

// Wait doubles n when the test lets it.
func (d *Desk) Wait(n int, reply *int) error {
	d.executed.Add(1)
	d.entered <- true
	<-d.release
	*reply = 2 * n
	return nil
}

// dial returns a client of the server at addr. Its calls fail after Patience.
func dial(t *testing.T, network, addr string) *rpc.Client {
	t.Helper()
	client := rpc.NewClient(rpctest.Dial(t, network, addr))
	t.Cleanup(func() { client.Close() })
	return client
}

// isLost reports whether err is what a client sees of a server that has gone: an unexpected
// EOF, or a reset where the server had not read everything. Its text differs by system.
func isLost(err error) bool {
	var op *net.OpError
	reset := errors.As(err, &op) && op.Op == "read" && !op.Timeout() && !errors.Is(err, net.ErrClosed)
	return errors.Is(err, io.ErrUnexpectedEOF) || reset
}

// Faulty is a service with a fault.
type Faulty struct{}

// Panic panics when half of its work is done.
func (Faulty) Panic(n int, reply *int) error {
	fmt.Fprintln(os.Stderr, "the first half is done")
	panic("a fault in a method")
}

// Hang never returns.
func (Faulty) Hang(n int, reply *int) error { select {} }
