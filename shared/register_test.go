package shared

import (
	"fmt"
	"io"
	"log"
	"net/rpc"
	"reflect"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// Receivers for Register. A method that works doubles its argument.
type (
	// Struct has a method of its pointer, so that a Struct alone will not do.
	Struct struct{}
	// Num is no struct, and needs to be none.
	Num int
	// Func is a function that has a method.
	Func   func(n int) int
	hidden struct{ N int }
	// Mixed has methods that keep the rules of §4.1, and methods that break one each.
	Mixed struct{}
)

// Double needs a pointer to be called.
func (*Struct) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// Double works on a value, a pointer, and where a Num is embedded.
func (Num) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// Double asks f.
func (f Func) Double(n int, reply *int) error { *reply = f(n); return nil }

// Double can be called, although hidden cannot be named.
func (hidden) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// unexported would be suitable under another name (C6).
func (Mixed) unexported(n int, reply *int) error { *reply = 2 * n; return nil }

// OneArgument has no reply (C7).
func (Mixed) OneArgument(n int) error { return nil }

// ThreeArguments has one too many (C7).
func (Mixed) ThreeArguments(n int, reply *int, more int) error { return nil }

// ByPointer has the form of the tutorial (C8).
func (m Mixed) ByPointer(n *int, reply *int) error { return m.unexported(*n, reply) }

// ByValue shows that the first argument need not be a pointer (C8).
func (m Mixed) ByValue(n int, reply *int) error { return m.unexported(n, reply) }

// HiddenArgument takes a type that is not exported (C8).
func (Mixed) HiddenArgument(n hidden, reply *int) error { return nil }

// SliceOfHidden shows where the rule ends (C8).
func (m Mixed) SliceOfHidden(n []hidden, reply *int) error { return m.unexported(n[0].N, reply) }

// ReplyByValue has a reply that is no pointer (C9).
func (Mixed) ReplyByValue(n int, reply map[string]int) error { return nil }

// HiddenReply breaks a rule that §4.1 leaves out: the reply's type must be exported too (C9).
func (Mixed) HiddenReply(n int, reply *hidden) error { return nil }

// NoResult cannot fail (C10).
func (Mixed) NoResult(n int, reply *int) {}

// TwoResults has one too many (C10).
func (Mixed) TwoResults(n int, reply *int) (error, error) { return nil, nil }

// ConcreteResult returns an error, but its type is not error itself (C10).
func (Mixed) ConcreteResult(n int, reply *int) rpc.ServerError { return "" }

// register registers receiver, and returns what net/rpc logs about it as well.
func register(receiver any) (server *rpc.Server, logged string, err error) {
	var lines strings.Builder
	defer log.SetOutput(log.Writer())
	defer log.SetFlags(log.Flags())
	log.SetOutput(&lines)
	log.SetFlags(0)
	server = rpc.NewServer()
	err = server.Register(receiver)
	log.SetOutput(io.Discard) // another goroutine may still log something
	for line := range strings.Lines(lines.String()) {
		if strings.HasPrefix(line, "rpc.Register") {
			logged += line
		}
	}
	return server, strings.TrimSpace(logged), err
}

// The tutorial's rules for a method hold (§4.1, C6 to C10), and Register analyses all exported
// methods (§4.2, C13). Left unsaid: it keeps the suitable ones, and skips a method that breaks a
// rule without an error and without a line in the log.
func TestRegisterSkipsUnsuitableMethodsSilently(t *testing.T) {
	server, logged, err := register(Mixed{})
	if err != nil {
		t.Fatal(err)
	}
	client, _ := rpctest.Gob.Connect(t, server)
	var saw rpctest.Transcript
	for _, row := range []struct {
		method string
		arg    any
		why    string
	}{
		{"ByPointer", 21, "has the tutorial's form"},
		{"ByValue", 21, "takes an argument that is no pointer"},
		{"SliceOfHidden", []hidden{{21}}, "takes []hidden, a type without a name"},
		{"unexported", 21, "is not exported"},
		{"OneArgument", 21, "has no reply"},
		{"ThreeArguments", 21, "has an argument too many"},
		{"HiddenArgument", hidden{21}, "takes hidden, a type whose name is not exported"},
		{"ReplyByValue", 21, "has a reply that is no pointer"},
		{"HiddenReply", 21, "replies with hidden, a type whose name is not exported"},
		{"NoResult", 21, "returns nothing"},
		{"TwoResults", 21, "returns a result too many"},
		{"ConcreteResult", 21, "returns an rpc.ServerError, and not an error"},
	} {
		var reply int
		err := client.Call("Mixed."+row.method, row.arg, &reply)
		switch {
		case err == nil && reply == 42:
			saw.Add("kept: %s, which %s", row.method, row.why)
		case err == rpc.ServerError("rpc: can't find method Mixed."+row.method):
			saw.Add("skipped: %s, which %s", row.method, row.why)
		default:
			saw.Add("%s(%v) = %d, %v", row.method, row.arg, reply, err)
		}
	}
	saw.Add("Register returns the error %v, and logs %q", err, logged)
	saw.Want(t, `
kept: ByPointer, which has the tutorial's form
kept: ByValue, which takes an argument that is no pointer
kept: SliceOfHidden, which takes []hidden, a type without a name
skipped: unexported, which is not exported
skipped: OneArgument, which has no reply
skipped: ThreeArguments, which has an argument too many
skipped: HiddenArgument, which takes hidden, a type whose name is not exported
skipped: ReplyByValue, which has a reply that is no pointer
skipped: HiddenReply, which replies with hidden, a type whose name is not exported
skipped: NoResult, which returns nothing
skipped: TwoResults, which returns a result too many
skipped: ConcreteResult, which returns an rpc.ServerError, and not an error
Register returns the error <nil>, and logs ""`)
}

// MathService keeps the rules (§4.1). A method of it that breaks one would be missing without a
// word: this test says which.
func TestRegisterKeepsEveryMethodOfMathService(t *testing.T) {
	client, _ := rpctest.Gob.Connect(t, new(MathService))
	var saw rpctest.Transcript
	want := ""
	for typ, i := reflect.TypeFor[*MathService](), 0; i < typ.NumMethod(); i++ {
		name := "MathService." + typ.Method(i).Name
		want += "kept: " + name + "\n"
		if client.Call(name, &Args{10, 20}, nil) == rpc.ServerError("rpc: can't find method "+name) {
			saw.Add("skipped: %s, which breaks one of the rules", name)
		} else {
			saw.Add("kept: %s", name)
		}
	}
	saw.Want(t, want)
}

// The receiver is "usually a struct" (§4.1, C5). It can be of any type that has a suitable method,
// and one that has no exported name of its own, by which the service would be called (C15), is
// given one by RegisterName.
func TestRegisterTakesAnyTypeWithASuitableMethod(t *testing.T) {
	var saw rpctest.Transcript
	for _, row := range []struct {
		receiver any
		name     string // for RegisterName
		method   string
	}{
		{new(Struct), "", "Struct.Double"},
		{Num(0), "", "Num.Double"},
		{Func(func(n int) int { return 2 * n }), "", "Func.Double"},
		{Num(0), "Other", "Other.Double"},
		{Num(0), "Other", "Num.Double"},
		{hidden{}, "Other", "Other.Double"},
		{&struct{ Num }{}, "Other", "Other.Double"},
	} {
		server := rpc.NewServer()
		how, err := fmt.Sprintf("RegisterName(%q, %T)", row.name, row.receiver), error(nil)
		if row.name != "" {
			err = server.RegisterName(row.name, row.receiver)
		} else {
			how, err = fmt.Sprintf("Register(%T)", row.receiver), server.Register(row.receiver)
		}
		if err != nil {
			t.Fatal(err)
		}
		client, _ := rpctest.Gob.Connect(t, server)
		reply := 0
		if err := client.Call(row.method, 21, &reply); err != nil {
			saw.Add("%s: %v", how, err)
		} else {
			saw.Add("%s: %s(21) = %d", how, row.method, reply)
		}
	}
	saw.Want(t, `
Register(*shared.Struct): Struct.Double(21) = 42
Register(shared.Num): Num.Double(21) = 42
Register(shared.Func): Func.Double(21) = 42
RegisterName("Other", shared.Num): Other.Double(21) = 42
RegisterName("Other", shared.Num): rpc: can't find service Num.Double
RegisterName("Other", shared.hidden): Other.Double(21) = 42
RegisterName("Other", *struct { shared.Num }): Other.Double(21) = 42`)
}

// The tutorial checks Register's error in §4.2, and ignores it in §4.3 and §4.4. Register returns
// one, and logs it, if no method is left or if the type has no exported name (C15).
func TestRegisterFailsAloud(t *testing.T) {
	var saw rpctest.Transcript
	for _, receiver := range []any{Struct{}, new(MathServiceClient), hidden{}, &struct{ Num }{}} {
		_, logged, err := register(receiver)
		hint := strings.Replace(fmt.Sprint(err), " (hint", "\n    (hint", 1) // would be a long line
		saw.Add("Register(%T) fails, and logs why: %t\n  %s", receiver, logged == fmt.Sprint(err), hint)
	}
	saw.Want(t, `
Register(shared.Struct) fails, and logs why: true
  rpc.Register: type Struct has no exported methods of suitable type
    (hint: pass a pointer to value of that type)
Register(*shared.MathServiceClient) fails, and logs why: true
  rpc.Register: type MathServiceClient has no exported methods of suitable type
Register(shared.hidden) fails, and logs why: true
  rpc.Register: type hidden is not exported
Register(*struct { shared.Num }) fails, and logs why: true
  rpc.Register: no service name for type *struct { shared.Num }`)
}

// The tutorial registers each service once. A second one of the same type is an error, even if it
// is another value (§4.2, C15); RegisterName gives it a name of its own.
func TestTwoServicesNeedTwoNames(t *testing.T) {
	var saw rpctest.Transcript
	server := rpctest.Server(t, Num(1))
	saw.Add("a second Num: %v", server.Register(Num(2)))
	saw.Add("under a name of its own: %v", server.RegisterName("Second", Num(2)))
	saw.Want(t, `
a second Num: rpc: service already defined: Num
under a name of its own: <nil>`)
}
