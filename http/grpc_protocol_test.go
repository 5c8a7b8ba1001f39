package http_test

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const grpcTenTimesTwenty = "\x00\x00\x00\x00\x04\x08\x0a\x10\x14" // a frame with Args{10, 20}

// grpcFrame returns a frame around any bytes.
func grpcFrame(message string) string {
	return string([]byte{0, 0, 0, byte(len(message) >> 8), byte(len(message))}) + message
}

// grpcPost sends body as it is, and returns all that comes back on one line: the status of
// HTTP, the messages, and the trailers.
func grpcPost(t *testing.T, client *http.Client, method, path string, body io.Reader, header map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d % x %s %s", resp.StatusCode, reply,
		resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")))
}

// The handler answers as "gRPC over HTTP2", "Compression" and "Status codes" of the gRPC
// documentation say, so that any client of gRPC may call it.
func TestGRPCHandlerKeepsToTheProtocol(t *testing.T) {
	const (
		product   = "200 00 00 00 00 03 08 c8 01 0"
		zero      = "200 00 00 00 00 00 0"
		malformed = "200  13 not a Protobuf message"
	)
	client, _ := grpcConnect(t, newGRPCHandler())
	for _, row := range []struct {
		name   string
		body   string
		want   string
		header map[string]string
	}{
		{name: "one message", body: grpcTenTimesTwenty, want: product},
		{name: "application/grpc+proto", body: grpcTenTimesTwenty, want: product, header: map[string]string{"Content-Type": "application/grpc+proto"}},
		{name: "with a parameter", body: grpcTenTimesTwenty, want: product, header: map[string]string{"Content-Type": "Application/gRPC; a=b"}},
		{name: "JSON", body: grpcTenTimesTwenty, want: "415", header: map[string]string{"Content-Type": "application/json"}},
		{name: "gRPC-Web", body: grpcTenTimesTwenty, want: "415", header: map[string]string{"Content-Type": "application/grpc-web"}},

		{name: "no message", body: "", want: "200  12 more or less than one message"},
		{name: "two messages", body: grpcTenTimesTwenty + grpcTenTimesTwenty, want: "200  12 more or less than one message"},
		{name: "a frame cut in its first bytes", body: "\x00\x00\x00", want: "200  13 unexpected EOF"},
		{name: "a frame without its message", body: "\x00\x00\x00\x00\x04", want: "200  13 unexpected EOF"},
		{name: "a frame cut in its message", body: "\x00\x00\x00\x00\x04\x08\x0a", want: "200  13 unexpected EOF"},
		{name: "a message of 4 MiB, cut", body: "\x00\x00\x40\x00\x00", want: "200  13 unexpected EOF"},
		{name: "a message too long by a byte", body: "\x00\x00\x40\x00\x01", want: "200  8 a message of 4194305 bytes"},
		{name: "compressed", body: "\x01" + grpcTenTimesTwenty[1:], want: "200  12 cannot decompress gzip", header: map[string]string{"Grpc-Encoding": "gzip"}},
		{name: "compressed, and no header", body: "\x01" + grpcTenTimesTwenty[1:], want: "200  13 compressed, but no header says how"},
		{name: "a first byte of 2", body: "\x02" + grpcTenTimesTwenty[1:], want: "200  13 compressed, but no header says how"},
		{name: "compressed as identity", body: "\x01" + grpcTenTimesTwenty[1:], want: "200  13 compressed, but no header says how", header: map[string]string{"Grpc-Encoding": "identity"}},
		{name: "not compressed after all", body: grpcTenTimesTwenty, want: product, header: map[string]string{"Grpc-Encoding": "gzip"}},

		{name: "zeros left out", body: grpcFrame(""), want: zero},
		{name: "zeros sent", body: grpcFrame("\x08\x00\x10\x00"), want: zero},
		{name: "the last one counts", body: grpcFrame("\x08\x01\x10\x14\x08\x0a"), want: product},
		{name: "a varint longer than it need be", body: grpcFrame("\x08\x8a\x80\x00\x10\x14"), want: product},
		{name: "-10 * 20", body: grpcFrame("\x08\xf6\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x14"), want: "200 00 00 00 00 0b 08 b8 fe ff ff ff ff ff ff ff 01 0"},
		{name: "an unknown varint", body: grpcFrame("\x18\xff\x01\x08\x0a\x10\x14"), want: product},
		{name: "eight unknown bytes", body: grpcFrame("\x1912345678\x08\x0a\x10\x14"), want: product},
		{name: "an unknown string", body: grpcFrame("\x1a\x03abc\x08\x0a\x10\x14"), want: product},
		{name: "four unknown bytes", body: grpcFrame("\x1d1234\x08\x0a\x10\x14"), want: product},
		{name: "an unknown group with a known field", body: grpcFrame("\x08\x0a\x10\x14\x1b\x08\x01\x0b\x0c\x1c"), want: product},
		{name: "a known field of another type", body: grpcFrame("\x08\x0a\x10\x14\x0a\x01\x05"), want: product},
		{name: "the largest field number", body: grpcFrame("\xf8\xff\xff\xff\x0f\x01\x08\x0a\x10\x14"), want: product},
		{name: "a field number too large", body: grpcFrame("\x80\x80\x80\x80\x10\x01"), want: malformed},
		{name: "field number 0", body: grpcFrame("\x00\x01"), want: malformed},
		{name: "a field without a value", body: grpcFrame("\x08"), want: malformed},
		{name: "a varint of 11 bytes", body: grpcFrame("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), want: malformed},
		{name: "a string that is cut", body: grpcFrame("\x1a\x04abc"), want: malformed},
		{name: "a string of 2^64-1 bytes", body: grpcFrame("\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), want: malformed},
		{name: "eight bytes that are cut", body: grpcFrame("\x191234567"), want: malformed},
		{name: "four bytes that are cut", body: grpcFrame("\x1d123"), want: malformed},
		{name: "a group that does not end", body: grpcFrame("\x1b"), want: malformed},
		{name: "a group that does not begin", body: grpcFrame("\x1c"), want: malformed},
		{name: "groups that cross", body: grpcFrame("\x1b\x23\x1c\x24"), want: malformed},
		{name: "type 6", body: grpcFrame("\x0e\x01"), want: malformed},

		{name: "99999999H", body: grpcTenTimesTwenty, want: product, header: map[string]string{"Grpc-Timeout": "99999999H"}},
		{name: "1M", body: grpcTenTimesTwenty, want: product, header: map[string]string{"Grpc-Timeout": "1M"}},
		{name: "nine digits", body: grpcTenTimesTwenty, want: "200  13 malformed grpc-timeout", header: map[string]string{"Grpc-Timeout": "100000000m"}},
		{name: "no unit", body: grpcTenTimesTwenty, want: "200  13 malformed grpc-timeout", header: map[string]string{"Grpc-Timeout": "100"}},
		{name: "no digits", body: grpcTenTimesTwenty, want: "200  13 malformed grpc-timeout", header: map[string]string{"Grpc-Timeout": "m"}},
		{name: "a sign", body: grpcTenTimesTwenty, want: "200  13 malformed grpc-timeout", header: map[string]string{"Grpc-Timeout": "+1S"}},
	} {
		got := grpcPost(t, client, "POST", "/MathService/Multiply", strings.NewReader(row.body), row.header)
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}

	// A frame may come in any pieces.
	pieces, send := io.Pipe()
	go func() {
		for i := range len(grpcTenTimesTwenty) {
			io.WriteString(send, grpcTenTimesTwenty[i:i+1])
		}
		send.Close()
	}()
	if got := grpcPost(t, client, "POST", "/MathService/Multiply", pieces, nil); got != product {
		t.Errorf("byte by byte: %q, want %q", got, product)
	}
	if got, want := grpcPost(t, client, "GET", "/MathService/Multiply", nil, nil), "405"; got != want {
		t.Errorf("GET: %q, want %q", got, want)
	}
	// What a header cannot hold is percent-encoded; the client takes it back.
	if got, want := grpcPost(t, client, "POST", "/MathService/100%25", strings.NewReader(grpcTenTimesTwenty), nil),
		"200  12 unknown method /MathService/100%2525"; got != want {
		t.Errorf("an unknown method: %q, want %q", got, want)
	}
	_, err := grpcInvoke(t.Context(), client, "100%25+1", grpcMessage{})
	if want := (grpcError{grpcUnimplemented, "unknown method /MathService/100%25+1"}); err != want {
		t.Errorf("an unknown method: %v, want %v", err, want)
	}
	// A path is a name, and not escaped: %4d is no M.
	if got, want := grpcPost(t, client, "POST", "/MathService/%4dultiply", strings.NewReader(grpcTenTimesTwenty), nil),
		"200  12 unknown method /MathService/%254dultiply"; got != want {
		t.Errorf("an escaped method: %q, want %q", got, want)
	}
	// A client learns which compression it may use.
	resp, err := client.Post("http://localhost/MathService/Multiply", "application/grpc", strings.NewReader("\x01"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Grpc-Accept-Encoding"); got != "identity" {
		t.Errorf("grpc-accept-encoding: %q, want identity", got)
	}
	// A deadline may have passed already; it ends a method that sends, as it ends one that waits.
	got := grpcPost(t, client, "POST", "/MathService/Multiply", strings.NewReader(grpcTenTimesTwenty), map[string]string{"Grpc-Timeout": "0n"})
	if want := "200  4 "; !strings.HasPrefix(got, want) {
		t.Errorf("0n: %q, want %q", got, want)
	}
	endless := grpcFrame("\x10\xff\xff\xff\xff\x07") // Args{0, MaxInt32}: frames without a message
	got = grpcPost(t, client, "POST", "/MathService/Table", strings.NewReader(endless), map[string]string{"Grpc-Timeout": "50m"})
	if want := " 4 context deadline exceeded"; !strings.HasSuffix(got, want) {
		t.Errorf("an endless Table: …%q, want %q", got[max(len(got)-100, 0):], want)
	}
}

// The answer of a server that is none of gRPC is an error, and not taken for a frame.
func TestGRPCClientMeetsAnotherServer(t *testing.T) {
	client, _ := grpcConnect(t, http.NotFoundHandler())
	_, err := grpcInvoke(t.Context(), client, "Multiply", grpcMessage{10, 20})
	if want := (grpcError{grpcUnknown, "HTTP's status is 404 Not Found"}); err != want {
		t.Errorf("Multiply(10, 20): %v, want %v", err, want)
	}
}

// All six units of grpc-timeout.
func TestGRPCTimeoutUnits(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"2H": 2 * time.Hour, "2M": 2 * time.Minute, "2S": 2 * time.Second,
		"2m": 2 * time.Millisecond, "2u": 2 * time.Microsecond, "2n": 2,
	} {
		if got, err := grpcTimeout(header); err != nil || got != want {
			t.Errorf("grpc-timeout: %s is %v, %v, want %v", header, got, err, want)
		}
	}
}

// HTTP/1.1 has no streams to run a call in.
func TestGRPCNeedsHTTP2(t *testing.T) {
	ts := httptest.NewServer(newGRPCHandler())
	defer ts.Close()
	resp, err := http.Post(ts.URL+"/MathService/Multiply", "application/grpc", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("over %s: %s, want 505", resp.Proto, resp.Status)
	}
}

// Every method, with large and negative numbers, and with sums that an int cannot hold.
func TestGRPCMethods(t *testing.T) {
	client, _ := grpcConnect(t, newGRPCHandler())
	const most, least = math.MaxInt, math.MinInt
	for _, row := range []struct {
		method   string
		requests []grpcMessage
		want     string // the replies, and the code
	}{
		{"Multiply", []grpcMessage{{most, 1}}, fmt.Sprintf("[[%d 0]] 0", most)},
		{"Multiply", []grpcMessage{{least, 1}}, fmt.Sprintf("[[%d 0]] 0", least)},
		{"Multiply", []grpcMessage{{least, -1}}, "[] 11"},
		{"Divide", []grpcMessage{{-17, 5}}, "[[-3 -2]] 0"},
		{"Divide", []grpcMessage{{least, -1}}, "[] 11"},
		{"Divide", []grpcMessage{{1, 0}}, "[] 3"},
		{"Table", []grpcMessage{{-7, 3}}, "[[-7 0] [-14 0] [-21 0]] 0"},
		{"Table", []grpcMessage{{7, 0}}, "[] 0"},
		{"Table", []grpcMessage{{7, -3}}, "[] 0"},
		{"Table", []grpcMessage{{most, 3}}, fmt.Sprintf("[[%d 0]] 11", most)},
		{"Sum", nil, "[[0 0]] 0"},
		{"Sum", []grpcMessage{{2, 3}, {-4, 5}, {0, 6}}, "[[-14 0]] 0"},
		{"Sum", []grpcMessage{{most, 1}, {1, 1}}, "[] 11"},
		{"Sum", []grpcMessage{{least, 1}, {-1, 1}}, "[] 11"},
		{"Sum", []grpcMessage{{most, 2}}, "[] 11"},
		{"Running", nil, "[] 0"},
		{"Running", []grpcMessage{{2, 3}, {-4, 5}}, "[[6 0] [-14 0]] 0"},
		{"Running", []grpcMessage{{most, 1}, {1, 1}}, fmt.Sprintf("[[%d 0]] 11", most)},
		{"Running", []grpcMessage{{most, 1}, {least, 1}}, fmt.Sprintf("[[%d 0] [-1 0]] 0", most)},
	} {
		var requests bytes.Buffer
		for _, m := range row.requests {
			grpcSend(&requests, m)
		}
		receive := grpcStartCall(t.Context(), client, row.method, &requests)
		replies := []grpcMessage{}
		m, err := receive()
		for ; err == nil; m, err = receive() {
			replies = append(replies, m)
		}
		code := grpcOK
		if err != io.EOF {
			code = grpcStatus(err).code
		}
		if got := fmt.Sprint(replies, code); got != row.want {
			t.Errorf("%s%d: %s (%v), want %s", row.method, row.requests, got, err, row.want)
		}
	}
}

// A method that cannot send on, for nobody reads, ends as well: a second after its deadline.
func TestGRPCDeadlineEndsABlockedMethod(t *testing.T) {
	t.Parallel()
	ended := make(chan bool, 1)
	client, _ := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newGRPCHandler().ServeHTTP(w, r)
		ended <- true
	}))
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	var request bytes.Buffer
	grpcSend(&request, grpcMessage{1, math.MaxInt32})
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/MathService/Table", &request)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Grpc-Timeout", "200m")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	select {
	case <-ended:
	case <-time.After(grpcPatience / 2): // before the connection's own deadline ends it
		t.Error("the method is still blocked")
	}
}
