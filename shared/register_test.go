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

// The tutorial's rules for a method hold (§4.1, C6 to C10), and Register analyses all exported
// methods (§4.2, C13). Left unsaid: it keeps the suitable ones, and skips a method that breaks a
// rule without an error and without a line in the log.
func TestRegisterSkipsUnsuitableMethodsSilently(t *testing.T) {
	var logged strings.Builder
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	server := rpc.NewServer()
	err := server.Register(Mixed{})
	log.SetOutput(io.Discard)
	_, complaint, _ := strings.Cut(logged.String(), "rpc.Register") // other servers may log, too
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
	saw.Add("Register returns the error %v, and logs %q", err, complaint)
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

// The receiver is "usually a struct" (§4.1, C5). It can be of any type that has a suitable method.
// The service has the type's name (C15), or the one that RegisterName gives it.
func TestRegisterTakesAnyTypeWithASuitableMethod(t *testing.T) {
	server := rpctest.Server(t, new(Struct), Num(0), Func(func(n int) int { return 2 * n }))
	err1 := server.RegisterName("Other", hidden{})
	err2 := server.RegisterName("Nameless", &struct{ Num }{})
	client, _ := rpctest.Gob.Connect(t, server)
	var saw rpctest.Transcript
	saw.Add("RegisterName: %v, %v", err1, err2)
	for _, service := range []string{"Struct", "Num", "Func", "hidden", "Other", "Nameless"} {
		reply := 0
		err := client.Call(service+".Double", 21, &reply)
		saw.Add("%s.Double(21) = %d, %v", service, reply, err)
	}
	saw.Want(t, `
RegisterName: <nil>, <nil>
Struct.Double(21) = 42, <nil>
Num.Double(21) = 42, <nil>
Func.Double(21) = 42, <nil>
hidden.Double(21) = 0, rpc: can't find service hidden.Double
Other.Double(21) = 42, <nil>
Nameless.Double(21) = 42, <nil>`)
}

// The tutorial checks Register's error in §4.2, and ignores it in §4.3 and §4.4. Register returns
// one if no method is left, or if the type has no exported name or one that is taken, even if by
// another value (C15). RegisterName gives a service a name of its own.
func TestRegisterFailsAloud(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	server := rpctest.Server(t, Num(1))
	var saw rpctest.Transcript
	for _, receiver := range []any{Struct{}, new(MathServiceClient), hidden{}, &struct{ Num }{}, Num(2)} {
		err := fmt.Sprint(server.Register(receiver))
		saw.Add("%T: %s", receiver, strings.Replace(err, " (hint", "\n  (hint", 1)) // would be a long line
	}
	saw.Add("a second Num, as Second: %v", server.RegisterName("Second", Num(2)))
	saw.Want(t, `
shared.Struct: rpc.Register: type Struct has no exported methods of suitable type
  (hint: pass a pointer to value of that type)
*shared.MathServiceClient: rpc.Register: type MathServiceClient has no exported methods of suitable type
shared.hidden: rpc.Register: type hidden is not exported
*struct { shared.Num }: rpc.Register: no service name for type *struct { shared.Num }
shared.Num: rpc: service already defined: Num
a second Num, as Second: <nil>`)
}
