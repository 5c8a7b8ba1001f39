package async_test

import (
	"errors"
	"net"
	"net/rpc"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// connect returns a client of a server that publishes service.
func connect(t *testing.T, service any) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// isDone reports whether call is finished, without waiting for it.
func isDone(call *rpc.Call) bool { return len(call.Done) > 0 }

// Sleeper takes as long over a call as it is told.
type Sleeper struct{}

// Sleep sleeps.
func (Sleeper) Sleep(duration *time.Duration, reply *bool) error {
	time.Sleep(*duration)
	*reply = true
	return nil
}

// The tutorial (end of §4.2, C16) says that Go does not block: it does not wait
// for the reply.
func TestGoReturnsBeforeTheReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, Sleeper{})
		begin, minute := time.Now(), time.Minute
		call := client.Go("Sleeper.Sleep", &minute, new(bool), nil)
		if took := time.Since(begin); took != 0 || isDone(call) {
			t.Errorf("Go returned after %v, done: %t; want 0s, false", took, isDone(call))
		}
		if <-call.Done; time.Since(begin) != minute || call.Error != nil {
			t.Errorf("the reply came after %v, %v, want 1m0s", time.Since(begin), call.Error)
		}
	})
}

// But Go encodes and writes the request in the caller's goroutine (C16,
// golang/go#13442): while the peer does not read, it blocks.
func TestGoBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // nobody reads from theirs
		defer theirs.Close()
		client := rpc.NewClient(ours)
		returned := make(chan *rpc.Call, 1)
		go func() { returned <- client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, new(int), nil) }()
		time.Sleep(time.Hour)
		if len(returned) > 0 {
			t.Error("Go returned although nobody reads the request")
		}
		client.Close() // the one way out, without a deadline on the connection
		if call := <-returned; !isDone(call) || call.Error == nil {
			t.Errorf("after Close: done: %t, %v, want an error", isDone(call), call.Error)
		}
	})
}

// The listing reads replyCall from Done (end of §4.2): it is the very *rpc.Call
// that Go returned, so one variable is enough.
func TestDoneDeliversTheCallThatGoReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, new(shared.MathService))
		var asyncReply int
		call := client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		if replyCall := <-call.Done; replyCall != call || replyCall.Reply != &asyncReply || asyncReply != 30 {
			t.Errorf("Done delivers %p with the reply %d, want %p with 30", replyCall, asyncReply, call)
		}
	})
}

// Go returns no error (end of §4.2): every one, even ErrShutdown, comes through
// Done and stands in the call. Who does not look takes a 0 for the reply.
func TestErrorsComeThroughDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, new(shared.MathService))
		var asyncReply int
		call := client.Go("MathService.Modulo", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		if <-call.Done; call.Error != rpc.ServerError("rpc: can't find method MathService.Modulo") || asyncReply != 0 {
			t.Errorf("Modulo(5, 6) = %d, %v, want 0 and the server's error", asyncReply, call.Error)
		}
		client.Close()
		call = client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, &asyncReply, nil)
		if <-call.Done; call.Error != rpc.ErrShutdown || asyncReply != 0 {
			t.Errorf("after Close: Multiply(5, 6) = %d, %v, want 0, rpc.ErrShutdown", asyncReply, call.Error)
		}
	})
}

// The tutorial passes nil for done (end of §4.2), and Go makes a channel. One's
// own channel must be buffered, or Go panics.
func TestUnbufferedDonePanics(t *testing.T) {
	t.Parallel()
	client := connect(t, new(shared.MathService))
	defer func() {
		if got := recover(); got != "rpc: done channel is unbuffered" {
			t.Errorf("Go panicked with %v, want a word on the channel", got)
		}
	}()
	client.Go("MathService.Multiply", &shared.Args{A: 5, B: 6}, new(int), make(chan *rpc.Call))
}

// Counter counts its calls.
type Counter struct{ calls atomic.Int32 }

