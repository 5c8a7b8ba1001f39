package tcp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared"
)

// once is a listener that accepts one connection.
type once chan net.Conn

func (l once) Accept() (net.Conn, error) {
	if conn, more := <-l; more {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (l once) Close() error   { return nil }
func (l once) Addr() net.Addr { return &net.TCPAddr{} }

// The tutorial has its three servers on port 1234. Its client of one meets another, or a
// server that says nothing: this is what one dial and Multiply(10, 20) come to. That a client
// hangs is no guess here: synctest.Wait returns when nothing goes on that could wake it.
func TestWhoHangsOnWhom(t *testing.T) {
	const works, hangs = "works", "hangs"
	servers := map[string]func(net.Conn, *rpc.Server){
		"gob over TCP": func(conn net.Conn, server *rpc.Server) { server.ServeConn(conn) },
		"gob over HTTP": func(conn net.Conn, server *rpc.Server) {
			mux := http.NewServeMux()
			mux.Handle(rpc.DefaultRPCPath, server)
			l := make(once, 1)
			l <- conn
			close(l)
			http.Serve(l, mux)
		},
		"JSON over TCP": func(conn net.Conn, server *rpc.Server) { server.ServeCodec(jsonrpc.NewServerCodec(conn)) },
		"mute":          func(conn net.Conn, _ *rpc.Server) { io.Copy(io.Discard, conn) },
	}
	clients := map[string]func(net.Conn) (*rpc.Client, error){
		"rpc.Dial": func(conn net.Conn) (*rpc.Client, error) { return rpc.NewClient(conn), nil },
		"rpc.DialHTTP": func(conn net.Conn) (*rpc.Client, error) { // what it does after net.Dial
			io.WriteString(conn, "CONNECT "+rpc.DefaultRPCPath+" HTTP/1.0\n\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
			if err != nil {
				return nil, err
			}
			if resp.Status != "200 Connected to Go RPC" {
				return nil, errors.New("unexpected HTTP response: " + resp.Status)
			}
			return rpc.NewClient(conn), nil
		},
		"jsonrpc.Dial": func(conn net.Conn) (*rpc.Client, error) { return jsonrpc.NewClient(conn), nil },
	}
	for _, row := range []struct{ server, client, want string }{
		{"gob over TCP", "rpc.Dial", works},
		{"gob over TCP", "rpc.DialHTTP", hangs},
		{"gob over TCP", "jsonrpc.Dial", hangs}, // gob reads the { as a length of 123
		{"gob over HTTP", "rpc.Dial", hangs},
		{"gob over HTTP", "rpc.DialHTTP", works},
		{"gob over HTTP", "jsonrpc.Dial", "invalid character 'H' looking for beginning of value"},
		{"JSON over TCP", "rpc.Dial", "unexpected EOF"},
		{"JSON over TCP", "rpc.DialHTTP", "unexpected EOF"},
		{"JSON over TCP", "jsonrpc.Dial", works},
		{"mute", "rpc.Dial", hangs},
		{"mute", "rpc.DialHTTP", hangs},
		{"mute", "jsonrpc.Dial", hangs},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go servers[row.server](theirs, newServer(t, new(shared.MathService)))
			got := hangs
			go func() {
				client, err := clients[row.client](ours)
				product := 0
				if err == nil {
					err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
				}
				got = fmt.Sprint(err)
				if err == nil && product == 200 {
					got = works
				}
			}()
			synctest.Wait()
			t.Logf("%-13s  %-12s  %s", row.server, row.client, got)
			if got != row.want {
				t.Errorf("%s on %s: %s, want %s", row.client, row.server, got, row.want)
			}
			ours.Close()
			theirs.Close()
		})
	}
}
