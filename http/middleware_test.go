package http_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/rpc"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Middleware sees
// the CONNECT of each connection, and none of its calls. (Of JSON-RPC over POST it sees
// each call: http/server has the handler, and the test.)
func TestMiddlewareRunsOncePerConnection(t *testing.T) {
	var saw rpctest.Transcript
	var runs atomic.Int32
	server := rpctest.Server(t, new(shared.MathService))
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		server.ServeHTTP(w, r)
	}))
	for connection := range 2 {
		client, right := dialHTTP(t, addr), 0
		for range 100 {
			if multiply(t, client) == "Multiply(10, 20) = 200" {
				right++
			}
		}
		saw.Add("connection %d: %d calls answered", connection+1, right)
		saw.Add("runs of the middleware so far: %d", runs.Load())
	}
	saw.Want(t, `
connection 1: 100 calls answered
runs of the middleware so far: 1
connection 2: 100 calls answered
runs of the middleware so far: 2`)
}

// The true half of "reuses HTTP's middleware" (§4.3, C17): it sees CONNECT before net/rpc does,
// and can turn the connection away, here for want of a token. DialHTTP cannot send one, for it
// sends no header: see Example_bearerToken for a client that does.
func TestMiddlewareCanTurnAConnectionAway(t *testing.T) {
	var saw rpctest.Transcript
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw.Add("middleware sees %s with the headers %v", r.Method, r.Header)
		http.Error(w, "no token", http.StatusUnauthorized)
	}))
	_, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	saw.Add("it answers 401, and DialHTTP returns\n%v", err)
	saw.Want(t, `
middleware sees CONNECT with the headers map[]
it answers 401, and DialHTTP returns
dial-http tcp ADDR: unexpected HTTP response: 401 Unauthorized`)
}

// withPanics sends what next panics with, and leaves the panic to net/http.
func withPanics(next http.Handler) (http.Handler, chan any) {
	panics := make(chan any, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				panics <- p
				panic(p)
			}
		}()
		next.ServeHTTP(w, r)
	}), panics
}

// plainWriter can do what http.ResponseWriter says, and no more.
type plainWriter struct{ http.ResponseWriter }

// unwrapWriter leads http.ResponseController to Hijack; net/rpc does not ask for it.
type unwrapWriter struct{ http.ResponseWriter }

// Unwrap returns the writer within.
func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijackWriter hands Hijack on.
type hijackWriter struct {
	http.ResponseWriter
	http.Hijacker
}

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Under middleware that
// wraps the ResponseWriter without a Hijack of its own, ServeHTTP panics; net/http recovers, and
// serves the next connection. The remedy is to hand Hijack on.
func TestWrappedResponseWriterNeedsHijack(t *testing.T) {
	var saw rpctest.Transcript
	server, mux := rpctest.Server(t, new(shared.MathService)), http.NewServeMux()
	mux.HandleFunc("/wrapper", func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(plainWriter{w}, r)
	})
	mux.HandleFunc("/wrapper/Unwrap", func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(unwrapWriter{w}, r)
	})
	mux.Handle("/http.TimeoutHandler", http.TimeoutHandler(server, time.Hour, ""))
	mux.HandleFunc("/wrapper/Hijack", func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(hijackWriter{w, w.(http.Hijacker)}, r)
	})
	handler, panics := withPanics(mux)
	addr := start(t, handler)
	for _, path := range []string{"/wrapper", "/wrapper/Unwrap", "/http.TimeoutHandler", "/wrapper/Hijack"} {
		client, err := tryDialHTTP(t, addr, path)
		if err == nil {
			saw.Add("%s: %s", path, multiply(t, client))
			continue
		}
		saw.Add("%s: %v\n  server: %v", path, err, rpctest.Within(t, panics, "the panic"))
	}
	saw.Want(t, `
/wrapper: dial-http tcp ADDR: unexpected EOF
  server: interface conversion: http_test.plainWriter is not http.Hijacker: missing method Hijack
/wrapper/Unwrap: dial-http tcp ADDR: unexpected EOF
  server: interface conversion: http_test.unwrapWriter is not http.Hijacker: missing method Hijack
/http.TimeoutHandler: dial-http tcp ADDR: unexpected EOF
  server: interface conversion: *http.timeoutWriter is not http.Hijacker: missing method Hijack
/wrapper/Hijack: Multiply(10, 20) = 200`)
}

// The tutorial's table gives net/rpc "TCP or HTTP/1.1" (§5, C26). HTTP/2 it cannot use:
// a stream of HTTP/2 is no connection to hijack, and ServeHTTP panics.
func TestHTTP2CannotCarryRPC(t *testing.T) {
	var saw rpctest.Transcript
	handler, panics := withPanics(rpctest.Server(t, new(shared.MathService)))
	ts, _ := unstarted(t, handler)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	request, err := http.NewRequestWithContext(t.Context(), "CONNECT", ts.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	ts.Client().Timeout = rpctest.Patience
	_, err = ts.Client().Do(request)
	saw.Add("CONNECT over HTTP/2: %v", errors.Unwrap(err))
	_, why, _ := strings.Cut(fmt.Sprint(rpctest.Within(t, panics, "the panic")), " is not ")
	saw.Add("the server panics: its ResponseWriter is not %s", why)
	saw.Want(t, `
CONNECT over HTTP/2: stream error: stream ID 1; INTERNAL_ERROR; received from peer
the server panics: its ResponseWriter is not http.Hijacker: missing method Hijack`)
}
