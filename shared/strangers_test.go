package shared_test

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"runtime"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// guardedCodec is net/rpc's codec for gob, which is not exported, with a limit for the bytes of
// each request, and without its panics: what breaks either ends the connection, and no more.
type guardedCodec struct {
	conn    io.ReadWriteCloser
	request io.LimitedReader // what may still be read for this request
	max     int64
	dec     *gob.Decoder
	out     *bufio.Writer // so that header and body go out in one write
	enc     *gob.Encoder
	broken  error
}

func newGuardedCodec(conn io.ReadWriteCloser, max int64) *guardedCodec {
	c := &guardedCodec{conn: conn, max: max, request: io.LimitedReader{R: conn}, out: bufio.NewWriter(conn)}
	c.dec, c.enc = gob.NewDecoder(&c.request), gob.NewEncoder(c.out)
	return c
}

func (c *guardedCodec) ReadRequestHeader(r *rpc.Request) error {
	c.request.N = c.max
	return c.decode(r)
}

func (c *guardedCodec) ReadRequestBody(body any) error { return c.decode(body) }

func (c *guardedCodec) decode(value any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("gob panicked: %v", p)
		} else if err != nil && c.request.N <= 0 {
			err = fmt.Errorf("a request of more than %d bytes", c.max)
		} else {
			return
		}
		c.broken = err // nobody knows where the next request begins: read no more
		c.conn.Close()
	}()
	if c.broken != nil {
		return c.broken
	}
	return c.dec.Decode(value)
}

func (c *guardedCodec) WriteResponse(r *rpc.Response, body any) error {
	err := c.enc.Encode(r)
	if err == nil {
		err = c.enc.Encode(body)
	}
	if err != nil { // half a reply would end the client
		c.conn.Close()
		return err
	}
	return c.out.Flush()
}

func (c *guardedCodec) Close() error { return c.conn.Close() }

// How do I survive bad requests of strangers? A codec of one's own takes the place of net/rpc's:
// each request may have so many bytes, and a panic of encoding/gob ends its connection instead of
// the server.
//
// It helps against nothing else. Whoever can reach the port can still call every method, open many
// connections, be silent on them, or have many calls in flight. Take TLS with certificates against
// those (Example_mutualTLS, in tcp).
func Example_strangers() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	dial := func() net.Conn { // a listener's connections do as well
		ours, theirs := net.Pipe()
		ours.SetDeadline(time.Now().Add(time.Minute))
		go server.ServeCodec(newGuardedCodec(theirs, 1<<20)) // instead of ServeConn
		return ours
	}

	stranger := dial()
	go stranger.Write(rpctest.HostileGob()) // 73 bytes that end a server with ServeConn
	_, err := io.Copy(io.Discard, stranger)
	fmt.Println("the stranger is cut off:", err == nil)

	client := rpc.NewClient(dial())
	defer client.Close()
	var product int
	err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
	fmt.Println("the next client:", product, err)
	// Output:
	// the stranger is cut off: true
	// the next client: 200 <nil>
}

// Store is a service that takes a lot.
type Store struct{}

// Put takes bytes.
func (Store) Put(data []byte, stored *int) error { *stored = len(data); return nil }

// quiet keeps net/rpc from logging what it cannot decode.
func quiet(t *testing.T) {
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// heap returns how many bytes of memory are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // twice, because a sync.Pool outlives one: gob's has held the request
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// guarded serves with a guardedCodec.
var guarded = rpctest.Codec{
	Name: "guardedCodec",
	Serve: func(server *rpc.Server, conn io.ReadWriteCloser) {
		server.ServeCodec(newGuardedCodec(conn, 1<<20))
	},
	NewClient: rpc.NewClient,
}

// send sends bytes to a server, in place of a client, and returns how many have been read. It
// hangs up after then, and returns when the server has ended the connection, too.
func send(t *testing.T, codec rpctest.Codec, server *rpc.Server, bytes []byte, then func()) (sent int) {
	ours, theirs := net.Pipe()
	ours.SetDeadline(time.Now().Add(rpctest.Patience))
	ended := make(chan bool)
	go func() {
		codec.Serve(server, theirs)
		close(ended)
	}()
	go io.Copy(io.Discard, ours)
	sent, _ = ours.Write(bytes)
	then()
	ours.Close()
	rpctest.Within(t, ended, "the end of a connection")
	return sent
}

// Before and after: a stranger promises 16 MiB, sends all but the last byte, and waits.
// net/rpc's own codec keeps what has come. The guarded one has ended the connection after 1 MiB.
func TestAnUnfinishedRequestTakesNoMoreThanTheLimit(t *testing.T) {
	quiet(t)
	const size = 16 << 20
	var request bytes.Buffer
	encoder := gob.NewEncoder(&request)
	encoder.Encode(rpc.Request{ServiceMethod: "Store.Put"})
	encoder.Encode(make([]byte, size))
	request.Truncate(request.Len() - 1)
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{{Name: "ServeConn", Serve: rpctest.Gob.Serve}, guarded} {
		before := heap()
		var taken int64
		sent := send(t, codec, rpctest.Server(t, Store{}), request.Bytes(), func() { taken = heap() - before })
		saw.Add("%s: all 16 MiB read: %t; memory, at least 16 MiB: %t, more than 4 MiB: %t",
			codec.Name, sent == request.Len(), taken >= size, taken > 4<<20)
	}
	saw.Want(t, `
ServeConn: all 16 MiB read: true; memory, at least 16 MiB: true, more than 4 MiB: true
guardedCodec: all 16 MiB read: false; memory, at least 16 MiB: false, more than 4 MiB: false`)
}

// A request of the limit's size passes, and each next one may be as large.
func TestTheLimitIsForEachRequest(t *testing.T) {
	quiet(t)
	client, _ := guarded.Connect(t, Store{})
	var saw rpctest.Transcript
	for _, size := range []int{1<<20 - 200, 1<<20 - 200, 1<<20 - 200, 1 << 20, 1} {
		var stored int
		err := client.Call("Store.Put", make([]byte, size), &stored)
		saw.Add("Put of %d bytes: %d, succeeds: %t", size, stored, err == nil)
	}
	saw.Want(t, `
Put of 1048376 bytes: 1048376, succeeds: true
Put of 1048376 bytes: 1048376, succeeds: true
Put of 1048376 bytes: 1048376, succeeds: true
Put of 1048576 bytes: 0, succeeds: false
Put of 1 bytes: 0, succeeds: false`)
}

// Whatever a stranger sends, the next client is answered: random bytes, and good requests of
// which some bytes are wrong.
func TestRandomRequestsHarmNobodyElse(t *testing.T) {
	quiet(t)
	var good bytes.Buffer
	encoder := gob.NewEncoder(&good)
	for range 2 {
		encoder.Encode(rpc.Request{ServiceMethod: "MathService.Multiply"})
		encoder.Encode(shared.Args{A: 10, B: 20})
	}
	server := rpctest.Server(t, new(shared.MathService))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		request, changes := bytes.Clone(good.Bytes()), 1+random.IntN(10)
		if i%2 == 0 {
			request = make([]byte, 1+random.IntN(500))
			changes = 2 * len(request)
		}
		for range changes {
			request[random.IntN(len(request))] = byte(random.Uint32())
		}
		send(t, guarded, server, request, func() {})
	}
	client, _ := guarded.Connect(t, server)
	product := 0
	if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product); err != nil || product != 200 {
		t.Errorf("after 1000 strangers: Multiply(10, 20) = %d, %v, want 200", product, err)
	}
}
