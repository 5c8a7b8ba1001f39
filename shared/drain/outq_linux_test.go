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
	halfCloser
	sender *os.File
}

func (c *told) SyscallConn() (syscall.RawConn, error) { return c.sender.SyscallConn() }

// CloseWrite sends a FIN, which the peer has to take, too.
func (c *told) CloseWrite() error {
	_, err := c.sender.Write([]byte{0})
	return err
}

// Linux tells what is left to take. Each look at it comes after a second, and the first one sees the
// FIN in it, too, unless the peer has taken that already.
func TestAnIdleClientDelaysTheEndByASecond(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	sender, receiver := os.NewFile(uintptr(fds[0]), "sender"), os.NewFile(uintptr(fds[1]), "receiver")
	defer sender.Close()
	defer receiver.Close()
	var saw rpctest.Transcript
	for _, row := range []struct {
		client      string
		left, takes int // bytes: it has to take some, and takes some, or those and the FIN
		after       time.Duration
	}{
		{"has taken everything", 0, 1, time.Millisecond},
		{"takes the rest after 2.95s", 2, 3, 2950 * time.Millisecond},
		{"takes half of it after 2.95s", 2, 1, 2950 * time.Millisecond},
		{"takes nothing", 1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, theirs, l := pipe(t, func(conn net.Conn) net.Conn {
				return &told{halfCloser{Conn: conn}, sender}
			})
			for range row.left {
				sender.Write([]byte{0}) // on its own: what is taken is counted by packets
			}
			l.Close()
			synctest.Wait() // the waiting Reads and Writes have been told
			begin := time.Now()
			time.AfterFunc(row.after, func() { receiver.Read(make([]byte, row.takes)) })
			theirs.Close()
			saw.Add("a silent client that %s delays the end by %v", row.client, time.Since(begin))
			l.Accept()
			receiver.Read(make([]byte, row.left+1-row.takes))
		})
	}
	saw.Want(t, `
a silent client that has taken everything delays the end by 1s
a silent client that takes the rest after 2.95s delays the end by 4s
a silent client that takes half of it after 2.95s delays the end by 8s
a silent client that takes nothing delays the end by 6s`)
}
