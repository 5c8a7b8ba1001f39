package shared_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// gatheringConn is a net.Conn that sends together what is written at about the same time.
type gatheringConn struct {
	net.Conn
	mu       sync.Mutex
	buf      *bufio.Writer // keeps its first error, and returns it from then on
	flushing bool          // a goroutine will flush buf
}

func gatherWrites(conn net.Conn) *gatheringConn {
	return &gatheringConn{Conn: conn, buf: bufio.NewWriterSize(conn, 64<<10)}
}

// Write returns before p is sent; but while the peer takes nothing, it waits as ever.
func (g *gatheringConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, err := g.buf.Write(p)
	if err == nil && !g.flushing {
		g.flushing = true
		go func() {
			runtime.Gosched() // whoever is about to write goes first
			if g.flush() != nil {
				g.Conn.Close() // so that calls whose requests are lost end with an error
			}
		}()
	}
	return n, err
}

func (g *gatheringConn) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flushing = false
	return g.buf.Flush()
}

// Close sends what is left, if the peer takes it within a second.
func (g *gatheringConn) Close() error {
	g.SetWriteDeadline(time.Now().Add(time.Second)) // also for a Write that waits
	return errors.Join(g.flush(), g.Conn.Close())
}

// How do many calls on one connection get faster? net/rpc writes to the connection once for each
// request and each reply, and a write costs more than all the rest of a small call. Gathered at both
// ends, calls that are in flight together take a fraction of the time (make bench has the figure).
//
// Not for calls one by one: there is nothing to gather, and each write costs a goroutine and its wait.
// And an error of a write arrives later: with the next write, or as a connection that is lost.
func Example_gatherWrites() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // between two processes: net.Listen and net.Dial
	ours.SetDeadline(time.Now().Add(time.Minute))
	go server.ServeConn(gatherWrites(theirs))
	written := &writeCounter{Conn: ours}
	client := rpc.NewClient(gatherWrites(written))
	defer client.Close()

	const n = 1000
	done := make(chan *rpc.Call, n)
	for i := range n {
		client.Go("MathService.Multiply", &shared.Args{A: i, B: 2}, new(int), done)
	}
	sum := 0
	for range n {
		call := <-done
		if call.Error != nil {
			log.Fatal(call.Error)
		}
		sum += *call.Reply.(*int)
	}
	fmt.Println("sum of the products:", sum)
	fmt.Println("fewer writes than calls:", written.count.Load() < n)
	// Output:
	// sum of the products: 999000
	// fewer writes than calls: true
}

// writeCounter counts the writes to a connection.
type writeCounter struct {
	net.Conn
	count atomic.Int64
}

func (c *writeCounter) Write(p []byte) (int, error) {
	c.count.Add(1)
	return c.Conn.Write(p)
}

func TestGatheredWritesArriveInOrderAndBeforeClose(t *testing.T) {
	const n = 100_000
	ours, theirs := net.Pipe()
	var want []byte
	for i := range uint32(n) {
		want = binary.BigEndian.AppendUint32(want, i)
	}
	go func() {
		conn := gatherWrites(ours)
		for number := range slices.Chunk(want, 4) {
			conn.Write(number)
		}
		conn.Close() // at once: Close sends what is left
	}()
	theirs.SetDeadline(time.Now().Add(rpctest.Patience))
	got, err := io.ReadAll(theirs)
	var saw rpctest.Transcript
	saw.Add("of %d writes all arrive, in order: %t, %v", n, bytes.Equal(got, want), err)
	saw.Want(t, `
of 100000 writes all arrive, in order: true, <nil>`)
}

// If a write fails, the next one says so, and so does Close; and a call whose request was
// lost ends, although its peer has not hung up.
func TestAGatheredWriteThatFailsIsReported(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		ours.SetWriteDeadline(time.Now()) // no write succeeds any more
		conn := gatherWrites(ours)
		client := rpc.NewClient(conn)
		call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
		saw.Add("the call: %v", rpctest.Within(t, call.Done, "the end of the call").Error)
		_, err := conn.Write([]byte("more"))
		saw.Add("the next write: %v", err)
		saw.Add("Close: %v", conn.Close())
	})
	saw.Want(t, `
the call: io: read/write on closed pipe
the next write: write pipe: i/o timeout
Close: write pipe: i/o timeout`)
}

// hurriedConn remembers the time that its writes are given, and lets it pass at once: while Close
// waits for a lock, the clock of a synctest bubble stands still.
type hurriedConn struct {
	net.Conn
	given time.Duration
}

func (c *hurriedConn) SetWriteDeadline(deadline time.Time) error {
	c.given = time.Until(deadline)
	return c.Conn.SetWriteDeadline(time.Now())
}

// A peer that reads nothing keeps Close waiting for a second, also while a write waits.
func TestClosingAGatheringConnWaitsASecond(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		hurried := &hurriedConn{Conn: ours}
		conn := gatherWrites(hurried)
		conn.Write([]byte("nobody reads this"))
		synctest.Wait() // until the write waits
		err := conn.Close()
		saw.Add("Close gives the peer %v, and returns: %v", hurried.given, err)
	})
	saw.Want(t, `
Close gives the peer 1s, and returns: write pipe: i/o timeout`)
}
