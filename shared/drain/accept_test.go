package drain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

func TestAcceptIsTriedAgainAfterAnyErrorButClosed(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(io.Discard)
	synctest.Test(t, func(t *testing.T) {
		inner := make(rpctest.Queue, 11)
		l := New(t.Context(), inner)
		for i := range 10 {
			inner <- &net.OpError{Op: "accept", Net: "tcp",
				Err: []error{syscall.EMFILE, syscall.ENOBUFS, syscall.EPERM, io.ErrUnexpectedEOF}[i%4]}
		}
		inner.Dial(t)
		begin := time.Now()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		var saw rpctest.Transcript
		var pauses []string
		for line := range strings.Lines(logged.String()) {
			_, pause, _ := strings.Cut(strings.TrimSpace(line), "; trying again in ")
			pauses = append(pauses, pause)
		}
		saw.Add("after ten errors a connection is accepted: %v", time.Since(begin))
		saw.Add("logged, trying again in %v", pauses)
		saw.Want(t, `
after ten errors a connection is accepted: 3.275s
logged, trying again in [5ms 10ms 20ms 40ms 80ms 160ms 320ms 640ms 1s 1s]`)
	})
}

func TestAcceptEndsWithItsContext(t *testing.T) {
	var saw rpctest.Transcript
	for _, errs := range []int{0, 20} {
		synctest.Test(t, func(t *testing.T) {
			inner := make(rpctest.Queue, errs)
			for range errs {
				inner <- syscall.EMFILE
			}
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
			defer stop()
			l := New(ctx, inner)
			begin := time.Now()
			_, err := l.Accept()
			saw.Add("%d errors: Accept returns after %v, net.ErrClosed: %t",
				errs, time.Since(begin), errors.Is(err, net.ErrClosed))
			for range inner { // until it is closed, too
			}
		})
	}
	saw.Want(t, `
0 errors: Accept returns after 2s, net.ErrClosed: true
20 errors: Accept returns after 2s, net.ErrClosed: true`)
}

// Accept may be called by several goroutines, as that of any net.Listener.
func TestTwoLoopsMayAccept(t *testing.T) {
	for range 500 {
		inner := make(rpctest.Queue, 2)
		l := New(t.Context(), inner)
		var loops sync.WaitGroup
		for range 2 {
			inner.Dial(t)
			loops.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.Close()
				}
			})
		}
		l.Close()
		ended := make(chan bool)
		go func() { loops.Wait(); close(ended) }()
		rpctest.Within(t, ended, "the end of two loops")
	}
}

// rpc.Accept logs how it ends.
func TestAListenerThatIsClosedBeneathDrains(t *testing.T) {
	var logged bytes.Buffer
	log.SetFlags(0)
	log.SetOutput(&logged)
	defer log.SetFlags(log.LstdFlags)
	defer log.SetOutput(io.Discard)
	synctest.Test(t, func(t *testing.T) {
		inner := make(rpctest.Queue, 2)
		conn := inner.Dial(t)
		inner <- &net.OpError{Op: "accept", Net: "tcp", Err: net.ErrClosed}
		rpctest.Server(t).Accept(New(t.Context(), inner))
		_, err := conn.Read(make([]byte, 1))
		var saw rpctest.Transcript
		saw.Add("%sits connection: %v", &logged, err)
		saw.Want(t, `
rpc.Serve: accept:stopped, with no call left in flight
its connection: EOF`)
	})
}

// open is a queue that can be sent something after Close.
type open struct{ rpctest.Queue }

func (open) Close() error { return nil }

func TestAConnectionThatComesWithTheEndReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := make(rpctest.Queue, 1)
		l := New(t.Context(), open{inner})
		ours, theirs := net.Pipe()
		go func() {
			synctest.Wait() // Accept waits
			l.Close()
			inner <- theirs
		}()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go ours.Write([]byte("a request"))
		n, err := conn.Read(make([]byte, 1))
		conn.Close()
		_, end := l.Accept()
		var saw rpctest.Transcript
		saw.Add("Read returns %d bytes, %v", n, err)
		saw.Add("Accept: %v", end)
		saw.Want(t, `
Read returns 0 bytes, read: the server is stopping; this call was not executed
Accept: stopped, with no call left in flight`)
	})
}

// counted is a context that counts what waits for its end.
type counted struct {
	context.Context
	waiting atomic.Int64
}

func (c *counted) Done() <-chan struct{} { return make(chan struct{}) }

func (c *counted) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return func() bool { c.waiting.Add(-1); return true }
}

func TestAClosedListenerLeavesNothingInItsContext(t *testing.T) {
	var saw rpctest.Transcript
	ctx := &counted{Context: t.Context()}
	l := New(ctx, make(rpctest.Queue))
	saw.Add("%d waits for the end of the context", ctx.waiting.Load())
	saw.Add("Close: %v, and again: %v", l.Close(), l.Close())
	_, err := l.Accept()
	saw.Add("Accept: %v", err)
	saw.Add("%d waits for the end of the context", ctx.waiting.Load())
	saw.Want(t, `
1 waits for the end of the context
Close: <nil>, and again: <nil>
Accept: stopped, with no call left in flight
0 waits for the end of the context`)
}
