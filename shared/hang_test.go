package shared

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
	"testing/synctest"
	"time"
)

// dialHTTP does what rpc.DialHTTP does, on a connection that there is already.
func dialHTTP(conn net.Conn) (*rpc.Client, error) {
	io.WriteString(conn, "CONNECT "+rpc.DefaultRPCPath+" HTTP/1.0\n\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err == nil && resp.Status != "200 Connected to Go RPC" {
		err = fmt.Errorf("unexpected HTTP response: %s", resp.Status)
	}
	return rpc.NewClient(conn), err
}

// The tutorial has all its servers on port 1234 (§4.2 to §4.4). A client that meets another
// one waits forever, or gets an odd error; which one depends on the bytes, here those of
// Multiply(10, 20). No server in it has a time limit.
func TestWhoHangsOnWhom(t *testing.T) {
	const hangs = "hangs"
	servers := map[string]func(*rpc.Server, net.Conn){
		"gob over TCP":  func(server *rpc.Server, conn net.Conn) { server.ServeConn(conn) },
		"JSON over TCP": func(server *rpc.Server, conn net.Conn) { server.ServeCodec(jsonrpc.NewServerCodec(conn)) },
		"gob over HTTP": func(server *rpc.Server, conn net.Conn) {
			l := make(fakeListener, 1)
			l <- conn
			go func() {
				time.Sleep(2 * time.Hour)
				close(l)
			}()
			http.Serve(onlyAccept{l}, server)
		},
		"one that says nothing": func(_ *rpc.Server, conn net.Conn) { io.Copy(io.Discard, conn) },
	}
	clients := map[string]func(net.Conn) (*rpc.Client, error){
		"rpc.Dial":     func(conn net.Conn) (*rpc.Client, error) { return rpc.NewClient(conn), nil },
		"rpc.DialHTTP": dialHTTP,
		"jsonrpc.Dial": func(conn net.Conn) (*rpc.Client, error) { return jsonrpc.NewClient(conn), nil },
	}
	for _, row := range []struct{ client, server, want string }{
		{"rpc.Dial", "gob over TCP", "works"},
		{"rpc.Dial", "gob over HTTP", hangs},
		{"rpc.Dial", "JSON over TCP", "unexpected EOF"},
		{"rpc.Dial", "one that says nothing", hangs},
		{"rpc.DialHTTP", "gob over TCP", hangs},
		{"rpc.DialHTTP", "gob over HTTP", "works"},
		{"rpc.DialHTTP", "JSON over TCP", "unexpected EOF"},
		{"rpc.DialHTTP", "one that says nothing", hangs},
		{"jsonrpc.Dial", "gob over TCP", hangs}, // gob reads the { as a length of 123
		{"jsonrpc.Dial", "gob over HTTP", "invalid character 'H' looking for beginning of value"},
		{"jsonrpc.Dial", "JSON over TCP", "works"},
		{"jsonrpc.Dial", "one that says nothing", hangs},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := rpc.NewServer()
			if err := server.Register(new(MathService)); err != nil {
				t.Fatal(err)
			}
			ours, theirs := net.Pipe()
			go servers[row.server](server, theirs)
			outcome := make(chan string, 1)
			go func() {
				client, err := clients[row.client](ours)
				reply := 0
				if err == nil {
					err = client.Call("MathService.Multiply", &Args{10, 20}, &reply)
				}
				if err != nil {
					outcome <- err.Error()
				} else if reply == 200 {
					outcome <- "works"
				}
			}()
			got := hangs
			select {
			case got = <-outcome:
			case <-time.After(time.Hour):
			}
			if got != row.want {
				t.Errorf("%s, server: %s: %s, want %s", row.client, row.server, got, row.want)
			}
			t.Logf("%s, server: %s: %s", row.client, row.server, got)
			ours.Close()
			theirs.Close()
			time.Sleep(3 * time.Hour) // until everything has ended
		})
	}
}
