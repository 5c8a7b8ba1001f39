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
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// textsOfStarting are those that a server meets before it has a client.
var textsOfStarting = []errorText{
	reads("package path/to/shared is not in std", buildTheTutorialsImport),
	reads("bind: address already in use",
		at(over(rpctest.GobTCP), listen("tcp")), at(deadSocket, listen("unix")),
	).orElse("Only one usage of each socket address (protocol/network address/port) is normally permitted."),
	reads("bind: permission denied", where(unprivileged, func(t *testing.T) error {
		dir := shortTempDir(t)
		return errors.Join(os.Chmod(dir, 0o500), listen("unix")(filepath.Join(dir, "s")))
	})).orElse("An attempt was made to access a socket in a way forbidden by its access permissions."),
	reads("bind: cannot assign requested address",
		listening("tcp", "192.0.2.1:0"), // of nobody: RFC 5737
	).orElse("bind: can't assign requested address", "The requested address is not valid in its context."),
	reads("bind: no such file or directory", where(onUnix, at(socket("missing/s"), listen("unix")))),
	reads("bind: invalid argument", where(onUnix, at(socket(strings.Repeat("s", 100)), listen("unix")))),
	reads("missing port in address",
		listening("tcp", "localhost"), listening("tcp", "1234"), dialling("tcp", "localhost")),
	reads("missing address", dialling("tcp", "")),
	reads("too many colons in address", listening("tcp", "::1:1234"), dialling("tcp", "http://localhost:1234")),
	reads("missing ']' in address", listening("tcp", "[::1:1234"), dialling("tcp", "[::1:1234")),
	reads("invalid port", listening("tcp", "localhost:65536")),
	reads("unknown port", listening("tcp", "localhost:abc"), dialling("tcp", "localhost:abc")),
	reads("unknown network …", listening("http", "localhost:1234"), dialling("http", "localhost:1234")),
	reads("rpc.Register: type … is not exported", register(unexported{})),
	reads("rpc.Register: no service name for type …", register(&struct{ Suitable }{})),
	reads("rpc.Register: type … has no exported methods of suitable type", register(Unsuitable{})),
	reads("rpc.Register: type … has no exported methods of suitable type (hint: pass a pointer to value of that type)",
		register(Clerk{})),
	reads("rpc: service already defined: …", register(Suitable{}, Suitable{})),
	reads("reflect: call of reflect.Value.Type on zero Value",
		panicked(func() { rpc.NewServer().Register(nil) }),
		panicked(func() { rpc.NewServer().Register((*Suitable)(nil)) })),
	reads(`conflicts with pattern "/_goRPC_"`, crash("HandleHTTPTwice")),
	reads("gob: registering duplicate names for …: … != …", panicked(func() {
		gob.RegisterName("once", RegisteredTwice{})
		gob.RegisterName("twice", RegisteredTwice{})
	})),
	reads("gob: registering duplicate types for …: … != …", panicked(func() {
		gob.RegisterName("both", Suitable{})
		gob.RegisterName("both", Unsuitable{})
	})),
	reads("attempt to register empty name", panicked(func() { gob.RegisterName("", Suitable{}) })),
	reads("tls: neither Certificates, GetCertificate, nor GetConfigForClient set in Config",
		func(*testing.T) error { return closed(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{})) }),
	reads("tls: private key does not match public key", keyPair("", "")),
	reads("tls: failed to find any PEM data in … input", keyPair("server.crt", ""), keyPair("", "server.key")),
	reads("http: Server closed", func(t *testing.T) error {
		var server http.Server
		server.Shutdown(t.Context())
		return server.Serve(rpctest.Listen(t))
	}),
}

// Tutorial §4.2: a server registers its service and listens. These are the errors and panics of
// both, by their texts.
func TestTextsOfStarting(t *testing.T) { provokeAll(t, textsOfStarting) }

func listening(network, addr string) func(*testing.T) error {
	return func(*testing.T) error { return listen(network)(addr) }
}

func dialling(network, addr string) func(*testing.T) error {
	return func(*testing.T) error { return dial(network)(addr) }
}

func listen(network string) func(addr string) error {
	return func(addr string) error { return closed(net.Listen(network, addr)) }
}

