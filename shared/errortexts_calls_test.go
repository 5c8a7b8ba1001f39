package shared_test

import (
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// The arguments and replies of Clerk.
type (
	Pair     struct{ A, B int }
	Narrow   struct{ A int8 }
	Text     struct{ A string }
	Others   struct{ X, Y int }
	Hidden   struct{ a int }
	Shape    interface{ Area() int }
	Square   struct{ Side int } // registered with gob nowhere
	Circle   struct{ Square }   // at the client only
	Disc     struct{ Square }   // at the server only
	Drawing  struct{ Shape Shape }
	Box      struct{ Shape any }
	Pointers struct {
		Slice []*int
		Map   map[string]*int
	}
	Node  struct{ Next *Node }
	Coded struct{ hidden int }
	Lock  struct {
		A  int
		Mu *sync.Mutex
	}
	Mute struct{}
)

// Area returns the square's area.
func (s Square) Area() int { return s.Side * s.Side }

// GobEncode has a pointer as its receiver.
func (c *Coded) GobEncode() ([]byte, error) { return []byte{byte(c.hidden)}, nil }

// GobDecode is the reverse.
func (c *Coded) GobDecode(b []byte) error { c.hidden = int(b[0]); return nil }

// MarshalJSON fails.
func (Mute) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

// Clerk counts the calls that it executes.
type Clerk struct {
	executed atomic.Int32
	entered  chan struct{} // closed by Wait
	release  chan struct{} // for which Wait waits
}

func (c *Clerk) done(reply *int) error { c.executed.Add(1); *reply = 1; return nil }

// Double, Add, AddNarrow, Take, Draw and Open have an argument of their own each.
func (c *Clerk) Double(_ int, reply *int) error             { return c.done(reply) }
func (c *Clerk) Add(_ *Pair, reply *int) error              { return c.done(reply) }
func (c *Clerk) AddNarrow(_ Narrow, reply *int) error       { return c.done(reply) }
func (c *Clerk) Take(_ any, reply *int) error               { return c.done(reply) }
func (c *Clerk) Draw(_ Drawing, reply *int) error           { return c.done(reply) }
func (c *Clerk) Open(_ Box, reply *int) error               { return c.done(reply) }
func (c *Clerk) TakeCoded(_ map[string]Coded, r *int) error { return c.done(r) }
func (c *Clerk) TakePointers(_ Pointers, reply *int) error  { return c.done(reply) }

// Split, Hide, Channel, List, NaN, Anything and SquareOf have a reply of their own each.
func (c *Clerk) Split(_ int, reply *Pair) error   { *reply = Pair{1, 2}; return c.done(new(int)) }
func (c *Clerk) Hide(_ int, reply *Hidden) error  { return c.done(&reply.a) }
func (c *Clerk) Channel(_ int, r *chan int) error { *r = make(chan int); return c.done(new(int)) }
func (c *Clerk) List(_ int, reply *[]int) error   { *reply = nil; return c.done(new(int)) }
func (c *Clerk) NaN(_ int, reply *float64) error  { *reply = math.NaN(); return c.done(new(int)) }
func (c *Clerk) Anything(_ int, _ *any) error     { return c.done(new(int)) }
func (c *Clerk) SquareOf(n int, reply *Drawing) error {
	reply.Shape = Square{n}
	return c.done(new(int))
}

// DiscOf registers its reply's type.
func (c *Clerk) DiscOf(side int, reply *Drawing) error {
	gob.Register(Disc{})
	reply.Shape = Disc{Square{side}}
	return c.done(new(int))
}

// Executed sets *reply to the number of calls.
func (c *Clerk) Executed(_ int, reply *int) error { *reply = int(c.executed.Load()); return nil }

// Wait says that it has begun, and waits.
func (c *Clerk) Wait(_ int, reply *int) error {
	c.done(reply)
	close(c.entered)
	<-c.release
	return nil
}

// fate returns what has become of the call of client that has been made. It makes the next one.
func (c *Clerk) fate(client *rpc.Client) fate {
	f := fate{notExecuted, goesOn}
	if c.executed.Load() > 0 {
		f.executed = hasExecuted
	}
	if client.Call("Clerk.Double", 1, new(int)) != nil {
		f.client = finished
	}
	return f
}

// calling makes a call with codec.
func calling(codec rpctest.Codec, method string, args, reply any) provocation {
	return func(t *testing.T) outcome {
		clerk := new(Clerk)
		client, _ := codec.Connect(t, clerk)
		err := client.Call(method, args, reply)
		return outcome{fmt.Sprint(err), clerk.fate(client)}
	}
}

func byGob(method string, args, reply any) provocation {
	return calling(rpctest.Gob, method, args, reply)
}
func byJSON(method string, args, reply any) provocation {
	return calling(rpctest.JSON, method, args, reply)
}

// textsOfTheFirstCall are those of calls that never worked.
var textsOfTheFirstCall = []errorText{
	// No such method.
	callEnds("rpc: can't find service …", notExecuted, goesOn,
		byGob("Clark.Double", 1, nil), byJSON("Clark.Double", 1, nil)),
	callEnds("rpc: can't find method …", notExecuted, goesOn,
		byGob("Clerk.Treble", 1, nil), byJSON("Clerk.Treble", 1, nil)),
	callEnds("rpc: service/method request ill-formed: …", notExecuted, goesOn,
		byGob("Double", 1, nil), byJSON("Double", 1, nil)),

	// The argument does not fit.
	callEnds("gob: type mismatch in decoder: want struct type …; got non-struct", notExecuted, goesOn,
		byGob("Clerk.Add", 1, nil)),
	callEnds("gob: decoding into local type …, received remote type …", notExecuted, goesOn,
		byGob("Clerk.Double", "1", nil), byGob("Clerk.Double", Pair{1, 2}, nil)),
	callEnds("gob: wrong type (…) for received field …", notExecuted, goesOn,
		byGob("Clerk.Add", Text{"1"}, nil)),
	callEnds("gob: type mismatch: no fields matched compiling decoder for …", notExecuted, goesOn,
		byGob("Clerk.Add", Others{1, 2}, nil)),
	callEnds(`value for "…" out of range`, notExecuted, goesOn,
		byGob("Clerk.AddNarrow", Pair{A: 1000}, nil)),
	callEnds("json: cannot unmarshal … of type …", notExecuted, goesOn,
		byJSON("Clerk.Double", "1", nil), byJSON("Clerk.Double", 6.5, nil), byJSON("Clerk.Add", Text{"1"}, nil),
		byJSON("Clerk.AddNarrow", Pair{A: 1000}, nil), byJSON("Clerk.Draw", Drawing{Square{1}}, nil),
	),
	callEnds("jsonrpc: request body missing params", notExecuted, goesOn, requestWithoutParams),

	// Interface values.
	callEnds("gob: type not registered for interface: …", notExecuted, finished,
		byGob("Clerk.Draw", Drawing{Square{1}}, nil)),
	callEnds(`gob: name not registered for interface: "…"`, notExecuted, finished,
		inAnotherProcess("Clerk.Draw", Drawing{Circle{}}, nil)),
	callEnds("gob: local interface type … can only be decoded from remote interface type; received concrete type …", notExecuted, goesOn,
		byGob("Clerk.Take", 1, nil), byGob("Clerk.Take", Pair{1, 2}, nil)),
	callEnds("gob: … is not assignable to type …", notExecuted, goesOn,
		byGob("Clerk.Draw", Box{1}, nil)),

	// The argument cannot be encoded.
	callEnds("gob: type … has no exported fields", notExecuted, finished,
		byGob("Clerk.Add", Hidden{1}, nil), byGob("Clerk.Add", errors.New("no"), nil),
		byGob("Clerk.Add", Lock{1, new(sync.Mutex)}, nil), byGob("Clerk.Add", &struct{ sync.Mutex }{}, nil)),
	callEnds("gob NewTypeObject can't handle type: …", notExecuted, finished,
		byGob("Clerk.Add", make(chan int), nil), byGob("Clerk.Add", struct{ F []func() }{}, nil)),
	callEnds("gob: cannot encode nil value", notExecuted, finished, byGob("Clerk.Double", nil, nil)),
	callEnds("gob: gob: cannot encode nil pointer of type … inside interface", notExecuted, finished,
		byGob("Clerk.Open", Box{(*Square)(nil)}, nil)),
	callEnds("gob: encodeArray: nil element", notExecuted, finished,
		byGob("Clerk.TakePointers", Pointers{Slice: []*int{nil}}, nil)),
	callEnds("gob: encodeReflectValue: nil element", notExecuted, finished,
		byGob("Clerk.TakePointers", Pointers{Map: map[string]*int{"a": nil}}, nil)),
	callEnds("gob: unaddressable value of type …", notExecuted, finished,
		byGob("Clerk.TakeCoded", map[string]Coded{"a": {1}}, nil)),
	callEnds("json: unsupported type: …", notExecuted, goesOn,
		byJSON("Clerk.Add", make(chan int), nil)),
	callEnds("json: unsupported value: …", notExecuted, goesOn,
		byJSON("Clerk.Double", math.NaN(), nil), byJSON("Clerk.Add", cycle(), nil)),

	callEnds("json: error calling MarshalJSON for type …: …", notExecuted, goesOn,
		byJSON("Clerk.Add", Mute{}, nil)),

	// The reply does not fit, or cannot be encoded.
	callEnds("reading body gob: …", hasExecuted, finished,
		byGob("Clerk.Double", 1, new(string)), byGob("Clerk.Split", 1, new(Others)), byGob("Clerk.Split", 1, new(Text)),
		inAnotherProcess("Clerk.DiscOf", 1, new(Drawing)),
	),
	callEnds("gob: attempt to decode into a non-pointer", hasExecuted, finished,
		byGob("Clerk.Double", 1, 0)),
	callEnds("gob: DecodeValue of unassignable value", hasExecuted, finished,
		byGob("Clerk.Split", 1, (*Pair)(nil))),
	callEnds("reading body unexpected EOF", hasExecuted, finished,
		byGob("Clerk.Hide", 1, new(Hidden)), byGob("Clerk.SquareOf", 1, new(Drawing))),
	callEnds("reading body EOF", hasExecuted, finished, byGob("Clerk.Channel", 1, new(chan int))),
	callEnds("reading body json: cannot unmarshal … of type …", hasExecuted, finished,
		byJSON("Clerk.Double", 1, new(string)), byJSON("Clerk.SquareOf", 1, new(Drawing))),
	callEnds("json: Unmarshal(non-pointer …)", hasExecuted, finished, byJSON("Clerk.Double", 1, 0)),
	callEnds("json: Unmarshal(nil …)", hasExecuted, finished,
		byJSON("Clerk.Split", 1, (*Pair)(nil))),
	callEnds("invalid error <nil>", hasExecuted, finished,
		byJSON("Clerk.List", 1, new([]int)), byJSON("Clerk.Anything", 1, nil)),
	reads("invalid error map[…]",
		answered(
			`{"jsonrpc": "2.0", "id": 0, "error": {"code": -32601, "message": "Method not found"}}`),
	),
	reads("unspecified error", answered(`{"id": 0, "error": ""}`)),

	// The other side is not net/rpc.
	reads("invalid character 'H' looking for beginning of value",
		returned(func(t *testing.T) error { return firstCall(jsonrpc.Dial("tcp", httpServer(t, rpc.NewServer()))) })),
	reads("invalid character '<' looking for beginning of value", unmarshalled("<html>")),
	reads("invalid character 'p' after top-level value", unmarshalled("404 page not found")),
	reads("unexpected end of JSON input", unmarshalled("")),
	reads("gob: unknown type id or corrupted data",
		returned(func(t *testing.T) error {
			client, err := rpc.Dial("tcp", httpServer(t, http.NotFoundHandler()))
			if err != nil {
				return err
			}
			defer client.Close()
			return client.Call("Clerk.Add", &Pair{5, 6}, nil) // 5 goes as the byte of a line feed
		}),
	),
	reads("gob: duplicate type received",
		returned(func(t *testing.T) error {
			return firstCall(rpc.Dial("tcp", stranger(t, "SSH-2.0-OpenSSH_9.6\r\n"+strings.Repeat("x", 100))))
		}),
		returned(newEncoderForEachReply),
	),
	reads("gob: encoded unsigned integer out of range",
		returned(func(t *testing.T) error {
			return firstCall(rpc.Dial("tcp", stranger(t, "\x94\x01\x00\xc0\x02"))) // of MessagePack
		}),
	),
}

// Tutorial §4: the client calls. These are the errors of a call that has never worked, by their
// texts, whether it was executed, and whether its client can be used any more.
func TestTextsOfTheFirstCall(t *testing.T) { provokeAll(t, textsOfTheFirstCall) }

// firstCall calls once, as a client that has dialled.
func firstCall(client *rpc.Client, err error) error {
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Call("Clerk.Double", 1, nil)
}

func cycle() *Node {
	node := new(Node)
	node.Next = node
	return node
}

// requestWithoutParams is no Go client's.
func requestWithoutParams(t *testing.T) outcome {
	clerk := new(Clerk)
	ours, theirs := net.Pipe()
	defer ours.Close()
	go rpctest.JSON.Serve(rpctest.Server(t, clerk), theirs)
	answers := jsonrpc.NewClientCodec(ours)
	ask := func(request string) (answer rpc.Response) {
		io.WriteString(ours, request)
		if err := answers.ReadResponseHeader(&answer); err != nil {
			answer.Error = err.Error()
		}
		return answer
	}
	got := outcome{ask(`{"method": "Clerk.Double", "id": 1}`).Error, fate{notExecuted, goesOn}}
	if clerk.executed.Load() > 0 {
		got.fate.executed = hasExecuted
	}
	if ask(`{"method": "Clerk.Double", "params": [1], "id": 2}`).Error != "" {
		got.fate.client = finished
	}
	return got
}

// inAnotherProcess calls a server in a process of its own, where Circle is not registered and Disc
// is. Here it is the other way round.
func inAnotherProcess(method string, args, reply any) provocation {
	return func(t *testing.T) outcome {
		process := rpctest.StartProcess(t) // with Clerk, as provokeAll says
		gob.Register(Circle{})
		client, err := rpc.Dial("tcp", process.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		got := outcome{fmt.Sprint(client.Call(method, args, reply)), new(Clerk).fate(client)}
		other, err := rpc.Dial("tcp", process.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		var executed int
		if err := other.Call("Clerk.Executed", 1, &executed); err != nil {
			t.Fatal(err)
		}
		if executed > 0 {
			got.fate.executed = hasExecuted
		}
		return got
	}
}

// answered returns the error of a call that somebody answers.
func answered(answer string) provocation {
	return returned(func(t *testing.T) error {
		ours, theirs := net.Pipe()
		go func() {
			theirs.Read(make([]byte, 1<<10))
			io.WriteString(theirs, answer)
			theirs.Close()
		}()
		return firstCall(jsonrpc.NewClient(ours), nil)
	})
}

// unmarshalled returns what an HTTP client of one's own says of an answer that is not JSON.
func unmarshalled(answer string) provocation {
	return returned(func(t *testing.T) error {
		server := httpServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, answer)
		}))
		resp, err := http.Get("http://" + server)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, new(map[string]any))
	})
}

// newEncoderForEachReply is the mistake of a codec of one's own: types are described once more.
func newEncoderForEachReply(t *testing.T) error {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		decoder := gob.NewDecoder(theirs)
		for {
			var request rpc.Request
			var args int
			if err := errors.Join(decoder.Decode(&request), decoder.Decode(&args)); err != nil {
				return
			}
			encoder := gob.NewEncoder(theirs)
			encoder.Encode(rpc.Response{ServiceMethod: request.ServiceMethod, Seq: request.Seq})
			encoder.Encode(1)
		}
	}()
	client := rpc.NewClient(ours)
	defer client.Close()
	var err error
	for range 2 {
		err = client.Call("Clerk.Double", 1, new(int))
	}
	return err
}
