package programtest_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// Out of file descriptors, a server waits until there are some again.
func TestServersSurviveTooManyConnections(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	for _, pair := range programtest.Pairs {
		t.Run(pair.Folder, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-c", `ulimit -n 64; exec "$0" -addr 127.0.0.1:0 "$@"`, programs(t).Path(pair.Server())}, quick(pair)...)
			server, err := programs(t).Start("sh", args...)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Kill()
			var conns []net.Conn
			for range 100 {
				conn, err := net.Dial("tcp", server.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if pair.Folder == "http" { // after which no time limit holds
					io.WriteString(conn, "CONNECT "+rpc.DefaultRPCPath+" HTTP/1.0\n\n")
				}
				conns = append(conns, conn)
			}
			line := rpctest.Within(t, server.Lines, "a word of the server, with 100 connections and 64 descriptors")
			if !strings.Contains(line, "too many open files; trying again in ") {
				t.Errorf("with 100 connections and 64 descriptors the server says %q, want too many open files", line)
			}
			for _, conn := range conns {
				conn.Close()
			}
			if got := run(t, pair.Client(), "-addr", server.Addr, "-timeout", "100s"); got.ExitCode != 0 {
				t.Errorf("afterwards the client exits with %d: %s", got.ExitCode, got.Stderr)
			}
			if printed, err := server.Stop(); err != nil {
				t.Errorf("asked to stop: %v, %s", err, printed)
			}
		})
	}
}

// A call that the server has read when the signal comes is still answered.
func TestASignalLosesNoCall(t *testing.T) {
	t.Parallel() // real time passes
	skipOnWindows(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		server := start(t, "async/server", "-delay", "300ms")
		client := dial(t, programtest.Pairs[0], server.Addr)
		var product int
		call := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, &product, make(chan *rpc.Call, 1))
		waitUntilRead(t, client)
		server.Process.Signal(signal)
		rpctest.Within(t, call.Done, "the answer to Multiply")
		if call.Error != nil || product != 42 {
			t.Errorf("%v: Multiply(6, 7) = %d, %v, want 42", signal, product, call.Error)
		}
		client.Close() // or the server would wait for it to hang up
		if printed, err := server.Wait(); err != nil {
			t.Errorf("%v: the server ended with %v, %s, want exit status 0", signal, err, printed)
		}
		if conn, err := net.Dial("tcp", server.Addr); err == nil {
			conn.Close()
			t.Errorf("%v: the server still accepts", signal)
		}
	}
}

// waitUntilRead returns when the server has read every call that client has sent: requests are
// read in order, and when this one has failed, those before it are in flight.
func waitUntilRead(t *testing.T, client *rpc.Client) {
	t.Helper()
	none := client.Go("MathService.None", &shared.Args{}, nil, make(chan *rpc.Call, 1))
	if rpctest.Within(t, none.Done, "the answer to None"); none.Error != rpc.ServerError("rpc: can't find method MathService.None") {
		t.Fatalf("None: %v, want it not to be found", none.Error)
	}
}

// A server that waits for a client ends at once after another signal, be it soon or late.
func TestASecondSignalEndsAServerAtOnce(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	for _, pair := range programtest.Pairs {
		server := start(t, pair.Server(), quick(pair)...)
		waitUntilRead(t, dial(t, pair, server.Addr)) // and so this connection is open
		endAtOnce(t, pair, server, func() {})
	}
	pair := programtest.Pair{Folder: "async"}
	server := start(t, pair.Server(), "-delay", "1h")
	client := dial(t, pair, server.Addr)
	client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, new(int), nil)
	waitUntilRead(t, client)
	endAtOnce(t, pair, server, func() { // until it does not accept any more
		for begin := time.Now(); ; {
			conn, err := net.Dial("tcp", server.Addr)
			if err != nil {
				return
			}
			conn.Close()
			if time.Since(begin) > rpctest.Patience {
				t.Fatalf("the server still accepts %v after a signal", rpctest.Patience)
			}
		}
	})
}

// endAtOnce sends server two signals. Two of one kind would be one to the system while the
// first still waits.
func endAtOnce(t *testing.T, pair programtest.Pair, server *programtest.Server, between func()) {
	t.Helper()
	server.Process.Signal(syscall.SIGTERM)
	between()
	server.Process.Signal(os.Interrupt)
	printed, err := server.Wait()
	want := regexp.MustCompile("^" + pair.Server() + ": (interrupt|terminated): stopped at once; calls in flight are lost\n$")
	if err == nil || err.Error() != "exit status 1" || !want.MatchString(printed) {
		t.Errorf("%s after two signals: %v, printed %q; want exit status 1, a match of %s", pair.Server(), err, printed, want)
	}
}

