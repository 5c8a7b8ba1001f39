package drain

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// stubborn fails for good once a Write has come too late, like a tls.Conn.
type stubborn struct {
	net.Conn
	failed error
}

func (c *stubborn) Write(p []byte) (n int, err error) {
	if c.failed == nil {
		n, c.failed = c.Conn.Write(p)
	}
	return n, c.failed
}

// A Write is not disturbed for 5 s, because TLS would not survive it.
func TestAPeerThatTakesNothingIsGivenUp(t *testing.T) {
	const late = 4900 * time.Millisecond
	likeTLS := func(conn net.Conn) net.Conn { return &stubborn{Conn: conn} }
	var saw rpctest.Transcript
	saw.Add("the peer takes nothing: %s", write(t, plain))
	saw.Add("it takes a byte each 4.9s: %s", write(t, plain, late, late, late, late))
	saw.Add("it takes one byte after 4.9s: %s", write(t, plain, late))
	saw.Add("like TLS, it takes one byte after 4.9s: %s", write(t, likeTLS, late))
	saw.Add("like TLS, it takes all after 4.9s: %s", write(t, likeTLS, late, 0, 0, 0))
	saw.Want(t, `
the peer takes nothing: 0 of 4 bytes within 5s, write pipe: i/o timeout
it takes a byte each 4.9s: 4 of 4 bytes within 19.6s, <nil>
it takes one byte after 4.9s: 1 of 4 bytes within 10s, write pipe: i/o timeout
like TLS, it takes one byte after 4.9s: 1 of 4 bytes within 5s, write pipe: i/o timeout
like TLS, it takes all after 4.9s: 4 of 4 bytes within 4.9s, <nil>`)
}

// stuttering takes one byte of each Write, as if the deadline had come then.
type stuttering struct {
	net.Conn
	lock  sync.Mutex
	taken strings.Builder
}

func (c *stuttering) Write(p []byte) (int, error) {
	runtime.Gosched() // gives way to another Write
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.taken.WriteByte(p[0]); len(p) > 1 {
		return 1, os.ErrDeadlineExceeded
	}
	return 1, nil
}

// A Write may need several attempts while draining, and a net.Conn has to bear two at a time.
func TestTheBytesOfOneWriteStayTogether(t *testing.T) {
	var c stuttering
	_, theirs, l := pipe(t, func(conn net.Conn) net.Conn { c.Conn = conn; return &c })
	n, err := theirs.Write([]byte("ab"))
	var saw rpctest.Transcript
	saw.Add("not draining, and its time is over: %d of 2 bytes, %v", n, err)
	c.taken.Reset()
	l.Close()
	var writes sync.WaitGroup
	for i := range 4 {
		writes.Go(func() { theirs.Write(bytes.Repeat([]byte{"abcd"[i]}, 100)) })
	}
	writes.Wait()
	theirs.Close()
	l.Accept()
	pieces := 1
	for i := range c.taken.Len() - 1 {
		if c.taken.String()[i] != c.taken.String()[i+1] {
			pieces++
		}
	}
	saw.Add("draining, four Writes of 100 bytes: %d bytes in %d pieces", c.taken.Len(), pieces)
	saw.Want(t, `
not draining, and its time is over: 1 of 2 bytes, i/o timeout
draining, four Writes of 100 bytes: 400 bytes in 4 pieces`)
}

// net/http sets deadlines anew. Net/rpc closes a connection, and reads on, when gob cannot
// encode a reply: it must not take what the lingering Close is to discard.
func TestNothingIsReadWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		ours, theirs, l := pipe(t, func(conn net.Conn) net.Conn { return &halfCloser{Conn: conn} })
		read := func(when string) {
			n, err := theirs.Read(make([]byte, 1))
			saw.Add("%s: %d bytes, %v", when, n, err)
		}
		theirs.SetReadDeadline(time.Now().Add(time.Minute))
		read("not draining, with a deadline")
		theirs.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { l.Close() })
		read("when draining begins")
		theirs.SetReadDeadline(time.Time{})
		read("draining, without a deadline")
		go theirs.Close()
		go ours.Write([]byte("a request"))
		synctest.Wait() // Close lingers
		read("while Close lingers")
		ours.Close()
		l.Accept()
		saw.Want(t, `
not draining, with a deadline: 0 bytes, read pipe: i/o timeout
when draining begins: 0 bytes, read: the server is stopping; this call was not executed
draining, without a deadline: 0 bytes, read: the server is stopping; this call was not executed
while Close lingers: 0 bytes, read: the server is stopping; this call was not executed`)
	})
}

