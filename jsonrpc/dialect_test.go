package jsonrpc_test

import (
	"bufio"
	"io"
	"net"
	"net/rpc/jsonrpc"
	"slices"
	"strings"
	"testing"

	"example.com/netrpc/shared"
)

// exchange is a request in a test's table, and the lines that answer it.
type exchange struct{ name, request, response string }

const (
	closed = "closed" // instead of a line: the server hangs up
	next   = `{"method":"MathService.Multiply","params":[{"A":6,"B":7}],"id":"next"}`
)

// test sends the request to conn. It also fails if there is another answer than the
// response, or if the connection does not live on where it should.
func (row exchange) test(t *testing.T, conn net.Conn) {
	t.Helper()
	answers := bufio.NewScanner(conn)
	want := strings.Split(row.response, "\n")
	go io.WriteString(conn, row.request+"\n")
	var got []string
	for range want {
		if answers.Scan() {
			got = append(got, answers.Text())
			slices.Sort(got) // nothing promises the order of two answers
		} else if answers.Err() == nil { // io.EOF
			got = append(got, closed)
		}
	}
	if !slices.EqualFunc(got, want, matches) {
		t.Fatalf("%s\nanswered %q\n    want %q, %v", row.request, got, want, answers.Err())
	}
	t.Logf("%s\n→ %s", strings.TrimSpace(row.request), strings.Join(got, "\n→ "))
	if slices.Contains(want, closed) {
		return
	}
	go io.WriteString(conn, next)
	if answers.Scan(); answers.Text() != `{"id":"next","result":42,"error":null}` {
		t.Errorf("%s\nthe next request is answered %q, %v", row.request, answers.Text(), answers.Err())
	}
}

// matches reports whether got is want, in which … stands for the words of encoding/json:
// they differ between its versions.
func matches(got, want string) bool {
	begin, end, found := strings.Cut(want, "…")
	return got == want || found && strings.HasPrefix(got, begin) && strings.HasSuffix(got, end)
}

// The tutorial says that any language that supports JSON-RPC can call (§4.4, C21): right,
// if it can open a socket. Left unsaid is the dialect: JSON-RPC 1.0 over bare TCP, with
// params an array of one value, here an object. What breaks it, the server does not log.
func TestDialect(t *testing.T) {
	wantSilence(t)
	for _, row := range []exchange{
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
		t.Run(row.name, func(t *testing.T) { row.test(t, start(t, new(shared.MathService))) })
	}
}

// What the Go client sends (§4.4, C22) is JSON-RPC 1.0: no "jsonrpc", its argument
// alone in the array, and ids from 0.
func TestGoClientSendsJSONRPC1(t *testing.T) {
	ours, theirs := pipe(t)
	client := jsonrpc.NewClient(ours)
	defer client.Close()
	go client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
	got, err := bufio.NewReader(theirs).ReadString('\n')
	if want := `{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}` + "\n"; got != want {
		t.Errorf("the request is %q, %v, want %q", got, err, want)
	}
	t.Logf("%s and a line feed", strings.TrimSuffix(got, "\n"))
}
