// Package netrpc has no code: its tests call MathService over every transport from one
// table, and run every pair of programs as their readers do.
package netrpc

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
)

// transports are the ways in which this repository connects a client with a server.
var transports = []struct {
	name  string
	serve func(net.Listener, *rpc.Server) // until the listener is closed
	dial  func(network, addr string) (*rpc.Client, error)
}{
	{"gob over TCP", func(l net.Listener, server *rpc.Server) { server.Accept(l) }, rpc.Dial},
	{"gob over HTTP", func(l net.Listener, server *rpc.Server) {
		mux := http.NewServeMux()
		mux.Handle(rpc.DefaultRPCPath, server)
		http.Serve(l, mux)
	}, rpc.DialHTTP},
	{"JSON over TCP", func(l net.Listener, server *rpc.Server) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go server.ServeCodec(jsonrpc.NewServerCodec(conn))
		}
	}, jsonrpc.Dial},
}

// connect serves MathService over a transport and returns a client of it.
func connect(t *testing.T, serve func(net.Listener, *rpc.Server), dial func(network, addr string) (*rpc.Client, error)) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	l := shared.NewDrainListener(t.Context(), inner)
	go func() {
		serve(l, server)
		close(ended)
	}()
	client, err := dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		l.Close()
		<-ended
	})
	return client
}

