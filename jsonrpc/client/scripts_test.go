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

// scripts are the clients in other languages (tutorial §4.4, C21: "any language that supports
// JSON-RPC, such as Python and JavaScript, can call"), and their interpreters, looked for once.
var scripts = map[string]func() (string, error){
	"client.py":  sync.OnceValues(func() (string, error) { return programtest.Interpreter("client.py") }),
	"client.mjs": sync.OnceValues(func() (string, error) { return programtest.Interpreter("client.mjs") }),
}

// What a script prints, what it receives for it, and its arguments if it need not give up.
const (
	product = "MathService.Multiply(10, 20) = 200\n"
	results = product + "MathService.Divide(10, 20) = 0 remainder 10\n"
	answer1 = `{"id":1,"result":200,"error":null}`
	answer2 = `{"id":1, "result":{"Quo":0,"Rem":10},"error":null}`
	hint    = `; is that the address of jsonrpc/server\? -addr sets another\n` // a pattern
	patient = "-timeout 100s"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // the parallel rows wait for time to pass
	os.Exit(m.Run())
}

// command returns a command that runs a script, and kills it if it hangs. It skips the test if
// the script's interpreter is not installed, except in CI.
func command(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	interpreter, err := scripts[script]()
	rpctest.SkipUnlessCI(t, err)
	// go test repeats an old result unless it has seen the test open what it depends on.
	if _, err := os.ReadFile(script); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	t.Cleanup(cancel)
	args = append([]string{script}, args...)
	if script == "client.py" {
		args = append([]string{"-S"}, args...) // the standard library must do, and starts sooner alone
	}
	cmd := exec.CommandContext(ctx, interpreter, args...)
	cmd.Env = []string{} // where nothing has Python flush what it prints, or Node read certificates
	cmd.WaitDelay = rpctest.Patience
	return cmd
}

// run runs a script to its end. In what it prints, ADDR stands for addr.
func run(t *testing.T, script, addr, args string) (stdout, stderr string, exitCode int) {
	t.Helper()
	cmd := command(t, script, append([]string{"-addr=" + addr}, strings.Fields(args)...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), strings.ReplaceAll(errs.String(), addr, "ADDR"), cmd.ProcessState.ExitCode()
}

// expect runs a script, and compares what it prints with stdout, and with a pattern of stderr.
func expect(t *testing.T, script, addr, args, stdout, stderr string, exitCode int) {
	t.Helper()
	out, errs, code := run(t, script, addr, args)
	matches := regexp.MustCompile("^" + stderr + "$").MatchString(errs)
	if out != stdout || !matches || len(errs) > 10000 || code != exitCode {
		t.Errorf("%s %s printed %q, %.300q (%d bytes), exit %d", script, args, out, errs, len(errs), code)
		t.Errorf("want %q, at most 10000 bytes that match %q, exit %d", stdout, stderr, exitCode)
	}
}

// serve has peer talk to each client that connects, until the test ends.
func serve(t *testing.T, l net.Listener, peer func(net.Conn)) (addr string) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
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

// answers is a peer that answers as many requests, byte by byte, and then no more.
func answers(answers ...string) func(net.Conn) {
	return func(conn net.Conn) {
		requests := json.NewDecoder(conn)
		for _, answer := range answers {
			requests.Decode(new(any))
			for i := range len(answer) {
				io.WriteString(conn, answer[i:i+1])
			}
		}
		io.Copy(io.Discard, conn) // until the script hangs up
	}
}

// inEach runs test for each script, side by side.
func inEach(t *testing.T, test func(t *testing.T, script string)) {
	t.Parallel()
	for script := range scripts {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			test(t, script)
		})
	}
}

