package grpc_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/rpc"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §5 is right: HTTP/2 multiplexes, which ends head-of-line blocking (队头阻塞) between
// calls. Replies are cut into frames, and each has a window: a large one that nobody reads does
// not stop a small one on the same connection. Over net/rpc it does:
// TestSmallReplyWaitsBehindALargeOne, in tcp.
func TestGRPCSmallReplyOvertakesALargeOne(t *testing.T) {
	const large = 32 << 20
	var saw rpctest.Transcript
	sent := make(chan error, 1)
	client := newClient(dialHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/MathService/Large" {
			mathServer.ServeHTTP(w, r)
			return
		}
		w.Write(binary.BigEndian.AppendUint32([]byte{0}, large))
		_, err := w.Write(make([]byte, large))
		sent <- err
	})))
	// So much of a reply may be sent before its client reads it, and no more.
	client.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
	resp, err := client.Do(newRequest(t.Context(), "Large", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	saw.Add("a reply of 32 MiB has begun, and its client does not read on")
	reply, err := invoke(t.Context(), client, "Multiply", message{10, 20})
	saw.Add("Multiply(10, 20) on the same connection: %d, %v", reply, err)
	saw.Add("the large reply has been sent by then: %t", len(sent) == 1)
	n, err := io.Copy(io.Discard, resp.Body)
	saw.Add("read to its end, it has %d MiB: %v", n>>20, err)
	saw.Add("then it has been sent: %v", rpctest.Within(t, sent, "the large reply"))
	saw.Want(t, `
a reply of 32 MiB has begun, and its client does not read on
Multiply(10, 20) on the same connection: 200, <nil>
the large reply has been sent by then: false
read to its end, it has 32 MiB: <nil>
then it has been sent: <nil>`)
}

// Streamer is what a service with a streaming method might look like.
type Streamer struct{}

// Table would send each product when it is ready.
func (Streamer) Table(args *shared.Args, send func(product int) error) error { return nil }

// Tutorial §5, C25, and the table's row on streams are right: gRPC has four modes, 一元 (unary),
// 服务端流 (server streaming), 客户端流 (client streaming) and 双向流 (bidirectional streaming), and
// net/rpc the first one only: Register takes no method but those of one argument and one reply.
func TestGRPCHasFourModes(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := connectHTTP2(t, mathServer)
	three := []message{{1, 2}, {3, 4}, {5, 6}}
	for _, row := range []struct {
		mode, method string
		requests     []message
	}{
		{"unary", "Multiply", []message{{10, 20}}},
		{"server streaming", "Table", []message{{7, 3}}},
		{"client streaming", "Sum", three},
		{"bidirectional streaming", "Running", three},
	} {
		var line []string
		requests, w := io.Pipe()
		next := start(client, newRequest(t.Context(), row.method, requests))
		for _, args := range row.requests {
			_, err := frame(args).WriteTo(w)
			line = append(line, fmt.Sprintf("sent (%d, %d)", args[0], args[1]))
			if row.method == "Running" && err == nil { // before the next one is sent
				var reply message
				reply, err = next()
				line = append(line, fmt.Sprintf("got %d", reply[0]))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		values, err := all(next)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			line = append(line, fmt.Sprintf("got %d", value))
		}
		saw.Add("%s, %s: %s", row.mode, row.method, strings.Join(line, ", "))
	}
	log.SetOutput(io.Discard) // Register also logs its error
	defer log.SetOutput(os.Stderr)
	saw.Add("net/rpc: %v", rpc.NewServer().Register(Streamer{}))
	saw.Want(t, `
unary, Multiply: sent (10, 20), got 200
server streaming, Table: sent (7, 3), got 7, got 14, got 21
client streaming, Sum: sent (1, 2), sent (3, 4), sent (5, 6), got 44
bidirectional streaming, Running: sent (1, 2), got 2, sent (3, 4), got 14, sent (5, 6), got 44
net/rpc: rpc.Register: type Streamer has no exported methods of suitable type`)
}

// Tutorial §5 does not say it: a deadline travels with a call, in the header grpc-timeout. The
// server ends its method in time, also for a client that does not look at a clock. net/rpc
// sends the method's name, the argument and the call's number, and no deadline.
func TestGRPCDeadlineTravels(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) { // where no time passes
		for _, left := range []time.Duration{time.Minute, 1500 * time.Microsecond} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			header := newRequest(ctx, "Multiply", nil).Header.Get("Grpc-Timeout")
			saw.Add("a client that has %v sends %s: milliseconds, rounded up", left, header)
		}
	})
	for _, header := range []string{"2H", "2M", "2S", "2m", "2u", "2n"} {
		timeout, err := parseTimeout(header)
		saw.Add("the server reads %s as %v, %v", header, timeout, err)
	}

	client, _ := connectHTTP2(t, mathServer)
	silence, w := io.Pipe()
	defer w.Close()
	for _, row := range []struct {
		method, does string
		requests     io.Reader
	}{
		{"Sum", "waits", silence},
		{"Table", "sends without end", frame(message{1, math.MaxInt32})},
	} {
		req := newRequest(t.Context(), row.method, row.requests)
		req.Header.Set("Grpc-Timeout", "50m")
		_, err := all(start(client, req))
		saw.Add("grpc-timeout: 50m ends %s, which %s: %v", row.method, row.does, err)
	}

	saw.Add("net/rpc sends %s", strings.TrimSpace(threeRPCs(t, rpctest.JSON)[0]))
	saw.Want(t, `
a client that has 1m0s sends 60000m: milliseconds, rounded up
a client that has 1.5ms sends 2m: milliseconds, rounded up
the server reads 2H as 2h0m0s, <nil>
the server reads 2M as 2m0s, <nil>
the server reads 2S as 2s, <nil>
the server reads 2m as 2ms, <nil>
the server reads 2u as 2µs, <nil>
the server reads 2n as 2ns, <nil>
grpc-timeout: 50m ends Sum, which waits: grpc-status 4: context deadline exceeded
grpc-timeout: 50m ends Table, which sends without end: grpc-status 4: context deadline exceeded
net/rpc sends {"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}`)
}

