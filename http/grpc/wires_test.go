package grpc_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"slices"
	"strings"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// record returns what a server receives and sends during a call.
func record(serve func(net.Listener), call func(addr string) error) (request, reply string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	var tape rpctest.Tape
	go serve(tape.Listener(l))
	late := time.AfterFunc(rpctest.Patience, func() { log.Fatal("no answer within ", rpctest.Patience) })
	defer late.Stop()
	if err := call(l.Addr().String()); err != nil {
		log.Fatal(err)
	}
	reply, request = tape.Take()
	return request, reply
}

// fetch returns the answer to req, and reads it to its end.
func fetch(client *http.Client, req *http.Request) (*http.Response, error) {
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

// span is a few bytes and what they mean.
type span struct {
	size    int
	meaning string
}

// explain prints b span by span: names as text, the rest in hex.
func explain(b string, spans ...span) {
	for _, s := range append(spans, span{len(b), "?"}) {
		this := b[:min(s.size, len(b))]
		b = b[len(this):]
		text := ""
		if i := strings.Index(this, "MathService"); i >= 0 {
			this, text = this[:i], fmt.Sprintf(" %q", this[i:])
		}
		if len(this) > 0 {
			fmt.Printf("  %-30s%s\n", fmt.Sprintf("% x", this)+text, s.meaning)
		}
	}
}

// explainGob prints a gob stream, of which the descriptions of types come to one line.
func explainGob(b, types string, spans ...span) {
	described, values := 0, ""
	for len(b) > 0 {
		// A message begins with its size and the number of its type. In a description that is
		// negative: the lowest bit is the sign. Over 127 it takes a byte more, after ff.
		message, number := b[:1+b[0]], b[1]
		if number == 0xff {
			number = b[2]
		}
		if number%2 == 1 {
			described += len(message)
		} else {
			values += message
		}
		b = b[len(message):]
	}
	fmt.Printf("  %-30s%d bytes, first call only: %s described\n", "...", described, types)
	explain(values, spans...)
}

// printText prints the lines of text.
func printText(text string) {
	for line := range strings.Lines(text) {
		fmt.Println(strings.TrimRight("  "+line, " \r\n"))
	}
}

// printHeaders prints what HPACK packs into a frame.
func printHeaders(frame http2Frame, pseudo string, header http.Header) {
	fmt.Printf("  frame HEADERS, %d bytes for\n", len(frame.payload))
	if pseudo != "" {
		fmt.Println("   ", pseudo)
	}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		fmt.Printf("    %s: %s\n", strings.ToLower(name), header.Get(name))
	}
}