// async/server is slow over Multiply, and only over that.
func TestAsyncServerTakesItsTimeOverMultiply(t *testing.T) {
	t.Parallel() // real time passes
	server := start(t, "async/server", "-delay", "200ms")
	stub := shared.NewMathServiceClient(dial(t, programtest.Pairs[0], server.Addr))
	begin := time.Now()
	product, err := stub.Multiply(t.Context(), 17, 5)
	if took := time.Since(begin); product != 85 || err != nil || took < 200*time.Millisecond {
		t.Errorf("Multiply(17, 5) = %d, %v after %v, want 85 after at least 200ms", product, err, took)
	}
	quotient, err := stub.Divide(t.Context(), 17, 5)
	if quotient != (shared.Quotient{Quo: 3, Rem: 2}) || err != nil {
		t.Errorf("Divide(17, 5) = %v, %v, want {3 2}", quotient, err)
	}
}

// http/server tells a peer that does not finish its request, and cuts it off after 2 s. One
// that has said CONNECT may be silent for as long as it likes, and one that has got an answer
// for a minute.
func TestHTTPServerWaitsForNoRequestButForAnyCall(t *testing.T) {
	t.Parallel() // real time passes
	server := start(t, "http/server")
	url := "http://" + server.Addr
	client := dial(t, programtest.Pair{Folder: "http"}, server.Addr)
	web := &http.Client{Timeout: rpctest.Patience}
	defer web.CloseIdleConnections()
	// By hand, for an http.Transport may give a connection up that the server keeps.
	var kept net.Conn
	var answers *bufio.Reader
	post := func() error {
		const request = `{"method": "MathService.Multiply", "params": [{"A": 6, "B": 7}], "id": 1}`
		fmt.Fprintf(kept, "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		if body, err := io.ReadAll(resp.Body); string(body) != `{"id":1,"result":42,"error":null}`+"\n" {
			t.Errorf("POST: %s, %v, want 42", body, err)
		}
		return nil
	}
	for try := 1; ; try++ { // a slow machine may need more than 2s for the first request
		var err error
		if kept, err = net.Dial("tcp", server.Addr); err != nil {
			t.Fatal(err)
		}
		defer kept.Close()
		kept.SetDeadline(time.Now().Add(rpctest.Patience))
		answers = bufio.NewReader(kept)
		if err = post(); err == nil {
			break
		} else if try == 10 {
			t.Fatalf("POST, ten times in a row: %v", err)
		}
	}

	type end struct {
		answer string
		after  time.Duration
	}
	send := func(request string) <-chan end {
		begin := time.Now() // before the server can have begun
		conn, err := net.Dial("tcp", server.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(rpctest.Patience))
		ended := make(chan end, 1)
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
		if !strings.HasPrefix(got.answer, row.status) || !strings.HasSuffix(got.answer, row.text) || got.after < 1900*time.Millisecond {
			t.Errorf("half %s is answered %q after %v, want %q … %q after 2s", row.name, got.answer, got.after, row.status, row.text)
		}
	}
	if product, err := shared.NewMathServiceClient(client).Multiply(t.Context(), 6, 7); product != 42 || err != nil {
		t.Errorf("after a silence: Multiply(6, 7) = %d, %v, want 42", product, err)
	}
	if err := post(); err != nil {
		t.Errorf("POST on a connection that has been silent for 2s: %v, want it to be open", err)
	}

	// What main puts around the handlers: no call for the pages of others, and no connection
	// that stays open when net/rpc panics.
	foreign, err := http.NewRequestWithContext(t.Context(), "POST", url+"/jsonrpc", strings.NewReader("{}"))
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
	conn.SetDeadline(time.Now().Add(rpctest.Patience))
	if _, err := rpctest.DialHTTPConn(conn); err != nil {
		t.Fatal(err)
	}
	conn.Write(rpctest.HostileGob())
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection in which net/rpc has panicked: %v, want its end", err)
	}
	// The counters of net/rpc count each call that has reached a method, POST or not.
	if resp, err := web.Get(url + "/debug/rpc"); err != nil {
		t.Error(err)
	} else {
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		want := regexp.MustCompile(`Multiply\(\*shared\.Args, \*int\) error</td>\s*<td align=center>3</td>`)
		if !want.Match(page) {
			t.Errorf("after three calls, two of them by POST, /debug/rpc has %s, %v, want a match of %s", page, err, want)
		}
	}
	for path, want := range map[string]int{"/jsonrpc": http.StatusMethodNotAllowed, "/debug/rpc": http.StatusOK, "/": http.StatusNotFound} {
		resp, err := web.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}
