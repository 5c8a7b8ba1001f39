package shared_test

import (
	"expvar"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"sync"
	"time"

	"example.com/netrpc/shared"
)

// By method. With expvar, http.DefaultServeMux shows them at /debug/vars to whoever can reach it.
var (
	rpcCalls   = expvar.NewMap("rpc_calls")
	rpcErrors  = expvar.NewMap("rpc_errors")
	rpcSeconds = expvar.NewMap("rpc_seconds") // in all, from the request's header to the reply
)

// countingCodec counts the calls of one connection.
type countingCodec struct {
	rpc.ServerCodec
	begun sync.Map // when a call began, by its number: replies leave in another order
}

func (c *countingCodec) ReadRequestHeader(request *rpc.Request) error {
	err := c.ServerCodec.ReadRequestHeader(request)
	if err == nil {
		c.begun.Store(request.Seq, time.Now())
	}
	return err
}

// WriteResponse is called while ReadRequestHeader waits for the next request: hence sync.Map.
func (c *countingCodec) WriteResponse(response *rpc.Response, body any) error {
	err := c.ServerCodec.WriteResponse(response, body)
	method := response.ServiceMethod
	if strings.HasPrefix(response.Error, "rpc: ") {
		method = "unknown" // one name for all that do not exist, or clients could fill the memory
	}
	rpcCalls.Add(method, 1)
	if response.Error != "" || err != nil {
		rpcErrors.Add(method, 1)
	}
	if begun, ok := c.begun.LoadAndDelete(response.Seq); ok {
		rpcSeconds.AddFloat(method, time.Since(begun.(time.Time)).Seconds())
	}
	return err
}

// What does a server do all day? A codec around the codec sees each call, and the service knows
// nothing of it. This one is around JSON's, because net/rpc does not export gob's: for gob, write
// the four methods of an rpc.ServerCodec with a gob.Decoder, and a gob.Encoder on a bufio.Writer.
func Example_whatAServerCounts() {
	for _, counts := range []*expvar.Map{rpcCalls, rpcErrors, rpcSeconds} {
		counts.Init() // the tests may run more than once
	}
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // a listener's connections do as well
	ours.SetDeadline(time.Now().Add(10 * time.Second))
	client := jsonrpc.NewClient(ours)
	var serving, calling sync.WaitGroup
	serving.Go(func() { server.ServeCodec(&countingCodec{ServerCodec: jsonrpc.NewServerCodec(theirs)}) })
	for i := range 10 {
		calling.Go(func() {
			client.Call("MathService.Multiply", &shared.Args{A: i, B: 20}, new(int))
			client.Call("MathService.Divide", &shared.Args{A: 10, B: i % 5}, new(shared.Quotient))
			client.Call(fmt.Sprint("MathService.Guess", i), &shared.Args{}, new(int))
		})
	}
	calling.Wait()
	client.Close()
	serving.Wait() // a reply is counted when it has been sent
	fmt.Println("calls: ", rpcCalls)
	fmt.Println("errors:", rpcErrors)
	rpcSeconds.Do(func(method expvar.KeyValue) { fmt.Println(method.Key, "took time:", method.Value.String() != "0") })
	// Output:
	// calls:  {"MathService.Divide": 10, "MathService.Multiply": 10, "unknown": 10}
	// errors: {"MathService.Divide": 2, "unknown": 10}
	// MathService.Divide took time: true
	// MathService.Multiply took time: true
	// unknown took time: true
}
