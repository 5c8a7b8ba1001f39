// Package drain has a net.Listener that stops without cutting off a call in flight. net/rpc has
// nothing for this, and http.Server.Shutdown does not know of RPC connections.
package drain

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// errDraining is what Read returns while draining. (net/http answers nothing to an OpError of a read.)
var errDraining = &net.OpError{Op: "read", Err: errors.New("the server is stopping; this call was not executed")}

// stoppedError is the error at the end of Accept. rpc.Accept logs it, so it says that all is well.
type stoppedError struct{}

func (stoppedError) Error() string { return "stopped, with no call left in flight" }
func (stoppedError) Unwrap() error { return net.ErrClosed }

// OnInterrupt is New, and drains on Ctrl-C or SIGTERM. A second signal ends the program at once.
func OnInterrupt(inner net.Listener) *Listener {
	l := New(inner)
	signals := make(chan os.Signal, 2) // room for both, however soon they come
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		l.Close()
		second := <-signals
		log.Fatalf("%v: stopped at once; calls in flight are lost", second)
	}()
	return l
}

// Listener, when it is closed, lets its connections read nothing more. net/rpc and net/http then
// answer what they have read, and close. When the last connection is gone, Accept returns, and with
// it the serving loop, and the Close or Shutdown of an http.Server.
//
// It waits for a method as long as it runs. It gives up a peer whose kernel acknowledges nothing for
// 5 to 10 s; one that reads slower than about 30 kB/s can look like that. An idle client delays the end
// by 1 s on Linux, by 5 s elsewhere. The contexts of HTTP requests end at once. The last replies of a
// connection without CloseWrite may be lost. Calls over HTTP/2 are lost. Put tls.NewListener around it.
type Listener struct {
	net.Listener
	draining  context.Context // ends when draining begins
	drain     context.CancelFunc
	accepting sync.Mutex     // so that open.Add never races with open.Wait
	open      sync.WaitGroup // the connections
	// For a peer that takes nothing of what is sent to it, and for one that has taken everything.
	stallTimeout, lingerTimeout time.Duration
}

// New returns a listener around inner that drains when it is closed.
func New(inner net.Listener) *Listener {
	l := &Listener{Listener: inner, stallTimeout: 5 * time.Second, lingerTimeout: time.Second}
	l.draining, l.drain = context.WithCancel(context.Background())
	return l
}

// Close begins to drain. It does not wait for the end of it, as Accept does.
func (l *Listener) Close() error {
	l.drain()
	return l.Listener.Close()
}

// Accept returns the next connection and, in the end, an error that wraps net.ErrClosed. It logs any
// other error and tries again, where rpc.Accept would return (TestAcceptGivesUpOnAnError, in tcp).
func (l *Listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for pause := 5 * time.Millisecond; l.draining.Err() == nil; pause = min(2*pause, time.Second) {
		inner, err := l.Listener.Accept()
		if err == nil {
			return l.newConn(inner), nil
		}
		if errors.Is(err, net.ErrClosed) {
			break
		}
		log.Printf("%v; trying again in %v", err, pause)
		time.Sleep(pause)
	}
	l.drain()
	l.open.Wait()
	return nil, stoppedError{}
}

type conn struct {
	net.Conn
	listener *Listener
	writing  sync.Mutex // so that the parts of one Write stay together
	close    func() error
}

func (l *Listener) newConn(inner net.Conn) *conn {
	c := &conn{Conn: inner, listener: l}
	l.open.Add(1)
	stop := context.AfterFunc(l.draining, func() { // for a Read or a Write that waits just then
		c.SetReadDeadline(time.Now())
		c.SetWriteDeadline(time.Now().Add(l.stallTimeout))
	})
	c.close = sync.OnceValue(func() error {
		defer l.open.Done()
		stop()
		left := outq(inner) // before CloseWrite, of which the peer has to take a byte, too
		if c.draining() && c.CloseWrite() == nil {
			c.linger(left)
		}
		return inner.Close()
	})
	return c
}

func (c *conn) draining() bool { return c.listener.draining.Err() != nil }

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
	for {
		if c.draining() {
			c.SetWriteDeadline(time.Now().Add(c.listener.stallTimeout))
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if !c.draining() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if n == 0 {
			c.Conn.Close() // or each reply to come would wait as long
			return written, err
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

// Close lingers while draining. A second Close waits for the first, and returns the same.
func (c *conn) Close() error { return c.close() }

// linger waits until the peer hangs up, has had everything for lingerTimeout, or has taken nothing
// for stallTimeout. It discards what still comes: a socket that is closed with unread requests may
// destroy its last replies.
func (c *conn) linger(left int) {
	for since := time.Now(); ; { // since then the peer has taken nothing of what is left
		c.SetReadDeadline(time.Now().Add(c.listener.lingerTimeout))
		if _, err := io.Copy(io.Discard, c.Conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if now := outq(c.Conn); now != left {
			left, since = now, time.Now()
		} else if left == 0 || time.Since(since) >= c.listener.stallTimeout {
			return
		}
	}
}
