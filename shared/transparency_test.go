package shared

import (
	"net/rpc"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// Tally adds to its reply.
type Tally struct{}

// Add adds B to *reply, and overwrites A.
func (Tally) Add(args *Args, reply *int) error {
	*reply += args.B
	args.A = 999
	return nil
}

// The tutorial calls transparency the core idea (§1, C2), and as an aim it is. One thing shows
// through: arguments only go and the reply only comes. Neither pointer is shared with the method,
// as it is in a local call.
func TestArgumentsOnlyGoAndTheReplyOnlyComes(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := rpctest.Gob.Connect(t, Tally{})
	for _, row := range []struct {
		where string
		add   func(args *Args, reply *int) error
	}{
		{"locally", Tally{}.Add},
		{"remotely", func(args *Args, reply *int) error { return client.Call("Tally.Add", args, reply) }},
	} {
		args, sum := &Args{A: 10, B: 2}, 40
		if err := row.add(args, &sum); err != nil {
			t.Error(err)
		}
		saw.Add("Add(2) to 40 %s: the sum is %d; A was 10 and is %d", row.where, sum, args.A)
	}
	saw.Want(t, `
Add(2) to 40 locally: the sum is 42; A was 10 and is 999
Add(2) to 40 remotely: the sum is 2; A was 10 and is 10`)
}

// The tutorial says of RPC in general that the framework generates the client's stub (§2, C3).
// net/rpc generates nothing, and so nothing stands between a mistake and the wire: the compiler
// accepts each of these calls. Of two the server finds out at run time; of a field with another
// name nobody does, and it counts as zero. MathServiceClient is the stub by hand.
func TestTheCompilerChecksNoCall(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := rpctest.Gob.Connect(t, new(MathService))
	for _, row := range []struct {
		method string
		args   any
	}{
		{"MathService.Mutliply", &Args{10, 20}},
		{"MathService.Multiply", "10, 20"},
		{"MathService.Multiply", struct{ A, Bee int }{10, 20}},
	} {
		product := -1
		switch err := client.Call(row.method, row.args, &product).(type) {
		case nil:
			saw.Add("Call(%q, %#v): nobody finds out:\n  it returns %d", row.method, row.args, product)
		case rpc.ServerError:
			saw.Add("Call(%q, %#v): the server finds out:\n  %v", row.method, row.args, err)
		default:
			saw.Add("Call(%q, %#v): the client finds out:\n  %v", row.method, row.args, err)
		}
	}
	saw.Want(t, `
Call("MathService.Mutliply", &shared.Args{A:10, B:20}): the server finds out:
  rpc: can't find method MathService.Mutliply
Call("MathService.Multiply", "10, 20"): the server finds out:
  gob: type mismatch in decoder: want struct type shared.Args; got non-struct
Call("MathService.Multiply", struct { A int; Bee int }{A:10, Bee:20}): nobody finds out:
  it returns 0`)
}
