package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"testing"
	"time"
)

// hostileGob makes encoding/gob panic: twice a request header, and a value of a type that
// nobody has defined.
func hostileGob() string {
	var b bytes.Buffer
	encoder := gob.NewEncoder(&b)
	for range 2 {
		encoder.Encode(rpc.Request{ServiceMethod: "X.Y"})
		b.Write([]byte{0x03, 0x30, 0x00, 0x00})
	}
	return b.String()
}

// This server closes a connection in which net/rpc has panicked, and so neither runs out of
// descriptors nor waits for it when it stops.
func TestAPanicInARPCConnectionClosesIt(t *testing.T) {
	ts := newPostServer(t, closeHijacked(newPostHandler(t)))
	ts.Config.ConnContext = withConn
	ts.Start()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, "CONNECT /_goRPC_ HTTP/1.0\n\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); line != "HTTP/1.0 200 Connected to Go RPC\n" {
		t.Fatalf("CONNECT is answered %q, %v", line, err)
	}
	io.WriteString(conn, hostileGob())
	if _, err := io.Copy(io.Discard, answers); err != nil {
		t.Errorf("after the panic: %v, want the end of the connection", err)
	}
	t.Log("net/rpc panics, and the server closes the connection")
}

func TestAConnectThatIsNotForRPCIsAnswered(t *testing.T) {
	ts := newPostServer(t, closeHijacked(newPostHandler(t)))
	ts.Config.ConnContext = withConn
	ts.Start()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, ts.URL+"/jsonrpc", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := ts.Client().Transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("CONNECT /jsonrpc: status %d, want 405", resp.StatusCode)
	}
}
