package jsonrpc_test

import (
	"io"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// The tutorial's jsonrpc.ServeConn (§4.4) knows only what rpc.Register has put
// into rpc.DefaultServer. A server of one's own needs ServeCodec.
func TestServeConnServesDefaultServerOnly(t *testing.T) {
	var saw rpctest.Transcript
	serveConn, serveCodec := rpctest.JSON, rpctest.JSON
	serveConn.Name, serveCodec.Name = "jsonrpc.ServeConn", "server.ServeCodec"
	serveConn.Serve = func(_ *rpc.Server, conn io.ReadWriteCloser) { jsonrpc.ServeConn(conn) }
	for _, codec := range []rpctest.Codec{serveConn, serveCodec} {
		client, _ := codec.Connect(t, new(shared.MathService))
		err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
		saw.Add("a server of one's own, by %s: %v", codec.Name, err)
	}
	saw.Want(t, `
a server of one's own, by jsonrpc.ServeConn: rpc: can't find service MathService.Multiply
a server of one's own, by server.ServeCodec: <nil>`)
}

// failingListener fails a thousand times, and then ends the goroutine that asks once more.
type failingListener struct{ accepts int }

func (l *failingListener) Accept() (net.Conn, error) {
	if l.accepts == 1000 {
		runtime.Goexit()
	}
	l.accepts++
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
}

// The tutorial's accept loop (§4.4) logs each error and goes on at once. When the process has
// no descriptor left, Accept fails until one is free, and the loop spins: it takes all of a
// processor, and writes line after line. (Nothing in its program closes the listener; if
// something did, the loop would spin for good.)
func TestTutorialsAcceptLoopSpins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var listener failingListener
		var lines strings.Builder
		log := log.New(&lines, "", 0)
		begin := time.Now()
		var loop sync.WaitGroup
		loop.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					log.Println(err)
					continue
				}
				go jsonrpc.ServeConn(conn)
			}
		})
		loop.Wait()
		logged := strings.Count(lines.String(), "accept tcp: too many open files\n")
		saw.Add("%d errors, %d lines logged, %v of pauses between them",
			listener.accepts, logged, time.Since(begin))
		saw.Want(t, "1000 errors, 1000 lines logged, 0s of pauses between them")
	})
}
