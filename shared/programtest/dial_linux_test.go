package programtest_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// full returns the address of a listener whose backlog is full, so that a dial waits.
func full(t *testing.T) string {
	t.Helper()
	l := rpctest.Listen(t)
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var listenErr error
	err = raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 0) })
	if err := errors.Join(err, listenErr); err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), 500*time.Millisecond)
		if os.IsTimeout(err) {
			return l.Addr().String()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// The time limit holds for the dial, too.
func TestClientsGiveUpADialThatBlocks(t *testing.T) {
	t.Parallel()
	addr := full(t)
	for _, pair := range programtest.Pairs {
		t.Run(pair.Folder, func(t *testing.T) {
			t.Parallel()
			got := run(t, pair.Client(), "-addr", addr, "-timeout", "300ms")
			if want := noAnswer(pair, addr, "300ms"); got.Stdout != "" || got.Stderr != want || got.ExitCode != 1 {
				t.Errorf("printed %q, %q, exit %d; want %q, exit 1", got.Stdout, got.Stderr, got.ExitCode, want)
			}
		})
	}
}
