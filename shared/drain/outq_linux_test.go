package drain

import (
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// told is a pipe of which the kernel tells what its peer has still to take: as much as lies
// between two sockets.
type told struct {
	*halfCloser
	sender, receiver *os.File
}

func (c told) SyscallConn() (syscall.RawConn, error) { return c.sender.SyscallConn() }

// tell returns told, and what makes a pipe of it, with so many bytes to take.
func tell(t *testing.T, left int) (c told, wrap func(net.Conn) net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	sender, receiver := os.NewFile(uintptr(fds[0]), "sender"), os.NewFile(uintptr(fds[1]), "receiver")
	c = told{new(halfCloser), sender, receiver}
	t.Cleanup(func() { c.sender.Close(); c.receiver.Close() })
	c.sender.Write(make([]byte, left))
	return c, func(conn net.Conn) net.Conn { c.Conn = conn; return c }
}

// Linux tells what is left to take. Each look at it comes after 100 ms.
func TestAnIdleClientDelaysTheEndByASecond(t *testing.T) {
	var saw rpctest.Transcript
	for _, row := range []struct {
		client string
		left   int           // bytes that it has to take
		takes  time.Duration // when it takes them
	}{
		{"has taken everything", 0, 0},
		{"takes the rest after 2.95s", 1, 2950 * time.Millisecond},
		{"never takes the rest", 1, time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, wrap := tell(t, row.left)
			_, theirs, l := pipe(t, wrap)
			l.Close()
			synctest.Wait() // the waiting Reads and Writes have been told
			begin := time.Now()
			if row.left > 0 {
				time.AfterFunc(row.takes, func() { c.receiver.Read(make([]byte, row.left)) })
			}
			theirs.Close()
			saw.Add("a silent client that %s delays the end by %v", row.client, time.Since(begin))
			l.Accept()
		})
	}
	_, wrap := tell(t, 0)
	saw.Add("one that takes a byte after 2.95s, and no more: %s", write(t, wrap, 2950*time.Millisecond))
	saw.Want(t, `
a silent client that has taken everything delays the end by 1.1s
a silent client that takes the rest after 2.95s delays the end by 4s
a silent client that never takes the rest delays the end by 5.1s
one that takes a byte after 2.95s, and no more: 1 of 4 bytes within 8s, i/o timeout`)
}
