package grpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

// explainFrame prints the bytes of a message in its frame, and what they say.
func explainFrame(frame []byte, fields ...string) {
	line := func(b []byte, format string, a ...any) {
		fmt.Printf("  %-31s%s\n", fmt.Sprintf("% x", b), fmt.Sprintf(format, a...))
	}
	line(frame[:1], "not compressed")
	line(frame[1:5], "a message of %d bytes", binary.BigEndian.Uint32(frame[1:5]))
	for b := frame[5:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		line(b[:n], "field %d, %s, of type %d, a varint", tag>>3, fields[tag>>3-1], tag&7)
		value, size := binary.Uvarint(b[n:])
		line(b[n:n+size], "%d", int64(value))
		b = b[n+size:]
	}
}

// What is a gRPC call on the wire (tutorial §5)? An HTTP/2 request: its path is service and
// method, its body a frame with a message in Protobuf. The answer is a frame, too, and then
// the status, in the trailers: 0, or a code for an error.
//
// A varint holds seven bits in each byte, the lowest first, and the eighth says that another
// byte follows: c8 01 is 0x48 + 1<<7, that is 200; a negative number takes ten. A field begins
// with its number in the .proto times 8, plus its type: 08 is field 1, a varint. A field that
// is zero is left out, as b is in Divide(-7, 0). Names do not travel, and types of Go neither.
func Example_grpc() {
	ts := startHTTP2(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Method, r.URL.Path, r.Proto)
		fmt.Println("  content-type:", r.Header.Get("Content-Type"))
		fmt.Println("  te:", r.Header.Get("TE"))
		explainFrame(body, "a", "b")
		r.Body = io.NopCloser(bytes.NewReader(body))
		mathServer.ServeHTTP(w, r)
	}))
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	client := newClient(conn)
	for _, call := range []struct {
		method string
		args   message
		fields []string // of the reply
	}{
		{"Multiply", message{10, 20}, []string{"value"}},
		{"Divide", message{-7, 0}, []string{"quo", "rem"}},
	} {
		resp, err := client.Do(newRequest(context.Background(), call.method, frame(call.args)))
		if err != nil {
			log.Fatal(err)
		}
		reply, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("Answer:", resp.Proto, resp.Status)
		fmt.Println("  content-type:", resp.Header.Get("Content-Type"))
		if len(reply) > 0 {
			explainFrame(reply, call.fields...)
		}
		fmt.Println("Trailers:")
		for _, name := range []string{"grpc-status", "grpc-message"} {
			if value := resp.Trailer.Get(name); value != "" {
				fmt.Printf("  %s: %s\n", name, value)
			}
		}
	}
	// Output:
	// POST /MathService/Multiply HTTP/2.0
	//   content-type: application/grpc
	//   te: trailers
	//   00                             not compressed
	//   00 00 00 04                    a message of 4 bytes
	//   08                             field 1, a, of type 0, a varint
	//   0a                             10
	//   10                             field 2, b, of type 0, a varint
	//   14                             20
	// Answer: HTTP/2.0 200 OK
	//   content-type: application/grpc
	//   00                             not compressed
	//   00 00 00 03                    a message of 3 bytes
	//   08                             field 1, value, of type 0, a varint
	//   c8 01                          200
	// Trailers:
	//   grpc-status: 0
	// POST /MathService/Divide HTTP/2.0
	//   content-type: application/grpc
	//   te: trailers
	//   00                             not compressed
	//   00 00 00 0b                    a message of 11 bytes
	//   08                             field 1, a, of type 0, a varint
	//   f9 ff ff ff ff ff ff ff ff 01  -7
	// Answer: HTTP/2.0 200 OK
	//   content-type: application/grpc
	// Trailers:
	//   grpc-status: 3
	//   grpc-message: divide by zero
}
