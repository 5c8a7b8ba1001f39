package shared

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"testing"
)

// The tutorial says that the server sends back the result or the error (§2). Of the
// error the text arrives, and no more: errors.As finds an rpc.ServerError, errors.Is nothing.
func TestErrorsCrossAsText(t *testing.T) {
	err := call(t, connect(t, new(MathService)), "MathService.Divide", &Args{1, 0}, new(Quotient))
	var text rpc.ServerError
	if !errors.As(err, &text) || string(text) != ErrDivideByZero.Error() {
		t.Errorf("Divide(1, 0): %T %v, want an rpc.ServerError with the text of ErrDivideByZero", err, err)
	}
	if errors.Is(err, ErrDivideByZero) {
		t.Error("Divide(1, 0): errors.Is finds ErrDivideByZero, want the text alone")
	}
	t.Logf("Divide(1, 0): %T, %q; errors.Is finds ErrDivideByZero: %t", err, err, errors.Is(err, ErrDivideByZero))
}

// Failing fails.
type Failing struct{}

// With sets *reply, and fails with the given text.
func (Failing) With(text string, reply *string) error {
	*reply = "the server's"
	return errors.New(text)
}

// The tutorial says that the result or the error comes back (§2). An error without
// a text is no error on the wire: the call succeeds, with the reply.
func TestEmptyErrorArrivesAsSuccess(t *testing.T) {
	reply := "the client's"
	err := call(t, connect(t, Failing{}), "MathService.With", "", &reply)
	if err != nil || reply != "the server's" {
		t.Errorf("With(%q) = %q, %v, want the server's, nil", "", reply, err)
	}
	t.Logf(`the method returns errors.New(""); the client gets the reply %q, and the error %v`, reply, err)
}

// The result or the error comes back (§2), never both: with an error the client's
// reply stays as it was, whatever the method has set.
func TestErrorLeavesTheReplyUntouched(t *testing.T) {
	reply := "the client's"
	err := call(t, connect(t, Failing{}), "MathService.With", "no", &reply)
	if err != rpc.ServerError("no") || reply != "the client's" {
		t.Errorf("With(%q) = %q, %v, want the client's, no", "no", reply, err)
	}
	t.Logf(`the method sets the reply and returns errors.New("no"); the client has the reply %q, and the error %v`, reply, err)
}

// The hint at another address is for those who may have dialed the wrong one.
func TestExplainHintsAtTheAddressUnlessTheServerHasAnswered(t *testing.T) {
	const hint = "; is that the address of ? -addr sets another"
	for err, want := range map[error]string{
		rpc.ServerError("a\tb"): "a b",
		ErrOverflow:             ErrOverflow.Error(),
		ErrDivideByZero:         ErrDivideByZero.Error(),
		rpc.ErrShutdown:         rpc.ErrShutdown.Error(), // the call before has been answered
		io.ErrUnexpectedEOF:     io.ErrUnexpectedEOF.Error() + hint,
	} {
		if got := Explain(fmt.Errorf("call: %w", err)).Error(); got != "call: "+want {
			t.Errorf("Explain(call: %q) = %q, want %q", err, got, "call: "+want)
		}
	}
}
