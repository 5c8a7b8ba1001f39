package http_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/rpc"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// grpcWithin receives from c, in time.
func grpcWithin[T any](t *testing.T, c <-chan T, what string) (value T) {
	t.Helper()
	select {
	case value = <-c:
	case <-time.After(grpcPatience):
		t.Fatalf("%s: nothing within %v", what, grpcPatience)
	}
	return value
}

// Tutorial §5, C25 and C26: HTTP/2 multiplexes. Replies are cut into frames, and each has a
// window: a large one that nobody reads does not stop a small one on the same connection. Over
// net/rpc it does: TestSmallReplyWaitsBehindALargeOne, in tcp.
func TestGRPCSmallReplyOvertakesALargeOne(t *testing.T) {
	const large = 32 << 20
	sent := make(chan error, 1)
	client, _ := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/MathService/Large" {
			newGRPCHandler().ServeHTTP(w, r)
			return
		}
		w.Write(binary.BigEndian.AppendUint32([]byte{0}, large))
		_, err := w.Write(make([]byte, large))
		sent <- err
	}))
	resp, err := client.Post("http://localhost/MathService/Large", "application/grpc", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil { // the large reply has begun
		t.Fatal(err)
	}

	reply, err := grpcInvoke(t.Context(), client, "Multiply", grpcMessage{10, 20})
	if err != nil || reply[0] != 200 {
		t.Errorf("Multiply(10, 20) = %d, %v, want 200", reply[0], err)
	}
	select {
	case err := <-sent:
		t.Fatalf("the large reply was sent before anybody read it, %v: too small to prove anything", err)
	default:
	}
	t.Logf("Multiply(10, 20) = %d came while %d bytes were being sent", reply[0], large)
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n != large {
		t.Errorf("the large reply: %d bytes, %v, want %d", n, err, large)
	}
	if err := grpcWithin(t, sent, "the large reply"); err != nil {
		t.Errorf("the large reply: %v", err)
	}
}

// grpcStreamer is what a streaming method might look like.
type grpcStreamer struct{}

// Table would send each product when it is ready.
func (grpcStreamer) Table(args *shared.Args, send func(product int) error) error { return nil }

// Tutorial §5, C25, and the table's row on streams: four modes, where net/rpc has the first
// one only: Register takes no method but those of one argument and one reply.
func TestGRPCHasFourModes(t *testing.T) {
	client, _ := grpcConnect(t, newGRPCHandler())
	receiveAll := func(receive func() (grpcMessage, error)) (values []int64) {
		t.Helper()
		for {
			m, err := receive()
			if err == io.EOF {
				return values
			}
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, m[0])
		}
	}

	reply, err := grpcInvoke(t.Context(), client, "Multiply", grpcMessage{10, 20})
	t.Logf("one, one:   Multiply(10, 20) = %d", reply[0])
	if err != nil || reply[0] != 200 {
		t.Errorf("%v, want 200", err)
	}

	var request bytes.Buffer
	grpcSend(&request, grpcMessage{7, 3})
	table := receiveAll(grpcStartCall(t.Context(), client, "Table", &request))
	t.Logf("one, many:  Table(7, 3) = %d", table)
	if want := []int64{7, 14, 21}; !slices.Equal(table, want) {
		t.Errorf("want %d", want)
	}

	for _, args := range []grpcMessage{{1, 2}, {3, 4}, {-5, 6}} {
		grpcSend(&request, args)
	}
	sum := receiveAll(grpcStartCall(t.Context(), client, "Sum", &request))
	t.Logf("many, one:  Sum(1*2, 3*4, -5*6) = %d", sum)
	if want := []int64{-16}; !slices.Equal(sum, want) {
		t.Errorf("want %d", want)
	}

	requests, send := io.Pipe()
	defer send.Close()
	receive := grpcStartCall(t.Context(), client, "Running", requests)
	var running []string
	for _, args := range []grpcMessage{{1, 2}, {3, 4}, {-5, 6}} {
		if err := grpcSend(send, args); err != nil {
			t.Fatal(err)
		}
		m, err := receive() // before the next one is sent
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, fmt.Sprintf("%d*%d: %d", args[0], args[1], m[0]))
	}
	send.Close()
	t.Log("many, many: Running(", strings.Join(running, ", "), ")")
	if want := []string{"1*2: 2", "3*4: 14", "-5*6: -16"}; !slices.Equal(running, want) {
		t.Errorf("want %q", want)
	}
	if _, err := receive(); err != io.EOF {
		t.Errorf("after the last reply: %v, want io.EOF", err)
	}

	log.SetOutput(io.Discard) // Register also logs its error
	defer log.SetOutput(os.Stderr)
	err = rpc.NewServer().RegisterName("MathService", grpcStreamer{})
	t.Log("net/rpc:   ", err)
	if err == nil {
		t.Error("Register takes a method that streams, want an error")
	}
}

// grpcSlow is MathService for net/rpc, with a method that waits for the test.
type grpcSlow struct{ entered, release, ended chan bool }

func newGRPCSlow() grpcSlow {
	return grpcSlow{make(chan bool, 1), make(chan bool), make(chan bool, 1)}
}

func (s grpcSlow) Multiply(args *shared.Args, reply *int) error {
	s.entered <- true
	<-s.release
	*reply = args.A * args.B
	s.ended <- true
	return nil
}

