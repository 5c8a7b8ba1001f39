package http_test

// MathService as gRPC (tutorial §5), by hand: net/http has HTTP/2, encoding/binary has the
// numbers of Protobuf. Nobody does so in earnest: protoc makes all of this, for a client
// and a server in eleven languages, from the following lines, the .proto:
//
//	syntax = "proto3";
//	message Args     { int64 a = 1; int64 b = 2; }
//	message Product  { int64 value = 1; }
//	message Quotient { int64 quo = 1; int64 rem = 2; }
//	service MathService {
//	  rpc Multiply(Args) returns (Product);
//	  rpc Divide(Args) returns (Quotient);
//	  rpc Table(Args) returns (stream Product);          // a*1, a*2, … a*b, a message each
//	  rpc Sum(stream Args) returns (Product);            // the sum of all a*b
//	  rpc Running(stream Args) returns (stream Product); // the sum so far, after each message
//	}

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"example.com/netrpc/shared"
)

var grpcService = new(shared.MathService)

// newGRPCHandler returns the server, for an http.Server that speaks HTTP/2.
func newGRPCHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.ProtoMajor < 2:
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		case r.Method != "POST":
			w.WriteHeader(http.StatusMethodNotAllowed)
		case kind != "application/grpc" && !strings.HasPrefix(kind, "application/grpc+"):
			w.WriteHeader(http.StatusUnsupportedMediaType)
		default:
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Accept-Encoding", "identity")
			// HTTP's status is 200, come what may. That of gRPC follows the messages, in the
			// trailers: at the beginning of a stream nobody knows how it will end.
			grpcSetStatus(w.Header(), grpcServe(w, r))
		}
	})
}

// grpcServe executes a call. When its client cancels or its deadline passes, its context ends,
// and its reading and writing, too: whatever the method does, it stops.
func grpcServe(w http.ResponseWriter, r *http.Request) error {
	call := grpcCall{r.Context(), w, r}
	if header := r.Header.Get("Grpc-Timeout"); header != "" {
		timeout, err := grpcTimeout(header)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(call.ctx, timeout)
		defer cancel()
		call.ctx = ctx
		deadline, _ := ctx.Deadline()
		http.NewResponseController(w).SetReadDeadline(deadline)
		http.NewResponseController(w).SetWriteDeadline(deadline.Add(time.Second)) // after the trailers
	}
	method := map[string]func(grpcCall) error{
		"/MathService/Multiply": grpcCall.multiply,
		"/MathService/Divide":   grpcCall.divide,
		"/MathService/Table":    grpcCall.table,
		"/MathService/Sum":      func(call grpcCall) error { return call.sum(false) },
		"/MathService/Running":  func(call grpcCall) error { return call.sum(true) },
	}[r.RequestURI]
	if method == nil {
		return grpcError{grpcUnimplemented, "unknown method " + r.RequestURI}
	}
	return method(call)
}

// grpcCall is what protoc would generate for the server: receive and send.
type grpcCall struct {
	ctx context.Context
	w   http.ResponseWriter
	r   *http.Request
}

func (c grpcCall) receive() (*shared.Args, error) {
	m, err := grpcReceive(c.r.Body, c.r.Header)
	args := &shared.Args{A: int(m[0]), B: int(m[1])}
	if err == nil && (int64(args.A) != m[0] || int64(args.B) != m[1]) {
		err = shared.ErrOverflow // of an int of 32 bits
	}
	return args, err
}

// receiveOnly is for the methods that take one message, and no stream.
func (c grpcCall) receiveOnly() (*shared.Args, error) {
	args, err := c.receive()
	if err == nil {
		if _, err = c.receive(); err == io.EOF {
			return args, nil
		}
	}
	if err == nil || err == io.EOF {
		err = grpcError{grpcUnimplemented, "more or less than one message"}
	}
	return nil, err
}

func (c grpcCall) send(field1, field2 int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := grpcSend(c.w, grpcMessage{int64(field1), int64(field2)}); err != nil {
		return err
	}
	return http.NewResponseController(c.w).Flush() // a message travels when it is ready
}

