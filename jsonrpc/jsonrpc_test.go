package jsonrpc_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// pipe returns the two ends of a connection that breaks after ten seconds, so that
// no test waits for ever.
func pipe(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ours, theirs = net.Pipe()
	ours.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

// publish returns a server of its own for service.
func publish(t *testing.T, service any) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	return server
}

// The tutorial (§4.4, C21) says that any language with JSON-RPC can call the
// service. It can if it speaks this dialect: JSON-RPC 1.0 over bare TCP, with
// params an array of one value, here an object.
func TestDialect(t *testing.T) {
	t.Parallel()
	const closed = "closed" // instead of a line: the server hangs up
	for _, row := range []struct{ name, request, response string }{
		// Params: what works is one object in an array.
		{"one object in an array",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":200,"error":null}`},
		{"a struct is answered with an object",
			`{"method":"MathService.Divide","params":[{"A":17,"B":5}],"id":1}`,
			`{"id":1,"result":{"Quo":3,"Rem":2},"error":null}`},
		{"positional params are an error",
			`{"method":"MathService.Multiply","params":[10,20],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number into Go value of type shared.Args"}`},
		{"named params are an error",
			`{"method":"MathService.Multiply","params":{"A":10,"B":20},"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal object into Go value of type [1]interface {}"}`},
		{"no params are an error",
			`{"method":"MathService.Multiply","id":1}`,
			`{"id":1,"result":null,"error":"jsonrpc: request body missing params"}`},
		{"params null are an error",
			`{"method":"MathService.Multiply","params":null,"id":1}`,
			`{"id":1,"result":null,"error":"jsonrpc: request body missing params"}`},
		{"an empty array computes with zeros",
			`{"method":"MathService.Multiply","params":[],"id":1}`,
			`{"id":1,"result":0,"error":null}`},
		{"null in the array computes with zeros",
			`{"method":"MathService.Multiply","params":[null],"id":1}`,
			`{"id":1,"result":0,"error":null}`},
		{"an empty object computes with zeros",
			`{"method":"MathService.Multiply","params":[{}],"id":1}`,
			`{"id":1,"result":0,"error":null}`},
		{"misspelt keys compute with zeros",
			`{"method":"MathService.Multiply","params":[{"X":10,"Y":20}],"id":1}`,
			`{"id":1,"result":0,"error":null}`},
		{"the case of keys is ignored",
			`{"Method":"MathService.Multiply","PARAMS":[{"a":10,"b":20}],"Id":1}`,
			`{"id":1,"result":200,"error":null}`},
		{"extra keys are ignored",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20,"C":30}],"id":1,"more":true}`,
			`{"id":1,"result":200,"error":null}`},
		{"a second object is ignored",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20},{"A":3,"B":3}],"id":1}`,
			`{"id":1,"result":200,"error":null}`},

		// Ids: any JSON value, sent back as it came. A notification is answered like a call.
		{"a string as id",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":"one"}`,
			`{"id":"one","result":200,"error":null}`},
		{"a float as id",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1.50}`,
			`{"id":1.50,"result":200,"error":null}`},
		{"an object as id",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":{"call": 1}}`,
			`{"id":{"call":1},"result":200,"error":null}`},
		{"a notification of 1.0 (id null) is answered",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":null}`,
			`{"id":null,"result":200,"error":null}`},
		{"a notification of 2.0 (no id) is answered",
			`{"jsonrpc":"2.0","method":"MathService.Multiply","params":[{"A":10,"B":20}]}`,
			`{"id":null,"result":200,"error":null}`},

		// Framing: a stream of JSON objects, however the lines break. Anything else ends it.
		{"jsonrpc 2.0 is ignored and not sent back",
			`{"jsonrpc":"2.0","method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":200,"error":null}`},
		{"two requests on one line",
			`{"method":"MathService.Multiply","params":[{"A":2,"B":3}],"id":1}{"method":"MathService.Multiply","params":[{"A":4,"B":5}],"id":2}`,
			`{"id":1,"result":6,"error":null}` + "\n" + `{"id":2,"result":20,"error":null}`},
		{"one request on two lines",
			`{"method":"MathService.Multiply",` + "\n" + `"params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":200,"error":null}`},
		{"a batch is closed without an answer",
			`[{"jsonrpc":"2.0","method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}]`, closed},
		{"malformed JSON is closed without an answer",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":}],"id":1}`, closed},
		{"the request before malformed JSON is answered",
			`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1} nonsense`,
			`{"id":1,"result":200,"error":null}` + "\n" + closed},
		{"a method that is no string is closed without an answer",
			`{"method":1,"params":[{"A":10,"B":20}],"id":1}`, closed},
		{"plain text is closed without an answer",
			`MathService.Multiply 10 20`, closed},
		{"HTTP POST is closed without an answer",
			"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 67\r\n\r\n" +
				`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}`, closed},

		// Numbers: an int takes no point and no exponent, and keeps all its digits.
		{"6.0 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.0,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.0 into Go struct field Args.A of type int"}`},
		{"1e2 is no int",
			`{"method":"MathService.Multiply","params":[{"A":1e2,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 1e2 into Go struct field Args.A of type int"}`},
		{"6.5 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.5,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.5 into Go struct field Args.A of type int"}`},
		{"a string is no int",
			`{"method":"MathService.Multiply","params":[{"A":"6","B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal string into Go struct field Args.A of type int"}`},
		{"2^63 is no int",
			`{"method":"MathService.Multiply","params":[{"A":9223372036854775808,"B":1}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 9223372036854775808 into Go struct field Args.A of type int"}`},
		{"2^53 + 1 is exact",
			`{"method":"MathService.Multiply","params":[{"A":9007199254740993,"B":1}],"id":1}`,
			`{"id":1,"result":9007199254740993,"error":null}`},

		// Errors: a plain string, where 2.0 has an object with a code.
		{"an error of the service is a plain string",
			`{"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":1}`,
			`{"id":1,"result":null,"error":"divide by zero"}`},
		{"an unknown method",
			`{"method":"MathService.Modulo","params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":null,"error":"rpc: can't find method MathService.Modulo"}`},
		{"an unknown service",
			`{"method":"Math.Multiply","params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":null,"error":"rpc: can't find service Math.Multiply"}`},
		{"a method without a service",
			`{"method":"Multiply","params":[{"A":10,"B":20}],"id":1}`,
			`{"id":1,"result":null,"error":"rpc: service/method request ill-formed: Multiply"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			conn, theirs := pipe(t)
			go publish(t, new(shared.MathService)).ServeCodec(jsonrpc.NewServerCodec(theirs))
			answers := bufio.NewScanner(conn)

			want := strings.Split(row.response, "\n")
			go io.WriteString(conn, row.request+"\n")
			var got []string
			for range want {
				if answers.Scan() {
					got = append(got, answers.Text())
				} else if answers.Err() == nil { // io.EOF
					got = append(got, closed)
				}
			}
			slices.Sort(got) // nothing promises the order of two answers
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("%s\nanswered %q\n    want %q, %v", row.request, got, want, answers.Err())
			}
			if slices.Contains(want, closed) {
				return
			}
			// There was no other answer, and the connection lives on.
			go io.WriteString(conn, `{"method":"MathService.Multiply","params":[{"A":6,"B":7}],"id":"next"}`)
			if answers.Scan(); answers.Text() != `{"id":"next","result":42,"error":null}` {
				t.Errorf("%s\nthe next request is answered %q, %v", row.request, answers.Text(), answers.Err())
			}
		})
	}
}

// The tutorial (§4.4, C22) says that calls do not change: so it is, for Call and
// for Go, for replies and for errors.
func TestCallsAreTheSameAsOverGob(t *testing.T) {
	t.Parallel()
	clients := map[string]func(server *rpc.Server, ours, theirs net.Conn) *rpc.Client{
		"gob": func(server *rpc.Server, ours, theirs net.Conn) *rpc.Client {
			go server.ServeConn(theirs)
			return rpc.NewClient(ours)
		},
		"JSON": func(server *rpc.Server, ours, theirs net.Conn) *rpc.Client {
			go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
			return jsonrpc.NewClient(ours)
		},
	}
	ways := map[string]func(client *rpc.Client, method string, args, reply any) error{
		"Call": (*rpc.Client).Call,
		"Go": func(client *rpc.Client, method string, args, reply any) error {
			return (<-client.Go(method, args, reply, nil).Done).Error
		},
	}
	for codec, connect := range clients {
		for way, call := range ways {
			t.Run(way+" over "+codec, func(t *testing.T) {
				t.Parallel()
				ours, theirs := pipe(t)
				client := connect(publish(t, new(shared.MathService)), ours, theirs)
				defer client.Close()
				for _, row := range []struct {
					method string
					a, b   int
					want   string // the reply and the error with its type
				}{
					{"MathService.Multiply", 10, 20, "200, <nil> <nil>"},
					{"MathService.Multiply", -3, 7, "-21, <nil> <nil>"},
					{"MathService.Multiply", math.MaxInt, 2, "0, integer overflow rpc.ServerError"},
					{"MathService.Modulo", 17, 5, "0, rpc: can't find method MathService.Modulo rpc.ServerError"},
				} {
					var product int
					err := call(client, row.method, &shared.Args{A: row.a, B: row.b}, &product)
					if got := fmt.Sprintf("%d, %v %[2]T", product, err); got != row.want {
						t.Errorf("%s(%d, %d) = %s, want %s", row.method, row.a, row.b, got, row.want)
					}
				}
				var quotient shared.Quotient
				if err := call(client, "MathService.Divide", &shared.Args{A: 17, B: 5}, &quotient); quotient != (shared.Quotient{Quo: 3, Rem: 2}) || err != nil {
					t.Errorf("Divide(17, 5) = %v, %v, want {3 2}", quotient, err)
				}
				client.Close()
				if err := call(client, "MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ErrShutdown {
					t.Errorf("after Close: %v, want rpc.ErrShutdown", err)
				}
			})
		}
	}
}

// What the Go client sends (§4.4) is JSON-RPC 1.0: no "jsonrpc", its argument
// alone in the array, and ids from 0.
func TestGoClientSendsJSONRPC1(t *testing.T) {
	t.Parallel()
	ours, theirs := pipe(t)
	client := jsonrpc.NewClient(ours)
	go client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
	got, err := bufio.NewReader(theirs).ReadString('\n')
	if want := `{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}` + "\n"; got != want {
		t.Errorf("the request is %q, %v, want %q", got, err, want)
	}
}

// A server in another language (§4.4, C21) must speak 1.0 as well: an error
// object, as 2.0 has it, or a result of null ends the Go client for good.
func TestJSONRPC2ErrorObjectEndsTheClient(t *testing.T) {
	t.Parallel()
	const (
		works     = "<nil>"
		errObject = "invalid error map[code:-32602 message:Invalid params]"
	)
	for _, row := range []struct{ name, response, err, otherErr string }{
		{"a result of 2.0 arrives", `{"jsonrpc":"2.0","result":200,"id":0}`, works, works},
		{"a string is an error of one call", `{"id":0,"result":null,"error":"no"}`, "no", works},
		{"an object ends the client", `{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":0}`, errObject, errObject},
		{"a result of null ends the client", `{"id":0,"result":null,"error":null}`, "invalid error <nil>", "invalid error <nil>"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := pipe(t)
			client := jsonrpc.NewClient(ours)
			defer client.Close()
			go func() { // the server: answers when it has both requests
				requests := bufio.NewScanner(theirs)
				requests.Scan()
				requests.Scan()
				io.WriteString(theirs, row.response+`{"id":1,"result":42,"error":null}`)
			}()
			call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
			other := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, new(int), nil)
			<-call.Done
			<-other.Done
			if fmt.Sprint(call.Error) != row.err || fmt.Sprint(other.Error) != row.otherErr {
				t.Errorf("%s: %v, and the other call in flight: %v; want %s and %s", row.response, call.Error, other.Error, row.err, row.otherErr)
			}
			if row.otherErr == works {
				return
			}
			if err := client.Call("MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int)); err != rpc.ErrShutdown {
				t.Errorf("the next call: %v, want rpc.ErrShutdown", err)
			}
		})
	}
}

// Two Go programs (§4.4, C21) keep integers that JavaScript rounds, as does a Go
// client with a reply of type any: both read numbers as float64.
func TestGoPeersKeep2To53Plus1Exact(t *testing.T) {
	t.Parallel()
	ours, theirs := pipe(t)
	go publish(t, new(shared.MathService)).ServeCodec(jsonrpc.NewServerCodec(theirs))
	client := jsonrpc.NewClient(ours)
	var exact int
	var rounded any
	for _, reply := range []any{&exact, &rounded} {
		if err := client.Call("MathService.Multiply", &shared.Args{A: 1<<53 + 1, B: 1}, reply); err != nil {
			t.Fatal(err)
		}
	}
	if exact != 1<<53+1 || rounded != float64(1<<53) {
		t.Errorf("Multiply(1<<53 + 1, 1) = %d in an int, %f in an any, want 9007199254740993 and 9007199254740992.0", exact, rounded)
	}
}

// Number returns numbers.
type Number struct{}

// Zero returns 0.
func (Number) Zero(args *shared.Args, reply *float64) error { *reply = 0; return nil }

// NaN returns a number that JSON cannot write.
func (Number) NaN(args *shared.Args, reply *float64) error { *reply = math.NaN(); return nil }

// The tutorial (§4.4, C22) does not say: a reply that JSON cannot express is
// dropped without a word. Its caller waits for ever; other calls are answered.
func TestUnmarshalableReplyIsNeverAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe(t)
		ours.SetDeadline(time.Time{})
		go publish(t, Number{}).ServeCodec(jsonrpc.NewServerCodec(theirs))
		client := jsonrpc.NewClient(ours)
		call := client.Go("Number.NaN", &shared.Args{}, new(float64), nil)
		time.Sleep(time.Hour)
		select {
		case <-call.Done:
			t.Errorf("Number.NaN was answered: %v", call.Error)
		default:
		}
		if err := client.Call("Number.Zero", &shared.Args{}, new(float64)); err != nil {
			t.Errorf("Number.Zero after it: %v", err)
		}
	})
}

// The tutorial's jsonrpc.ServeConn (§4.4) knows only what rpc.Register has put
// into rpc.DefaultServer. A server of one's own needs ServeCodec.
func TestServeConnServesDefaultServerOnly(t *testing.T) {
	t.Parallel()
	server := publish(t, new(shared.MathService))
	for _, row := range []struct {
		name  string
		serve func(net.Conn)
		want  error
	}{
		{"jsonrpc.ServeConn", func(conn net.Conn) { jsonrpc.ServeConn(conn) }, rpc.ServerError("rpc: can't find service MathService.Multiply")},
		{"server.ServeCodec", func(conn net.Conn) { server.ServeCodec(jsonrpc.NewServerCodec(conn)) }, nil},
	} {
		ours, theirs := pipe(t)
		go row.serve(theirs)
		err := jsonrpc.NewClient(ours).Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
		if err != row.want {
			t.Errorf("%s: Multiply(10, 20): %v, want %v", row.name, err, row.want)
		}
	}
}

// countedListener ends the goroutine that calls Accept too often.
type countedListener struct {
	net.Listener
	accepts int
}

func (l *countedListener) Accept() (net.Conn, error) {
	if l.accepts == 1000 {
		runtime.Goexit()
	}
	l.accepts++
	return l.Listener.Accept()
}

// The tutorial's accept loop (§4.4) logs an error and goes on. Once the listener
// is closed each Accept fails at once: the loop writes line after line, and never ends.
func TestTutorialsAcceptLoopSpins(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner.Close()
	listener := &countedListener{Listener: inner}
	var lines bytes.Buffer
	log := log.New(&lines, "", 0)
	ended := make(chan struct{})
	returned := false
	go func() {
		defer close(ended)
		func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					log.Println(err)
					continue
				}
				go jsonrpc.ServeConn(conn)
			}
		}()
		returned = true
	}()
	<-ended
	logged := strings.Count(lines.String(), "use of closed network connection\n")
	if returned || listener.accepts != 1000 || logged != 1000 {
		t.Errorf("%d calls of Accept, %d lines logged, the loop returned: %t; want 1000, 1000, false", listener.accepts, logged, returned)
	}
}
