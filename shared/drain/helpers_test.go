package drain

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)      // rpc.Accept logs how it ends
	flag.Set("test.parallel", "8") // a test in real time waits more than it works
	os.Exit(m.Run())
}

// plain leaves a net.Pipe as it is: it has no CloseWrite, and nothing tells what its peer has
// taken.
func plain(conn net.Conn) net.Conn { return conn }

// halfCloser is a net.Pipe with the CloseWrite of a TCP connection.
type halfCloser struct {
	net.Conn
	halfCloses int  // calls of CloseWrite
	reset      bool // instead of the end that the peer makes
}

func (c *halfCloser) CloseWrite() error { c.halfCloses++; return nil }

func (c *halfCloser) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.reset {
		err = syscall.ECONNRESET
	}
	return n, err
}

// pipe returns the two ends of a net.Pipe, and the Listener that has accepted the second, which
// wrap makes into more than it is.
func pipe(t *testing.T, wrap func(net.Conn) net.Conn) (ours, theirs net.Conn, l *Listener) {
	t.Helper()
	ours, theirs = net.Pipe()
	t.Cleanup(func() { ours.Close() })
	inner := make(rpctest.Queue, 1)
	inner <- wrap(theirs)
	l = New(inner)
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs, l
}

// write says what comes of a Write of four bytes that waits when draining begins. From then on
// the peer takes a byte after each pause.
func write(t *testing.T, wrap func(net.Conn) net.Conn, pauses ...time.Duration) (result string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, l := pipe(t, wrap)
		var begin time.Time
		time.AfterFunc(time.Hour, func() { // there is no time limit before
			begin = time.Now()
			l.Close()
			for _, pause := range pauses {
				time.Sleep(pause)
				ours.Read(make([]byte, 1))
			}
		})
		n, err := theirs.Write(make([]byte, 4))
		if err != nil {
			theirs.Write([]byte("the next reply, which does not wait as long"))
		}
		result = fmt.Sprintf("%d of 4 bytes within %v, %v", n, time.Since(begin), err)
		theirs.Close()
		l.Accept()
		time.Sleep(time.Hour) // the peer ends
	})
	return result
}