// While draining, Close ends the sending, reads what the peer still sends, and closes when
// the peer has hung up, or after 5 s: nothing tells here what the peer has taken.
func TestCloseLingersOnlyWhileDraining(t *testing.T) {
	silent := func(net.Conn) {}
	hangsUp := func(ours net.Conn) {
		time.Sleep(300 * time.Millisecond)
		ours.Write([]byte("a late request"))
		ours.Close()
	}
	sendsOn := func(ours net.Conn) {
		for {
			if _, err := ours.Write([]byte("a late request")); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	var saw rpctest.Transcript
	for _, row := range []struct {
		name                        string
		draining, halfCloses, reset bool
		peer                        func(ours net.Conn)
	}{
		{"not draining", false, true, false, silent},
		{"draining", true, true, false, silent},
		{"draining, the peer hangs up after 300ms", true, true, false, hangsUp},
		{"draining, a reset after 300ms", true, true, true, hangsUp},
		{"draining, the peer sends without end", true, true, false, sendsOn},
		{"draining, without CloseWrite", true, false, false, silent},
	} {
		synctest.Test(t, func(t *testing.T) {
			half := halfCloser{reset: row.reset}
			ours, theirs, l := pipe(t, func(conn net.Conn) net.Conn {
				if half.Conn = conn; row.halfCloses {
					return &half
				}
				return conn
			})
			if row.draining {
				l.Close()
			}
			synctest.Wait() // the waiting Reads and Writes have been told
			go row.peer(ours)
			begin := time.Now()
			err := theirs.Close()
			saw.Add("%s: Close returns %v after %v, CloseWrites: %d",
				row.name, err, time.Since(begin), half.halfCloses)
			l.Close()
			l.Accept()
			time.Sleep(time.Second) // the peer ends
		})
	}
	saw.Want(t, `
not draining: Close returns <nil> after 0s, CloseWrites: 0
draining: Close returns <nil> after 5s, CloseWrites: 1
draining, the peer hangs up after 300ms: Close returns <nil> after 300ms, CloseWrites: 1
draining, a reset after 300ms: Close returns <nil> after 300ms, CloseWrites: 1
draining, the peer sends without end: Close returns <nil> after 5s, CloseWrites: 1
draining, without CloseWrite: Close returns <nil> after 0s, CloseWrites: 0`)
}

// broken cannot be closed without an error, and counts the deadlines that are set.
type broken struct {
	net.Conn
	deadlines atomic.Int32
}

func (c *broken) Close() error { c.Conn.Close(); return io.ErrUnexpectedEOF }

func (c *broken) SetReadDeadline(t time.Time) error {
	c.deadlines.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func TestAClosedConnectionIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var inner broken
		_, theirs, l := pipe(t, func(conn net.Conn) net.Conn { inner.Conn = conn; return &inner })
		saw.Add("Close: %v, and again: %v", theirs.Close(), theirs.Close())
		n, err := theirs.Read(make([]byte, 1))
		saw.Add("Read: %d bytes, %v", n, err)
		n, err = theirs.Write(make([]byte, 1))
		saw.Add("Write: %d bytes, %v", n, err)
		l.Close()
		l.Accept()
		synctest.Wait()
		saw.Add("draining begins, and sets %d deadlines", inner.deadlines.Load())
		saw.Want(t, `
Close: unexpected EOF, and again: unexpected EOF
Read: 0 bytes, io: read/write on closed pipe
Write: 0 bytes, io: read/write on closed pipe
draining begins, and sets 0 deadlines`)
	})
}
