package jsonrpc_test

import (
	"bufio"
	"io"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// What the Go client sends (§4.4, C22) is JSON-RPC 1.0: no "jsonrpc", its argument
// alone in the array, and ids from 0.
func TestGoClientSendsJSONRPC1(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := rpctest.JSON.Connect(t, new(shared.MathService))
	for _, method := range []string{"MathService.Multiply", "MathService.Divide"} {
		client.Call(method, &shared.Args{A: 10, B: 20}, new(any))
		sent, received := tape.Take()
		saw.Add("%s→ %s", sent, strings.TrimSpace(received))
	}
	saw.Want(t, `
{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":0}
→ {"id":0,"result":200,"error":null}
{"method":"MathService.Divide","params":[{"A":10,"B":20}],"id":1}
→ {"id":1,"result":{"Quo":0,"Rem":10},"error":null}`)
}

// A server in another language (§4.4, C21) must speak 1.0 as well: an error
// object, as 2.0 has it, or a result of null ends the Go client for good.
func TestJSONRPC2ErrorObjectEndsTheClient(t *testing.T) {
	var saw rpctest.Transcript
	for _, response := range []string{
		`{"jsonrpc":"2.0","result":200,"id":0}`,
		`{"id":0,"result":null,"error":"no"}`,
		`{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":0}`,
		`{"id":0,"result":null,"error":null}`,
	} {
		byHand := rpctest.JSON
		byHand.Serve = func(_ *rpc.Server, conn io.ReadWriteCloser) {
			requests := bufio.NewScanner(conn)
			requests.Scan()
			requests.Scan() // and so both calls are in flight
			io.WriteString(conn, response+`{"id":1,"result":42,"error":null}`)
			requests.Scan()
			io.WriteString(conn, `{"id":2,"result":1,"error":null}`)
		}
		client, _ := byHand.Connect(t)
		call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int), nil)
		other := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, new(int), nil)
		<-call.Done
		<-other.Done
		next := client.Call("MathService.Multiply", &shared.Args{A: 1, B: 1}, new(int))
		saw.Add("%s", response)
		saw.Add("→ the call: %v", call.Error)
		saw.Add("  another in flight: %v", other.Error)
		saw.Add("  the next one: %v", next)
	}
	saw.Want(t, `
{"jsonrpc":"2.0","result":200,"id":0}
→ the call: <nil>
  another in flight: <nil>
  the next one: <nil>
{"id":0,"result":null,"error":"no"}
→ the call: no
  another in flight: <nil>
  the next one: <nil>
{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params"},"id":0}
→ the call: invalid error map[code:-32602 message:Invalid params]
  another in flight: invalid error map[code:-32602 message:Invalid params]
  the next one: connection is shut down
{"id":0,"result":null,"error":null}
→ the call: invalid error <nil>
  another in flight: invalid error <nil>
  the next one: connection is shut down`)
}
