package shared

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // these tests wait more than they work
	os.Exit(m.Run())
}

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

// Fill replies with as many bytes as it is sent, at once.
func (g *Gate) Fill(sent []byte, reply *[]byte) error {
	g.executed.Add(1)
	*reply = sent
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

// within fails the test unless c is closed, or sends, in time.
func within[T any](t *testing.T, limit time.Duration, what string, c <-chan T) T {
	t.Helper()
	select {
	case value := <-c:
		return value
	case <-time.After(limit):
		t.Fatalf("%s: not within %v", what, limit)
		panic("unreachable")
	}
}

// drainServer is a server that runs until it has drained.
type drainServer struct {
	*DrainListener
	*Gate
	read  *atomic.Int64 // bytes, of all connections
	ended chan bool     // closed when its serving loop has returned
}

func newDrainServer(t *testing.T, kind string) *drainServer {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	read := new(atomic.Int64)
	s := &drainServer{
		NewDrainListener(t.Context(), smallBuffers{inner, read}),
		&Gate{entered: make(chan bool, 100), release: make(chan bool)},
		read,
		make(chan bool),
	}
	server := rpc.NewServer()
	if err := server.Register(s.Gate); err != nil {
		t.Fatal(err)
	}
	go func() {
		served[kind].serve(s, server)
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.DrainListener.Close()
		within(t, 20*time.Second, "the end of the server", s.ended)
	})
	return s
}

func TestDrainingAnswersWhatIsInFlight(t *testing.T) {
	for kind, with := range served {
		t.Run(kind, func(t *testing.T) {
			s := newDrainServer(t, kind)
			client, err := with.dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			const n = 10
			replies := make([]int, n)
			done := make(chan *rpc.Call, n)
			for i := range n {
				client.Go("Gate.Pass", i, &replies[i], done)
			}
			for range n {
				within(t, 10*time.Second, "a call in flight", s.entered)
			}
			if err := s.DrainListener.Close(); err != nil {
				t.Errorf("Close: %v, want nil", err)
			}
			select {
			case <-s.ended:
				t.Error("the server ended with calls in flight")
			case <-time.After(100 * time.Millisecond):
			}
			close(s.release)
			for range n {
				if call := within(t, 10*time.Second, "a reply", done); call.Error != nil {
					t.Errorf("call in flight: %v, want a reply", call.Error)
				}
			}
			for i, reply := range replies {
				if reply != 2*i {
					t.Errorf("Pass(%d) = %d, want %d", i, reply, 2*i)
				}
			}
			client.Close()
			within(t, 900*time.Millisecond, "the end of the server, when its client has hung up", s.ended)
			if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) || err.Error() != "stopped, with no call left in flight" {
				t.Errorf("Accept at the end: %v, want net.ErrClosed, and that all is well", err)
			}
			t.Logf("%s: %d calls in flight when draining began, %[2]d answered", kind, n)
		})
	}
}

// The counts agree only if every reply that is written arrives.
func TestDrainingUnderLoadLosesNothing(t *testing.T) {
	for kind, with := range served {
		t.Run(kind, func(t *testing.T) {
			s := newDrainServer(t, kind)
			var answered atomic.Int64
			var callers sync.WaitGroup
			for range 8 {
				client, err := with.dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				var inFlight sync.WaitGroup
				for range 16 {
					inFlight.Go(func() {
						for {
							var reply []byte
							if client.Call("Gate.Fill", []byte("x"), &reply) != nil {
								return
							}
							if answered.Add(1) == 5000 {
								s.DrainListener.Close()
							}
						}
					})
				}
				callers.Go(func() {
					inFlight.Wait()
					client.Close()
				})
			}
			within(t, 30*time.Second, "the end of the server", s.ended)
			callers.Wait()
			if executed := s.executed.Load(); executed != answered.Load() || executed < 5000 {
				t.Errorf("%d calls executed, %d answered; want as many, and at least 5000", executed, answered.Load())
			}
			t.Logf("%s: as many calls answered as executed, while 128 callers never paused", kind)
		})
	}
}

