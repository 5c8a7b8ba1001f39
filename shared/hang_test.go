package shared

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// The tutorial has all its servers on port 1234 (§4.2 to §4.4). A client that meets another one
// waits forever, here for a simulated hour, or gets an odd error; which one depends on the bytes,
// here those of Multiply(10, 20). No server in it has a time limit. The JSON server hangs up when
// it reads what is no JSON. If bytes are left unread then, its client sees a reset (on a net.Pipe:
// io.ErrClosedPipe), and otherwise an unexpected EOF.
func TestWhoHangsOnWhom(t *testing.T) {
	clients := []struct {
		name    string
		connect func(net.Conn) (*rpc.Client, error)
	}{
		{"rpc.Dial", rpctest.GobTCP.NewClient},
		{"rpc.DialHTTP", rpctest.GobHTTP.NewClient},
		{"jsonrpc.Dial", rpctest.JSONTCP.NewClient},
	}
	servers := []struct {
		name  string
		serve func(*rpc.Server, io.ReadWriteCloser)
	}{
		{"gob over TCP", rpctest.Gob.Serve},
		{"gob over HTTP", func(server *rpc.Server, conn io.ReadWriteCloser) {
			q := make(rpctest.Queue, 2)
			q <- conn
			q <- net.ErrClosed // ends Serve, which leaves conn to its goroutine
			http.Serve(q, server)
		}},
		{"JSON over TCP", rpctest.JSON.Serve},
		{"a server that says nothing", func(_ *rpc.Server, conn io.ReadWriteCloser) {
			io.Copy(io.Discard, conn)
		}},
	}
	var saw rpctest.Transcript
	synctest.Test(t, func(t *testing.T) {
		for _, client := range clients {
			for _, server := range servers {
				ours, theirs := net.Pipe()
				ours.SetDeadline(time.Now().Add(time.Hour))
				go server.serve(rpctest.Server(t, new(MathService)), theirs)
				product := 0
				caller, err := client.connect(ours)
				if err == nil {
					err = caller.Call("MathService.Multiply", &Args{10, 20}, &product)
				}
				outcome := fmt.Sprint(err)
				switch {
				case err == nil && product == 200:
					outcome = "works"
				case errors.Is(err, os.ErrDeadlineExceeded):
					outcome = "hangs"
				case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
					outcome = "unexpected EOF, or a reset"
				}
				saw.Add("%s to %s: %s", client.name, server.name, outcome)
				ours.Close()
			}
		}
		time.Sleep(time.Minute) // until the HTTP server has hung up, too
	})
	saw.Want(t, `
rpc.Dial to gob over TCP: works
rpc.Dial to gob over HTTP: hangs
rpc.Dial to JSON over TCP: unexpected EOF, or a reset
rpc.Dial to a server that says nothing: hangs
rpc.DialHTTP to gob over TCP: hangs
rpc.DialHTTP to gob over HTTP: works
rpc.DialHTTP to JSON over TCP: unexpected EOF, or a reset
rpc.DialHTTP to a server that says nothing: hangs
jsonrpc.Dial to gob over TCP: hangs
jsonrpc.Dial to gob over HTTP: invalid character 'H' looking for beginning of value
jsonrpc.Dial to JSON over TCP: works
jsonrpc.Dial to a server that says nothing: hangs`)
}
