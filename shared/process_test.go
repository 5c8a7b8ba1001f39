package shared

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// stdio joins two streams into what net/rpc takes for a connection.
type stdio struct {
	io.Reader
	io.WriteCloser
}

// startProcess starts a server of service in a process of its own, and returns a client of
// it, its process id and how it ends. The process is this test binary once more, running the
// same test, which there does not get beyond this call; they talk over its stdin and stdout.
func startProcess(t *testing.T, service any) (client *rpc.Client, pid int, wait func() error) {
	t.Helper()
	const second = "NETRPC_SECOND_PROCESS"
	if os.Getenv(second) != "" {
		server := rpc.NewServer()
		if err := server.Register(service); err != nil {
			t.Fatal(err)
		}
		server.ServeConn(stdio{os.Stdin, os.Stdout}) // until the client closes, or its process ends
		os.Exit(0)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), second+"=yes")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	wait = sync.OnceValue(cmd.Wait)
	client = rpc.NewClient(stdio{stdout, stdin})
	t.Cleanup(func() {
		client.Close()
		wait()
	})
	return client, cmd.Process.Pid, wait
}

// Process is a service that tells about the process it runs in.
type Process struct{}

// Seen is what a method sees.
type Seen struct{ PID, A int }

// Look overwrites A, and sets *reply to what it sees then.
func (Process) Look(args *Args, reply *Seen) error {
	args.A = 999
	*reply = Seen{os.Getpid(), args.A}
	return nil
}

// The tutorial says that the called function runs in the sender's memory (§1, C1).
// It runs in the server's process, on a copy of the arguments.
func TestMethodRunsInTheServersProcess(t *testing.T) {
	client, pid, wait := startProcess(t, Process{})
	args := &Args{A: 10, B: 20}
	var seen Seen
	if err := call(t, client, "Process.Look", args, &seen); err != nil {
		t.Fatal(err)
	}
	if seen.PID != pid || seen.PID == os.Getpid() {
		t.Errorf("the method ran in process %d, want the server's, %d, and not ours, %d", seen.PID, pid, os.Getpid())
	}
	if seen.A != 999 || *args != (Args{10, 20}) {
		t.Errorf("the method saw A = %d, want 999; the caller has %v, want {10 20} as before", seen.A, *args)
	}
	t.Logf("the method ran in the caller's process: %t, in the server's: %t", seen.PID == os.Getpid(), seen.PID == pid)
	t.Logf("A in the method, which has overwritten it: %d; A of the caller: %d", seen.A, args.A)
	client.Close()
	if err := wait(); err != nil {
		t.Errorf("the server after its client's Close: %v, want exit code 0", err)
	}
}
