package shared_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/gob"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// textsOfStarting are those that a server meets before it has a client.
var textsOfStarting = []errorText{
	reads("package path/to/shared is not in std", returned(buildTheTutorialsImport)),
	reads("bind: address already in use",
		returned(func(t *testing.T) error { return listenError("tcp", rpctest.Listen(t).Addr().String()) }),
		returned(func(t *testing.T) error { return listenError("unix", deadSocket(t)) }),
	).orElse("Only one usage of each socket address (protocol/network address/port) is normally permitted."),
	reads("bind: permission denied",
		onUnix(returned(listenWherePermissionIsDenied)),
	).orElse("An attempt was made to access a socket in a way forbidden by its access permissions."),
	reads("bind: cannot assign requested address",
		listening("tcp", "192.0.2.1:0"), // of nobody: RFC 5737
	).orElse("bind: can't assign requested address", "The requested address is not valid in its context."),
	reads("bind: no such file or directory",
		onUnix(returned(func(t *testing.T) error {
			return listenError("unix", filepath.Join(shortTempDir(t), "missing", "s"))
		})),
	),
	reads("bind: invalid argument",
		onUnix(returned(func(t *testing.T) error {
			return listenError("unix", filepath.Join(shortTempDir(t), strings.Repeat("s", 100)))
		})),
	),
	reads("missing port in address",
		listening("tcp", "localhost"),
		listening("tcp", "1234"),
		dialling("tcp", "localhost"),
	),
	reads("missing address", dialling("tcp", "")),
	reads("too many colons in address",
		listening("tcp", "::1:1234"),
		dialling("tcp", "http://localhost:1234"),
	),
	reads("missing ']' in address",
		listening("tcp", "[::1:1234"),
		dialling("tcp", "[::1:1234"),
	),
	reads("invalid port",
		listening("tcp", "localhost:65536"),
	),
	reads("unknown port",
		listening("tcp", "localhost:abc"),
		dialling("tcp", "localhost:abc"),
	),
	reads("unknown network …",
		listening("http", "localhost:1234"),
		dialling("http", "localhost:1234"),
	),
	reads("rpc.Register: type … is not exported", register(unexported{})),
	reads("rpc.Register: no service name for type …", register(&struct{ Suitable }{})),
	reads("rpc.Register: type … has no exported methods of suitable type",
		register(Unsuitable{}),
	),
	reads("rpc.Register: type … has no exported methods of suitable type (hint: pass a pointer to value of that type)",
		register(Clerk{}),
	),
	reads("rpc: service already defined: …", register(Suitable{}, Suitable{})),
	reads("reflect: call of reflect.Value.Type on zero Value",
		panicked(func(*testing.T) { rpc.NewServer().Register(nil) }),
		panicked(func(*testing.T) { rpc.NewServer().Register((*Suitable)(nil)) }),
	),
	reads(`conflicts with pattern "/_goRPC_"`, crash("HandleHTTPTwice")),
	reads("gob: registering duplicate names for …: … != …",
		panicked(func(*testing.T) {
			gob.RegisterName("once", RegisteredTwice{})
			gob.RegisterName("twice", RegisteredTwice{})
		}),
	),
	reads("gob: registering duplicate types for …: … != …",
		panicked(func(*testing.T) {
			gob.RegisterName("both", Suitable{})
			gob.RegisterName("both", Unsuitable{})
		}),
	),
	reads("attempt to register empty name",
		panicked(func(*testing.T) { gob.RegisterName("", Suitable{}) }),
	),
	reads("tls: neither Certificates, GetCertificate, nor GetConfigForClient set in Config",
		returned(func(*testing.T) error {
			_, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{})
			return err
		}),
	),
	reads("tls: private key does not match public key",
		returned(func(t *testing.T) error {
			_, err := tls.X509KeyPair(inPEM(t, "CERTIFICATE"), inPEM(t, "PRIVATE KEY")) // of two certificates
			return err
		}),
	),
	reads("tls: failed to find any PEM data in … input",
		returned(func(t *testing.T) error {
			_, err := tls.X509KeyPair([]byte("server.crt"), inPEM(t, "PRIVATE KEY"))
			return err
		}),
		returned(func(t *testing.T) error {
			_, err := tls.X509KeyPair(inPEM(t, "CERTIFICATE"), []byte("server.key"))
			return err
		}),
	),
	reads("http: Server closed",
		returned(func(t *testing.T) error {
			var server http.Server
			server.Shutdown(t.Context())
			return server.Serve(rpctest.Listen(t))
		}),
	),
}

