// Package grpc_test is MathService as gRPC (tutorial §5), by hand: net/http has HTTP/2,
// encoding/binary has the numbers of Protobuf. Nobody does so in earnest: protoc makes all of
// this, for a client and a server in eleven languages, from the following lines, the .proto:
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
package grpc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/netrpc/shared"
)

// What travels, for both sides: messages, their frames, and the status.

// message is any message of the .proto: its fields number 1 and 2.
type message [2]int

// encode writes two varints for each field: its number and type (0: a varint), its value.
func (m message) encode() (b []byte) {
	for i, value := range m {
		if value != 0 { // as in gob, a zero is left out
			b = binary.AppendUvarint(b, uint64(i+1)<<3)
			b = binary.AppendUvarint(b, uint64(value)) // ten bytes if it is negative
		}
	}
	return b
}

// decode trusts b to be a message of the .proto, and checks nothing.
func decode(b []byte) (m message) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		value, size := binary.Uvarint(b[n:])
		m[tag>>3-1] = int(value)
		b = b[n+size:]
	}
	return m
}

// frame returns m as it travels: 0, for not compressed, its length in four bytes, itself.
func frame(m message) *bytes.Buffer {
	b := m.encode()
	head := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(b)))
	return bytes.NewBuffer(append(head, b...))
}

// receive reads a message in its frame. Where there are no more it returns io.EOF.
func receive(r io.Reader) (m message, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return m, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(r, b); err != nil {
		return m, err
	}
	return decode(b), nil
}

// Those of gRPC's 17 codes that are used here.
const (
	OK, Canceled, Unknown, InvalidArgument, DeadlineExceeded = 0, 1, 2, 3, 4
	OutOfRange, Unimplemented                                = 11, 12
)

// status is how a call fails: with a code, where net/rpc has the text only.
type status struct {
	code int
	text string
}

func (s status) Error() string { return fmt.Sprintf("grpc-status %d: %s", s.code, s.text) }

func statusOf(err error) (s status) {
	if err == nil || errors.As(err, &s) {
		return s // OK, or what err is already
	}
	for known, code := range map[error]int{
		shared.ErrDivideByZero:   InvalidArgument,
		shared.ErrOverflow:       OutOfRange,
		context.DeadlineExceeded: DeadlineExceeded,
		context.Canceled:         Canceled,
	} {
		if errors.Is(err, known) {
			return status{code, known.Error()}
		}
	}
	return status{Unknown, err.Error()}
}

// The server.

// mathServer answers the calls that an http.Server takes over HTTP/2.
var mathServer = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Grpc-Accept-Encoding", "identity") // that is, no compression
	w.(http.Flusher).Flush()                           // the headers: a client has them before it sends its first message
	// HTTP's status is 200, come what may. That of gRPC follows the messages, in the
	// trailers: at the beginning of a stream nobody knows how it will end.
	s := statusOf(serve(w, r))
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(s.code))
	if s.code != OK {
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", s.text)
	}
})

// serve executes a call. Its context ends when its client gives up or its deadline passes, and its
// reading then, too.
func serve(w http.ResponseWriter, r *http.Request) error {
	method := methods[r.URL.Path]
	if method == nil {
		return status{Unimplemented, "unknown method " + r.URL.Path}
	}
	ctx := r.Context()
	if header := r.Header.Get("Grpc-Timeout"); header != "" {
		timeout, err := parseTimeout(header)
		if err != nil {
			return err
		}
		deadline := time.Now().Add(timeout)
		http.NewResponseController(w).SetReadDeadline(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return method(call{ctx, w, r.Body})
}

// parseTimeout reads a header such as 250m, of milliseconds. gRPC has six units, of a letter each.
func parseTimeout(header string) (time.Duration, error) {
	units := strings.NewReplacer("H", "h", "M", "m", "S", "s", "m", "ms", "u", "us", "n", "ns")
	return time.ParseDuration(units.Replace(header)) // which knows them as Go writes them
}

// call is what protoc would generate for the server: receive and send.
type call struct {
	ctx  context.Context
	w    http.ResponseWriter
	body io.Reader
}

func (c call) receive() (*shared.Args, error) {
	m, err := receive(c.body)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.DeadlineExceeded
	}
	return &shared.Args{A: m[0], B: m[1]}, err
}

func (c call) send(m message) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if _, err := frame(m).WriteTo(c.w); err != nil {
		return err
	}
	return http.NewResponseController(c.w).Flush() // a message travels when it is ready
}

