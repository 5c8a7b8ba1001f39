package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"testing"
	"time"
)

// serveStdio in the environment makes this test binary a server on its stdin and stdout.
const serveStdio = "NETRPC_SERVE_STDIO"

func TestMain(m *testing.M) {
	if os.Getenv(serveStdio) == "" {
		os.Exit(m.Run())
	}
	server := rpc.NewServer()
	server.Register(Process{})
	server.ServeConn(stdio{os.Stdin, os.Stdout})
}

// stdio joins two streams into what net/rpc takes for a connection.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// startProcess starts a server in a process of its own and returns a client of it.
func startProcess(t *testing.T) (*rpc.Client, *exec.Cmd) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, "-test.run=^$") // runs no test, whatever TestMain does
	cmd.Env = append(os.Environ(), serveStdio+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClient(stdio{stdout, stdin})
	t.Cleanup(func() {
		client.Close()
		cmd.Wait()
	})
	return client, cmd
}

// Process is a service that tells about the process it runs in.
type Process struct{}

// Seen is what a method sees.
type Seen struct{ PID, A int }

// Look overwrites A, and sets *reply to what it sees then.
func (Process) Look(args *Args, reply *Seen) error {
	args.A = 999
	*reply = Seen{os.Getpid(), args.A}
	return nil
}

// The tutorial says that the called function runs in the sender's memory (§1, C1).
// It runs in the server's process, on a copy of the arguments.
func TestMethodRunsInTheServersProcess(t *testing.T) {
	t.Parallel()
	client, cmd := startProcess(t)
	args := &Args{A: 10, B: 20}
	var seen Seen
	if err := client.Call("Process.Look", args, &seen); err != nil {
		t.Fatal(err)
	}
	if seen.PID != cmd.Process.Pid || seen.PID == os.Getpid() {
		t.Errorf("the method ran in process %d, want the server's, %d, and not ours, %d", seen.PID, cmd.Process.Pid, os.Getpid())
	}
	if seen.A != 999 || *args != (Args{10, 20}) {
		t.Errorf("the method saw A = %d, want 999; the caller has %v, want {10 20} as before", seen.A, *args)
	}
	client.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server after its client's Close: %v, want exit code 0", err)
	}
}

// Tally adds to its reply.
type Tally struct{}

// Add adds B to *reply, and overwrites A.
func (Tally) Add(args *Args, reply *int) error {
	*reply += args.B
	args.A = 999
	return nil
}

// The tutorial calls transparency the core idea (§2, C2). A remote call is no local one:
// arguments only go and the reply only comes, so neither pointer is shared with the method.
func TestArgumentsOnlyGoAndTheReplyOnlyComes(t *testing.T) {
	t.Parallel()
	client := connect(t, Tally{})
	for _, test := range []struct {
		where          string
		add            func(args *Args, reply *int) error
		wantA, wantSum int
	}{
		{"locally", Tally{}.Add, 999, 42},
		{"remotely", func(args *Args, reply *int) error { return call(t, client, "MathService.Add", args, reply) }, 10, 2},
	} {
		args, sum := &Args{A: 10, B: 2}, 40
		if err := test.add(args, &sum); err != nil || args.A != test.wantA || sum != test.wantSum {
			t.Errorf("Add(2) to 40 %s: sum %d, A %d, %v, want sum %d, A %d", test.where, sum, args.A, err, test.wantSum, test.wantA)
		}
	}
}

// The tutorial says that the framework generates the stub (§2, C3). net/rpc generates
// nothing: its client has no method of any service. MathServiceClient is written by hand.
func TestNoStubIsGenerated(t *testing.T) {
	t.Parallel()
	var methods []string
	for typ, i := reflect.TypeFor[*rpc.Client](), 0; i < typ.NumMethod(); i++ {
		methods = append(methods, typ.Method(i).Name)
	}
	if want := []string{"Call", "Close", "Go"}; !slices.Equal(methods, want) {
		t.Errorf("*rpc.Client has the methods %q, want %q", methods, want)
	}
}

