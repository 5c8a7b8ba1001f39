package jsonrpc_test

import (
	"log"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared/rpctest"
)

// Number is a service for what JSON does to numbers.
type Number struct{ nans atomic.Int32 }

// Same returns n. An int64 keeps 2^53 + 1 on every machine, an int does not.
func (*Number) Same(n int64, reply *int64) error {
	*reply = n
	return nil
}

// NaN returns a number that JSON cannot write, and counts.
func (n *Number) NaN(_ int, reply *float64) error {
	n.nans.Add(1)
	*reply = math.NaN()
	return nil
}

// Two Go programs (§4.4, C21) keep integers that JavaScript rounds, as does a Go
// client with a reply of type any: both read numbers as float64.
func TestGoPeersKeep2To53Plus1Exact(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := rpctest.JSON.Connect(t, new(Number))
	var exact int64
	err := client.Call("Number.Same", int64(1<<53+1), &exact)
	sent, received := tape.Take()
	saw.Add("%s→ %s", sent, strings.TrimSpace(received))
	saw.Add("2^53 + 1 arrives in an int64 as %d, %v", exact, err)
	var rounded any
	err = client.Call("Number.Same", int64(1<<53+1), &rounded)
	saw.Add("in an any as the float64 %.0f, %v", rounded, err)
	saw.Want(t, `
{"method":"Number.Same","params":[9007199254740993],"id":0}
→ {"id":0,"result":9007199254740993,"error":null}
2^53 + 1 arrives in an int64 as 9007199254740993, <nil>
in an any as the float64 9007199254740992, <nil>`)
}

// The tutorial does not say (§4.4, C22): a reply that JSON cannot express is dropped, and
// the server logs nothing. Its caller waits forever; other calls are answered.
func TestUnmarshalableReplyIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var logged strings.Builder
		defer log.SetOutput(log.Writer())
		log.SetOutput(&logged)
		number := new(Number)
		client, _ := rpctest.JSON.Connect(t, number)
		call := client.Go("Number.NaN", 0, new(float64), nil)
		synctest.Wait() // until nothing moves any more
		saw.Add("NaN is executed: %d; everything waits; the call has ended: %t",
			number.nans.Load(), len(call.Done) > 0)
		var seven int64
		err := client.Call("Number.Same", 7, &seven)
		saw.Add("another call: Same(7) = %d, %v", seven, err)
		saw.Add("logged: %q", logged.String())
		saw.Want(t, `
NaN is executed: 1; everything waits; the call has ended: false
another call: Same(7) = 7, <nil>
logged: ""`)
	})
}