// What does a call look like on its way (tutorial §4.2, §4.3, §4.4, §5)? The same one on five
// wires: Multiply(10, 20), the first call of a connection, and its reply, 200.
func Example_fiveWires() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	serveOne := func(codec rpctest.Codec) func(net.Listener) {
		return func(l net.Listener) {
			if conn, err := l.Accept(); err == nil {
				codec.Serve(server, conn)
			}
		}
	}
	multiply := func(dial func(network, addr string) (*rpc.Client, error)) func(addr string) error {
		return func(addr string) error {
			client, err := dial("tcp", addr)
			if err != nil {
				return err
			}
			defer client.Close()
			return client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
		}
	}
	mux := http.NewServeMux()
	mux.Handle(rpc.DefaultRPCPath, server)
	mux.HandleFunc("POST /jsonrpc", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header()["Date"] = nil // left out: it is never the same
		server.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.ReadCloser
			io.Writer
		}{r.Body, w}))
	})
	var seen *http.Request // gRPC's
	mux.HandleFunc("POST /MathService/", func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.Header()["Date"] = nil
		mathServer.ServeHTTP(w, r)
	})
	web := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetUnencryptedHTTP2(true)
	defer web.Close()
	serveWeb := func(l net.Listener) { web.Serve(l) }

	request, reply := record(serveOne(rpctest.Gob), multiply(rpc.Dial))
	fmt.Printf("1. gob over TCP. The request, %d bytes:\n", len(request))
	explainGob(request, "rpc.Request and shared.Args",
		span{3, "25 bytes of type 64 (doubled, 1 byte after ff), rpc.Request"},
		span{22, "field 1, ServiceMethod, of 20 bytes"},
		span{1, "the end; what is zero is left out, as field 2, Seq, is here"},
		span{3, "7 bytes of type 65, shared.Args"},
		span{2, "field 1, A: 10, doubled, for the lowest bit is the sign"},
		span{3, "the next field, B: 20, doubled; the end"})
	fmt.Printf("The reply, %d bytes:\n", len(reply))
	explainGob(reply, "rpc.Response",
		span{3, "25 bytes of type 66, rpc.Response"},
		span{22, "field 1, ServiceMethod, sent back"},
		span{1, "the end; Seq is zero, and Error is empty"},
		span{3, "5 bytes of type 2, int, which has no fields"},
		span{3, "200, doubled, in 2 bytes after fe"})

	httpRequest, httpReply := record(serveWeb, multiply(rpc.DialHTTP))
	connect, afterConnect, _ := strings.Cut(httpRequest, "\n\n")
	connected, afterConnected, _ := strings.Cut(httpReply, "\n\n")
	fmt.Println("\n2. gob over HTTP. The request:")
	printText(connect)
	fmt.Println("  and, when this has been answered, byte for byte as over TCP:", afterConnect == request)
	fmt.Println("The reply:")
	printText(connected)
	fmt.Println("  and then byte for byte as over TCP:", afterConnected == reply)

	request, reply = record(serveOne(rpctest.JSON), multiply(jsonrpc.Dial))
	fmt.Printf("\n3. JSON over TCP. The request, %d bytes:\n", len(request))
	printText(request)
	fmt.Printf("The reply, %d bytes:\n", len(reply))
	printText(reply)

	body := request
	request, reply = record(serveWeb, func(addr string) error {
		req, err := http.NewRequest("POST", "http://"+addr+"/jsonrpc", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Host = "localhost:1235" // whatever the port
		req.Header.Set("Content-Type", "application/json")
		_, err = fetch(&http.Client{Transport: &http.Transport{DisableCompression: true}}, req)
		return err
	})
	fmt.Printf("\n4. JSON over POST. The request, %d bytes:\n", len(request))
	printText(request)
	fmt.Printf("The reply, %d bytes and the date:\n", len(reply))
	printText(reply)

	var resp *http.Response
	request, reply = record(serveWeb, func(addr string) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		req := newRequest(context.Background(), "Multiply", frame(message{10, 20}))
		resp, err = fetch(newClient(conn), req)
		return err
	})
	sent, received := callFrames(request), callFrames(reply)
	if len(sent) != 2 || len(received) != 3 {
		log.Fatalf("%d and %d frames of HEADERS and DATA, want 2 and 3", len(sent), len(received))
	}
	fmt.Println("\n5. gRPC over HTTP/2, whose frames for the connection itself are not shown. The request:")
	printHeaders(sent[0], fmt.Sprintf(":method: %s, :scheme: http, :authority: %s, :path: %s",
		seen.Method, seen.Host, seen.URL.Path), seen.Header)
	explain(sent[1].payload,
		span{5, "frame DATA: not compressed, a message of 4 bytes"},
		span{2, "field 1, a: 10"},
		span{2, "field 2, b: 20"})
	fmt.Println("The reply:")
	printHeaders(received[0], fmt.Sprint(":status: ", resp.StatusCode), resp.Header)
	explain(received[1].payload,
		span{5, "frame DATA: not compressed, a message of 3 bytes"},
		span{3, "field 1, value: 200, which is 0x48 + 1<<7"})
	printHeaders(received[2], "", resp.Trailer)
	// Output:
	// 1. gob over TCP. The request, 112 bytes:
	//   ...                           78 bytes, first call only: rpc.Request and shared.Args described
	//   19 ff 80                      25 bytes of type 64 (doubled, 1 byte after ff), rpc.Request
	//   01 14 "MathService.Multiply"  field 1, ServiceMethod, of 20 bytes
	//   00                            the end; what is zero is left out, as field 2, Seq, is here
	//   07 ff 82                      7 bytes of type 65, shared.Args
	//   01 14                         field 1, A: 10, doubled, for the lowest bit is the sign
	//   01 28 00                      the next field, B: 20, doubled; the end
	// The reply, 91 bytes:
	//   ...                           59 bytes, first call only: rpc.Response described
	//   19 ff 84                      25 bytes of type 66, rpc.Response
	//   01 14 "MathService.Multiply"  field 1, ServiceMethod, sent back
	//   00                            the end; Seq is zero, and Error is empty
	//   05 04 00                      5 bytes of type 2, int, which has no fields
	//   fe 01 90                      200, doubled, in 2 bytes after fe
	//
	// 2. gob over HTTP. The request:
	//   CONNECT /_goRPC_ HTTP/1.0
	//   and, when this has been answered, byte for byte as over TCP: true
	// The reply:
	//   HTTP/1.0 200 Connected to Go RPC
	//   and then byte for byte as over TCP: true
	//
	// 3. JSON over TCP. The request, 68 bytes:
	//   {"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}
	// The reply, 35 bytes:
	//   {"id":0,"result":200,"error":null}
	//
	// 4. JSON over POST. The request, 200 bytes:
	//   POST /jsonrpc HTTP/1.1
	//   Host: localhost:1235
	//   User-Agent: Go-http-client/1.1
	//   Content-Length: 68
	//   Content-Type: application/json
	//
	//   {"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}
	// The reply, 106 bytes and the date:
	//   HTTP/1.1 200 OK
	//   Content-Type: application/json
	//   Content-Length: 35
	//
	//   {"id":0,"result":200,"error":null}
	//
	// 5. gRPC over HTTP/2, whose frames for the connection itself are not shown. The request:
	//   frame HEADERS, 70 bytes for
	//     :method: POST, :scheme: http, :authority: localhost, :path: /MathService/Multiply
	//     content-length: 9
	//     content-type: application/grpc
	//     te: trailers
	//     user-agent: Go-http-client/2.0
	//   00 00 00 00 04                frame DATA: not compressed, a message of 4 bytes
	//   08 0a                         field 1, a: 10
	//   10 14                         field 2, b: 20
	// The reply:
	//   frame HEADERS, 37 bytes for
	//     :status: 200
	//     content-type: application/grpc
	//     grpc-accept-encoding: identity
	//   00 00 00 00 03                frame DATA: not compressed, a message of 3 bytes
	//   08 c8 01                      field 1, value: 200, which is 0x48 + 1<<7
	//   frame HEADERS, 12 bytes for
	//     grpc-status: 0
}