// smallBuffers is a listener of connections for which the kernel holds little, and whose
// Reads are counted.
type smallBuffers struct {
	net.Listener
	read *atomic.Int64 // bytes
}

type countedConn struct {
	*net.TCPConn
	read *atomic.Int64
}

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	return countedConn{tcp, l.read}, tcp.SetWriteBuffer(64 << 10)
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// A peer that reads slowly, or begins late, gets every reply, also when it has sent requests
// that nobody will read; one that takes nothing for 5 s is given up; one that has taken
// everything is waited for as long as it takes to know that it will say no more.
func TestDrainingWaitsAsLongAsThePeerTakesSomething(t *testing.T) {
	t.Parallel() // real time passes
	for _, row := range []struct {
		name     string
		begin    time.Duration // after the signal
		pause    time.Duration // before each read of 20,000 bytes
		gap      time.Duration // once, in the middle
		silent   bool          // never reads
		more     bool          // sends one more request at the end
		min, max time.Duration // until the server has ended
	}{
		{name: "begins late", begin: 1500 * time.Millisecond, more: true, min: 1500 * time.Millisecond, max: 9 * time.Second},
		{name: "reads slowly", pause: 40 * time.Millisecond, more: true, min: time.Second, max: 20 * time.Second},
		{name: "pauses in the middle", gap: 2 * time.Second, min: 2 * time.Second, max: 12 * time.Second},
		{name: "never reads", silent: true, min: 4900 * time.Millisecond, max: 7 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS != "linux" {
				row.max = time.Minute // time alone tells
			}
			const calls, size = 20, 50_000
			s := newDrainServer(t, "gob")
			conn, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
				t.Fatal(err)
			}
			// Requests as rpc.Client writes them. All are executed.
			var requests bytes.Buffer
			encoder := gob.NewEncoder(&requests)
			for i := range calls {
				encoder.Encode(&rpc.Request{ServiceMethod: "Gate.Fill", Seq: uint64(i)})
				encoder.Encode(make([]byte, size))
			}
			if _, err := conn.Write(requests.Bytes()); err != nil {
				t.Fatal(err)
			}
			for begin := time.Now(); s.executed.Load() < calls; runtime.Gosched() {
				if time.Since(begin) > 30*time.Second {
					t.Fatalf("%d of %d calls are executed within 30s", s.executed.Load(), calls)
				}
			}
			begin := time.Now()
			s.DrainListener.Close()
			if row.more {
				conn.Write([]byte("one more request, which nobody reads"))
			}
			got := make(chan int, 1)
			if !row.silent {
				go func() {
					time.Sleep(row.begin) // a peer that takes its time
					decoder, n := gob.NewDecoder(slowReader{conn, row.pause}), 0
					for ; ; n++ {
						var response rpc.Response
						var reply []byte
						if decoder.Decode(&response) != nil || decoder.Decode(&reply) != nil || len(reply) != size {
							break
						}
						if n == calls/2 {
							time.Sleep(row.gap)
						}
					}
					got <- n
					conn.Close()
				}()
				n := within(t, 30*time.Second, "the replies", got)
				if n != calls {
					t.Errorf("%d of %d replies arrived", n, calls)
				}
				t.Logf("%d of %d replies arrived", n, calls)
			}
			within(t, 30*time.Second, "the end of the server", s.ended)
			if took := time.Since(begin); took < row.min || took > row.max {
				t.Errorf("draining took %v, want %v to %v", took, row.min, row.max)
			}
		})
	}
}

// slowReader pauses before it reads a little.
type slowReader struct {
	io.Reader
	pause time.Duration
}

func (r slowReader) Read(p []byte) (int, error) {
	time.Sleep(r.pause)
	return r.Reader.Read(p[:min(len(p), 20_000)])
}

