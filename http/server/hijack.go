package main

import (
	"context"
	"net"
	"net/http"
	"net/rpc"
)

// closeHijacked has server answer by next, and close a connection of net/rpc when next is done with it,
// also by a panic. Then net/http leaves it open (TestAPanicInARPCConnectionLeavesItOpen, in http), and
// a few bytes of bad gob are enough for one (TestAFewBytesEndAGobServer, in tcp).
func closeHijacked(server *http.Server, next http.Handler) {
	type connKey struct{}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect && r.URL.Path == rpc.DefaultRPCPath {
			defer r.Context().Value(connKey{}).(net.Conn).Close()
		}
		next.ServeHTTP(w, r)
	})
}
