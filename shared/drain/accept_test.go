package drain

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
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
		l := New(inner)
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

// Close ends Accept at once, or after the pause that follows an error.
func TestAcceptEndsWithClose(t *testing.T) {
	var saw rpctest.Transcript
	for _, errs := range []int{0, 20} {
		synctest.Test(t, func(t *testing.T) {
			inner := make(rpctest.Queue, errs)
			for range errs {
				inner <- syscall.EMFILE
			}
			l, begin := New(inner), time.Now()
			time.AfterFunc(2*time.Second, func() {
				saw.Add("%d errors: Close returns %v", errs, l.Close())
			})
			_, err := l.Accept()
			synctest.Wait() // Close has returned
			saw.Add("Accept returns after %v, net.ErrClosed: %t", time.Since(begin), errors.Is(err, net.ErrClosed))
			for range inner { // until it is closed, too
			}
		})
	}
	saw.Want(t, `
0 errors: Close returns <nil>
Accept returns after 2s, net.ErrClosed: true
20 errors: Close returns <nil>
Accept returns after 2.275s, net.ErrClosed: true`)
}

// Accept may be called by several goroutines, as that of any net.Listener. In 500 rounds the race
// detector finds that its lock is missing.
func TestTwoLoopsMayAccept(t *testing.T) {
	for range 500 {
		inner := make(rpctest.Queue, 2)
		l := New(inner)
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
		rpctest.Server(t).Accept(New(inner))
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
		l := New(open{inner})
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
