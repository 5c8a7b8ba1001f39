package tcp_test

import (
	"encoding/binary"
	"io"
	"math"
	"math/big"
	"net"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §4.2, C12, leaves unsaid what gob does to values. It sends no zero, so that a pointer
// to one arrives as nil, and what a reply held before stays in it; and no empty slice, but
// an empty map. In a slice or a map it sends zeros, and can send no nil pointer. JSON sends
// them all.
func TestGobSendsNoZeros(t *testing.T) {
	type Pointers struct {
		N *int
		B *bool
		S *string
	}
	type Slices struct{ Nil, Empty []int }
	type Maps struct{ Nil, Empty map[string]int }
	saw := deliver(t,
		reply("a zero in a reply", shared.Args{A: 0, B: 2}, &shared.Args{A: 7, B: 7}),
		argument[Pointers]("pointers to zeros", Pointers{new(int), new(bool), new(string)}),
		argument[Pointers]("nil pointers", Pointers{}),
		argument[Slices]("slices", Slices{nil, []int{}}),
		argument[Maps]("maps", Maps{nil, map[string]int{}}),
		argument[[]*int]("a pointer to zero in a slice", []*int{new(int)}),
		argument[[]*int]("a nil pointer in a slice", []*int{nil}),
		argument[map[int]*int]("a nil pointer in a map", map[int]*int{1: nil}),
	)
	saw.Want(t, `
gob: a zero in a reply: {A:0 B:2} into &{A:7 B:7} arrives as {A:7 B:2}
JSON: a zero in a reply: {A:0 B:2} into &{A:7 B:7} arrives as {A:0 B:2}
gob: pointers to zeros: {N:&0 B:&false S:&""} arrives as {N:nil B:nil S:nil}
JSON: pointers to zeros: {N:&0 B:&false S:&""} arrives as {N:&0 B:&false S:&""}
both: nil pointers: {N:nil B:nil S:nil} arrives as {N:nil B:nil S:nil}
gob: slices: {Nil:nil Empty:[]} arrives as {Nil:nil Empty:nil}
JSON: slices: {Nil:nil Empty:[]} arrives as {Nil:nil Empty:[]}
both: maps: {Nil:nil Empty:map[]} arrives as {Nil:nil Empty:map[]}
both: a pointer to zero in a slice: [&0] arrives as [&0]
gob: a nil pointer in a slice: [nil] fails, the next call fails
    gob: encodeArray: nil element
    then: unexpected EOF
JSON: a nil pointer in a slice: [nil] arrives as [nil]
gob: a nil pointer in a map: map[1:nil] fails, the next call fails
    gob: encodeReflectValue: nil element
    then: unexpected EOF
JSON: a nil pointer in a map: map[1:nil] arrives as map[1:nil]`)
}

// Gob knows signed integers, unsigned integers and floating-point numbers, whatever their
// size: one kind does not become another, and a number that does not fit is an error. In JSON
// a number is a number if it fits, and NaN and the infinities are none.
func TestNumbersTravelIfTheyFit(t *testing.T) {
	type (
		Int   struct{ N int64 }
		Int8  struct{ N int8 }
		Uint  struct{ N uint64 }
		Float struct{ N float64 }
	)
	saw := deliver(t,
		argument[Int]("int64 to int64", Int{1<<53 + 1}),
		argument[Uint]("uint64 to uint64", Uint{math.MaxUint64}),
		argument[Int8]("int64 to int8", Int{100}),
		argument[Int8]("int64 to int8", Int{300}),
		argument[Uint]("int64 to uint64", Int{1}),
		argument[Uint]("int64 to uint64", Int{-1}),
		argument[Float]("int64 to float64", Int{1}),
		argument[Float]("float64", Float{math.NaN()}),
	)
	saw.Want(t, `
both: int64 to int64: {N:9007199254740993} arrives as {N:9007199254740993}
both: uint64 to uint64: {N:18446744073709551615} arrives as {N:18446744073709551615}
both: int64 to int8: {N:100} arrives as {N:100}
gob: int64 to int8: {N:300} is refused, the next call works
    value for "N" out of range
JSON: int64 to int8: {N:300} is refused, the next call works
    json: cannot unmarshal number 300
gob: int64 to uint64: {N:1} is refused, the next call works
    gob: wrong type (uint64) for received field Int.N
JSON: int64 to uint64: {N:1} arrives as {N:1}
gob: int64 to uint64: {N:-1} is refused, the next call works
    gob: wrong type (uint64) for received field Int.N
JSON: int64 to uint64: {N:-1} is refused, the next call works
    json: cannot unmarshal number -1
gob: int64 to float64: {N:1} is refused, the next call works
    gob: wrong type (float64) for received field Int.N
JSON: int64 to float64: {N:1} arrives as {N:1}
gob: float64: {N:NaN} arrives as {N:NaN}
JSON: float64: {N:NaN} fails, the next call works
    json: unsupported value: NaN`)
}

type counter struct{ N int }

// With is a struct that has a field of another type as well.
type With[T any] struct {
	N    int
	More T
}

// Gob leaves a channel and a function in a struct out, as it does an unexported field; JSON
// refuses them. A struct without exported fields, such as a lock, is an error to gob also
// inside another. Gob takes the names of fields as Go has them; JSON takes the tags, and the
// fields of an embedded struct as the outer one's, even if its type is not exported.
func TestGobLeavesOutWhatJSONRefuses(t *testing.T) {
	type (
		Embeds struct {
			shared.Args
			N int
		}
		Flat   struct{ A, B, N int }
		Hides  struct{ counter }
		Tagged struct {
			N      int `json:"n"`
			Secret int `json:"-"`
		}
		Lower struct {
			X int `json:"a"`
		}
	)
	embeds := Embeds{shared.Args{A: 1, B: 2}, 3}
	saw := deliver(t,
		argument[With[chan int]]("a channel", With[chan int]{1, make(chan int)}),
		argument[With[func()]]("a function", With[func()]{1, func() {}}),
		argument[*With[sync.Mutex]]("a lock", &With[sync.Mutex]{N: 1}),
		argument[Tagged]("tags", Tagged{1, 2}),
		argument[shared.Args]("a, by a tag, for A", Lower{1}),
		argument[Embeds]("an embedded struct", embeds),
		argument[Flat]("an embedded struct for plain fields", embeds),
		argument[Hides]("an embedded struct, not exported", Hides{counter{1}}),
	)
	saw.Want(t, `
gob: a channel: {N:1 More:chan int} arrives as {N:1 More:nil}
JSON: a channel: {N:1 More:chan int} fails, the next call works
    json: unsupported type: chan int
gob: a function: {N:1 More:func()} arrives as {N:1 More:nil}
JSON: a function: {N:1 More:func()} fails, the next call works
    json: unsupported type: func()
gob: a lock: &{N:1 More:{}} fails, the next call fails
    gob: type sync.Mutex has no exported fields
    then: unexpected EOF
JSON: a lock: &{N:1 More:{}} arrives as &{N:1 More:{}}
gob: tags: {N:1 Secret:2} arrives as {N:1 Secret:2}
JSON: tags: {N:1 Secret:2} arrives as {N:1 Secret:0}
gob: a, by a tag, for A: {X:1} is refused, the next call works
    gob: type mismatch: no fields matched compiling decoder for Args
JSON: a, by a tag, for A: {X:1} arrives as {A:1 B:0}
both: an embedded struct: {Args:{A:1 B:2} N:3} arrives as {Args:{A:1 B:2} N:3}
gob: an embedded struct for plain fields: {Args:{A:1 B:2} N:3} arrives as {A:0 B:0 N:3}
JSON: an embedded struct for plain fields: {Args:{A:1 B:2} N:3} arrives as {A:1 B:2 N:3}
gob: an embedded struct, not exported: {counter:{N:1}} fails, the next call fails
    gob: type tcp_test.Hides has no exported fields
    then: unexpected EOF
JSON: an embedded struct, not exported: {counter:{N:1}} arrives as {counter:{N:1}}`)
}

// Bytes travel as they are over gob, and in base64 over JSON. JSON replaces what is not UTF-8
// in a string. To gob an array's length is part of its type; JSON drops or zeroes the rest.
func TestBytesTravelAsTheyAre(t *testing.T) {
	saw := deliver(t,
		argument[[]byte]("bytes", []byte{0, 255}),
		argument[string]("bytes for a string", []byte("abc")),
		argument[string]("a string that is not UTF-8", "a\xff"),
		argument[[2]int]("an array", [2]int{1, 0}),
		argument[[2]int]("an array for a shorter one", [3]int{1, 2, 3}),
		argument[map[int]bool]("a map with ints as keys", map[int]bool{1: true}),
	)
	saw.Want(t, `
both: bytes: [0 255] arrives as [0 255]
gob: bytes for a string: [97 98 99] is refused, the next call works
    gob: decoding into local type *string, received remote type bytes
JSON: bytes for a string: [97 98 99] arrives as "YWJj"
gob: a string that is not UTF-8: "a\xff" arrives as "a\xff"
JSON: a string that is not UTF-8: "a\xff" arrives as "a\ufffd"
both: an array: [1 0] arrives as [1 0]
gob: an array for a shorter one: [1 2 3] is refused, the next call works
    gob: decoding into local type *[2]int, received remote type [3]int
JSON: an array for a shorter one: [1 2 3] arrives as [1 2]
both: a map with ints as keys: map[1:true] arrives as map[1:true]`)
}

// A time arrives as the same instant with the same offset. What == also compares does not: the
// reading of the monotonic clock, and the name of the zone. A type without exported fields
// travels if it has methods for that, as time.Time and big.Int do, for gob and for JSON.
func TestTimesKeepTheInstant(t *testing.T) {
	now, noon := time.Now(), time.Date(2024, 2, 29, 12, 0, 0, 0, time.FixedZone("Lab", 83*60))
	number, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	monotonic := func(t time.Time) bool { return strings.Contains(t.String(), " m=") }
	const clock = "15:04 -0700 MST"
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		now2, noon2, number2 := give(t, codec, now), give(t, codec, noon), give(t, codec, *number)
		saw.Add("%s: now: ==: %t, Equal: %t; monotonic clock: %t, then %t", codec.Name,
			now == now2, now.Equal(now2), monotonic(now), monotonic(now2))
		saw.Add("%s: noon: ==: %t, Equal: %t; %s arrives as %s", codec.Name,
			noon == noon2, noon.Equal(noon2), noon.Format(clock), noon2.Format(clock))
		saw.Add("%s: a big.Int: %s arrives as %s", codec.Name, number, &number2)
	}
	saw.Want(t, `
gob: now: ==: false, Equal: true; monotonic clock: true, then false
gob: noon: ==: false, Equal: true; 12:00 +0123 Lab arrives as 12:00 +0123 +0123
gob: a big.Int: 123456789012345678901234567890 arrives as 123456789012345678901234567890
JSON: now: ==: false, Equal: true; monotonic clock: true, then false
JSON: noon: ==: false, Equal: true; 12:00 +0123 Lab arrives as 12:00 +0123 +0123
JSON: a big.Int: 123456789012345678901234567890 arrives as 123456789012345678901234567890`)
}

