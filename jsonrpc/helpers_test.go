package jsonrpc_test

import (
	"bytes"
	"log"
	"math"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

const patience = 10 * time.Second // for what should take no time

// pipe returns the two ends of a connection that breaks after patience, so that
// no test waits forever.
func pipe(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ours, theirs = net.Pipe()
	for _, end := range []net.Conn{ours, theirs} {
		end.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { end.Close() })
	}
	return ours, theirs
}

// newServer returns a server that publishes service.
func newServer(t *testing.T, service any) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	return server
}

// start returns a connection to a server that publishes service as JSON-RPC.
func start(t *testing.T, service any) net.Conn {
	t.Helper()
	ours, theirs := pipe(t)
	go newServer(t, service).ServeCodec(jsonrpc.NewServerCodec(theirs))
	return ours
}

// connect returns a client of a server that publishes service, in either codec.
func connect(t *testing.T, codec string, service any) *rpc.Client {
	t.Helper()
	var client *rpc.Client
	if codec == "JSON" {
		client = jsonrpc.NewClient(start(t, service))
	} else {
		ours, theirs := pipe(t)
		go newServer(t, service).ServeConn(theirs)
		client = rpc.NewClient(ours)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// within receives from c; what says what is missing if nothing comes.
func within[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	var value T
	select {
	case value = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
	return value
}

// wantSilence fails the test if anything has been logged when it ends.
func wantSilence(t *testing.T) {
	t.Helper()
	var logged bytes.Buffer
	stderr := log.Writer()
	log.SetOutput(&logged)
	t.Cleanup(func() {
		log.SetOutput(stderr)
		if logged.Len() > 0 {
			t.Errorf("logged: %q, want nothing", &logged)
		}
	})
}

// Number is a service for what JSON does to numbers and lists.
type Number struct{}

// Same returns n. An int64 keeps 2^53 + 1 on every machine, an int does not.
func (Number) Same(n int64, reply *int64) error {
	*reply = n
	return nil
}

// NaN returns a number that JSON cannot write.
func (Number) NaN(args *shared.Args, reply *float64) error {
	*reply = math.NaN()
	return nil
}

// Divisors returns the divisors of n from 2 to n-1, and a nil slice if there are none.
func (Number) Divisors(n int, reply *[]int) error {
	*reply = nil
	for d := 2; d < n; d++ {
		if n%d == 0 {
			*reply = append(*reply, d)
		}
	}
	return nil
}
