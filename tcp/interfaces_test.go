package tcp_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	randv1 "math/rand"
	randv2 "math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// Shape is an interface.
type Shape interface{ Area() int }

// Square is a Shape.
type Square struct{ Side int }

// Area returns the area.
func (s Square) Area() int { return s.Side * s.Side }

// Drawing is an argument and a reply. The type of the shape in it, a Square say, travels as a
// name, which both sides have to know.
type Drawing struct{ Shape Shape }

func init() { gob.Register(Square{}) }

// Squares, by the process in which gob.Register has been called with one.
type (
	ByNobody struct{ Square }
	ByServer struct{ Square }
	ByClient struct{ Square }
	ByBoth   struct{ Square }
)

// Squares that are called "square" by gob.RegisterName, here by the server, there by the client.
type (
	ServersOwn struct{ Square }
	ClientsOwn struct{ Square }
)

// Studio is a service that takes and returns drawings.
type Studio struct{}

// Measure tells the type and the area of what is drawn.
func (Studio) Measure(d Drawing, reply *string) error {
	*reply = fmt.Sprintf("%T of area %d", d.Shape, d.Shape.Area())
	return nil
}

// Draw draws a square, whose type depends on who has registered it.
func (Studio) Draw(by string, reply *Drawing) error {
	side3 := Square{3}
	reply.Shape = map[string]Shape{
		"nobody": ByNobody{side3}, "server": ByServer{side3}, "client": ByClient{side3}, "both": ByBoth{side3},
	}[by]
	return nil
}

// A value of an interface type travels over gob once both sides have registered the type of what
// it holds. The init function above does so wherever this package is imported: put it beside the
// types that client and server share.
func Example_interfaceValue() {
	server := rpc.NewServer()
	server.Register(Studio{})
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	var text string
	err := client.Call("Studio.Measure", Drawing{Square{3}}, &text)
	fmt.Println(text, err)
	// Output: tcp_test.Square of area 9 <nil>
}

// Tutorial §4.2, C12, leaves unsaid what gob wants of a value in a field of an interface type:
// each side has to call gob.Register with a value of its concrete type, or gob.RegisterName if the
// two have types of their own. Client and server are two processes here: each has one register.
func TestInterfaceValuesNeedRegisterOnBothSides(t *testing.T) {
	gob.Register(ByBoth{})
	if os.Getenv(rpctest.SecondProcess) != "" {
		gob.Register(ByServer{})
		gob.RegisterName("square", ServersOwn{})
	} else {
		gob.Register(ByClient{})
		gob.RegisterName("square", ClientsOwn{})
	}
	process := rpctest.StartProcess(t, Studio{})
	side3 := Square{3}
	var saw rpctest.Transcript
	for _, row := range []struct {
		what, method string
		args, reply  any
	}{
		{"an argument, registered by nobody", "Studio.Measure", Drawing{ByNobody{side3}}, new(string)},
		{"an argument, registered by the server", "Studio.Measure", Drawing{ByServer{side3}}, new(string)},
		{"an argument, registered by the client", "Studio.Measure", Drawing{ByClient{side3}}, new(string)},
		{"an argument, registered by both", "Studio.Measure", Drawing{ByBoth{side3}}, new(string)},
		{"an argument, two types, one name", "Studio.Measure", Drawing{ClientsOwn{side3}}, new(string)},
		{"a reply, registered by nobody", "Studio.Draw", "nobody", new(Drawing)},
		{"a reply, registered by the server", "Studio.Draw", "server", new(Drawing)},
		{"a reply, registered by the client", "Studio.Draw", "client", new(Drawing)},
		{"a reply, registered by both", "Studio.Draw", "both", new(Drawing)},
	} {
		client := dial(t, "tcp", process.Addr)
		err := client.Call(row.method, row.args, row.reply)
		next := errors.New("not called yet") // and then others, until the client has noticed
		for next != nil && next != rpc.ErrShutdown {
			next = client.Call("Studio.Draw", "both", new(Drawing))
		}
		said := outcome(show(row.reply), err, next)
		saw.Add("%s %s", row.what, strings.Replace(said, "then:", "in the end:", 1))
	}
	saw.Want(t, `
an argument, registered by nobody fails, the next call fails
    gob: type not registered for interface: tcp_test.ByNobody
    in the end: connection is shut down
an argument, registered by the server fails, the next call fails
    gob: type not registered for interface: tcp_test.ByServer
    in the end: connection is shut down
an argument, registered by the client is refused, the next call fails
    gob: name not registered for interface: "example.com/netrpc/tcp_test.ByClient"
    in the end: connection is shut down
an argument, registered by both arrives as &"tcp_test.ByBoth of area 9"
an argument, two types, one name arrives as &"tcp_test.ServersOwn of area 9"
a reply, registered by nobody fails, the next call fails
    reading body unexpected EOF
    in the end: connection is shut down
a reply, registered by the server fails, the next call fails
    reading body gob: name not registered for interface: "example.com/netrpc/tcp_test.ByServer"
    in the end: connection is shut down
a reply, registered by the client fails, the next call fails
    reading body unexpected EOF
    in the end: connection is shut down
a reply, registered by both arrives as &{Shape:tcp_test.ByBoth({Square:{Side:3}})}`)
}