// Without a stub the compiler checks no call (§2, C3): a mistake in one is an error of
// the server at run time, and a misspelt field not even that, but a zero.
func TestTheCompilerChecksNoCall(t *testing.T) {
	t.Parallel()
	client := connect(t, new(MathService))
	for _, test := range []struct {
		method string
		args   any
		want   int
		err    error
	}{
		{"MathService.Mutliply", &Args{10, 20}, -1, rpc.ServerError("rpc: can't find method MathService.Mutliply")},
		{"MathService.Multiply", "10, 20", -1, rpc.ServerError("gob: type mismatch in decoder: want struct type shared.Args; got non-struct")},
		{"MathService.Multiply", struct{ A, Bee int }{10, 20}, 0, nil},
	} {
		reply := -1
		if err := call(t, client, test.method, test.args, &reply); err != test.err || reply != test.want {
			t.Errorf("%s(%+v) = %d, %v, want %d, %v", test.method, test.args, reply, err, test.want, test.err)
		}
	}
}

// Receivers for TestRegister. Each suitable method doubles its argument.
type (
	// Struct has a method of its pointer.
	Struct struct{}
	// Num has a method of its value.
	Num int
	// Func is a function with a method.
	Func   func(n int) int
	hidden struct{ N int }
	// Mixed has suitable and unsuitable methods.
	Mixed struct{}
)

// Double is suitable.
func (*Struct) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// Double is suitable.
func (Num) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// Double is suitable.
func (f Func) Double(n int, reply *int) error { *reply = f(n); return nil }

// Double is suitable.
func (hidden) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// ByPointer is suitable.
func (m Mixed) ByPointer(n *int, reply *int) error { return m.unexported(*n, reply) }

// ByValue is suitable.
func (m Mixed) ByValue(n int, reply *int) error { return m.unexported(n, reply) }

// SliceOfHidden is suitable.
func (m Mixed) SliceOfHidden(n []hidden, reply *int) error { return m.unexported(n[0].N, reply) }

func (Mixed) unexported(n int, reply *int) error { *reply = 2 * n; return nil }

// OneArgument is unsuitable, as its name says; so are the methods below.
func (Mixed) OneArgument(n int) error { return nil }

// ThreeArguments is unsuitable.
func (Mixed) ThreeArguments(n int, reply *int, more int) error { return nil }

// HiddenArgument is unsuitable.
func (Mixed) HiddenArgument(n hidden, reply *int) error { return nil }

// ReplyByValue is unsuitable.
func (Mixed) ReplyByValue(n int, reply map[string]int) error { return nil }

// HiddenReply is unsuitable.
func (Mixed) HiddenReply(n int, reply *hidden) error { return nil }

// NoResult is unsuitable.
func (Mixed) NoResult(n int, reply *int) {}

// TwoResults is unsuitable.
func (Mixed) TwoResults(n int, reply *int) (error, error) { return nil, nil }

// ConcreteResult is unsuitable.
func (Mixed) ConcreteResult(n int, reply *int) rpc.ServerError { return "" }

