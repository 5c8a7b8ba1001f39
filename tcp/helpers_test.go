package tcp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds every wait for something that should take no time.
const patience = 30 * time.Second

// Desk is a service that counts the calls which it executes.
type Desk struct {
	executed atomic.Int32
	entered  chan bool // gets a value for each call of Wait
	release  chan bool // Wait returns when it is closed
}

func newDesk() *Desk {
	return &Desk{entered: make(chan bool, 100), release: make(chan bool)}
}

// Double doubles n.
func (d *Desk) Double(n int, reply *int) error {
	d.executed.Add(1)
	*reply = 2 * n
	return nil
}

// Fail fails.
func (d *Desk) Fail(n int, reply *int) error {
	d.executed.Add(1)
	return errors.New("no luck")
}

// Wait doubles n when the test lets it.
func (d *Desk) Wait(n int, reply *int) error {
	d.executed.Add(1)
	d.entered <- true
	<-d.release
	*reply = 2 * n
	return nil
}

func newServer(t *testing.T, service any) *rpc.Server {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	return server
}

// within receives from c, and says what is missing if nothing comes.
func within[T any](t *testing.T, c <-chan T, what string) (value T) {
	t.Helper()
	select {
	case value = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
	return value
}

// wire is a connection that remembers the bytes it has carried.
type wire struct {
	net.Conn
	mu      sync.Mutex
	out, in []byte
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, p[:n]...)
	return n, err
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, p[:n]...)
	return n, err
}

// take returns what has been sent and received since it was last asked.
func (w *wire) take() (sent, received string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent, received = string(w.out), string(w.in)
	w.out, w.in = nil, nil
	return sent, received
}

// pipe returns both ends of a pipe. The deadline of ours bounds every call over it.
func pipe() (ours *wire, theirs net.Conn) {
	conn, theirs := net.Pipe()
	conn.SetDeadline(time.Now().Add(patience))
	return &wire{Conn: conn}, theirs
}

// connect returns a client of a server that publishes service, and its end of the
// pipe between them.
func connect(t *testing.T, service any) (*rpc.Client, *wire) {
	t.Helper()
	ours, theirs := pipe()
	go newServer(t, service).ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client, ours
}

// connectJSON does the same in JSON, where connect uses gob.
func connectJSON(t *testing.T, service any) (*rpc.Client, *wire) {
	t.Helper()
	ours, theirs := pipe()
	go newServer(t, service).ServeCodec(jsonrpc.NewServerCodec(theirs))
	client := jsonrpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client, ours
}

// listen listens on a free port until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// startProcess starts a server over TCP in a process of its own, and returns its address
// and how it ends. The process is this test binary once more, running the same test, which
// there does not get beyond this call.
func startProcess(t *testing.T, service any) (addr string, wait func() (status int, stderr string)) {
	t.Helper()
	const second = "NETRPC_SECOND_PROCESS"
	if os.Getenv(second) != "" {
		l := listen(t)
		fmt.Println(l.Addr())
		go newServer(t, service).Accept(l)
		io.Copy(io.Discard, os.Stdin) // until the first process ends, however it does
		os.Exit(0)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd := exec.CommandContext(ctx, program, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), second+"=yes")
	var errs strings.Builder
	cmd.Stderr = &errs
	_, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := sync.OnceFunc(func() { cmd.Wait() })
	t.Cleanup(func() { cancel(); ended() })
	if _, err := fmt.Fscan(stdout, &addr); err != nil {
		t.Fatal("the server's process does not say where it listens: ", err)
	}
	return addr, func() (int, string) {
		ended()
		return cmd.ProcessState.ExitCode(), errs.String()
	}
}
