package shared

import (
	"fmt"
	"net/rpc"
	"testing"
)

type (
	// Partial has an exported field and another one.
	Partial struct{ A, b int }
	// Opaque has no exported field.
	Opaque struct{ a, b int }
)

// Fields is a service that takes and returns structs with unexported fields.
type Fields struct{}

// Partial writes the fields that arrive as one number.
func (Fields) Partial(args Partial, reply *int) error { *reply = 10*args.A + args.b; return nil }

// Opaque writes the fields that arrive as one number.
func (Fields) Opaque(args Opaque, reply *int) error { *reply = 10*args.a + args.b; return nil }

// Return returns a struct without exported fields.
func (Fields) Return(n int, reply *Opaque) error { *reply = Opaque{n, n}; return nil }

// The tutorial's rules (§4.1) say nothing of fields: one that is not exported stays
// behind. If a struct has no other, gob refuses to send it; JSON sends it empty.
func TestUnexportedFieldsStayBehind(t *testing.T) {
	server := rpc.NewServer()
	if err := server.Register(Fields{}); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		codec  string
		client *rpc.Client
		method string
		args   any
		want   int
		err    string
	}{
		{"gob", gobClient(t, server), "Fields.Partial", Partial{4, 2}, 40, "<nil>"},
		{"JSON", jsonClient(t, server), "Fields.Partial", Partial{4, 2}, 40, "<nil>"},
		{"gob", gobClient(t, server), "Fields.Opaque", Opaque{4, 2}, -1, "gob: type shared.Opaque has no exported fields"},
		{"JSON", jsonClient(t, server), "Fields.Opaque", Opaque{4, 2}, 0, "<nil>"},
	} {
		reply := -1
		err := call(t, row.client, row.method, row.args, &reply)
		if reply != row.want || fmt.Sprint(err) != row.err {
			t.Errorf("%s%v under %s = %d, %v, want %d, %s", row.method, row.args, row.codec, reply, err, row.want, row.err)
		}
		t.Logf("%s%v under %s = %d, %v", row.method, row.args, row.codec, reply, err)
	}
}

// The rules (§4.1) say nothing of it, and Register accepts it: a reply that gob cannot
// encode, for it has no exported field, ends the connection. The next call fails too.
func TestReplyWithoutExportedFieldsEndsTheConnection(t *testing.T) {
	client := connect(t, Fields{})
	err := call(t, client, "MathService.Return", 1, new(Opaque))
	if fmt.Sprint(err) != "reading body unexpected EOF" {
		t.Errorf("Return(1): %v, want reading body unexpected EOF", err)
	}
	next := call(t, client, "MathService.Partial", Partial{4, 2}, new(int))
	if next == nil {
		t.Error("the next call succeeds, want an error")
	}
	t.Logf("the call: %v; the next one fails too: %t", err, next != nil)
}
