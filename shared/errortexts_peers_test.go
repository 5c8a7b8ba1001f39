package shared_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// at starts a server, or no more than finds an address, and does something there.
func at(start func(*testing.T) (addr string), do func(addr string) error) func(*testing.T) error {
	return func(t *testing.T) error { return do(start(t)) }
}

func dialHTTP(addr string) error { return closed(rpc.DialHTTP("tcp", addr)) }

// closed closes what there is without an error.
func closed(c io.Closer, err error) error {
	if err == nil {
		c.Close()
	}
	return err
}

// over returns a server with one of the transports.
func over(transport rpctest.Transport) func(*testing.T) (addr string) {
	return func(t *testing.T) string {
		l := rpctest.Listen(t)
		go transport.Serve(rpc.NewServer(), l)
		return l.Addr().String()
	}
}

// web returns a web server.
func web(handler http.Handler) func(*testing.T) (addr string) {
	return func(t *testing.T) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
}

// serveFirst has peer talk to the first client, and to no other.
func serveFirst(t *testing.T, peer func(net.Conn)) (addr string) {
	l := rpctest.Listen(t)
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			peer(conn)
		}
	}()
	return l.Addr().String()
}

// stranger returns a server of another protocol, which answers what it does not understand.
func stranger(answer string) func(*testing.T) (addr string) {
	return func(t *testing.T) string {
		return serveFirst(t, func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			io.WriteString(conn, answer)
			io.Copy(io.Discard, conn)
		})
	}
}
