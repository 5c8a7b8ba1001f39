package tcp_test

import (
	"context"
	"net"
	"net/rpc"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// queue is a listener whose Accept returns what the test puts into it.
type queue struct {
	next chan any
	over bool
}

func (q *queue) Accept() (net.Conn, error) {
	switch next := (<-q.next).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	}
	if q.over { // who does not take no for an answer would go on forever
		runtime.Goexit()
	}
	q.over = true
	return nil, net.ErrClosed
}

func (q *queue) Close() error   { return nil }
func (q *queue) Addr() net.Addr { return nil }

// Tutorial §4.2, C14: Accept starts a goroutine for each connection. So it does.
func TestEachConnectionHasAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk, l := newDesk(), &queue{next: make(chan any, 50)}
		defer close(l.next)
		defer close(desk.release)
		go newServer(t, desk).Accept(l)
		for range 50 {
			ours, theirs := net.Pipe()
			l.next <- theirs
			client := rpc.NewClient(ours)
			defer client.Close()
			go client.Call("Desk.Wait", 1, new(int))
		}
		synctest.Wait() // until every goroutine waits for something
		inside := len(desk.entered)
		if inside != 50 {
			t.Errorf("calls of %d connections are inside the method, want 50", inside)
		}
		t.Logf("50 connections, one call each: %d calls inside the method at once", inside)
	})
}

// Tutorial §4.2, C14: a goroutine for each connection. Left unsaid: and one for each
// request. The calls of one connection run at the same time, and must lock what they share.
func TestEachRequestHasAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		defer close(desk.release)
		client, _ := connect(t, desk)
		for range 50 {
			client.Go("Desk.Wait", 1, new(int), nil)
		}
		synctest.Wait()
		inside := len(desk.entered)
		if inside != 50 {
			t.Errorf("%d calls are inside the method, want 50", inside)
		}
		t.Logf("one connection, 50 calls: %d calls inside the method at once", inside)
	})
}

// Tutorial §4.2, C14: Accept serves every connection. Left unsaid: it returns on any error,
// also on one that passes, and the connections that wait behind it are never served. The
// listener of this repository's servers tries again.
func TestAcceptGivesUpOnAnError(t *testing.T) {
	for _, row := range []struct {
		name   string
		listen func(context.Context, net.Listener) net.Listener
		goesOn bool
	}{
		{"plain listener", func(_ context.Context, l net.Listener) net.Listener { return l }, false},
		{"DrainListener", func(ctx context.Context, l net.Listener) net.Listener { return shared.NewDrainListener(ctx, l) }, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				inner := &queue{next: make(chan any, 2)}
				inner.next <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE} // too many open files
				inner.next <- theirs
				l, server := row.listen(t.Context(), inner), newServer(t, new(shared.MathService))
				var returned, answered atomic.Bool
				go func() {
					server.Accept(l)
					returned.Store(true)
				}()
				client := rpc.NewClient(ours)
				defer client.Close()
				go func() {
					err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
					answered.Store(err == nil)
				}()
				time.Sleep(time.Hour) // synctest's, which takes no time
				if returned.Load() == row.goesOn || answered.Load() != row.goesOn {
					t.Errorf("after an error: Accept returned = %t, next connection answered = %t, want %t, %t",
						returned.Load(), answered.Load(), !row.goesOn, row.goesOn)
				}
				t.Logf("an hour after %q: rpc.Accept has returned: %t, the next connection is answered: %t",
					syscall.EMFILE, returned.Load(), answered.Load())
				client.Close()
				close(inner.next)
				if time.Sleep(time.Hour); !returned.Load() {
					t.Error("the listener is closed, and rpc.Accept does not return")
				}
			})
		})
	}
}
