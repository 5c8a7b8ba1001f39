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
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

var (
	mathService shared.MathService

	// methods are those of the .proto by their paths. A path is service and method.
	methods = map[string]func(call) error{
		"/MathService/Multiply": one(call.multiply),
		"/MathService/Divide":   one(call.divide),
		"/MathService/Table":    one(call.table),
		"/MathService/Sum":      func(c call) error { return c.sum(false) },
		"/MathService/Running":  func(c call) error { return c.sum(true) },
	}

	mathServer = server{grace: rpctest.Patience}
)

// server answers the calls that an http.Server takes over HTTP/2.
type server struct {
	grace time.Duration // how long after its deadline a call may take to send its status
}

func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Grpc-Accept-Encoding", "identity") // that is, no compression
	// HTTP's status is 200, come what may. That of gRPC follows the messages, in the
	// trailers: at the beginning of a stream nobody knows how it will end.
	setStatus(w.Header(), s.serve(w, r))
}

// serve executes a call. When its client gives up or its deadline passes, its context ends,
// and its reading and writing, too: whatever the method does, it stops.
func (s server) serve(w http.ResponseWriter, r *http.Request) error {
	method := methods[r.RequestURI]
	if method == nil {
		return status{Unimplemented, "unknown method " + r.RequestURI}
	}
	header := r.Header.Get("Grpc-Timeout")
	if header == "" {
		return method(call{r.Context(), w, r.Body})
	}
	timeout, err := parseTimeout(header)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	http.NewResponseController(w).SetReadDeadline(deadline)
	http.NewResponseController(w).SetWriteDeadline(deadline.Add(s.grace))
	err = method(call{ctx, w, r.Body})
	if err != nil && !time.Now().Before(deadline) {
		err = context.DeadlineExceeded // whatever it was that ended then
	}
	return err
}

// call is what protoc would generate for the server: receive and send.
type call struct {
	ctx  context.Context
	w    http.ResponseWriter
	body io.Reader
}

func (c call) receive() (*shared.Args, error) {
	m, err := receive(c.body)
	args := &shared.Args{A: int(m[0]), B: int(m[1])}
	if err == nil && (int64(args.A) != m[0] || int64(args.B) != m[1]) {
		err = shared.ErrOverflow // of an int of 32 bits
	}
	return args, err
}

func (c call) send(field1, field2 int) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if err := send(c.w, message{int64(field1), int64(field2)}); err != nil {
		return err
	}
	return http.NewResponseController(c.w).Flush() // a message travels when it is ready
}

// one is for the methods that take one message, and no stream.
func one(method func(call, *shared.Args) error) func(call) error {
	return func(c call) error {
		args, err := c.receive()
		if err == nil {
			if _, err = c.receive(); err == io.EOF {
				return method(c, args)
			}
		}
		if err == nil || err == io.EOF {
			err = status{Unimplemented, "more or less than one message"}
		}
		return err
	}
}

func (c call) multiply(args *shared.Args) error {
	var product int
	if err := mathService.Multiply(args, &product); err != nil {
		return err
	}
	return c.send(product, 0)
}

func (c call) divide(args *shared.Args) error {
	var quotient shared.Quotient
	if err := mathService.Divide(args, &quotient); err != nil {
		return err
	}
	return c.send(quotient.Quo, quotient.Rem)
}

func (c call) table(args *shared.Args) error {
	for i := range args.B {
		if err := c.multiply(&shared.Args{A: args.A, B: i + 1}); err != nil {
			return err
		}
	}
	return nil
}

// sum is Running if it sends each sum, or else Sum.
func (c call) sum(running bool) error {
	for sum := 0; ; {
		args, err := c.receive()
		if err == io.EOF && running {
			return nil
		} else if err == io.EOF {
			return c.send(sum, 0)
		} else if err != nil {
			return err
		}
		var product int
		if err := mathService.Multiply(args, &product); err != nil {
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
		req.Header.Set("Grpc-Timeout", formatTimeout(time.Until(deadline)))
	}
	return req
}

// start begins a call, and returns what receives its replies and, after the last one, io.EOF.
func start(client *http.Client, req *http.Request) func() (message, error) {
	// Do returns with the headers of the answer, which may not come before there are requests.
	do := sync.OnceValues(func() (*http.Response, error) { return client.Do(req) })
	go do()
	return func() (m message, err error) {
		resp, err := do()
		if err == nil {
			if m, err = receive(resp.Body); err == nil {
				return m, nil
			}
			resp.Body.Close()
		}
		if err == io.EOF {
			return m, end(resp.Trailer)
		}
		return m, statusOf(cmp.Or(req.Context().Err(), err))
	}
}

// all receives all replies, of each the first field, and the end: io.EOF is a good one.
func all(receive func() (message, error)) (values []int64, end error) {
	for {
		m, err := receive()
		if err != nil {
			return values, err
		}
		values = append(values, m[0])
	}
}

// invoke is for the methods that take one message and return one, of which it returns a field.
func invoke(ctx context.Context, client *http.Client, method string, args message) (int64, error) {
	values, err := all(start(client, newRequest(ctx, method, frames(args))))
	if err != io.EOF || len(values) != 1 {
		return 0, statusOf(err)
	}
	return values[0], nil
}

// What travels, for both sides: messages, their frames, the deadline and the status.

// message is any message of the .proto: its fields number 1 and 2.
type message [2]int64

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

// decode skips fields that it does not know: a newer .proto may have more of them.
func decode(b []byte) (m message, err error) {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		b = b[max(n, 0):]
		value, size := binary.Uvarint(b)
		switch number := tag >> 3; tag & 7 {
		case 0: // a varint
			if number == 1 || number == 2 {
				m[number-1] = int64(value)
			}
		case 1: // eight bytes
			size = 8
		case 2: // so many bytes
			size += int(min(value, maxMessage))
		case 5: // four bytes
			size = 4
		default:
			size = 0
		}
		if n <= 0 || size <= 0 || size > len(b) {
			return m, status{Internal, "not a Protobuf message"}
		}
		b = b[size:]
	}
	return m, nil
}

