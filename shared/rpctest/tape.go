package rpctest

import (
	"net"
	"sync"
)

// Tape records the bytes that its connections send and receive. Its zero value is ready for
// use, also by several goroutines.
type Tape struct {
	mu             sync.Mutex
	sent, received []byte
}

// Conn returns conn with its bytes recorded.
func (t *Tape) Conn(conn net.Conn) net.Conn { return &tapedConn{conn, t} }

// Listener returns l with the bytes of its connections recorded.
func (t *Tape) Listener(l net.Listener) net.Listener { return tapedListener{l, t} }

// Take returns what has been sent and received since the last Take.
func (t *Tape) Take() (sent, received string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sent, received = string(t.sent), string(t.received)
	t.sent, t.received = nil, nil
	return sent, received
}

type tapedListener struct {
	net.Listener
	tape *Tape
}

func (l tapedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.tape.Conn(conn), nil
}

type tapedConn struct {
	net.Conn
	tape *Tape
}

func (c *tapedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tape.mu.Lock()
	defer c.tape.mu.Unlock()
	c.tape.received = append(c.tape.received, p[:n]...)
	return n, err
}

// Write records first, for the peer may have p, and have answered it, before Write returns.
func (c *tapedConn) Write(p []byte) (int, error) {
	c.tape.mu.Lock()
	c.tape.sent = append(c.tape.sent, p...)
	c.tape.mu.Unlock()
	return c.Conn.Write(p)
}
