package shared

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Gate is a service whose calls wait until the test lets them go.
type Gate struct {
	entered  chan bool
	release  chan bool
	executed atomic.Int64
}

// Pass says that it has been entered, waits for release and doubles n.
func (g *Gate) Pass(n int, reply *int) error {
	g.entered <- true
	<-g.release
	*reply = 2 * n
	return nil
}

// Count counts how often it is executed.
func (g *Gate) Count(n int, reply *int) error {
	g.executed.Add(1)
	*reply = 2 * n
	return nil
}

// served are the three ways in which a server of this repository uses its listener.
var served = map[string]struct {
	serve func(net.Listener, *rpc.Server)
	dial  func(network, addr string) (*rpc.Client, error)
}{
	"gob": {func(l net.Listener, s *rpc.Server) { s.Accept(l) }, rpc.Dial},
	"HTTP": {func(l net.Listener, s *rpc.Server) {
		mux := http.NewServeMux()
		mux.Handle(rpc.DefaultRPCPath, s)
		(&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute}).Serve(l)
	}, rpc.DialHTTP},
	"JSON": {func(l net.Listener, s *rpc.Server) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.ServeCodec(jsonrpc.NewServerCodec(conn))
		}
	}, jsonrpc.Dial},
}

// within fails the test if wait does not return in time.
func within(t *testing.T, limit time.Duration, what string, wait func()) {
	t.Helper()
	done := make(chan bool)
	go func() {
		wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s: not within %v", what, limit)
	}
}

func newDrainServer(t *testing.T, kind string) (*DrainListener, *Gate, context.CancelFunc) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	l := NewDrainListener(ctx, inner)
	gate := &Gate{entered: make(chan bool, 100), release: make(chan bool)}
	server := rpc.NewServer()
	if err := server.Register(gate); err != nil {
		t.Fatal(err)
	}
	go served[kind].serve(l, server)
	return l, gate, stop
}

func TestDrainAnswersWhatIsInFlight(t *testing.T) {
	t.Parallel()
	for kind, with := range served {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l, gate, stop := newDrainServer(t, kind)
			client, err := with.dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			const n = 10
			replies := make([]int, n)
			done := make(chan *rpc.Call, n)
			for i := range n {
				client.Go("Gate.Pass", i, &replies[i], done)
			}
			for range n {
				<-gate.entered
			}
			stop()
			<-l.draining
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept while draining: %v, want net.ErrClosed", err)
			}
			close(gate.release)
			within(t, 10*time.Second, "replies", func() {
				for range n {
					if call := <-done; call.Error != nil {
						t.Errorf("call in flight: %v, want a reply", call.Error)
					}
				}
			})
			for i, reply := range replies {
				if reply != 2*i {
					t.Errorf("Pass(%d) = %d, want %d", i, reply, 2*i)
				}
			}
			client.Close()
			within(t, 10*time.Second, "Wait", func() {
				if err := l.Wait(); err != nil {
					t.Errorf("Wait = %v, want nil", err)
				}
			})
		})
	}
}

// What was executed has been answered: no more, no less, while clients keep calling
// without a pause. The counts agree only if every reply that is written arrives.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	for kind, with := range served {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			l, gate, stop := newDrainServer(t, kind)
			var answered atomic.Int64
			var callers sync.WaitGroup
			for range 8 {
				client, err := with.dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				var inFlight sync.WaitGroup
				for range 16 {
					inFlight.Go(func() {
						for {
							var reply int
							if client.Call("Gate.Count", 21, &reply) != nil {
								return
							}
							if reply != 42 {
								t.Errorf("reply = %d, want 42", reply)
							}
							if answered.Add(1) == 5000 {
								stop()
							}
						}
					})
				}
				callers.Go(func() {
					inFlight.Wait()
					client.Close()
				})
			}
			within(t, 30*time.Second, "Wait", func() { l.Wait() })
			callers.Wait()
			if executed := gate.executed.Load(); executed != answered.Load() || executed < 5000 {
				t.Errorf("%d calls executed, %d answered; want as many, and at least 5000", executed, answered.Load())
			}
		})
	}
}

// fakeListener accepts what is sent to it: a net.Conn or an error.
type fakeListener chan any

func (l fakeListener) Accept() (net.Conn, error) {
	switch next := (<-l).(type) {
	case net.Conn:
		return next, nil
	case error:
		return nil, next
	default: // closed
		return nil, net.ErrClosed
	}
}

func (l fakeListener) Close() error   { close(l); return nil }
func (l fakeListener) Addr() net.Addr { return nil }

var errTooManyFiles = &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}

func TestAcceptIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 20)
		l := NewDrainListener(t.Context(), inner)
		for range 10 {
			inner <- errTooManyFiles
		}
		_, theirs := net.Pipe()
		inner <- theirs
		begin := time.Now()
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		// 5, 10, 20, … 640 ms, 1 s, 1 s
		if took := time.Since(begin); took != 3275*time.Millisecond {
			t.Errorf("ten temporary errors took %v, want 3.275s", took)
		}
		conn.Close()
	})
}

