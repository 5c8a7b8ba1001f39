package http_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// unstarted returns a server that waits for Start, and the tape of its connections. It logs
// nothing when its handler panics.
func unstarted(t *testing.T, handler http.Handler) (*httptest.Server, *rpctest.Tape) {
	t.Helper()
	ts, tape := httptest.NewUnstartedServer(handler), new(rpctest.Tape)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0)
	ts.Listener = tape.Listener(ts.Listener)
	t.Cleanup(ts.Close)
	return ts, tape
}

// start serves handler and returns the address.
func start(t *testing.T, handler http.Handler) string {
	t.Helper()
	ts, _ := unstarted(t, handler)
	ts.Start()
	return ts.Listener.Addr().String()
}

// serve has server serve a queue, in a synctest bubble or outside, until the test ends.
func serve(t *testing.T, server *http.Server) rpctest.Queue {
	t.Helper()
	l := make(rpctest.Queue)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l
}

// tryDialHTTP is rpc.DialHTTPPath with a time limit: by itself it waits forever. In the text of
// its error ADDR stands for addr, which is never the same.
func tryDialHTTP(t *testing.T, addr, path string) (*rpc.Client, error) {
	t.Helper()
	var client *rpc.Client
	dialled := make(chan error, 1)
	go func() {
		var err error
		client, err = rpc.DialHTTPPath("tcp", addr, path)
		dialled <- err
	}()
	if err := rpctest.Within(t, dialled, "the answer to CONNECT"); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), addr, "ADDR"))
	}
	t.Cleanup(func() { client.Close() })
	return client, nil
}

// dialHTTP is rpc.DialHTTP for a server that answers.
func dialHTTP(t *testing.T, addr string) *rpc.Client {
	t.Helper()
	client, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// shakeHands does what dialHTTP does, on a connection that there is already.
func shakeHands(t *testing.T, conn net.Conn) *rpc.Client {
	t.Helper()
	client, err := rpctest.DialHTTPConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// multiply makes a call and returns its result, be it an error.
func multiply(t *testing.T, client *rpc.Client) string {
	t.Helper()
	var reply int
	call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply, nil)
	if err := rpctest.Within(t, call.Done, "the reply to Multiply").Error; err != nil {
		return "Multiply(10, 20): " + err.Error()
	}
	return fmt.Sprintf("Multiply(10, 20) = %d", reply)
}
