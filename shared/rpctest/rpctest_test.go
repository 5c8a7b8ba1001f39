package rpctest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// Echo is a service that returns what it is sent, and where it runs.
type Echo struct{}

// Return returns text.
func (Echo) Return(text string, reply *string) error { *reply = text; return nil }

// PID returns the number of the process.
func (Echo) PID(_ int, reply *int) error { *reply = os.Getpid(); return nil }

// watched is a testing.TB that remembers how a test would have ended.
type watched struct {
	testing.TB
	output bytes.Buffer
	failed string
}

func (w *watched) Output() io.Writer              { return &w.output }
func (w *watched) Errorf(format string, a ...any) { w.failed = fmt.Sprintf(format, a...) }
func (w *watched) Helper()                        {}

func TestTranscriptPrintsAndCompares(t *testing.T) {
	for _, row := range []struct{ want, failed string }{
		{"\none 1\ntwo\n", ""},
		{"one 1\ntwo", ""},
		{"one 1", "the test saw\none 1\ntwo\nwant\none 1\n"},
		{"one 1\ntwo\nthree", "the test saw\none 1\ntwo\nwant\none 1\ntwo\nthree\n"},
	} {
		var saw Transcript
		saw.Add("one %d", 1)
		saw.Add("two")
		w := &watched{TB: t}
		saw.Want(w, row.want)
		if w.failed != row.failed || w.output.String() != "one 1\ntwo\n" {
			t.Errorf("wanted %q: printed %q, failed with %q, want %q", row.want, w.output.String(), w.failed, row.failed)
		}
	}
}

func TestBothCodecsConnectAndTapeTheCall(t *testing.T) {
	var saw Transcript
	for _, codec := range []Codec{Gob, JSON} {
		client, tape := codec.Connect(t, Echo{})
		var reply string
		first := client.Call("Echo.Return", "hello", &reply) // with it gob describes its types
		tape.Take()
		second := client.Call("Echo.Return", "hello", &reply)
		sent, received := tape.Take()
		saw.Add("%s: %q, %v, %v, %d bytes sent, %d received", codec.Name, reply, first, second, len(sent), len(received))
	}
	saw.Want(t, `
gob: "hello", <nil>, <nil>, 28 bytes sent, 28 received
JSON: "hello", <nil>, <nil>, 51 bytes sent, 39 received`)
}

func TestConnectServesAServerAsItIs(t *testing.T) {
	server := Server(t)
	if err := server.RegisterName("Other", Echo{}); err != nil {
		t.Fatal(err)
	}
	client, _ := Gob.Connect(t, server)
	var reply string
	if err := client.Call("Other.Return", "hello", &reply); err != nil || reply != "hello" {
		t.Errorf("Other.Return: %q, %v", reply, err)
	}
}

func TestQueueAcceptsWhatItIsSent(t *testing.T) {
	q := make(Queue, 2)
	q <- io.ErrUnexpectedEOF
	ours := q.Dial(t)
	_, first := q.Accept()
	theirs, second := q.Accept()
	q.Close()
	_, third := q.Accept()
	if first != io.ErrUnexpectedEOF || second != nil || third != net.ErrClosed {
		t.Fatalf("Accept: %v, %v, %v", first, second, third)
	}
	go ours.Write([]byte("x"))
	if _, err := theirs.Read(make([]byte, 1)); err != nil {
		t.Errorf("the ends of Dial and Accept are not one connection: %v", err)
	}
}

func TestTapeRecordsAListenersConnections(t *testing.T) {
	var tape Tape
	inner := make(Queue, 1)
	l := tape.Listener(inner)
	ours := inner.Dial(t)
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go io.WriteString(ours, "ping")
	io.ReadFull(theirs, make([]byte, 4))
	go io.ReadAll(ours)
	io.WriteString(theirs, "pong")
	if sent, received := tape.Take(); sent != "pong" || received != "ping" {
		t.Errorf("sent %q, received %q, want pong, ping", sent, received)
	}
	if sent, received := tape.Take(); sent+received != "" {
		t.Errorf("the second Take returns %q, %q, want nothing", sent, received)
	}
}

func TestStartProcessServesInAnotherProcess(t *testing.T) {
	process := StartProcess(t, Echo{})
	conn, err := net.Dial("tcp", process.Addr)
	if err != nil {
		t.Fatal(err)
	}
	client := Gob.NewClient(conn)
	defer client.Close()
	var pid int
	if err := client.Call("Echo.PID", 0, &pid); err != nil || pid != process.PID || pid == os.Getpid() {
		t.Errorf("PID = %d, %v, want %d, and not ours, %d", pid, err, process.PID, os.Getpid())
	}
	if !strings.HasPrefix(process.Addr, "127.0.0.1:") {
		t.Errorf("it listens on %s, want loopback alone", process.Addr)
	}
}
