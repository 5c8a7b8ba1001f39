package async_test

import (
	"net/rpc"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared"
)

// The listing reads replyCall from Done (end of §4.2): it is the very *rpc.Call
// that Go returned, so one variable is enough.
func TestDoneDeliversTheCallThatGoReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, new(shared.MathService))
		var asyncReply int
		call := client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		replyCall := <-call.Done
		if replyCall != call || replyCall.Reply != &asyncReply || asyncReply != 30 {
			t.Errorf("Done delivers %p with the reply %d, want %p with 30", replyCall, asyncReply, call)
		}
		t.Logf("replyCall == call: %t, asyncReply = %d", replyCall == call, asyncReply)
	})
}

// Go returns no error (end of §4.2): every one, even ErrShutdown, comes through Done
// and stands in the call, where the listing looks. Who does not look takes a 0 for the reply.
func TestErrorsComeThroughDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, new(shared.MathService))
		var asyncReply int
		call := client.Go("MathService.Modulo", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		if <-call.Done; call.Error != rpc.ServerError("rpc: can't find method MathService.Modulo") || asyncReply != 0 {
			t.Errorf("Modulo(5, 6) = %d, %v, want 0 and the server's error", asyncReply, call.Error)
		}
		t.Logf("Modulo(5, 6) = %d, %v", asyncReply, call.Error)
		client.Close()
		call = client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		if <-call.Done; call.Error != rpc.ErrShutdown || asyncReply != 0 {
			t.Errorf("after Close: Multiply(5, 6) = %d, %v, want 0, rpc.ErrShutdown", asyncReply, call.Error)
		}
		t.Logf("after Close: Multiply(5, 6) = %d, %v", asyncReply, call.Error)
	})
}

// The tutorial passes nil for done (end of §4.2), and Go makes a channel with room for
// 10. One's own channel must be buffered, or Go panics.
func TestUnbufferedDonePanics(t *testing.T) {
	client := connect(t, new(shared.MathService))
	args := &shared.Args{A: 5, B: 6}
	call := client.Go("MathService.Multiply", args, new(int), nil)
	if cap(call.Done) != 10 {
		t.Errorf("Go made a channel with room for %d, want 10", cap(call.Done))
	}
	t.Logf("done is nil: Go makes a channel with room for %d", cap(call.Done))
	defer func() {
		got := recover()
		if got != "rpc: done channel is unbuffered" {
			t.Errorf("Go panicked with %v, want a word on the channel", got)
		}
		t.Logf("done is unbuffered: panic: %v", got)
	}()
	client.Go("MathService.Multiply", args, new(int), make(chan *rpc.Call))
}

// Counter counts its calls.
type Counter struct{ calls atomic.Int32 }

// Count counts one.
func (c *Counter) Count(args *shared.Args, reply *int32) error {
	*reply = c.calls.Add(1)
	return nil
}

// The listing's calls have a channel each, and can lose no reply. A done channel that
// several calls share (end of §4.2) needs room for all that are in flight: a call that
// finds it full is executed, and answered, and its end never arrives.
func TestUndersizedDoneDropsReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counter := new(Counter)
		client := connect(t, counter)
		done := make(chan *rpc.Call, 1)
		replies := make([]int32, 5)
		for i := range replies {
			client.Go("Counter.Count", &shared.Args{}, &replies[i], done)
		}
		synctest.Wait() // until nothing moves any more
		executed, arrived := counter.calls.Load(), len(done)
		if executed != 5 || arrived != 1 {
			t.Errorf("%d calls were executed and %d arrived, want 5 and 1", executed, arrived)
		}
		for i, reply := range replies {
			if reply == 0 {
				t.Errorf("the reply of call %d was not written", i)
			}
		}
		<-done
		synctest.Wait()
		if len(done) > 0 {
			t.Error("a dropped call arrived when there was room again")
		}
		t.Logf("done has room for 1; executed: %d, arrived on done: %d", executed, arrived)
	})
}
