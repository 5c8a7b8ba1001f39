package shared

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
)

// MathServiceClient is the client stub of MathService: its methods look like local functions
// and make the call (tutorial §2). gRPC generates its stubs, net/rpc does not
// (TestTheCompilerChecksNoCall). It is safe for concurrent use, as the rpc.Client below it is.
type MathServiceClient struct {
	client *rpc.Client
}

// NewMathServiceClient returns a stub that calls over client, whatever its transport and
// codec. The caller still owns client, and closes it.
func NewMathServiceClient(client *rpc.Client) *MathServiceClient {
	return &MathServiceClient{client}
}

// Multiply returns a * b as the server computes it. The error wraps ErrOverflow if the server
// says so, ctx.Err() if ctx ends first (the server may then have executed the call or not), or
// else what rpc.Client.Call would have returned.
func (s *MathServiceClient) Multiply(ctx context.Context, a, b int) (int, error) {
	return invoke[int](ctx, s.client, "MathService.Multiply", a, b)
}

// Divide returns the quotient and the remainder of a / b as the server computes them. Its
// errors are those of Multiply, and ErrDivideByZero.
func (s *MathServiceClient) Divide(ctx context.Context, a, b int) (Quotient, error) {
	return invoke[Quotient](ctx, s.client, "MathService.Divide", a, b)
}

// invoke makes one call and gives up when ctx ends. Each call has a reply of its own, for a
// late answer is still written to it.
func invoke[Reply any](ctx context.Context, client *rpc.Client, method string, a, b int) (Reply, error) {
	reply := new(Reply)
	err := ctx.Err() // a context that has ended sends nothing
	if err == nil {
		// Go blocks while the peer does not read, so it gets a goroutine, which ends at the
		// latest when the client is closed.
		done := make(chan *rpc.Call, 1)
		go client.Go(method, &Args{a, b}, reply, done)
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case call := <-done:
			err = sentinel(call.Error)
		}
	}
	if err != nil {
		return *new(Reply), fmt.Errorf("%s(%d, %d): %w", method, a, b, err)
	}
	return *reply, nil
}

// sentinel returns the error of MathService that has the text of err if the server sent err,
// and err itself otherwise: a text is all that the wire carries.
func sentinel(err error) error {
	var remote rpc.ServerError
	if errors.As(err, &remote) {
		for _, known := range []error{ErrOverflow, ErrDivideByZero} {
			if string(remote) == known.Error() {
				return known
			}
		}
	}
	return err
}
