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
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// textsInTheServersLog are those that net/rpc and net/http print.
var textsInTheServersLog = []errorText{
	logs("rpc.Serve: accept:…", func(t *testing.T) {
		l := rpctest.Listen(t)
		l.Close()
		rpc.NewServer().Accept(l)
	}),
	logs("too many open files", func(*testing.T) {
		queue := make(rpctest.Queue, 1)
		queue <- &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		rpc.NewServer().Accept(queue) // returns: the server is over
	}),
	logs("rpc: gob error encoding body: …",
		func(t *testing.T) { byGob("Clerk.Hide", 1, new(Hidden))(t) },
		func(t *testing.T) { byGob("Clerk.SquareOf", 1, new(Drawing))(t) },
	),
	reads("rpc: server cannot decode request: …",
		returned(func(*testing.T) error {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			go io.WriteString(ours, "GET / HTTP/1.1\r\n")
			return rpc.NewServer().ServeRequest(jsonrpc.NewServerCodec(theirs))
		}),
	),
	logs("rpc hijacking …: …",
		middleware(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				defer conn.Close()
			}
			next.ServeHTTP(w, r)
		}),
	),
	logs("http: response.WriteHeader on hijacked connection from …",
		middleware(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			w.WriteHeader(http.StatusOK)
		}),
	),
	logs("http: response.Write on hijacked connection from …",
		middleware(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			next.ServeHTTP(w, r)
			io.WriteString(w, "done")
		}),
	),
	logs("http: TLS handshake error from …: …",
		func(t *testing.T) { firstCall(rpc.Dial("tcp", addrOf(tlsServer(t)))) },
		func(t *testing.T) { dialTLS(addrOf(tlsServer(t)), nil) },
	),
	logs("tls: client didn't provide a certificate", func(t *testing.T) {
		server := tlsServerWith(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert})
		dialTLS(addrOf(server), &tls.Config{InsecureSkipVerify: true})
	}),
	logs("tls: client offered only unsupported versions: …", func(t *testing.T) {
		server := tlsServerWith(t, &tls.Config{MinVersion: tls.VersionTLS13})
		dialTLS(addrOf(server), &tls.Config{MaxVersion: tls.VersionTLS12})
	}),
	logs("http: panic serving …: …", func(t *testing.T) {
		rpc.DialHTTP("tcp", httpServer(t, http.TimeoutHandler(rpc.NewServer(), time.Hour, "")))
	}),
}

// Tutorial §4.2 to §4.4: what a server logs of its connections. It is little: net/rpc says nothing
// of a request that it cannot read, and over JSON nothing at all.
func TestTextsInTheServersLog(t *testing.T) { provokeAll(t, textsInTheServersLog) }

// middleware lets a client dial a server with a middleware around net/rpc's handler, and hang up.
func middleware(serve func(http.ResponseWriter, *http.Request, http.Handler)) func(*testing.T) {
	return func(t *testing.T) {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serve(w, r, rpc.NewServer())
		})
		if client, err := rpc.DialHTTP("tcp", httpServer(t, handler)); err == nil {
			client.Close()
		}
	}
}

