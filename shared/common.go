// Package shared holds what the clients and the servers have in common: the service and its
// types (tutorial §4.2), and the client stub that net/rpc does not generate (§2).
package shared

import (
	"errors"
	"math"
)

// Args are the two operands of every method of MathService (tutorial §4.2). Its fields are
// exported because gob and JSON leave out those that are not.
type Args struct {
	A, B int
}

// Quotient is the reply of MathService.Divide: A = Quo*B + Rem, where Rem has the sign of A.
type Quotient struct{ Quo, Rem int }

// The errors of MathService. Over the wire only their text arrives, as an rpc.ServerError;
// MathServiceClient turns it back into these values.
var (
	ErrOverflow     = errors.New("integer overflow")
	ErrDivideByZero = errors.New("divide by zero")
)

// MathService is the service that all servers here publish (tutorial §4.2). Its methods may be
// called concurrently, and net/rpc does so: a service with state would need a lock.
type MathService struct{}

// Multiply sets *reply to A * B. It returns ErrOverflow, where the tutorial's listing returns
// a wrapped product, if an int cannot hold the result.
func (t *MathService) Multiply(args *Args, reply *int) error {
	product := args.A * args.B
	// Dividing back finds every overflow but this one: MinInt / -1 wraps too.
	if args.A == -1 && args.B == math.MinInt || args.A != 0 && product/args.A != args.B {
		return ErrOverflow
	}
	*reply = product
	return nil
}

// Divide sets *reply to the quotient and the remainder of A / B. It returns ErrDivideByZero if
// B is 0, and ErrOverflow for MinInt / -1, the one quotient that an int cannot hold.
func (t *MathService) Divide(args *Args, reply *Quotient) error {
	if args.B == 0 {
		return ErrDivideByZero
	}
	if args.A == math.MinInt && args.B == -1 {
		return ErrOverflow
	}
	*reply = Quotient{Quo: args.A / args.B, Rem: args.A % args.B}
	return nil
}
