package tcp_test

import (
	"errors"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
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
	overListener := func(network, addr string) func(*testing.T, *rpc.Server) (net.Conn, error) {
		return func(t *testing.T, server *rpc.Server) (net.Conn, error) {
			l, err := net.Listen(network, addr)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { l.Close() })
			go server.Accept(l)
			return net.Dial(network, l.Addr().String())
		}
	}
	for _, row := range []struct {
		stream  string
		connect func(*testing.T, *rpc.Server) (net.Conn, error)
	}{
		{"TCP", overListener("tcp", "127.0.0.1:0")},
		{"unix socket", overListener("unix", filepath.Join(dir, "socket"))},
		{"net.Pipe", func(t *testing.T, server *rpc.Server) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go server.ServeConn(theirs)
			return ours, nil
		}},
	} {
		t.Run(row.stream, func(t *testing.T) {
			conn, err := row.connect(t, newServer(t, new(shared.MathService)))
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(patience))
			client := rpc.NewClient(conn)
			defer client.Close()
			var reply int
			if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply); err != nil || reply != 200 {
				t.Fatalf("Multiply(10, 20) = %d, %v, want 200", reply, err)
			}
			t.Logf("Multiply(10, 20) = %d", reply)
		})
	}
}

// Tutorial §2, C4: UDP is among the transports of RPC in general. The servers of §4 begin
// with net.Listen, which does not know it.
func TestListenRefusesUDP(t *testing.T) {
	l, err := net.Listen("udp", "127.0.0.1:0")
	if err == nil {
		l.Close()
		t.Fatal("net.Listen works for UDP, want an error")
	}
	t.Log(err)
}

// datagrams makes a connection of a UDP socket, for a server with one client.
type datagrams struct {
	net.PacketConn
	peer  atomic.Pointer[net.Addr]
	lose  atomic.Int32 // how many of the next datagrams get lost
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
		if d.lose.Add(-1) < 0 {
			return n, nil
		}
	}
}

func (d *datagrams) Write(p []byte) (int, error) { return d.WriteTo(p, *d.peer.Load()) }

// Tutorial §2, C4: over UDP (of which net/rpc does not know, but rpc.Dial takes it) calls
// work while nothing is lost. A datagram that is lost is not sent again, as TCP would do:
// its call hangs, while the server goes on to answer those that come after it.
func TestALostDatagramHangsItsCall(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(patience))
	conn := &datagrams{PacketConn: socket}
	go newServer(t, new(shared.MathService)).ServeConn(conn)
	client, err := rpc.Dial("udp", socket.LocalAddr().String())
	if err != nil {
		t.Fatalf("rpc.Dial: %v, want no error", err)
	}
	defer client.Close()

	multiply := func(a, b int) *rpc.Call {
		return client.Go("MathService.Multiply", &shared.Args{A: a, B: b}, new(int), nil)
	}
	answer := func(call *rpc.Call) int {
		if within(t, call.Done, "an answer over UDP"); call.Error != nil {
			t.Fatal(call.Error)
		}
		return *call.Reply.(*int)
	}
	first := answer(multiply(10, 20))
	conn.lose.Store(1)
	lost := multiply(30, 40)
	third := answer(multiply(5, 6))
	if first != 200 || third != 30 {
		t.Errorf("Multiply(10, 20) = %d, Multiply(5, 6) = %d, want 200, 30", first, third)
	}
	time.Sleep(500 * time.Millisecond) // TCP would have sent it again by now
	if len(lost.Done) > 0 {
		t.Errorf("the call whose request got lost ended with %v, want it to hang", lost.Error)
	}
	heard := conn.heard.Load()
	if heard != 3 {
		t.Errorf("%d datagrams came, want 3: nothing is sent again", heard)
	}
	t.Logf("Multiply(10, 20) = %d; the next request gets lost; Multiply(5, 6) = %d", first, third)
	t.Logf("the lost call has ended: %t; datagrams, with the lost one: %d", len(lost.Done) > 0, heard)
	client.Close()
	if within(t, lost.Done, "the end of the lost call, after Close"); !errors.Is(lost.Error, net.ErrClosed) {
		t.Errorf("after Close the lost call ended with %v, want net.ErrClosed", lost.Error)
	}
}
