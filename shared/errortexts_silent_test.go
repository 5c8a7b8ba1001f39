package shared_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Some calls get no answer, or an answer that says too little, and nobody hears of it: not the
// caller, and not the server's log. An hour is a simulated one.
func TestWhatGivesNoText(t *testing.T) {
	logged := make(lineWriter, 100)
	defer log.SetOutput(log.Writer())
	log.SetOutput(logged)
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		connect := func() (*Clerk, *rpc.Client) {
			clerk := new(Clerk)
			ours, theirs := net.Pipe()
			go rpctest.Server(t, clerk).ServeConn(theirs)
			client := rpc.NewClient(ours)
			t.Cleanup(func() { client.Close() })
			return clerk, client
		}
		ends := func(client *rpc.Client, method string, args any) string {
			call := client.Go("Clerk."+method, args, nil, nil)
			select {
			case <-call.Done:
				return fmt.Sprint(call.Error)
			case <-time.After(time.Hour):
				return "waits after an hour"
			}
		}

		clerk, client := connect()
		saw.Add("gob, the method leaves its *any as it is, the caller passes nil: %s", ends(client, "Anything", 1))
		saw.Add("  executed: %d", clerk.executed.Load())
		saw.Add("  the next call: %s", ends(client, "Double", 1))

		_, client = connect()
		pair := &struct {
			A, b int
			mu   sync.Mutex
		}{A: 1, b: 2}
		saw.Add("gob, the argument has fields b int and mu sync.Mutex: %s", ends(client, "Add", pair))

		clerk, client = connect()
		call := client.Go("Clerk.Nap", 1, nil, nil)
		synctest.Wait()
		client.Close()
		<-call.Done
		saw.Add("the client closes while a method is at work: %v", call.Error)
		saw.Add("  executed to the end: %d", clerk.executed.Load())
		time.Sleep(time.Hour)
		saw.Add("  after an hour: %d", clerk.executed.Load())

		for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
			ours, theirs := net.Pipe()
			go codec.Serve(rpc.NewServer(), theirs)
			go io.WriteString(ours, "GET / HTTP/1.1\r\nHost: localhost:1234\r\n"+
				"User-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n")
			answer, _ := io.ReadAll(ours)
			saw.Add("%s, a browser comes: the server answers %q, and hangs up", codec.Name, answer)
			ours.Close()
		}

		queue := make(rpctest.Queue, 2)
		server := rpctest.Server(t, new(Clerk))
		go func() {
			for conn, err := queue.Accept(); err == nil; conn, err = queue.Accept() {
				server.ServeConn(conn) // without go
			}
		}()
		first, second := rpc.NewClient(queue.Dial(t)), rpc.NewClient(queue.Dial(t))
		saw.Add("ServeConn without go: the first client: %s", ends(first, "Double", 1))
		done := make(chan *rpc.Call, 1)
		go second.Go("Clerk.Double", 1, nil, done)
		time.Sleep(time.Hour)
		saw.Add("  the second one is answered within an hour: %t", len(done) > 0)
		first.Close()
		saw.Add("  when the first one has closed: %v", (<-done).Error)
		second.Close()
		queue.Close()
	})
	var lines []string
	for range len(logged) {
		line := <-logged
		// Listeners and HTTP servers of other tests may end meanwhile.
		if !strings.Contains(line, "rpc.Serve: accept:") && !strings.Contains(line, "http: ") {
			lines = append(lines, line)
		}
	}
	saw.Add("lines in the log of all this: %q", lines)
	saw.Want(t, `
gob, the method leaves its *any as it is, the caller passes nil: waits after an hour
  executed: 1
  the next call: gob: type mismatch in decoder: want struct type rpc.Response; got non-struct
gob, the argument has fields b int and mu sync.Mutex: <nil>
the client closes while a method is at work: io: read/write on closed pipe
  executed to the end: 0
  after an hour: 1
gob, a browser comes: the server answers "", and hangs up
JSON, a browser comes: the server answers "", and hangs up
ServeConn without go: the first client: <nil>
  the second one is answered within an hour: false
  when the first one has closed: <nil>
lines in the log of all this: []`)
}

// Nap takes ten seconds, and counts when they are over.
func (c *Clerk) Nap(_ int, _ *int) error {
	time.Sleep(10 * time.Second)
	return c.done()
}