// Tutorial §5 does not say it: a deadline travels with a call, in the header grpc-timeout. The
// server ends its method in time, also for a client that does not look at a clock. net/rpc
// sends the method's name and the call's number, and no deadline.
func TestGRPCDeadlineTravels(t *testing.T) {
	var header http.Header
	client, _ := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		newGRPCHandler().ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := grpcInvoke(ctx, client, "Multiply", grpcMessage{10, 20}); err != nil {
		t.Fatal(err)
	}
	if left, err := grpcTimeout(header.Get("Grpc-Timeout")); err != nil || left < time.Second || left > time.Minute {
		t.Errorf("a context of a minute sends grpc-timeout: %q, want what is left of a minute", header.Get("Grpc-Timeout"))
	}

	// Sum waits for messages, none of which comes. This client does not give up.
	requests, send := io.Pipe()
	defer send.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/MathService/Sum", requests)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Grpc-Timeout", "50m")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	t.Logf("grpc-timeout: 50m ends Sum on the server with grpc-status: %s", resp.Trailer.Get("Grpc-Status"))
	if err := grpcEnd(resp); grpcStatus(err).code != grpcDeadlineExceeded {
		t.Errorf("Sum ended with %v, want code %d, DEADLINE_EXCEEDED", err, grpcDeadlineExceeded)
	}

	var fields []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rpc.Request]()) {
		if field.IsExported() {
			fields = append(fields, field.Name)
		}
	}
	t.Log("net/rpc sends", fields)
	if want := []string{"ServiceMethod", "Seq"}; !slices.Equal(fields, want) {
		t.Errorf("want %q", want)
	}
}

// Tutorial §5 does not say it: when a client gives up, the server's method ends. Over net/rpc
// the client may stop waiting, as our stub does, but the server knows nothing, and goes on.
func TestGRPCGivingUpStopsTheMethod(t *testing.T) {
	ended := make(chan bool, 1)
	client, _ := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newGRPCHandler().ServeHTTP(w, r)
		ended <- true
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var request bytes.Buffer
	grpcSend(&request, grpcMessage{1, math.MaxInt32}) // as good as endless
	receive := grpcStartCall(ctx, client, "Table", &request)
	if _, err := receive(); err != nil {
		t.Fatal(err)
	}
	cancel()
	grpcWithin(t, ended, "the method of a client that has given up")
	t.Log("gRPC: the client gives up, and Table ends")
	for {
		_, err := receive()
		if err == nil {
			continue // what had come before
		}
		if grpcStatus(err).code != grpcCanceled {
			t.Errorf("the client sees %v, want code %d, CANCELLED", err, grpcCanceled)
		}
		break
	}

	slow := newGRPCSlow()
	rival, _ := grpcRival(t, "gob", slow)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	gaveUp := make(chan error, 1)
	go func() {
		_, err := shared.NewMathServiceClient(rival).Multiply(ctx, 10, 20)
		gaveUp <- err
	}()
	grpcWithin(t, slow.entered, "the request")
	cancel()
	if err := grpcWithin(t, gaveUp, "giving up"); !errors.Is(err, context.Canceled) {
		t.Errorf("the stub gave up with %v, want context.Canceled", err)
	}
	select {
	case <-slow.ended:
		t.Error("Multiply has ended, want it to go on")
	default:
	}
	close(slow.release)
	grpcWithin(t, slow.ended, "the method that goes on")
	t.Log("net/rpc: the client gives up, and Multiply goes on to its end")
}

// Tutorial §5 does not say it: an error is a code, which is the same in each language, and a
// text. Over net/rpc it is the text.
func TestGRPCErrorsAreCodes(t *testing.T) {
	client, _ := grpcConnect(t, newGRPCHandler())
	rival, _ := grpcRival(t, "gob", new(shared.MathService))
	for _, row := range []struct {
		method string
		args   shared.Args
		code   int
		text   string
		rival  string
	}{
		{"Divide", shared.Args{A: 1, B: 0}, grpcInvalidArgument, "divide by zero", "divide by zero"},
		{"Multiply", shared.Args{A: math.MaxInt, B: 2}, grpcOutOfRange, "integer overflow", "integer overflow"},
		{"Modulo", shared.Args{A: 7, B: 2}, grpcUnimplemented,
			"unknown method /MathService/Modulo", "rpc: can't find method MathService.Modulo"},
	} {
		_, err := grpcInvoke(t.Context(), client, row.method, grpcMessage{int64(row.args.A), int64(row.args.B)})
		if want := (grpcError{row.code, row.text}); err != want {
			t.Errorf("gRPC: %s: %v, want %v", row.method, err, want)
		}
		var reply any = new(int)
		if row.method == "Divide" {
			reply = new(shared.Quotient)
		}
		rivalErr := rival.Call("MathService."+row.method, &row.args, reply)
		if want := rpc.ServerError(row.rival); rivalErr != want {
			t.Errorf("net/rpc: %s: %v, want %v", row.method, rivalErr, want)
		}
		t.Logf("%-8s gRPC: %v; net/rpc: %v", row.method, err, rivalErr)
	}
}

// Tutorial §5, the table's row on the ecosystem: authentication, tracing. Each call of gRPC is
// a request of HTTP with headers of its own, and so middleware sees each of them. Over net/rpc
// it sees the CONNECT of the connection: TestMiddlewareRunsOncePerConnection.
func TestGRPCMiddlewareSeesEveryCall(t *testing.T) {
	var seen []string
	client, _ := grpcConnect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path)
		newGRPCHandler().ServeHTTP(w, r)
	}))
	for _, method := range []string{"Multiply", "Divide", "Multiply"} {
		if _, err := grpcInvoke(t.Context(), client, method, grpcMessage{10, 20}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("middleware saw, on one connection: %s", seen)
	if want := []string{"/MathService/Multiply", "/MathService/Divide", "/MathService/Multiply"}; !slices.Equal(seen, want) {
		t.Errorf("want %s", want)
	}
}
