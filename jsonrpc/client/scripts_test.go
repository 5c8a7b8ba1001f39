package main_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// scripts are the clients in other languages (tutorial §4.4, C21: "any language that
// supports JSON-RPC, such as Python and JavaScript, can call").
var scripts = []struct{ name, interpreter string }{
	{"client.py", "python3"},
	{"client.mjs", "node"},
}

// How the line ends that says what is wrong. ADDR stands for the server's address.
const (
	hint    = "; is that the address of jsonrpc/server? -addr sets another\n"
	startIt = "; start it with: go run ./jsonrpc/server -addr ADDR\n"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8") // the parallel rows wait for time to pass
	os.Exit(m.Run())
}

// needs skips the test if the script's interpreter is not installed, except in CI.
func needs(t *testing.T, interpreter string) {
	t.Helper()
	if _, err := exec.LookPath(interpreter); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("not installed: ", err)
	}
}

// python is what python3 starts: before it there may be a shim that takes longer than a script.
var python = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(path)), err
})

// command returns a command that runs a script, and kills it if it hangs.
func command(t *testing.T, script, interpreter string, args ...string) *exec.Cmd {
	t.Helper()
	// go test repeats an old result unless it has seen the test open what it depends on.
	if _, err := os.ReadFile(script); err != nil {
		t.Fatal(err)
	}
	if interpreter == "python3" {
		var err error
		if interpreter, err = python(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, interpreter, append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=") // Python then keeps what is not flushed
	cmd.WaitDelay = time.Second
	return cmd
}

// run runs a script to its end, with addr if there is one, for which the output has ADDR.
func run(t *testing.T, script, interpreter, addr string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	if addr != "" {
		args = append([]string{"-addr", addr}, args...)
	}
	cmd := command(t, script, interpreter, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(e)
	}
	stdout, stderr = out.String(), err.String()
	if addr != "" {
		stderr = strings.ReplaceAll(stderr, addr, "ADDR")
	}
	t.Logf("%s exits with %d and says %.200q", script, cmd.ProcessState.ExitCode(), stdout+stderr)
	return stdout, stderr, cmd.ProcessState.ExitCode()
}

// serve has peer talk to each client that connects, until the test ends.
func serve(t *testing.T, host string, peer func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				peer(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// serveMath serves MathService, as jsonrpc/server does.
func serveMath(t *testing.T, host string) (addr string) {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		t.Fatal(err)
	}
	return serve(t, host, func(conn net.Conn) { server.ServeCodec(jsonrpc.NewServerCodec(conn)) })
}

// A script prints what the Go clients print, whatever its time limit (§4.4, C21).
func TestScriptsCallTheService(t *testing.T) {
	t.Parallel()
	const results = "MathService.Multiply(10, 20) = 200\nMathService.Divide(10, 20) = 0 remainder 10\n"
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			addr := serveMath(t, "127.0.0.1")
			for _, row := range []struct {
				args   string
				stdout string
				err    string
			}{
				{"", results, ""},
				{"-a -9007199254740991 -b=1 -timeout 10000000h", // longer than any timer
					"MathService.Multiply(-9007199254740991, 1) = -9007199254740991\n" +
						"MathService.Divide(-9007199254740991, 1) = -9007199254740991 remainder 0\n", ""},
				{"-a 7 -b 0 -timeout 1.5m", "MathService.Multiply(7, 0) = 0\n", "MathService.Divide(7, 0): divide by zero"},
			} {
				wantErr, wantCode := "", 0
				if row.err != "" {
					wantErr, wantCode = script.name+": "+row.err+"\n", 1
				}
				stdout, stderr, code := run(t, script.name, script.interpreter, addr, strings.Fields(row.args)...)
				if stdout != row.stdout || stderr != wantErr || code != wantCode {
					t.Errorf("%s %s printed %q, %q, exit %d; want %q, %q, exit %d",
						script.name, row.args, stdout, stderr, code, row.stdout, wantErr, wantCode)
				}
			}
		})
	}
}

func TestScriptsCallOverIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("no IPv6 loopback: ", err)
	}
	l.Close()
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			stdout, stderr, code := run(t, script.name, script.interpreter, serveMath(t, "::1"))
			if !strings.HasSuffix(stdout, "= 0 remainder 10\n") || stderr != "" || code != 0 {
				t.Errorf("printed %q, %q, exit %d; want both results", stdout, stderr, code)
			}
		})
	}
}

