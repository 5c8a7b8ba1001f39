package shared_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
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

// What a call costs. BenchmarkRatios and BenchmarkScale print the README's tables.
// They time themselves, so that one iteration is enough:
//
//	go test -run '^$' -bench 'Ratios|Scale' -benchtime 1x ./shared
//
// The other three are plain benchmarks. Client and server are always one process.

// bench is a benchmark, and counts the bytes that its clients send and receive.
type bench struct {
	*testing.B
	wire atomic.Int64
}

// benchCaller calls a method on a connection that is kept, as rpc.Client.Call does.
type benchCaller func(method string, args, reply any) error

// benchCall makes one call and checks its answer.
type benchCall func() error

// benchRow is one of several ways to make a call, of which the first is the measure of
// the others. connect starts a server and connects to it.
type benchRow struct {
	name    string
	connect func(*bench) benchCall
}

// benchTransports are the ways to the service. Payloads go over the first three.
var benchTransports = []struct {
	name    string
	connect func(*bench) benchCaller
}{
	{"gob over TCP", func(b *bench) benchCaller { return b.client(rpctest.Gob, "tcp").Call }},
	{"JSON over TCP", func(b *bench) benchCaller { return b.client(rpctest.JSON, "tcp").Call }},
	{"JSON over POST", (*bench).post},
	{"gob over HTTP", func(b *bench) benchCaller {
		l := b.listen("tcp")
		b.serveHTTP(l, b.server())
		client, err := rpctest.DialHTTPConn(b.connect(l))
		if err != nil {
			b.Fatal(err)
		}
		return client.Call
	}},
	{"gob over a unix socket", func(b *bench) benchCaller { return b.client(rpctest.Gob, "unix").Call }},
	{"gob over net.Pipe", func(b *bench) benchCaller {
		ours, theirs := net.Pipe()
		b.Cleanup(func() { ours.Close() })
		go b.server().ServeConn(theirs)
		return rpc.NewClient(benchConn{ours, &b.wire}).Call
	}},
	{"raw TCP echo", (*bench).echo},
}

// benchPayloads are calls that differ in how much they carry, there and back.
var benchPayloads = []struct {
	name string
	call func(benchCaller) benchCall
}{
	{"Multiply", benchMultiply},
	{"1 KiB of bytes", benchReturn("Bytes", make([]byte, 1<<10))},
	{"64 KiB of bytes", benchReturn("Bytes", make([]byte, 64<<10))},
	{"100 records", benchReturn("Records", slices.Repeat(benchAda, 100))},
}

var benchAda = []benchRecord{{1815, "Ada", "London", 12.10, true}}

// benchAdditions are net/rpc alone and what this repository adds to it. The second row
// is the first again: as far as it is from 1.000, the others may be wrong as well.
var benchAdditions = []benchRow{
	{"net/rpc alone", benchAlone},
	{"the same again", benchAlone},
	{"drain.Listener", func(b *bench) benchCall {
		l := drain.New(b.listen("tcp"))
		b.serve(rpctest.Gob, l)
		return benchMultiply(rpc.NewClient(b.connect(l)).Call)
	}},
	{"MathServiceClient", func(b *bench) benchCall { return b.stub(context.Background()) }},
	{"MathServiceClient, deadline", func(b *bench) benchCall {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		b.Cleanup(cancel)
		return b.stub(ctx)
	}},
	{"codec for strangers", func(b *bench) benchCall {
		l, server := b.listen("tcp"), b.server()
		b.accept(l, func(conn net.Conn) { server.ServeCodec(newGuardedCodec(conn, 1<<20)) })
		return benchMultiply(rpc.NewClient(b.connect(l)).Call)
	}},
	{"writes gathered", func(b *bench) benchCall {
		l, server := b.listen("tcp"), b.server()
		b.accept(l, func(conn net.Conn) { server.ServeConn(gatherWrites(conn)) })
		return benchMultiply(rpc.NewClient(gatherWrites(b.connect(l))).Call)
	}},
}

func benchAlone(b *bench) benchCall { return benchMultiply(b.client(rpctest.Gob, "tcp").Call) }

