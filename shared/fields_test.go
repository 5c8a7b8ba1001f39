package shared

import (
	"fmt"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

type (
	// Partial has an exported field and another one.
	Partial struct{ A, b int }
	// Opaque has no exported field.
	Opaque struct{ a, b int }
)

// Fields is a service that takes and returns structs with unexported fields.
type Fields struct{}

// Partial sets *reply to what arrives.
func (Fields) Partial(args Partial, reply *string) error {
	*reply = fmt.Sprintf("%+v", args)
	return nil
}

// Opaque sets *reply to what arrives.
func (Fields) Opaque(args Opaque, reply *string) error {
	*reply = fmt.Sprintf("%+v", args)
	return nil
}

// The tutorial's rules (§4.1) say nothing of fields: one that is not exported stays behind. If a
// struct has no other, gob refuses to send it; JSON sends it empty.
func TestUnexportedFieldsStayBehind(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, Fields{})
		for _, args := range []any{Partial{4, 2}, Opaque{4, 2}} {
			method := strings.Replace(fmt.Sprintf("%T", args), "shared", "Fields", 1)
			var arrived string
			if err := client.Call(method, args, &arrived); err != nil {
				saw.Add("%s: %+v does not arrive: %v", codec.Name, args, err)
			} else {
				saw.Add("%s: %+v arrives as %s", codec.Name, args, arrived)
			}
		}
	}
	saw.Want(t, `
gob: {A:4 b:2} arrives as {A:4 b:0}
gob: {a:4 b:2} does not arrive: gob: type shared.Opaque has no exported fields
JSON: {A:4 b:2} arrives as {A:4 b:0}
JSON: {a:4 b:2} arrives as {a:0 b:0}`)
}
