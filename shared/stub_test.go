package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/rpc"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// A sentinel of the server is one again at the client, although only its text has come (§2).
func TestStubRestoresSentinels(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := rpctest.Gob.Connect(t, new(MathService))
	stub := NewMathServiceClient(client)
	is := func(err error) string {
		return fmt.Sprintf("ErrDivideByZero: %t, ErrOverflow: %t",
			errors.Is(err, ErrDivideByZero), errors.Is(err, ErrOverflow))
	}
	_, err := stub.Divide(t.Context(), 1, 0)
	saw.Add("the error of Divide(1, 0): %v", err)
	saw.Add("it is %s", is(err))
	_, err = stub.Multiply(t.Context(), math.MaxInt, 2)
	saw.Add("the error of Multiply(MaxInt, 2) is %s", is(err))
	saw.Want(t, `
the error of Divide(1, 0): MathService.Divide(1, 0): divide by zero
it is ErrDivideByZero: true, ErrOverflow: false
the error of Multiply(MaxInt, 2) is ErrDivideByZero: false, ErrOverflow: true`)
}

// Liar is a service whose error only contains the texts of the sentinels.
type Liar struct{}

// Multiply fails.
func (Liar) Multiply(args *Args, reply *int) error {
	return errors.New("no divide by zero, no integer overflow")
}

// All other errors reach the caller as net/rpc has them.
func TestStubKeepsOtherErrors(t *testing.T) {
	var saw rpctest.Transcript
	server := rpc.NewServer()
	server.RegisterName("MathService", Liar{})
	client, _ := rpctest.Gob.Connect(t, server)
	stub := NewMathServiceClient(client)
	_, err := stub.Multiply(t.Context(), 1, 0)
	saw.Add("%v; below it: %T", err, errors.Unwrap(err))
	_, err = stub.Divide(t.Context(), 1, 1)
	saw.Add("%v; below it: %T", err, errors.Unwrap(err))
	client.Close()
	_, err = stub.Multiply(t.Context(), 1, 0)
	saw.Add("%v; rpc.ErrShutdown: %t", err, errors.Is(err, rpc.ErrShutdown))
	err = describe(errors.New("divide by zero"), "local", 1, 0)
	saw.Add("%v, but not the server's; ErrDivideByZero: %t", err, errors.Is(err, ErrDivideByZero))
	saw.Want(t, `
MathService.Multiply(1, 0): no divide by zero, no integer overflow; below it: rpc.ServerError
MathService.Divide(1, 1): rpc: can't find method MathService.Divide; below it: rpc.ServerError
MathService.Multiply(1, 0): connection is shut down; rpc.ErrShutdown: true
local(1, 0): divide by zero, but not the server's; ErrDivideByZero: false`)
}

// The stub gives up at the deadline whatever the peer does: it does not even read, on which
// rpc.Client.Go blocks, or it reads and is silent. A call that has been given up leaves a goroutine
// only until its request has been sent.
func TestStubGivesUp(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		client := rpc.NewClient(ours)
		defer client.Close()
		stub := NewMathServiceClient(client)
		left := func() int {
			synctest.Wait()
			var goroutines strings.Builder
			pprof.Lookup("goroutine").WriteTo(&goroutines, 1)
			return strings.Count(goroutines.String(), `"of":"the call"`)
		}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var err error
		pprof.Do(ctx, pprof.Labels("of", "the call"), func(ctx context.Context) {
			_, err = stub.Multiply(ctx, 10, 20)
		})
		saw.Add("the peer does not read; after %v: %v", time.Since(begin), err)
		saw.Add("goroutines of the call: %d", left())
		go io.Copy(io.Discard, theirs)
		saw.Add("goroutines of the call when the peer has read: %d", left())
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err = stub.Divide(ctx, 10, 20)
		saw.Add("the peer reads and is silent; after %v: %v", time.Since(begin), err)
	})
	saw.Want(t, `
the peer does not read; after 3s: MathService.Multiply(10, 20): context deadline exceeded
goroutines of the call: 1
goroutines of the call when the peer has read: 0
the peer reads and is silent; after 6s: MathService.Divide(10, 20): context deadline exceeded`)
}

// Late is a service that answers after a minute.
type Late struct{}

// Multiply takes a minute.
func (Late) Multiply(args *Args, reply *int) error {
	time.Sleep(time.Minute)
	*reply = args.A * args.B
	return nil
}

// An answer that comes too late reaches neither the next call nor, as the race detector would
// tell, a variable that somebody reads. A context that has ended sends nothing.
func TestStubIsUnharmedByALateAnswer(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		client, tape := rpctest.Gob.Connect(t, Late{})
		begin := time.Now()
		multiply := func(ctx context.Context, a, b int) {
			product, err := call[int](ctx, client, "Late.Multiply", &Args{a, b})
			synctest.Wait()
			sent, _ := tape.Take()
			saw.Add("after %v: Multiply(%d, %d) = %d, %v; bytes sent: %t",
				time.Since(begin), a, b, product, err, sent != "")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		multiply(ctx, 2, 3)
		multiply(context.Background(), 4, 5) // which never ends, and has no channel to tell of it
		multiply(ctx, 6, 7)
	})
	saw.Want(t, `
after 30s: Multiply(2, 3) = 0, context deadline exceeded; bytes sent: true
after 1m30s: Multiply(4, 5) = 20, <nil>; bytes sent: true
after 1m30s: Multiply(6, 7) = 0, context deadline exceeded; bytes sent: false`)
}
