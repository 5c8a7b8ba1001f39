package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/rpc"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// connect returns a client of a server that publishes service under the name MathService.
func connect(t *testing.T, service any) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("MathService", service); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestStubRestoresSentinels(t *testing.T) {
	stub := NewMathServiceClient(connect(t, new(MathService)))
	_, err := stub.Divide(t.Context(), 1, 0)
	if !errors.Is(err, ErrDivideByZero) || errors.Is(err, ErrOverflow) {
		t.Errorf("Divide(1, 0): %v, want ErrDivideByZero", err)
	}
	t.Logf("%v; errors.Is(err, ErrDivideByZero): %t", err, errors.Is(err, ErrDivideByZero))
	if got, want := fmt.Sprint(err), "MathService.Divide(1, 0): divide by zero"; got != want {
		t.Errorf("Divide(1, 0): %q, want %q", got, want)
	}
	if _, err = stub.Multiply(t.Context(), math.MaxInt, 2); !errors.Is(err, ErrOverflow) || errors.Is(err, ErrDivideByZero) {
		t.Errorf("Multiply(MaxInt, 2): %v, want ErrOverflow", err)
	}
}

// A context that never ends, and has no channel to tell of it, does not keep a call back.
func TestStubCallsWithoutADeadline(t *testing.T) {
	stub := NewMathServiceClient(connect(t, new(MathService)))
	done := make(chan error, 1)
	go func() {
		product, err := stub.Multiply(context.Background(), 10, 20)
		if product != 200 {
			t.Errorf("Multiply(10, 20) = %d, want 200", product)
		}
		done <- err
	}()
	if err := within(t, 10*time.Second, "an answer", done); err != nil {
		t.Errorf("Multiply(10, 20): %v", err)
	}
}

// Liar is a service whose error only contains the text of a sentinel.
type Liar struct{}

// Multiply fails.
func (Liar) Multiply(args *Args, reply *int) error {
	return errors.New("no divide by zero, no integer overflow")
}

func TestStubKeepsOtherErrors(t *testing.T) {
	client := connect(t, Liar{})
	stub := NewMathServiceClient(client)
	_, err := stub.Multiply(t.Context(), 1, 0)
	var remote rpc.ServerError
	if !errors.As(err, &remote) || remote != "no divide by zero, no integer overflow" {
		t.Errorf("Multiply: %v, want the server's error as it is", err)
	}
	if _, err = stub.Divide(t.Context(), 1, 1); !errors.As(err, &remote) {
		t.Errorf("Divide of a service without it: %v, want an rpc.ServerError", err)
	}
	client.Close()
	if _, err = stub.Multiply(t.Context(), 1, 0); !errors.Is(err, rpc.ErrShutdown) {
		t.Errorf("Multiply after Close: %v, want rpc.ErrShutdown", err)
	}
	// The same text from elsewhere is not the service's word.
	if err := sentinel(errors.New("divide by zero")); errors.Is(err, ErrDivideByZero) {
		t.Error("a local error became ErrDivideByZero")
	}
}

// The stub gives up at the deadline whatever the peer does: it reads and does not
// answer, or it does not even read, on which rpc.Client.Go blocks.
func TestStubGivesUp(t *testing.T) {
	peers := map[string]func(net.Conn){
		"reads but does not answer": func(conn net.Conn) { io.Copy(io.Discard, conn) },
		"does not read":             func(net.Conn) {},
	}
	methods := map[string]func(context.Context, *MathServiceClient) error{
		"Multiply": func(ctx context.Context, stub *MathServiceClient) error {
			_, err := stub.Multiply(ctx, 1, 2)
			return err
		},
		"Divide": func(ctx context.Context, stub *MathServiceClient) error { _, err := stub.Divide(ctx, 1, 2); return err },
	}
	for behaviour, peer := range peers {
		for method, call := range methods {
			t.Run(method+" when the peer "+behaviour, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := net.Pipe()
					go peer(theirs)
					client := rpc.NewClient(ours)
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					defer cancel()
					begin := time.Now()
					err := call(ctx, NewMathServiceClient(client))
					if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
						t.Errorf("%v after %v, want context.DeadlineExceeded after 3s", err, took)
					}
					client.Close() // ends every goroutine, or synctest would complain
				})
			})
		}
	}
}

// Late answers each call after a minute.
type Late struct{ calls atomic.Int32 }

// Multiply takes a minute.
func (l *Late) Multiply(args *Args, reply *int) error {
	l.calls.Add(1)
	time.Sleep(time.Minute)
	*reply = args.A * args.B
	return nil
}

// The answer that comes too late reaches neither the next call nor, as the race
// detector would tell, a variable that somebody reads.
func TestStubIsUnharmedByALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := new(Late)
		stub := NewMathServiceClient(connect(t, late))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if product, err := stub.Multiply(ctx, 2, 3); product != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Multiply(2, 3) = %d, %v, want 0, context.DeadlineExceeded", product, err)
		}
		if product, err := stub.Multiply(t.Context(), 4, 5); product != 20 || err != nil {
			t.Errorf("Multiply(4, 5) = %d, %v, want 20", product, err)
		}
		// A context that has ended sends nothing.
		_, err := stub.Multiply(ctx, 6, 7)
		synctest.Wait()
		if calls := late.calls.Load(); !errors.Is(err, context.DeadlineExceeded) || calls != 2 {
			t.Errorf("with a context that has ended: %v and %d calls at the server, want 2", err, calls)
		}
	})
}