// benchDialPerCall connects for each call, which has to send gob's types again.
func benchDialPerCall(b *bench) benchCall {
	l := b.listen("tcp")
	b.serve(rpctest.Gob, l)
	return func() error {
		conn, err := b.dial(l)
		if err != nil {
			return err
		}
		client := rpc.NewClient(conn)
		defer client.Close()
		return benchMultiply(client.Call)()
	}
}

// benchRows returns a row for each of the first n transports.
func benchRows(n int, prefix string, payload func(benchCaller) benchCall) (rows []benchRow) {
	for _, transport := range benchTransports[:n] {
		connect := func(b *bench) benchCall { return payload(transport.connect(b)) }
		rows = append(rows, benchRow{prefix + transport.name, connect})
	}
	return rows
}

func benchCalls() []benchRow {
	rows := benchRows(len(benchTransports), "", benchMultiply)
	return append(rows, benchRow{"gob, dial per call", benchDialPerCall})
}

func BenchmarkCall(b *testing.B) { benchRun(b, benchCalls(), 1, 64) }

func BenchmarkPayload(b *testing.B) {
	for _, payload := range benchPayloads {
		benchRun(b, benchRows(3, payload.name+"/", payload.call), 1)
	}
}

func BenchmarkAdditions(b *testing.B) { benchRun(b, benchAdditions, 1, 64) }

