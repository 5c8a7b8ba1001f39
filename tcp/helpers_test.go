package tcp_test

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"sync/atomic"
)

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

// Fail fails.
func (d *Desk) Fail(n int, reply *int) error {
	d.executed.Add(1)
	return errors.New("no luck")
}

// Wait doubles n when the test lets it.
func (d *Desk) Wait(n int, reply *int) error {
	d.executed.Add(1)
	d.entered <- true
	<-d.release
	*reply = 2 * n
	return nil
}

// describe returns what errors.Is or errors.As finds in the error of a call, or else its text.
// Addresses differ by run, and the text of a reset by system.
func describe(err error) string {
	var answer rpc.ServerError
	var op *net.OpError
	switch {
	case errors.As(err, &answer):
		return fmt.Sprintf("rpc.ServerError %q", answer)
	case errors.Is(err, net.ErrClosed):
		return "net.ErrClosed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "os.ErrDeadlineExceeded"
	case errors.As(err, &op) && op.Op == "read":
		return "a reset"
	}
	return fmt.Sprint(err)
}

// isLost reports whether err is what a client sees of a server that has gone: a reset where
// the server had not read everything.
func isLost(err error) bool {
	return describe(err) == "unexpected EOF" || describe(err) == "a reset"
}
