package shared_test

import (
	"errors"
	"net"
	"net/rpc"
	"runtime"
	"runtime/debug"
	"testing"
)

// crash calls a method of Crash in a process of its own, which ends.
func crash(method string) func(*testing.T) error {
	return ended(func(conn net.Conn) {
		client := rpc.NewClient(conn)
		defer client.Close()
		client.Call("Crash."+method, 1, new(int))
	})
}

// Crash ends its process.
type Crash struct{}

// HandleHTTPTwice registers what is registered.
func (Crash) HandleHTTPTwice(_ int, _ *int) error {
	rpc.HandleHTTP()
	rpc.HandleHTTP()
	return nil
}

// Divide divides by zero.
func (Crash) Divide(n int, reply *int) error {
	*reply = n / (n - 1)
	return nil
}

type noError struct{ text string }

func (e *noError) Error() string { return e.text }

// TypedNil returns an error that is not nil, but whose pointer is.
func (Crash) TypedNil(_ int, _ *int) error {
	var err *noError
	return err
}

// WriteMap writes to a map in several goroutines.
func (Crash) WriteMap(_ int, _ *int) error { return useMap(4, 0) }

// ReadMap reads a map in several goroutines, and writes to it in one.
func (Crash) ReadMap(_ int, _ *int) error { return useMap(1, 3) }

// useMap does not return.
func useMap(writers, readers int) error {
	runtime.GOMAXPROCS(4)
	m := map[int]int{}
	for range writers {
		go func() {
			for n := 0; ; n++ {
				m[n] = n
			}
		}()
	}
	for range readers {
		go func() {
			for sum := 0; ; {
				sum += m[0]
			}
		}()
	}
	select {}
}

// SendCycle calls with an argument that points to itself.
func (Crash) SendCycle(_ int, _ *int) error {
	debug.SetMaxStack(1 << 20)
	ours, _ := net.Pipe()
	return rpc.NewClient(ours).Call("Clerk.Double", cycle(), nil)
}

// CloseDone closes the channel of a call in flight.
func (Crash) CloseDone(_ int, _ *int) error {
	ours, theirs := net.Pipe()
	done := make(chan *rpc.Call, 1)
	go rpc.NewClient(ours).Go("Clerk.Double", 1, nil, done)
	_, err := theirs.Read(make([]byte, 1)) // so the call is in flight
	close(done)
	return errors.Join(err, theirs.Close())
}
