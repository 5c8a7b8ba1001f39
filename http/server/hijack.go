package main

import (
	"bufio"
	"net"
	"net/http"
)

// closeHijacked closes the connection that net/rpc takes over, also if net/rpc panics then. A few
// bytes of bad gob are enough for that (TestAFewBytesEndAGobServer, in tcp). net/http recovers,
// and leaves the connection open (TestAPanicInARPCConnectionLeavesItOpen, in http).
func closeHijacked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			h := &hijacker{ResponseWriter: w}
			defer h.close()
			w = h
		}
		next.ServeHTTP(w, r)
	})
}

// hijacker is a ResponseWriter that remembers the connection which its handler takes over.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack is what net/rpc calls to take the connection over.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.conn = conn
	return conn, buffered, err
}

func (h *hijacker) close() {
	if h.conn != nil {
		h.conn.Close()
	}
}
