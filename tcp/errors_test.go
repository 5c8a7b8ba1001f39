package tcp_test

import (
	"errors"
	"io"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// A client whose connection is lost stays so, also when its server is back.
func TestAClientNeverReconnects(t *testing.T) {
	var saw rpctest.Transcript
	l := rpctest.Listen(t)
	client := dial(t, "tcp", l.Addr().String())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	lost := client.Go("Desk.Double", 1, new(int), nil)
	conn.Close()
	rpctest.Within(t, lost.Done, "the end of the lost call")
	saw.Add("the server goes: unexpected EOF or a reset: %t", isLost(lost.Error))
	go rpctest.Server(t, newDesk()).Accept(l) // at the same address
	for range 2 {
		saw.Add("it is back; the old client: %v", client.Call("Desk.Double", 1, new(int)))
	}
	err = dial(t, "tcp", l.Addr().String()).Call("Desk.Double", 1, new(int))
	saw.Add("it is back; a new client: %v", err)
	saw.Want(t, `
the server goes: unexpected EOF or a reset: true
it is back; the old client: connection is shut down
it is back; the old client: connection is shut down
it is back; a new client: <nil>`)
}

// A server's process that ends hangs up, and the client hears of it. A host or a network
// that vanishes says nothing, and net/rpc never asks: it has no timeout and no heartbeat.
// Over TCP the operating system gives up in the end: Linux took two and a half minutes
// (keep-alive) for a call that it had delivered, and 15 for a request on its way.
func TestAVanishedPeerIsNoError(t *testing.T) {
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		desk := newDesk()
		// client – near … the test … far – server
		near, fromClient := net.Pipe()
		far, fromServer := net.Pipe()
		defer far.Close()
		go rpctest.Server(t, desk).ServeConn(fromServer)
		go io.Copy(io.Discard, far) // no answer arrives
		go func() {
			request := make([]byte, 1000)
			n, _ := fromClient.Read(request)
			far.Write(request[:n])
			io.Copy(io.Discard, fromClient) // and no other request
		}()
		client := rpc.NewClient(near)
		inFlight := client.Go("Desk.Double", 1, new(int), nil)
		synctest.Wait()
		next := client.Go("Desk.Double", 1, new(int), nil)
		time.Sleep(time.Hour) // synctest's, which takes no time
		saw.Add("an hour later the call in flight has ended: %t, the next one: %t; executed: %d of 2",
			len(inFlight.Done) > 0, len(next.Done) > 0, desk.executed.Load())
		client.Close()
		synctest.Wait()
		saw.Add("after Close the call in flight: %v", inFlight.Error)
		saw.Add("after Close the next one: %v", next.Error)
	})
	saw.Want(t, `
an hour later the call in flight has ended: false, the next one: false; executed: 1 of 2
after Close the call in flight: io: read/write on closed pipe
after Close the next one: io: read/write on closed pipe`)
}

// Tutorial §2: the stub deserialises the result. Into a variable of a wrong type it may do
// so without a word: both codecs take the fields whose names fit, and leave the others as
// they were. Where none fits, JSON gives no error, and gob's ends the client.
func TestWrongReplyTypeMayGoUnnoticed(t *testing.T) {
	type (
		oneFits  struct{ Quo, X int }
		noneFits struct{ X, Y int }
	)
	quotient := shared.Quotient{Quo: 3, Rem: 2}
	deliver(t,
		reply("one field fits", quotient, &oneFits{-1, -1}),
		reply("none fits", quotient, &noneFits{-1, -1}),
	).Want(t, `
both: one field fits: {Quo:3 Rem:2} into &{Quo:-1 X:-1} arrives as {Quo:3 X:-1}
gob: none fits: {Quo:3 Rem:2} into &{X:-1 Y:-1} fails, the next call fails
    reading body gob: type mismatch: no fields matched compiling decoder for noneFits
    then: connection is shut down
JSON: none fits: {Quo:3 Rem:2} into &{X:-1 Y:-1} arrives as {X:-1 Y:-1}`)
}

// besideAnother calls Desk.Double while another call is in flight, and writes down what
// becomes of both, and of the next call.
func besideAnother(t *testing.T, arg, reply any) *rpctest.Transcript {
	t.Helper()
	saw, desk := new(rpctest.Transcript), newDesk()
	client, _ := rpctest.Gob.Connect(t, desk)
	other := client.Go("Desk.Wait", 1, new(int), nil)
	rpctest.Within(t, desk.entered, "the other call at the server")
	err := client.Call("Desk.Double", arg, reply)
	saw.Add("the call: %v", err)
	executed := desk.executed.Load() == 2
	saw.Add("from the server: %t; executed: %t", errors.As(err, new(rpc.ServerError)), executed)
	close(desk.release)
	rpctest.Within(t, other.Done, "the end of the other call")
	saw.Add("another in flight: %v", other.Error)
	saw.Add("the next call: %v", client.Call("Desk.Double", 1, new(int)))
	return saw
}

