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
	Pair    struct{ A, B int }
	Narrow  struct{ A int8 }
	Text    struct{ A string }
	Others  struct{ X, Y int }
	Hidden  struct{ a int }
	Shape   interface{ Area() int }
	Square  struct{ Side int } // registered with gob nowhere
	Circle  struct{ Square }   // at the client only
	Disc    struct{ Square }   // at the server only
	Drawing struct{ Shape Shape }
	Box     struct{ Shape any }
	Node    struct{ Next *Node }
	Coded   struct{ hidden int }
	Mute    struct{}
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

func (c *Clerk) done() error { c.executed.Add(1); return nil }

// Double, Add, AddNarrow, Take and Draw have an argument of their own each.
func (c *Clerk) Double(_ int, _ *int) error       { return c.done() }
func (c *Clerk) Add(_ *Pair, _ *int) error        { return c.done() }
func (c *Clerk) AddNarrow(_ Narrow, _ *int) error { return c.done() }
func (c *Clerk) Take(_ any, _ *int) error         { return c.done() }
func (c *Clerk) Draw(_ Drawing, _ *int) error     { return c.done() }

// Split, Hide, Channel, List, Anything, SquareOf and DiscOf have a reply of their own each.
func (c *Clerk) Split(_ int, reply *Pair) error       { *reply = Pair{1, 2}; return c.done() }
func (c *Clerk) Hide(_ int, reply *Hidden) error      { return c.done() }
func (c *Clerk) Channel(_ int, reply *chan int) error { *reply = make(chan int); return c.done() }
func (c *Clerk) List(_ int, reply *[]int) error       { *reply = nil; return c.done() }
func (c *Clerk) Anything(_ int, _ *any) error         { return c.done() }
func (c *Clerk) SquareOf(n int, reply *Drawing) error { reply.Shape = Square{n}; return c.done() }
func (c *Clerk) DiscOf(n int, reply *Drawing) error   { reply.Shape = Disc{Square{n}}; return c.done() }

// Executed sets *reply to the number of calls.
func (c *Clerk) Executed(_ int, reply *int) error { *reply = int(c.executed.Load()); return nil }

