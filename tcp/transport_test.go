package tcp_test

import (
	"errors"
	"net"
	"net/rpc"
	"sync/atomic"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §2, C4, asks of RPC in general: TCP, HTTP or UDP? It leaves unsaid what net/rpc
// needs: a stream that keeps the order and loses nothing. Any such stream will do.
func TestAnyReliableStreamWorks(t *testing.T) {
	t.Chdir(t.TempDir()) // for a unix socket, whose path must be short
	server := rpctest.Server(t, new(shared.MathService))
	inMemory, _ := rpctest.Gob.Connect(t, server)
	clients := map[string]*rpc.Client{"net.Pipe": inMemory}
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": "socket"} {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go server.Accept(l)
		clients[network] = dial(t, network, l.Addr().String())
	}
	var saw rpctest.Transcript
	for _, stream := range []string{"tcp", "unix", "net.Pipe"} {
		var product int
		err := clients[stream].Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
		saw.Add("%s: Multiply(10, 20) = %d, %v", stream, product, err)
	}
	saw.Want(t, `
tcp: Multiply(10, 20) = 200, <nil>
unix: Multiply(10, 20) = 200, <nil>
net.Pipe: Multiply(10, 20) = 200, <nil>`)
}

// datagrams makes a connection of a UDP socket, for a server with one client.
type datagrams struct {
	net.PacketConn
	peer  net.Addr
	heard atomic.Int32
}

// Read loses the second datagram.
func (d *datagrams) Read(p []byte) (int, error) {
	n, _, err := d.ReadFrom(p)
	if d.heard.Add(1) == 2 {
		return d.Read(p)
	}
	return n, err
}

func (d *datagrams) Write(p []byte) (int, error) { return d.WriteTo(p, d.peer) }

// Tutorial §2, C4: over UDP, of which net/rpc does not know, calls work while nothing is lost.
// A datagram that is lost is not sent again, as TCP would do before it delivers what comes
// after: its call hangs, and the later ones are answered.
func TestALostDatagramHangsItsCall(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	conn, err := net.Dial("udp", socket.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	counted := &datagrams{PacketConn: socket, peer: conn.LocalAddr()}
	go rpctest.Server(t, new(shared.MathService)).ServeConn(counted)
	client := rpc.NewClient(conn)
	defer client.Close()

	var saw rpctest.Transcript
	var lost *rpc.Call
	for n := 1; n <= 5; n++ {
		product := new(int)
		call := client.Go("MathService.Multiply", &shared.Args{A: n, B: 10}, product, nil)
		if n == 2 {
			lost = call
			continue
		}
		rpctest.Within(t, call.Done, "an answer over UDP")
		saw.Add("Multiply(%d, 10) = %d, %v", n, *product, call.Error)
	}
	saw.Add("5 calls, %d datagrams; the call whose datagram was lost has ended: %t",
		counted.heard.Load(), len(lost.Done) > 0)
	client.Close()
	rpctest.Within(t, lost.Done, "the end of the lost call, after Close")
	saw.Add("after Close it has, with net.ErrClosed: %t", errors.Is(lost.Error, net.ErrClosed))
	saw.Want(t, `
Multiply(1, 10) = 10, <nil>
Multiply(3, 10) = 30, <nil>
Multiply(4, 10) = 40, <nil>
Multiply(5, 10) = 50, <nil>
5 calls, 5 datagrams; the call whose datagram was lost has ended: false
after Close it has, with net.ErrClosed: true`)
}