// Tutorial §4.2: a server registers its service and listens. These are the errors and panics of
// both, by their texts.
func TestTextsOfStarting(t *testing.T) { provokeAll(t, textsOfStarting) }

// Suitable has a method that net/rpc can call.
type Suitable struct{}

// Do does nothing.
func (Suitable) Do(_ int, _ *int) error { return nil }

type unexported struct{ Suitable }

// Unsuitable has a method that net/rpc cannot call.
type Unsuitable struct{}

// Do returns no error.
func (Unsuitable) Do(_ int, _ *int) {}

// RegisteredTwice is a type of two names, to gob.
type RegisteredTwice struct{}

// register registers services with a server, which logs each error, but one.
func register(services ...any) provocation {
	return returned(func(t *testing.T) error {
		lines := make(lineWriter, 100)
		defer log.SetOutput(log.Writer())
		log.SetOutput(lines)
		server := rpc.NewServer()
		var err error
		for _, service := range services {
			err = server.Register(service)
		}
		if err == nil {
			return nil
		}
		logged := false
		for range len(lines) {
			logged = strings.Contains(<-lines, err.Error()) || logged
		}
		if logged == strings.HasPrefix(err.Error(), "rpc: service already defined: ") {
			t.Errorf("Register logs %q: %t, want %t", err, logged, !logged)
		}
		return err
	})
}

// buildTheTutorialsImport builds a program that imports what the tutorial's programs import.
func buildTheTutorialsImport(t *testing.T) error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New(impossible)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.com/mine\n\ngo 1.25\n",
		"main.go": "package main\n\nimport _ \"path/to/shared\"\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	if err == nil {
		return nil
	}
	return errors.New(string(out))
}

func listening(network, address string) provocation {
	return returned(func(*testing.T) error { return listenError(network, address) })
}

func dialling(network, address string) provocation {
	return returned(func(*testing.T) error { return dialError(network, address) })
}

func listenError(network, address string) error {
	l, err := net.Listen(network, address)
	if err == nil {
		l.Close()
	}
	return err
}

func dialError(network, address string) error {
	client, err := rpc.Dial(network, address)
	if err == nil {
		client.Close()
	}
	return err
}

// deadSocket returns the file of a socket whose server has been killed.
func deadSocket(t *testing.T) string {
	file := filepath.Join(shortTempDir(t), "s")
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	return file
}

func dialWherePermissionIsDenied(t *testing.T) error {
	if os.Getuid() == 0 {
		return errors.New(impossible) // nothing is denied to root
	}
	file := deadSocket(t)
	if err := os.Chmod(file, 0); err != nil {
		return err
	}
	return dialError("unix", file)
}

func listenWherePermissionIsDenied(t *testing.T) error {
	if os.Getuid() == 0 {
		return errors.New(impossible) // nothing is denied to root
	}
	dir := shortTempDir(t)
	if err := os.Chmod(dir, 0o500); err != nil {
		return err
	}
	return listenError("unix", filepath.Join(dir, "s"))
}