// Count counts one.
func (c *Counter) Count(args *shared.Args, reply *int32) error {
	*reply = c.calls.Add(1)
	return nil
}

// A done channel of one's own (end of §4.2) needs room for every call in flight.
// A call that finds it full is executed, and answered, and its end never arrives.
func TestUndersizedDoneDropsReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		counter := new(Counter)
		client := connect(t, counter)
		done := make(chan *rpc.Call, 1)
		replies := make([]int32, 5)
		for i := range replies {
			client.Go("Counter.Count", &shared.Args{}, &replies[i], done)
		}
		synctest.Wait() // until nothing moves any more
		if executed, arrived := counter.calls.Load(), len(done); executed != 5 || arrived != 1 {
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
	})
}

// Replies come in the order in which calls end, not in the order of Go (end of
// §4.2): the *rpc.Call tells which one it is.
func TestRepliesComeOutOfOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, Sleeper{})
		done := make(chan *rpc.Call, 3)
		var calls []*rpc.Call
		for _, duration := range []time.Duration{3 * time.Second, 2 * time.Second, time.Second} {
			calls = append(calls, client.Go("Sleeper.Sleep", &duration, new(bool), done))
		}
		for _, want := range []*rpc.Call{calls[2], calls[1], calls[0]} {
			if call := <-done; call != want || call.Error != nil {
				t.Errorf("the next reply is that of Sleep(%v), %v, want Sleep(%v)",
					*call.Args.(*time.Duration), call.Error, *want.Args.(*time.Duration))
			}
		}
	})
}

// Relay is a service of two methods, of which First waits for Second.
type Relay struct{ second chan struct{} }

// First ends when Second has been executed, and fails if that takes an hour.
func (r *Relay) First(args *shared.Args, reply *bool) error {
	select {
	case <-r.second:
		return nil
	case <-time.After(time.Hour):
		return errors.New("Second is not executed before First has ended")
	}
}

// Second lets First end.
func (r *Relay) Second(args *shared.Args, reply *bool) error {
	close(r.second)
	return nil
}

// Nothing promises the order of execution either (C14, C16): each request of a
// connection has a goroutine of its own, and a later one can overtake.
func TestOrderOfExecutionIsNotPromised(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, &Relay{second: make(chan struct{})})
		first := client.Go("Relay.First", &shared.Args{}, new(bool), nil)
		second := client.Go("Relay.Second", &shared.Args{}, new(bool), nil)
		<-first.Done
		<-second.Done
		if first.Error != nil || second.Error != nil {
			t.Errorf("First: %v, Second: %v, want no error", first.Error, second.Error)
		}
	})
}

// Gate multiplies when it is opened.
type Gate struct{ opened chan struct{} }

// Multiply waits for the gate to be opened.
func (g *Gate) Multiply(args *shared.Args, reply *int) error {
	<-g.opened
	*reply = args.A * args.B
	return nil
}

// Square waits for nothing.
func (g *Gate) Square(n *int, reply *int) error {
	*reply = *n * *n
	return nil
}

// A call cannot be taken back (end of §4.2). When its caller has given up, its
// reply is still written: into whatever the variable is used for by then.
func TestLateReplyIsStillWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := &Gate{opened: make(chan struct{})}
		client := connect(t, gate)
		var reply int
		call := client.Go("Gate.Multiply", &shared.Args{A: 6, B: 7}, &reply, nil)
		select {
		case <-call.Done:
			t.Fatal("Multiply ended before the gate was opened")
		case <-time.After(time.Second): // the caller gives up
		}
		if reply != 0 {
			t.Errorf("the reply is %d before the answer, want 0", reply)
		}
		three := 3
		if err := client.Call("Gate.Square", &three, &reply); err != nil || reply != 9 {
			t.Errorf("Square(3) = %d, %v, want 9", reply, err)
		}
		close(gate.opened)
		synctest.Wait()
		if reply != 42 {
			t.Errorf("the reply is %d after the late answer, want 42", reply)
		}
	})
}
