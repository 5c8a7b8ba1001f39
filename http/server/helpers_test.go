package main

import (
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/rpc"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Odd is a service whose methods do what those of MathService do not.
type Odd struct{ executed atomic.Int32 }

// Count returns how often it was called.
func (o *Odd) Count(_ struct{}, reply *int32) error { *reply = o.executed.Add(1); return nil }

// Panic panics.
func (o *Odd) Panic(_ struct{}, reply *int) error { panic("a bug in the method") }

// NaN returns what JSON cannot hold.
func (o *Odd) NaN(_ struct{}, reply *float64) error { *reply = math.NaN(); return nil }

// routes are those of main, to a server of their own.
func routes(t *testing.T) http.Handler {
	t.Helper()
	server := rpctest.Server(t, new(shared.MathService), new(Odd))
	mux := http.NewServeMux()
	mux.Handle(rpc.DefaultRPCPath, server)
	mux.Handle("POST /jsonrpc", newPostHandler(server))
	return mux
}

// serveRoutes serves them on l, as main does, until a test in a synctest bubble ends.
func serveRoutes(t *testing.T, l net.Listener) {
	t.Helper()
	server := &http.Server{ReadTimeout: 2 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	closeHijacked(server, routes(t))
	go server.Serve(l)
	t.Cleanup(func() {
		server.Close()
		time.Sleep(time.Second) // net/http waits half of it before it hangs up after a body that is too large
	})
}

// answer reads a response to its end, and returns its status and its body, or the error. It adds
// what most have not: a Content-Type that is neither an answer's nor a refusal's, and Connection: close.
func answer(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, body))
	kind, refused := resp.Header.Get("Content-Type"), resp.StatusCode >= 400
	if !refused && kind != "application/json" || refused && kind != "text/plain; charset=utf-8" {
		text += "\nand Content-Type: " + kind
	}
	if resp.Close {
		text += "\nand Connection: close"
	}
	return text
}