// shortTempDir is a t.TempDir for sockets, whose paths may not have more than 100 bytes or so.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// textsOfDialling are those that a client meets before its first call.
var textsOfDialling = []errorText{
	reads("connect: connection refused",
		dialling("tcp", programtest.Nobody),
		onUnix(returned(func(t *testing.T) error { return dialError("unix", deadSocket(t)) })),
	).orElse("No connection could be made because the target machine actively refused it."),
	reads("connect: no such file or directory",
		onUnix(returned(func(t *testing.T) error {
			return dialError("unix", filepath.Join(shortTempDir(t), "s"))
		})),
	),
	reads("connect: permission denied", onUnix(returned(dialWherePermissionIsDenied))),
	reads("connect: cannot assign requested address",
		onLinux(returned(dialFromAPortInUse)),
	).orElse(
		"connect: can't assign requested address",
		"Only one usage of each socket address (protocol/network address/port) is normally permitted.",
	),
	reads("no such host",
		dialling("tcp", "local..host:1234"), // for this, nobody is asked
	),
	reads("server misbehaving", returned(lookUpWithoutNameServer)),
	reads("connect: network is unreachable",
		onLinux(dialling("tcp", "255.255.255.255:1234")), // there is no TCP to all
	).orElse("A socket operation was attempted to an unreachable network."),
	reads("dial tcp …: i/o timeout",
		returned(func(*testing.T) error {
			_, err := net.DialTimeout("tcp", programtest.Nobody, time.Nanosecond)
			return err
		}),
	),
	reads("unexpected HTTP response: 404 Not Found", dialHTTP(http.NotFoundHandler())),
	reads("unexpected HTTP response: 307 Temporary Redirect",
		dialHTTP(only("/_goRPC_/", rpc.NewServer())),
		dialHTTP(only("CONNECT /_goRPC_/", rpc.NewServer())),
	).orElse("unexpected HTTP response: 301 Moved Permanently"),
	reads("unexpected HTTP response: 405 Method Not Allowed",
		dialHTTP(only("GET /", rpc.NewServer())),
	),
	reads("unexpected HTTP response: 400 Bad Request",
		returned(func(t *testing.T) error {
			_, err := rpc.DialHTTPPath("tcp", httpServer(t, rpc.NewServer()), "/my path")
			return err
		}),
	),
	reads("unexpected HTTP response: 200 OK",
		dialHTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
	),
	reads("unexpected HTTP response: 401 Unauthorized", dialHTTP(status(http.StatusUnauthorized))),
	reads("unexpected HTTP response: 403 Forbidden", dialHTTP(status(http.StatusForbidden))),
	reads("unexpected HTTP response: 502 Bad Gateway", dialHTTP(status(http.StatusBadGateway))),
	reads("unexpected HTTP response: 503 Service Unavailable", dialHTTP(status(http.StatusServiceUnavailable))),
	reads("405 must CONNECT",
		returned(func(t *testing.T) error { return get("http://" + httpServer(t, rpc.NewServer())) }),
	),
	reads(`Post "http://…": EOF`,
		returned(func(t *testing.T) error { return post("http://" + rpcServer(t, "gob over TCP")) }),
		returned(func(t *testing.T) error { return post("http://" + rpcServer(t, "JSON over TCP")) }),
	).orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),
	reads("malformed HTTP response …",
		returned(func(t *testing.T) error {
			_, err := rpc.DialHTTP("tcp", stranger(t, "SSH-2.0-OpenSSH_9.6\r\n"))
			return err
		}),
	),
	reads("dial-http tcp …: unexpected EOF",
		returned(func(t *testing.T) error {
			_, err := rpc.DialHTTP("tcp", rpcServer(t, "JSON over TCP"))
			return err
		}),
	).orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),

	// TLS.
	reads("http: server gave HTTP response to HTTPS client",
		returned(func(t *testing.T) error { return get("https://" + httpServer(t, rpc.NewServer())) }),
	),
	reads("Client sent an HTTP request to an HTTPS server.",
		returned(func(t *testing.T) error { return get("http://" + addrOf(tlsServer(t))) }),
	),
	reads("tls: first record does not look like a TLS handshake",
		returned(func(t *testing.T) error { return dialTLS(httpServer(t, rpc.NewServer()), &tls.Config{}) }),
	),
	reads("EOF",
		returned(func(t *testing.T) error { return dialTLS(rpcServer(t, "gob over TCP"), &tls.Config{}) }),
		returned(func(t *testing.T) error { return dialTLS(rpcServer(t, "JSON over TCP"), &tls.Config{}) }),
	).orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),
	reads("tls: either ServerName or InsecureSkipVerify must be specified in the tls.Config",
		returned(func(t *testing.T) error {
			conn, err := net.Dial("tcp", addrOf(tlsServer(t)))
			if err != nil {
				return err
			}
			defer conn.Close()
			return tls.Client(conn, &tls.Config{}).Handshake()
		}),
	),
	reads("tls: failed to verify certificate: x509: …", aCertificate(func(c *x509.Certificate) {
		c.IPAddresses, c.NotAfter = loopback, longAgo
	}, "")),
	reads("x509: certificate signed by unknown authority",
		returned(func(t *testing.T) error {
			return dialTLS(addrOf(tlsServer(t)), &tls.Config{RootCAs: x509.NewCertPool()})
		}),
	).orElse("certificate is not trusted"),
	reads("x509: certificate is valid for …, not …",
		returned(func(t *testing.T) error {
			server := tlsServer(t)
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			return dialTLS(addrOf(server), &tls.Config{RootCAs: roots, ServerName: "localhost"})
		}),
	),
	reads("x509: cannot validate certificate for … because it doesn't contain any IP SANs",
		aCertificate(func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, "")),
	reads("x509: certificate is not valid for any names, but wanted to match …",
		aCertificate(func(c *x509.Certificate) { c.IPAddresses = loopback }, "localhost")),
	reads("x509: certificate relies on legacy Common Name field, use SANs instead",
		aCertificate(func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "localhost"} }, "localhost")),
	reads("x509: certificate has expired or is not yet valid",
		aCertificate(func(c *x509.Certificate) { c.IPAddresses, c.NotAfter = loopback, longAgo }, ""),
		aCertificate(func(c *x509.Certificate) {
			c.IPAddresses, c.NotBefore = loopback, time.Now().Add(time.Hour)
		}, ""),
	),
	reads("x509: certificate specifies an incompatible key usage",
		aCertificate(func(c *x509.Certificate) {
			c.IPAddresses, c.ExtKeyUsage = loopback, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, ""),
	),
	reads("remote error: tls: certificate required",
		mutual(tls.VersionTLS13, tls.RequireAnyClientCert, false)),
	reads("remote error: tls: unknown certificate authority",
		mutual(tls.VersionTLS13, tls.RequireAndVerifyClientCert, true),
		mutual(tls.VersionTLS12, tls.RequireAndVerifyClientCert, true),
	),
	reads("remote error: tls: protocol version not supported",
		returned(func(t *testing.T) error {
			server := &tls.Config{MinVersion: tls.VersionTLS13}
			return handshake(t, server, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true})
		}),
	),
}

