package shared

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"time"
)

const (
	idleMax = time.Second            // for a peer that has taken everything to hang up
	takeMax = 5 * time.Second        // for a peer to take something
	lookMin = 250 * time.Millisecond // between two looks at what it has taken
)

// stopped is the error at the end of Accept. rpc.Accept logs it, so it says that all is well.
type stopped struct{}

func (stopped) Error() string { return "stopped, with no call left in flight" }
func (stopped) Unwrap() error { return net.ErrClosed }

// DrainListener is a net.Listener that stops without cutting off a call in flight. When its
// context ends or it is closed, every client seems, to the server, to have hung up its sending
// side: net/rpc and net/http answer what they have read, and close. When the last connection
// is gone Accept returns, and so do the serving loops and http.Server's Shutdown and Close.
//
// It waits as long as a method runs, and 5 s for a peer that takes nothing. Linux tells what
// is still to be taken: there an idle client delays the end by 1 s, elsewhere by up to 5 s.
//
// Draining ends the contexts of HTTP requests, so that http.TimeoutHandler says 503 of a call
// that was executed; half a gob request is answered "unexpected EOF". HTTP/2 is not supported:
// its server forgets the calls in flight. TLS belongs around this listener: a tls.Conn inside
// fails with its first late Write. Without CloseWrite, closing may cost the last replies.
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
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		conn, err := l.Listener.Accept()
		switch {
		case err == nil && l.ctx.Err() == nil:
			l.open.Add(1)
			c := &drainConn{Conn: conn, listener: l, look: lookMin}
			if outq(conn) < 0 { // not told, so one long look
				c.look = takeMax
			}
			c.forget = context.AfterFunc(l.ctx, c.wake)
			return c, nil
		case err == nil:
			conn.Close() // it came together with the end
		case errors.Is(err, net.ErrClosed):
			l.Close()
		default:
			log.Printf("%v; trying again in %v", err, pause)
		}
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
			l.open.Wait()
			return nil, stopped{}
		}
	}
}

type drainConn struct {
	net.Conn
	listener *DrainListener
	look     time.Duration // how long a Write waits before it looks at what was taken
	forget   func() bool   // takes wake back
	reading  sync.Mutex    // held by Read, and by linger
	closing  sync.Once
}

func (c *drainConn) draining() bool { return c.listener.ctx.Err() != nil }

// wake ends a Read that waits, and makes a Write that waits look.
func (c *drainConn) wake() {
	c.SetReadDeadline(time.Now())
	c.SetWriteDeadline(time.Now().Add(c.look))
}

func (c *drainConn) Read(p []byte) (n int, err error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if !c.draining() {
		n, err = c.Conn.Read(p)
	}
	if n == 0 && c.draining() {
		err = io.EOF
	}
	return n, err
}

func (c *drainConn) Write(p []byte) (written int, err error) {
	for taken, idle := 0, time.Duration(0); idle < takeMax; idle += c.look {
		if c.draining() {
			c.SetWriteDeadline(time.Now().Add(c.look))
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if !c.draining() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		if now := written - max(outq(c.Conn), 0); now != taken {
			taken, idle = now, -c.look
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

func (c *drainConn) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		c.forget()
		if c.draining() && c.CloseWrite() == nil {
			c.linger()
		}
		err = c.Conn.Close()
		c.listener.open.Done()
	})
	return err
}

// linger waits until the peer has taken everything and hung up. It discards what still comes:
// to close a socket with unread requests resets it, and that can destroy replies on their way.
func (c *drainConn) linger() {
	c.wake() // so that a Read returns; after it there is none
	c.reading.Lock()
	defer c.reading.Unlock()
	unread, left := make([]byte, 4096), outq(c.Conn)
	for taken, heard := time.Now(), time.Now(); time.Since(taken) < takeMax; {
		c.SetReadDeadline(time.Now().Add(lookMin))
		n, err := c.Conn.Read(unread)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if now := outq(c.Conn); now != left {
			left, taken = now, time.Now()
		}
		if n > 0 {
			heard = time.Now()
		}
		if left == 0 && min(time.Since(taken), time.Since(heard)) >= idleMax {
			return
		}
	}
}
