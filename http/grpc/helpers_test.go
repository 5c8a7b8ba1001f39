package grpc_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

func init() { rpctest.NumberTypes(rpc.Request{}, shared.Args{}, rpc.Response{}) }

// startHTTP2 serves handler over HTTP/2 without TLS.
func startHTTP2(handler http.Handler) *httptest.Server {
	ts := httptest.NewUnstartedServer(handler)
	ts.Config.Protocols = new(http.Protocols)
	ts.Config.Protocols.SetUnencryptedHTTP2(true)
	ts.Start()
	return ts
}

// dialHTTP2 returns a connection to a server of handler. It ends after rpctest.Patience.
func dialHTTP2(t *testing.T, handler http.Handler) net.Conn {
	t.Helper()
	ts := startHTTP2(handler)
	t.Cleanup(ts.Close)
	return rpctest.Dial(t, "tcp", ts.Listener.Addr().String())
}

// connectHTTP2 returns a client of handler, and the tape of its connection.
func connectHTTP2(t *testing.T, handler http.Handler) (*http.Client, *rpctest.Tape) {
	t.Helper()
	tape := new(rpctest.Tape)
	return newClient(tape.Conn(dialHTTP2(t, handler))), tape
}

// http2Frame is a frame of HTTP/2: a header of nine bytes, and this.
type http2Frame struct {
	kind    byte // 0 is DATA, 1 HEADERS, 4 SETTINGS
	payload string
}

func http2Frames(b string) (frames []http2Frame) {
	b = strings.TrimPrefix(b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") // a client's first bytes
	for len(b) >= 9 {
		end := 9 + int(b[0])<<16 + int(b[1])<<8 + int(b[2])
		if end > len(b) {
			break // of what follows the call, part has been read
		}
		frames = append(frames, http2Frame{b[3], b[9:end]})
		b = b[end:]
	}
	return frames
}

// callFrames returns those of the calls, and not of the connection itself. In the first headers
// or in the second, HPACK also says how large its table may be: three bytes, which are cut off.
func callFrames(b string) (frames []http2Frame) {
	for _, frame := range http2Frames(b) {
		if frame.kind <= 1 {
			frame.payload = strings.TrimPrefix(frame.payload, "\x3f\xe1\x1f")
			frames = append(frames, frame)
		}
	}
	return frames
}

// threeCalls makes the call Multiply(10, 20) three times, and returns what each sends.
func threeCalls(t *testing.T, tape *rpctest.Tape, multiply func() (int, error)) (sent [3]string) {
	t.Helper()
	for i := range sent {
		if product, err := multiply(); err != nil || product != 200 {
			t.Fatalf("Multiply(10, 20) = %d, %v, want 200", product, err)
		}
		sent[i], _ = tape.Take()
	}
	return sent
}

// threeGRPCs returns the frames of three calls: of each HEADERS and DATA.
func threeGRPCs(t *testing.T) (calls [3][]http2Frame) {
	t.Helper()
	client, tape := connectHTTP2(t, mathServer)
	for i, sent := range threeCalls(t, tape, func() (int, error) {
		return invoke(t.Context(), client, "Multiply", message{10, 20})
	}) {
		calls[i] = callFrames(sent)
		if f := calls[i]; len(f) != 2 || f[0].kind != 1 || f[1].kind != 0 {
			t.Fatalf("call %d sends %q, want HEADERS and DATA", i+1, f)
		}
	}
	return calls
}

// threeRPCs returns the bytes of three calls over net/rpc.
func threeRPCs(t *testing.T, codec rpctest.Codec) [3]string {
	t.Helper()
	client, tape := codec.Connect(t, new(shared.MathService))
	return threeCalls(t, tape, func() (product int, err error) {
		err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
		return product, err
	})
}
