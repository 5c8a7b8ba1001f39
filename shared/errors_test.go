package shared

import (
	"errors"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// The tutorial says that the server sends back the result or the error (§2). Of the error its
// text arrives, and no more: errors.As finds an rpc.ServerError, errors.Is nothing.
func TestErrorsCrossAsText(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, new(MathService))
		err := client.Call("MathService.Divide", &Args{1, 0}, new(Quotient))
		saw.Add("%s: Divide(1, 0) fails with the %T %q", codec.Name, err, err)
		saw.Add("%s: errors.Is finds ErrDivideByZero: %t", codec.Name, errors.Is(err, ErrDivideByZero))
	}
	saw.Want(t, `
gob: Divide(1, 0) fails with the rpc.ServerError "divide by zero"
gob: errors.Is finds ErrDivideByZero: false
JSON: Divide(1, 0) fails with the rpc.ServerError "divide by zero"
JSON: errors.Is finds ErrDivideByZero: false`)
}

// Failing fails.
type Failing struct{}

// With sets *reply, and fails with the given text.
func (Failing) With(text string, reply *string) error {
	*reply = "the server's"
	return errors.New(text)
}

// The result or the error comes back (§2), never both: with an error the client's reply stays as
// it was, whatever the method has set. An error without a text is no error on the wire.
func TestErrorLeavesTheReplyUntouched(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, Failing{})
		for _, text := range []string{"no", ""} {
			reply := "the client's"
			err := client.Call("Failing.With", text, &reply)
			saw.Add("%s: errors.New(%q) arrives as the error %v; the reply is %q", codec.Name, text, err, reply)
		}
	}
	saw.Want(t, `
gob: errors.New("no") arrives as the error no; the reply is "the client's"
gob: errors.New("") arrives as the error <nil>; the reply is "the server's"
JSON: errors.New("no") arrives as the error no; the reply is "the client's"
JSON: errors.New("") arrives as the error <nil>; the reply is "the server's"`)
}