// The tutorial's rules for a method hold (§4.1, C5 to C10), but Register does not find all
// exported methods (§4.2, C13): it skips one that breaks a rule, without a word, and returns
// an error only if none is left, or if the type has no exported name to give (C15).
func TestRegister(t *testing.T) {
	t.Parallel()
	const (
		noMethod  = "rpc: can't find method "
		noService = "rpc: can't find service "
	)
	for _, test := range []struct {
		fact     string
		receiver any
		name     string // for RegisterName; Register if empty
		err      string // of Register, if it fails
		method   string // to call afterwards
		arg      any    // for it; 21 if nil
		missing  string // how the error of the call begins, if it fails
	}{
		{fact: "C5 a pointer to a struct is accepted", receiver: new(Struct), method: "Struct.Double"},
		{fact: "C5 a named int is accepted", receiver: Num(0), method: "Num.Double"},
		{fact: "C5 a named func is accepted", receiver: Func(func(n int) int { return 2 * n }), method: "Func.Double"},
		{fact: "C5 a struct whose methods are its pointer's is rejected", receiver: Struct{},
			err: "rpc.Register: type Struct has no exported methods of suitable type (hint: pass a pointer to value of that type)"},
		{fact: "C13 a type without a suitable method is rejected", receiver: new(MathServiceClient),
			err: "rpc.Register: type MathServiceClient has no exported methods of suitable type"},
		{fact: "C15 an unexported type is rejected", receiver: hidden{}, err: "rpc.Register: type hidden is not exported"},
		{fact: "C15 an unexported type is accepted under another name", receiver: hidden{}, name: "Other", method: "Other.Double"},
		{fact: "C15 a type without a name is rejected", receiver: &struct{ Num }{},
			err: "rpc.Register: no service name for type *struct { shared.Num }"},
		{fact: "C15 another name can be given", receiver: Num(0), name: "Other", method: "Other.Double"},
		{fact: "C15 another name replaces that of the type", receiver: Num(0), name: "Other", method: "Num.Double", missing: noService},
		{fact: "C6 an unexported method is skipped", receiver: Mixed{}, method: "Mixed.unexported", missing: noMethod},
		{fact: "C7 a method with one argument is skipped", receiver: Mixed{}, method: "Mixed.OneArgument", missing: noMethod},
		{fact: "C7 a method with three arguments is skipped", receiver: Mixed{}, method: "Mixed.ThreeArguments", missing: noMethod},
		{fact: "C8 the argument may be a pointer", receiver: Mixed{}, method: "Mixed.ByPointer"},
		{fact: "C8 the argument need not be a pointer", receiver: Mixed{}, method: "Mixed.ByValue"},
		{fact: "C8 a method with an argument of unexported type is skipped", receiver: Mixed{}, method: "Mixed.HiddenArgument", arg: hidden{21}, missing: noMethod},
		{fact: "C8 the argument may be a slice of unexported type", receiver: Mixed{}, method: "Mixed.SliceOfHidden", arg: []hidden{{21}}},
		{fact: "C9 a method with a reply that is no pointer is skipped", receiver: Mixed{}, method: "Mixed.ReplyByValue", missing: noMethod},
		{fact: "C9 a method with a reply of unexported type is skipped", receiver: Mixed{}, method: "Mixed.HiddenReply", missing: noMethod},
		{fact: "C10 a method without a result is skipped", receiver: Mixed{}, method: "Mixed.NoResult", missing: noMethod},
		{fact: "C10 a method with two results is skipped", receiver: Mixed{}, method: "Mixed.TwoResults", missing: noMethod},
		{fact: "C10 a method with a result of another type than error is skipped", receiver: Mixed{}, method: "Mixed.ConcreteResult", missing: noMethod},
	} {
		t.Run(test.fact, func(t *testing.T) {
			t.Parallel()
			server := rpc.NewServer()
			var err error
			if test.name == "" {
				err = server.Register(test.receiver)
			} else {
				err = server.RegisterName(test.name, test.receiver)
			}
			if test.err != "" || err != nil {
				if fmt.Sprint(err) != test.err {
					t.Errorf("registering: %v, want %q", err, test.err)
				}
				return
			}
			if test.arg == nil {
				test.arg = 21
			}
			var reply int
			err = call(t, gobClient(t, server), test.method, test.arg, &reply)
			if test.missing != "" {
				if want := rpc.ServerError(test.missing + test.method); err != want {
					t.Errorf("%s(21): %v, want %q", test.method, err, want)
				}
			} else if err != nil || reply != 42 {
				t.Errorf("%s(21) = %d, %v, want 42", test.method, reply, err)
			}
		})
	}
}

// The tutorial registers each service once. A second one of the same type is an error,
// even if it is another value (§4.2, C15); RegisterName gives it a name of its own.
func TestTwoServicesNeedTwoNames(t *testing.T) {
	t.Parallel()
	server := rpc.NewServer()
	if err := server.Register(Num(1)); err != nil {
		t.Fatal(err)
	}
	if err := server.Register(Num(2)); fmt.Sprint(err) != "rpc: service already defined: Num" {
		t.Errorf("second Register: %v, want rpc: service already defined: Num", err)
	}
	if err := server.RegisterName("Second", Num(2)); err != nil {
		t.Errorf("RegisterName: %v, want nil", err)
	}
}

