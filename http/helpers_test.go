package http_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

const (
	connectRequest = "CONNECT /_goRPC_ HTTP/1.0\n\n"
	connectAnswer  = "HTTP/1.0 200 Connected to Go RPC\n\n"
)

// unstarted returns a server that waits for Start, and logs nothing when its handler panics.
func unstarted(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	ts := httptest.NewUnstartedServer(handler)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(ts.Close)
	return ts
}

// start serves handler and returns the address.
func start(t *testing.T, handler http.Handler) string {
	t.Helper()
	ts := unstarted(t, handler)
	ts.Start()
	return ts.Listener.Addr().String()
}

// fetch sends a request without a body, and returns the status and the body of the answer.
func fetch(t *testing.T, method, url string) (status, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: rpctest.Patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status, string(page)
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

const product = "Multiply(10, 20) = 200" // what multiply should return

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