// Tutorial §5 does not say it: when a client gives up, the server's method ends. Over net/rpc
// the server knows nothing of it, and the method goes on: TestLateReplyIsStillWritten, in async.
func TestGRPCGivingUpStopsTheMethod(t *testing.T) {
	var saw rpctest.Transcript
	ended := make(chan bool, 1)
	client, _ := connectHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mathServer.ServeHTTP(w, r)
		ended <- true
	}))
	ctx, giveUp := context.WithCancel(t.Context())
	// A table that is as good as endless.
	next := start(client, newRequest(ctx, "Table", frame(message{1, math.MaxInt32})))
	if _, err := next(); err != nil {
		t.Fatal(err)
	}
	giveUp()
	saw.Add("the client gives up, and Table ends: %t", rpctest.Within(t, ended, "the end of Table"))
	_, err := all(next)
	saw.Add("the client sees %v", err)
	saw.Want(t, `
the client gives up, and Table ends: true
the client sees grpc-status 1: context canceled`)
}

// Tutorial §5 does not say it: an error is a code, which is the same in each language, and a
// text. Over net/rpc it is the text.
func TestGRPCErrorsAreCodes(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := connectHTTP2(t, mathServer)
	rival, _ := rpctest.Gob.Connect(t, new(shared.MathService))
	for _, row := range []struct {
		method string
		args   shared.Args
	}{
		{"Divide", shared.Args{A: 1, B: 0}},
		{"Multiply", shared.Args{A: math.MaxInt, B: 2}},
		{"Modulo", shared.Args{A: 7, B: 2}},
	} {
		_, err := invoke(t.Context(), client, row.method, message{row.args.A, row.args.B})
		saw.Add("%s over gRPC: %v", row.method, err)
		err = rival.Call("MathService."+row.method, &row.args, nil)
		saw.Add("%s over net/rpc: %T: %v", row.method, err, err)
	}
	saw.Want(t, `
Divide over gRPC: grpc-status 3: divide by zero
Divide over net/rpc: rpc.ServerError: divide by zero
Multiply over gRPC: grpc-status 11: integer overflow
Multiply over net/rpc: rpc.ServerError: integer overflow
Modulo over gRPC: grpc-status 12: unknown method /MathService/Modulo
Modulo over net/rpc: rpc.ServerError: rpc: can't find method MathService.Modulo`)
}

// Tutorial §5, the table's row on the ecosystem (authentication, tracing), is right: each call
// of gRPC is a request of HTTP with headers of its own, and so middleware sees each of them. Over
// net/rpc it sees the CONNECT of the connection: TestMiddlewareRunsOncePerConnection.
func TestGRPCMiddlewareSeesEveryCall(t *testing.T) {
	var saw rpctest.Transcript
	client, _ := connectHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw.Add("middleware sees %s %s", r.Method, r.URL.Path)
		mathServer.ServeHTTP(w, r)
	}))
	for _, method := range []string{"Multiply", "Divide", "Multiply"} {
		reply, err := invoke(t.Context(), client, method, message{60, 20})
		saw.Add("the client gets %d, %v", reply, err)
	}
	saw.Want(t, `
middleware sees POST /MathService/Multiply
the client gets 1200, <nil>
middleware sees POST /MathService/Divide
the client gets 3, <nil>
middleware sees POST /MathService/Multiply
the client gets 1200, <nil>`)
}
