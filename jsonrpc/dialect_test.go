package jsonrpc_test

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// wording is what encoding/json says in other words in other versions. A … stands for it.
var wording = regexp.MustCompile(` into [^"]*`)

// The tutorial says that any language that supports JSON-RPC can call (§4.4, C21): right,
// if it can open a socket. Left unsaid is the dialect: JSON-RPC 1.0 over bare TCP, with
// params an array of one value, here an object. What breaks it, the server does not log.
func TestDialect(t *testing.T) {
	const (
		closed = "closed" // instead of a line: the server hangs up
		next   = `{"method":"MathService.Multiply","params":[{"A":6,"B":7}],"id":"next"}`
	)
	var logged bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	server := rpctest.Server(t, new(shared.MathService))
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
			`{"id":1,"result":null,"error":"json: cannot unmarshal number…"}`},
		{"named params are an error",
			`{"method":"MathService.Multiply","params":{"A":10,"B":20},"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal object…"}`},
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

		// Numbers: an int takes no point and no exponent, and its size has an end.
		{"6.0 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.0,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.0…"}`},
		{"1e2 is no int",
			`{"method":"MathService.Multiply","params":[{"A":1e2,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 1e2…"}`},
		{"6.5 is no int",
			`{"method":"MathService.Multiply","params":[{"A":6.5,"B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 6.5…"}`},
		{"a string is no int",
			`{"method":"MathService.Multiply","params":[{"A":"6","B":7}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal string…"}`},
		{"2^63 is no int, of whatever size",
			`{"method":"MathService.Multiply","params":[{"A":9223372036854775808,"B":1}],"id":1}`,
			`{"id":1,"result":null,"error":"json: cannot unmarshal number 9223372036854775808…"}`},

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
			conn, theirs := net.Pipe()
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(rpctest.Patience))
			go rpctest.JSON.Serve(server, theirs)
			answers := bufio.NewScanner(conn)
			answer := func() string {
				if !answers.Scan() && answers.Err() == nil { // io.EOF
					return closed
				}
				return wording.ReplaceAllString(answers.Text(), "…")
			}
			go io.WriteString(conn, row.request+"\n")
			var got []string
			for range strings.Split(row.response, "\n") {
				got = append(got, answer())
			}
			if !slices.Contains(got, closed) {
				slices.Sort(got) // nothing promises the order of two answers
				go io.WriteString(conn, next)
				if live := answer(); live != `{"id":"next","result":42,"error":null}` {
					t.Errorf("the next request is answered %q, %v", live, answers.Err())
				}
			}
			var saw rpctest.Transcript
			saw.Add("%s\n→ %s", row.request, strings.Join(got, "\n→ "))
			saw.Want(t, row.request+"\n→ "+strings.ReplaceAll(row.response, "\n", "\n→ "))
		})
	}
	var saw rpctest.Transcript
	saw.Add("logged: %q", &logged)
	saw.Want(t, `logged: ""`)
}