// Wait says that it has begun, and waits.
func (c *Clerk) Wait(_ int, _ *int) error {
	c.done()
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

// byGob and byJSON return what makes a call.
var byGob, byJSON = calling(rpctest.Gob), calling(rpctest.JSON)

func calling(codec rpctest.Codec) func(method string, args, reply any) provocation {
	return func(method string, args, reply any) provocation {
		return func(t *testing.T) outcome {
			clerk := new(Clerk)
			client, _ := codec.Connect(t, clerk)
			err := client.Call(method, args, reply)
			return outcome{fmt.Sprint(err), clerk.fate(client)}
		}
	}
}

// textsOfTheFirstCall are those of calls that never worked.
var textsOfTheFirstCall = []errorText{
	// No such method.
	callEnds("rpc: can't find service …", refused,
		byGob("Clark.Double", 1, nil), byJSON("Clark.Double", 1, nil)),
	callEnds("rpc: can't find method …", refused,
		byGob("Clerk.Treble", 1, nil), byJSON("Clerk.Treble", 1, nil)),
	callEnds("rpc: service/method request ill-formed: …", refused,
		byGob("Double", 1, nil), byJSON("Double", 1, nil)),

	// The argument does not fit.
	callEnds("gob: type mismatch in decoder: want struct type …; got non-struct", refused,
		byGob("Clerk.Add", 1, nil)),
	callEnds("gob: decoding into local type …, received remote type …", refused,
		byGob("Clerk.Double", "1", nil), byGob("Clerk.Double", Pair{1, 2}, nil)),
	callEnds("gob: wrong type (…) for received field …", refused, byGob("Clerk.Add", Text{"1"}, nil)),
	callEnds("gob: type mismatch: no fields matched compiling decoder for …", refused,
		byGob("Clerk.Add", Others{1, 2}, nil)),
	callEnds(`value for "…" out of range`, refused, byGob("Clerk.AddNarrow", Pair{A: 1000}, nil)),
	callEnds("json: cannot unmarshal … of type …", refused,
		byJSON("Clerk.Double", "1", nil), byJSON("Clerk.Double", 6.5, nil), byJSON("Clerk.Add", Text{"1"}, nil),
		byJSON("Clerk.AddNarrow", Pair{A: 1000}, nil), byJSON("Clerk.Draw", Drawing{Square{1}}, nil),
	),
	callEnds("jsonrpc: request body missing params", refused, requestWithoutParams),

	// Interface values.
	callEnds("gob: type not registered for interface: …", spoilt,
		byGob("Clerk.Draw", Drawing{Square{1}}, nil)),
	callEnds(`gob: name not registered for interface: "…"`, spoilt,
		inAnotherProcess("Clerk.Draw", Drawing{Circle{}}, nil)),
	callEnds("gob: local interface type … can only be decoded from remote interface type; received concrete type …", refused,
		byGob("Clerk.Take", 1, nil), byGob("Clerk.Take", Pair{1, 2}, nil)),
	callEnds("gob: … is not assignable to type …", refused, byGob("Clerk.Draw", Box{1}, nil)),

	// The argument cannot be encoded.
	callEnds("gob: type … has no exported fields", spoilt,
		byGob("Clerk.Add", Hidden{1}, nil), byGob("Clerk.Add", errors.New("no"), nil),
		byGob("Clerk.Add", struct{ Mu *sync.Mutex }{new(sync.Mutex)}, nil), byGob("Clerk.Add", &struct{ sync.Mutex }{}, nil)),
	callEnds("gob NewTypeObject can't handle type: …", spoilt,
		byGob("Clerk.Add", make(chan int), nil), byGob("Clerk.Add", struct{ F []func() }{}, nil)),
	callEnds("gob: cannot encode nil value", spoilt, byGob("Clerk.Double", nil, nil)),
	callEnds("gob: gob: cannot encode nil pointer of type … inside interface", spoilt,
		byGob("Clerk.Draw", Box{(*Square)(nil)}, nil)),
	callEnds("gob: encodeArray: nil element", spoilt, byGob("Clerk.Add", []*int{nil}, nil)),
	callEnds("gob: encodeReflectValue: nil element", spoilt,
		byGob("Clerk.Add", map[string]*int{"a": nil}, nil)),
	callEnds("gob: unaddressable value of type …", spoilt,
		byGob("Clerk.Add", map[string]Coded{"a": {1}}, nil)),
	callEnds("json: unsupported type: …", refused, byJSON("Clerk.Add", make(chan int), nil)),
	callEnds("json: unsupported value: …", refused,
		byJSON("Clerk.Double", math.NaN(), nil), byJSON("Clerk.Add", cycle(), nil)),
	callEnds("json: error calling MarshalJSON for type …: …", refused, byJSON("Clerk.Add", Mute{}, nil)),

	// The reply does not fit, or cannot be encoded.
	callEnds("reading body gob: …", unread,
		byGob("Clerk.Double", 1, new(string)), byGob("Clerk.Split", 1, new(Others)), byGob("Clerk.Split", 1, new(Text)),
		inAnotherProcess("Clerk.DiscOf", 1, new(Drawing)),
	),
	callEnds("gob: attempt to decode into a non-pointer", unread, byGob("Clerk.Double", 1, 0)),
	callEnds("gob: DecodeValue of unassignable value", unread, byGob("Clerk.Split", 1, (*Pair)(nil))),
	callEnds("reading body unexpected EOF", unread,
		byGob("Clerk.Hide", 1, new(Hidden)), byGob("Clerk.SquareOf", 1, new(Drawing))),
	callEnds("reading body EOF", unread, byGob("Clerk.Channel", 1, new(chan int))),
	callEnds("reading body json: cannot unmarshal … of type …", unread,
		byJSON("Clerk.Double", 1, new(string)), byJSON("Clerk.SquareOf", 1, new(Drawing))),
	callEnds("json: Unmarshal(non-pointer …)", unread, byJSON("Clerk.Double", 1, 0)),
	callEnds("json: Unmarshal(nil …)", unread, byJSON("Clerk.Split", 1, (*Pair)(nil))),
	callEnds("invalid error <nil>", unread,
		byJSON("Clerk.List", 1, new([]int)), byJSON("Clerk.Anything", 1, nil)),
	reads("invalid error map[…]", at(stranger(
		`{"jsonrpc": "2.0", "id": 0, "error": {"code": -32601, "message": "Method not found"}}`), callJSON)),
	reads("unspecified error", at(stranger(`{"id": 0, "error": ""}`), callJSON)),

	// The other side is not net/rpc.
	reads("invalid character 'H' looking for beginning of value", at(web(rpc.NewServer()), callJSON)),
	reads("invalid character '<' looking for beginning of value", unmarshalled("<html>")),
	reads("invalid character 'p' after top-level value", unmarshalled("404 page not found")),
	reads("unexpected end of JSON input", unmarshalled("")),
	reads("gob: unknown type id or corrupted data", at(web(http.NotFoundHandler()), func(addr string) error {
		client, err := rpc.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Call("Clerk.Add", &Pair{5, 6}, nil) // 5 goes as the byte of a line feed
	})),
	reads("gob: duplicate type received",
		at(stranger("SSH-2.0-OpenSSH_9.6\r\n"+strings.Repeat("x", 100)), callGob), newEncoderForEachReply),
	reads("gob: encoded unsigned integer out of range",
		at(stranger("\x94\x01\x00\xc0\x02"), callGob)), // of MessagePack
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

func callGob(addr string) error  { return firstCall(rpc.Dial("tcp", addr)) }
func callJSON(addr string) error { return firstCall(jsonrpc.Dial("tcp", addr)) }

// unmarshalled returns what an HTTP client of one's own says of an answer that is not JSON.
func unmarshalled(answer string) func(*testing.T) error {
	return func(*testing.T) error { return json.Unmarshal([]byte(answer), new(map[string]any)) }
}

// requestWithoutParams is no Go client's.
func requestWithoutParams(t *testing.T) outcome {
	clerk := new(Clerk)
	ours, theirs := net.Pipe()
	go rpctest.JSON.Serve(rpctest.Server(t, clerk), theirs)
	codec := jsonrpc.NewClientCodec(ours)
	io.WriteString(ours, `{"method": "Clerk.Double", "id": 1}`)
	var answer rpc.Response
	if err := codec.ReadResponseHeader(&answer); err != nil {
		t.Fatal(err)
	}
	client := rpc.NewClientWithCodec(codec)
	defer client.Close()
	return outcome{answer.Error, clerk.fate(client)}
}

// inAnotherProcess calls a server in a process of its own, where Circle is not registered and Disc
// is. Here it is the other way round.
func inAnotherProcess(method string, args, reply any) provocation {
	return func(t *testing.T) outcome {
		process := rpctest.StartProcess(t) // with Clerk, as provokeAll says
		gob.Register(Circle{})
		client, err1 := rpc.Dial("tcp", process.Addr)
		other, err2 := rpc.Dial("tcp", process.Addr)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		defer other.Close()
		got := fmt.Sprint(client.Call(method, args, reply))
		var executed int
		if err := other.Call("Clerk.Executed", 1, &executed); err != nil {
			t.Fatal(err)
		}
		clerk := new(Clerk) // what we know of theirs
		clerk.executed.Store(int32(executed))
		return outcome{got, clerk.fate(client)}
	}
}

// answered returns a client whose requests, from 0 on, answer answers by hand.
func answered(t *testing.T, answer func(seq uint64, conn net.Conn)) *rpc.Client {
	ours, theirs := net.Pipe()
	go func() {
		for seq := uint64(0); ; seq++ {
			if _, err := theirs.Read(make([]byte, 1<<10)); err != nil { // a request is one write
				return
			}
			answer(seq, theirs)
		}
	}()
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// newEncoderForEachReply is the mistake of a codec of one's own: types are described once more.
func newEncoderForEachReply(t *testing.T) error {
	client := answered(t, func(seq uint64, conn net.Conn) {
		encoder := gob.NewEncoder(conn)
		encoder.Encode(rpc.Response{Seq: seq})
		encoder.Encode(1)
	})
	if err := client.Call("Clerk.Double", 1, new(int)); err != nil {
		t.Errorf("the first reply: %v", err)
	}
	return client.Call("Clerk.Double", 1, new(int))
}
