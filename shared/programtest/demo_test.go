package programtest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// The demo says at once what it does, and when it is interrupted it leaves nothing behind, also
// while it builds.
func TestAnInterruptedDemoLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	temp, demo := t.TempDir(), programs(t).Path("shared/demo")
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	defer cancel()
	pairs := strings.Fields(strings.Repeat("async ", 100)) // more than a minute, in which this process may stall
	cmd := exec.CommandContext(ctx, demo, append([]string{"-addr", "localhost:0"}, pairs...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "GOTMPDIR=")
	stderr, err := cmd.StderrPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	firstWords := "demo: building the programs of " + strings.Join(pairs, ", ") + "; the first time this takes some minutes\n"
	first := make([]byte, len(firstWords))
	io.ReadFull(stderr, first)
	cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(stderr)
	said := building.ReplaceAllString(string(first)+string(rest), "")
	err = cmd.Wait()
	if said != firstWords+"demo: interrupted\n" || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the demo said %q and ended with %v, want %q, demo: interrupted, and exit status 1", said, err, firstWords)
	}
	checkEmpty(t, temp)
}

// A pair that is interrupted while it runs is ended: no server and no client goes on.
func TestAnInterruptedPairIsEnded(t *testing.T) {
	t.Parallel()
	programs := programs(t) // built before what follows
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	go func() { w.CloseWithError(programs.Show(ctx, w, programtest.Pairs[3], "localhost:0")) }()
	printed := bufio.NewReader(r)
	printed.ReadString('\n') // the command that starts the server
	first, _ := printed.ReadString('\n')
	cancel()
	rest, err := io.ReadAll(printed)
	if !errors.Is(err, context.Canceled) || strings.Contains(string(rest), "replies") {
		t.Errorf("Show returned %v and printed\n%s%s\nwant context.Canceled, and no end", err, first, rest)
	}
	_, addr, _ := strings.Cut(strings.TrimSpace(first), "listening on ")
	waitUntilRefused(t, addr)
}

// Close ends what still runs, and removes the programs. After it nothing starts.
func TestCloseEndsWhatRunsAndRemovesThePrograms(t *testing.T) {
	t.Parallel()
	empty, err := programtest.Build(t.Context(), root) // no program, for they are all built already
	if err != nil {
		t.Fatal(err)
	}
	server, err := empty.Start(programs(t).Path("tcp/server"), "-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended, mute, client := make(chan error, 1), rpctest.Listen(t), programs(t).Path("tcp/client")
	go func() {
		_, err := empty.Run(t.Context(), client, "-addr", mute.Addr().String(), "-timeout", "1h")
		ended <- err
	}()
	mute.(*net.TCPListener).SetDeadline(time.Now().Add(rpctest.Patience))
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
	waitUntilRefused(t, server.Addr)
	if _, err := os.Stat(filepath.Dir(empty.Path("a program"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the programs' folder: %v, want it to be gone", err)
	}
	if _, err := empty.Start(programs(t).Path("tcp/server")); err == nil {
		t.Error("a server starts after Close")
	}
}