func TestAnIdleClientDelaysTheEndByASecond(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells that the client has taken everything")
	}
	t.Parallel()
	s := newDrainServer(t, "gob")
	client, err := rpc.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Call("Gate.Fill", []byte("x"), new([]byte)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	s.DrainListener.Close()
	within(t, 10*time.Second, "the end of the server", s.ended)
	if took := time.Since(begin); took < 900*time.Millisecond || took > 1900*time.Millisecond {
		t.Errorf("draining took %v with a client that does not hang up, want about 1s", took)
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

func TestAcceptIsTriedAgainAfterAnyErrorButClosed(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 20)
		l := NewDrainListener(t.Context(), inner)
		for i := range 10 {
			inner <- &net.OpError{Op: "accept", Net: "tcp",
				Err: []error{syscall.EMFILE, syscall.ENOBUFS, syscall.EPERM, io.ErrUnexpectedEOF}[i%4]}
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
			t.Errorf("ten errors took %v, want 3.275s", took)
		}
		t.Log("after ten errors in 3.275s, a connection is accepted")
		conn.Close()
		if lines := strings.Count(logged.String(), "; trying again in "); lines != 10 {
			t.Errorf("logged %d lines, want one for each error:\n%s", lines, &logged)
		}
	})
}

func TestDrainingEndsThePauseAfterAnAcceptError(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 20)
		for range 20 {
			inner <- syscall.EMFILE
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
	})
}

func TestAListenerDrainsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		inner := make(fakeListener)
		if _, err := NewDrainListener(ctx, inner).Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept, while the context ends: %v, want net.ErrClosed", err)
		}
		if _, err := inner.Accept(); err != net.ErrClosed {
			t.Errorf("the listener inside: %v, want net.ErrClosed", err)
		}
	})
}

// Accept may be called by several goroutines, as that of any net.Listener.
func TestTwoLoopsMayAccept(t *testing.T) {
	for range 100 {
		inner := make(fakeListener, 2)
		l := NewDrainListener(t.Context(), inner)
		var loops sync.WaitGroup
		for range 2 {
			loops.Go(func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					conn.Close()
				}
			})
			ours, theirs := net.Pipe()
			defer ours.Close()
			inner <- theirs
		}
		l.Close()
		ended := make(chan bool)
		go func() { loops.Wait(); close(ended) }()
		within(t, 10*time.Second, "the end of two loops", ended)
	}
}

func TestAListenerThatIsClosedBeneathDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 1)
		ours, theirs := net.Pipe()
		inner <- theirs
		inner.Close()
		server := rpc.NewServer()
		server.Register(new(MathService))
		l := NewDrainListener(t.Context(), onlyAccept{inner})
		defer log.SetOutput(os.Stderr)
		server.Accept(quiet{l}) // returns when the connection is gone
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection is not closed: %v", err)
		}
	})
}

// onlyAccept is a listener that somebody else closes.
type onlyAccept struct{ fakeListener }

func (onlyAccept) Close() error { return nil }

// quiet keeps rpc.Accept from logging how it ended.
type quiet struct{ net.Listener }

func (q quiet) Accept() (net.Conn, error) {
	log.SetOutput(io.Discard)
	conn, err := q.Listener.Accept()
	if err == nil {
		log.SetOutput(os.Stderr)
	}
	return conn, err
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
	ctx := &counted{Context: t.Context()}
	inner := make(fakeListener, 1)
	l := NewDrainListener(ctx, inner)
	if ctx.waiting.Load() != 1 {
		t.Fatalf("%d wait for the end of the context, want 1", ctx.waiting.Load())
	}
	if err1, err2 := l.Close(), l.Close(); err1 != nil || err2 != nil {
		t.Errorf("Close: %v, and again: %v, want nil", err1, err2)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
	if waiting := ctx.waiting.Load(); waiting != 0 {
		t.Errorf("%d still wait for the end of the context, want none", waiting)
	}
}

// pipe returns the two ends of a connection, the second as a DrainListener has it.
func pipe(ctx context.Context, wrap func(net.Conn) net.Conn) (ours net.Conn, theirs net.Conn, l *DrainListener) {
	inner := make(fakeListener, 1)
	l = NewDrainListener(ctx, inner)
	ours, theirs = net.Pipe()
	if wrap != nil {
		theirs = wrap(theirs)
	}
	inner <- theirs
	theirs, _ = l.Accept()
	return ours, theirs, l
}

// Of a pipe nothing tells what was taken: time is all there is.
func TestAPeerThatTakesNothingIsGivenUpAfterFiveSeconds(t *testing.T) {
	for _, compute := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			ours, theirs, l := pipe(ctx, nil)
			defer ours.Close()
			go func() {
				time.Sleep(compute) // a method at work
				theirs.Write([]byte("a reply"))
				if _, err := theirs.Write([]byte("another")); err == nil {
					t.Error("the reply after one that was given up is written")
				}
				theirs.Close()
			}()
			time.Sleep(time.Minute) // no limit before
			stop()
			begin := time.Now()
			l.Accept()
			want := max(compute-time.Minute, 0) + 5*time.Second
			if took := time.Since(begin); took != want {
				t.Errorf("draining took %v, want %v", took, want)
			}
		})
	}
}

func TestAPeerThatTakesALittleIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ours, theirs, l := pipe(ctx, nil)
		defer ours.Close()
		go func() {
			if n, err := theirs.Write(make([]byte, 10)); n != 10 || err != nil {
				t.Errorf("wrote %d bytes of 10, %v", n, err)
			}
			theirs.Close()
		}()
		synctest.Wait()
		stop()
		for range 10 {
			time.Sleep(4 * time.Second)
			ours.Read(make([]byte, 1))
		}
		l.Accept()
	})
}

// stubborn is a connection that fails for good once a Write has come too late, like a tls.Conn.
type stubborn struct {
	net.Conn
	failed bool
}

func (c *stubborn) Write(p []byte) (n int, err error) {
	if c.failed {
		return 0, os.ErrDeadlineExceeded
	}
	n, err = c.Conn.Write(p)
	c.failed = err != nil
	return n, err
}

// Where nothing tells what was taken, a Write is not disturbed before its time is up.
func TestAWriteThatIsNotToldIsLeftAloneForFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, l := pipe(t.Context(), func(conn net.Conn) net.Conn { return &stubborn{Conn: conn} })
		defer ours.Close()
		go func() {
			time.Sleep(4 * time.Second)
			io.CopyN(io.Discard, ours, 10)
		}()
		l.Close()
		if n, err := theirs.Write(make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("a peer that begins after 4s: wrote %d bytes of 10, %v", n, err)
		}
		theirs.Close()
		l.Accept()
	})
}

func TestWhileDrainingReadFailsWhateverTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		ours, theirs, l := pipe(ctx, nil)
		defer ours.Close()
		theirs.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("before draining, Read with a deadline: %v, want os.ErrDeadlineExceeded", err)
		}
		theirs.SetDeadline(time.Time{})
		waiting := make(chan error)
		go func() {
			_, err := theirs.Read(make([]byte, 1))
			waiting <- err
		}()
		synctest.Wait()
		stop()
		if err := within(t, time.Second, "the end of a Read that waits", waiting); err != errDraining {
			t.Errorf("a Read that waits: %v, want %v", err, errDraining)
		}
		theirs.SetReadDeadline(time.Time{}) // as net/http does before a request
		if n, err := theirs.Read(make([]byte, 1)); n != 0 || err != errDraining {
			t.Errorf("Read while draining: %d, %v, want 0, %v", n, err, errDraining)
		}
		theirs.Close()
		l.Accept()
	})
}

func TestAConnectionThatComesWithTheEndReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := make(fakeListener, 1)
		l := NewDrainListener(t.Context(), onlyAccept{inner})
		ours, theirs := net.Pipe()
		defer ours.Close()
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
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != errDraining {
			t.Errorf("Read: %d, %v, want 0, %v", n, err, errDraining)
		}
		conn.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
		}
	})
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

