package programtest_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"
)

// full returns the address of a listener whose backlog is full, so that a dial waits.
func full(t *testing.T) string {
	t.Helper()
	l := listen(t)
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var listenErr error
	err = raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), 0) })
	if err := errors.Join(err, listenErr); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), 200*time.Millisecond)
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			return l.Addr().String()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("a backlog of 0 takes ten connections")
	return ""
}

// The time limit holds for the dial, too.
func TestClientsGiveUpADialThatBlocks(t *testing.T) {
	addr := full(t)
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			got := run(t, folder+"/client", "-addr", addr, "-timeout", "300ms")
			took := time.Since(begin)
			want := fmt.Sprintf("%s/client: no answer from %s within 300ms; is that the address of %[1]s/server? -addr sets another\n", folder, addr)
			if got.Stdout != "" || got.Stderr != want || got.ExitCode != 1 || took > 10*time.Second {
				t.Errorf("printed %q, %q, exit %d after %v; want %q, exit 1", got.Stdout, got.Stderr, got.ExitCode, took, want)
			}
		})
	}
}
