package http_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/rpc"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The tutorial says that HTTP lets RPC through firewalls and reuses HTTP's infrastructure
// (§4.3, C17); of proxies it says nothing. One that speaks HTTP changes the status line, and
// DialHTTP insists on "200 Connected to Go RPC".
func TestReverseProxyBreaksDialHTTP(t *testing.T) {
	var saw rpctest.Transcript
	backend := start(t, rpctest.Server(t, new(shared.MathService)))
	proxy := start(t, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend}))
	saw.Add("without a proxy: %s", multiply(t, dialHTTP(t, backend)))
	_, err := tryDialHTTP(t, proxy, rpc.DefaultRPCPath)
	saw.Add("through httputil.ReverseProxy: %v", err)
	saw.Want(t, `
without a proxy: Multiply(10, 20) = 200
through httputil.ReverseProxy: dial-http tcp ADDR: unexpected HTTP response: 200 OK`)
}

// The tutorial says that net/rpc reuses HTTP's TLS (§4.3, C17): wrong as it stands, for DialHTTP
// speaks no TLS. A TLS server takes CONNECT for garbage, and hangs up. The true half: a client
// that dials with crypto/tls and sends CONNECT itself can call over HTTPS. (TLS without HTTP is a
// line less: see tcp.)
func TestCONNECTByHandWorksOverTLS(t *testing.T) {
	var saw rpctest.Transcript
	ts, tape := unstarted(t, rpctest.Server(t, new(shared.MathService)))
	ts.StartTLS()
	addr := ts.Listener.Addr().String()
	conn, err := tls.Dial("tcp", addr, ts.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(rpctest.Patience))
	saw.Add("tls.Dial, then CONNECT by hand: %s", multiply(t, shakeHands(t, conn)))
	_, received := tape.Take()
	saw.Add("on the wire one can read CONNECT: %t, MathService: %t",
		strings.Contains(received, "CONNECT"), strings.Contains(received, "MathService"))
	_, err = tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	saw.Add("DialHTTP of the same server: %v", err)
	saw.Want(t, `
tls.Dial, then CONNECT by hand: Multiply(10, 20) = 200
on the wire one can read CONNECT: false, MathService: false
DialHTTP of the same server: dial-http tcp ADDR: unexpected EOF`)
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). The time limits of
// an http.Server are for requests, and end at CONNECT: a client may be silent for hours.
func TestRequestsTimeOutCallsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		const limit = time.Second
		l := serve(t, &http.Server{
			Handler:     rpctest.Server(t, new(shared.MathService)),
			ReadTimeout: limit, ReadHeaderTimeout: limit, WriteTimeout: limit, IdleTimeout: limit,
		})
		silent, begin := l.Dial(t), time.Now()
		silent.SetDeadline(begin.Add(time.Hour))
		_, err := io.ReadAll(silent)
		saw.Add("the time limits are %v", limit)
		saw.Add("a connection without a request is closed after %v: %v", time.Since(begin), err)

		client := shakeHands(t, l.Dial(t))
		begin = time.Now()
		for range 2 {
			time.Sleep(time.Hour)
			saw.Add("%v after CONNECT: %s", time.Since(begin), multiply(t, client))
		}
		saw.Want(t, `
the time limits are 1s
a connection without a request is closed after 1s: <nil>
1h0m0s after CONNECT: Multiply(10, 20) = 200
2h0m0s after CONNECT: Multiply(10, 20) = 200`)
	})
}

// Sleeper is a service whose calls take an hour.
type Sleeper struct{}

// Double doubles n, when it has slept.
func (Sleeper) Double(n int, reply *int) error {
	time.Sleep(time.Hour)
	*reply = 2 * n
	return nil
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). Neither Shutdown
// nor Close of an http.Server knows of RPC connections: they go on serving, until the
// client ends them or a listener such as drain's does.
func TestShutdownLeavesConnectionsServing(t *testing.T) {
	var saw rpctest.Transcript
	for _, row := range []struct {
		name string
		end  func(*http.Server) error
	}{
		{"Shutdown", func(server *http.Server) error { return server.Shutdown(context.Background()) }},
		{"Close", (*http.Server).Close},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &http.Server{Handler: rpctest.Server(t, Sleeper{})}
			client := shakeHands(t, serve(t, server).Dial(t))
			var reply, next int
			call := client.Go("Sleeper.Double", 21, &reply, nil)
			synctest.Wait() // the method sleeps
			begin := time.Now()
			err := row.end(server)
			saw.Add("%s with a call in flight: %v after %v", row.name, err, time.Since(begin))
			<-call.Done
			err = client.Call("Sleeper.Double", 4, &next)
			saw.Add("and its reply comes: %d, %v; that of the next call: %d, %v", reply, call.Error, next, err)
		})
	}
	saw.Want(t, `
Shutdown with a call in flight: <nil> after 0s
and its reply comes: 42, <nil>; that of the next call: 8, <nil>
Close with a call in flight: <nil> after 0s
and its reply comes: 42, <nil>; that of the next call: 8, <nil>`)
}

// gob "is not designed to be hardened against adversarial inputs" (its documentation), and
// so a few bytes make it panic. Over TCP this ends the server. Here net/http recovers (§4.3),
// but it closes no connection that was hijacked, and neither does net/rpc: it stays open,
// with nobody to serve it.
func TestAPanicInARPCConnectionLeavesItOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var logged bytes.Buffer
		l := serve(t, &http.Server{
			Handler:  rpctest.Server(t, new(shared.MathService)),
			ErrorLog: log.New(&logged, "", 0),
		})
		conn := l.Dial(t)
		conn.SetDeadline(time.Now().Add(time.Hour))
		io.WriteString(conn, "CONNECT /_goRPC_ HTTP/1.0\n\n")
		io.ReadFull(conn, make([]byte, len("HTTP/1.0 200 Connected to Go RPC\n\n")))
		hostile := rpctest.HostileGob()
		go conn.Write(hostile)
		_, err := io.ReadAll(conn)
		synctest.Wait() // for the race detector: the log has long been written
		report, _, _ := strings.Cut(logged.String(), "\n")
		saw.Add("after %d bytes the server logs:\n%s", len(hostile), report)
		saw.Add("an hour later the connection is still open: %t", errors.Is(err, os.ErrDeadlineExceeded))
		saw.Add("another client: %s", multiply(t, shakeHands(t, l.Dial(t))))
		saw.Want(t, `
after 73 bytes the server logs:
http: panic serving pipe: runtime error: invalid memory address or nil pointer dereference
an hour later the connection is still open: true
another client: Multiply(10, 20) = 200`)
	})
}
