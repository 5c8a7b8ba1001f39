package shared_test

import (
	"io"
	"log"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Some calls get no answer, or an answer that says too little, and nobody hears of it: not the
// caller, and not the server's log. An hour is a simulated one.
func TestSomeFaultsGiveNoText(t *testing.T) {
	logged := make(lineWriter, 100)
	defer log.SetOutput(log.Writer())
	log.SetOutput(logged)
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		clerk := new(Clerk)
		client, _ := rpctest.Gob.Connect(t, clerk)
		call := client.Go("Clerk.Nap", 1, nil, nil)
		synctest.Wait()
		client.Close()
		<-call.Done
		saw.Add("the client closes while a method is at work: %v", call.Error)
		saw.Add("  executed to the end by then: %d", clerk.executed.Load())
		time.Sleep(time.Hour)
		saw.Add("  an hour later: %d", clerk.executed.Load())

		for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
			client, _ := codec.Connect(t, clerk)
			var reply Pair
			err := client.Call("Clerk.Replace", 1, &reply)
			saw.Add("%s, a method writes reply = &Pair{…}: %+v, %v", codec.Name, reply, err)
		}
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
		saw.Add("ServeConn without go: the first client: %v", first.Call("Clerk.Double", 1, nil))
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
the client closes while a method is at work: io: read/write on closed pipe
  executed to the end by then: 0
  an hour later: 1
gob, a method writes reply = &Pair{…}: {A:0 B:0}, <nil>
JSON, a method writes reply = &Pair{…}: {A:0 B:0}, <nil>
gob, a browser comes: the server answers "", and hangs up
JSON, a browser comes: the server answers "", and hangs up
ServeConn without go: the first client: <nil>
  the second one is answered within an hour: false
  when the first one has closed: <nil>
lines in the log of all this: []`)
}

// Replace sets its own copy of the pointer, and not what it points to.
//
//lint:ignore SA4009 staticcheck sees the mistake
func (c *Clerk) Replace(n int, reply *Pair) error {
	reply = &Pair{A: n, B: n}
	_ = reply
	return nil
}

// Nap takes ten seconds, and counts when they are over.
func (c *Clerk) Nap(_ int, _ *int) error {
	time.Sleep(10 * time.Second)
	return c.done()
}
