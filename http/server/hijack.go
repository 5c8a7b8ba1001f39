package main

import (
	"context"
	"net"
	"net/http"
	"net/rpc"
)

type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// closeHijacked closes a connection that net/rpc has taken over, also if that panics: net/http
// only recovers (TestAPanicInARPCConnectionLeavesItOpen, in http), and a few bytes of bad gob
// are enough for a panic (TestAFewBytesEndAGobServer, in tcp).
func closeHijacked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect && r.URL.Path == rpc.DefaultRPCPath {
			defer r.Context().Value(connKey{}).(net.Conn).Close()
		}
		next.ServeHTTP(w, r)
	})
}
