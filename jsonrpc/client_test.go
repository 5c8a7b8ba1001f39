package jsonrpc_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
)

// The tutorial says that the way of calling does not change (§4.4, C22): so it is, for Call
// and for Go, for replies and for errors.
func TestCallsAreTheSameAsOverGob(t *testing.T) {
	codecs := []string{"gob", "JSON"}
	ways := []string{"Call", "Go"}
	clients := make(map[string]*rpc.Client)
	for _, codec := range codecs {
		clients[codec] = connect(t, codec, new(shared.MathService))
	}
	call := func(codec, way, method string, args, reply any) error {
		if way == "Call" {
			return clients[codec].Call(method, args, reply)
		}
		return within(t, clients[codec].Go(method, args, reply, nil).Done, "reply over "+codec).Error
	}
	for _, row := range []struct {
		method string
		a, b   int
		want   string // the reply, and the error with its type
	}{
		{"MathService.Multiply", 10, 20, "200, <nil> <nil>"},
		{"MathService.Multiply", -3, 7, "-21, <nil> <nil>"},
		{"MathService.Multiply", math.MaxInt, 2, "0, integer overflow rpc.ServerError"},
		{"MathService.Modulo", 17, 5, "0, rpc: can't find method MathService.Modulo rpc.ServerError"},
		{"MathService.Divide", 17, 5, "{3 2}, <nil> <nil>"},
	} {
		for _, codec := range codecs {
			for _, way := range ways {
				var product int
				var quotient shared.Quotient
				args, got := &shared.Args{A: row.a, B: row.b}, ""
				if row.method == "MathService.Divide" {
					err := call(codec, way, row.method, args, &quotient)
					got = fmt.Sprintf("%v, %v %[2]T", quotient, err)
				} else {
					err := call(codec, way, row.method, args, &product)
					got = fmt.Sprintf("%d, %v %[2]T", product, err)
				}
				if got != row.want {
					t.Errorf("%s over %s: %s(%d, %d) = %s, want %s", way, codec, row.method, row.a, row.b, got, row.want)
				}
			}
		}
		t.Logf("%s over %s: %s(%d, %d) = %s", strings.Join(ways, " and "), strings.Join(codecs, " and "), row.method, row.a, row.b, row.want)
	}
	for _, codec := range codecs {
		clients[codec].Close()
		for _, way := range ways {
			if err := call(codec, way, "MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ErrShutdown {
				t.Errorf("%s over %s after Close: %v, want rpc.ErrShutdown", way, codec, err)
			}
		}
	}
	t.Logf("%s over %s after Close: %v", strings.Join(ways, " and "), strings.Join(codecs, " and "), rpc.ErrShutdown)
}

// A server in another language (§4.4, C21) must speak 1.0 as well: an error
// object, as 2.0 has it, or a result of null ends the Go client for good.
func TestJSONRPC2ErrorObjectEndsTheClient(t *testing.T) {
	const (
		success   = "<nil>"
		errObject = "invalid error map[code:-32602 message:Invalid params]"
	)
	for _, row := range []struct{ name, response, err, otherErr string }{
		{"a result of 2.0 arrives", `{"jsonrpc":"2.0","result":200,"id":0}`, success, success},
		{"a string is an error of one call", `{"id":0,"result":null,"error":"no"}`, "no", success},
		{"an object ends the client", `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":0}`, errObject, errObject},
		{"a result of null ends the client", `{"id":0,"result":null,"error":null}`, "invalid error <nil>", "invalid error <nil>"},
	} {
		t.Run(row.name, func(t *testing.T) {
			ours, theirs := pipe(t)
			client := jsonrpc.NewClient(ours)
			defer client.Close()
			go func() { // the server: answers when it has both requests
				requests := bufio.NewScanner(theirs)
				requests.Scan()
				requests.Scan()
				io.WriteString(theirs, row.response+`{"id":1,"result":42,"error":null}`)
			}()
			call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
			other := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, new(int), nil)
			within(t, call.Done, "end of the call")
			within(t, other.Done, "end of the other call")
			if fmt.Sprint(call.Error) != row.err || fmt.Sprint(other.Error) != row.otherErr {
				t.Errorf("%s: %v, and the other call in flight: %v; want %s and %s", row.response, call.Error, other.Error, row.err, row.otherErr)
			}
			t.Logf("%s\n→ %v; the other call in flight: %v", row.response, call.Error, other.Error)
			if row.otherErr == success {
				return
			}
			if err := client.Call("MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ErrShutdown {
				t.Errorf("the next call: %v, want rpc.ErrShutdown", err)
			}
		})
	}
}

// The tutorial does not say (§4.4, C22): a method that leaves a slice nil answers null, which
// ends the Go client. Over gob a nil slice is an empty one.
func TestNilSliceReplyEndsTheJSONClient(t *testing.T) {
	for _, row := range []struct {
		codec string
		n     int
		want  string // the reply, its error, and that of the next call
	}{
		{"gob", 6, "[2 3], <nil>, <nil>"},
		{"gob", 7, "[], <nil>, <nil>"},
		{"JSON", 6, "[2 3], <nil>, <nil>"},
		{"JSON", 7, "[], invalid error <nil>, connection is shut down"},
	} {
		client := connect(t, row.codec, Number{})
		var divisors []int
		err := client.Call("Number.Divisors", row.n, &divisors)
		next := client.Call("Number.Same", int64(1), new(int64))
		got := fmt.Sprintf("%v, %v, %v", divisors, err, next)
		if got != row.want {
			t.Errorf("over %s: Divisors(%d), and the next call = %s, want %s", row.codec, row.n, got, row.want)
		}
		t.Logf("over %s: Divisors(%d) = %v, %v; the next call: %v", row.codec, row.n, divisors, err, next)
	}
}

// The tutorial does not say (§4.4, C22): a reply of the wrong type can be no error at all, for
// JSON leaves out what does not fit; or it ends the client, and the next call fails as well.
func TestReplyOfAnotherTypeMayBeNoError(t *testing.T) {
	for _, row := range []struct {
		reply any
		want  string // the reply
		err   string // … stands for the words of encoding/json
	}{
		{&shared.Quotient{}, "&{Quo:3 Rem:2}", "<nil>"},
		{&struct{ Quo, Other int }{}, "&{Quo:3 Other:0}", "<nil>"},
		{&struct{ Result int }{Result: -1}, "&{Result:-1}", "<nil>"},
		{&[]int{-1}, "&[-1]", "reading body json: cannot unmarshal object…"},
	} {
		client := connect(t, "JSON", new(shared.MathService))
		err := client.Call("MathService.Divide", &shared.Args{A: 17, B: 5}, row.reply)
		if got := fmt.Sprintf("%+v", row.reply); got != row.want || !matches(fmt.Sprint(err), row.err) {
			t.Errorf("Divide(17, 5) into %T: %s, %v, want %s, %s", row.reply, got, err, row.want, row.err)
		}
		next := client.Call("MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int))
		if (next == nil) != (err == nil) {
			t.Errorf("after Divide(17, 5) into %T, %v the next call: %v, want it to end as this one", row.reply, err, next)
		}
		t.Logf("Divide(17, 5) into %T: %+[1]v, %v", row.reply, err)
	}
}
