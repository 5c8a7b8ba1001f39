package tcp_test

import (
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §2, C4, asks of RPC in general: TCP, HTTP or UDP? It leaves unsaid what net/rpc
// needs: a stream that keeps the order and loses nothing. Any such stream will do.
func TestAnyReliableStreamWorks(t *testing.T) {
	// Not t.TempDir: the path of a unix socket must be short.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listen := func(network, addr string) func(*rpc.Server) (net.Conn, error) {
		return func(server *rpc.Server) (net.Conn, error) {
			l, err := net.Listen(network, addr)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { l.Close() })
			go server.Accept(l)
			return net.Dial(network, l.Addr().String())
		}
	}
	var saw rpctest.Transcript
	for _, row := range []struct {
		stream  string
		connect func(*rpc.Server) (net.Conn, error)
	}{
		{"TCP", listen("tcp", "127.0.0.1:0")},
		{"a unix socket", listen("unix", filepath.Join(dir, "socket"))},
		{"net.Pipe", func(server *rpc.Server) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go server.ServeConn(theirs)
			return ours, nil
		}},
	} {
		conn, err := row.connect(rpctest.Server(t, new(shared.MathService)))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(rpctest.Patience))
		client := rpc.NewClient(conn)
		defer client.Close()
		var product int
		err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
		saw.Add("%s: Multiply(10, 20) = %d, %v", row.stream, product, err)
	}
	saw.Want(t, `
TCP: Multiply(10, 20) = 200, <nil>
a unix socket: Multiply(10, 20) = 200, <nil>
net.Pipe: Multiply(10, 20) = 200, <nil>`)
}

// datagrams makes a connection of a UDP socket, for a server with one client.
type datagrams struct {
	net.PacketConn
	peer  atomic.Pointer[net.Addr]
	lose  atomic.Bool  // the next datagram
	heard atomic.Int32 // how many have come, the lost ones among them
}

func (d *datagrams) Read(p []byte) (int, error) {
	for {
		n, peer, err := d.ReadFrom(p)
		if err != nil {
			return n, err
		}
		d.peer.Store(&peer)
		d.heard.Add(1)
		if !d.lose.Swap(false) {
			return n, nil
		}
	}
}

func (d *datagrams) Write(p []byte) (int, error) { return d.WriteTo(p, *d.peer.Load()) }

// Tutorial §2, C4: over UDP (of which net/rpc does not know, but rpc.Dial takes it) calls
// work while nothing is lost. A datagram that is lost is not sent again, as TCP would do
// before it delivers what comes after: its call hangs, and the later ones are answered.
func TestALostDatagramHangsItsCall(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(rpctest.Patience))
	conn := &datagrams{PacketConn: socket}
	go rpctest.Server(t, new(shared.MathService)).ServeConn(conn)
	client, err := rpc.Dial("udp", socket.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	var saw rpctest.Transcript
	var lost *rpc.Call
	for n := 1; n <= 5; n++ {
		if n == 2 {
			conn.lose.Store(true)
		}
		args, product := &shared.Args{A: n, B: 10}, new(int)
		call := client.Go("MathService.Multiply", args, product, nil)
		if n == 2 {
			lost = call
			continue
		}
		rpctest.Within(t, call.Done, "an answer over UDP")
		saw.Add("Multiply(%d, 10) = %d, %v", n, *product, call.Error)
	}
	saw.Add("5 calls, %d datagrams; the call whose datagram was lost has ended: %t",
		conn.heard.Load(), len(lost.Done) > 0)
	client.Close()
	rpctest.Within(t, lost.Done, "the end of the lost call, after Close")
	saw.Add("after Close: %s", describe(lost.Error))
	saw.Want(t, `
Multiply(1, 10) = 10, <nil>
Multiply(3, 10) = 30, <nil>
Multiply(4, 10) = 40, <nil>
Multiply(5, 10) = 50, <nil>
5 calls, 5 datagrams; the call whose datagram was lost has ended: false
after Close: net.ErrClosed`)
}
