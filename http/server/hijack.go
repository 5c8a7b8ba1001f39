package main

import (
	"context"
	"net"
	"net/http"
)

// closeHijacked has server answer by next, and close the connection if next panics: net/http leaves
// open one that net/rpc has taken over (TestAPanicInARPCConnectionLeavesItOpen, in http), and a few
// bytes of bad gob are enough for a panic (TestAFewBytesEndAGobServer, in tcp).
func closeHijacked(server *http.Server, next http.Handler) {
	type connKey struct{}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if cause := recover(); cause != nil {
				r.Context().Value(connKey{}).(net.Conn).Close()
				panic(cause)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
