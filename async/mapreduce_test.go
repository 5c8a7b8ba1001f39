package async_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/rpc"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Worker counts words for a master.
type Worker struct{}

// Map counts the words of text. It only computes: twice does the same as once.
func (Worker) Map(text string, counts *map[string]int) error {
	*counts = make(map[string]int)
	for _, word := range strings.Fields(text) {
		(*counts)[word]++
	}
	return nil
}

// mortalConn is a worker's connection that is lost after as many bytes, there and back: that is
// all that a master sees of a killed process.
type mortalConn struct {
	net.Conn
	left atomic.Int64
}

func (c *mortalConn) Read(p []byte) (int, error)  { return c.pass(p, c.Conn.Read) }
func (c *mortalConn) Write(p []byte) (int, error) { return c.pass(p, c.Conn.Write) }

func (c *mortalConn) pass(p []byte, pass func([]byte) (int, error)) (int, error) {
	n, err := pass(p[:min(int64(len(p)), max(0, c.left.Load()))])
	if c.left.Add(int64(-n)) <= 0 {
		c.Close()
		return n, io.ErrClosedPipe
	}
	return n, err
}

const healthy = math.MaxInt64 // is how many bytes a worker lives that does not die

// startWorker starts a worker, an rpc server of its own, that dies after as many bytes, and
// connects to it.
func startWorker(bytes int64) *rpc.Client {
	ours, theirs := net.Pipe() // between machines: net.Listen and net.Dial
	server := rpc.NewServer()
	if err := server.Register(Worker{}); err != nil {
		log.Fatal(err)
	}
	conn := &mortalConn{Conn: theirs}
	conn.left.Store(bytes)
	go server.ServeConn(conn)
	return rpc.NewClient(ours)
}

// countWords is the master. It has the workers count the words of all pieces, and
// returns also the pieces that it had to hand out again.
func countWords(pieces []string, workers ...*rpc.Client) (total map[string]int, again []string, err error) {
	type task struct {
		worker *rpc.Client
		piece  string
	}
	running := make(map[any]task)              // by the reply that it will fill
	done := make(chan *rpc.Call, len(workers)) // room for all: a worker has one task at a time
	idle, todo := slices.Clone(workers), slices.Clone(pieces)
	total = make(map[string]int)
	for len(todo)+len(running) > 0 {
		for len(idle) > 0 && len(todo) > 0 {
			t, counts := task{idle[0], todo[0]}, new(map[string]int)
			idle, todo, running[counts] = idle[1:], todo[1:], t
			go t.worker.Go("Worker.Map", t.piece, counts, done) // Go blocks while a worker does not read
		}
		if len(running) == 0 {
			return nil, again, fmt.Errorf("no worker is left: %w", cmp.Or(err, errors.New("there was none")))
		}
		select {
		case call := <-done:
			t := running[call.Reply]
			delete(running, call.Reply)
			if err = call.Error; err != nil { // this worker gets no more tasks
				todo, again = append(todo, t.piece), append(again, t.piece)
				continue
			}
			idle = append(idle, t.worker)
			for word, n := range *call.Reply.(*map[string]int) { // reduce
				total[word] += n
			}
		case <-time.After(time.Minute): // a worker that hangs is as good as dead
			for _, t := range running {
				t.worker.Close() // which ends its call with an error
			}
		}
	}
	return total, again, nil
}

// How does a master share out work? This is MapReduce in small (tutorial §3), and how MIT's
// course on distributed systems, 6.5840, begins: its first lab is a coordinator with workers.
//
// A lost connection does not tell whether the task ran: the worker may have died before it, in
// it, or when the answer was on its way. So the task is done again, and that is right because Map
// is idempotent, and because only what arrives is added up: each piece counts once.
func Example_mapReduce() {
	workers := []*rpc.Client{startWorker(healthy), startWorker(100), startWorker(healthy)} // one will die
	for _, worker := range workers {
		defer worker.Close()
	}
	pieces := []string{"the cat sat on the mat", "the dog sat on the cat",
		"the end of the cat", "the mat of the dog"}
	counts, again, err := countWords(pieces, workers...)
	fmt.Printf("handed out again: %q\n", again)
	fmt.Println(counts, err)
	// Output:
	// handed out again: ["the dog sat on the cat"]
	// map[cat:3 dog:2 end:1 mat:2 of:2 on:2 sat:2 the:8] <nil>
}

// countFour has four pieces counted, and closes the workers.
func countFour(workers ...*rpc.Client) (counts, again string, err error) {
	defer time.AfterFunc(rpctest.Patience, func() { panic("countWords does not end") }).Stop()
	for _, worker := range workers {
		defer worker.Close()
	}
	total, pieces, err := countWords([]string{"a b", "a c", "b c", "a a"}, workers...)
	slices.Sort(pieces)
	return fmt.Sprint(total), fmt.Sprintf("%q", pieces), err
}

// Workers may die at any byte: of the first task or the last, in the request or in the answer.
// While one lives, the words are exact; when none is left, countWords ends with an error (§3).
func TestWordsAreExactWheneverWorkersDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		const words, all = "map[a:4 b:2 c:2]", 700 // more bytes than a worker has to do with
		var exact, exactOrError int
		for n := range int64(all) {
			counts, again, err := countFour(startWorker(n), startWorker(n), startWorker(healthy))
			if err == nil && counts == words {
				exact++
			}
			counts, _, err = countFour(startWorker(n), startWorker(n))
			if err != nil || counts == words {
				exactOrError++
			}
			if n == 0 || n == all-1 {
				saw.Add("two of three die after %d bytes: handed out again: %s; both of two: an error: %t",
					n, again, err != nil)
			}
		}
		saw.Add("two of three: exact in %d cases of %d; both of two: exact or an error in %d",
			exact, all, exactOrError)
		saw.Want(t, `
two of three die after 0 bytes: handed out again: ["a b" "a c"]; both of two: an error: true
two of three die after 699 bytes: handed out again: []; both of two: an error: false
two of three: exact in 700 cases of 700; both of two: exact or an error in 700`)
	})
}

// A worker that hangs is given up after a while, and its task goes to another as well.
func TestAWorkerThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		mute, theirs := net.Pipe() // nobody reads from theirs
		defer theirs.Close()
		begin := time.Now()
		counts, again, err := countFour(rpc.NewClient(mute), startWorker(healthy))
		saw.Add("after %v: %s, %v, handed out again: %s", time.Since(begin), counts, err, again)
		saw.Want(t, `
after 1m0s: map[a:4 b:2 c:2], <nil>, handed out again: ["a b"]`)
	})
}
