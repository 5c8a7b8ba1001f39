package programtest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// inFolder returns a command that runs the demo in the repository's root, with a folder of its
// own for what is temporary.
func inFolder(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	cmd = exec.CommandContext(t.Context(), programs(t).Path("shared/demo"), args...)
	temp = t.TempDir()
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TMP="+temp, "GOTMPDIR=")
	return cmd, temp
}

func checkEmpty(t *testing.T, temp string) {
	t.Helper()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v, want nothing", left, err)
	}
}

// The demo says at once what it does, and when it is interrupted it leaves nothing behind, also
// while it builds.
func TestAnInterruptedDemoLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	const firstWords = "demo: building the programs of async; the first time this takes some minutes\n"
	cmd, temp := inFolder(t, "-addr", "localhost:0", "async")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		first := make([]byte, len(firstWords))
		n, _ := io.ReadFull(stderr, first)
		cmd.Process.Signal(os.Interrupt)
		rest, _ := io.ReadAll(stderr)
		said <- string(first[:n]) + string(rest)
	}()
	const want = firstWords + "demo: interrupted\n"
	if got := rpctest.Within(t, said, "the end of an interrupted demo"); got != want {
		t.Errorf("the demo said %q, want %q", got, want)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the demo ended with exit code %d, want 1", code)
	}
	checkEmpty(t, temp)
}

// watcher is what a demo writes to. It calls seen when it has seen text.
type watcher struct {
	written strings.Builder
	text    string
	seen    func(written string)
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.written.Write(p)
	if w.seen != nil && strings.Contains(w.written.String(), w.text) {
		w.seen(w.written.String())
		w.seen = nil
	}
	return n, err
}

// A pair that is interrupted while it runs is ended: no server and no client goes on.
func TestAnInterruptedPairIsEnded(t *testing.T) {
	t.Parallel()
	programs(t) // built before what follows
	ctx, cancel := context.WithCancel(t.Context())
	var addr string
	w := &watcher{text: "> go run ./async/client\n", seen: func(written string) {
		_, addr, _ = strings.Cut(written, "listening on ")
		addr, _, _ = strings.Cut(addr, "\n")
		cancel()
	}}
	err := programs(t).Show(ctx, w, programtest.Pairs[3], "localhost:0")
	if !errors.Is(err, context.Canceled) || strings.Contains(w.written.String(), "replies") {
		t.Errorf("Show returned %v and printed\n%s\nwant context.Canceled, and no end", err, w.written.String())
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("async/server goes on at %s", addr)
	}
}

// Close ends what still runs, and removes the programs. After it nothing starts.
func TestCloseEndsWhatRunsAndRemovesThePrograms(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	empty, err := programtest.Build(t.Context(), root) // no program, for they are all built already
	if err != nil {
		t.Fatal(err)
	}
	server, err := empty.Start(programs(t).Path("tcp/server"), "-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty.Path("left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, mute, client := make(chan error, 1), rpctest.Listen(t), programs(t).Path("tcp/client")
	go func() {
		_, err := empty.Run(t.Context(), client, "-addr", mute.Addr().String(), "-timeout", "1h")
		ended <- err
	}()
	conn, err := mute.Accept() // the client has connected, and waits for an answer
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := empty.Close(); err != nil {
		t.Error(err)
	}
	if err := rpctest.Within(t, ended, "the end of a client that hangs"); err == nil {
		t.Error("Run returned no error after Close")
	}
	if conn, err := net.Dial("tcp", server.Addr); err == nil {
		conn.Close()
		t.Error("the server goes on after Close")
	}
	if _, err := os.Stat(empty.Path("left")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file in the programs' folder: %v, want it to be gone", err)
	}
	if _, err := empty.Start(programs(t).Path("tcp/server")); err == nil {
		t.Error("a server starts after Close")
	}
	checkEmpty(t, temp)
}
