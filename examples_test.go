// Package netrpc has no code: its tests call MathService over every transport from one table.
// The programs are tested in shared/programtest.
package netrpc

import (
	"errors"
	"math"
	"net/rpc"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/drain"
	"example.com/netrpc/shared/rpctest"
)

// connect serves MathService over a transport, as the servers of this repository do, and
// returns a client of it.
func connect(t *testing.T, transport rpctest.Transport) *rpc.Client {
	t.Helper()
	server := rpctest.Server(t, new(shared.MathService))
	l := drain.New(rpctest.Listen(t))
	ended := make(chan bool)
	go func() {
		transport.Serve(server, l)
		close(ended)
	}()
	client, err := transport.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tooLong := time.AfterFunc(rpctest.Patience, func() { client.Close() }) // ends a call that hangs
	t.Cleanup(func() {
		tooLong.Stop()
		client.Close()
		l.Close()
		rpctest.Within(t, ended, "the end of the server")
	})
	return client
}

// ways are the variants of a call: each of them makes it and returns its error.
var ways = map[string]func(t *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error{
	"Call": func(_ *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error {
		return client.Call(method, args, reply)
	},
	"Go": func(t *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error {
		return rpctest.Within(t, client.Go(method, args, reply, nil).Done, method).Error
	},
	"the stub": func(t *testing.T, client *rpc.Client, _ string, args *shared.Args, reply any) (err error) {
		stub := shared.NewMathServiceClient(client)
		switch reply := reply.(type) {
		case *int:
			*reply, err = stub.Multiply(t.Context(), args.A, args.B)
		case *shared.Quotient:
			*reply, err = stub.Divide(t.Context(), args.A, args.B)
		}
		return err
	},
}

// The tutorial says that calls over HTTP are "与 TCP 案例完全相同", exactly as over TCP (§4.3,
// C20), and that over JSON-RPC "调用方式不变", the way of calling does not change (§4.4, C22).
// Right: results and errors are the same, by Call, by Go and through the stub.
func TestEveryTransportAnswersTheSame(t *testing.T) {
	rows := []struct {
		a, b                  int
		product               int
		quotient              shared.Quotient
		noProduct, noQuotient error
	}{
		{a: 10, b: 20, product: 200, quotient: shared.Quotient{Quo: 0, Rem: 10}},
		{a: 0, b: 7},
		{a: 7, b: 0, noQuotient: shared.ErrDivideByZero},
		{a: 0, b: 0, noQuotient: shared.ErrDivideByZero},
		{a: 17, b: 5, product: 85, quotient: shared.Quotient{Quo: 3, Rem: 2}},
		{a: -17, b: 5, product: -85, quotient: shared.Quotient{Quo: -3, Rem: -2}},
		{a: 17, b: -5, product: -85, quotient: shared.Quotient{Quo: -3, Rem: 2}},
		{a: -17, b: -5, product: 85, quotient: shared.Quotient{Quo: 3, Rem: -2}},
		{a: math.MaxInt, b: 1, product: math.MaxInt, quotient: shared.Quotient{Quo: math.MaxInt}},
		{a: -1, b: math.MaxInt, product: -math.MaxInt, quotient: shared.Quotient{Rem: -1}},
		{a: math.MinInt, b: 1, product: math.MinInt, quotient: shared.Quotient{Quo: math.MinInt}},
		{a: math.MinInt, b: 0, noQuotient: shared.ErrDivideByZero},
		{a: math.MaxInt, b: 2, noProduct: shared.ErrOverflow, quotient: shared.Quotient{Quo: math.MaxInt / 2, Rem: 1}},
		{a: math.MaxInt/2 + 1, b: 2, noProduct: shared.ErrOverflow, quotient: shared.Quotient{Quo: (math.MaxInt/2 + 1) / 2}},
		{a: math.MinInt, b: -1, noProduct: shared.ErrOverflow, noQuotient: shared.ErrOverflow},
		{a: -1, b: math.MinInt, noProduct: shared.ErrOverflow, quotient: shared.Quotient{Rem: -1}},
	}
	for _, transport := range rpctest.Transports {
		t.Run(transport.Name, func(t *testing.T) {
			client := connect(t, transport)
			for way, call := range ways {
				for _, row := range rows {
					args := &shared.Args{A: row.a, B: row.b}
					var product int
					err := call(t, client, "MathService.Multiply", args, &product)
					if product != row.product || !means(err, row.noProduct, way) {
						t.Errorf("by %s: Multiply(%d, %d) = %d, %v, want %d, %v",
							way, row.a, row.b, product, err, row.product, row.noProduct)
					}
					var quotient shared.Quotient
					err = call(t, client, "MathService.Divide", args, &quotient)
					if quotient != row.quotient || !means(err, row.noQuotient, way) {
						t.Errorf("by %s: Divide(%d, %d) = %v, %v, want %v, %v",
							way, row.a, row.b, quotient, err, row.quotient, row.noQuotient)
					}
				}
			}
			for method, want := range map[string]string{
				"MathService.Modulo": "rpc: can't find method MathService.Modulo",
				"Math.Multiply":      "rpc: can't find service Math.Multiply",
				"Multiply":           "rpc: service/method request ill-formed: Multiply",
			} {
				if err := client.Call(method, &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ServerError(want) {
					t.Errorf("Call(%q) = %v, want %s", method, err, want)
				}
			}
			client.Close()
			for way, call := range ways {
				err := call(t, client, "MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int))
				if !errors.Is(err, rpc.ErrShutdown) {
					t.Errorf("by %s, after Close: %v, want rpc.ErrShutdown", way, err)
				}
			}
		})
	}
}

// means reports whether err is want: through the stub that error, otherwise its text.
func means(err, want error, way string) bool {
	if err == nil || want == nil || way == "the stub" {
		return errors.Is(err, want)
	}
	return err == rpc.ServerError(want.Error())
}
