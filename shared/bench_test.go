package shared_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/drain"
	"example.com/netrpc/shared/rpctest"
)

// BenchmarkRatios prints what calls cost in relation to one another, for COSTS.md. It times itself,
// so that one iteration is enough (make bench). With -short it makes a single round, to see that all
// calls work (make check).
func BenchmarkRatios(testingB *testing.B) {
	b := &bench{B: testingB}
	b.ReportMetric(0, "ns/op") // means nothing here
	log.SetOutput(io.Discard)  // rpc.Accept logs that its listener is closed at the end
	fmt.Printf("%s, %s/%s, %d CPUs. Client and server are one process.\n"+
		"Time per call, as a ratio to a table's first row: medians over rounds in which rows take turns.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))

	one := benchColumn{"one by one", 1, 21, 30 * time.Millisecond}
	many := benchColumn{"64 in flight", 64, 21, 30 * time.Millisecond}
	b.print("Multiply", benchTransports, benchMultiply, one, many)
	kibs, ada := make([]byte, 64<<10), benchRecord{1815, "Ada", "London", 12.10, true}
	b.print("1 KiB of bytes", benchTransports[:3], benchReturn("Payload.Bytes", kibs[:1<<10]), one)
	b.print("64 KiB of bytes", benchTransports[:3], benchReturn("Payload.Bytes", kibs), one)
	hundred := slices.Repeat([]benchRecord{ada}, 100)
	b.print("100 records", benchTransports[:3], benchReturn("Payload.Records", hundred), one)
	// A difference of a few per cent takes many short rounds to tell.
	one.rounds, one.slice = 10_000, 0
	many.rounds, many.slice = 100, 10*time.Millisecond
	b.print("This repository's additions", benchAdditions, benchMultiply, one, many)

	fmt.Printf("\nAn idle connection takes %d KiB of memory, both ends together.\n", b.idle()>>10)
}

// bench is a benchmark, and counts the bytes that its clients send and receive.
type bench struct {
	*testing.B
	wire atomic.Int64
}

// benchCaller calls a method, as rpc.Client.Call does.
type benchCaller func(method string, args, reply any) error

// benchRow is a way to make a call. connect starts a server and connects to it.
type benchRow struct {
	name    string
	connect func(*bench) benchCaller
}

// benchTransports are the ways to the service. Larger payloads go over the first three.
var benchTransports = []benchRow{
	{"gob over TCP", benchOver(rpctest.GobTCP)},
	{"JSON over TCP", benchOver(rpctest.JSONTCP)},
	{"JSON over POST", (*bench).post},
	{"gob over HTTP", benchOver(rpctest.GobHTTP)},
	{"gob over a unix socket", func(b *bench) benchCaller {
		l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		return b.client(rpctest.GobTCP, l).Call
	}},
	{"raw TCP echo", (*bench).echo},
	{"gob, dial per call", func(b *bench) benchCaller { // which has to send gob's types again
		l := rpctest.Listen(b)
		go b.server().Accept(l)
		return func(method string, args, reply any) error {
			conn, err := b.dial(l)
			if err != nil {
				return err
			}
			client := rpc.NewClient(conn)
			defer client.Close()
			return client.Call(method, args, reply)
		}
	}},
}

// benchAdditions are net/rpc alone and what this repository adds to it. The second row
// is the first again: as far as it is from 1, the others may be wrong as well.
var benchAdditions = []benchRow{
	{"net/rpc alone", benchOver(rpctest.GobTCP)},
	{"the same again", benchOver(rpctest.GobTCP)},
	{"drain.Listener", func(b *bench) benchCaller {
		return b.client(rpctest.GobTCP, drain.New(rpctest.Listen(b))).Call
	}},
	{"MathServiceClient", func(b *bench) benchCaller {
		stub := shared.NewMathServiceClient(b.client(rpctest.GobTCP, rpctest.Listen(b)))
		return func(_ string, args, reply any) (err error) {
			operands := args.(*shared.Args)
			*reply.(*int), err = stub.Multiply(context.Background(), operands.A, operands.B)
			return err
		}
	}},
	{"codec for strangers", func(b *bench) benchCaller {
		ours, theirs := b.pair()
		go b.server().ServeCodec(newGuardedCodec(theirs, 1<<20))
		return rpc.NewClient(ours).Call
	}},
	{"writes gathered", func(b *bench) benchCaller {
		ours, theirs := b.pair()
		go b.server().ServeConn(gatherWrites(theirs))
		return rpc.NewClient(gatherWrites(ours)).Call
	}},
}

func benchOver(transport rpctest.Transport) func(*bench) benchCaller {
	return func(b *bench) benchCaller { return b.client(transport, rpctest.Listen(b)).Call }
}

// benchColumn is a column of a table: so many calls at once. In each of its rounds every row makes
// calls for the time of a slice, and at least one each.
type benchColumn struct {
	name             string
	inFlight, rounds int
	slice            time.Duration
}

// print prints a table: of each row the ratios to the first one, and the bytes of a call.
func (b *bench) print(
	title string, rows []benchRow, payload func(benchCaller) func() error, columns ...benchColumn,
) {
	cells := make([]string, len(rows))
	calls := make([]func() error, len(rows))
	sizes := make([]int64, len(rows))
	for i, row := range rows {
		calls[i] = payload(row.connect(b))
		for range 2 { // the first one has gob's types as well
			b.wire.Store(0)
			if err := calls[i](); err != nil {
				b.Fatal(err)
			}
		}
		sizes[i] = b.wire.Load()
	}
	for _, column := range columns {
		times := b.compare(calls, column)
		title += fmt.Sprintf("\t%s (1 = %.1f µs)", column.name, benchMedian(times[0])/1e3)
		for i := range times {
			var ratios []float64
			for round := range times[i] {
				ratios = append(ratios, times[i][round]/times[0][round])
			}
			cells[i] += fmt.Sprintf("\t%8.3f", benchMedian(ratios))
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintf(out, "\n%s\tbytes there and back\n", title)
	for i, row := range rows {
		fmt.Fprintf(out, "%s%s\t%7d\n", row.name, cells[i], sizes[i])
	}
}

// compare returns the nanoseconds that each of calls takes in each round. The order is random, so
// that what else goes on meets all of them alike.
func (b *bench) compare(calls []func() error, column benchColumn) [][]float64 {
	if testing.Short() {
		column.rounds = 1
	}
	times := make([][]float64, len(calls))
	for range column.rounds {
		for _, i := range rand.Perm(len(calls)) {
			begin := time.Now()
			var made atomic.Int64
			repeat := func() {
				for more := true; more; more = time.Since(begin) < column.slice {
					if err := calls[i](); err != nil {
						b.Error(err)
						return
					}
					made.Add(1)
				}
			}
			var running sync.WaitGroup
			for range column.inFlight - 1 {
				running.Go(repeat)
			}
			repeat()
			running.Wait()
			if b.Failed() {
				b.FailNow()
			}
			times[i] = append(times[i], float64(time.Since(begin))/float64(made.Load()))
		}
	}
	return times
}

func benchMedian(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// idle returns how many bytes of memory a connection takes that has made a call.
func (b *bench) idle() int64 {
	const connections = 100
	memory := func() int64 {
		runtime.GC()
		runtime.GC() // pools keep what they hold over one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc + m.StackInuse)
	}
	server, before := b.server(), memory()
	for range connections {
		ours, theirs := b.pair()
		go server.ServeConn(theirs)
		if err := benchMultiply(rpc.NewClient(ours).Call)(); err != nil {
			b.Fatal(err)
		}
	}
	return (memory() - before) / connections
}

func (b *bench) server() *rpc.Server { return rpctest.Server(b, new(shared.MathService), Payload{}) }

// dial returns a connection to l whose bytes are counted.
func (b *bench) dial(l net.Listener) (net.Conn, error) {
	conn, err := net.Dial(l.Addr().Network(), l.Addr().String())
	return benchConn{conn, &b.wire}, err
}

// connect dials, and closes the connection at the end of the benchmark.
func (b *bench) connect(l net.Listener) net.Conn {
	conn, err := b.dial(l)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// pair returns both ends of a connection.
func (b *bench) pair() (ours, theirs net.Conn) {
	ours, theirs = rpctest.TCPPair(b)
	return benchConn{ours, &b.wire}, theirs
}

// client serves on l, and connects.
func (b *bench) client(transport rpctest.Transport, l net.Listener) *rpc.Client {
	go transport.Serve(b.server(), l)
	client, err := transport.NewClient(b.connect(l))
	if err != nil {
		b.Fatal(err)
	}
	return client
}

// post makes each call an HTTP request, as to http/server/post.go. HTTP/1.1 answers one at a
// time on a connection, so that 64 in flight take 64 connections.
func (b *bench) post() benchCaller {
	rpcServer := b.server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		rpcServer.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.ReadCloser
			io.Writer
		}{r.Body, w}))
	}))
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			return b.dial(server.Listener)
		},
	}
	b.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	client := &http.Client{Transport: transport}
	return func(method string, args, reply any) error {
		request, _ := json.Marshal(map[string]any{"method": method, "params": [1]any{args}, "id": 1})
		resp, err := client.Post(server.URL, "application/json", bytes.NewReader(request))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body) // to its end, or the connection is not kept
		response := struct{ Result, Error any }{Result: reply}
		return errors.Join(err, json.Unmarshal(body, &response))
	}
}

