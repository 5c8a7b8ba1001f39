package jsonrpc_test

import (
	"net"
	"net/rpc/jsonrpc"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// Also part of the dialect (§4.4, C21): an int takes no point and no exponent, and keeps
// all its digits.
func TestDialectTakesOnlyIntegersForAnInt(t *testing.T) {
	for _, row := range []exchange{
		{"6.0 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.0,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.0…"}`},
		{"1e2 is no int",
			`{"method":"MathService.Multiply","params":[{"A":1e2,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 1e2…"}`},
		{"6.5 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.5,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.5…"}`},
		{"a string is no int",
			`{"method":"MathService.Multiply","params":[{"A":"6","B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal string…"}`},
		{"2^63 is no int, of whatever size",
			`{"method":"MathService.Multiply","params":[{"A":9223372036854775808,"B":1}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 9223372036854775808…"}`},
		{"2^53 + 1 is exact",
			`{"method":"Number.Same","params":[9007199254740993],"id":1}`,
			`{"id":1,"result":9007199254740993,"error":null}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, theirs := pipe(t)
			server := newServer(t, new(shared.MathService))
			if err := server.Register(Number{}); err != nil {
				t.Fatal(err)
			}
			go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
			row.test(t, conn)
		})
	}
}

// Two Go programs (§4.4, C21) keep integers that JavaScript rounds, as does a Go
// client with a reply of type any: both read numbers as float64.
func TestGoPeersKeep2To53Plus1Exact(t *testing.T) {
	client := connect(t, "JSON", Number{})
	var exact int64
	var rounded any
	for _, reply := range []any{&exact, &rounded} {
		if err := client.Call("Number.Same", int64(1<<53+1), reply); err != nil {
			t.Fatal(err)
		}
	}
	if exact != 1<<53+1 || rounded != float64(1<<53) {
		t.Errorf("Same(1<<53 + 1) = %d in an int64, %f in an any, want 9007199254740993 and 9007199254740992.0", exact, rounded)
	}
	t.Logf("2^53 + 1 arrives as %d in an int64, as %.0f in an any", exact, rounded)
}

// The tutorial does not say (§4.4, C22): a reply that JSON cannot express is dropped, and
// the server logs nothing. Its caller waits forever; other calls are answered.
func TestUnmarshalableReplyIsNeverAnswered(t *testing.T) {
	wantSilence(t)
	const wait = time.Hour
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // without a deadline
		go newServer(t, Number{}).ServeCodec(jsonrpc.NewServerCodec(theirs))
		client := jsonrpc.NewClient(ours)
		defer client.Close()
		call := client.Go("Number.NaN", &shared.Args{}, new(float64), nil)
		time.Sleep(wait)
		select {
		case <-call.Done:
			t.Errorf("Number.NaN was answered: %v", call.Error)
		default:
		}
		var same int64
		other := client.Go("Number.Same", int64(7), &same, nil)
		within(t, other.Done, "reply to Same")
		if other.Error != nil || same != 7 {
			t.Errorf("Same(7) = %d, %v, want 7", same, other.Error)
		}
	})
	t.Logf("NaN: no reply within %v, nothing logged; another call is answered", wait)
}
