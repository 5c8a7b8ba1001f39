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
	"testing"

	"example.com/netrpc/shared/rpctest"
)

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
