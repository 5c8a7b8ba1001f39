package shared_test

import (
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// textsOfLaterCalls are those of a connection that has worked.
var textsOfLaterCalls = []errorText{
	callEnds("connection is shut down", spoilt,
		after(hangUpThere), after(hangUp),
		func(t *testing.T) outcome { // and so says Close, the second time
			_, client, _ := lose(t, overTCP, served, hangUp)
			return outcome{fmt.Sprint(client.Close()), spoilt}
		},
		afterAGreeting,
	),
	callEnds("unexpected EOF", lost,
		inFlight(overTCP, served, hangUpThere),
		inFlight(overTCP, unserved, func(_ *rpc.Client, _, theirs net.Conn) {
			theirs.(*net.TCPConn).CloseWrite() // Close would reset, for the request is unread
		}),
	),
	callEnds("connection reset by peer", lost,
		inFlight(overTCP, served, reset), inFlight(overTCP, unserved, reset),
	).orElse("An existing connection was forcibly closed by the remote host."),
	reads("reading error body: …", halfAnAnswer),
	callEnds("broken pipe", spoilt, writeAfterTheEnd).orElse(
		"connection reset by peer",
		"An established connection was aborted by the software in your host machine.",
		"An existing connection was forcibly closed by the remote host.",
	),
	callEnds("use of closed network connection", lost,
		inFlight(overTCP, served, hangUp), inFlight(overTCP, unserved, hangUp)),
	callEnds("io: read/write on closed pipe", lost,
		inFlight(inMemory, served, hangUp), inFlight(inMemory, unserved, hangUp)),
	callEnds("i/o timeout", lost, inFlight(overTCP, served, expire), inFlight(overTCP, unserved, expire)),
	callEnds("context deadline exceeded", fate{perhapsExecuted, goesOn},
		giveUp(0, time.Second), giveUp(time.Minute, time.Second)),
	callEnds("context canceled", fate{perhapsExecuted, goesOn},
		giveUp(0, time.Hour), giveUp(time.Minute, time.Hour)),
}

// Tutorial §2: the result or the error comes back. These are the texts of a connection that ends
// before that: only the first one says that the call was not sent. It has an exception, below.
func TestTextsOfLaterCalls(t *testing.T) { provokeAll(t, textsOfLaterCalls) }

// What may happen to a connection.
func hangUp(client *rpc.Client, _, _ net.Conn)    { client.Close() }
func hangUpThere(_ *rpc.Client, _, conn net.Conn) { conn.Close() }
func expire(_ *rpc.Client, conn, _ net.Conn)      { conn.SetDeadline(time.Now()) }
func reset(_ *rpc.Client, _, conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

const served, unserved = true, false

// overTCP returns both ends of a connection.
func overTCP(t *testing.T, _ bool) (ours, theirs net.Conn) {
	return rpctest.TCPPair(t)
}

// inMemory does so too. It has no buffer, so that somebody must read.
func inMemory(t *testing.T, served bool) (ours, theirs net.Conn) {
	ours, theirs = net.Pipe()
	if !served {
		go io.Copy(io.Discard, theirs)
	}
	return ours, theirs
}

type connect func(t *testing.T, served bool) (ours, theirs net.Conn)

type event func(client *rpc.Client, ours, theirs net.Conn)

// lose makes a call that the server executes, or does not even read, and lets event happen.
func lose(t *testing.T, connect connect, served bool, event event) (*Clerk, *rpc.Client, error) {
	ours, theirs := connect(t, served)
	clerk := &Clerk{entered: make(chan struct{}), release: make(chan struct{})}
	t.Cleanup(func() { close(clerk.release) })
	if served {
		go rpctest.Server(t, clerk).ServeConn(theirs)
	}
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	call := client.Go("Clerk.Wait", 1, new(int), nil)
	if served {
		rpctest.Within(t, clerk.entered, "the call at the server")
	}
	event(client, ours, theirs)
	rpctest.Within(t, call.Done, "the end of the call")
	return clerk, client, call.Error
}

// inFlight sees what the call ends with.
func inFlight(connect connect, served bool, event event) provocation {
	return func(t *testing.T) outcome {
		clerk, client, err := lose(t, connect, served, event)
		return outcome{fmt.Sprint(err), clerk.fate(client)}
	}
}

// after sees what the next call ends with.
func after(event event) provocation {
	return func(t *testing.T) outcome {
		clerk, client, _ := lose(t, overTCP, served, event)
		clerk.executed.Store(0)
		err := client.Call("Clerk.Double", 1, new(int))
		return outcome{fmt.Sprint(err), clerk.fate(client)}
	}
}

// afterAGreeting makes a first call, to a server that has spoken first, as that of SSH does.
func afterAGreeting(t *testing.T) (got outcome) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		client := rpc.NewClient(ours)
		io.WriteString(theirs, "SSH-2.0-OpenSSH_9.6\r\n"+strings.Repeat("x", 100))
		synctest.Wait() // until the client has given up
		got.text = fmt.Sprint(client.Call("Clerk.Double", 1, nil))
		got.fate = new(Clerk).fate(client)
		client.Close()
	})
	return got
}