// ways are the variants of a call: each of them makes it and returns its error.
var ways = map[string]func(t *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error{
	"Call": func(_ *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error {
		return client.Call(method, args, reply)
	},
	"Go": func(_ *testing.T, client *rpc.Client, method string, args *shared.Args, reply any) error {
		return (<-client.Go(method, args, reply, nil).Done).Error
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

func TestEveryTransportAnswersTheSame(t *testing.T) {
	rows := []struct {
		a, b     int
		product  int
		quotient shared.Quotient
		overflow bool  // of the product
		err      error // of the quotient
	}{
		{a: 10, b: 20, product: 200, quotient: shared.Quotient{Quo: 0, Rem: 10}},
		{a: 0, b: 7},
		{a: 7, b: 0, err: shared.ErrDivideByZero},
		{a: 0, b: 0, err: shared.ErrDivideByZero},
		{a: 17, b: 5, product: 85, quotient: shared.Quotient{Quo: 3, Rem: 2}},
		{a: -17, b: 5, product: -85, quotient: shared.Quotient{Quo: -3, Rem: -2}},
		{a: 17, b: -5, product: -85, quotient: shared.Quotient{Quo: -3, Rem: 2}},
		{a: -17, b: -5, product: 85, quotient: shared.Quotient{Quo: 3, Rem: -2}},
		{a: math.MaxInt, b: 1, product: math.MaxInt, quotient: shared.Quotient{Quo: math.MaxInt}},
		{a: -1, b: math.MaxInt, product: -math.MaxInt, quotient: shared.Quotient{Rem: -1}},
		{a: math.MinInt, b: 1, product: math.MinInt, quotient: shared.Quotient{Quo: math.MinInt}},
		{a: math.MinInt, b: 0, err: shared.ErrDivideByZero},
		{a: math.MaxInt, b: 2, overflow: true, quotient: shared.Quotient{Quo: math.MaxInt / 2, Rem: 1}},
		{a: math.MaxInt/2 + 1, b: 2, overflow: true, quotient: shared.Quotient{Quo: (math.MaxInt/2 + 1) / 2}},
		{a: math.MinInt, b: -1, overflow: true, err: shared.ErrOverflow},
		{a: -1, b: math.MinInt, overflow: true, quotient: shared.Quotient{Rem: -1}},
	}
	for _, transport := range transports {
		client := connect(t, transport.serve, transport.dial)
		for way, call := range ways {
			for _, row := range rows {
				args := &shared.Args{A: row.a, B: row.b}
				var product int
				var wantErr error
				if row.overflow {
					wantErr = shared.ErrOverflow
				}
				if err := call(t, client, "MathService.Multiply", args, &product); product != row.product || !means(err, wantErr, way) {
					t.Errorf("%s, %s: Multiply(%d, %d) = %d, %v, want %d, %v", transport.name, way, row.a, row.b, product, err, row.product, wantErr)
				}
				var quotient shared.Quotient
				if err := call(t, client, "MathService.Divide", args, &quotient); quotient != row.quotient || !means(err, row.err, way) {
					t.Errorf("%s, %s: Divide(%d, %d) = %v, %v, want %v, %v", transport.name, way, row.a, row.b, quotient, err, row.quotient, row.err)
				}
			}
		}
		for method, want := range map[string]string{
			"MathService.Modulo": "rpc: can't find method MathService.Modulo",
			"Math.Multiply":      "rpc: can't find service Math.Multiply",
			"Multiply":           "rpc: service/method request ill-formed: Multiply",
		} {
			if err := client.Call(method, &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ServerError(want) {
				t.Errorf("%s: Call(%q) = %v, want %s", transport.name, method, err, want)
			}
		}
		t.Logf("%s: %d products and quotients, each by Call, by Go and through the stub", transport.name, len(rows))
	}
}

// means reports whether err is want: through the stub that error, otherwise its text.
func means(err, want error, way string) bool {
	if err == nil || want == nil || way == "the stub" {
		return errors.Is(err, want)
	}
	return err == rpc.ServerError(want.Error())
}

// measured is what differs from run to run in what a client prints.
var measured = regexp.MustCompile(`(one after another|in flight at once): \S+`)

// steady returns printed with measured times as T, and replies that come in any order sorted.
func steady(printed string) string {
	lines := strings.Split(measured.ReplaceAllString(printed, "$1: T"), "\n")
	for i, line := range lines {
		if title, replies, found := strings.Cut(line, " replies:"); found {
			words := strings.Fields(replies)
			slices.Sort(words)
			lines[i] = title + " replies: " + strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

func TestEveryPairPrintsItsTranscript(t *testing.T) {
	programs, err := programtest.Build(".", "tcp/server", "tcp/client", "http/server", "http/client",
		"jsonrpc/server", "jsonrpc/client", "async/server", "async/client")
	if err != nil {
		t.Fatal(err)
	}
	most, least := fmt.Sprint(math.MaxInt), fmt.Sprint(math.MinInt)
	calls := `
$ NAME
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
$ NAME -a -7 -b 2
MathService.Multiply(-7, 2) = -14
MathService.Divide(-7, 2) = -3 remainder -1
$ NAME -a 3 -b 0
MathService.Multiply(3, 0) = 0
NAME: MathService.Divide(3, 0): divide by zero
exit 1
`
	large := `$ NAME -a ` + most + ` -b 1
MathService.Multiply(` + most + `, 1) = ` + most + `
MathService.Divide(` + most + `, 1) = ` + most + ` remainder 0
$ NAME -a ` + least + ` -b -1
NAME: MathService.Multiply(` + least + `, -1): integer overflow
exit 1
`
	async := `
$ NAME
meanwhile: 5 + 6 = 11
MathService.Multiply(5, 6) = 30
10 calls one after another: T
10 calls in flight at once: T
the first 10 replies: 1*1=1 10*10=100 2*2=4 3*3=9 4*4=16 5*5=25 6*6=36 7*7=49 8*8=64 9*9=81
$ NAME -a -3 -b 4 -n 1
meanwhile: -3 + 4 = 1
MathService.Multiply(-3, 4) = -12
1 calls one after another: T
1 calls in flight at once: T
the first 1 replies: 1*1=1
`
	for _, row := range []struct{ server, client, transcript, end string }{
		{"tcp/server", "tcp/client", calls + large, "tcp/server: rpc.Serve: accept:stopped, with no call left in flight\n"},
		{"http/server", "http/client", calls + large, "http/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "jsonrpc/client", calls + large, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "client.py", calls + large, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "client.mjs", calls, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"async/server -delay 10ms", "async/client", async, "async/server: rpc.Serve: accept:stopped, with no call left in flight\n"},
	} {
		t.Run(row.client, func(t *testing.T) {
			t.Parallel()
			command := []string{programs.Path(row.client)}
			if interpreter := map[string]string{"client.py": "python3", "client.mjs": "node"}[row.client]; interpreter != "" {
				if _, err := exec.LookPath(interpreter); err != nil && os.Getenv("CI") != "true" {
					t.Skipf("%s needs %s: %v", row.client, interpreter, err)
				}
				command = []string{interpreter, "jsonrpc/client/" + row.client}
			}
			words := strings.Fields(row.server)
			server, err := programtest.Start(programs.Path(words[0]), append(words[1:], "-addr", "127.0.0.1:0")...)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Kill()
			for step := range strings.SplitSeq(strings.ReplaceAll(row.transcript, "NAME", row.client)[1:], "$ ") {
				line, want, _ := strings.Cut(step, "\n")
				if line == "" {
					continue
				}
				args := slices.Concat(command[1:], []string{"-addr", server.Addr}, strings.Fields(line)[1:])
				result, err := programtest.Run(t.Context(), command[0], args...)
				if err != nil {
					t.Fatal(err)
				}
				got := steady(result.Stdout + result.Stderr)
				if result.ExitCode != 0 {
					got += fmt.Sprintf("exit %d\n", result.ExitCode)
				}
				if got != want {
					t.Errorf("%s printed\n%swant\n%s", line, got, want)
				}
			}
			if printed, err := server.Stop(); err != nil || printed != row.end && runtime.GOOS != "windows" {
				t.Errorf("%s, asked to stop, printed %q, %v, want %q", row.server, printed, err, row.end)
			}
		})
	}
}
