package tcp_test

import (
	"net"
	"net/rpc"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/drain"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §4.2, C14: Accept starts a goroutine for each connection. So it does.
func TestEachConnectionHasAGoroutine(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		desk, l := newDesk(), make(rpctest.Queue, 50)
		defer l.Close()
		defer close(desk.release)
		go rpctest.Server(t, desk).Accept(l)
		for range 50 {
			rpc.NewClient(l.Dial(t)).Go("Desk.Wait", 1, new(int), nil)
		}
		synctest.Wait() // until every goroutine waits for something
		saw.Add("50 connections, one call each: %d calls inside the method at once", len(desk.entered))
	})
	saw.Want(t, "50 connections, one call each: 50 calls inside the method at once")
}

// Tutorial §4.2, C14: a goroutine for each connection. Left unsaid: and one for each
// request. The calls of one connection run at the same time, and must lock what they share.
func TestEachRequestHasAGoroutine(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		defer close(desk.release)
		client, _ := rpctest.Gob.Connect(t, desk)
		for range 50 {
			client.Go("Desk.Wait", 1, new(int), nil)
		}
		synctest.Wait()
		saw.Add("one connection, 50 calls: %d calls inside the method at once", len(desk.entered))
	})
	saw.Want(t, "one connection, 50 calls: 50 calls inside the method at once")
}

// Tutorial §4.2, C14: Accept serves every connection. Left unsaid: it returns on any error,
// also on one that passes, and the connections that wait behind it are never served. The
// listener of this repository's servers tries again.
func TestAcceptGivesUpOnAnError(t *testing.T) {
	var saw rpctest.Transcript
	for _, name := range []string{"a plain listener", "drain.New"} {
		synctest.Test(t, func(t *testing.T) {
			queue := make(rpctest.Queue, 2)
			var l net.Listener = queue
			if name == "drain.New" {
				l = drain.New(queue)
			}
			queue <- &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
			client := rpc.NewClient(queue.Dial(t))
			returned, done := make(chan bool, 1), make(chan *rpc.Call, 1)
			go func() {
				rpctest.Server(t, newDesk()).Accept(l)
				returned <- true
			}()
			go client.Go("Desk.Double", 1, new(int), done)
			time.Sleep(time.Hour) // synctest's, which takes no time
			saw.Add("%s, an hour after %q:", name, syscall.EMFILE)
			saw.Add("  rpc.Accept has returned: %t, the next connection is answered: %t",
				len(returned) > 0, len(done) > 0 && (<-done).Error == nil)
			client.Close()
			l.Close()
			synctest.Wait()
			saw.Add("  the listener is closed; rpc.Accept has returned: %t", len(returned) > 0)
		})
	}
	saw.Want(t, `
a plain listener, an hour after "too many open files":
  rpc.Accept has returned: true, the next connection is answered: false
  the listener is closed; rpc.Accept has returned: true
drain.New, an hour after "too many open files":
  rpc.Accept has returned: false, the next connection is answered: true
  the listener is closed; rpc.Accept has returned: true`)
}
