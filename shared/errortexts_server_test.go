package shared_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// textsInTheServersLog are those that net/rpc and net/http print.
var textsInTheServersLog = []errorText{
	reads("rpc.Serve: accept:…", logged(func(t *testing.T) (own string) {
		l := rpctest.Listen(t)
		l.Close()
		rpc.NewServer().Accept(l)
		return l.Addr().String()
	})),
	reads("too many open files", logged(func(*testing.T) (own string) {
		queue := make(rpctest.Queue, 1)
		queue <- &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		rpc.NewServer().Accept(queue) // returns: the server is over
		return "accept4"
	})),
	reads("rpc: gob error encoding body: …",
		logs("gob: type shared_test.Hidden has", byGob("Clerk.Hide", 1, new(Hidden))),
		logs("interface: shared_test.Square", byGob("Clerk.SquareOf", 1, new(Drawing))),
		logs("handle type: chan int", byGob("Clerk.Channel", 1, new(chan int)))),
	reads("rpc: server cannot decode request: …", func(*testing.T) error {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go io.WriteString(ours, "GET / HTTP/1.1\r\n")
		return rpc.NewServer().ServeRequest(jsonrpc.NewServerCodec(theirs))
	}),
	reads("rpc hijacking …: …", visited(web(http.HandlerFunc(hijackFirst)), connectHTTP)),
	reads("http: response.WriteHeader on hijacked connection from …",
		logs("shared_test.writeHeaderLast", at(web(http.HandlerFunc(writeHeaderLast)), dialHTTP))),
	reads("http: response.Write on hijacked connection from …",
		logs("shared_test.writeLast", at(web(http.HandlerFunc(writeLast)), dialHTTP))),
	reads("http: TLS handshake error from …: …",
		visited(webOverTLS(&tls.Config{}), func(c net.Conn) error { return firstCall(rpc.NewClient(c), nil) }),
		visited(webOverTLS(&tls.Config{}), speakTLS(&tls.Config{}))),
	reads("tls: client didn't provide a certificate",
		visited(webOverTLS(&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}), speakTLS(trusting))),
	reads("tls: client offered only unsupported versions: …",
		visited(webOverTLS(&tls.Config{MinVersion: tls.VersionTLS13}), speakTLS(trustingTLS12))),
	reads("http: panic serving …: …",
		visited(web(http.TimeoutHandler(rpc.NewServer(), time.Hour, "")), connectHTTP)),
}

// Tutorial §4.2 to §4.4: what a server logs of its connections. It is little: net/rpc says nothing
// of a request that it cannot read, and over JSON nothing at all.
func TestTextsInTheServersLog(t *testing.T) { provokeAll(t, textsInTheServersLog) }

// visited returns what a server logs of a client, by its address.
func visited(start func(*testing.T) (addr string), visit func(net.Conn) error) func(*testing.T) error {
	return logged(func(t *testing.T) (own string) {
		conn, err := net.Dial("tcp", start(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		visit(conn)
		return conn.LocalAddr().String()
	})
}

func connectHTTP(conn net.Conn) error { return closed(rpctest.DialHTTPConn(conn)) }

// hijackFirst, writeHeaderLast and writeLast are middlewares around net/rpc's handler.
func hijackFirst(w http.ResponseWriter, r *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		defer conn.Close()
	}
	rpc.NewServer().ServeHTTP(w, r)
}

func writeHeaderLast(w http.ResponseWriter, r *http.Request) {
	rpc.NewServer().ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
}

func writeLast(w http.ResponseWriter, r *http.Request) {
	rpc.NewServer().ServeHTTP(w, r)
	w.Write([]byte("done"))
}

// textsOfPanics are those of panics, and of what else ends a process.
var textsOfPanics = []errorText{
	reads("rpc: done channel is unbuffered",
		panicked(func() { new(rpc.Client).Go("Clerk.Double", 1, nil, make(chan *rpc.Call)) })),
	callEnds("gob: cannot encode nil pointer of type …", spoilt, func(t *testing.T) outcome {
		clerk := new(Clerk)
		client, _ := rpctest.Gob.Connect(t, clerk)
		err := panicked(func() { client.Call("Clerk.Add", (*Pair)(nil), nil) })(t)
		return outcome{err.Error(), clerk.fate(client)}
	}),
	reads("is not http.Hijacker: missing method Hijack", panicked(func() {
		connect := httptest.NewRequest(http.MethodConnect, rpc.DefaultRPCPath, nil)
		rpc.NewServer().ServeHTTP(httptest.NewRecorder(), connect)
	})),
	reads("invalid memory address or nil pointer dereference",
		panicked(func() { (*rpc.Client)(nil).Call("Clerk.Double", 1, nil) }),
		panicked(func() { rpc.NewServer().Accept(nil) }),
		crash("TypedNil"),
		ended(func(conn net.Conn) { conn.Write(rpctest.HostileGob()) })),
	reads("created by net/rpc.(*Server).ServeCodec", crash("Divide")),
	reads("fatal error: concurrent map writes", crash("WriteMap")),
	reads("fatal error: concurrent map read and map write", crash("ReadMap")),
	reads("fatal error: stack overflow", crash("SendCycle")),
	reads("send on closed channel", crash("CloseDone")),
}

// What panics in a client's or a server's code, and which of it ends the process, since nobody can
// recover it: a panic in a goroutine that net/rpc has started.
func TestTextsOfPanics(t *testing.T) { provokeAll(t, textsOfPanics) }

// ended returns the standard error of a server's process that do ends.
func ended(do func(net.Conn)) func(*testing.T) error {
	return func(t *testing.T) error {
		// In the child, the race detector shall not write between the words of the runtime.
		t.Setenv("GORACE", "log_path="+filepath.Join(t.TempDir(), "race"))
		process := rpctest.StartProcess(t) // with Crash, as provokeAll says
		conn, err := net.Dial("tcp", process.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		do(conn)
		_, stderr := process.Wait()
		return errors.New(stderr)
	}
}
