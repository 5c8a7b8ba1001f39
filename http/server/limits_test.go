package main

import (
	"io"
	"net"
	"net/http"
	"net/rpc"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
)

// A peer that does not finish its request is told so and cut off. One that has said CONNECT
// may be silent for as long as it likes.
func TestTheServerWaitsForNoRequestButForAnyCall(t *testing.T) {
	t.Parallel() // real time passes
	programs, err := programtest.Build("../..", "http/server")
	if err != nil {
		t.Fatal(err)
	}
	server, err := programtest.Start(programs.Path("http/server"), "-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	client, err := rpc.DialHTTP("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	type end struct {
		answer string
		after  time.Duration
	}
	send := func(request string) <-chan end {
		conn, err := net.Dial("tcp", server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(programtest.Patience))
		begin, ended := time.Now(), make(chan end, 1)
		go func() {
			io.WriteString(conn, request)
			answer, _ := io.ReadAll(conn)
			ended <- end{string(answer), time.Since(begin)}
		}()
		return ended
	}
	header := send("POST /jsonrpc HT")
	body := send("POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
	for _, row := range []struct {
		name         string
		ended        <-chan end
		status, text string
	}{
		{"a header", header, "HTTP/1.1 400 Bad Request\r\n", "\r\n\r\n400 Bad Request"},
		{"a body", body, "HTTP/1.1 408 Request Timeout\r\n", `{"error":"the body did not arrive in time","id":null,"result":null}` + "\n"},
	} {
		got := <-row.ended
		if !strings.HasPrefix(got.answer, row.status) || !strings.HasSuffix(got.answer, row.text) {
			t.Errorf("half %s is answered %q, want %q … %q", row.name, got.answer, row.status, row.text)
		}
		if got.after < 1900*time.Millisecond || got.after > 5*time.Second {
			t.Errorf("half %s is cut off after %v, want 2s", row.name, got.after)
		}
		t.Logf("half %s: %s", row.name, strings.TrimSpace(row.status))
	}
	product, err := shared.NewMathServiceClient(client).Multiply(t.Context(), 6, 7)
	if product != 42 || err != nil {
		t.Errorf("after a silence: Multiply(6, 7) = %d, %v, want 42", product, err)
	}

	web := &http.Client{Timeout: programtest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := web.Post("http://"+server.Addr+"/jsonrpc", "application/json", strings.NewReader(
		`{"method": "MathService.Multiply", "params": [{"A": 6, "B": 7}], "id": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != `{"id":1,"result":42,"error":null}`+"\n" {
		t.Errorf("POST: %s, %v, want 42", body, err)
	}
	// What main has put around the handlers: no call for the pages of others, and no connection
	// that stays open when net/rpc panics.
	foreign, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+server.Addr+"/jsonrpc", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	foreign.Header.Set("Origin", "https://example.com")
	if resp, err := web.Do(foreign); err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("POST from a page of another site: %v, %v, want 403", resp, err)
	} else {
		resp.Body.Close()
	}
	conn, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(programtest.Patience / 2))
	io.WriteString(conn, "CONNECT /_goRPC_ HTTP/1.0\n\n")
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.0 200 Connected to Go RPC\n\n"))); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, hostileGob())
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("a connection in which net/rpc has panicked: %v, want its end", err)
	}
	for path, want := range map[string]int{"/jsonrpc": http.StatusMethodNotAllowed, "/debug/rpc": http.StatusOK, "/": http.StatusNotFound} {
		resp, err := web.Get("http://" + server.Addr + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}
