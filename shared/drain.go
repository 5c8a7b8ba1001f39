package shared

import (
	"context"
	"errors"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

const (
	takeMax   = 5 * time.Second        // for a peer to take something
	idleMax   = time.Second            // for a peer that has taken everything to hang up
	lookEvery = 100 * time.Millisecond // at what it has taken
)

// errDraining is what Read returns while draining. To a *net.OpError net/http answers nothing.
var errDraining = &net.OpError{Op: "read", Err: errors.New("the server is stopping; this call was not executed")}

// stoppedError is the error at the end of Accept. rpc.Accept logs it, so it says that all is
// well.
type stoppedError struct{}

func (stoppedError) Error() string { return "stopped, with no call left in flight" }
func (stoppedError) Unwrap() error { return net.ErrClosed }

// DrainListener is a net.Listener that stops without cutting off a call in flight. When its
// context ends or it is closed, its connections let nothing more be read: net/rpc and net/http
// answer what they have read, and close. When the last connection is gone Accept returns, and
// so do the serving loops and http.Server's Close and, whatever its context, Shutdown.
//
// It waits as long as a method runs, and 5 s for a peer whose system takes nothing, as it may
// for one that reads less than some 20 kB/s. Linux tells what is left to take: there an idle
// client delays the end by 1 s, elsewhere by 5 s. Without CloseWrite the last replies may go.
//
// Draining ends the contexts of HTTP requests (http.TimeoutHandler then says 503 of an
// executed call), and replaces deadlines, which no other goroutine may set meanwhile. HTTP/2
// is not supported: calls in flight are lost. TLS inside fails with the first Write that takes
// 5 s.
type DrainListener struct {
	net.Listener
	ctx        context.Context // ends when draining begins
	drain      context.CancelFunc
	closeInner func() error
	accepting  sync.Mutex
	open       sync.WaitGroup
}

// NewDrainListener returns a listener around inner that drains when ctx ends.
func NewDrainListener(ctx context.Context, inner net.Listener) *DrainListener {
	l := &DrainListener{Listener: inner, closeInner: sync.OnceValue(inner.Close)}
	l.ctx, l.drain = context.WithCancel(ctx)
	context.AfterFunc(l.ctx, func() { l.closeInner() })
	return l
}

// Close begins to drain. It does not wait for the end of it, as Accept does.
func (l *DrainListener) Close() error {
	l.drain()
	return l.closeInner()
}

// Accept returns the next connection and, in the end, an error that is net.ErrClosed. Any
// other is logged, and tried again after 5 ms to 1 s (see TestAcceptGivesUpOnAnError).
func (l *DrainListener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	for pause := 5 * time.Millisecond; l.ctx.Err() == nil; pause = min(2*pause, time.Second) {
		conn, err := l.Listener.Accept()
		if err == nil {
			l.open.Add(1)
			c := &drainConn{Conn: conn, listener: l, look: lookEvery}
			if outq(conn) < 0 { // not told, so one long look
				c.look = takeMax
			}
			c.forget = context.AfterFunc(l.ctx, func() { // for what waits just then
				c.SetReadDeadline(time.Now())
				c.SetWriteDeadline(time.Now().Add(c.look))
			})
			return c, nil
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

type drainConn struct {
	net.Conn
	listener *DrainListener
	look     time.Duration // how long a Write waits before it looks
	forget   func() bool   // takes back what is to happen when draining begins
	closing  sync.Once
}

func (c *drainConn) draining() bool { return c.listener.ctx.Err() != nil }

func (c *drainConn) Read(p []byte) (n int, err error) {
	if !c.draining() {
		n, err = c.Conn.Read(p)
	}
	if c.draining() {
		return 0, errDraining
	}
	return n, err
}

func (c *drainConn) Write(p []byte) (written int, err error) {
	for idle := time.Duration(0); idle < takeMax; idle += c.look {
		if c.draining() {
			c.SetWriteDeadline(time.Now().Add(c.look))
		}
		n, err := c.Conn.Write(p[written:])
		if written += n; !c.draining() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if n > 0 {
			idle = -c.look
		}
	}
	c.Conn.Close() // or each reply to come would wait as long
	return written, os.ErrDeadlineExceeded
}

// CloseWrite is for net/http, too.
func (c *drainConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close, while draining, waits until the peer hangs up, or is silent with everything taken. It
// discards what still comes: a socket closed with unread requests may destroy its replies.
func (c *drainConn) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		c.forget()
		if c.draining() && c.CloseWrite() == nil {
			unread, left, since := make([]byte, 4096), -1, time.Now()
			for time.Since(since) < idleMax || left != 0 && time.Since(since) < takeMax {
				c.SetReadDeadline(time.Now().Add(lookEvery))
				if _, err := c.Conn.Read(unread); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				if now := outq(c.Conn); now != left {
					left, since = now, time.Now()
				}
			}
		}
		err = c.Conn.Close()
		c.listener.open.Done()
	})
	return err
}
