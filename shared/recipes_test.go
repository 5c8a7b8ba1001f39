package shared_test

import (
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Display is a service that a client publishes.
type Display struct{}

// Show shows a text, and says that it has.
func (Display) Show(text string, shown *bool) error {
	fmt.Println("the client shows:", text)
	*shown = true
	return nil
}

// How does a server call its client? On one connection calls go in one direction; it does not
// matter which side has dialed. Here the side that dials serves, and the side that accepts calls:
// so a client behind a firewall can be called. For both directions take two connections, or a
// multiplexer that makes several streams of one.
func Example_serverCallsClient() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()

	go func() { // the client: it dials, and then it serves
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		server := rpc.NewServer()
		if err := server.Register(Display{}); err != nil {
			log.Fatal(err)
		}
		server.ServeConn(conn)
	}()

	conn, err := listener.Accept() // the server: it accepts, and then it calls
	if err != nil {
		log.Fatal(err)
	}
	caller := rpc.NewClient(conn)
	defer caller.Close()
	var shown bool
	err = caller.Call("Display.Show", "the build is done", &shown)
	fmt.Println(shown, err)
	// Output:
	// the client shows: the build is done
	// true <nil>
}

// Greeter is a service that has a language.
type Greeter struct{ hello string }

// Greet greets.
func (g Greeter) Greet(name string, reply *string) error {
	*reply = g.hello + ", " + name
	return nil
}

// How does one server publish two services, or one under another name? Register takes the name of
// the type, RegisterName any other. What stands behind the last dot of a call is the method, so that
// a name may have dots of its own, such as a version.
func Example_names() {
	server := rpc.NewServer()
	for name, service := range map[string]any{
		"English": Greeter{"Hello"},
		"German":  Greeter{"Hallo"},
		"math.v1": new(shared.MathService),
	} {
		if err := server.RegisterName(name, service); err != nil {
			log.Fatal(err)
		}
	}
	ours, theirs := net.Pipe() // between two processes: net.Listen and net.Dial
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	for _, method := range []string{"English.Greet", "German.Greet", "Greeter.Greet"} {
		var reply string
		err := client.Call(method, "Ada", &reply)
		fmt.Printf("%s: %q %v\n", method, reply, err)
	}
	var product int
	err := client.Call("math.v1.Multiply", &shared.Args{A: 10, B: 20}, &product)
	fmt.Println("math.v1.Multiply:", product, err)
	// Output:
	// English.Greet: "Hello, Ada" <nil>
	// German.Greet: "Hallo, Ada" <nil>
	// Greeter.Greet: "" rpc: can't find service Greeter.Greet
	// math.v1.Multiply: 200 <nil>
}

// Inventory is a service with state. Calls run at the same time, also those of one client, so
// each method locks.
type Inventory struct {
	mu    sync.Mutex // guards count
	count map[string]int
}

// Add adds one of item, and replies how many there are then.
func (i *Inventory) Add(item string, count *int) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count[item]++
	*count = i.count[item]
	return nil
}

// How does a service keep state? In its receiver, behind a lock: net/rpc runs each call in a
// goroutine of its own (TestEachRequestHasAGoroutine, in tcp). Without the lock two calls meet, which
// go test -race reports (TestStateWithoutALockIsARace). Register the pointer, or each method would
// lock a copy.
func Example_state() {
	server := rpc.NewServer()
	if err := server.Register(&Inventory{count: make(map[string]int)}); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	var calls sync.WaitGroup
	for range 99 {
		calls.Go(func() {
			if err := client.Call("Inventory.Add", "book", new(int)); err != nil {
				log.Fatal(err)
			}
		})
	}
	calls.Wait()
	var count int
	err := client.Call("Inventory.Add", "book", &count)
	fmt.Println(count, err)
	// Output: 100 <nil>
}

// Careless is a service with state and without a lock.
type Careless struct{ count int }

// Add adds one.
func (c *Careless) Add(_ int, count *int) error {
	c.count++
	*count = c.count
	return nil
}

// The race detector ends the server's process when it sees two calls that meet. Not all do.
func TestStateWithoutALockIsARace(t *testing.T) {
	info, _ := debug.ReadBuildInfo()
	if info == nil || !slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("go test -race, as make check has it, tells")
	}
	t.Setenv("GORACE", "halt_on_error=1")
	process := rpctest.StartProcess(t, new(Careless))
	client, err := rpc.Dial("tcp", process.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for begin := time.Now(); err == nil && time.Since(begin) < rpctest.Patience; {
		client.Go("Careless.Add", 0, nil, nil)
		err = client.Call("Careless.Add", 0, nil)
	}
	_, output := process.Wait()
	if !strings.Contains(output, "WARNING: DATA RACE") || !strings.Contains(output, "(*Careless).Add") {
		t.Errorf("two calls without a lock: %s; want a data race in Careless.Add", output)
	}
}

// How do I test a service without a port? net.Pipe is a connection in memory. The test goes through
// net/rpc and its codec, so it also finds a method that Register skips, and a field that gob does.
func TestAServiceNeedsNoPort(t *testing.T) {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	ours.SetDeadline(time.Now().Add(time.Minute)) // or a call that hangs would hang the test
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	var product int
	err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
	if err != nil || product != 200 {
		t.Errorf("Multiply(10, 20) = %d, %v, want 200", product, err)
	}
}

// limitedCodec lets no more calls be in flight than slots has room for.
type limitedCodec struct {
	rpc.ServerCodec
	slots chan bool // of one connection or, as here, of all
}

func (c limitedCodec) ReadRequestHeader(r *rpc.Request) error {
	err := c.ServerCodec.ReadRequestHeader(r)
	if err == nil {
		c.slots <- true // waits while there is no room, and this connection is not read meanwhile
	}
	return err
}

func (c limitedCodec) WriteResponse(r *rpc.Response, body any) error {
	<-c.slots // each header that has been read gets one response
	return c.ServerCodec.WriteResponse(r, body)
}

// Busy is a service that counts its calls in flight.
type Busy struct {
	mu        sync.Mutex // guards both
	now, most int
}

func (b *Busy) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += n
	b.most = max(b.most, b.now)
}

// Work takes a little time.
func (b *Busy) Work(n int, reply *int) error {
	b.add(1)
	defer b.add(-1)
	time.Sleep(time.Millisecond) // the work
	*reply = n
	return nil
}

// How does a server limit how many calls run at once? net/rpc starts a goroutine for each request
// that it has read. A codec around the codec waits before it lets the next one be read. This one is
// around JSON's; net/rpc does not export gob's, of which Example_strangers has one.
func Example_limitCalls() {
	busy, server := new(Busy), rpc.NewServer()
	if err := server.Register(busy); err != nil {
		log.Fatal(err)
	}
	slots := make(chan bool, 3)
	done := make(chan *rpc.Call, 20)
	for range 2 {
		ours, theirs := net.Pipe()
		go server.ServeCodec(limitedCodec{jsonrpc.NewServerCodec(theirs), slots})
		client := jsonrpc.NewClient(ours)
		defer client.Close()
		for n := range 10 {
			go client.Go("Busy.Work", n, new(int), done) // Go waits while the server does not read
		}
	}
	for range 20 {
		if call := <-done; call.Error != nil {
			log.Fatal(call.Error)
		}
	}
	fmt.Println("20 calls on two connections, at most three at once:", busy.most <= 3)
	// Output: 20 calls on two connections, at most three at once: true
}