// textsOfPanics are those of panics, and of what else ends a process.
var textsOfPanics = []errorText{
	reads("rpc: done channel is unbuffered",
		panicked(func(t *testing.T) {
			client, _ := rpctest.Gob.Connect(t, new(Clerk))
			client.Go("Clerk.Double", 1, nil, make(chan *rpc.Call))
		}),
	),
	callEnds("gob: cannot encode nil pointer of type …", notExecuted, finished,
		func(t *testing.T) outcome {
			clerk := new(Clerk)
			client, _ := rpctest.Gob.Connect(t, clerk)
			got := panicked(func(*testing.T) { client.Call("Clerk.Add", (*Pair)(nil), nil) })(t)
			got.fate = clerk.fate(client)
			return got
		},
	),
	reads("is not http.Hijacker: missing method Hijack",
		panicked(func(*testing.T) {
			connect := httptest.NewRequest(http.MethodConnect, rpc.DefaultRPCPath, nil)
			rpc.NewServer().ServeHTTP(httptest.NewRecorder(), connect)
		}),
	),
	reads("invalid memory address or nil pointer dereference",
		panicked(func(*testing.T) { var client *rpc.Client; client.Call("Clerk.Double", 1, nil) }),
		panicked(func(*testing.T) { rpc.NewServer().Accept(nil) }),
		crash("TypedNil"),
		func(t *testing.T) outcome {
			return end(t, func(conn net.Conn) { conn.Write(rpctest.HostileGob()) })
		},
	),
	reads("created by net/rpc.(*Server).ServeCodec", crash("Divide")),
	reads("fatal error: concurrent map writes", crash("WriteMap")),
	reads("fatal error: concurrent map read and map write", crash("ReadMap")),
	reads("fatal error: stack overflow", crash("SendCycle")),
	reads("send on closed channel", crash("CloseDone")),
}

// What panics in a client's or a server's code, and which of it ends the process, since nobody can
// recover it: a panic in a goroutine that net/rpc has started.
func TestTextsOfPanics(t *testing.T) { provokeAll(t, textsOfPanics) }

// crash calls a method of Crash in a process of its own, which ends.
func crash(method string) provocation {
	return func(t *testing.T) outcome {
		return end(t, func(conn net.Conn) {
			client := rpc.NewClient(conn)
			defer client.Close()
			client.Call("Crash."+method, 1, new(int))
		})
	}
}

// end returns the standard error of a server's process that do ends.
func end(t *testing.T, do func(net.Conn)) outcome {
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
	return outcome{text: stderr}
}

// Crash ends its process.
type Crash struct{}

// HandleHTTPTwice registers what is registered.
func (Crash) HandleHTTPTwice(_ int, _ *int) error {
	rpc.HandleHTTP()
	rpc.HandleHTTP()
	return nil
}

// Divide divides by zero.
func (Crash) Divide(n int, reply *int) error {
	*reply = n / (n - 1)
	return nil
}

type noError struct{ text string }

func (e *noError) Error() string { return e.text }

// TypedNil returns an error that is not nil, but whose pointer is.
func (Crash) TypedNil(_ int, _ *int) error {
	var err *noError
	return err
}

// WriteMap writes to a map in several goroutines. The keys are equal and long, and so a write
// takes its time.
func (Crash) WriteMap(_ int, _ *int) error {
	runtime.GOMAXPROCS(4)
	m := make(map[string]int)
	for range 4 {
		go func() {
			for key := strings.Repeat("k", 1<<20); ; {
				m[key] = 1
			}
		}()
	}
	select {}
}

// ReadMap reads a map in several goroutines, and writes to it in one.
func (Crash) ReadMap(_ int, _ *int) error {
	runtime.GOMAXPROCS(4)
	m := map[string]int{strings.Repeat("k", 1<<20): 1}
	go func() {
		for key := strings.Repeat("k", 1<<20); ; {
			m[key] = 1
		}
	}()
	for range 3 {
		go func() {
			for sum := 0; ; {
				sum += m["k"]
			}
		}()
	}
	select {}
}

// SendCycle calls with an argument that points to itself.
func (Crash) SendCycle(_ int, _ *int) error {
	debug.SetMaxStack(1 << 20)
	ours, _ := net.Pipe()
	return rpc.NewClient(ours).Call("Clerk.Double", cycle(), nil)
}

// CloseDone closes the channel of a call in flight.
func (Crash) CloseDone(_ int, _ *int) error {
	ours, theirs := net.Pipe()
	done := make(chan *rpc.Call, 1)
	go rpc.NewClient(ours).Go("Clerk.Double", 1, nil, done)
	_, err := theirs.Read(make([]byte, 1)) // so the call is in flight
	close(done)
	return errors.Join(err, theirs.Close())
}