// Node is a list, or a ring.
type Node struct {
	N    int
	Next *Node
}

// Pointers are followed, also to the end of a list. What two of them share arrives twice.
func TestPointersArriveAsCopies(t *testing.T) {
	saw := deliver(t, argument[Node]("a list", Node{1, &Node{2, nil}}))
	n := 7
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		pair := give(t, codec, [2]*int{&n, &n})
		saw.Add("%s: two pointers to one int: %s; to one int still: %t", codec.Name, show(pair), pair[0] == pair[1])
	}
	saw.Want(t, `
both: a list: {N:1 Next:&{N:2 Next:nil}} arrives as {N:1 Next:&{N:2 Next:nil}}
gob: two pointers to one int: [&7 &7]; to one int still: false
JSON: two pointers to one int: [&7 &7]; to one int still: false`)
}

// Loop is a service that returns a list whose end is its beginning.
type Loop struct{}

// Get returns the list.
func (Loop) Get(_ struct{}, reply *Node) error { *reply = Node{1, reply}; return nil }

// Gob follows a pointer that leads back to itself until the stack overflows, and no program
// survives that: here it is the server's, whose reply it is. JSON refuses.
func TestAPointerThatLeadsBackEndsTheProgram(t *testing.T) {
	if os.Getenv(rpctest.SecondProcess) != "" {
		debug.SetMaxStack(1 << 20) // instead of 1 GB, to be quick
	}
	process := rpctest.StartProcess(t, Loop{})
	client := dial(t, "tcp", process.Addr)
	if client.Call("Loop.Get", struct{}{}, new(Node)) == nil {
		t.Fatal("the server has answered")
	}
	status, stderr := process.Wait()
	var saw rpctest.Transcript
	saw.Add("gob: the server: exit status %d, %s", status, regexp.MustCompile("fatal error: .*").FindString(stderr))
	synctest.Test(t, func(t *testing.T) {
		var ring, arrived Node
		Loop{}.Get(struct{}{}, &ring)
		client := connectValue(t, rpctest.JSON, &Value[Node]{value: ring})
		err := callOrWait(client, "Value.Show", ring, new(string))
		saw.Add("JSON: as an argument it %s", outcome("", err, nextCall(client)))
		err = callOrWait(client, "Value.Give", struct{}{}, &arrived)
		saw.Add("JSON: as a reply it %s", outcome("", err, nextCall(client)))
	})
	saw.Want(t, `
gob: the server: exit status 2, fatal error: stack overflow
JSON: as an argument it fails, the next call works
    json: unsupported value: encountered a cycle via *tcp_test.Node
JSON: as a reply it is never answered, the next call works`)
}

