package shared

import (
	"net/rpc"
	"testing"
)

// Tally adds to its reply.
type Tally struct{}

// Add adds B to *reply, and overwrites A.
func (Tally) Add(args *Args, reply *int) error {
	*reply += args.B
	args.A = 999
	return nil
}

// The tutorial calls transparency the core idea (§1, C2), and as an aim it is. One thing
// shows through: arguments only go and the reply only comes. Neither pointer is shared
// with the method, as it is in a local call.
func TestArgumentsOnlyGoAndTheReplyOnlyComes(t *testing.T) {
	client := connect(t, Tally{})
	for _, row := range []struct {
		where          string
		add            func(args *Args, reply *int) error
		wantA, wantSum int
	}{
		{"locally", Tally{}.Add, 999, 42},
		{"remotely", func(args *Args, reply *int) error { return call(t, client, "MathService.Add", args, reply) }, 10, 2},
	} {
		args, sum := &Args{A: 10, B: 2}, 40
		err := row.add(args, &sum)
		if err != nil || args.A != row.wantA || sum != row.wantSum {
			t.Errorf("Add(2) to 40 %s: sum %d, A %d, %v, want sum %d, A %d", row.where, sum, args.A, err, row.wantSum, row.wantA)
		}
		t.Logf("Add(2) to 40 %s: sum %d; A was 10 and is %d", row.where, sum, args.A)
	}
}

// The tutorial says of RPC in general that the framework generates the client's stub (§2,
// C3). net/rpc generates nothing, and so nothing stands between a mistake and the wire: the
// compiler accepts each of these calls. Two are errors of the server at run time; a field
// of another name is not even that, but a zero. MathServiceClient is the stub by hand.
func TestTheCompilerChecksNoCall(t *testing.T) {
	client := connect(t, new(MathService))
	for _, row := range []struct {
		method string
		args   any
		want   int
		err    error
	}{
		{"MathService.Mutliply", &Args{10, 20}, -1, rpc.ServerError("rpc: can't find method MathService.Mutliply")},
		{"MathService.Multiply", "10, 20", -1, rpc.ServerError("gob: type mismatch in decoder: want struct type shared.Args; got non-struct")},
		{"MathService.Multiply", struct{ A, Bee int }{10, 20}, 0, nil},
	} {
		reply := -1
		err := call(t, client, row.method, row.args, &reply)
		if err != row.err || reply != row.want {
			t.Errorf("%s(%+v) = %d, %v, want %d, %v", row.method, row.args, reply, err, row.want, row.err)
		}
		t.Logf("%s(%+v) = %d, %v", row.method, row.args, reply, err)
	}
}
