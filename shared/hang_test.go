package shared

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
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
	servers := map[string]func(*rpc.Server, io.ReadWriteCloser){
		"gob over TCP":  rpctest.Gob.Serve,
		"JSON over TCP": rpctest.JSON.Serve,
		"gob over HTTP": func(server *rpc.Server, conn io.ReadWriteCloser) {
			q := make(rpctest.Queue, 2)
			q <- conn
			q <- net.ErrClosed // ends Serve, which leaves conn to its goroutine
			http.Serve(q, server)
		},
		"a server that says nothing": func(_ *rpc.Server, conn io.ReadWriteCloser) {
			io.Copy(io.Discard, conn)
		},
	}
	clients := map[string]func(net.Conn) (*rpc.Client, error){
		"rpc.Dial":     rpctest.GobTCP.NewClient,
		"rpc.DialHTTP": rpctest.GobHTTP.NewClient,
		"jsonrpc.Dial": rpctest.JSONTCP.NewClient,
	}
	var saw rpctest.Transcript
	meet := func(t *testing.T, client, server string) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		go servers[server](rpctest.Server(t, new(MathService)), theirs)
		outcome := make(chan error, 1)
		go func() {
			product := 0
			client, err := clients[client](ours)
			if err == nil {
				err = client.Call("MathService.Multiply", &Args{10, 20}, &product)
			}
			if err == nil && product != 200 {
				t.Errorf("Multiply(10, 20) = %d", product)
			}
			outcome <- err
		}()
		select {
		case err := <-outcome:
			switch {
			case err == nil:
				saw.Add("%s to %s: works", client, server)
			case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
				saw.Add("%s to %s: unexpected EOF, or a reset", client, server)
			default:
				saw.Add("%s to %s: %v", client, server, err)
			}
		case <-time.After(time.Hour):
			saw.Add("%s to %s: hangs", client, server)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, client := range []string{"rpc.Dial", "rpc.DialHTTP", "jsonrpc.Dial"} {
			meet(t, client, "gob over TCP")
			meet(t, client, "gob over HTTP")
			meet(t, client, "JSON over TCP")
			meet(t, client, "a server that says nothing")
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
