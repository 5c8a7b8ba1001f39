package http_test

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// grpcPatience bounds every wait for something that should take no time.
const grpcPatience = 30 * time.Second

// grpcTape is a connection that remembers what its owner has written to it.
type grpcTape struct {
	net.Conn
	mu      sync.Mutex
	written []byte
}

func (c *grpcTape) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.written = append(c.written, p...)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// take returns what has been written since the last take.
func (c *grpcTape) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	written := c.written
	c.written = nil
	return written
}

// grpcConnect returns a client of handler, and the one connection that it may use.
func grpcConnect(t *testing.T, handler http.Handler) (*http.Client, *grpcTape) {
	t.Helper()
	ts := grpcStartServer(handler)
	t.Cleanup(ts.Close)
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(grpcPatience))
	tape := &grpcTape{Conn: conn}
	var dialed atomic.Bool
	return newGRPCClient(func() (net.Conn, error) {
		if dialed.Swap(true) {
			return nil, errors.New("the client wants a second connection")
		}
		return tape, nil
	}), tape
}

// grpcRival returns a client of net/rpc, with gob or JSON, and its connection.
func grpcRival(t *testing.T, codec string, service any) (*rpc.Client, *grpcTape) {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("MathService", service); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	ours.SetDeadline(time.Now().Add(grpcPatience))
	tape := &grpcTape{Conn: ours}
	var client *rpc.Client
	if codec == "gob" {
		go server.ServeConn(theirs)
		client = rpc.NewClient(tape)
	} else {
		go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
		client = jsonrpc.NewClient(tape)
	}
	t.Cleanup(func() { client.Close() })
	return client, tape
}

// grpcHTTP2Frame is a frame of HTTP/2: a header of nine bytes, and this.
type grpcHTTP2Frame struct {
	kind    byte   // 0 is DATA, 1 HEADERS, 4 SETTINGS
	stream  uint32 // one for each call; 0 is for all of them
	payload []byte
}

// grpcHTTP2Preface is what an HTTP/2 client sends before its first frame.
const grpcHTTP2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func grpcHTTP2Frames(b []byte) (frames []grpcHTTP2Frame) {
	b = bytes.TrimPrefix(b, []byte(grpcHTTP2Preface))
	for len(b) >= 9 {
		end := 9 + int(binary.BigEndian.Uint32(b)>>8)
		if len(b) < end {
			break
		}
		frames = append(frames, grpcHTTP2Frame{b[3], binary.BigEndian.Uint32(b[5:]), b[9:end]})
		b = b[end:]
	}
	return frames
}

// grpcThreeCalls calls Multiply(10, 20) three times on one connection, and returns what the
// client sends for each: over gRPC a frame of HEADERS and one of DATA.
func grpcThreeCalls(t *testing.T) (calls [3][2]grpcHTTP2Frame) {
	t.Helper()
	client, tape := grpcConnect(t, newGRPCHandler())
	for i := range calls {
		reply, err := grpcInvoke(t.Context(), client, "Multiply", grpcMessage{10, 20})
		if err != nil || reply[0] != 200 {
			t.Fatalf("Multiply(10, 20) = %d, %v, want 200", reply[0], err)
		}
		frames := slices.DeleteFunc(grpcHTTP2Frames(tape.take()), func(f grpcHTTP2Frame) bool { return f.stream == 0 })
		if len(frames) != 2 || frames[0].kind != 1 || frames[1].kind != 0 {
			t.Fatalf("call %d sent the frames %v, want HEADERS and DATA", i+1, frames)
		}
		// In the first headers or in the second HPACK also says how large its table may be:
		// three bytes, which are not counted.
		frames[0].payload = bytes.TrimPrefix(frames[0].payload, []byte{0x3f, 0xe1, 0x1f})
		calls[i] = [2]grpcHTTP2Frame(frames)
	}
	return calls
}

// grpcThreeRivalCalls is the same over net/rpc.
func grpcThreeRivalCalls(t *testing.T, codec string) (calls [3][]byte) {
	t.Helper()
	client, tape := grpcRival(t, codec, new(shared.MathService))
	for i := range calls {
		var reply int
		err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply)
		if err != nil || reply != 200 {
			t.Fatalf("Multiply(10, 20) = %d, %v, want 200", reply, err)
		}
		calls[i] = tape.take()
	}
	return calls
}

// Tutorial §5, C24, and the table's first row: Protobuf is smaller than JSON, and better than
// gob. Of the message this is true: no names, which JSON sends in each one, and no description
// of the type, which gob sends in the first one of a connection.
func TestGRPCMessagesAreTheSmallest(t *testing.T) {
	args := shared.Args{A: 10, B: 20}
	var first, later bytes.Buffer
	encoder := gob.NewEncoder(io.MultiWriter(&first, &later))
	if err := encoder.Encode(args); err != nil {
		t.Fatal(err)
	}
	later.Reset()
	firstSize := first.Len()
	if err := encoder.Encode(args); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	message := grpcMessage{10, 20}.encode()
	t.Logf("gob:      %2d bytes, later %d: % x", firstSize, later.Len(), later.Bytes())
	t.Logf("JSON:     %2d bytes, always:  %s", len(text), text)
	t.Logf("Protobuf: %2d bytes, always:  % x", len(message), message)
	// How large the first one is depends, by a byte or two, on the types that gob has met before.
	if firstSize < 38 || firstSize > 42 || later.Len() != 8 || len(text) != 15 || len(message) != 4 {
		t.Error("want about 39, later 8; 15; 4")
	}
}

