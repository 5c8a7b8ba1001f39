// Package drain has a net.Listener that stops without cutting off a call in flight. net/rpc has
// nothing for this, and http.Server.Shutdown does not know of RPC connections.
package drain

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	stallTimeout  = 5 * time.Second        // how long a peer may take nothing of what is sent to it
	lingerTimeout = time.Second            // how long a peer that has taken everything may take to hang up
	pollInterval  = 100 * time.Millisecond // how often to look at what it has taken
)

// errDraining is what Read returns while draining. It is a *net.OpError because net/http
// answers nothing to those.
var errDraining = &net.OpError{
	Op:  "read",
	Err: errors.New("the server is stopping; this call was not executed"),
}

// stoppedError is the error at the end of Accept. rpc.Accept logs it, so it says that all is
// well.
type stoppedError struct{}

func (stoppedError) Error() string { return "stopped, with no call left in flight" }
func (stoppedError) Unwrap() error { return net.ErrClosed }

// OnInterrupt returns a listener around inner that drains on Ctrl-C or SIGTERM. A second
// signal ends the program at once.
func OnInterrupt(inner net.Listener) *Listener {
	signals := make(chan os.Signal, 2) // room for both, however soon they come
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, drain := context.WithCancel(context.Background())
	go func() {
		<-signals
		drain()
		second := <-signals
		log.Fatalf("%v: stopped at once; calls in flight are lost", second)
	}()
	return New(ctx, inner)
}

// Listener is a net.Listener that stops without cutting off a call in flight. When its context
// ends or it is closed, its connections let nothing more be read. net/rpc and net/http then
// answer what they have read, and close. When the last connection is gone, Accept returns, and
// with it the serving loop, and the Close or Shutdown of an http.Server.
//
// It waits for a method as long as it runs, and up to 5 s for a peer whose kernel acknowledges
// nothing; a peer that reads slower than about 20 kB/s can look like that. An idle client delays
// the end by 1 s on Linux, which tells what is left to take, and by 5 s elsewhere. A connection
// without CloseWrite does not wait, and its last replies may be lost.
//
// Draining ends the contexts of HTTP requests: http.TimeoutHandler answers 503 to a call that is
// executed. No other goroutine may set deadlines while it lasts. Calls over HTTP/2 are lost. Put
// tls.NewListener around it: inside of it, TLS fails with the first Write that takes 5 s.
type Listener struct {
	net.Listener
	ctx        context.Context // ends when draining begins
	drain      context.CancelFunc
	closeInner func() error
	accepting  sync.Mutex     // so that open.Add never races with open.Wait
	open       sync.WaitGroup // the connections
}

// New returns a listener around inner that drains when ctx ends.
func New(ctx context.Context, inner net.Listener) *Listener {
	l := &Listener{Listener: inner, closeInner: sync.OnceValue(inner.Close)}
	l.ctx, l.drain = context.WithCancel(ctx)
	context.AfterFunc(l.ctx, func() { l.closeInner() })
	return l
}

// Close begins to drain. It does not wait for the end of it, as Accept does.
func (l *Listener) Close() error {
	l.drain()
	return l.closeInner()
}

// Accept returns the next connection and, in the end, an error that is net.ErrClosed. It logs
// any other error and tries again, after 5 ms at first and at most 1 s: rpc.Accept would
// return (TestAcceptGivesUpOnAnError, in tcp).
func (l *Listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for pause := 5 * time.Millisecond; l.ctx.Err() == nil; pause = min(2*pause, time.Second) {
		inner, err := l.Listener.Accept()
		if err == nil {
			return l.newConn(inner), nil
		}
		if errors.Is(err, net.ErrClosed) {
			break
		}
		log.Printf("%v; trying again in %v", err, pause)
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
		}
	}
	l.Close()
	l.open.Wait()
	return nil, stoppedError{}
}

type conn struct {
	net.Conn
	listener *Listener
	poll     time.Duration // how long a Write waits before it looks at what the peer has taken
	stop     func() bool   // takes back what is to happen when draining begins
	writing  sync.Mutex    // so that the parts of one Write stay together
	closing  sync.Once
}

func (l *Listener) newConn(inner net.Conn) *conn {
	c := &conn{Conn: inner, listener: l, poll: pollInterval}
	if outq(inner) < 0 { // nothing tells what the peer has taken, so one look at the end has to do
		c.poll = stallTimeout
	}
	l.open.Add(1)
	c.stop = context.AfterFunc(l.ctx, func() { // for a Read or a Write that waits just then
		c.SetReadDeadline(time.Now())
		c.SetWriteDeadline(time.Now().Add(c.poll))
	})
	return c
}

func (c *conn) draining() bool { return c.listener.ctx.Err() != nil }

// Read ignores deadlines while draining: net/http sets them anew before each request.
func (c *conn) Read(p []byte) (n int, err error) {
	if !c.draining() {
		n, err = c.Conn.Read(p)
	}
	if c.draining() {
		return 0, errDraining
	}
	return n, err
}

// Write, while draining, goes on as long as the peer takes something within stallTimeout.
func (c *conn) Write(p []byte) (written int, _ error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	idle := time.Duration(0) // how long the peer has taken nothing
	for {
		if c.draining() {
			c.SetWriteDeadline(time.Now().Add(c.poll))
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if !c.draining() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		idle += c.poll
		if n > 0 {
			idle = 0
		}
		if idle >= stallTimeout {
			c.Conn.Close() // or each reply to come would wait as long
			return written, os.ErrDeadlineExceeded
		}
	}
}

// CloseWrite ends the sending, as that of a *net.TCPConn. net/http looks for it, too.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close lingers while draining. A second Close returns net.ErrClosed.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		c.stop()
		if c.draining() && c.CloseWrite() == nil {
			c.linger()
		}
		err = c.Conn.Close()
		c.listener.open.Done()
	})
	return err
}

// linger waits until the peer hangs up, or has taken everything and is silent. It discards
// what still comes: a socket that is closed with unread requests may destroy its last replies.
func (c *conn) linger() {
	unread := make([]byte, 4096)
	left, since := -1, time.Now() // what the peer has still to take, and since when it is as much
	for {
		c.SetReadDeadline(time.Now().Add(pollInterval))
		_, err := c.Conn.Read(unread)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if now := outq(c.Conn); now != left {
			left, since = now, time.Now()
		}
		patience := stallTimeout
		if left == 0 {
			patience = lingerTimeout
		}
		if time.Since(since) >= patience {
			return
		}
	}
}