// JavaScript's numbers are exact up to 2^53; a Go int is larger (§4.4).
func TestNodeRefusesWhatItWouldRound(t *testing.T) {
	needs(t, "node")
	t.Parallel()
	addr := serveMath(t, "127.0.0.1")
	for _, row := range []struct {
		a, b, what string
		code       int
	}{
		{"9007199254740993", "1", "-a", 2},
		{"1", "-9007199254740993", "-b", 2},
		{"3", "3002399751580331", "the product", 1}, // 2^53 + 1
	} {
		stdout, stderr, code := run(t, "client.mjs", "node", addr, "-a", row.a, "-b", row.b)
		want := "client.mjs: " + row.what + " is no integer that JavaScript holds exactly (up to 2^53 - 1)\n"
		if stdout != "" || stderr != want || code != row.code {
			t.Errorf("-a %s -b %s printed %q, %q, exit %d; want %q, exit %d", row.a, row.b, stdout, stderr, code, want, row.code)
		}
	}
}

// What is no answer of MathService, a script does not print as one. It prints one line,
// without the control characters that a peer may have sent.
func TestScriptsRefuseOddAnswers(t *testing.T) {
	t.Parallel()
	const (
		good = `{"id":1,"result":200,"error":null}`
		odd  = "not an answer of MathService: .*" // a pattern, as all of them
	)
	hint := regexp.QuoteMeta(hint)
	noInteger := "(" + odd + "not an integer.*" + hint + "|.* is no integer that JavaScript holds exactly .*\n)"
	rows := []struct {
		name, answer1, answer2 string // to Multiply, to Divide; none hangs up
		says                   string
	}{
		{"another id", `{"id":2,"result":200,"error":null}`, "", odd + hint},
		{"true", `{"id":1,"result":true,"error":null}`, "", noInteger},
		{"a fraction", `{"id":1,"result":200.00000000000000000001,"error":null}`, "", odd + hint},
		{"an error object", `{"id":1,"result":200,"error":{"code":1}}`, "", odd + hint},
		{"deeply nested", strings.Repeat("[", 4000), "", odd + hint},
		{"HTTP", "HTTP/1.1 400 Bad Request", "", odd + hint},
		{"no remainder", good, `{"id":1,"result":{"Quo":0},"error":null}`, "(" + odd + "KeyError.*" + hint + "|" + noInteger + ")"},
		{"a text for the quotient", good, `{"id":1,"result":{"Quo":"0","Rem":10},"error":null}`, noInteger},
		{"nothing", "", "", "the connection was closed without an answer" + hint},
		{"a reset", "", "", `(\[|read ).*` + hint}, // "[Errno 104] …" or "read ECONNRESET"
		{"control characters", `{"id":1,"result":null,"error":"one\ntwo\r\u001b[31m\u009b\u2028\u202e\u007fé"}`, "",
			`MathService\.Multiply\(10, 20\): one two  \[31m    é` + "\n"},
	}
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			for _, row := range rows {
				addr := serve(t, "127.0.0.1", func(conn net.Conn) {
					requests := bufio.NewReader(conn)
					for _, answer := range []string{row.answer1, row.answer2} {
						requests.ReadString('\n')
						if row.name == "a reset" {
							conn.(*net.TCPConn).SetLinger(0)
						}
						if answer == "" {
							return
						}
						io.WriteString(conn, answer+"\n")
					}
					requests.ReadString('\n') // until the script hangs up
				})
				wantOut := ""
				if row.answer1 == good {
					wantOut = "MathService.Multiply(10, 20) = 200\n"
				}
				stdout, stderr, code := run(t, script.name, script.interpreter, addr)
				want := "^" + regexp.QuoteMeta(script.name) + ": " + row.says + "$"
				if stdout != wantOut || !regexp.MustCompile(want).MatchString(stderr) || code != 1 {
					t.Errorf("%s: printed %q, %.300q, exit %d; want %q, a match of %q, exit 1", row.name, stdout, stderr, code, wantOut, want)
				}
			}
		})
	}
}

