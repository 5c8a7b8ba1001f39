package grpc_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §5, C24, and the table's first row: Protobuf is smaller than JSON, and better than
// gob. Of the message this is right: no names, which JSON sends in each one, and no description
// of the type, which gob sends in the first one of a connection.
func TestGRPCMessagesAreTheSmallest(t *testing.T) {
	var saw rpctest.Transcript
	args := shared.Args{A: 10, B: 20}
	var stream bytes.Buffer
	encoder := gob.NewEncoder(&stream)
	err1 := encoder.Encode(args)
	first := stream.Len()
	stream.Reset()
	err2 := encoder.Encode(args)
	text, err3 := json.Marshal(args)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	m := message{10, 20}.encode()
	saw.Add("gob: %d bytes, later %d: % x", first, stream.Len(), stream.Bytes())
	saw.Add("JSON: %d bytes each time: %s", len(text), text)
	saw.Add("Protobuf: %d bytes each time: % x", len(m), m)
	saw.Want(t, `
gob: 39 bytes, later 8: 07 ff 82 01 14 01 28 00
JSON: 15 bytes each time: {"A":10,"B":20}
Protobuf: 4 bytes each time: 08 0a 10 14`)
}

// Tutorial §5, C24. Unsaid: a call is more than its message. Around it gRPC puts a frame, and
// HTTP/2 two more and the headers; so later calls are as small as with gob, and half of JSON's.
func TestGRPCLaterCallsAreAsSmallAsWithGob(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		calls := threeRPCs(t, codec)
		saw.Add("%s: the first call sends %d bytes, the third %d", codec.Name, len(calls[0]), len(calls[2]))
	}
	var sizes [3]int
	for i, frames := range threeGRPCs(t) {
		sizes[i] = 9 + len(frames[0].payload) + 9 + len(frames[1].payload)
	}
	saw.Add("gRPC: the first call sends %d bytes, the third %d", sizes[0], sizes[2])
	saw.Want(t, `
gob: the first call sends 112 bytes, the third 36
JSON: the first call sends 68 bytes, the third 68
gRPC: the first call sends 97 bytes, the third 35`)
}

// Tutorial §5 is right: HTTP/2 compresses headers (头部压缩). HPACK numbers those that both sides
// know, from a list and from the connection's earlier calls: each is a byte from the second call
// on. Over net/rpc each call has the method's name in full.
func TestGRPCSecondCallHasSmallerHeaders(t *testing.T) {
	var saw rpctest.Transcript
	calls := threeGRPCs(t)
	numbers := []byte(calls[1][0].payload)
	slices.Sort(numbers) // net/http sends headers in any order
	saw.Add("gRPC: the first call has %d bytes of headers", len(calls[0][0].payload))
	saw.Add("gRPC: the second call has %d, sorted: % x", len(numbers), numbers)
	named := 0
	for _, call := range threeRPCs(t, rpctest.Gob) {
		named += strings.Count(call, "MathService.Multiply")
	}
	saw.Add("net/rpc: three calls have MathService.Multiply %d times", named)
	saw.Want(t, `
gRPC: the first call has 70 bytes of headers
gRPC: the second call has 8, sorted: 83 86 be bf c0 c1 c2 c3
net/rpc: three calls have MathService.Multiply 3 times`)
}

// Tutorial §5, C27: "服务端推送", HTTP/2's server push, is wrong: gRPC has no use for it. Go's
// HTTP/2 client, on which ours is built, switches it off in its first frame, SETTINGS, where
// setting 2, ENABLE_PUSH, is 0; so a server can push nothing.
func TestHTTP2ClientSwitchesServerPushOff(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := connectHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw.Add("a server that pushes gets: %v", w.(http.Pusher).Push("/MathService/Divide", nil))
		mathServer.ServeHTTP(w, r)
	}))
	if _, err := invoke(t.Context(), client, "Multiply", message{10, 20}); err != nil {
		t.Fatal(err)
	}
	sent, _ := tape.Take()
	first := http2Frames(sent)[0]
	saw.Add("the client's first frame is of kind %d, SETTINGS", first.kind)
	for setting := range slices.Chunk([]byte(first.payload), 6) { // two bytes of name, four of value
		if setting[1] == 2 {
			saw.Add("there ENABLE_PUSH is % x", setting)
		}
	}
	saw.Want(t, `
a server that pushes gets: feature not supported
the client's first frame is of kind 4, SETTINGS
there ENABLE_PUSH is 00 02 00 00 00 00`)
}

// Tutorial §5, the table's last row: gRPC needs a .proto. Without it nobody can read the bytes:
// they have numbers for the fields, and no names. So a field may get another name, which is an
// error over gob, and a zero over JSON.
func TestGRPCFieldsHaveNumbersNotNames(t *testing.T) {
	type renamed struct{ X, Y int }
	var saw rpctest.Transcript
	old := shared.Args{A: 10, B: 20}
	var stream bytes.Buffer
	err1 := gob.NewEncoder(&stream).Encode(old)
	text, err2 := json.Marshal(old)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var reader renamed
	err := gob.NewDecoder(&stream).Decode(&reader)
	saw.Add("gob: %v, %v", reader, err)
	err = json.Unmarshal(text, &reader)
	saw.Add("JSON: %v, %v", reader, err)
	m := decode(message{10, 20}.encode())
	saw.Add("Protobuf: %v", renamed{m[0], m[1]})
	saw.Want(t, `
gob: {0 0}, gob: type mismatch: no fields matched compiling decoder for renamed
JSON: {0 0}, <nil>
Protobuf: {10 20}`)
}