// maxMessage is the usual limit of a message.
const maxMessage = 4 << 20

// frame returns a message as it travels: 0, for not compressed, its length in four bytes, itself.
func frame(message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
}

func frames(messages ...message) *bytes.Buffer {
	var b bytes.Buffer
	for _, m := range messages {
		b.Write(frame(m.encode()))
	}
	return &b
}

func send(w io.Writer, m message) error {
	_, err := frames(m).WriteTo(w)
	return err
}

// receive reads a message; where there are no more it returns io.EOF.
func receive(r io.Reader) (m message, err error) {
	var start [5]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return m, err
	}
	length := binary.BigEndian.Uint32(start[1:])
	if start[0] != 0 {
		return m, status{Unimplemented, "cannot decompress"}
	} else if length > maxMessage {
		return m, status{ResourceExhausted, fmt.Sprintf("a message of %d bytes", length)}
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(r, b); err == io.EOF {
		return m, io.ErrUnexpectedEOF
	} else if err != nil {
		return m, err
	}
	return decode(b)
}

// formatTimeout returns a header such as 250m, of milliseconds, rounded up: at least 1, and at
// most eight digits.
func formatTimeout(left time.Duration) string {
	milliseconds := (left + time.Millisecond - 1) / time.Millisecond
	return fmt.Sprintf("%dm", min(max(milliseconds, 1), 99999999))
}

// parseTimeout reads such a header, in any of gRPC's six units.
func parseTimeout(header string) (time.Duration, error) {
	digits := header[:len(header)-1]
	n, err := strconv.ParseUint(digits, 10, 32)
	unit := map[string]time.Duration{"H": time.Hour, "M": time.Minute, "S": time.Second,
		"m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond}[header[len(digits):]]
	if err != nil || len(digits) > 8 || unit == 0 {
		return 0, status{Internal, "malformed grpc-timeout"}
	}
	return unit * min(time.Duration(n), math.MaxInt64/unit), nil
}

// Those of gRPC's 17 codes that are used here.
const (
	OK, Canceled, Unknown, InvalidArgument, DeadlineExceeded = 0, 1, 2, 3, 4
	ResourceExhausted, OutOfRange, Unimplemented, Internal   = 8, 11, 12, 13
)

// status is how a call fails: with a code, where net/rpc has the text only.
type status struct {
	code int
	text string
}

func (s status) Error() string { return fmt.Sprintf("grpc-status %d: %s", s.code, s.text) }

func statusOf(err error) (s status) {
	if err == nil || errors.As(err, &s) {
		return s
	}
	for known, code := range map[error]int{
		shared.ErrDivideByZero:   InvalidArgument,
		shared.ErrOverflow:       OutOfRange,
		context.DeadlineExceeded: DeadlineExceeded,
		context.Canceled:         Canceled,
		io.ErrUnexpectedEOF:      Internal,
	} {
		if errors.Is(err, known) {
			return status{code, err.Error()}
		}
	}
	return status{Unknown, err.Error()}
}

// unprintable is what the text of a status may not hold as it is.
var unprintable = regexp.MustCompile(`[^ -~]|%`)

// setStatus sets the trailers of a call that ends with err.
func setStatus(header http.Header, err error) {
	s := statusOf(err)
	header.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(s.code))
	if s.code != OK {
		text := unprintable.ReplaceAllStringFunc(s.text, url.PathEscape)
		header.Set(http.TrailerPrefix+"Grpc-Message", text)
	}
}

// end reads the trailers: io.EOF is a good end.
func end(trailer http.Header) error {
	code, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	if err != nil {
		return status{Unknown, "an answer without a status"}
	}
	if code == OK {
		return io.EOF
	}
	text, _ := url.PathUnescape(trailer.Get("Grpc-Message"))
	return status{code, text}
}