// While draining, Close ends the sending, reads what the peer still sends, and closes when
// the peer has hung up, or after 5 s: nothing tells here what the peer has taken.
func TestCloseLingersOnlyWhileDraining(t *testing.T) {
	for _, row := range []struct {
		name                     string
		draining, hangsUp, sends bool
		want                     time.Duration
	}{
		{"not draining", false, false, false, 0},
		{"the peer hangs up", true, true, false, 300 * time.Millisecond},
		{"the peer is silent", true, false, false, 5 * time.Second},
		{"the peer sends without end", true, false, true, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				halfClosed := make(chan bool)
				ours, theirs, l := pipe(t.Context(), func(conn net.Conn) net.Conn { return halfCloser{conn, halfClosed} })
				if row.draining {
					l.Close()
				}
				begin := time.Now()
				var peer sync.WaitGroup
				defer peer.Wait()
				defer ours.Close()
				peer.Go(func() {
					if !row.draining {
						return
					}
					<-halfClosed
					time.Sleep(300 * time.Millisecond)
					if _, err := ours.Write([]byte("a late request")); err != nil {
						t.Errorf("nobody reads what the peer still sends: %v", err)
					}
					for row.sends {
						if _, err := ours.Write([]byte("more")); err != nil {
							return
						}
						time.Sleep(100 * time.Millisecond)
					}
					if row.hangsUp {
						ours.Close()
					}
				})
				if err := theirs.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if took := time.Since(begin); took < row.want || took > row.want+lookEvery {
					t.Errorf("Close took %v, want %v", took, row.want)
				}
				if err := theirs.Close(); err != net.ErrClosed {
					t.Errorf("second Close: %v, want net.ErrClosed", err)
				}
				if theirs.(*drainConn).forget() {
					t.Error("the listener remembers a connection that is closed")
				}
				if _, err := theirs.Read(make([]byte, 1)); err == nil {
					t.Error("Read after Close succeeds")
				}
				l.Close()
				l.Accept()
			})
		})
	}
}

// Close while draining must not share what the peer sends with a Read of the serving loop:
// net/rpc closes a connection, and reads on, when gob cannot encode a reply.
func TestReadFailsOnceCloseHasBegun(t *testing.T) {
	for _, draining := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs, l := pipe(t.Context(), func(conn net.Conn) net.Conn { return halfCloser{conn, make(chan bool)} })
			read := make(chan int, 1)
			go func() {
				n, _ := theirs.Read(make([]byte, 1))
				read <- n
			}()
			synctest.Wait()
			if draining {
				l.Close()
			}
			go theirs.Close()
			synctest.Wait()
			ours.SetDeadline(time.Now().Add(time.Second))
			ours.Write([]byte("a request"))
			if n := within(t, time.Second, "the end of Read", read); n != 0 {
				t.Errorf("draining %t: Read returned %d bytes after Close had begun, want 0", draining, n)
			}
			ours.Close()
			l.Close()
			l.Accept()
		})
	}
}

// To a net.Conn nothing tells where a request begins, and net/rpc answers half of one with
// the error of Read: so that says what has happened.
func TestHalfARequestIsAnsweredThatTheServerIsStopping(t *testing.T) {
	s := newDrainServer(t, "gob")
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var request bytes.Buffer
	encoder := gob.NewEncoder(&request)
	encoder.Encode(&rpc.Request{ServiceMethod: "Gate.Fill", Seq: 7})
	encoder.Encode(make([]byte, 100))
	half := request.Bytes()[:request.Len()-50]
	conn.Write(half)
	for begin := time.Now(); s.read.Load() < int64(len(half)); runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("the server has read %d bytes of %d within 10s", s.read.Load(), len(half))
		}
	}
	s.DrainListener.Close()
	var response rpc.Response
	if err := gob.NewDecoder(conn).Decode(&response); err != nil || response.Error != errDraining.Error() {
		t.Errorf("half a request: %+v, %v, want %v", response, err, errDraining)
	}
	if executed := s.executed.Load(); executed != 0 {
		t.Errorf("%d calls executed, want none", executed)
	}
	t.Logf("half a request: %q", response.Error)
}
