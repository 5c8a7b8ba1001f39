package http_test

import (
	"errors"
	"io"
	"net/http"
	"net/rpc"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Middleware sees
// the CONNECT of each connection, and none of its calls. (Of JSON-RPC over POST it sees
// each call: http/server has the handler, and the test.)
func TestMiddlewareRunsOncePerConnection(t *testing.T) {
	server := newServer(t)
	var runs atomic.Int32
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		server.ServeHTTP(w, r)
	}))
	const connections, calls = 2, 100
	for range connections {
		client := dialHTTP(t, addr)
		for i := range calls {
			multiply(t, client, i, 2)
		}
	}
	if got := runs.Load(); got != connections {
		t.Errorf("%d connections of %d calls each: middleware ran %d times, want %d", connections, calls, got, connections)
	}
	t.Logf("%d connections of %d calls each: middleware ran %d times", connections, calls, runs.Load())
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

// wantNoHijacker returns the panic that there was because a ResponseWriter has no Hijack.
func wantNoHijacker(t *testing.T, panics chan any) error {
	t.Helper()
	p := within(t, panics, "panic")
	err, ok := p.(*runtime.TypeAssertionError)
	if !ok || !strings.Contains(err.Error(), "is not http.Hijacker: missing method Hijack") {
		t.Fatalf("ServeHTTP panicked with %v, want a failed assertion to http.Hijacker", p)
	}
	return err
}

type plainWriter struct{ http.ResponseWriter }

type unwrapWriter struct{ http.ResponseWriter }

// Unwrap leads http.ResponseController to Hijack; net/rpc does not ask for it.
func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The tutorial says that net/rpc reuses HTTP's middleware (§4.3, C17). Under middleware
// that wraps the ResponseWriter without a Hijack of its own, ServeHTTP panics.
func TestWrappedResponseWriterWithoutHijackPanics(t *testing.T) {
	for _, row := range []struct {
		name string
		wrap func(next http.Handler) http.Handler
	}{
		{"a wrapper", func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plainWriter{w}, r) })
		}},
		{"a wrapper with Unwrap", func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(unwrapWriter{w}, r) })
		}},
		{"http.TimeoutHandler", func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			handler, panics := withPanics(row.wrap(newServer(t)))
			addr := start(t, handler)
			for i := range 2 { // net/http recovers and serves the next connection
				_, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
				if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("DialHTTP: %v, want io.ErrUnexpectedEOF", err)
				}
				if p := wantNoHijacker(t, panics); i == 0 {
					t.Logf("server: %v\nclient: %v", p, errors.Unwrap(err))
				}
			}
		})
	}
}

// The remedy for middleware that wraps: hand Hijack on.
func TestWrappedResponseWriterWithHijackWorks(t *testing.T) {
	server := newServer(t)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(struct {
			http.ResponseWriter
			http.Hijacker
		}{w, w.(http.Hijacker)}, r)
	}))
	multiply(t, dialHTTP(t, addr), 10, 20)
	t.Log("a wrapper that is an http.ResponseWriter and an http.Hijacker: Multiply works")
}

// The tutorial's table gives net/rpc "TCP or HTTP/1.1" (§5, C26). HTTP/2 it cannot use:
// a stream of HTTP/2 is no connection to hijack, and ServeHTTP panics.
func TestHTTP2CannotCarryRPC(t *testing.T) {
	handler, panics := withPanics(newServer(t))
	ts := unstarted(t, handler)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	req, err := http.NewRequestWithContext(t.Context(), "CONNECT", ts.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := ts.Client()
	client.Timeout = patience
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("CONNECT over %s: %s, want an error", resp.Proto, resp.Status)
	}
	t.Logf("CONNECT over HTTP/2: %v", wantNoHijacker(t, panics))
}