// Bell is a service whose method takes nothing and returns nothing.
type Bell struct{ rung int }

// Ring rings.
func (b *Bell) Ring(_ struct{}, _ *struct{}) error { b.rung++; return nil }

// The rules (§4.1) want an argument and a reply. A method that needs none takes struct{} and
// *struct{}, and its caller passes struct{}{} and nil. Fields can be added later, at either
// side first. Nil is no argument to gob; what JSON sends for it arrives as zeros.
func TestAMethodNeedsNoArgumentAndNoReply(t *testing.T) {
	saw := deliver(t,
		argument[struct{}]("struct{}{} as the argument", struct{}{}),
		argument[shared.Args]("struct{}{} for a struct that has grown", struct{}{}),
		argument[struct{}]("a struct that has grown for struct{}", shared.Args{A: 1, B: 2}),
		argument[struct{}]("nil as the argument", nil),
		reply("struct{}{} as the reply", struct{}{}, new(struct{})),
		reply("a reply that the caller does not want", shared.Args{A: 1, B: 2}, nil),
	)
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		bell := new(Bell)
		client, _ := codec.Connect(t, bell)
		err := client.Call("Bell.Ring", struct{}{}, nil)
		saw.Add("%s: Ring(struct{}{}, nil): %v; rung: %d", codec.Name, err, bell.rung)
	}
	saw.Want(t, `
both: struct{}{} as the argument: {} arrives as {}
both: struct{}{} for a struct that has grown: {} arrives as {A:0 B:0}
both: a struct that has grown for struct{}: {A:1 B:2} arrives as {}
gob: nil as the argument: nil fails, the next call fails
    gob: cannot encode nil value
    then: unexpected EOF
JSON: nil as the argument: nil arrives as {}
both: struct{}{} as the reply: {} arrives as {}
both: a reply that the caller does not want: {A:1 B:2} into nil arrives as nothing
gob: Ring(struct{}{}, nil): <nil>; rung: 1
JSON: Ring(struct{}{}, nil): <nil>; rung: 1`)
}

