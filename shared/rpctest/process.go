package rpctest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// SecondProcess is the environment variable that is set in a process of StartProcess.
const SecondProcess = "NETRPC_SECOND_PROCESS"

// SetTempDir makes the folder of the test binary the one for temporary files: go test removes it,
// however the tests end. It is for a TestMain.
func SetTempDir() {
	if file, err := os.Executable(); err == nil {
		os.Setenv("TMPDIR", filepath.Dir(file))
	}
}

// Process is a server over TCP in a process of its own.
type Process struct {
	Addr string
	PID  int
	Wait func() (exitCode int, stderr string) // for its end
}

// StartProcess starts a process that publishes services. It is this test binary once more,
// which runs the same test there, and does not get beyond this call. It ends with the test.
func StartProcess(t *testing.T, services ...any) Process {
	t.Helper()
	if os.Getenv(SecondProcess) != "" {
		l := Listen(t)
		fmt.Println(l.Addr())
		go Server(t, services...).Accept(l)
		io.Copy(io.Discard, os.Stdin) // until the first process ends, however it does
		os.Exit(0)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	cmd := exec.CommandContext(ctx, program, "-test.run=^"+regexp.QuoteMeta(t.Name())+"$")
	cmd.Env = append(os.Environ(), SecondProcess+"=yes")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	_, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		cancel()
		t.Fatal(err)
	}
	wait := sync.OnceFunc(func() { cmd.Wait() })
	t.Cleanup(func() { cancel(); wait() })
	p := Process{PID: cmd.Process.Pid, Wait: func() (int, string) {
		wait()
		return cmd.ProcessState.ExitCode(), stderr.String()
	}}
	if _, err := fmt.Fscan(stdout, &p.Addr); err != nil {
		_, stderr := p.Wait()
		t.Fatalf("the server's process does not say where it listens: %v\n%s", err, stderr)
	}
	return p
}
