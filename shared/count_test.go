package shared_test

import (
	"errors"
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

// Naps is a service whose method takes its time.
type Naps struct{}

// Take returns after d.
func (Naps) Take(d time.Duration, _ *struct{}) error { time.Sleep(d); return nil }

// What does a server do all day? A codec around the codec sees each call, and the service knows
// nothing of it. This one is around JSON's, because net/rpc does not export gob's: for gob, write
// the four methods of an rpc.ServerCodec with a gob.Decoder, and a gob.Encoder on a bufio.Writer.
func Example_whatAServerCounts() {
	for _, counts := range []*expvar.Map{rpcCalls, rpcErrors, rpcSeconds} {
		counts.Init() // the tests may run more than once
	}
	server := rpc.NewServer()
	if err := errors.Join(server.Register(new(shared.MathService)), server.Register(Naps{})); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // a listener's connections do as well
	ours.SetDeadline(time.Now().Add(time.Minute))
	client := jsonrpc.NewClient(ours)
	var serving, calling sync.WaitGroup
	serving.Go(func() { server.ServeCodec(&countingCodec{ServerCodec: jsonrpc.NewServerCodec(theirs)}) })
	for i := range 10 {
		calling.Go(func() {
			client.Call("MathService.Divide", &shared.Args{A: 10, B: i % 5}, new(shared.Quotient))
			client.Call(fmt.Sprint("MathService.Guess", i), &shared.Args{}, new(int))
			client.Call("Naps.Take", 100*time.Millisecond, new(struct{}))
		})
	}
	calling.Wait()
	client.Close()
	serving.Wait() // a reply is counted when it has been sent
	fmt.Println("calls: ", rpcCalls)
	fmt.Println("errors:", rpcErrors)
	naps := rpcSeconds.Get("Naps.Take").(*expvar.Float).Value() // ten of 0.1 s each
	fmt.Println("the naps took more than half a second:", naps > 0.5)
	// Output:
	// calls:  {"MathService.Divide": 10, "Naps.Take": 10, "unknown": 10}
	// errors: {"MathService.Divide": 2, "unknown": 10}
	// the naps took more than half a second: true
}