// Tutorial §5, C24. But a call is more than its message. Around it gRPC puts a frame, HTTP/2
// two more and the headers; so later calls are as small as with gob, and half those of JSON.
func TestGRPCLaterCallsAreAsSmallAsWithGob(t *testing.T) {
	grpc, gob, json := grpcThreeCalls(t), grpcThreeRivalCalls(t, "gob"), grpcThreeRivalCalls(t, "JSON")
	var sizes [3]int
	for i, call := range grpc {
		for _, frame := range call {
			sizes[i] += 9 + len(frame.payload)
		}
	}
	t.Logf("gob:  the first call sends %3d bytes, the third %d", len(gob[0]), len(gob[2]))
	t.Logf("JSON: the first call sends %3d bytes, the third %d", len(json[0]), len(json[2]))
	t.Logf("gRPC: the first call sends %3d bytes, the third %d", sizes[0], sizes[2])
	if len(gob[0]) < 110 || len(gob[0]) > 116 || len(gob[2]) != 36 || len(json[0]) != 68 || len(json[2]) != 68 {
		t.Error("want gob about 112, and 36; JSON 68, and 68")
	}
	if sizes[0] != 97 || sizes[2] != 35 {
		t.Error("want gRPC 97 and 35")
	}
}

// Tutorial §5: HTTP/2 compresses headers. HPACK remembers those of a connection: from the
// second call on, a byte stands for each. Over net/rpc each call has the method's name in full.
func TestGRPCSecondCallHasSmallerHeaders(t *testing.T) {
	calls := grpcThreeCalls(t)
	first, second := calls[0][0].payload, calls[1][0].payload
	t.Logf("the headers of the first call: %d bytes, of the second: %d: % x", len(first), len(second), second)
	if len(first) != 70 || len(second) != 8 {
		t.Error("want 70 and 8")
	}
	for i, call := range grpcThreeRivalCalls(t, "gob") {
		if name := "MathService.Multiply"; !bytes.Contains(call, []byte(name)) {
			t.Errorf("net/rpc's call %d is %q, want %s in it", i+1, call, name)
		}
	}
	t.Log("over net/rpc each call has the 20 bytes of MathService.Multiply")
}

// Tutorial §5, C27: HTTP/2's server push. gRPC has no use for it. Go's HTTP/2 client, on which
// ours is built, switches it off in its first frame, SETTINGS, with setting 2 (ENABLE_PUSH) = 0,
// and a server can push nothing.
func TestHTTP2ClientSwitchesServerPushOff(t *testing.T) {
	pushed := make(chan error, 1)
	client, tape := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pushed <- w.(http.Pusher).Push("/MathService/Divide", nil)
		newGRPCHandler().ServeHTTP(w, r)
	}))
	if _, err := grpcInvoke(t.Context(), client, "Multiply", grpcMessage{10, 20}); err != nil {
		t.Fatal(err)
	}
	frames := grpcHTTP2Frames(tape.take())
	if frames[0].kind != 4 {
		t.Fatalf("the client's first frame is of type %d, want 4, SETTINGS", frames[0].kind)
	}
	settings := slices.Collect(slices.Chunk(frames[0].payload, 6)) // two bytes of name, four of value
	off := []byte{0, 2, 0, 0, 0, 0}
	t.Logf("the client's first settings: % x; % x is push, off", settings, off)
	if !slices.ContainsFunc(settings, func(s []byte) bool { return bytes.Equal(s, off) }) {
		t.Errorf("want % x among them", off)
	}
	err := <-pushed
	t.Log("a server that pushes gets:", err)
	if !errors.Is(err, http.ErrNotSupported) {
		t.Error("want http.ErrNotSupported")
	}
}

// Tutorial §5, the table's last row: gRPC needs a .proto. Without it nobody can read the
// bytes: they have numbers for the fields, and no names. So a field may get another name,
// which over gob is an error, and over JSON a zero.
func TestGRPCFieldsHaveNumbersNotNames(t *testing.T) {
	type renamed struct{ X, Y int }
	old, reader := shared.Args{A: 10, B: 20}, renamed{}
	var stream bytes.Buffer
	if err := gob.NewEncoder(&stream).Encode(old); err != nil {
		t.Fatal(err)
	}
	gobErr := gob.NewDecoder(&stream).Decode(&reader)
	t.Logf("gob:      %v, %v", reader, gobErr)
	if gobErr == nil {
		t.Error("want an error")
	}
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	jsonErr := json.Unmarshal(text, &reader)
	t.Logf("JSON:     %v, %v", reader, jsonErr)
	if jsonErr != nil || reader != (renamed{}) {
		t.Error("want zeros, and no error")
	}
	m, err := grpcDecode(grpcMessage{10, 20}.encode())
	reader = renamed{int(m[0]), int(m[1])}
	t.Logf("Protobuf: %v, %v", reader, err)
	if err != nil || reader != (renamed{10, 20}) {
		t.Error("want {10 20}")
	}
}