// One time limit bounds all that a script waits for.
func TestScriptsGiveUp(t *testing.T) {
	t.Parallel()
	mute := func(conn net.Conn) { io.Copy(io.Discard, conn) }
	trickle := func(conn net.Conn) { // {"id":1,"id":1,…
		io.WriteString(conn, "{")
		for i := 0; ; i++ {
			time.Sleep(5 * time.Millisecond)
			if _, err := io.WriteString(conn, `"id":1,`[i%7:i%7+1]); err != nil {
				return
			}
		}
	}
	onlyMultiply := func(conn net.Conn) {
		requests := bufio.NewReader(conn)
		requests.ReadString('\n')
		io.WriteString(conn, `{"id":1,"result":200,"error":null}`+"\n")
		io.Copy(io.Discard, requests)
	}
	for _, script := range scripts {
		for _, row := range []struct {
			name    string
			peer    func(net.Conn)
			timeout string
			least   time.Duration
			stdout  string
		}{
			{"a mute peer at once", mute, "0s", 0, ""},
			{"a mute peer", mute, "200ms", 200 * time.Millisecond, ""},
			{"a mute peer for longer", mute, "0.0001h", 360 * time.Millisecond, ""},
			{"a peer that trickles", trickle, "0.005m", 300 * time.Millisecond, ""},
			{"a peer that answers once", onlyMultiply, "1s", time.Second, "MathService.Multiply(10, 20) = 200\n"},
		} {
			t.Run(script.name+" on "+row.name, func(t *testing.T) {
				needs(t, script.interpreter)
				t.Parallel()
				begin := time.Now()
				stdout, stderr, code := run(t, script.name, script.interpreter, serve(t, "127.0.0.1", row.peer), "-timeout", row.timeout)
				took := time.Since(begin)
				want := script.name + ": no answer from ADDR within " + row.timeout + hint
				if stdout != row.stdout || stderr != want || code != 1 {
					t.Errorf("printed %q, %q, exit %d; want %q, %q, exit 1", stdout, stderr, code, row.stdout, want)
				}
				if took < row.least || took > row.least+10*time.Second {
					t.Errorf("gave up after %v, want %v", took, row.least)
				}
			})
		}
	}
}

// A line that never ends is refused, not collected until the time or the memory is up.
func TestScriptsRefuseAnEndlessLine(t *testing.T) {
	t.Parallel()
	part := bytes.Repeat([]byte("x"), 1<<10)
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			addr := serve(t, "127.0.0.1", func(conn net.Conn) {
				for {
					if _, err := conn.Write(part); err != nil {
						return
					}
				}
			})
			stdout, stderr, code := run(t, script.name, script.interpreter, addr, "-timeout", "2s")
			prefix := script.name + ": not an answer of MathService: "
			if stdout != "" || !strings.HasPrefix(stderr, prefix) || !strings.HasSuffix(stderr, hint) || len(stderr) > 5000 || code != 1 {
				t.Errorf("printed %q, %.300q (%d bytes), exit %d; want at most 5000 bytes that begin with %q, exit 1",
					stdout, stderr, len(stderr), code, prefix)
			}
		})
	}
}

func TestScriptsSayHowToStartTheServer(t *testing.T) {
	t.Parallel()
	const nobody = "127.0.0.1:1" // a reserved port
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			_, stderr, code := run(t, script.name, script.interpreter, nobody)
			want := "^" + regexp.QuoteMeta(script.name) + `: .*(?i:refused).*` + regexp.QuoteMeta(startIt) + "$"
			if !regexp.MustCompile(want).MatchString(stderr) || code != 1 {
				t.Errorf("printed %q, exit %d; want a match of %q, exit 1", stderr, code, want)
			}
		})
	}
}

func TestScriptsRefuseBadUsage(t *testing.T) {
	t.Parallel()
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			for _, row := range []struct{ args, says string }{
				{"more", ""},
				{"-a x", "-a"},
				{"-b", "-b"},
				{"-timeout 5", "-timeout 5 is not a time such as 500ms, 5s, 1m or 1h\n"},
				{"-timeout 1m30", "-timeout 1m30 is not a time such as 500ms, 5s, 1m or 1h\n"},
				{"-addr localhost:65536", "-addr localhost:65536 is not host:port\n"},
			} {
				stdout, stderr, code := run(t, script.name, script.interpreter, "", strings.Fields(row.args)...)
				if stdout != "" || !strings.Contains(stderr, script.name+": ") || !strings.Contains(stderr, row.says) || code != 2 {
					t.Errorf("%s %s printed %q, %q, exit %d; want %q in it, exit 2", script.name, row.args, stdout, stderr, code, row.says)
				}
			}
		})
	}
}

// Ctrl-C ends a script as it ends any program: by the signal, which a shell calls 130,
// and without a traceback.
func TestScriptsAreQuietAfterCtrlC(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a signal")
	}
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			needs(t, script.interpreter)
			t.Parallel()
			waiting := make(chan bool, 1)
			addr := serve(t, "127.0.0.1", func(conn net.Conn) {
				bufio.NewReader(conn).ReadString('\n')
				waiting <- true
				io.Copy(io.Discard, conn)
			})
			cmd := command(t, script.name, script.interpreter, "-addr", addr, "-timeout", "20s")
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-waiting:
			case <-time.After(10 * time.Second):
				t.Error("no request within 10s")
			}
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			err := cmd.Wait()
			t.Logf("%s: %v, printed %q", script.name, err, output.String())
			if got := cmd.ProcessState.String(); got != "signal: interrupt" || output.Len() > 0 {
				t.Errorf("after Ctrl-C: %s, printed %q; want signal: interrupt and nothing", got, output.String())
			}
		})
	}
}