var mathService shared.MathService

// methods are those of the .proto by their paths. A path is service and method.
var methods = map[string]func(call) error{
	"/MathService/Multiply": call.multiply,
	"/MathService/Divide":   call.divide,
	"/MathService/Table":    call.table,
	"/MathService/Sum":      call.sum,
	"/MathService/Running":  call.running,
}

func (c call) multiply() error {
	args, err := c.receive()
	if err != nil {
		return err
	}
	var product int
	if err := mathService.Multiply(args, &product); err != nil {
		return err
	}
	return c.send(message{product})
}

func (c call) divide() error {
	args, err := c.receive()
	if err != nil {
		return err
	}
	var quotient shared.Quotient
	if err := mathService.Divide(args, &quotient); err != nil {
		return err
	}
	return c.send(message{quotient.Quo, quotient.Rem})
}

func (c call) table() error {
	args, err := c.receive()
	if err != nil {
		return err
	}
	for i := range args.B {
		if err := c.send(message{args.A * (i + 1)}); err != nil {
			return err
		}
	}
	return nil
}

func (c call) sum() error {
	for sum := 0; ; {
		args, err := c.receive()
		if err == io.EOF {
			return c.send(message{sum})
		} else if err != nil {
			return err
		}
		sum += args.A * args.B
	}
}

func (c call) running() error {
	for sum := 0; ; {
		args, err := c.receive()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		sum += args.A * args.B
		if err := c.send(message{sum}); err != nil {
			return err
		}
	}
}

// The client.

// newClient returns a client of the server at the other end of conn. It has no other connection.
func newClient(conn net.Conn) *http.Client {
	transport := &http.Transport{
		Protocols:          new(http.Protocols),
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		MaxConnsPerHost:    1,    // or else it may dial again before conn is in its pool
		DisableCompression: true, // of HTTP; gRPC has its own
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
}

// newRequest returns the request that begins a call. It panics if no URL can hold the method.
func newRequest(ctx context.Context, method string, messages io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://localhost/MathService/"+method, messages)
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers") // proxies on the way must let them through
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline) + time.Millisecond - 1 // rounded up
		req.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", left.Milliseconds()))
	}
	return req
}

// start begins a call. Its next receives a reply and, where there are no more, returns io.EOF or
// the status of an error.
func start(client *http.Client, req *http.Request) (next func() (message, error)) {
	resp, err := client.Do(req)
	if err != nil {
		return func() (message, error) { return message{}, statusOf(err) }
	}
	return func() (message, error) {
		m, err := receive(resp.Body)
		if err == nil {
			return m, nil
		}
		resp.Body.Close()
		if err != io.EOF {
			return m, statusOf(err)
		}
		code, err := strconv.Atoi(resp.Trailer.Get("Grpc-Status"))
		if err != nil {
			return m, status{Unknown, "an answer without a status"}
		} else if code != OK {
			return m, status{code, resp.Trailer.Get("Grpc-Message")}
		}
		return m, io.EOF
	}
}

// all receives all replies, of each the first field.
func all(next func() (message, error)) (values []int, err error) {
	for {
		m, err := next()
		if err == io.EOF {
			return values, nil
		} else if err != nil {
			return values, err
		}
		values = append(values, m[0])
	}
}

// invoke is for the methods that take one message and return one, of which it returns a field.
func invoke(ctx context.Context, client *http.Client, method string, args message) (int, error) {
	values, err := all(start(client, newRequest(ctx, method, frame(args))))
	if err != nil {
		return 0, err
	}
	return values[0], nil
}
