package shared_test

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync/atomic"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// The arguments and replies of Clerk.
type (
	Pair    struct{ A, B int }
	Narrow  struct{ A int8 }
	Text    struct{ A string }
	Others  struct{ X, Y int }
	Hidden  struct{ a int }
	Shape   interface{ Area() int }
	Square  struct{ Side int } // registered with gob nowhere
	Circle  struct{ Square }   // at the client only
	Disc    struct{ Square }   // at the server only
	Drawing struct{ Shape Shape }
	Box     struct{ Shape any }
	Node    struct{ Next *Node }
	Coded   struct{ hidden int }
	Mute    struct{}
)

// Area returns the square's area.
func (s Square) Area() int { return s.Side * s.Side }

// GobEncode has a pointer as its receiver.
func (c *Coded) GobEncode() ([]byte, error) { return []byte{byte(c.hidden)}, nil }

// GobDecode is the reverse.
func (c *Coded) GobDecode(b []byte) error { c.hidden = int(b[0]); return nil }

// MarshalJSON fails.
func (Mute) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

// Clerk counts the calls that it executes.
type Clerk struct {
	executed atomic.Int32
	entered  chan struct{} // closed by Wait
	release  chan struct{} // for which Wait waits
}

func (c *Clerk) done() error { c.executed.Add(1); return nil }

// Double, Add, AddNarrow, Take and Draw have an argument of their own each.
func (c *Clerk) Double(_ int, _ *int) error { return c.done() }

func (c *Clerk) Add(_ *Pair, _ *int) error { return c.done() }

func (c *Clerk) AddNarrow(_ Narrow, _ *int) error { return c.done() }

func (c *Clerk) Take(_ any, _ *int) error { return c.done() }

func (c *Clerk) Draw(_ Drawing, _ *int) error { return c.done() }

// Split, Hide, Channel, List, Anything, SquareOf and DiscOf have a reply of their own each.
func (c *Clerk) Split(_ int, reply *Pair) error { *reply = Pair{1, 2}; return c.done() }

func (c *Clerk) Hide(_ int, reply *Hidden) error { return c.done() }

func (c *Clerk) Channel(_ int, reply *chan int) error { *reply = make(chan int); return c.done() }

func (c *Clerk) List(_ int, reply *[]int) error { *reply = nil; return c.done() }

func (c *Clerk) Anything(_ int, _ *any) error { return c.done() }

func (c *Clerk) SquareOf(n int, reply *Drawing) error { reply.Shape = Square{n}; return c.done() }

func (c *Clerk) DiscOf(n int, reply *Drawing) error { reply.Shape = Disc{Square{n}}; return c.done() }

// Executed sets *reply to the number of calls.
func (c *Clerk) Executed(_ int, reply *int) error { *reply = int(c.executed.Load()); return nil }

// Wait says that it has begun, and waits.
func (c *Clerk) Wait(_ int, _ *int) error {
	c.done()
	close(c.entered)
	<-c.release
	return nil
}

// fate returns what has become of the call of client that has been made. It makes the next one.
func (c *Clerk) fate(client *rpc.Client) fate {
	f := fate{notExecuted, goesOn}
	if c.executed.Load() > 0 {
		f.executed = hasExecuted
	}
	if client.Call("Clerk.Double", 1, new(int)) != nil {
		f.client = finished
	}
	return f
}

// byGob and byJSON return what makes a call.
var byGob, byJSON = calling(rpctest.Gob), calling(rpctest.JSON)

func calling(codec rpctest.Codec) func(method string, args, reply any) provocation {
	return func(method string, args, reply any) provocation {
		return func(t *testing.T) outcome {
			clerk := new(Clerk)
			client, _ := codec.Connect(t, clerk)
			err := client.Call(method, args, reply)
			return outcome{fmt.Sprint(err), clerk.fate(client)}
		}
	}
}

// firstCall calls once, as a client that has dialled.
func firstCall(client *rpc.Client, err error) error {
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Call("Clerk.Double", 1, nil)
}

func cycle() *Node {
	node := new(Node)
	node.Next = node
	return node
}

// answered returns a client whose requests, from 0 on, answer answers by hand.
func answered(t *testing.T, answer func(seq uint64, conn net.Conn)) *rpc.Client {
	ours, theirs := net.Pipe()
	go func() {
		for seq := uint64(0); ; seq++ {
			if _, err := theirs.Read(make([]byte, 1<<10)); err != nil { // a request is one write
				return
			}
			answer(seq, theirs)
		}
	}()
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}
