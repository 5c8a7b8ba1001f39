package shared

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
	"time"
)

const (
	retryMin  = 5 * time.Millisecond // pause after the first temporary Accept error
	retryMax  = time.Second          // and the longest, both as in net/http
	lingerMax = time.Second          // for a peer that is silent to hang up after Close
	takeMax   = 5 * time.Second      // for the peer to take a reply while draining
)

var errDraining = fmt.Errorf("draining the calls in flight: %w", net.ErrClosed)

// DrainListener is a net.Listener that stops without cutting off a call in
// flight, for which net/rpc has no means of its own. It begins to drain when its
// context ends, when it is closed, or when Accept fails for good: it accepts and
// reads nothing more, every request already read is answered, and then the server
// closes the connection. rpc.Accept, http.Server and an accept loop all work on it;
// but not HTTP/2, whose server forgets the calls in flight when it cannot read.
//
// It waits as long as a method runs; only a peer that does not take a reply within
// 5 s is given up. Its methods may be called concurrently.
type DrainListener struct {
	net.Listener
	draining chan struct{} // closed when draining begins
	open     sync.WaitGroup

	mu    sync.Mutex // guards conns, err and the beginning of draining
	conns map[*drainConn]bool
	err   error // for which Accept failed for good
}

// NewDrainListener returns a listener around inner that drains when ctx ends.
func NewDrainListener(ctx context.Context, inner net.Listener) *DrainListener {
	l := &DrainListener{Listener: inner, draining: make(chan struct{}), conns: make(map[*drainConn]bool)}
	context.AfterFunc(ctx, func() { l.Close() })
	return l
}

// Accept waits for the next connection. A temporary error, such as too many open
// files, is logged and tried again after a pause that grows from 5 ms to 1 s;
// rpc.Accept would return on it (TestAcceptGivesUpOnAnError). When draining has
// begun, the error is net.ErrClosed.
func (l *DrainListener) Accept() (net.Conn, error) {
	for pause := retryMin; ; pause = min(2*pause, retryMax) {
		conn, err := l.Listener.Accept()
		if err == nil {
			return l.remember(conn)
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			if l.drain(err) {
				return nil, err
			}
			return nil, errDraining
		}
		log.Printf("%v; trying again in %v", err, pause)
		select {
		case <-time.After(pause):
		case <-l.draining:
			return nil, errDraining
		}
	}
}

// Close begins to drain. It does not wait for the end of it, as Wait does.
func (l *DrainListener) Close() error {
	l.drain(nil)
	return l.Listener.Close()
}

// Wait returns when draining has begun and the last connection is gone. Its error
// is the one for which Accept failed for good, and nil if there was none.
func (l *DrainListener) Wait() error {
	<-l.draining
	l.open.Wait()
	return l.err
}

func (l *DrainListener) remember(inner net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		inner.Close()
		return nil, errDraining
	}
	c := &drainConn{Conn: inner, listener: l}
	l.conns[c] = true
	l.open.Add(1)
	return c, nil
}

func (l *DrainListener) forget(c *drainConn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.open.Done()
}

// drain begins to drain and reports whether that had not begun before.
func (l *DrainListener) drain(cause error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return false
	}
	for c := range l.conns {
		c.drain()
	}
	l.conns, l.err = nil, cause
	close(l.draining)
	return true
}

// drainConn is a connection that can be told to read nothing more.
type drainConn struct {
	net.Conn
	listener *DrainListener
	closing  sync.Once

	mu    sync.Mutex
	final bool // draining or closing: from now on its deadlines are its own
}

// drain ends the read loop of net/rpc or net/http with a timeout. Either then
// answers what is in flight and closes the connection.
func (c *drainConn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.final {
		c.final = true
		c.Conn.SetReadDeadline(time.Now())
		c.Conn.SetWriteDeadline(time.Now().Add(takeMax)) // for a Write that is blocked already
	}
}

// Write gives up on a peer that does not read, but only while draining.
func (c *drainConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.final {
		c.Conn.SetWriteDeadline(time.Now().Add(takeMax))
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// SetDeadline and SetReadDeadline do nothing while draining, for net/http would
// reset the deadline before each request and in Hijack, and read on.
func (c *drainConn) SetDeadline(t time.Time) error { return c.set(c.Conn.SetDeadline, t) }

func (c *drainConn) SetReadDeadline(t time.Time) error { return c.set(c.Conn.SetReadDeadline, t) }

func (c *drainConn) set(deadline func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.final {
		return nil
	}
	return deadline(t)
}

// Close lets the peer hang up first: until it has been silent for a second, and for
// 5 s at most. Closing a socket that holds unread requests resets it, and a reset
// can destroy replies on their way.
func (c *drainConn) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		c.mu.Lock()
		c.final = true
		c.mu.Unlock()
		if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			unread, end := make([]byte, 4096), time.Now().Add(takeMax)
			for reading := error(nil); reading == nil && time.Now().Before(end); {
				c.Conn.SetReadDeadline(time.Now().Add(lingerMax))
				_, reading = c.Conn.Read(unread)
			}
		}
		err = c.Conn.Close()
		c.listener.forget(c)
	})
	return err
}
