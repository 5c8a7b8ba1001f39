package tcp_test

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// Tutorial §4.2, C12: gob is fast, and for Go alone. It describes the types (Request, Args;
// Response) once for each connection, so that the first call costs about three times the
// bytes of a later one: a client that dials for each call pays that each time.
func TestGobSendsTypesOnce(t *testing.T) {
	client, conn := connect(t, new(shared.MathService))
	for i, want := range []struct{ sent, received int }{{112, 91}, {36, 34}, {36, 34}} {
		var reply int
		if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &reply); err != nil || reply != 200 {
			t.Fatalf("Multiply(10, 20) = %d, %v, want 200", reply, err)
		}
		sent, received := conn.take()
		if len(sent) != want.sent || len(received) != want.received {
			t.Errorf("call %d: %d bytes sent, %d received, want %d, %d", i+1, len(sent), len(received), want.sent, want.received)
		}
		t.Logf("call %d: %d bytes sent, %d received", i+1, len(sent), len(received))
	}
}

// Tutorial §4.2, C12, and §5, C23: gob ties both sides to Go. What it sends is not the
// values alone, but also what Go knows of their types: names, fields and kinds, in a format
// of its own (package encoding/gob documents it). A peer has to understand both.
func TestGobDescribesGoTypes(t *testing.T) {
	client, conn := connect(t, new(shared.MathService))
	if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int)); err != nil {
		t.Fatal(err)
	}
	sent, received := conn.take()
	// A name is preceded by its length. Request and Response are types of net/rpc.
	for _, name := range []string{"\aRequest", "\rServiceMethod", "\x03Seq", "\x04Args", "\x01A", "\x01B"} {
		if !strings.Contains(sent, name) {
			t.Errorf("the first request has no %q", name)
		}
	}
	if !strings.Contains(received, "\bResponse") {
		t.Error("the first reply does not describe the type Response")
	}
	t.Logf("the first request: %q", sent)
}

// Tutorial §4.2, C12, leaves unsaid that gob "is not designed to be hardened against
// adversarial inputs" (package encoding/gob). A value of a type that nobody has described is
// an error at first; the second time gob panics, and nothing in net/rpc recovers. So
// whoever reaches the port can end the server.
func TestAFewBytesEndAGobServer(t *testing.T) {
	addr, wait := startProcess(t, Faulty{})
	const (
		typeOfRequest = "2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c0001035365710106000000"
		request       = "08ff800103582e5900" // Request{ServiceMethod: "X.Y"}
		value         = "03300000"           // its argument: a value of type 24, which does not exist
	)
	attack, err := hex.DecodeString(typeOfRequest + request + value + request + value)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(attack); err != nil {
		t.Fatal(err)
	}
	status, stderr := wait()
	if status != 2 || !strings.Contains(stderr, "panic: runtime error") || !strings.Contains(stderr, "encoding/gob.") {
		t.Fatalf("the server ended with exit status %d and %q, want 2 and a panic of encoding/gob", status, stderr)
	}
	_, cause, _ := strings.Cut(stderr, "panic: ")
	cause, _, _ = strings.Cut(cause, "\n")
	t.Logf("%d bytes: %x", len(attack), attack)
	t.Logf("the server: exit status %d, %q", status, cause)
}