// echo is the floor: as many bytes as gob's, in as many writes, and nothing is encoded,
// looked up or dispatched. Gob takes a few bytes more when its sequence number is over 127.
func (b *bench) echo() benchCaller {
	const size = 70 / 2
	ours, theirs := b.pair()
	go func() {
		message, r := make([]byte, size), bufio.NewReader(theirs)
		for {
			if _, err := io.ReadFull(r, message); err != nil {
				return
			}
			theirs.Write(message)
		}
	}()
	r := bufio.NewReader(ours)
	var writing, reading sync.Mutex // all replies are alike: any caller may take any
	return func(_ string, args, product any) error {
		message := make([]byte, size)
		writing.Lock()
		ours.Write(message)
		writing.Unlock()
		reading.Lock()
		_, err := io.ReadFull(r, message)
		reading.Unlock()
		return errors.Join(err, new(shared.MathService).Multiply(args.(*shared.Args), product.(*int)))
	}
}

// benchConn is a client's connection that counts its bytes, both ways.
type benchConn struct {
	net.Conn
	wire *atomic.Int64
}

func (c benchConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.Add(int64(n))
	return n, err
}

func (c benchConn) Write(p []byte) (int, error) {
	c.wire.Add(int64(len(p))) // first, for the reply may be there before Write returns
	return c.Conn.Write(p)
}

// Payload is a service that returns what it gets.
type Payload struct{}

// Bytes returns bytes.
func (Payload) Bytes(values []byte, reply *[]byte) error { *reply = values; return nil }

// Records returns records.
func (Payload) Records(values []benchRecord, reply *[]benchRecord) error { *reply = values; return nil }

type benchRecord struct {
	ID         int
	Name, City string
	Balance    float64
	Active     bool
}

// benchMultiply and benchReturn return what makes a call and checks its answer.
func benchMultiply(call benchCaller) func() error {
	return func() error {
		var reply int
		err := call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply)
		if err != nil || reply != 200 {
			return fmt.Errorf("Multiply(10, 20) = %d, %v, want 200", reply, err)
		}
		return nil
	}
}

func benchReturn[T comparable](method string, values []T) func(benchCaller) func() error {
	return func(call benchCaller) func() error {
		return func() error {
			var reply []T
			if err := call(method, values, &reply); err != nil || !slices.Equal(reply, values) {
				return fmt.Errorf("%s: %d of %d values, %v", method, len(reply), len(values), err)
			}
			return nil
		}
	}
}
