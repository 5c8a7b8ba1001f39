package grpc_test

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// The server answers as "gRPC over HTTP2", "Compression" and "Status codes" of the gRPC
// documentation say, so that any client of gRPC may call it. A line says what comes back: the
// status of HTTP, the body, the status of gRPC and its text.
func TestGRPCServerKeepsToTheProtocol(t *testing.T) {
	const args = "\x00\x00\x00\x00\x04\x08\x0a\x10\x14" // Args{10, 20} in its frame
	const unknown = "\x18\xff\x01" + "\x2112345678" + "\x2a\x03abc" + "\x351234"
	tooLarge := frames(message{math.MaxInt, 1}, message{1, 1}).String()
	framed := func(message string) string { return string(frame([]byte(message))) }
	var saw rpctest.Transcript
	client, _ := connectHTTP2(t, mathServer)
	for _, row := range []struct{ name, body, method, header, value string }{
		{name: "a message", body: args},
		{name: "no message"},
		{name: "two messages", body: args + args},
		{name: "part of a message", body: args[:7]},
		{name: "4 MiB and a byte", body: "\x00\x00\x40\x00\x01"},
		{name: "compressed", body: "\x01" + args[1:]},
		{name: "zeros, left out", body: framed("")},
		{name: "Divide(-17, -5)", body: frames(message{-17, -5}).String(), method: "Divide"},
		{name: "Running, where the second message is cut", body: args + args[:7], method: "Running"},
		{name: "Sum, over MaxInt", body: tooLarge, method: "Sum"},
		{name: "four unknown fields", body: framed("\x08\x0a" + unknown + "\x10\x14")},
		{name: "a field that is cut", body: framed("\x08\x0a\x10")},
		{name: "a string that is cut", body: framed("\x08\x0a\x10\x14\x2a\x04abc")},
		{name: "not the name but the text is escaped", body: args, method: "%4dultiply"},
		{name: "application/json", body: args, header: "Content-Type", value: "application/json"},
		{name: "grpc-timeout: 1", body: args, header: "Grpc-Timeout", value: "1"},
	} {
		req := newRequest(t.Context(), cmp.Or(row.method, "Multiply"), strings.NewReader(row.body))
		if row.header != "" {
			req.Header.Set(row.header, row.value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		saw.Add("%s", strings.TrimSpace(fmt.Sprintf("%s: %d [% x] %s %s", row.name, resp.StatusCode, reply,
			resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message"))))
	}
	_, err := invoke(t.Context(), client, "100%25", message{})
	saw.Add("the client takes the text's escapes back: %v", err)
	saw.Want(t, `
a message: 200 [00 00 00 00 03 08 c8 01] 0
no message: 200 [] 12 more or less than one message
two messages: 200 [] 12 more or less than one message
part of a message: 200 [] 13 unexpected EOF
4 MiB and a byte: 200 [] 8 a message of 4194305 bytes
compressed: 200 [] 12 cannot decompress
zeros, left out: 200 [00 00 00 00 00] 0
Divide(-17, -5): 200 [00 00 00 00 0d 08 03 10 fe ff ff ff ff ff ff ff ff 01] 0
Running, where the second message is cut: 200 [00 00 00 00 03 08 c8 01] 13 unexpected EOF
Sum, over MaxInt: 200 [] 11 integer overflow
four unknown fields: 200 [00 00 00 00 03 08 c8 01] 0
a field that is cut: 200 [] 13 not a Protobuf message
a string that is cut: 200 [] 13 not a Protobuf message
not the name but the text is escaped: 200 [] 12 unknown method /MathService/%254dultiply
application/json: 415 []
grpc-timeout: 1: 200 [] 13 malformed grpc-timeout
the client takes the text's escapes back: grpc-status 12: unknown method /MathService/100%25`)
}

// What is left of a deadline is sent in milliseconds, rounded up, and read in any of six units.
func TestGRPCTimeoutIsRoundedUp(t *testing.T) {
	var saw rpctest.Transcript
	for _, left := range []time.Duration{time.Minute, 1500 * time.Microsecond, 0, 100 * time.Hour} {
		saw.Add("%v is sent as %s", left, formatTimeout(left))
	}
	for _, header := range []string{"2H", "2M", "2S", "2m", "2u", "2n", "99999999H", "100000000m"} {
		timeout, err := parseTimeout(header)
		saw.Add("%s is read as %v, %v", header, timeout, err)
	}
	saw.Want(t, `
1m0s is sent as 60000m
1.5ms is sent as 2m
0s is sent as 1m
100h0m0s is sent as 99999999m
2H is read as 2h0m0s, <nil>
2M is read as 2m0s, <nil>
2S is read as 2s, <nil>
2m is read as 2ms, <nil>
2u is read as 2µs, <nil>
2n is read as 2ns, <nil>
99999999H is read as 2562047h0m0s, <nil>
100000000m is read as 0s, grpc-status 13: malformed grpc-timeout`)
}

// A method that cannot send, for nobody reads, ends as well when its deadline has passed.
func TestGRPCDeadlineEndsABlockedMethod(t *testing.T) {
	var saw rpctest.Transcript
	ended := make(chan error, 1)
	conn := dialHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended <- server{}.serve(w, r)
	}))
	conn.SetDeadline(time.Time{}) // or else its end, too, could end the method
	client := newClient(conn)
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 1} // a byte
	req := newRequest(t.Context(), "Multiply", frames(message{10, 20}))
	req.Header.Set("Grpc-Timeout", "50m")
	start(client, req) // and receive nothing
	saw.Add("a method that cannot send ends: %v", rpctest.Within(t, ended, "the end of the method"))
	saw.Want(t, "a method that cannot send ends: context deadline exceeded")
}
