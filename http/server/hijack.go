package main

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// closeOnPanic closes the connection if next panics. net/http recovers, but closes none that
// net/rpc has hijacked (TestAPanicInARPCConnectionLeavesItOpen, in http), and a few bytes of
// bad gob are enough for a panic (TestAFewBytesEndAGobServer, in tcp).
func closeOnPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		returned := false
		defer func() {
			if !returned {
				r.Context().Value(connKey{}).(net.Conn).Close()
			}
		}()
		next.ServeHTTP(w, r)
		returned = true
	})
}
