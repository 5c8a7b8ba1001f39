package drain

import (
	"bufio"
	"bytes"
	"context"
	"encoding/gob"
	"io"
	"math"
	"net"
	"net/http"
	"net/rpc"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Gate is the service of these tests.
type Gate struct {
	entered  chan bool    // by Pass or Fill
	release  chan bool    // lets Pass go on
	executed atomic.Int64 // calls of Count
}

// Pass doubles n when it is released.
func (g *Gate) Pass(n int, reply *int) error {
	g.entered <- true
	<-g.release
	*reply = 2 * n
	return nil
}

// Fill replies with size bytes.
func (g *Gate) Fill(size int, reply *[]byte) error {
	g.entered <- true
	*reply = make([]byte, size)
	return nil
}

// Count counts its calls.
func (g *Gate) Count(_ int, reply *int64) error {
	*reply = g.executed.Add(1)
	return nil
}

// gateServer publishes a Gate until it has drained.
type gateServer struct {
	*Listener
	*Gate
	ended   chan bool // closed when its serving loop has returned
	endedAt time.Time
}

func serveGate(t *testing.T, transport rpctest.Transport, inner net.Listener) *gateServer {
	t.Helper()
	s := &gateServer{
		Listener: New(inner),
		Gate:     &Gate{entered: make(chan bool, 100), release: make(chan bool)},
		ended:    make(chan bool),
	}
	server := rpctest.Server(t, s.Gate)
	go func() {
		transport.Serve(server, s)
		s.endedAt = time.Now()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.Close()
		rpctest.Within(t, s.ended, "the end of the server")
	})
	return s
}

// The methods take an hour, and the client hangs up a second after their replies.
func TestDrainingAnswersWhatIsInFlight(t *testing.T) {
	var saw rpctest.Transcript
	for _, transport := range rpctest.Transports {
		synctest.Test(t, func(t *testing.T) {
			inner := make(rpctest.Queue, 1)
			s := serveGate(t, transport, inner)
			ours, theirs := net.Pipe()
			inner <- &halfCloser{Conn: theirs}
			client, err := transport.NewClient(ours)
			if err != nil {
				t.Fatal(err)
			}
			replies, done := make([]int, 5), make(chan *rpc.Call, 5)
			for i := range replies {
				client.Go("Gate.Pass", i, &replies[i], done)
				<-s.entered
			}
			begin := time.Now()
			saw.Add("%s, 5 calls in flight: Close returns %v after %v",
				transport.Name, s.Close(), time.Since(begin))
			time.Sleep(time.Hour)
			close(s.release)
			for range replies {
				if call := <-done; call.Error != nil {
					saw.Add("a call in flight fails: %v", call.Error)
				}
			}
			saw.Add("they are answered after %v: %v", time.Since(begin), replies)
			time.Sleep(time.Second)
			client.Close()
			<-s.ended
			_, err = s.Accept()
			saw.Add("the server ends after %v: %v", s.endedAt.Sub(begin), err)
		})
	}
	saw.Want(t, `
gob over TCP, 5 calls in flight: Close returns <nil> after 0s
they are answered after 1h0m0s: [0 2 4 6 8]
the server ends after 1h0m1s: stopped, with no call left in flight
gob over HTTP, 5 calls in flight: Close returns <nil> after 0s
they are answered after 1h0m0s: [0 2 4 6 8]
the server ends after 1h0m1s: stopped, with no call left in flight
JSON over TCP, 5 calls in flight: Close returns <nil> after 0s
they are answered after 1h0m0s: [0 2 4 6 8]
the server ends after 1h0m1s: stopped, with no call left in flight`)
}

// The counts agree only if every reply that is written arrives.
func TestDrainingUnderLoadLosesNothing(t *testing.T) {
	var saw rpctest.Transcript
	for _, transport := range rpctest.Transports {
		s := serveGate(t, transport, rpctest.Listen(t))
		clients := make([]*rpc.Client, 8)
		for i := range clients {
			var err error
			if clients[i], err = transport.Dial("tcp", s.Addr().String()); err != nil {
				t.Fatal(err)
			}
		}
		var answered atomic.Int64
		var callers sync.WaitGroup
		for _, client := range clients {
			var inFlight sync.WaitGroup
			for range 16 {
				inFlight.Go(func() {
					for client.Call("Gate.Count", 0, new(int64)) == nil {
						if answered.Add(1) == 5000 {
							s.Close()
						}
					}
				})
			}
			callers.Go(func() {
				inFlight.Wait()
				client.Close()
			})
		}
		rpctest.Within(t, s.ended, "the end of the server")
		callers.Wait()
		saw.Add("%s: 128 callers never pause; %d calls are executed and not answered",
			transport.Name, s.executed.Load()-answered.Load())
	}
	saw.Want(t, `
gob over TCP: 128 callers never pause; 0 calls are executed and not answered
gob over HTTP: 128 callers never pause; 0 calls are executed and not answered
JSON over TCP: 128 callers never pause; 0 calls are executed and not answered`)
}

// smallBuffers is a listener of connections for which the server's kernel holds 200 kB or so.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetWriteBuffer(200_000)
}

// pause is longer than the listener waits for a peer that has taken everything.
const pause = 1100 * time.Millisecond

// slowConn is a connection whose reader takes little at a time, and takes its time.
type slowConn struct {
	net.Conn
	begin   chan bool
	pauseAt int // after so many bytes; each: a little before each Read
	taken   int
}

const each = -1