// The tutorial says that the server sends back the result or the error (§2). Of the
// error only the text arrives: errors.As finds an rpc.ServerError, errors.Is nothing.
func TestErrorsCrossAsText(t *testing.T) {
	t.Parallel()
	err := call(t, connect(t, new(MathService)), "MathService.Divide", &Args{1, 0}, new(Quotient))
	var text rpc.ServerError
	if !errors.As(err, &text) || string(text) != ErrDivideByZero.Error() {
		t.Errorf("Divide(1, 0): %T %v, want an rpc.ServerError with the text of ErrDivideByZero", err, err)
	}
	if errors.Is(err, ErrDivideByZero) {
		t.Error("Divide(1, 0): errors.Is finds ErrDivideByZero, want the text alone")
	}
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
	t.Parallel()
	reply := "the client's"
	if err := call(t, connect(t, Failing{}), "MathService.With", "", &reply); err != nil || reply != "the server's" {
		t.Errorf("With(%q) = %q, %v, want the server's, nil", "", reply, err)
	}
}

// The result or the error comes back (§2), never both: with an error the client's
// reply stays as it was, whatever the method has set.
func TestErrorLeavesTheReplyUntouched(t *testing.T) {
	t.Parallel()
	reply := "the client's"
	if err := call(t, connect(t, Failing{}), "MathService.With", "no", &reply); err != rpc.ServerError("no") || reply != "the client's" {
		t.Errorf("With(%q) = %q, %v, want the client's, no", "no", reply, err)
	}
}

type (
	// Partial has an exported field and another one.
	Partial struct{ A, b int }
	// Opaque has no exported field.
	Opaque struct{ a, b int }
)

// Fields is a service that takes and returns structs with unexported fields.
type Fields struct{}

// Partial writes the fields that arrive as one number.
func (Fields) Partial(args Partial, reply *int) error { *reply = 10*args.A + args.b; return nil }

// Opaque writes the fields that arrive as one number.
func (Fields) Opaque(args Opaque, reply *int) error { *reply = 10*args.a + args.b; return nil }

// Return returns a struct without exported fields.
func (Fields) Return(n int, reply *Opaque) error { *reply = Opaque{n, n}; return nil }

// The tutorial's rules (§4.1) say nothing of fields: one that is not exported stays
// behind. If a struct has no other, gob refuses to send it; JSON sends it empty.
func TestUnexportedFieldsStayBehind(t *testing.T) {
	t.Parallel()
	server := rpc.NewServer()
	if err := server.Register(Fields{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		codec  string
		client *rpc.Client
		method string
		args   any
		want   int
		err    string
	}{
		{"gob", gobClient(t, server), "Fields.Partial", Partial{4, 2}, 40, "<nil>"},
		{"JSON", jsonClient(t, server), "Fields.Partial", Partial{4, 2}, 40, "<nil>"},
		{"gob", gobClient(t, server), "Fields.Opaque", Opaque{4, 2}, -1, "gob: type shared.Opaque has no exported fields"},
		{"JSON", jsonClient(t, server), "Fields.Opaque", Opaque{4, 2}, 0, "<nil>"},
	} {
		reply := -1
		if err := call(t, test.client, test.method, test.args, &reply); reply != test.want || fmt.Sprint(err) != test.err {
			t.Errorf("%s%v under %s = %d, %v, want %d, %s", test.method, test.args, test.codec, reply, err, test.want, test.err)
		}
	}
}

// The rules (§4.1) say nothing of it, and Register accepts it: a reply that gob cannot
// encode, for it has no exported field, ends the connection. The next call fails too.
func TestReplyWithoutExportedFieldsEndsTheConnection(t *testing.T) {
	t.Parallel()
	client := connect(t, Fields{})
	if err := call(t, client, "MathService.Return", 1, new(Opaque)); fmt.Sprint(err) != "reading body unexpected EOF" {
		t.Errorf("Return(1): %v, want reading body unexpected EOF", err)
	}
	if err := call(t, client, "MathService.Partial", Partial{4, 2}, new(int)); err == nil {
		t.Error("the next call succeeds, want an error")
	}
}

func gobClient(t *testing.T, server *rpc.Server) *rpc.Client {
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

func jsonClient(t *testing.T, server *rpc.Server) *rpc.Client {
	ours, theirs := net.Pipe()
	go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
	client := jsonrpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// call makes one call and does not wait for ever.
func call(t *testing.T, client *rpc.Client, method string, args, reply any) error {
	t.Helper()
	select {
	case done := <-client.Go(method, args, reply, make(chan *rpc.Call, 1)).Done:
		return done.Error
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no answer within 30 s", method)
		return nil
	}
}