// An argument of a wrong type is refused, and the next call works
// (TestWrongArgumentTypeDoesNotEndTheConnection), unless a struct travels in it as an interface
// value: then the server leaves a part of it unread, takes that for the next request, and
// hangs up.
func TestAWrongInterfaceValueEndsTheConnection(t *testing.T) {
	type Old struct {
		ID    int
		Shape Shape
	}
	type New struct {
		ID    string
		Shape Shape
	}
	saw := deliver(t, argument[New]("with a struct", Old{1, Square{3}}))
	saw.Want(t, `
gob: with a struct: {ID:1 Shape:tcp_test.Square({Side:3})} is refused, the next call fails
    gob: wrong type (string) for received field Old.ID
    then: connection is shut down
JSON: with a struct: {ID:1 Shape:tcp_test.Square({Side:3})} is refused, the next call works
    json: cannot unmarshal number`)
}

// NotFound is an error that gob can send.
type NotFound struct{ Name string }

// Error returns the text.
func (n NotFound) Error() string { return n.Name + ": not found" }

// JSON writes an interface with methods, such as error, and cannot read it. Over gob an error of
// errors.New or fmt.Errorf does not travel in a field, registered or not, for it has no exported
// field itself. One of a type of its own does, if that is registered.
func TestAnErrorInAFieldNeedsATypeOfItsOwn(t *testing.T) {
	gob.Register(NotFound{})
	gob.Register(fmt.Errorf("%w", io.EOF)) // a *fmt.wrapError
	type Result struct{ Err error }
	saw := deliver(t,
		argument[Result]("errors.New", Result{errors.New("x")}),
		argument[Result]("fmt.Errorf, registered", Result{fmt.Errorf("x: %w", io.EOF)}),
		argument[Result]("an own type, registered", Result{NotFound{"x"}}),
	)
	saw.Want(t, `
gob: errors.New: {Err:*errors.errorString(&{})} fails, the next call fails
    gob: type not registered for interface: errors.errorString
    then: unexpected EOF
JSON: errors.New: {Err:*errors.errorString(&{})} is refused, the next call works
    json: cannot unmarshal object
gob: fmt.Errorf, registered: {Err:*fmt.wrapError(&{})} fails, the next call fails
    gob: type fmt.wrapError has no exported fields
    then: unexpected EOF
JSON: fmt.Errorf, registered: {Err:*fmt.wrapError(&{})} is refused, the next call works
    json: cannot unmarshal object
gob: an own type, registered: {Err:tcp_test.NotFound({Name:"x"})} arrives as {Err:tcp_test.NotFound({Name:"x"})}
JSON: an own type, registered: {Err:tcp_test.NotFound({Name:"x"})} is refused, the next call works
    json: cannot unmarshal object`)
}