// The connection ends, the client is closed, and another call is just being sent, which keeps the
// client from telling the call in flight: this ends in ErrShutdown, although it was sent.
func TestACallThatWasSentMayEndInErrShutdown(t *testing.T) {
	ours, theirs := net.Pipe()
	answers, end := io.Pipe() // which ends first, as after CloseWrite
	clerk := &Clerk{entered: make(chan struct{}), release: make(chan struct{})}
	defer close(clerk.release)
	go rpctest.Server(t, clerk).ServeRequest(jsonrpc.NewServerCodec(theirs)) // reads one, and no more
	client := jsonrpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{answers, ours})
	call := client.Go("Clerk.Wait", 1, nil, nil)
	rpctest.Within(t, clerk.entered, "the call at the server")
	go client.Go("Clerk.Double", 1, nil, nil)
	theirs.Read(make([]byte, 1)) // so it has begun to write, and nobody reads the rest
	end.Close()
	client.Close()
	var saw rpctest.Transcript
	saw.Add("the call in flight: %v", rpctest.Within(t, call.Done, "the end of the call").Error)
	saw.Add("executed: %d", clerk.executed.Load())
	saw.Want(t, `
the call in flight: connection is shut down
executed: 1`)
}

// halfAnAnswer returns the error of a call in flight, when the connection ends within an error
// that answers another one.
func halfAnAnswer(t *testing.T) error {
	client := answered(t, func(seq uint64, conn net.Conn) {
		if seq == 1 {
			gob.NewEncoder(conn).Encode(rpc.Response{Seq: 0, Error: "no"}) // and no body
			conn.Close()
		}
	})
	first := client.Go("Clerk.Double", 1, nil, nil)
	second := client.Go("Clerk.Double", 1, nil, nil)
	if rpctest.Within(t, first.Done, "the first answer"); first.Error != rpc.ServerError("no") {
		t.Errorf("the answer of which half came: %v, want no", first.Error)
	}
	return rpctest.Within(t, second.Done, "the end of the other call").Error
}

// writeAfterTheEnd lets a client write to a peer that is gone, before it reads of its end.
func writeAfterTheEnd(t *testing.T) outcome {
	ours, theirs := overTCP(t, unserved)
	theirs.Close()
	silence, end := io.Pipe()
	client := rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{silence, ours})
	defer client.Close()
	defer end.Close()
	for until := time.Now().Add(rpctest.Patience); time.Now().Before(until); {
		call := client.Go("Clerk.Double", 1, nil, nil)
		select {
		case <-call.Done:
			return outcome{fmt.Sprint(call.Error), new(Clerk).fate(client)}
		default: // written, to nobody
		}
	}
	return outcome{text: fmt.Sprintf("writing goes on for %v", rpctest.Patience)}
}

// giveUp calls through a stub that gives up after limit or, if nothing else ends the call, when it
// is cancelled after two seconds. The method takes ten, and the server begins to read after idle.
func giveUp(idle, limit time.Duration) provocation {
	return func(t *testing.T) (got outcome) {
		synctest.Test(t, func(t *testing.T) {
			clerk := new(Clerk)
			server := rpctest.Server(t, clerk)
			if err := server.RegisterName("MathService", slowService{clerk}); err != nil {
				t.Fatal(err)
			}
			ours, theirs := net.Pipe()
			time.AfterFunc(idle, func() { server.ServeConn(theirs) })
			client := rpc.NewClient(ours)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			time.AfterFunc(2*time.Second, cancel)
			_, err := shared.NewMathServiceClient(client).Multiply(ctx, 10, 20)
			yet := clerk.executed.Load()
			time.Sleep(idle)
			got = outcome{fmt.Sprint(err), clerk.fate(client)}
			if yet == 0 {
				got.fate.executed = notExecuted
			}
			client.Close()
			time.Sleep(time.Hour) // until the server has ended too
		})
		return got
	}
}

// slowService is slow.
type slowService struct{ clerk *Clerk }

// Multiply takes ten seconds.
func (s slowService) Multiply(_ *shared.Args, _ *int) error {
	s.clerk.done()
	time.Sleep(10 * time.Second)
	return nil
}