func (c *slowConn) Read(p []byte) (int, error) {
	<-c.begin
	if c.pauseAt == each {
		time.Sleep(pause / 100)
	} else if c.taken >= c.pauseAt {
		c.pauseAt = math.MaxInt
		time.Sleep(pause)
	}
	n, err := c.Conn.Read(p[:min(len(p), 20_000)])
	c.taken += n
	return n, err
}

// A peer that begins late, reads slowly or pauses gets every reply, also when it sends a request
// that nobody reads. Sockets and their buffers decide here, so real time passes.
func TestDrainingWaitsAsLongAsThePeerTakesSomething(t *testing.T) {
	const calls, size = 20, 100_000 // 2 MB, more than the buffers hold
	for peer, pauseAt := range map[string]int{
		"begins late":          0,
		"pauses in the middle": 1_000_000,
		"pauses near the end":  1_800_000, // the server has written the rest; our kernel cannot hold it
		"reads slowly":         each,
	} {
		t.Run(peer, func(t *testing.T) {
			t.Parallel()
			s := serveGate(t, rpctest.Transports[0], smallBuffers{rpctest.Listen(t)})
			s.stallTimeout = rpctest.Patience // so that no stall of the machine looks like that of a peer
			conn, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			conn.(*net.TCPConn).SetReadBuffer(64 << 10)
			slow := &slowConn{Conn: conn, begin: make(chan bool), pauseAt: pauseAt}
			client := rpc.NewClient(slow)
			defer client.Close()
			done := make(chan *rpc.Call, calls)
			for range calls {
				client.Go("Gate.Fill", size, new([]byte), done)
				rpctest.Within(t, s.entered, "a call in flight")
			}
			begin := time.Now()
			s.Close()
			close(slow.begin)
			late := client.Go("Gate.Count", 0, new(int64), nil)
			replies := 0
			for range calls {
				call := rpctest.Within(t, done, "a reply")
				if call.Error == nil && len(*call.Reply.(*[]byte)) == size {
					replies++
				}
			}
			refused := rpctest.Within(t, late.Done, "the end of the late call").Error
			client.Close()
			rpctest.Within(t, s.ended, "the end of the server")
			var saw rpctest.Transcript
			saw.Add("%d of %d replies arrive", replies, calls)
			if took := s.endedAt.Sub(begin); took < pause {
				saw.Add("draining took %v, though the peer paused for %v", took, pause)
			}
			saw.Add("a call while draining: %v; executed: %d", refused, s.executed.Load())
			saw.Want(t, `
20 of 20 replies arrive
a call while draining: unexpected EOF; executed: 0`)
		})
	}
}

// To a net.Conn nothing tells where a request begins, and net/rpc answers half of one with
// the error of Read: so that says what has happened.
func TestHalfARequestIsAnsweredThatTheServerIsStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := make(rpctest.Queue, 1)
		s := serveGate(t, rpctest.Transports[0], inner)
		conn := inner.Dial(t)
		var request bytes.Buffer
		encoder := gob.NewEncoder(&request)
		encoder.Encode(&rpc.Request{ServiceMethod: "Gate.Count", Seq: 7})
		encoder.Encode(1000)
		conn.Write(request.Bytes()[:request.Len()-1])
		synctest.Wait() // net/rpc has read it, and waits for the rest
		s.Close()
		var response rpc.Response
		if err := gob.NewDecoder(conn).Decode(&response); err != nil {
			t.Fatal(err)
		}
		var saw rpctest.Transcript
		saw.Add("half of request 7 has arrived when draining begins; executed: %d", s.executed.Load())
		saw.Add("answer to request %d: %s", response.Seq, response.Error)
		saw.Want(t, `
half of request 7 has arrived when draining begins; executed: 0
answer to request 7: read: the server is stopping; this call was not executed`)
	})
}

// The Close and the Shutdown of an http.Server wait for the listener. But draining ends the
// contexts of requests, at which http.TimeoutHandler answers 503; its handler is not waited for.
func TestShutdownWaitsForTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saw rpctest.Transcript
		var executed atomic.Int64
		slow := func(takes time.Duration) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				time.Sleep(takes)
				executed.Add(1)
			})
		}
		mux := http.NewServeMux()
		mux.Handle("/plain", slow(time.Hour))
		mux.Handle("/limited", http.TimeoutHandler(slow(2*time.Hour), 3*time.Hour, ""))
		inner := make(rpctest.Queue)
		server := &http.Server{Handler: mux}
		go server.Serve(New(inner))
		begin := time.Now()
		for _, path := range []string{"/limited", "/plain"} {
			conn := inner.Dial(t)
			go func() {
				io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					saw.Add("%s: %v", path, err)
					return
				}
				saw.Add("%s is answered after %v: %s", path, time.Since(begin), resp.Status)
			}()
		}
		synctest.Wait() // the handlers sleep
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var closed, shut time.Duration
		go func() { server.Close(); closed = time.Since(begin) }()
		server.Shutdown(ctx) // its error may be that of ctx
		shut = time.Since(begin)
		synctest.Wait() // what happens at that moment has happened
		saw.Add("Shutdown, which has a second, returns after %v, Close after %v; executed: %d",
			shut, closed, executed.Load())
		time.Sleep(2 * time.Hour) // the handler that nobody waits for ends
		saw.Want(t, `
/limited is answered after 0s: 503 Service Unavailable
/plain is answered after 1h0m0s: 200 OK
Shutdown, which has a second, returns after 1h0m0s, Close after 1h0m0s; executed: 1`)
	})
}