// An argument that gob cannot encode is not sent, but the name of the method is, with the next
// call (TestUnencodableArgumentFailsTheNextCall). The server takes what follows for its
// argument. If that is struct{}, anything will do: the failed call is executed, and not the next.
func TestACallThatWasNotSentCanStillBeExecuted(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		bell := new(Bell)
		client, _ := rpctest.Gob.Connect(t, bell)
		err := callOrWait(client, "Bell.Ring", nil, nil)
		saw.Add("Ring(nil): %v; rung: %d", err, bell.rung)
		err = callOrWait(client, "Bell.Ring", struct{}{}, nil)
		saw.Add("Ring(struct{}{}): %v; rung: %d", err, bell.rung)
	})
	saw.Want(t, `
Ring(nil): gob: cannot encode nil value; rung: 0
Ring(struct{}{}): never answered; rung: 1`)
}

// A nil of an interface type is a value that gob can read and cannot skip: it goes on reading. So
// the call never returns whose method has left a reply of *any nil, if the caller passes nil for
// it; nor does one with such an argument of a method that does not exist. In a field that
// the peer does not know it is an error. JSON skips it, but a reply of null ends its client.
func TestGobCannotSkipANilInAnInterface(t *testing.T) {
	type Grown struct {
		A      int
		Extras []any
	}
	saw := deliver(t,
		reply[any]("*any", 1, nil),
		reply[any]("*any", nil, nil),
		reply[any]("*any", nil, new(any)),
		reply("*[]any", []any{nil}, nil),
		argument[shared.Args]("in a field that is new", Grown{1, []any{nil}}),
	)
	synctest.Test(t, func(t *testing.T) {
		for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
			client := connectValue(t, codec, new(Value[int]))
			err := callOrWait(client, "Value.None", []any{nil}, nil)
			saw.Add("%s: for a method that does not exist: [nil] %s", codec.Name, outcome("", err, nextCall(client)))
		}
	})
	saw.Want(t, `
both: *any: 1 into nil arrives as nothing
gob: *any: nil into nil is never answered, the next call fails
    then: gob: type mismatch in decoder: want struct type rpc.Response; got non-struct
JSON: *any: nil into nil fails, the next call fails
    invalid error <nil>
    then: connection is shut down
gob: *any: nil arrives as nil
JSON: *any: nil fails, the next call fails
    invalid error <nil>
    then: connection is shut down
gob: *[]any: [nil] into nil is never answered, the next call fails
    then: gob: type mismatch in decoder: want struct type rpc.Response; got non-struct
JSON: *[]any: [nil] into nil arrives as nothing
gob: in a field that is new: {A:1 Extras:[nil]} is refused, the next call works
    EOF
JSON: in a field that is new: {A:1 Extras:[nil]} arrives as {A:1 B:0}
gob: for a method that does not exist: [nil] is never answered, the next call fails
    then: unexpected EOF
JSON: for a method that does not exist: [nil] is refused, the next call works
    rpc: can't find method Value.None`)
}

// Gob reads no message of 8 GiB, or 1 GiB where an int has 32 bits. A length below that it
// believes, and waits for the bytes.
func TestAGobMessageHasALimit(t *testing.T) {
	limit := uint64(1<<30) << (^uint(0) >> 62) // as encoding/gob has it
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		for less := range uint64(2) {
			ours, theirs := net.Pipe()
			go rpctest.Server(t, new(Value[int])).ServeConn(theirs)
			ours.SetDeadline(time.Now().Add(time.Hour))
			ours.Write(binary.BigEndian.AppendUint64([]byte{0xf8}, limit-less)) // 0xf8: 8 bytes follow
			_, err := ours.Read(make([]byte, 1))
			saw.Add("a message of the limit - %d: the server hangs up within an hour: %t", less, err == io.EOF)
			ours.Close()
		}
	})
	saw.Want(t, `
a message of the limit - 0: the server hangs up within an hour: true
a message of the limit - 1: the server hangs up within an hour: false`)
}
