package async_test

import (
	"errors"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// Replies come in the order in which calls end, not in the order of Go (end of
// §4.2): the *rpc.Call tells which one it is.
func TestRepliesComeOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, Sleeper{})
		done := make(chan *rpc.Call, 3)
		var calls []*rpc.Call
		for _, duration := range []time.Duration{3 * time.Second, 2 * time.Second, time.Second} {
			calls = append(calls, client.Go("Sleeper.Sleep", &duration, new(bool), done))
		}
		for _, want := range []*rpc.Call{calls[2], calls[1], calls[0]} {
			call := <-done
			if call != want || call.Error != nil {
				t.Errorf("the next reply is that of Sleep(%v), %v, want Sleep(%v)",
					*call.Args.(*time.Duration), call.Error, *want.Args.(*time.Duration))
			}
			t.Logf("sent: 3s, 2s, 1s; the next reply: that of Sleep(%v)", *call.Args.(*time.Duration))
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

// Nothing promises the order of execution either (C14): each request of a
// connection has a goroutine of its own, and a later one can overtake.
func TestOrderOfExecutionIsNotPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t, &Relay{second: make(chan struct{})})
		first := client.Go("Relay.First", &shared.Args{}, new(bool), nil)
		second := client.Go("Relay.Second", &shared.Args{}, new(bool), nil)
		<-first.Done
		<-second.Done
		if first.Error != nil || second.Error != nil {
			t.Errorf("First: %v, Second: %v, want no error", first.Error, second.Error)
		}
		t.Log("First was sent first, and ended after Second had been executed")
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
		t.Logf("Square(3) replied 9 into the same variable; after the late answer to Multiply(6, 7) it holds %d", reply)
	})
}
