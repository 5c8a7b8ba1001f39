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
type MathServiceClient struct{ client *rpc.Client }

// NewMathServiceClient returns a stub that calls over client, which its caller still closes.
func NewMathServiceClient(client *rpc.Client) *MathServiceClient { return &MathServiceClient{client} }

// Multiply returns a * b as the server computes it. The error wraps ErrOverflow if the server
// says so, ctx.Err() if ctx ends first (the server may then have executed the call or not), or
// else what rpc.Client.Call would have returned.
func (s *MathServiceClient) Multiply(ctx context.Context, a, b int) (int, error) {
	product, err := call[int](ctx, s.client, "MathService.Multiply", &Args{a, b})
	return product, describe(err, "MathService.Multiply", a, b)
}

// Divide returns the quotient and the remainder of a / b. Its errors are Multiply's and ErrDivideByZero.
func (s *MathServiceClient) Divide(ctx context.Context, a, b int) (Quotient, error) {
	quotient, err := call[Quotient](ctx, s.client, "MathService.Divide", &Args{a, b})
	return quotient, describe(err, "MathService.Divide", a, b)
}

// call makes one call and gives up when ctx ends, of which the server learns nothing. It works
// for any service: copy it. Each call has a reply of its own, because an answer that comes late
// is still written to it. Nobody may change args after call has returned early.
func call[Reply any](
	ctx context.Context, client *rpc.Client, method string, args any,
) (Reply, error) {
	var none Reply
	if err := ctx.Err(); err != nil {
		return none, err // and send nothing
	}
	reply, done := new(Reply), make(chan *rpc.Call, 1)
	// Go blocks while the peer does not read, so it gets a goroutine. This ends when the
	// request has been sent or, at the latest, when the client is closed.
	go client.Go(method, args, reply, done)
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case ended := <-done:
		return *reply, ended.Error
	}
}

// describe adds the call to its error, and turns the text of a sentinel back into the sentinel.
func describe(err error, method string, a, b int) error {
	if err == nil {
		return nil
	}
	for _, sentinel := range []error{ErrOverflow, ErrDivideByZero} {
		if errors.Is(err, rpc.ServerError(sentinel.Error())) {
			err = sentinel
		}
	}
	return fmt.Errorf("%s(%d, %d): %w", method, a, b, err)
}
