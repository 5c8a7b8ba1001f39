package async_test

import (
	"net/rpc"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The listing passes nil for done, and reads replyCall from Done (end of §4.2): Go makes a channel
// for this call, and delivers the very *rpc.Call that it has returned, so one variable is enough.
func TestDoneDeliversTheCallThatGoReturned(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := rpctest.Gob.Connect(t, new(shared.MathService))
	var asyncReply int
	call := client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
	replyCall := <-call.Done
	saw.Add("replyCall == call: %t; its channel has room for %d", replyCall == call, cap(call.Done))
	saw.Add("replyCall.Reply == &asyncReply: %t; asyncReply = %d", replyCall.Reply == &asyncReply, asyncReply)
	saw.Want(t, `
replyCall == call: true; its channel has room for 10
replyCall.Reply == &asyncReply: true; asyncReply = 30`)
}

// Go returns no error (end of §4.2): every one, even rpc.ErrShutdown, comes through Done
// and stands in the call, where the listing looks. Who does not look takes a 0 for the reply.
func TestErrorsComeThroughDone(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := rpctest.Gob.Connect(t, new(shared.MathService))
	args, asyncReply := &shared.Args{A: 5, B: 6}, 0
	call := <-client.Go("MathService.Modulo", args, &asyncReply, nil).Done
	saw.Add("Modulo(5, 6) = %d, %v", asyncReply, call.Error)
	client.Close()
	call = <-client.Go("MathService.Multiply", args, &asyncReply, nil).Done
	saw.Add("after Close: Multiply(5, 6) = %d, %v", asyncReply, call.Error)
	saw.Want(t, `
Modulo(5, 6) = 0, rpc: can't find method MathService.Modulo
after Close: Multiply(5, 6) = 0, connection is shut down`)
}

// Counter counts its calls.
type Counter struct{ calls atomic.Int32 }

// Count counts one.
func (c *Counter) Count(_ int, reply *int32) error {
	*reply = c.calls.Add(1)
	return nil
}

// The listing's calls have a channel each, and can lose no reply. A done channel that
// several calls share (end of §4.2) needs room for all that are in flight: a call that
// finds it full is executed, and answered, and its end never arrives.
func TestUndersizedDoneDropsReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		counter := new(Counter)
		client, _ := rpctest.Gob.Connect(t, counter)
		done := make(chan *rpc.Call, 1)
		replies := make([]int32, 5)
		for i := range replies {
			client.Go("Counter.Count", 0, &replies[i], done)
		}
		synctest.Wait() // until nothing moves any more
		slices.Sort(replies)
		saw.Add("done has room for %d; executed: %d, arrived on done: %d",
			cap(done), counter.calls.Load(), len(done))
		saw.Add("their replies: %d", replies)
		<-done
		synctest.Wait()
		saw.Add("done has room again; arrived: %d", len(done))
		saw.Want(t, `
done has room for 1; executed: 5, arrived on done: 1
their replies: [1 2 3 4 5]
done has room again; arrived: 0`)
	})
}