// Tutorial §4.2 to §4.4: a client dials. These are the errors by their texts, also those of
// whoever dials in TLS, or asks an RPC server as if it were a web server.
func TestTextsOfDialling(t *testing.T) { provokeAll(t, textsOfDialling) }

func httpServer(t *testing.T, handler http.Handler) (addr string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return addrOf(server)
}

func addrOf(server *httptest.Server) string { return server.Listener.Addr().String() }

// rpcServer returns the address of a server with one of the transports.
func rpcServer(t *testing.T, transport string) (addr string) {
	l := rpctest.Listen(t)
	i := slices.IndexFunc(rpctest.Transports, func(tr rpctest.Transport) bool { return tr.Name == transport })
	go rpctest.Transports[i].Serve(rpc.NewServer(), l)
	return l.Addr().String()
}

// dialFromAPortInUse dials twice from one port, as a client does that has no other one left.
func dialFromAPortInUse(t *testing.T) error {
	server := rpctest.Listen(t).Addr().String()
	dialer := net.Dialer{
		LocalAddr: &net.TCPAddr{IP: loopback[0]},
		Control: func(_, _ string, conn syscall.RawConn) error {
			return conn.Control(func(fd uintptr) { shareAddress(syscall.SetsockoptInt, fd) })
		},
	}
	first, err := dialer.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer first.Close()
	dialer.LocalAddr = first.LocalAddr()
	second, err := dialer.Dial("tcp", server)
	if err == nil {
		second.Close()
	}
	return err
}

// shareAddress sets SO_REUSEADDR. On Windows, a socket has a type of its own.
func shareAddress[Socket ~int | ~uintptr](set func(s Socket, level, option, value int) error, fd uintptr) {
	set(Socket(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}

// lookUpWithoutNameServer asks for a name, and is answered that this cannot be found out now.
func lookUpWithoutNameServer(t *testing.T) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			message := make([]byte, 1<<10) // its length, its number, its flags …
			n, err := theirs.Read(message)
			if err != nil {
				return
			}
			message[4] |= 0x80 // an answer,
			message[5] |= 2    // of a server that fails
			theirs.Write(message[:n])
		}()
		return ours, nil
	}}
	_, err := resolver.LookupHost(t.Context(), "server.example.")
	return err
}

func onLinux(p provocation) provocation {
	if runtime.GOOS != "linux" {
		return func(*testing.T) outcome { return outcome{text: impossible} }
	}
	return p
}

// only hands requests that fit pattern to handler.
func only(pattern string, handler http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pattern, handler)
	return mux
}

// status answers with a status.
func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// dialHTTP dials a server with handler.
func dialHTTP(handler http.Handler) provocation {
	return returned(func(t *testing.T) error {
		_, err := rpc.DialHTTP("tcp", httpServer(t, handler))
		return err
	})
}

// get returns, as an error, what a web client reads.
func get(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return errors.Join(err, errors.New(string(body)))
}

// post asks for a call as http/server takes it.
func post(url string) error {
	call := strings.NewReader(`{"method": "Clerk.Double", "params": [1], "id": 1}`)
	resp, err := http.Post(url, "application/json", call)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// stranger returns the address of a server of another protocol, which answers what it does not
// understand.
func stranger(t *testing.T, answer string) (addr string) {
	l := rpctest.Listen(t)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.Read(make([]byte, 1))
		io.WriteString(conn, answer)
		io.Copy(io.Discard, conn)
	}()
	return l.Addr().String()
}
