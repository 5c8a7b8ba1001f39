package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// scripts are the clients in other languages (tutorial §4.4, C21: "any language that
// supports JSON-RPC, such as Python and JavaScript, can call").
var scripts = []string{"client.py", "client.mjs"}

// How the line ends that says what is wrong. ADDR stands for the server's address.
const (
	hint    = "; is that the address of jsonrpc/server? -addr sets another\n"
	startIt = "; start it with: go run ./jsonrpc/server -addr ADDR\n"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // the parallel rows wait for time to pass
	os.Exit(m.Run())
}

// interpreters are looked for once.
var interpreters = map[string]func() (string, error){
	"client.py":  sync.OnceValues(func() (string, error) { return programtest.Interpreter("client.py") }),
	"client.mjs": sync.OnceValues(func() (string, error) { return programtest.Interpreter("client.mjs") }),
}

// command returns a command that runs a script, and kills it if it hangs. It skips the test if
// the script's interpreter is not installed, except in CI.
func command(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	interpreter, err := interpreters[script]()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
	// go test repeats an old result unless it has seen the test open what it depends on.
	if _, err := os.ReadFile(script); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, interpreter, append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=") // Python then keeps what is not flushed
	cmd.WaitDelay = time.Second
	return cmd
}

// run runs a script to its end, with addr if there is one, for which the output has ADDR.
func run(t *testing.T, script, addr string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	if addr != "" {
		args = append([]string{"-addr", addr}, args...)
	}
	cmd := command(t, script, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(e)
	}
	stdout, stderr = out.String(), err.String()
	if addr != "" {
		stderr = strings.ReplaceAll(stderr, addr, "ADDR")
	}
	return stdout, stderr, cmd.ProcessState.ExitCode()
}

// serve has peer talk to each client that connects, until the test ends.
func serve(t *testing.T, l net.Listener, peer func(net.Conn)) (addr string) {
	t.Helper()
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
func serveMath(t *testing.T, l net.Listener) (addr string) {
	t.Helper()
	server := rpctest.Server(t, new(shared.MathService))
	return serve(t, l, func(conn net.Conn) { rpctest.JSON.Serve(server, conn) })
}

// inEach runs test for each script, side by side.
func inEach(t *testing.T, test func(t *testing.T, script string)) {
	t.Parallel()
	for _, script := range scripts {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			test(t, script)
		})
	}
}

// A script prints what the Go clients print, whatever its time limit (§4.4, C21).
func TestScriptsCallTheService(t *testing.T) {
	const results = "MathService.Multiply(10, 20) = 200\nMathService.Divide(10, 20) = 0 remainder 10\n"
	rows := []struct{ args, stdout, err string }{
		{"", results, ""},
		{"-a -2147483648 -b=1 -timeout 10000000h", // longer than any timer
			"MathService.Multiply(-2147483648, 1) = -2147483648\n" +
				"MathService.Divide(-2147483648, 1) = -2147483648 remainder 0\n", ""},
		{"-a 7 -b 0 -timeout 1.5m", "MathService.Multiply(7, 0) = 0\n", "MathService.Divide(7, 0): divide by zero"},
	}
	if math.MaxInt > math.MaxInt32 { // the largest that JavaScript holds, and the server as well
		rows = append(rows, struct{ args, stdout, err string }{"-a -9007199254740991 -b 1",
			"MathService.Multiply(-9007199254740991, 1) = -9007199254740991\n" +
				"MathService.Divide(-9007199254740991, 1) = -9007199254740991 remainder 0\n", ""})
	}
	inEach(t, func(t *testing.T, script string) {
		addr := serveMath(t, rpctest.Listen(t))
		for _, row := range rows {
			wantErr, wantCode := "", 0
			if row.err != "" {
				wantErr, wantCode = script+": "+row.err+"\n", 1
			}
			stdout, stderr, code := run(t, script, addr, strings.Fields(row.args)...)
			if stdout != row.stdout || stderr != wantErr || code != wantCode {
				t.Errorf("%s printed %q, %q, exit %d; want %q, %q, exit %d", row.args, stdout, stderr, code, row.stdout, wantErr, wantCode)
			}
		}
	})
}

