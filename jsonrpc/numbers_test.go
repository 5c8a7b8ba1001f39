package jsonrpc_test

import (
	"bytes"
	"log"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Number is a service for what JSON does to numbers.
type Number struct{}

// Same returns n. An int64 keeps 2^53 + 1 on every machine, an int does not.
func (Number) Same(n int64, reply *int64) error {
	*reply = n
	return nil
}

// NaN returns a number that JSON cannot write.
func (Number) NaN(_ int, reply *float64) error {
	*reply = math.NaN()
	return nil
}

// Two Go programs (§4.4, C21) keep integers that JavaScript rounds, as does a Go
// client with a reply of type any: both read numbers as float64.
func TestGoPeersKeep2To53Plus1Exact(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := rpctest.JSON.Connect(t, Number{})
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
		var logged bytes.Buffer
		defer log.SetOutput(log.Writer())
		log.SetOutput(&logged)
		ours, theirs := net.Pipe() // without a deadline
		go rpctest.JSON.Serve(rpctest.Server(t, Number{}), theirs)
		client := rpctest.JSON.NewClient(ours)
		defer client.Close()
		call := client.Go("Number.NaN", 0, new(float64), nil)
		time.Sleep(time.Hour) // synctest's, which takes no time
		saw.Add("an hour later the call of NaN has ended: %t", len(call.Done) > 0)
		var seven int64
		err := client.Call("Number.Same", 7, &seven)
		saw.Add("another call: Same(7) = %d, %v", seven, err)
		saw.Add("logged: %q", &logged)
		saw.Want(t, `
an hour later the call of NaN has ended: false
another call: Same(7) = 7, <nil>
logged: ""`)
	})
}
