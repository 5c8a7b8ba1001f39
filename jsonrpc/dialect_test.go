package jsonrpc_test

import (
	"bufio"
	"bytes"
	"io"
	"log"
	"net"
	"regexp"
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
func TestTheServerSpeaksADialect(t *testing.T) {
	const (
		closed = "closed" // instead of a line: the server hangs up
		next   = `{"method":"MathService.Multiply","params":[{"A":6,"B":7}],"id":"next"}`
	)
	var logged bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	server := rpctest.Server(t, new(shared.MathService))
	multiply := func(params string) string {
		return `{"method":"MathService.Multiply","params":` + params + `,"id":1}`
	}
	withID := func(id string) string {
		return `{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":` + id + `}`
	}
	result := func(result string) string { return `{"id":1,"result":` + result + `,"error":null}` }
	fails := func(text string) string { return `{"id":1,"result":null,"error":"` + text + `"}` }
	for _, row := range []struct{ name, request, response string }{
		// Params: what works is one object in an array.
		{"one object in an array", multiply(`[{"A":10,"B":20}]`), result("200")},
		{"positional params are an error", multiply(`[10,20]`), fails("json: cannot unmarshal number…")},
		{"named params are an error", multiply(`{"A":10,"B":20}`), fails("json: cannot unmarshal object…")},
		{"params null are an error", multiply(`null`), fails("jsonrpc: request body missing params")},
		{"an empty array computes with zeros", multiply(`[]`), result("0")},
		{"null in the array computes with zeros", multiply(`[null]`), result("0")},
		{"an empty object computes with zeros", multiply(`[{}]`), result("0")},
		{"misspelt keys compute with zeros", multiply(`[{"X":10,"Y":20}]`), result("0")},
		{"extra keys are ignored", multiply(`[{"A":10,"B":20,"C":30}],"more":true`), result("200")},
		{"a second object is ignored", multiply(`[{"A":10,"B":20},{"A":3,"B":3}]`), result("200")},
		{"the case of keys is ignored",
			`{"Method":"MathService.Multiply","PARAMS":[{"a":10,"b":20}],"Id":1}`, result("200")},

		// Numbers: an int takes no point and no exponent, and its size has an end.
		{"6.0 is no int", multiply(`[{"A":6.0,"B":7}]`), fails("json: cannot unmarshal number 6.0…")},
		{"1e2 is no int", multiply(`[{"A":1e2,"B":7}]`), fails("json: cannot unmarshal number 1e2…")},
		{"a string is no int", multiply(`[{"A":"6","B":7}]`), fails("json: cannot unmarshal string…")},
		{"2^63 is no int, of whatever size", multiply(`[{"A":9223372036854775808,"B":1}]`),
			fails("json: cannot unmarshal number 9223372036854775808…")},

		// Ids: any JSON value, sent back as it came. A notification is answered like a call.
		{"a string as id", withID(`"one"`), `{"id":"one","result":200,"error":null}`},
		{"a float as id", withID(`1.50`), `{"id":1.50,"result":200,"error":null}`},
		{"an object as id", withID(`{"call": 1}`), `{"id":{"call":1},"result":200,"error":null}`},
		{"a notification of 1.0 is answered", withID(`null`), `{"id":null,"result":200,"error":null}`},
		{"a notification of 2.0 (no id) is answered",
			`{"jsonrpc":"2.0","method":"MathService.Multiply","params":[{"A":10,"B":20}]}`,
			`{"id":null,"result":200,"error":null}`},

		// Framing: a stream of JSON objects, however the lines break. Anything else ends it.
		{"jsonrpc 2.0 is ignored and not sent back", multiply(`[{"A":10,"B":20}],"jsonrpc":"2.0"`), result("200")},
		{"one request on two lines", multiply("\n" + `[{"A":10,"B":20}]`), result("200")},
		{"a batch is closed without an answer", "[" + multiply(`[{"A":10,"B":20}]`) + "]", closed},
		{"malformed JSON is closed without an answer", multiply(`[{"A":10,"B":}]`), closed},
		{"the request before malformed JSON is answered",
			multiply(`[{"A":10,"B":20}]`) + " nonsense", result("200") + "\n" + closed},
		{"a method that is no string is closed without an answer",
			`{"method":1,"params":[{"A":10,"B":20}],"id":1}`, closed},
		{"plain text is closed without an answer", `MathService.Multiply 10 20`, closed},
		{"HTTP POST is closed without an answer", "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", closed},
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
			got := answer()
			if strings.Contains(row.response, "\n") {
				got += "\n" + answer()
			}
			if !strings.HasSuffix(got, closed) {
				go io.WriteString(conn, next)
				if live := answer(); live != `{"id":"next","result":42,"error":null}` {
					t.Errorf("the next request is answered %q, %v", live, answers.Err())
				}
			}
			var saw rpctest.Transcript
			saw.Add("%s\n→ %s", row.request, got)
			saw.Want(t, row.request+"\n→ "+row.response)
		})
	}
	var saw rpctest.Transcript
	saw.Add("logged: %q", &logged)
	saw.Want(t, `logged: ""`)
}
