package async_test

import (
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Replies come in the order in which calls end, not in the order of Go (end of
// §4.2): the *rpc.Call tells which one it is.
func TestRepliesComeOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		client, _ := rpctest.Gob.Connect(t, Sleeper{})
		done := make(chan *rpc.Call, 3)
		durations := []time.Duration{3 * time.Second, 2 * time.Second, time.Second}
		for _, d := range durations {
			client.Go("Sleeper.Sleep", d, new(time.Duration), done)
		}
		saw.Add("sent: %v", durations)
		for range durations {
			call := <-done
			reply := call.Reply.(*time.Duration)
			saw.Add("the next reply: that of Sleep(%v) = %v, %v", call.Args, *reply, call.Error)
		}
		saw.Want(t, `
sent: [3s 2s 1s]
the next reply: that of Sleep(1s) = 1s, <nil>
the next reply: that of Sleep(2s) = 2s, <nil>
the next reply: that of Sleep(3s) = 3s, <nil>`)
	})
}

// Gate is a service at which a call waits.
type Gate chan bool

// Wait returns n when the gate is opened.
func (g Gate) Wait(n int, reply *int) error {
	<-g
	*reply = n
	return nil
}

// Nothing promises the order of execution either (C14): each request of a
// connection has a goroutine of its own, and a later one can overtake.
func TestOrderOfExecutionIsNotPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		gate := make(Gate)
		client, _ := rpctest.Gob.Connect(t, gate, new(shared.MathService))
		first := client.Go("Gate.Wait", 1, new(int), nil)
		err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
		saw.Add("the second call has been executed, %v; the first: %t", err, len(first.Done) > 0)
		close(gate)
		<-first.Done
		saw.Add("now the first has, too, %v", first.Error)
		saw.Want(t, `
the second call has been executed, <nil>; the first: false
now the first has, too, <nil>`)
	})
}

// A call cannot be taken back (end of §4.2). When its caller has given up, its
// reply is still written: into whatever the variable is used for by then.
func TestLateReplyIsStillWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		gate := make(Gate)
		client, _ := rpctest.Gob.Connect(t, gate, new(shared.MathService))
		var reply int
		call := client.Go("Gate.Wait", 42, &reply, nil)
		select {
		case <-call.Done:
		case <-time.After(time.Second):
			saw.Add("the caller gives up Wait(42) after 1s: the variable holds %d", reply)
		}
		err := client.Call("MathService.Multiply", &shared.Args{A: 3, B: 3}, &reply)
		saw.Add("Multiply(3, 3) replies into the same variable, %v: it holds %d", err, reply)
		close(gate)
		<-call.Done
		saw.Add("the late answer to Wait(42) comes: it holds %d", reply)
		saw.Want(t, `
the caller gives up Wait(42) after 1s: the variable holds 0
Multiply(3, 3) replies into the same variable, <nil>: it holds 9
the late answer to Wait(42) comes: it holds 42`)
	})
}