// Another server need not end its answers with a line feed, and may send them in pieces, or
// two in one.
func TestScriptsReadJSONValuesNotLines(t *testing.T) {
	const product, quotient = `{"id":1,"result":200,"error":null}`, ` {"id":1, "result":{"Quo":0,"Rem":10},"error":null}`
	inEach(t, func(t *testing.T, script string) {
		for name, peer := range map[string]func(net.Conn){
			"no line feed": func(conn net.Conn) {
				requests := json.NewDecoder(conn)
				for _, answer := range []string{product, quotient} {
					var request any
					requests.Decode(&request)
					io.WriteString(conn, answer)
				}
				requests.Decode(new(any)) // until the script hangs up
			},
			"in pieces": func(conn net.Conn) {
				requests := json.NewDecoder(conn)
				for _, answer := range []string{product, "\r\n" + quotient + "\n"} {
					var request any
					requests.Decode(&request)
					for i := range len(answer) {
						io.WriteString(conn, answer[i:i+1])
					}
				}
				requests.Decode(new(any))
			},
			"both at once": func(conn net.Conn) {
				io.WriteString(conn, product+quotient)
				io.Copy(io.Discard, conn)
			},
		} {
			stdout, stderr, code := run(t, script, serve(t, rpctest.Listen(t), peer), "-timeout", "100s")
			if !strings.HasSuffix(stdout, "= 0 remainder 10\n") || stderr != "" || code != 0 {
				t.Errorf("%s: printed %q, %q, exit %d; want both results", name, stdout, stderr, code)
			}
		}
	})
}

func TestScriptsCallOverIPv6(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		l, err := net.Listen("tcp", "[::1]:0")
		if err != nil && os.Getenv("CI") == "true" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip("no IPv6 loopback: ", err)
		}
		stdout, stderr, code := run(t, script, serveMath(t, l))
		if !strings.HasSuffix(stdout, "= 0 remainder 10\n") || stderr != "" || code != 0 {
			t.Errorf("printed %q, %q, exit %d; want both results", stdout, stderr, code)
		}
	})
}

// JavaScript's numbers are exact up to 2^53; a Go int is larger (§4.4).
func TestNodeRefusesWhatItWouldRound(t *testing.T) {
	t.Parallel()
	addr := serve(t, rpctest.Listen(t), func(conn net.Conn) { // whose int has 64 bits
		json.NewDecoder(conn).Decode(new(any))
		io.WriteString(conn, `{"id":1,"result":9007199254740993,"error":null}`)
	})
	for _, row := range []struct {
		a, b, what string
		code       int
	}{
		{"9007199254740993", "1", "-a", 2},
		{"1", "-9007199254740993", "-b", 2},
		{"3", "3002399751580331", "the product", 1}, // 2^53 + 1
	} {
		stdout, stderr, code := run(t, "client.mjs", addr, "-a", row.a, "-b", row.b)
		want := "client.mjs: " + row.what + " is no integer that JavaScript holds exactly (up to 2^53 - 1)\n"
		if stdout != "" || stderr != want || code != row.code {
			t.Errorf("-a %s -b %s printed %q, %q, exit %d; want %q, exit %d", row.a, row.b, stdout, stderr, code, want, row.code)
		}
	}
}

