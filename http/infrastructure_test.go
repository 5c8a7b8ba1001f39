package http_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/gob"
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
)

// The tutorial says that HTTP lets RPC through firewalls and reuses HTTP's infrastructure
// (§4.3, C17); of proxies it says nothing. One that speaks HTTP changes the status line, and
// DialHTTP insists on "200 Connected to Go RPC".
func TestReverseProxyBreaksDialHTTP(t *testing.T) {
	backend := start(t, newServer(t))
	multiply(t, dialHTTP(t, backend), 10, 20) // without the proxy
	proxy := start(t, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend}))
	_, err := tryDialHTTP(t, proxy, rpc.DefaultRPCPath)
	if want := "dial-http tcp " + proxy + ": unexpected HTTP response: 200 OK"; err == nil || err.Error() != want {
		t.Errorf("DialHTTP through a proxy: %v, want %s", err, want)
	}
	t.Logf("DialHTTP through httputil.ReverseProxy: %v", errors.Unwrap(err))
}

// The tutorial says that net/rpc reuses HTTP's TLS (§4.3, C17). DialHTTP speaks no TLS; a
// client must dial with crypto/tls and send CONNECT itself (without HTTP: see tcp).
func TestDialHTTPSpeaksNoTLS(t *testing.T) {
	ts := unstarted(t, newServer(t))
	ts.StartTLS()
	addr := ts.Listener.Addr().String()
	_, err := tryDialHTTP(t, addr, rpc.DefaultRPCPath)
	if err == nil {
		t.Error("DialHTTP of a TLS server succeeded, want an error")
	}
	conn, dialErr := tls.Dial("tcp", addr, ts.Client().Transport.(*http.Transport).TLSClientConfig)
	if dialErr != nil {
		t.Fatal(dialErr)
	}
	sendCONNECT(t, conn)
	client := rpc.NewClient(conn)
	defer client.Close()
	multiply(t, client, 10, 20)
	t.Logf("DialHTTP of a TLS server: %v\ntls.Dial, then CONNECT by hand: Multiply works", errors.Unwrap(err))
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). The timeouts of
// an http.Server end at CONNECT: a client may be silent for hours.
func TestServerTimeoutsEndAtCONNECT(t *testing.T) {
	const timeout = time.Second
	synctest.Test(t, func(t *testing.T) {
		server := &http.Server{
			Handler:     newServer(t),
			ReadTimeout: timeout, ReadHeaderTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout,
		}
		l := make(pipeListener)
		go server.Serve(l)
		defer server.Close()

		silent := l.connect(t)
		silent.SetDeadline(time.Now().Add(time.Hour))
		begin := time.Now()
		_, err := io.ReadAll(silent)
		waited := time.Since(begin)
		if err != nil || waited != timeout {
			t.Errorf("before CONNECT the server hung up after %v, %v, want %v", waited, err, timeout)
		}
		t.Logf("timeouts of %v: the server hangs up on a silent connection after %v", timeout, waited)

		conn := l.connect(t)
		sendCONNECT(t, conn)
		client := rpc.NewClient(conn)
		defer client.Close()
		begin = time.Now()
		for range 3 {
			time.Sleep(time.Hour)
			multiply(t, client, 10, 20)
		}
		t.Logf("after CONNECT: three calls, an hour between them, answered in %v", time.Since(begin))
	})
}

// Gate is a service whose calls wait until the test lets them go.
type Gate struct{ entered, release chan bool }

// Pass says that it has been entered, waits for release and doubles n.
func (g *Gate) Pass(n int, reply *int) error {
	g.entered <- true
	<-g.release
	*reply = 2 * n
	return nil
}

// The tutorial says that net/rpc reuses HTTP's infrastructure (§4.3, C17). Neither Shutdown
// nor Close of an http.Server knows of RPC connections: they go on serving, until the
// client or a listener such as shared's ends them.
func TestShutdownLeavesConnectionsServing(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(context.Context, *http.Server) error
	}{
		{"Shutdown", func(ctx context.Context, server *http.Server) error { return server.Shutdown(ctx) }},
		{"Close", func(_ context.Context, server *http.Server) error { return server.Close() }},
	} {
		t.Run(row.name, func(t *testing.T) {
			gate := &Gate{entered: make(chan bool, 1), release: make(chan bool, 1)}
			server := newServer(t)
			if err := server.Register(gate); err != nil {
				t.Fatal(err)
			}
			ts := unstarted(t, server)
			ts.Start()
			client := dialHTTP(t, ts.Listener.Addr().String())
			var reply int
			call := client.Go("Gate.Pass", 21, &reply, nil)
			within(t, gate.entered, "call")

			// The call ends when it is released below. Whoever waits for it here gets an error.
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := row.end(ctx, ts.Config)
			if err != nil {
				t.Errorf("%s with a call in flight: %v, want nil without waiting for the call", row.name, err)
			}
			gate.release <- true
			within(t, call.Done, "reply to the call in flight")
			if call.Error != nil || reply != 42 {
				t.Errorf("call in flight: %d, %v, want 42", reply, call.Error)
			}
			multiply(t, client, 10, 20)
			t.Logf("%s returned %v with a call in flight, whose reply then came: %d; Multiply works as before", row.name, err, reply)
		})
	}
}

// hostileGob returns 73 bytes at which encoding/gob panics: twice a request header, and in the
// place of the argument a value of type 24, which nobody has defined.
func hostileGob() []byte {
	var b bytes.Buffer
	encoder := gob.NewEncoder(&b)
	for range 2 {
		encoder.Encode(rpc.Request{ServiceMethod: "X.Y"})
		b.Write([]byte{0x03, 0x30, 0x00, 0x00})
	}
	return b.Bytes()
}

// gob "is not designed to be hardened against adversarial inputs" (its documentation), and
// so a few bytes make it panic. Over TCP this ends the server. Here net/http recovers (§4.3),
// but it closes no connection that was hijacked, and neither does net/rpc: it stays open,
// with nobody to serve it.
func TestAPanicInARPCConnectionLeavesItOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		server := &http.Server{Handler: newServer(t), ErrorLog: log.New(&logged, "", 0)}
		l := make(pipeListener)
		go server.Serve(l)
		defer server.Close()

		conn := l.connect(t)
		sendCONNECT(t, conn)
		conn.SetDeadline(time.Now().Add(time.Hour))
		hostile := hostileGob()
		go conn.Write(hostile)
		_, err := io.ReadAll(conn)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the panic, the connection was read to its end, %v, want it open for an hour", err)
		}
		synctest.Wait()
		report, _, _ := strings.Cut(logged.String(), "\n")
		if want := "http: panic serving pipe: runtime error: invalid memory address or nil pointer dereference"; report != want {
			t.Errorf("%d hostile bytes: the server logged %q, want %q", len(hostile), report, want)
		}
		t.Logf("%d bytes: %s\nan hour later the connection is still open", len(hostile), report)

		next := l.connect(t)
		sendCONNECT(t, next)
		client := rpc.NewClient(next)
		defer client.Close()
		multiply(t, client, 10, 20) // the server lives on
	})
}