func dial(network string) func(addr string) error {
	return func(addr string) error { return closed(rpc.Dial(network, addr)) }
}

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
func register(services ...any) func(*testing.T) error {
	return func(t *testing.T) (err error) {
		var lines strings.Builder
		log.SetOutput(&lines)
		server := rpc.NewServer()
		for _, service := range services {
			err = server.Register(service)
		}
		log.SetOutput(io.Discard) // as before
		logged := strings.Contains(lines.String(), err.Error())
		if logged == strings.HasPrefix(err.Error(), "rpc: service already defined: ") {
			t.Errorf("Register logs %q: %t, want %t", err, logged, !logged)
		}
		return err
	}
}

// buildTheTutorialsImport builds what the tutorial's programs import.
func buildTheTutorialsImport(t *testing.T) error {
	out, err := exec.CommandContext(t.Context(), "go", "build", "path/to/shared").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New(impossible)
	}
	return errors.New(string(out))
}

// unprivileged is a user of Unix who is not root, to whom nothing is denied.
var unprivileged = onUnix && os.Getuid() != 0

// socket returns the path of a socket that is not there.
func socket(name string) func(*testing.T) string {
	return func(t *testing.T) string { return filepath.Join(shortTempDir(t), name) }
}

// deadSocket returns the file of a socket whose server has been killed.
func deadSocket(t *testing.T) string {
	file := socket("s")(t)
	l, err := net.Listen("unix", file)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	return file
}