// What is no answer of MathService, a script does not print as one. It prints one line,
// without the control characters that a peer may have sent.
func TestScriptsRefuseOddAnswers(t *testing.T) {
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
		{"an array", `[{"id":1,"result":200,"error":null}]`, "", odd + hint},
		{"deeply nested", `{"id":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}", "", odd + hint},
		{"HTTP", "HTTP/1.1 400 Bad Request", "", odd + hint},
		{"no remainder", good, `{"id":1,"result":{"Quo":0},"error":null}`, "(" + odd + "KeyError.*" + hint + "|" + noInteger + ")"},
		{"a text for the quotient", good, `{"id":1,"result":{"Quo":"0","Rem":10},"error":null}`, noInteger},
		{"nothing", "", "", "the connection was closed without an answer" + hint},
		{"half an answer", good[:20], "", "the connection was closed without an answer" + hint},
		{"a reset", "", "", `(\[|read ).*` + hint}, // "[Errno 104] …" or "read ECONNRESET"
		{"a fraction in an error", `{"id":1,"result":null,"error":"1.5"}`, "", `MathService\.Multiply\(10, 20\): 1\.5` + "\n"},
		{"control characters", `{"id":1,"result":null,"error":"one\ntwo\r\u001b[31m\u009b\u2028\u202e\u007fé"}`, "",
			`MathService\.Multiply\(10, 20\): one two  \[31m    é` + "\n"},
	}
	inEach(t, func(t *testing.T, script string) {
		for _, row := range rows {
			addr := serve(t, rpctest.Listen(t), func(conn net.Conn) {
				requests := json.NewDecoder(conn)
				for _, answer := range []string{row.answer1, row.answer2} {
					requests.Decode(new(any))
					if row.name == "a reset" {
						conn.(*net.TCPConn).SetLinger(0)
					}
					if answer == "" {
						return
					}
					io.WriteString(conn, answer+"\n")
					if row.name == "half an answer" {
						return
					}
				}
				requests.Decode(new(any)) // until the script hangs up
			})
			wantOut := ""
			if row.answer1 == good {
				wantOut = "MathService.Multiply(10, 20) = 200\n"
			}
			stdout, stderr, code := run(t, script, addr, "-timeout", "100s")
			want := "^" + regexp.QuoteMeta(script) + ": " + row.says + "$"
			if stdout != wantOut || !regexp.MustCompile(want).MatchString(stderr) || code != 1 {
				t.Errorf("%s: printed %q, %.300q, exit %d; want %q, a match of %q, exit 1", row.name, stdout, stderr, code, wantOut, want)
			}
		}
	})
}

// One time limit bounds all that a script waits for.
func TestScriptsGiveUp(t *testing.T) {
	mute := func(conn net.Conn) { io.Copy(io.Discard, conn) }
	trickle := func(conn net.Conn) { // {"id":1,"id":1,…
		io.WriteString(conn, "{")
		for i := 0; ; i++ {
			time.Sleep(5 * time.Millisecond) // a peer that takes its time
			if _, err := io.WriteString(conn, `"id":1,`[i%7:i%7+1]); err != nil {
				return
			}
		}
	}
	onlyMultiply := func(conn net.Conn) {
		json.NewDecoder(conn).Decode(new(any))
		io.WriteString(conn, `{"id":1,"result":200,"error":null}`)
		io.Copy(io.Discard, conn)
	}
	const product = "MathService.Multiply(10, 20) = 200\n"
	inEach(t, func(t *testing.T, script string) {
		for _, row := range []struct {
			name     string
			peer     func(net.Conn)
			timeouts []string // a slow machine needs more time for the first answer
			least    time.Duration
			stdout   string
		}{
			{"a mute peer at once", mute, []string{"0s"}, 0, ""},
			{"a mute peer", mute, []string{"200ms"}, 200 * time.Millisecond, ""},
			{"a mute peer for longer", mute, []string{"0.0001h"}, 360 * time.Millisecond, ""},
			{"a peer that trickles", trickle, []string{"0.005m"}, 300 * time.Millisecond, ""},
			{"a peer that answers once", onlyMultiply, []string{"1s", "5s", "60s"}, time.Second, product},
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				for i, timeout := range row.timeouts {
					begin := time.Now()
					stdout, stderr, code := run(t, script, serve(t, rpctest.Listen(t), row.peer), "-timeout", timeout)
					took := time.Since(begin)
					want := script + ": no answer from ADDR within " + timeout + hint
					if stderr != want || code != 1 || took < row.least {
						t.Errorf("printed %q, %q, exit %d after %v; want %q, %q, exit 1 after %v at least", stdout, stderr, code, took, row.stdout, want, row.least)
					}
					if stdout == row.stdout {
						break
					}
					if i == len(row.timeouts)-1 {
						t.Errorf("printed %q within %s, want %q", stdout, timeout, row.stdout)
					}
				}
			})
		}
	})
}

// An answer that never ends is refused, not collected until the time or the memory is up.
func TestScriptsRefuseAnEndlessAnswer(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		for _, begin := range []string{"x", `{"id":"`} {
			addr := serve(t, rpctest.Listen(t), func(conn net.Conn) {
				_, err := io.WriteString(conn, begin)
				for part := bytes.Repeat([]byte("x"), 1<<10); err == nil; {
					_, err = conn.Write(part)
				}
			})
			stdout, stderr, code := run(t, script, addr, "-timeout", "100s")
			prefix := script + ": not an answer of MathService: "
			if stdout != "" || !strings.HasPrefix(stderr, prefix) || !strings.HasSuffix(stderr, hint) || len(stderr) > 5000 || code != 1 {
				t.Errorf("printed %q, %.300q (%d bytes), exit %d; want at most 5000 bytes that begin with %q, exit 1",
					stdout, stderr, len(stderr), code, prefix)
			}
		}
	})
}

func TestScriptsSayHowToStartTheServer(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		_, stderr, code := run(t, script, programtest.Nobody)
		want := "^" + regexp.QuoteMeta(script) + `: .*(?i:refused).*` + regexp.QuoteMeta(startIt) + "$"
		if !regexp.MustCompile(want).MatchString(stderr) || code != 1 {
			t.Errorf("printed %q, exit %d; want a match of %q, exit 1", stderr, code, want)
		}
	})
}

