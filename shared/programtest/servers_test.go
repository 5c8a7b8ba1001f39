package programtest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"regexp"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// multiply starts async/server, which takes delay over Multiply, and returns with a call that the
// server has read: requests are read in order, and None, which comes second, has failed.
func multiply(t *testing.T, delay string) (*programtest.Server, *rpc.Client, *rpc.Call) {
	t.Helper()
	server := start(t, "async/server", "-delay", delay)
	client := rpc.NewClient(rpctest.Dial(t, "tcp", server.Addr))
	call := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, new(int), nil)
	err := client.Call("MathService.None", &shared.Args{}, nil)
	if err != rpc.ServerError("rpc: can't find method MathService.None") {
		t.Fatalf("None: %v, want it not to be found", err)
	}
	return server, client, call
}

// A call that the server has read when the signal comes is still answered, after its delay.
func TestASignalLosesNoCall(t *testing.T) {
	t.Parallel() // real time passes
	skipOnWindows(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		begin := time.Now()
		server, client, call := multiply(t, "300ms")
		server.Process.Signal(signal)
		rpctest.Within(t, call.Done, "the answer to Multiply")
		product, took := *call.Reply.(*int), time.Since(begin)
		if call.Error != nil || product != 42 || took < 300*time.Millisecond {
			t.Errorf("%v: Multiply(6, 7) = %d, %v after %v, want 42 after 300ms", signal, product, call.Error, took)
		}
		client.Close() // or the server would wait for it to hang up
		if printed, err := server.Wait(); err != nil {
			t.Errorf("%v: the server ended with %v, %s, want exit status 0", signal, err, printed)
		}
		waitUntilRefused(t, server.Addr)
	}
}

// A server that waits for a call ends at once after another signal, be it that the first has had its
// effect or not. (Two of one kind would be one to the system while the first still waits.)
func TestASecondSignalEndsAServerAtOnce(t *testing.T) {
	t.Parallel()
	skipOnWindows(t)
	want := regexp.MustCompile("^async/server: (interrupt|terminated): stopped at once; calls in flight are lost\n$")
	for _, wait := range []bool{false, true} {
		server, _, _ := multiply(t, "1h")
		server.Process.Signal(syscall.SIGTERM)
		if wait {
			waitUntilRefused(t, server.Addr)
		}
		server.Process.Signal(os.Interrupt)
		if printed, err := server.Wait(); err == nil || err.Error() != "exit status 1" || !want.MatchString(printed) {
			t.Errorf("after a second signal the server printed %q and ended with %v, want a match of %s, exit status 1",
				printed, err, want)
		}
	}
}

// http/server tells a peer that does not finish its request, and cuts it off after 2 s. One
// that has said CONNECT may be silent for as long as it likes, and one that has got an answer
// for a minute.
func TestHTTPServerWaitsForNoRequestButForAnyCall(t *testing.T) {
	t.Parallel() // real time passes
	server := start(t, "http/server")
	// A machine that stalls for 2 s costs a connection before its first request: it is tried again.
	connect := func(request func(net.Conn) error) net.Conn {
		for try := 1; ; try++ {
			conn := rpctest.Dial(t, "tcp", server.Addr)
			if err := request(conn); err == nil {
				return conn
			} else if try == 10 {
				t.Fatalf("ten times in a row, a first request is not answered: %v", err)
			}
		}
	}
	var client *rpc.Client
	handshake := func(conn net.Conn) (err error) {
		client, err = rpctest.DialHTTPConn(conn)
		return err
	}
	send := func(request string) (answer []byte) {
		connect(func(conn net.Conn) error {
			io.WriteString(conn, request)
			if answer, _ = io.ReadAll(conn); len(answer) == 0 {
				return fmt.Errorf("%q: EOF", request)
			}
			return nil
		})
		return answer
	}
	post := func(conn net.Conn) error {
		const call = `{"method": "MathService.Multiply", "params": [{"A": 6, "B": 7}], "id": 1}`
		fmt.Fprintf(conn, "POST /jsonrpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(call), call)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		if body, err := io.ReadAll(resp.Body); string(body) != `{"id":1,"result":42,"error":null}`+"\n" {
			t.Errorf("POST: %s, %v, want 42", body, err)
		}
		return nil
	}
	connect(handshake)
	kept := connect(post)

	for _, row := range []struct {
		request, answer string // answer is a pattern
		after           time.Duration
	}{
		{"POST /jsonrpc HT", `400 Bad Request\r\n(?s:.*)\r\n\r\n400 Bad Request$`, 2 * time.Second},
		{"POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
			`400 Bad Request\r\n(?s:.*)\r\n\r\nread tcp .*: i/o timeout\n$`, 2 * time.Second},
		{"POST /jsonrpc HTTP/1.0\r\nOrigin: https://example.com\r\n\r\n", `403 Forbidden\r\n`, 0},
		{"GET /jsonrpc HTTP/1.0\r\n\r\n", `405 Method Not Allowed\r\n`, 0},
		{"GET / HTTP/1.0\r\n\r\n", `404 Not Found\r\n`, 0},
	} {
		begin := time.Now() // before the server can have begun
		answer, after := send(row.request), time.Since(begin)
		if !regexp.MustCompile(`^HTTP/1\.. `+row.answer).Match(answer) || after < row.after-100*time.Millisecond {
			t.Errorf("%q is answered %q after %v, want a match of %s after %v",
				row.request, answer, after, row.answer, row.after)
		}
	}
	if product, err := shared.NewMathServiceClient(client).Multiply(t.Context(), 6, 7); product != 42 || err != nil {
		t.Errorf("after a silence: Multiply(6, 7) = %d, %v, want 42", product, err)
	}
	if err := post(kept); err != nil {
		t.Errorf("POST on a connection that has been silent for 4s: %v, want it to be open", err)
	}
	// The counters of net/rpc count each call that has reached a method, POST or not.
	three := regexp.MustCompile(`Multiply\(\*shared\.Args, \*int\) error</td>\s*<td align=center>3</td>`)
	if page := send("GET /debug/rpc HTTP/1.0\r\n\r\n"); !three.Match(page) {
		t.Errorf("after three calls, two of them by POST, /debug/rpc is %s, want a match of %s", page, three)
	}
	// A connection in which net/rpc panics is closed.
	conn := connect(handshake)
	conn.Write(rpctest.HostileGob())
	if _, err := io.ReadAll(conn); os.IsTimeout(err) {
		t.Errorf("a connection in which net/rpc has panicked: %v, want its end", err)
	}
}