// A script prints what the Go clients print, whatever its time limit (§4.4, C21).
func TestScriptsCallTheService(t *testing.T) {
	least := "-2147483648" // that the server holds, and JavaScript
	if math.MaxInt > math.MaxInt32 {
		least = "-9007199254740991"
	}
	byOne := "MathService.Multiply(A, 1) = A\nMathService.Divide(A, 1) = A remainder 0\n"
	inEach(t, func(t *testing.T, script string) {
		addr := serveMath(t, rpctest.Listen(t))
		expect(t, script, addr, patient, results, "", 0)
		expect(t, script, strings.TrimPrefix(addr, "127.0.0.1"), patient, results, "", 0)
		expect(t, script, addr, "-b=1 -timeout 10000000h -a "+least, // longer than any timer
			strings.ReplaceAll(byOne, "A", least), "", 0)
		expect(t, script, addr, "-a 7 -b 0 -timeout 1.5m", "MathService.Multiply(7, 0) = 0\n",
			script+`: MathService\.Divide\(7, 0\): divide by zero\n`, 1)
	})
}

// Another server need not end its answers with a line feed, and may send them in pieces, or
// two in one.
func TestScriptsReadJSONValuesNotLines(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		for _, peer := range []func(net.Conn){
			answers(answer1, answer2),
			answers(answer1, "\r\n"+answer2+"\n"),
			func(conn net.Conn) {
				io.WriteString(conn, answer1+answer2)
				io.Copy(io.Discard, conn) // until the script hangs up
			},
		} {
			expect(t, script, serve(t, rpctest.Listen(t), peer), patient, results, "", 0)
		}
	})
}

func TestScriptsCallOverIPv6(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		l, err := net.Listen("tcp", "[::1]:0")
		rpctest.SkipUnlessCI(t, err)
		expect(t, script, serveMath(t, l), patient, results, "", 0)
	})
}

// JavaScript's numbers are exact up to 2^53; a Go int is larger (§4.4).
func TestNodeRefusesWhatItWouldRound(t *testing.T) {
	t.Parallel()
	addr := serve(t, rpctest.Listen(t), answers(`{"id":1,"result":9007199254740993,"error":null}`))
	for _, row := range []struct {
		args, what string
		exitCode   int
	}{
		{"-a 9007199254740993 -b 1", "-a", 2},
		{"-a 1 -b -9007199254740993", "-b", 2},
		{"-a 3 -b 3002399751580331", "the product", 1}, // 2^53 + 1
	} {
		expect(t, "client.mjs", addr, row.args, "", "client.mjs: "+row.what+
			` is no integer that JavaScript holds exactly \(up to 2\^53 - 1\)\n`, row.exitCode)
	}
}

// What is no answer of MathService, a script does not print as one, nor does it collect one that
// never ends until the time or the memory is up. It prints one line, without the control
// characters that a peer may have sent.
func TestScriptsRefuseOddAnswers(t *testing.T) {
	const (
		odd       = "not an answer of MathService: .*" // a pattern, as all of them
		noInteger = "(" + odd + "not an integer.*" + hint + "|.* is no integer that JavaScript holds exactly .*\n)"
		closed    = "the connection was closed without an answer" + hint
		failed    = `MathService\.Multiply\(10, 20\): `
	)
	hangUp := func(answer string) func(net.Conn) {
		return func(conn net.Conn) {
			json.NewDecoder(conn).Decode(new(any))
			io.WriteString(conn, answer)
		}
	}
	reset := func(conn net.Conn) {
		json.NewDecoder(conn).Decode(new(any))
		conn.(*net.TCPConn).SetLinger(0)
	}
	rows := []struct {
		name   string
		peer   func(net.Conn)
		stdout string
		says   string
	}{
		{"another id", answers(`{"id":2,"result":200,"error":null}`), "", odd + hint},
		{"true", answers(`{"id":1,"result":true,"error":null}`), "", noInteger},
		{"a fraction", answers(`{"id":1,"result":200.00000000000000000001,"error":null}`), "", odd + hint},
		{"an error object", answers(`{"id":1,"result":200,"error":{"code":1}}`), "", odd + hint},
		{"an array", answers("[" + answer1 + "]"), "", odd + hint},
		{"deeply nested", answers(`{"id":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + "}"),
			"", odd + hint},
		{"HTTP", answers("HTTP/1.1 400 Bad Request"), "", odd + hint},
		{"no remainder", answers(answer1, `{"id":1,"result":{"Quo":0},"error":null}`),
			product, "(" + odd + "KeyError.*" + hint + "|" + noInteger + ")"},
		{"a text for the quotient", answers(answer1, `{"id":1,"result":{"Quo":"0","Rem":10},"error":null}`),
			product, noInteger},
		{"nothing", hangUp(""), "", closed},
		{"half an answer", hangUp(answer1[:20]), "", closed},
		{"a reset", reset, "", `(\[|read ).*` + hint}, // "[Errno 104] …" or "read ECONNRESET"
		{"a text without end", answers(strings.Repeat("x", 1<<16)), "", odd + hint},
		{"an answer without end", answers(`{"id":"` + strings.Repeat("x", 1<<16)), "", odd + hint},
		{"a fraction in an error", answers(`{"id":1,"result":null,"error":"1.5"}`), "", failed + `1\.5\n`},
		{"control characters",
			answers(`{"id":1,"result":null,"error":"one\ntwo\r\u001b[31m\u009b\u2028\u202e\u007fé"}`),
			"", failed + `one two  \[31m    é\n`},
	}
	inEach(t, func(t *testing.T, script string) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				addr := serve(t, rpctest.Listen(t), row.peer)
				expect(t, script, addr, patient, row.stdout, script+": "+row.says, 1)
			})
		}
	})
}