func TestScriptsRefuseBadUsage(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		for _, row := range []struct{ args, says string }{
			{"more", ""},
			{"-a x", "-a"},
			{"-b", "-b"},
			{"-timeout 5", "-timeout 5 is not a time such as 500ms, 5s, 1m or 1h\n"},
			{"-timeout 1m30", "-timeout 1m30 is not a time such as 500ms, 5s, 1m or 1h\n"},
			{"-addr localhost", "-addr localhost: want host:port, such as localhost:1236\n"},
			{"-addr localhost:65536", "-addr localhost:65536: want host:port, such as localhost:1236\n"},
		} {
			stdout, stderr, code := run(t, script, "", strings.Fields(row.args)...)
			if stdout != "" || !strings.Contains(stderr, script+": ") || !strings.Contains(stderr, row.says) || code != 2 {
				t.Errorf("%s printed %q, %q, exit %d; want %q in it, exit 2", row.args, stdout, stderr, code, row.says)
			}
		}
	})
}

// Ctrl-C ends a script as it ends any program: by the signal, which a shell calls 130,
// and without a traceback.
func TestScriptsAreQuietAfterCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a signal")
	}
	inEach(t, func(t *testing.T, script string) {
		waiting := make(chan bool, 1)
		addr := serve(t, rpctest.Listen(t), func(conn net.Conn) {
			json.NewDecoder(conn).Decode(new(any))
			waiting <- true
			io.Copy(io.Discard, conn)
		})
		cmd := command(t, script, "-addr", addr, "-timeout", "100s")
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		rpctest.Within(t, waiting, "the script's request")
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		cmd.Wait()
		if got := cmd.ProcessState.String(); got != "signal: interrupt" || output.Len() > 0 {
			t.Errorf("after Ctrl-C: %s, printed %q; want signal: interrupt and nothing", got, output.String())
		}
	})
}