func (c grpcCall) multiply() error {
	var product int
	args, err := c.receiveOnly()
	if err == nil {
		err = grpcService.Multiply(args, &product)
	}
	if err != nil {
		return err
	}
	return c.send(product, 0)
}

func (c grpcCall) divide() error {
	var quotient shared.Quotient
	args, err := c.receiveOnly()
	if err == nil {
		err = grpcService.Divide(args, &quotient)
	}
	if err != nil {
		return err
	}
	return c.send(quotient.Quo, quotient.Rem)
}

func (c grpcCall) table() error {
	args, err := c.receiveOnly()
	for i := 0; err == nil && i < args.B; i++ {
		var product int
		err = grpcService.Multiply(&shared.Args{A: args.A, B: i + 1}, &product)
		if err == nil {
			err = c.send(product, 0)
		}
	}
	return err
}

// sum is Running if it sends each sum, or else Sum.
func (c grpcCall) sum(running bool) error {
	sum := 0
	for {
		args, err := c.receive()
		if err == io.EOF && !running {
			return c.send(sum, 0)
		} else if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var product int
		if err := grpcService.Multiply(args, &product); err != nil {
			return err
		}
		if (sum+product < sum) != (product < 0) {
			return shared.ErrOverflow
		}
		sum += product
		if running {
			if err := c.send(sum, 0); err != nil {
				return err
			}
		}
	}
}

// grpcStartServer serves handler over HTTP/2 without TLS.
func grpcStartServer(handler http.Handler) *httptest.Server {
	ts := httptest.NewUnstartedServer(handler)
	ts.Config.Protocols = new(http.Protocols)
	ts.Config.Protocols.SetUnencryptedHTTP2(true)
	ts.Start()
	return ts
}

// newGRPCClient returns a client of the server to which dial connects, once.
func newGRPCClient(dial func() (net.Conn, error)) *http.Client {
	transport := &http.Transport{
		Protocols:          new(http.Protocols),
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return dial() },
		DisableCompression: true, // of HTTP; gRPC has its own
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
}

// grpcStartCall returns what receives the replies, and after the last one an io.EOF.
func grpcStartCall(ctx context.Context, client *http.Client, method string, requests io.Reader) func() (grpcMessage, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://localhost/MathService/"+method, requests)
	if err != nil {
		return func() (grpcMessage, error) { return grpcMessage{}, err }
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	if deadline, ok := ctx.Deadline(); ok {
		left := min(max(time.Until(deadline).Milliseconds(), 0)+1, 99999999)
		req.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", left))
	}
	// Do returns with the headers of the answer, which may not come before there are requests.
	do := sync.OnceValues(func() (*http.Response, error) { return client.Do(req) })
	go do()
	return func() (grpcMessage, error) {
		resp, err := do()
		if err != nil {
			return grpcMessage{}, grpcStatus(cmp.Or(ctx.Err(), err))
		}
		if resp.StatusCode != http.StatusOK { // no gRPC server, perhaps
			resp.Body.Close()
			return grpcMessage{}, grpcError{grpcUnknown, "HTTP's status is " + resp.Status}
		}
		m, err := grpcReceive(resp.Body, nil)
		if err == nil {
			return m, nil
		}
		resp.Body.Close()
		if err == io.EOF {
			return m, grpcEnd(resp)
		}
		return m, grpcStatus(cmp.Or(ctx.Err(), err))
	}
}

// grpcInvoke is for the methods that take one message and return one.
func grpcInvoke(ctx context.Context, client *http.Client, method string, args grpcMessage) (grpcMessage, error) {
	var request bytes.Buffer
	grpcSend(&request, args)
	receive := grpcStartCall(ctx, client, method, &request)
	reply, err := receive()
	if err == nil {
		if _, err = receive(); err == io.EOF {
			return reply, nil
		}
	}
	return grpcMessage{}, grpcStatus(err)
}
