package shared

import (
	"fmt"
	"io"
	"log"
	"net/rpc"
	"reflect"
	"strings"
	"testing"
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

// register registers receiver under name, or under that of its type if name is empty, and
// returns what net/rpc logs about it as well.
func register(receiver any, name string) (server *rpc.Server, logged string, err error) {
	var lines strings.Builder
	defer log.SetOutput(log.Writer())
	defer log.SetFlags(log.Flags())
	log.SetOutput(&lines)
	log.SetFlags(0)
	server = rpc.NewServer()
	if name == "" {
		err = server.Register(receiver)
	} else {
		err = server.RegisterName(name, receiver)
	}
	log.SetOutput(io.Discard) // another goroutine may still log something
	for line := range strings.Lines(lines.String()) {
		if strings.HasPrefix(line, "rpc.Register") {
			logged += line
		}
	}
	return server, strings.TrimSpace(logged), err
}

// The tutorial's rules for a method hold (§4.1, C6 to C10), and Register analyses all
// exported methods (§4.2, C13). Left unsaid: it keeps the suitable ones, and leaves out a
// method that breaks a rule without an error and without a line in the log.
func TestRegisterSkipsUnsuitableMethodsSilently(t *testing.T) {
	server, logged, err := register(Mixed{}, "")
	if err != nil || logged != "" {
		t.Fatalf("Register: %v, logged %q, want neither", err, logged)
	}
	client := gobClient(t, server)
	var kept, skipped []string
	for _, row := range []struct {
		method  string
		arg     any
		skipped bool
	}{
		{"unexported", 21, true},
		{"OneArgument", 21, true},
		{"ThreeArguments", 21, true},
		{"ByPointer", 21, false},
		{"ByValue", 21, false},
		{"HiddenArgument", hidden{21}, true},
		{"SliceOfHidden", []hidden{{21}}, false},
		{"ReplyByValue", 21, true},
		{"HiddenReply", 21, true},
		{"NoResult", 21, true},
		{"TwoResults", 21, true},
		{"ConcreteResult", 21, true},
	} {
		var reply int
		err := call(t, client, "Mixed."+row.method, row.arg, &reply)
		if row.skipped {
			skipped = append(skipped, row.method)
			if want := rpc.ServerError("rpc: can't find method Mixed." + row.method); err != want {
				t.Errorf("%s(%v) = %d, %v, want %v", row.method, row.arg, reply, err, want)
			}
			continue
		}
		kept = append(kept, row.method)
		if err != nil || reply != 42 {
			t.Errorf("%s(%v) = %d, %v, want 42", row.method, row.arg, reply, err)
		}
	}
	t.Logf("kept: %s", strings.Join(kept, ", "))
	t.Logf("skipped: %s", strings.Join(skipped, ", "))
	t.Logf("Register's error: %v; what it logged: %q", err, logged)
}

// MathService keeps the rules (§4.1). A method of it that breaks one would be missing
// without a word: this test says which.
func TestRegisterKeepsEveryMethodOfMathService(t *testing.T) {
	server, _, err := register(new(MathService), "")
	if err != nil {
		t.Fatal(err)
	}
	client := gobClient(t, server)
	var kept []string
	for typ, i := reflect.TypeFor[*MathService](), 0; i < typ.NumMethod(); i++ {
		name := typ.Method(i).Name
		err := call(t, client, "MathService."+name, &Args{10, 20}, nil)
		if missing := rpc.ServerError("rpc: can't find method MathService." + name); err == missing {
			t.Errorf("Register has skipped MathService.%s: it breaks one of the rules", name)
			continue
		}
		kept = append(kept, name)
	}
	t.Logf("kept: %s", strings.Join(kept, ", "))
}

// The receiver is "usually a struct" (§4.1, C5). It can be of any type that has a suitable
// method, and one that has no exported name of its own, by which the service would be
// called (C15), is given one by RegisterName.
func TestRegisterTakesAnyTypeWithASuitableMethod(t *testing.T) {
	for _, row := range []struct {
		receiver any
		name     string // for RegisterName
		service  string
	}{
		{new(Struct), "", "Struct"},
		{Num(0), "", "Num"},
		{Func(func(n int) int { return 2 * n }), "", "Func"},
		{Num(0), "Other", "Other"},
		{hidden{}, "Other", "Other"},
		{&struct{ Num }{}, "Other", "Other"},
	} {
		server, _, err := register(row.receiver, row.name)
		if err != nil {
			t.Errorf("registering a %T: %v", row.receiver, err)
			continue
		}
		client := gobClient(t, server)
		var reply int
		if err := call(t, client, row.service+".Double", 21, &reply); err != nil || reply != 42 {
			t.Errorf("%s.Double(21) of a %T = %d, %v, want 42", row.service, row.receiver, reply, err)
		}
		if row.name != "" { // it replaces that of the type
			const want = rpc.ServerError("rpc: can't find service Num.Double")
			if err := call(t, client, "Num.Double", 21, &reply); err != want {
				t.Errorf("Num.Double of a %T as %s: %v, want %v", row.receiver, row.name, err, want)
			}
		}
		t.Logf("a %T is the service %s", row.receiver, row.service)
	}
}

// The tutorial checks Register's error in §4.2, and ignores it in §4.3 and §4.4. Register
// returns one, and logs it, if no method is left or if the type has no exported name (C15).
func TestRegisterFailsAloud(t *testing.T) {
	for _, row := range []struct {
		receiver any
		want     string
	}{
		{Struct{}, "rpc.Register: type Struct has no exported methods of suitable type (hint: pass a pointer to value of that type)"},
		{new(MathServiceClient), "rpc.Register: type MathServiceClient has no exported methods of suitable type"},
		{hidden{}, "rpc.Register: type hidden is not exported"},
		{&struct{ Num }{}, "rpc.Register: no service name for type *struct { shared.Num }"},
	} {
		_, logged, err := register(row.receiver, "")
		if fmt.Sprint(err) != row.want || logged != row.want {
			t.Errorf("Register(%T): %v, logged %q, want %q twice", row.receiver, err, logged, row.want)
		}
		t.Log(err)
	}
}

// The tutorial registers each service once. A second one of the same type is an error,
// even if it is another value (§4.2, C15); RegisterName gives it a name of its own.
func TestTwoServicesNeedTwoNames(t *testing.T) {
	server := rpc.NewServer()
	if err := server.Register(Num(1)); err != nil {
		t.Fatal(err)
	}
	second := server.Register(Num(2))
	if fmt.Sprint(second) != "rpc: service already defined: Num" {
		t.Errorf("second Register: %v, want rpc: service already defined: Num", second)
	}
	named := server.RegisterName("Second", Num(2))
	if named != nil {
		t.Errorf("RegisterName: %v, want nil", named)
	}
	t.Logf("a second Num: %v; under a name of its own: %v", second, named)
}