// One time limit bounds all that a script waits for.
func TestScriptsGiveUp(t *testing.T) {
	trickle := func(conn net.Conn) { // {"id":1,"id":1,…
		io.WriteString(conn, "{")
		for i := 0; ; i++ {
			time.Sleep(5 * time.Millisecond) // a peer that takes its time
			if _, err := io.WriteString(conn, `"id":1,`[i%7:i%7+1]); err != nil {
				return
			}
		}
	}
	inEach(t, func(t *testing.T, script string) {
		for _, row := range []struct {
			name     string
			peer     func(net.Conn)
			timeouts string // a slow machine needs more time for the first answer
			least    time.Duration
			stdout   string
		}{
			{"a mute peer at once", answers(), "0s", 0, ""},
			{"a mute peer", answers(), "200ms", 200 * time.Millisecond, ""},
			{"a mute peer for longer", answers(), "0.0003h", 1080 * time.Millisecond, ""},
			{"a peer that trickles", trickle, "0.02m", 1200 * time.Millisecond, ""},
			{"a peer that answers once", answers(answer1), "1s 5s 60s", time.Second, product},
		} {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				var stdout string
				for timeout := range strings.FieldsSeq(row.timeouts) {
					addr, begin := serve(t, rpctest.Listen(t), row.peer), time.Now()
					out, stderr, code := run(t, script, addr, "-timeout "+timeout)
					took := time.Since(begin)
					want := regexp.MustCompile("^" + script + ": no answer from ADDR within " + timeout + hint + "$")
					if !want.MatchString(stderr) || code != 1 || took < row.least {
						t.Errorf("printed %q, exit %d after %v; want a match of %s, exit 1 after %v at least",
							stderr, code, took, want, row.least)
					}
					if stdout = out; stdout == row.stdout {
						return
					}
				}
				t.Errorf("printed %q within %s, want %q", stdout, row.timeouts, row.stdout)
			})
		}
	})
}

func TestScriptsSayHowToStartTheServer(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		expect(t, script, programtest.Nobody, "", "",
			script+`: .*(?i:refused).*; start it with: go run \./jsonrpc/server -addr ADDR\n`, 1)
	})
}

func TestScriptsRefuseBadUsage(t *testing.T) {
	inEach(t, func(t *testing.T, script string) {
		for args, says := range map[string]string{
			"more":                  "",
			"-a x":                  "-a",
			"-b":                    "-b",
			"-timeout 5":            "-timeout 5 is not a time such as 500ms, 5s, 1m or 1h\n",
			"-timeout 1m30":         "-timeout 1m30 is not a time such as 500ms, 5s, 1m or 1h\n",
			"-addr localhost":       "-addr localhost: want host:port, such as localhost:1236\n",
			"-addr localhost:65536": "-addr localhost:65536: want host:port, such as localhost:1236\n",
			"-addr ::1":             "-addr ::1: want host:port, such as localhost:1236\n",
		} {
			expect(t, script, programtest.Nobody, args, "", "(?s).*"+script+": .*"+says+".*", 2)
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