// In an any gob knows the builtin types without gob.Register, but neither
// []any nor map[string]any; a pointer arrives as the type that was registered. Over JSON each
// number becomes a float64, which is not exact above 2^53, and each struct a map. A method or
// a caller with an any where the other side has a type gets an error over gob.
func TestGobKnowsBuiltinTypesInAny(t *testing.T) {
	gob.Register([]any{}) // and not map[string]any{}
	saw := deliver(t,
		argument[map[string]any]("a map", map[string]any{"n": 1, "s": "a", "x": nil}),
		argument[[]any]("2^53 + 1", []any{int64(1<<53 + 1)}),
		argument[[]any]("a slice of any, registered", []any{[]any{1, "a"}}),
		argument[[]any]("a map, not registered", []any{map[string]any{}}),
		argument[[]any]("a struct, registered", []any{Square{3}}),
		argument[[]any]("a pointer to it", []any{&Square{3}}),
		reply("an int into a variable of type any", 1, new(any)),
	)
	saw.Want(t, `
gob: a map: map["n":int(1) "s":string("a") "x":nil] arrives as map["n":int(1) "s":string("a") "x":nil]
JSON: a map: map["n":int(1) "s":string("a") "x":nil] arrives as map["n":float64(1) "s":string("a") "x":nil]
gob: 2^53 + 1: [int64(9007199254740993)] arrives as [int64(9007199254740993)]
JSON: 2^53 + 1: [int64(9007199254740993)] arrives as [float64(9.007199254740992e+15)]
gob: a slice of any, registered: [[]any([int(1) string("a")])] arrives as [[]any([int(1) string("a")])]
JSON: a slice of any, registered: [[]any([int(1) string("a")])] arrives as [[]any([float64(1) string("a")])]
gob: a map, not registered: [map[string]any(map[])] fails, the next call fails
    gob: type not registered for interface: map[string]interface {}
    then: unexpected EOF
JSON: a map, not registered: [map[string]any(map[])] arrives as [map[string]any(map[])]
gob: a struct, registered: [tcp_test.Square({Side:3})] arrives as [tcp_test.Square({Side:3})]
JSON: a struct, registered: [tcp_test.Square({Side:3})] arrives as [map[string]any(map["Side":float64(3)])]
gob: a pointer to it: [*tcp_test.Square(&{Side:3})] arrives as [tcp_test.Square({Side:3})]
JSON: a pointer to it: [*tcp_test.Square(&{Side:3})] arrives as [map[string]any(map["Side":float64(3)])]
gob: an int into a variable of type any: 1 fails, the next call fails
    reading body gob: local interface type *interface {} can only be decoded from remote interface type; received concrete type int
    then: connection is shut down
JSON: an int into a variable of type any: 1 arrives as float64(1)`)
}

// Gob calls a registered type by its name and the path of its package, so that types of one name
// in two packages are two, except for pointers to them: those it calls by the short name.
// One type has one name: T{} and &T{} cannot both be registered.
func TestRegisterPanicsIfNameOrTypeIsTaken(t *testing.T) {
	var saw rpctest.Transcript
	for _, value := range []any{Square{}, &Square{}, new(randv1.Rand), new(randv2.Rand)} {
		func() {
			defer func() { saw.Add("%T: %v", value, recover()) }()
			gob.Register(value)
		}()
	}
	saw.Want(t, `
tcp_test.Square: <nil>
*tcp_test.Square: gob: registering duplicate names for *tcp_test.Square: "example.com/netrpc/tcp_test.Square" != "*tcp_test.Square"
*rand.Rand: <nil>
*rand.Rand: gob: registering duplicate types for "*rand.Rand": *rand.Rand != *rand.Rand`)
}
