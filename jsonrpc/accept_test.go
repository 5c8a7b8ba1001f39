package jsonrpc_test

import (
	"bytes"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
)

// The tutorial's jsonrpc.ServeConn (§4.4) knows only what rpc.Register has put
// into rpc.DefaultServer. A server of one's own needs ServeCodec.
func TestServeConnServesDefaultServerOnly(t *testing.T) {
	server := newServer(t, new(shared.MathService))
	for _, row := range []struct {
		name  string
		serve func(net.Conn)
		want  error
	}{
		{"jsonrpc.ServeConn", func(conn net.Conn) { jsonrpc.ServeConn(conn) }, rpc.ServerError("rpc: can't find service MathService.Multiply")},
		{"server.ServeCodec", func(conn net.Conn) { server.ServeCodec(jsonrpc.NewServerCodec(conn)) }, nil},
	} {
		ours, theirs := pipe(t)
		go row.serve(theirs)
		err := jsonrpc.NewClient(ours).Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
		if err != row.want {
			t.Errorf("%s: Multiply(10, 20): %v, want %v", row.name, err, row.want)
		}
		t.Logf("a server of one's own under %s: Multiply(10, 20): %v", row.name, err)
	}
}

// failingListener fails whenever it is asked, and ends the goroutine that asks too often.
type failingListener struct {
	err     error
	accepts int
}

const enough = 1000

func (l *failingListener) Accept() (net.Conn, error) {
	if l.accepts == enough {
		runtime.Goexit()
	}
	l.accepts++
	return nil, l.err
}

// The tutorial's accept loop (§4.4) logs each error and goes on at once. When the process has
// no descriptor left, Accept fails until one is free, and the loop spins: it takes all of a
// processor, and writes line after line. (Nothing in its program closes the listener; if
// something did, the loop would spin for good.)
func TestTutorialsAcceptLoopSpins(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
	}{
		{"no descriptors", &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}},
		{"closed", &net.OpError{Op: "accept", Net: "tcp", Err: net.ErrClosed}},
	} {
		synctest.Test(t, func(t *testing.T) {
			listener := &failingListener{err: row.err}
			var lines bytes.Buffer
			log := log.New(&lines, "", 0)
			begin := time.Now()
			returned := make(chan bool, 1)
			go func() {
				defer close(returned)
				func() {
					for {
						conn, err := listener.Accept()
						if err != nil {
							log.Println(err)
							continue
						}
						go jsonrpc.ServeConn(conn)
					}
				}()
				returned <- true
			}()
			if within(t, returned, "1000 calls of Accept") {
				t.Errorf("%s: the loop returned", row.name)
			}
			logged, paused := strings.Count(lines.String(), row.err.Error()+"\n"), time.Since(begin)
			if listener.accepts != enough || logged != enough || paused != 0 {
				t.Errorf("%s: %d calls of Accept, %d lines logged, %v of pauses, want %d, %[5]d, 0s", row.name, listener.accepts, logged, paused, enough)
			}
			t.Logf("%d times %q, %d lines logged, %v of pauses between them", listener.accepts, row.err, logged, paused)
		})
	}
}
