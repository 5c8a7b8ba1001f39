package main

import (
	"context"
	"net"
	"net/http"
)

type connKey struct{}

// withConn, the ConnContext of a server, is how closeHijacked finds a request's connection.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// closeHijacked closes the connection if next panics, also one that net/rpc has taken over: those
// net/http leaves open (TestAPanicInARPCConnectionLeavesItOpen, in http), and a few bytes of bad gob
// are enough for a panic (TestAFewBytesEndAGobServer, in tcp).
func closeHijacked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		returned := false
		defer func() {
			if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok && !returned {
				conn.Close()
			}
		}()
		next.ServeHTTP(w, r)
		returned = true
	})
}