// shortTempDir is a t.TempDir for sockets, whose paths may not have more than 100 bytes or so.
func shortTempDir(t *testing.T) string {
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
		dialling("tcp", programtest.Nobody), where(onUnix, at(deadSocket, dial("unix"))),
	).orElse("No connection could be made because the target machine actively refused it."),
	reads("connect: no such file or directory", where(onUnix, at(socket("s"), dial("unix")))),
	reads("connect: permission denied", where(unprivileged, func(t *testing.T) error {
		file := deadSocket(t)
		return errors.Join(os.Chmod(file, 0), dial("unix")(file))
	})),
	reads("connect: cannot assign requested address", where(onLinux, dialFromAPortInUse)).orElse(
		"connect: can't assign requested address",
		"Only one usage of each socket address (protocol/network address/port) is normally permitted.",
	),
	reads("no such host", dialling("tcp", "local..host:1234")), // for this, nobody is asked
	reads("server misbehaving", lookUpWithoutNameServer),
	reads("connect: network is unreachable",
		where(onLinux, dialling("tcp", "255.255.255.255:1234")), // there is no TCP to all
	).orElse("A socket operation was attempted to an unreachable network."),
	reads("dial tcp …: i/o timeout", func(*testing.T) error {
		return closed(net.DialTimeout("tcp", programtest.Nobody, time.Nanosecond))
	}),
	reads("unexpected HTTP response: 404 Not Found", at(web(http.NotFoundHandler()), dialHTTP)),
	reads("unexpected HTTP response: 307 Temporary Redirect",
		at(web(only("/_goRPC_/")), dialHTTP), at(web(only("CONNECT /_goRPC_/")), dialHTTP),
	).orElse("unexpected HTTP response: 301 Moved Permanently"),
	reads("unexpected HTTP response: 405 Method Not Allowed", at(web(only("GET /")), dialHTTP)),
	reads("unexpected HTTP response: 400 Bad Request", at(web(rpc.NewServer()), func(addr string) error {
		return closed(rpc.DialHTTPPath("tcp", addr, "/my path"))
	})),
	reads("unexpected HTTP response: 200 OK", at(web(status(http.StatusOK)), dialHTTP)),
	reads("unexpected HTTP response: 401 Unauthorized", at(web(status(http.StatusUnauthorized)), dialHTTP)),
	reads("unexpected HTTP response: 403 Forbidden", at(web(status(http.StatusForbidden)), dialHTTP)),
	reads("unexpected HTTP response: 502 Bad Gateway", at(web(status(http.StatusBadGateway)), dialHTTP)),
	reads("unexpected HTTP response: 503 Service Unavailable",
		at(web(status(http.StatusServiceUnavailable)), dialHTTP)),
	reads("405 must CONNECT", at(web(rpc.NewServer()), get("http://"))),
	reads(`Post "http://…": EOF`, at(over(rpctest.GobTCP), post), at(over(rpctest.JSONTCP), post)).
		orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),
	reads("malformed HTTP response …", at(stranger("SSH-2.0-OpenSSH_9.6\r\n"), dialHTTP)),
	reads("dial-http tcp …: unexpected EOF", at(over(rpctest.JSONTCP), dialHTTP)).
		orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),

	// TLS.
	reads("http: server gave HTTP response to HTTPS client", at(web(rpc.NewServer()), get("https://"))),
	reads("Client sent an HTTP request to an HTTPS server.", at(webOverTLS(&tls.Config{}), get("http://"))),
	reads("tls: first record does not look like a TLS handshake",
		at(web(rpc.NewServer()), dialTLS(&tls.Config{}))),
	reads("EOF",
		at(over(rpctest.GobTCP), dialTLS(&tls.Config{})), at(over(rpctest.JSONTCP), dialTLS(&tls.Config{})),
	).orElse("connection reset by peer", "An existing connection was forcibly closed by the remote host."),
	reads("tls: either ServerName or InsecureSkipVerify must be specified in the tls.Config",
		func(*testing.T) error { return tls.Client(nil, &tls.Config{}).Handshake() }), // it sends nothing
	reads("tls: failed to verify certificate: x509: …",
		aCertificate(x509.Certificate{IPAddresses: loopback, NotAfter: longAgo}, "")),
	reads("x509: certificate signed by unknown authority",
		at(webOverTLS(&tls.Config{}), dialTLS(&tls.Config{RootCAs: x509.NewCertPool()})),
	).orElse("certificate is not trusted"),
	reads("x509: certificate is valid for …, not …",
		aCertificate(x509.Certificate{DNSNames: []string{"example.com"}}, "localhost")),
	reads("x509: cannot validate certificate for … because it doesn't contain any IP SANs",
		aCertificate(x509.Certificate{DNSNames: []string{"example.com"}}, "")),
	reads("x509: certificate is not valid for any names, but wanted to match …",
		aCertificate(x509.Certificate{IPAddresses: loopback}, "localhost")),
	reads("x509: certificate relies on legacy Common Name field, use SANs instead",
		aCertificate(x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}}, "localhost")),
	reads("x509: certificate has expired or is not yet valid",
		aCertificate(x509.Certificate{IPAddresses: loopback, NotAfter: longAgo}, ""),
		aCertificate(x509.Certificate{IPAddresses: loopback, NotBefore: time.Now().Add(time.Hour)}, "")),
	reads("x509: certificate specifies an incompatible key usage", aCertificate(x509.Certificate{
		IPAddresses: loopback, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, "")),
	reads("remote error: tls: certificate required",
		at(overTLS(&tls.Config{ClientAuth: tls.RequireAnyClientCert}), dialTLS(trusting))),
	reads("remote error: tls: unknown certificate authority",
		unknownClient(tls.VersionTLS13), unknownClient(tls.VersionTLS12)),
	reads("remote error: tls: protocol version not supported",
		at(overTLS(&tls.Config{MinVersion: tls.VersionTLS13}), dialTLS(trustingTLS12))),
}

// Tutorial §4.2 to §4.4: a client dials. These are the errors by their texts, also those of
// whoever dials in TLS, or asks an RPC server as if it were a web server.
func TestTextsOfDialling(t *testing.T) { provokeAll(t, textsOfDialling) }

// only hands requests that fit pattern to net/rpc.
func only(pattern string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(pattern, rpc.NewServer())
	return mux
}

// status answers with a status.
func status(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
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
	return closed(dialer.Dial("tcp", server))
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
			n, _ := theirs.Read(message)
			message[4] |= 0x80 // an answer,
			message[5] |= 2    // of a server that fails
			theirs.Write(message[:n])
		}()
		return ours, nil
	}}
	_, err := resolver.LookupHost(t.Context(), "server.example.")
	return err
}

// get returns, as an error, what a web client reads.
func get(scheme string) func(addr string) error {
	return func(addr string) error {
		resp, err := http.Get(scheme + addr)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return errors.Join(err, errors.New(string(body)))
	}
}

// post asks for a call as http/server takes it.
func post(addr string) error {
	call := strings.NewReader(`{"method": "Clerk.Double", "params": [1], "id": 1}`)
	resp, err := http.Post("http://"+addr, "application/json", call)
	if err == nil {
		resp.Body.Close()
	}
	return err
}