// benchRun runs the rows as benchmarks, with as many calls in flight on a connection.
func benchRun(b *testing.B, rows []benchRow, inFlight ...int) {
	for _, row := range rows {
		for _, n := range inFlight {
			b.Run(row.name+"/"+map[int]string{1: "one-by-one", 64: "64-in-flight"}[n], func(testingB *testing.B) {
				b := &bench{B: testingB}
				call := row.connect(b)
				b.size(call) // the first calls are longer
				b.wire.Store(0)
				b.ReportAllocs()
				if n == 1 {
					for b.Loop() {
						if err := call(); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					var left atomic.Int64
					left.Store(int64(b.N))
					b.ResetTimer()
					b.repeat(slices.Repeat([]benchCall{call}, n), func() bool { return left.Add(-1) >= 0 })
					b.StopTimer()
				}
				b.ReportMetric(float64(b.wire.Load())/float64(b.N), "wire-B/call")
			})
		}
	}
}

// BenchmarkRatios prints what calls cost in relation to one another.
func BenchmarkRatios(b *testing.B) {
	b.ReportMetric(0, "ns/op") // means nothing here
	if b.N > 1 {
		return // all is printed already
	}
	fmt.Printf("%s, %s/%s, %d CPUs. Client and server are one process.\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	fmt.Println("Time per call, as a ratio to a table's first row: " +
		"medians over rounds in which the rows take turns.")
	one := benchColumn{"one by one", 1, 21, 30 * time.Millisecond}
	many := benchColumn{"64 in flight", 64, 21, 30 * time.Millisecond}
	benchPrint(b, "Multiply", 2, benchCalls(), one, many)
	for _, payload := range benchPayloads[1:] {
		benchPrint(b, payload.name+", there and back", 2, benchRows(3, "", payload.call), one)
	}
	// A difference of a few per cent takes many short rounds to tell.
	one.rounds, one.slice = 10_000, 0
	many.rounds, many.slice = 100, 10*time.Millisecond
	benchPrint(b, "This repository's additions", 3, benchAdditions, one, many)
}

// benchColumn is a column of a table of ratios. In each round a row makes calls for the
// time of a slice, but at least one call.
type benchColumn struct {
	name             string
	inFlight, rounds int
	slice            time.Duration
}

// benchPrint prints a table of ratios to the first row, and the bytes of a call.
func benchPrint(testingB *testing.B, title string, digits int, rows []benchRow, columns ...benchColumn) {
	cells := make([]string, len(rows))
	calls := make([]benchCall, len(rows))
	sizes := make([]int64, len(rows))
	for i, row := range rows {
		b := &bench{B: testingB}
		calls[i] = row.connect(b)
		sizes[i] = b.size(calls[i])
	}
	for _, column := range columns {
		var turns [][]benchCall
		for _, call := range calls {
			turns = append(turns, slices.Repeat([]benchCall{call}, column.inFlight))
		}
		times := (&bench{B: testingB}).compare(turns, column.rounds, column.slice)
		title += fmt.Sprintf("\t%s (1 = %.1f µs)", column.name, benchMedian(times[0])/1e3)
		for i := range times {
			ratios := make([]float64, column.rounds)
			for round := range ratios {
				ratios[round] = times[i][round] / times[0][round]
			}
			cells[i] += fmt.Sprintf("\t%*.*f", 5+digits, digits, benchMedian(ratios))
		}
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintf(out, "\n%s\tbytes on the wire\n", title)
	for i, row := range rows {
		fmt.Fprintf(out, "%s%s\t%7d\n", row.name, cells[i], sizes[i])
	}
}

// BenchmarkScale prints what many connections to one server cost. A thousand of them
// are 2,000 file descriptors, since both ends are in one process.
func BenchmarkScale(testingB *testing.B) {
	b := &bench{B: testingB}
	b.ReportMetric(0, "ns/op")
	if b.N > 1 {
		return
	}
	b.size(benchAlone(b)) // what only the first connection needs
	counts := []int{1, 10, 100, 1000}
	turns := make([][]benchCall, len(counts))
	memory := make([]int64, len(counts))
	for i, count := range counts {
		l := b.listen("tcp")
		b.serve(rpctest.Gob, l)
		before := benchMemory()
		for range count {
			turns[i] = append(turns[i], benchMultiply(rpc.NewClient(b.connect(l)).Call))
		}
		for _, call := range turns[i] {
			b.size(call)
		}
		memory[i] = (benchMemory() - before) / int64(count)
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "\nConnections to one server\tcalls/s in all\tmemory of an idle one, both ends")
	for i, times := range b.compare(turns, 7, 200*time.Millisecond) {
		fmt.Fprintf(out, "%d\t%7.0f\t%4d KiB\n", counts[i], 1e9/benchMedian(times), memory[i]>>10)
	}
}

// benchMemory returns how many bytes of heap and stacks are in use.
func benchMemory() int64 {
	runtime.GC()
	runtime.GC() // pools keep what they hold over one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

func benchMedian(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// compare gives each of turns, which are calls to make at the same time, a slice of
// time in every round. It returns the nanoseconds per call of each turn and round. The
// order is random, so that what else goes on meets all of them alike.
func (b *bench) compare(turns [][]benchCall, rounds int, slice time.Duration) [][]float64 {
	times := make([][]float64, len(turns))
	for range rounds {
		for _, i := range rand.Perm(len(turns)) {
			begin := time.Now()
			var made atomic.Int64
			made.Store(int64(-len(turns[i]))) // for each counts one that it does not make
			b.repeat(turns[i], func() bool { return made.Add(1) <= 0 || time.Since(begin) < slice })
			times[i] = append(times[i], float64(time.Since(begin))/float64(made.Load()))
		}
	}
	return times
}

// repeat makes all of calls at the same time, each again and again while more says so.
func (b *bench) repeat(calls []benchCall, more func() bool) {
	var running sync.WaitGroup
	repeat := func(call benchCall) {
		for more() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	}
	for _, call := range calls[1:] {
		running.Go(func() { repeat(call) })
	}
	repeat(calls[0])
	running.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// size returns the bytes of a call on the wire, once gob has sent its types.
func (b *bench) size(call benchCall) int64 {
	for range 2 {
		b.wire.Store(0)
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	return b.wire.Load()
}

func (b *bench) listen(network string) net.Listener {
	addr := "127.0.0.1:0"
	if network == "unix" { // in a short path: some systems allow 104 bytes
		addr = filepath.Join(os.TempDir(), fmt.Sprint("rpc", rand.Uint32()))
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// accept is rpc.Accept without the line that it logs at the end, and waits for its
// goroutines then, so that none of them is left in what is measured next.
func (b *bench) accept(l net.Listener, serve func(net.Conn)) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serve(conn) })
		}
	})
	b.Cleanup(func() {
		l.Close()
		running.Wait()
	})
}

func (b *bench) serve(codec rpctest.Codec, l net.Listener) {
	server := b.server()
	b.accept(l, func(conn net.Conn) { codec.Serve(server, conn) })
}

func (b *bench) serveHTTP(l net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
}

func (b *bench) server() *rpc.Server {
	return rpctest.Server(b, new(shared.MathService), Bytes{}, Records{})
}

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

// client listens, serves and connects.
func (b *bench) client(codec rpctest.Codec, network string) *rpc.Client {
	l := b.listen(network)
	b.serve(codec, l)
	return codec.NewClient(b.connect(l))
}

func (b *bench) stub(ctx context.Context) benchCall {
	stub := shared.NewMathServiceClient(b.client(rpctest.Gob, "tcp"))
	return func() error {
		product, err := stub.Multiply(ctx, 10, 20)
		if err != nil || product != 200 {
			return fmt.Errorf("Multiply(10, 20) = %d, %v, want 200", product, err)
		}
		return nil
	}
}

// post makes each call an HTTP request, as to http/server/post.go. HTTP/1.1 answers one at a
// time on a connection, so that 64 in flight take 64 connections.
func (b *bench) post() benchCaller {
	l, server := b.listen("tcp"), b.server()
	b.serveHTTP(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		server.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.ReadCloser
			io.Writer
		}{r.Body, w}))
	}))
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext:         func(context.Context, string, string) (net.Conn, error) { return b.dial(l) },
	}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func(method string, args, reply any) error {
		request, err := json.Marshal(map[string]any{"method": method, "params": [1]any{args}, "id": 1})
		if err != nil {
			return err
		}
		resp, err := client.Post("http://"+l.Addr().String(), "application/json", bytes.NewReader(request))
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
	request, reply := bytes.Repeat([]byte("net/"), 36/4), 34
	l := b.listen("tcp")
	b.accept(l, func(conn net.Conn) {
		defer conn.Close()
		r, got := bufio.NewReader(conn), make([]byte, len(request))
		for {
			if _, err := io.ReadFull(r, got); err != nil {
				return
			}
			conn.Write(got[:reply])
		}
	})
	conn := b.connect(l)
	r := bufio.NewReader(conn)
	var writing, reading sync.Mutex // all replies are alike: any caller may take any
	return func(_ string, args, product any) error {
		writing.Lock()
		conn.Write(request)
		writing.Unlock()
		got := make([]byte, reply)
		reading.Lock()
		_, err := io.ReadFull(r, got)
		reading.Unlock()
		if err != nil || !bytes.Equal(got, request[:reply]) {
			return fmt.Errorf("echo: %q, %v, want %q", got, err, request[:reply])
		}
		return new(shared.MathService).Multiply(args.(*shared.Args), product.(*int))
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

type (
	// Bytes is a service that returns the bytes that it gets.
	Bytes struct{ benchValues[byte] }
	// Records is one that returns records.
	Records struct{ benchValues[benchRecord] }

	benchValues[T any] struct{}
	benchRecord        struct {
		ID         int
		Name, City string
		Balance    float64
		Active     bool
	}
)

// Return returns what it gets.
func (benchValues[T]) Return(values []T, reply *[]T) error { *reply = values; return nil }

func benchMultiply(call benchCaller) benchCall {
	return func() error {
		var reply int
		if err := call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply); err != nil || reply != 200 {
			return fmt.Errorf("Multiply(10, 20) = %d, %v, want 200", reply, err)
		}
		return nil
	}
}

func benchReturn[T comparable](service string, values []T) func(benchCaller) benchCall {
	return func(call benchCaller) benchCall {
		return func() error {
			var reply []T
			if err := call(service+".Return", values, &reply); err != nil || !slices.Equal(reply, values) {
				return fmt.Errorf("%s.Return: %d of %d values, %v", service, len(reply), len(values), err)
			}
			return nil
		}
	}
}
