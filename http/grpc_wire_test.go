package http_test

// What gRPC puts on the wire, as both ends of grpc_test.go need it: Protobuf's messages,
// the frame around each, and the status at the end.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"example.com/netrpc/shared"
)

// Those of gRPC's 17 codes that are used here.
const (
	grpcOK, grpcCanceled, grpcUnknown, grpcInvalidArgument, grpcDeadlineExceeded = 0, 1, 2, 3, 4
	grpcResourceExhausted, grpcOutOfRange, grpcUnimplemented, grpcInternal       = 8, 11, 12, 13
)

var grpcCodes = map[error]int{
	shared.ErrDivideByZero: grpcInvalidArgument, shared.ErrOverflow: grpcOutOfRange,
	context.DeadlineExceeded: grpcDeadlineExceeded, os.ErrDeadlineExceeded: grpcDeadlineExceeded,
	context.Canceled: grpcCanceled, io.ErrUnexpectedEOF: grpcInternal,
}

// grpcError is how a call fails: with a code, where net/rpc has the text only.
type grpcError struct {
	code int
	text string
}

func (e grpcError) Error() string { return fmt.Sprintf("grpc-status %d: %s", e.code, e.text) }

func grpcStatus(err error) (status grpcError) {
	if err == nil || errors.As(err, &status) {
		return status
	}
	for known, code := range grpcCodes {
		if errors.Is(err, known) {
			return grpcError{code, err.Error()}
		}
	}
	return grpcError{grpcUnknown, err.Error()}
}

// grpcMessage is any message of the .proto: its fields number 1 and 2.
type grpcMessage [2]int64

// encode writes two varints for each field: its number and type (0: a varint), its value.
func (m grpcMessage) encode() (b []byte) {
	for i, value := range m {
		if value != 0 { // as in gob, a zero is left out
			b = binary.AppendUvarint(b, uint64(i+1)<<3)
			b = binary.AppendUvarint(b, uint64(value)) // ten bytes if it is negative
		}
	}
	return b
}

// grpcDecode skips fields that it does not know: a newer .proto may have more of them.
func grpcDecode(b []byte) (m grpcMessage, err error) {
	var groups []uint64 // their numbers: they have begun (type 3), and not ended (type 4)
	for len(b) > 0 || len(groups) > 0 {
		tag, n := binary.Uvarint(b)
		number := tag >> 3
		b = b[max(n, 0):]
		value, size := binary.Uvarint(b)
		if size <= 0 {
			size = len(b) + 1 // not a varint: an error below, if the type wants one
		}
		switch tag & 7 {
		case 0:
			if len(groups) == 0 && (number == 1 || number == 2) {
				m[number-1] = int64(value) // the last one counts
			}
		case 1:
			size = 8
		case 2: // so many bytes
			size += int(min(value, math.MaxInt32/2))
		case 3:
			size, groups = 0, append(groups, number)
		case 4:
			if last := len(groups) - 1; last >= 0 && groups[last] == number {
				size, groups = 0, groups[:last]
			} else {
				n = 0
			}
		case 5:
			size = 4
		default:
			n = 0
		}
		if n <= 0 || number == 0 || number >= 1<<29 || size > len(b) {
			return m, grpcError{grpcInternal, "not a Protobuf message"}
		}
		b = b[size:]
	}
	return m, nil
}

// grpcSend writes a frame: 0, for not compressed; the message's length in four bytes; itself.
func grpcSend(w io.Writer, m grpcMessage) error {
	message := m.encode()
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	_, err := w.Write(append(frame, message...))
	return err
}

// grpcReceive reads a frame; where there are no more it returns io.EOF.
func grpcReceive(r io.Reader, header http.Header) (m grpcMessage, err error) {
	var start [5]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return m, err
	}
	length, encoding := binary.BigEndian.Uint32(start[1:]), header.Get("Grpc-Encoding")
	switch {
	case start[0] == 1 && encoding != "" && encoding != "identity":
		return m, grpcError{grpcUnimplemented, "cannot decompress " + encoding}
	case start[0] != 0:
		return m, grpcError{grpcInternal, "compressed, but no header says how"}
	case length > 4<<20: // the usual limit
		return m, grpcError{grpcResourceExhausted, fmt.Sprintf("a message of %d bytes", length)}
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(r, message); err == io.EOF {
		return m, io.ErrUnexpectedEOF
	} else if err != nil {
		return m, err
	}
	return grpcDecode(message)
}

// grpcTimeout reads a header such as 250m: at most eight digits, and a unit.
func grpcTimeout(header string) (time.Duration, error) {
	digits := header[:max(len(header)-1, 0)]
	n, err := strconv.ParseUint(digits, 10, 32)
	unit := map[string]time.Duration{"H": time.Hour, "M": time.Minute, "S": time.Second,
		"m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond}[header[len(digits):]]
	if err != nil || len(digits) > 8 || unit == 0 {
		return 0, grpcError{grpcInternal, "malformed grpc-timeout"}
	}
	return unit * min(time.Duration(n), math.MaxInt64/unit), nil
}

// grpcSetStatus sets the trailers of a call that ends with err.
func grpcSetStatus(header http.Header, err error) {
	status := grpcStatus(err)
	header.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(status.code))
	if status.code != grpcOK {
		var text strings.Builder // a header may hold the printable part of ASCII
		for _, b := range []byte(status.text) {
			if b < ' ' || b > '~' || b == '%' {
				fmt.Fprintf(&text, "%%%02X", b)
			} else {
				text.WriteByte(b)
			}
		}
		header.Set(http.TrailerPrefix+"Grpc-Message", text.String())
	}
}

// grpcEnd reads the trailers: io.EOF is a good end.
func grpcEnd(resp *http.Response) error {
	trailer := resp.Trailer
	if trailer.Get("Grpc-Status") == "" {
		trailer = resp.Header // where a server may put them that sends no message
	}
	code, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	if err != nil {
		return grpcError{grpcUnknown, "an answer without a status"}
	}
	if code == grpcOK {
		return io.EOF
	}
	text, err := url.PathUnescape(trailer.Get("Grpc-Message"))
	if err != nil {
		text = trailer.Get("Grpc-Message")
	}
	return grpcError{code, text}
}