func TestAcceptIsNotTriedAgainWhileDraining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 20)
		for range 20 {
			inner <- errTooManyFiles
		}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
		defer stop()
		l := NewDrainListener(ctx, inner)
		begin := time.Now()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("Accept returned %v after the beginning, want 2s, when the context ended", took)
		}
		if err := l.Wait(); err != nil {
			t.Errorf("Wait = %v, want nil", err)
		}
	})
}

func TestLastingAcceptErrorDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 2)
		l := NewDrainListener(t.Context(), inner)
		ours, theirs := net.Pipe()
		inner <- theirs
		inner <- io.ErrClosedPipe
		server := rpc.NewServer()
		server.Register(new(MathService))
		server.Accept(l) // returns at the error
		if err := l.Wait(); err != io.ErrClosedPipe {
			t.Errorf("Wait = %v, want the error of Accept", err)
		}
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection is not closed: %v", err)
		}
	})
}

func TestLingeringEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, _ := pipe(t.Context(), func(conn net.Conn) net.Conn { return halfCloser{conn, make(chan bool)} })
		var writing sync.WaitGroup
		defer writing.Wait()
		defer ours.Close()
		writing.Go(func() {
			for _, err := ours.Write([]byte("x")); err == nil; _, err = ours.Write([]byte("x")) {
				time.Sleep(400 * time.Millisecond) // never silent for a second
			}
		})
		begin := time.Now()
		theirs.Close()
		if took := time.Since(begin); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("Close took %v with a peer that sends without end, want 5s", took)
		}
	})
}

// pipe returns the two ends of a connection, the second as a DrainListener has it.
func pipe(ctx context.Context, wrap func(net.Conn) net.Conn) (ours, theirs net.Conn, l *DrainListener) {
	inner := make(fakeListener, 1)
	l = NewDrainListener(ctx, inner)
	ours, theirs = net.Pipe()
	inner <- wrap(theirs)
	theirs, _ = l.Accept()
	return ours, theirs, l
}

func asIs(conn net.Conn) net.Conn { return conn }

// A peer that takes no reply cannot keep the server from stopping, whether the reply
// was being written when draining began or is written later.
func TestDrainGivesUpAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	for _, compute := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			ours, theirs, l := pipe(ctx, asIs)
			defer ours.Close()
			go func() {
				time.Sleep(compute) // a method at work
				theirs.Write([]byte("a reply"))
				theirs.Close()
			}()
			time.Sleep(time.Minute) // no limit before
			stop()
			begin := time.Now()
			l.Wait()
			want := max(compute-time.Minute, 0) + 5*time.Second
			if took := time.Since(begin); took != want {
				t.Errorf("draining took %v, want %v", took, want)
			}
		})
	}
}

// net/http resets the read deadline now and then; that must not undo the draining.
func TestDrainCannotBeUndone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ours, theirs, l := pipe(ctx, asIs)
		defer ours.Close()
		theirs.SetReadDeadline(time.Now().Add(time.Minute))
		begin := time.Now()
		if _, err := theirs.Read(make([]byte, 1)); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("before draining a deadline of a minute ended Read after %v: %v", time.Since(begin), err)
		}
		theirs.SetDeadline(time.Time{})
		stop()
		synctest.Wait()
		theirs.SetReadDeadline(time.Time{})
		theirs.SetDeadline(time.Time{})
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read while draining: %v, want os.ErrDeadlineExceeded", err)
		}
		theirs.Close()
		l.Wait()
	})
}

// A connection that arrives together with the end is closed, and one that is gone is
// not remembered.
func TestDrainRemembersOpenConnectionsOnly(t *testing.T) {
	t.Parallel()
	ours, theirs, l := pipe(context.Background(), asIs)
	ours.Close()
	theirs.Close()
	if len(l.conns) != 0 {
		t.Errorf("%d connections are remembered, want none", len(l.conns))
	}
	ours, theirs = net.Pipe()
	l.Listener.(fakeListener) <- theirs
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection that came too late is open: %v", err)
	}
}

// halfCloser adds to a pipe what a TCP connection can do.
type halfCloser struct {
	net.Conn
	halfClosed chan bool
}

func (c halfCloser) CloseWrite() error {
	close(c.halfClosed)
	return nil
}

// Close ends the sending, reads what the peer still sends, and closes the socket
// when the peer has hung up, or has been silent for a second, or after 5 s.
func TestCloseLingers(t *testing.T) {
	t.Parallel()
	for _, hangsUp := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			halfClosed := make(chan bool)
			ours, theirs, l := pipe(ctx, func(conn net.Conn) net.Conn { return halfCloser{conn, halfClosed} })
			defer ours.Close()
			begin := time.Now()
			go theirs.Close()
			<-halfClosed
			stop() // must not cut the lingering short
			time.Sleep(300 * time.Millisecond)
			if _, err := ours.Write([]byte("a late request")); err != nil {
				t.Errorf("nobody reads what the peer still sends: %v", err)
			}
			want := 1300 * time.Millisecond
			if hangsUp {
				ours.Close()
				want = 300 * time.Millisecond
			}
			l.Wait()
			if took := time.Since(begin); took != want {
				t.Errorf("Close took %v, want %v", took, want)
			}
			if err := theirs.Close(); err != net.ErrClosed {
				t.Errorf("second Close: %v, want net.ErrClosed", err)
			}
		})
	}
}