// A reply of another type than the method's is an error of the client, which does not
// read on: every call in flight fails, and none can be sent any more. They were executed.
func TestWrongReplyTypeEndsTheConnection(t *testing.T) {
	besideAnother(t, 1, new(string)).Want(t, `
the call: reading body gob: decoding into local type *string, received remote type int
from the server: false; executed: true
another in flight: gob: decoding into local type *string, received remote type int
the next call: connection is shut down`)
}

// A text for a number is refused by the server, which does not execute the call. The
// connection goes on, as do the calls in flight. That is not so of an interface value whose
// type the server does not know.
func TestWrongArgumentTypeDoesNotEndTheConnection(t *testing.T) {
	besideAnother(t, "one", new(int)).Want(t, `
the call: gob: decoding into local type *int, received remote type string
from the server: true; executed: false
another in flight: <nil>
the next call: <nil>`)
}

// An argument that gob cannot encode, such as a channel, is an error of the client: nothing
// is sent. But the header of that request stays in a buffer. It goes out before the next
// request, a good one, and the server cannot make sense of the two.
func TestUnencodableArgumentFailsTheNextCall(t *testing.T) {
	var saw rpctest.Transcript
	desk := newDesk()
	client, tape := rpctest.Gob.Connect(t, desk)
	for _, row := range []struct {
		name string
		arg  any
	}{{"a good call", 1}, {"one with a channel", make(chan int)}, {"a good call", 1}, {"another", 1}} {
		err := client.Call("Desk.Double", row.arg, new(int))
		sent, _ := tape.Take()
		headers := strings.Count(sent, "Desk.Double")
		saw.Add("%s: %v; sent: %d bytes, %d headers", row.name, err, len(sent), headers)
	}
	saw.Add("executed: %d", desk.executed.Load())
	saw.Want(t, `
a good call: <nil>; sent: 68 bytes, 1 headers
one with a channel: gob NewTypeObject can't handle type: chan int; sent: 0 bytes, 0 headers
a good call: unexpected EOF; sent: 42 bytes, 2 headers
another: connection is shut down; sent: 0 bytes, 0 headers
executed: 1`)
}

// A nil pointer to an argument is an unencodable argument too, but gob panics on it, in the
// goroutine that calls. Who recovers finds the next call lost, as above. JSON sends null,
// which arrives as zeros.
func TestNilArgumentPanicsInTheCaller(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, new(shared.MathService))
		for _, args := range []*shared.Args{nil, {A: 10, B: 20}} {
			func() {
				reply := -1
				defer func() {
					if cause := recover(); cause != nil {
						saw.Add("%s: Multiply(%+v) panicked: %v", codec.Name, args, cause)
					}
				}()
				err := client.Call("MathService.Multiply", args, &reply)
				saw.Add("%s: Multiply(%+v) = %d, %v", codec.Name, args, reply, err)
			}()
		}
	}
	saw.Want(t, `
gob: Multiply(<nil>) panicked: gob: cannot encode nil pointer of type *shared.Args
gob: Multiply(&{A:10 B:20}) = -1, unexpected EOF
JSON: Multiply(<nil>) = 0, <nil>
JSON: Multiply(&{A:10 B:20}) = 200, <nil>`)
}

// Tutorial §4.4, C22: the way of calling does not change. So it is, but a method that sets
// its reply to a nil slice, map or pointer sends null in JSON, and a result of null is
// an invalid answer to Go's client, which then ends. Over gob it is an empty one as any.
func TestNilReplyEndsAJSONClient(t *testing.T) {
	deliver(t,
		reply("an empty slice", []string{}, new([]string)),
		reply("a nil slice", []string(nil), new([]string)),
		reply("a nil map", map[string]int(nil), new(map[string]int)),
	).Want(t, `
gob: an empty slice: [] arrives as nil
JSON: an empty slice: [] arrives as []
gob: a nil slice: nil arrives as nil
JSON: a nil slice: nil fails, the next call fails
    invalid error <nil>
    then: connection is shut down
gob: a nil map: nil arrives as map[]
JSON: a nil map: nil fails, the next call fails
    invalid error <nil>
    then: connection is shut down`)
}
