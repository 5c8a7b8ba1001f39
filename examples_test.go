// Package netrpc has no code: its tests run the programs of this repository as
// their readers do, and call MathService over every transport from one table.
package netrpc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared"
)

// patience bounds every wait for something that should take no time.
const patience = time.Minute

// programs maps each folder with a main.go to its default address.
var programs = map[string]string{
	"tcp/server": "localhost:1234", "tcp/client": "localhost:1234",
	"http/server": "localhost:1235", "http/client": "localhost:1235",
	"jsonrpc/server": "localhost:1236", "jsonrpc/client": "localhost:1236",
	"async/server": "localhost:1237", "async/client": "localhost:1237",
}

// binDir is where build puts the programs.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binDir, err = os.MkdirTemp("", "netrpc"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(binDir)
		flag.Set("test.parallel", "8") // most of these tests wait for processes
		return m.Run()
	}())
}

func binary(program string) string {
	path := filepath.Join(binDir, program)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	return path
}

// build builds all programs.
var build = sync.OnceValue(func() error {
	// go test repeats an old result unless it has seen a test open the files
	// on which the result depends.
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if entry.Name() == ".git" {
			return fs.SkipDir
		}
		if err == nil && !entry.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	for _, folder := range []string{"tcp", "http", "jsonrpc", "async"} {
		dir := filepath.Join(binDir, folder) + string(filepath.Separator)
		out, buildErr := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir, "./"+folder+"/server", "./"+folder+"/client").CombinedOutput()
		if buildErr != nil {
			err = errors.Join(err, fmt.Errorf("%w\n%s", buildErr, out))
		}
	}
	return err
})

// command returns a command for a folder with a main.go, or for a script, whose
// interpreter must be installed, or for anything else that is.
func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	if interpreter := map[string]string{".py": "python3", ".mjs": "node"}[filepath.Ext(program)]; interpreter != "" {
		if _, err := exec.LookPath(interpreter); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip("cannot run ", program, ": ", err)
		}
		program, args = interpreter, append([]string{program}, args...)
	} else if _, ok := programs[program]; ok {
		program = binary(program)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second // for children that outlive it
	return cmd
}

// run runs a program to its end.
func run(t *testing.T, program string, args ...string) (stdout, stderr string, exitCode int) {
	t.Helper()
	cmd := command(t, program, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	cmd.Run()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// quick returns the flags with which a server answers without delay.
func quick(program string) []string {
	if program == "async/server" {
		return []string{"-delay", "0s"}
	}
	return nil
}

// server is a running server program.
type server struct {
	cmd   *exec.Cmd
	addr  string
	lines chan string // what it prints to stderr, a line each
}

// start starts a server on a free port and takes its address from its first line.
func start(t *testing.T, program string, args ...string) *server {
	t.Helper()
	return startCommand(t, program, command(t, program, append([]string{"-addr", "127.0.0.1:0"}, args...)...))
}

func startCommand(t *testing.T, program string, cmd *exec.Cmd) *server {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &server{cmd: cmd, lines: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	first := <-s.lines
	match := regexp.MustCompile(`^` + program + `: listening on (127\.0\.0\.1:[1-9]\d*)$`).FindStringSubmatch(first)
	if match == nil {
		t.Fatalf("%s begins with %q, want its name and where it listens", program, first)
	}
	s.addr = match[1]
	return s
}

// wait waits for the server to end and returns how: "exit status 0" if all is well.
func (s *server) wait() string {
	var rest []string
	for line := range s.lines { // to the end before Wait, which closes the pipe
		rest = append(rest, line)
	}
	if err := s.cmd.Wait(); err != nil {
		return err.Error() + ": " + strings.Join(rest, "\n")
	}
	return "exit status 0"
}

func (s *server) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	s.cmd.Process.Signal(signal)
	if got := s.wait(); got != "exit status 0" {
		t.Errorf("after %v: %s, want exit status 0", signal, got)
	}
}

func TestPairs(t *testing.T) {
	const (
		product  = "MathService.Multiply(%s, %s) = %s\n"
		division = "MathService.Divide(%s, %s) = %s remainder %s\n"
	)
	maxInt, minInt := strconv.Itoa(math.MaxInt), strconv.Itoa(math.MinInt)
	calls := []struct {
		a, b, product, quotient, remainder string // the last three empty for an error
		err                                string
	}{
		{a: "10", b: "20", product: "200", quotient: "0", remainder: "10"},
		{a: "-7", b: "2", product: "-14", quotient: "-3", remainder: "-1"},
		{a: "0", b: "5", product: "0", quotient: "0", remainder: "0"},
		{a: "3", b: "0", product: "0", err: "MathService.Divide(3, 0): divide by zero"},
		{a: maxInt, b: "1", product: maxInt, quotient: maxInt, remainder: "0"},
		{a: maxInt, b: "2", err: "MathService.Multiply(" + maxInt + ", 2): integer overflow"},
		{a: minInt, b: "-1", err: "MathService.Multiply(" + minInt + ", -1): integer overflow"},
	}
	clients := []struct{ client, server, name string }{
		{"tcp/client", "tcp/server", "tcp/client"},
		{"http/client", "http/server", "http/client"},
		{"jsonrpc/client", "jsonrpc/server", "jsonrpc/client"},
		{"jsonrpc/client/client.py", "jsonrpc/server", "client.py"},
		{"jsonrpc/client/client.mjs", "jsonrpc/server", "client.mjs"},
	}
	for _, client := range clients {
		t.Run(client.client, func(t *testing.T) {
			t.Parallel()
			s := start(t, client.server)
			for _, call := range calls {
				var want, wantErr string
				wantCode := 0
				if call.product != "" {
					want += fmt.Sprintf(product, call.a, call.b, call.product)
				}
				if call.quotient != "" {
					want += fmt.Sprintf(division, call.a, call.b, call.quotient, call.remainder)
				}
				if call.err != "" {
					wantErr, wantCode = client.name+": "+call.err+"\n", 1
				}
				if client.name == "client.mjs" && len(call.a) > 16 {
					continue // see TestNodeRefusesWhatItWouldRound
				}
				stdout, stderr, code := run(t, client.client, "-addr", s.addr, "-a", call.a, "-b", call.b)
				if stdout != want || stderr != wantErr || code != wantCode {
					t.Errorf("%s -a %s -b %s printed %q, %q, exit %d; want %q, %q, exit %d",
						client.client, call.a, call.b, stdout, stderr, code, want, wantErr, wantCode)
				}
			}
			// The operands' defaults are the tutorial's.
			want := fmt.Sprintf(product+division, "10", "20", "200", "10", "20", "0", "10")
			if stdout, stderr, _ := run(t, client.client, "-addr", s.addr); stdout != want || stderr != "" {
				t.Errorf("%s printed %q, %q, want %q", client.client, stdout, stderr, want)
			}
			s.stop(t, syscall.SIGTERM)
		})
	}
}

func TestAsyncPair(t *testing.T) {
	t.Parallel()
	s := start(t, "async/server")
	output := regexp.MustCompile(`^MathService\.Multiply\(5, 6\) = 30
10 calls one after another: (\S+)
10 calls in flight at once: (\S+)
the replies came in this order:((?: \d+\*\d+=\d+){10})
$`)
	stdout, stderr, code := run(t, "async/client", "-addr", s.addr)
	match := output.FindStringSubmatch(stdout)
	if match == nil || stderr != "" || code != 0 {
		t.Fatalf("async/client printed %q, %q, exit %d; want a match of %s", stdout, stderr, code, output)
	}
	// Ten calls of 100 ms: one after another they take a second, in flight a tenth of it.
	oneByOne, err1 := time.ParseDuration(match[1])
	inFlight, err2 := time.ParseDuration(match[2])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if oneByOne < time.Second || inFlight < 100*time.Millisecond || inFlight > oneByOne/2 {
		t.Errorf("ten calls of 100 ms took %v one after another and %v in flight", oneByOne, inFlight)
	}
	replies := strings.Fields(match[3])
	slices.Sort(replies)
	want := strings.Fields("1*1=1 10*10=100 2*2=4 3*3=9 4*4=16 5*5=25 6*6=36 7*7=49 8*8=64 9*9=81")
	if !slices.Equal(replies, want) {
		t.Errorf("replies = %q, want %q in any order", replies, want)
	}

	// Without a delay, with operands of one's own, and with a single call.
	fast := start(t, "async/server", "-delay", "0s")
	stdout, stderr, code = run(t, "async/client", "-addr", fast.addr, "-a", "-3", "-b", "4", "-n", "1")
	if !strings.HasPrefix(stdout, "MathService.Multiply(-3, 4) = -12\n1 calls") || !strings.HasSuffix(stdout, ": 1*1=1\n") || stderr != "" || code != 0 {
		t.Errorf("async/client -a -3 -b 4 -n 1 printed %q, %q, exit %d", stdout, stderr, code)
	}
	_, stderr, code = run(t, "async/client", "-addr", fast.addr, "-a", strconv.Itoa(math.MaxInt), "-b", "2")
	if want := fmt.Sprintf("async/client: MathService.Multiply(%d, 2): integer overflow\n", math.MaxInt); stderr != want || code != 1 {
		t.Errorf("async/client with an overflow printed %q, exit %d; want %q, exit 1", stderr, code, want)
	}
	s.stop(t, syscall.SIGTERM)
	fast.stop(t, os.Interrupt)
}

// A call is given up after -timeout also when many others are answered in time.
func TestAsyncClientGivesUpACall(t *testing.T) {
	t.Parallel()
	s := start(t, "async/server", "-delay", "10s")
	stdout, stderr, code := run(t, "async/client", "-addr", s.addr, "-timeout", "50ms")
	want := fmt.Sprintf("async/client: no answer from %s within 50ms; the server it needs: go run ./async/server -addr %[1]s\n", s.addr)
	if stdout != "" || stderr != want || code != 1 {
		t.Errorf("printed %q, %q, exit %d; want %q, exit 1", stdout, stderr, code, want)
	}
}

// The divide method of the slow service is slow as well.
func TestAsyncServerDelaysEachMethod(t *testing.T) {
	t.Parallel()
	s := start(t, "async/server", "-delay", "200ms")
	client, err := rpc.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	begin := time.Now()
	quotient, err := shared.NewMathServiceClient(client).Divide(t.Context(), 17, 5)
	if took := time.Since(begin); quotient != (shared.Quotient{Quo: 3, Rem: 2}) || err != nil || took < 200*time.Millisecond {
		t.Errorf("Divide(17, 5) = %v, %v after %v, want {3 2} after at least 200ms", quotient, err, took)
	}
}

func TestNodeRefusesWhatItWouldRound(t *testing.T) {
	t.Parallel()
	s := start(t, "jsonrpc/server")
	for _, row := range []struct{ a, b, what string }{
		{"9007199254740993", "1", "-a"},
		{"1", "-9007199254740993", "-b"},
		{"9007199254740991", "2", "the product"},
		{"3", "3002399751580331", "the product"}, // 2^53 + 1
	} {
		stdout, stderr, code := run(t, "jsonrpc/client/client.mjs", "-addr", s.addr, "-a", row.a, "-b", row.b)
		want := "client.mjs: " + row.what + " is no integer that JavaScript holds exactly (up to 2^53 - 1)\n"
		if stdout != "" || stderr != want || code != 1 {
			t.Errorf("-a %s -b %s printed %q, %q, exit %d; want %q, exit 1", row.a, row.b, stdout, stderr, code, want)
		}
	}
}

// What is not an answer of MathService, the scripts do not print as one.
func TestScriptsRefuseOddAnswers(t *testing.T) {
	t.Parallel()
	l := listen(t)
	answers := make(chan string, 1) // for the next connection
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadString('\n')
			io.WriteString(conn, <-answers+"\n")
			conn.Close()
		}
	}()
	for _, script := range []string{"client.py", "client.mjs"} {
		for _, answer := range []string{
			`{"id":2,"result":200,"error":null}`, `{"id":1,"result":true,"error":null}`,
			`{"id":1,"result":200.00000000000000000001,"error":null}`, strings.Repeat("x", 3<<20),
		} {
			answers <- answer
			stdout, stderr, code := run(t, "jsonrpc/client/"+script, "-addr", l.Addr().String())
			if stdout != "" || !strings.HasPrefix(stderr, script+": ") || strings.Count(stderr, "\n") != 1 || code != 1 {
				t.Errorf("%s, answered %s, printed %q, %q, exit %d; want one line on stderr, exit 1", script, answer, stdout, stderr, code)
			}
		}
	}
}

// Miser is a MathService that answers the first calls, and then no more.
type Miser struct {
	left atomic.Int64
	end  chan bool // closed at the end of the test
}

func (m *Miser) wait() {
	if m.left.Add(-1) < 0 {
		<-m.end
	}
}

// Multiply answers if there are answers left.
func (m *Miser) Multiply(args *shared.Args, reply *int) error {
	m.wait()
	return new(shared.MathService).Multiply(args, reply)
}

// Divide answers if there are answers left.
func (m *Miser) Divide(args *shared.Args, reply *shared.Quotient) error {
	m.wait()
	return new(shared.MathService).Divide(args, reply)
}

// A client gives up every call, not only the first.
func TestClientsGiveUpLaterCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		client, transport string
		answers           int64
	}{
		{"tcp/client", "gob over TCP", 1},
		{"http/client", "gob over HTTP", 1},
		{"jsonrpc/client", "JSON over TCP", 1},
		{"jsonrpc/client/client.py", "JSON over TCP", 1},
		{"jsonrpc/client/client.mjs", "JSON over TCP", 1},
		{"async/client", "gob over TCP", 5},  // one after another
		{"async/client", "gob over TCP", 15}, // in flight
	} {
		t.Run(fmt.Sprint(row.client, " after ", row.answers), func(t *testing.T) {
			t.Parallel()
			miser := &Miser{end: make(chan bool)}
			defer close(miser.end)
			miser.left.Store(row.answers)
			server := rpc.NewServer()
			if err := server.RegisterName("MathService", miser); err != nil {
				t.Fatal(err)
			}
			l := listen(t)
			go transports[row.transport].serve(l, server)
			begin := time.Now()
			stdout, stderr, code := run(t, row.client, "-addr", l.Addr().String(), "-timeout", "400ms")
			if stdout == "" || strings.Count(stderr, "\n") != 1 || code != 1 || time.Since(begin) > patience/2 {
				t.Errorf("printed %q, %q, exit %d after %v; want a result, one line on stderr, exit 1", stdout, stderr, code, time.Since(begin))
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for program, addr := range programs {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, program, "-h")
			if stdout != "" || code != 0 {
				t.Errorf("-h printed %q on stdout, exit %d; want nothing, exit 0", stdout, code)
			}
			// -h begins with what `go doc` prints: a sentence, and the flags with their defaults.
			file, err := parser.ParseFile(token.NewFileSet(), program+"/main.go", nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			doc := file.Doc.Text()
			if !strings.HasPrefix(stderr, doc) || !strings.Contains(doc, "(tutorial §4") || !strings.Contains(doc, "\nUsage: go run ./"+program+" ") {
				t.Errorf("-h printed %q, want it to begin with the package comment, %q", stderr, doc)
			}
			if !strings.Contains(doc, "[-addr "+addr+"]") {
				t.Errorf("the package comment is %q, want the default address %s in it", doc, addr)
			}
			if _, stderr, code := run(t, program, "more"); code != 2 || !strings.HasPrefix(stderr, program+`: unexpected argument "more"`+"\n") {
				t.Errorf("with an argument: exit %d, %q; want exit 2 and a word on the argument", code, stderr)
			}
			if _, stderr, code := run(t, program, "-nonsense"); code != 2 {
				t.Errorf("with an unknown flag: exit %d, %q; want exit 2", code, stderr)
			}
		})
	}
	for _, args := range [][]string{{"-n", "0"}, {"-n", "-1"}, {"-n", "100001"}} {
		if _, stderr, code := run(t, "async/client", args...); code != 2 || !strings.Contains(stderr, "-n "+args[1]+" is not from 1 to 100000\n") {
			t.Errorf("async/client %v: exit %d, %q; want exit 2", args, code, stderr)
		}
	}
	for _, script := range []string{"jsonrpc/client/client.py", "jsonrpc/client/client.mjs"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"more"}, {"-a", "x"}, {"-timeout", "5"}} {
				if stdout, _, code := run(t, script, args...); stdout != "" || code != 2 {
					t.Errorf("%s %v printed %q, exit %d; want nothing, exit 2", script, args, stdout, code)
				}
			}
		})
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken := listen(t)
	for program := range programs {
		if !strings.HasSuffix(program, "/server") {
			continue
		}
		_, stderr, code := run(t, program, "-addr", taken.Addr().String())
		if code != 1 || strings.Contains(stderr, "listening on") || !strings.Contains(stderr, "address already in use; choose another address with -addr\n") {
			t.Errorf("%s on a taken port: exit %d, %q; want exit 1 and advice", program, code, stderr)
		}
	}
}

// listen listens on a free port until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A call that the server has read when the signal comes is still answered.
func TestSignalLosesNoCall(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := start(t, "async/server", "-delay", "300ms")
			client := dialed(t)(rpc.Dial("tcp", s.addr))
			var product int
			call := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, &product, nil)
			// Requests are read in order: when this one fails, the call above is in flight.
			if err := client.Call("MathService.None", &shared.Args{}, nil); err == nil {
				t.Fatal("MathService.None exists")
			}
			s.cmd.Process.Signal(signal)
			if <-call.Done; call.Error != nil || product != 42 {
				t.Errorf("Multiply(6, 7) = %d, %v, want 42", product, call.Error)
			}
			client.Close() // the server waits a second for it to hang up
			if got := s.wait(); got != "exit status 0" {
				t.Errorf("the server ended with %s, want exit status 0", got)
			}
			if conn, err := net.Dial("tcp", s.addr); err == nil {
				conn.Close()
				t.Error("the server still accepts")
			}
		})
	}
}

// Out of file descriptors, a server waits until there are some again.
func TestServersSurviveTooManyConnections(t *testing.T) {
	t.Parallel()
	for program := range programs {
		if !strings.HasSuffix(program, "/server") {
			continue
		}
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, "sh", append([]string{"-c", `ulimit -n 64; exec "$0" -addr 127.0.0.1:0 "$@"`, binary(program)}, quick(program)...)...)
			s := startCommand(t, program, cmd)
			var conns []net.Conn
			for range 100 {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, conn)
			}
			for line := range s.lines {
				if strings.Contains(line, "too many open files; trying again in ") {
					break
				}
			}
			for _, conn := range conns {
				conn.Close()
			}
			client := strings.Replace(program, "server", "client", 1)
			if _, stderr, code := run(t, client, "-addr", s.addr, "-timeout", "20s"); code != 0 {
				t.Errorf("%s: exit %d, %s", client, code, stderr)
			}
			s.stop(t, os.Interrupt)
		})
	}
}

// A peer that does not finish its request is cut off; one that has said CONNECT may
// be silent for as long as it likes. Each POST is a call of its own.
func TestHTTPServerLimits(t *testing.T) {
	t.Parallel()
	s := start(t, "http/server")
	client := dialed(t)(rpc.DialHTTP("tcp", s.addr))
	ended := make(chan time.Duration)
	for _, request := range []string{"POST /jsonrpc HT", "POST /jsonrpc HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"} {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begin := time.Now()
		go func() {
			io.WriteString(conn, request)
			io.Copy(io.Discard, conn)
			ended <- time.Since(begin)
		}()
	}
	header, body := <-ended, <-ended
	if header < 1900*time.Millisecond || body > 6*time.Second || body-header < 500*time.Millisecond {
		t.Errorf("an unfinished header was cut off after %v, a body after %v, want 2s and 3s", header, body)
	}
	if product, err := shared.NewMathServiceClient(client).Multiply(t.Context(), 6, 7); product != 42 || err != nil {
		t.Errorf("after a silence: Multiply(6, 7) = %d, %v, want 42", product, err)
	}

	resp, err := http.Post("http://"+s.addr+"/jsonrpc", "application/json", strings.NewReader(
		`{"method": "MathService.Multiply", "params": [{"A": 6, "B": 7}], "id": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != `{"id":1,"result":42,"error":null}`+"\n" {
		t.Errorf("POST: %s, want 42", body)
	}
	for path, want := range map[string]int{"/jsonrpc": http.StatusMethodNotAllowed, "/debug/rpc": http.StatusOK, "/": http.StatusNotFound} {
		resp, err := http.Get("http://" + s.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("GET %s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// While a server drains, here because a peer does not hang up, a second signal
// kills it.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for program := range programs {
		if !strings.HasSuffix(program, "/server") {
			continue
		}
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			s := start(t, program, quick(program)...)
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			// Connections are accepted in order: when the client has its answer, conn is open.
			client := strings.Replace(program, "server", "client", 1)
			if _, stderr, code := run(t, client, "-addr", s.addr); code != 0 {
				t.Fatalf("%s: exit %d, %s", client, code, stderr)
			}
			s.cmd.Process.Signal(syscall.SIGTERM)
			if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("while draining: read %d bytes, %v, want EOF", n, err)
			}
			// main may not yet have come to handing the signal back: ask until it has.
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			ended := make(chan string, 1)
			go func() { ended <- s.wait() }()
			for {
				select {
				case <-ticker.C:
					s.cmd.Process.Signal(syscall.SIGTERM)
				case got := <-ended:
					if !strings.HasPrefix(got, "signal: terminated") {
						t.Errorf("after a second signal: %s, want signal: terminated", got)
					}
					return
				}
			}
		})
	}
}

// Whom does a client hang on? (Nobody.) What does it say?
func TestClientsHangOnNobody(t *testing.T) {
	t.Parallel()
	const (
		noAnswer = "no answer from ADDR within 200ms"
		deadline = `MathService.Multiply\(10, 20\): context deadline exceeded`
	)
	mute := listen(t) // its backlog takes the connections, and that is all
	refused := listen(t)
	refused.Close()
	servers := map[string]string{"mute": mute.Addr().String(), "refused": refused.Addr().String()}
	for program := range programs {
		if strings.HasSuffix(program, "/server") {
			servers[program] = start(t, program, quick(program)...).addr
		}
	}
	type table map[string]string // server → message; a pattern, and "" where the call works
	for client, row := range map[string]table{
		"tcp/client": {
			"mute": noAnswer, "refused": "dial tcp ADDR: connect: connection refused", "tcp/server": "", "async/server": "",
			"http/server": noAnswer, "jsonrpc/server": `MathService.Multiply\(10, 20\): unexpected EOF`,
		},
		"http/client": {
			"mute": noAnswer, "refused": "dial tcp ADDR: connect: connection refused", "http/server": "",
			"tcp/server": noAnswer, "async/server": noAnswer, "jsonrpc/server": "dial-http tcp ADDR: unexpected EOF",
		},
		"jsonrpc/client": {
			"mute": deadline, "refused": "dial tcp ADDR: connect: connection refused", "jsonrpc/server": "",
			"tcp/server": deadline, "async/server": deadline,
			"http/server": `MathService.Multiply\(10, 20\): invalid character 'H' looking for beginning of value`,
		},
		"async/client": {
			"mute": noAnswer, "refused": "dial tcp ADDR: connect: connection refused", "tcp/server": "", "async/server": "",
			// gob writes the 5 as a line feed, at which HTTP finds a bad request.
			"http/server":    `MathService.Multiply\(5, 6\): gob: unknown type id or corrupted data`,
			"jsonrpc/server": `MathService.Multiply\(5, 6\): unexpected EOF`,
		},
		"jsonrpc/client/client.py": {
			"mute": noAnswer, "refused": ".*Connection refused", "jsonrpc/server": "",
			"tcp/server": noAnswer, "async/server": noAnswer, "http/server": "not an answer of MathService: .*",
		},
		"jsonrpc/client/client.mjs": {
			"mute": noAnswer, "refused": "connect ECONNREFUSED ADDR", "jsonrpc/server": "",
			"tcp/server": noAnswer, "async/server": noAnswer, "http/server": "not an answer of MathService: .*",
		},
	} {
		if len(row) != len(servers) {
			t.Errorf("%s has %d rows, want one for each of %d servers", client, len(row), len(servers))
		}
		for kind, message := range row {
			t.Run(client+" on "+kind, func(t *testing.T) {
				t.Parallel()
				addr := servers[kind]
				if message == "" {
					if _, stderr, code := run(t, client, "-addr", addr); code != 0 {
						t.Errorf("exit %d, %s; want exit 0", code, stderr)
					}
					return
				}
				timeout := "20s"
				if message == noAnswer || message == deadline {
					timeout = "200ms"
				}
				begin := time.Now()
				stdout, stderr, code := run(t, client, "-addr", addr, "-timeout", timeout)
				if took := time.Since(begin); took > 8*time.Second {
					t.Errorf("took %v with -timeout %s", took, timeout)
				}
				needs := strings.TrimSuffix(client, "/client")
				name := client
				if script := filepath.Ext(client); script != "" {
					needs, name = "jsonrpc", filepath.Base(client)
				}
				want := regexp.MustCompile("^" + strings.ReplaceAll(fmt.Sprintf(
					`%s: %s; the server it needs: go run ./%s/server -addr ADDR`, name, message, needs),
					"ADDR", regexp.QuoteMeta(addr)) + "\n$")
				if stdout != "" || !want.MatchString(stderr) || code != 1 {
					t.Errorf("printed %q, %q, exit %d; want a match of %q, exit 1", stdout, stderr, code, want)
				}
			})
		}
	}
}

// transports are the ways in which this repository connects a client with a server.
var transports = map[string]struct {
	serve func(net.Listener, *rpc.Server) // until the listener is closed
	dial  func(network, addr string) (*rpc.Client, error)
}{
	"gob over TCP": {
		func(l net.Listener, server *rpc.Server) { server.Accept(l) },
		rpc.Dial,
	},
	"gob over HTTP": {
		func(l net.Listener, server *rpc.Server) {
			mux := http.NewServeMux()
			mux.Handle(rpc.DefaultRPCPath, server)
			http.Serve(l, mux)
		},
		rpc.DialHTTP,
	},
	"JSON over TCP": {
		func(l net.Listener, server *rpc.Server) {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go server.ServeCodec(jsonrpc.NewServerCodec(conn))
			}
		},
		jsonrpc.Dial,
	},
}

// serve serves MathService over a transport until the test ends.
func serve(t *testing.T, transport string) (addr string) {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		t.Fatal(err)
	}
	l := drained(t)
	go transports[transport].serve(l, server)
	return l.Addr().String()
}

// drained returns a listener that drains, and must have drained, when the test ends.
func drained(t *testing.T) net.Listener {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := shared.NewDrainListener(ctx, listen(t))
	t.Cleanup(func() {
		stop()
		if err := l.Wait(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// dialed takes the result of a dial, and closes the client when the test ends.
func dialed(t *testing.T) func(*rpc.Client, error) *rpc.Client {
	return func(client *rpc.Client, err error) *rpc.Client {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		return client
	}
}

func TestTransports(t *testing.T) {
	t.Parallel()
	products := []struct {
		a, b, want int
		err        error
	}{
		{10, 20, 200, nil},
		{0, 7, 0, nil},
		{math.MinInt, 0, 0, nil},
		{-3, 7, -21, nil},
		{-3, -7, 21, nil},
		{math.MaxInt, 1, math.MaxInt, nil},
		{-1, math.MaxInt, -math.MaxInt, nil},
		{math.MinInt, 1, math.MinInt, nil},
		{math.MaxInt, 2, 0, shared.ErrOverflow},
		{math.MinInt, -1, 0, shared.ErrOverflow},
		{-1, math.MinInt, 0, shared.ErrOverflow},
		{1 << 32, 1 << 31, 0, shared.ErrOverflow},
	}
	quotients := []struct {
		a, b int
		want shared.Quotient
		err  error
	}{
		{17, 5, shared.Quotient{Quo: 3, Rem: 2}, nil},
		{-17, 5, shared.Quotient{Quo: -3, Rem: -2}, nil},
		{17, -5, shared.Quotient{Quo: -3, Rem: 2}, nil},
		{0, 5, shared.Quotient{}, nil},
		{math.MinInt, 1, shared.Quotient{Quo: math.MinInt}, nil},
		{1, 0, shared.Quotient{}, shared.ErrDivideByZero},
		{0, 0, shared.Quotient{}, shared.ErrDivideByZero},
		{math.MinInt, -1, shared.Quotient{}, shared.ErrOverflow},
	}
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dialed(t)(transport.dial("tcp", serve(t, name)))
			stub := shared.NewMathServiceClient(client)
			for _, row := range products {
				// The same call three times: Call, Go and the stub.
				var reply, asyncReply int
				err := client.Call("MathService.Multiply", &shared.Args{A: row.a, B: row.b}, &reply)
				if reply != row.want || text(err) != text(row.err) {
					t.Errorf("Multiply(%d, %d) = %d, %v, want %d, %v", row.a, row.b, reply, err, row.want, row.err)
				}
				call := <-client.Go("MathService.Multiply", &shared.Args{A: row.a, B: row.b}, &asyncReply, nil).Done
				if asyncReply != row.want || text(call.Error) != text(row.err) {
					t.Errorf("Go: Multiply(%d, %d) = %d, %v, want %d, %v", row.a, row.b, asyncReply, call.Error, row.want, row.err)
				}
				got, err := stub.Multiply(t.Context(), row.a, row.b)
				if got != row.want || !errors.Is(err, row.err) {
					t.Errorf("stub: Multiply(%d, %d) = %d, %v, want %d, %v", row.a, row.b, got, err, row.want, row.err)
				}
			}
			for _, row := range quotients {
				var reply shared.Quotient
				err := client.Call("MathService.Divide", &shared.Args{A: row.a, B: row.b}, &reply)
				if reply != row.want || text(err) != text(row.err) {
					t.Errorf("Divide(%d, %d) = %v, %v, want %v, %v", row.a, row.b, reply, err, row.want, row.err)
				}
				got, err := stub.Divide(t.Context(), row.a, row.b)
				if got != row.want || !errors.Is(err, row.err) {
					t.Errorf("stub: Divide(%d, %d) = %v, %v, want %v, %v", row.a, row.b, got, err, row.want, row.err)
				}
			}
			for method, want := range map[string]string{
				"MathService.Modulo": "rpc: can't find method MathService.Modulo",
				"Math.Multiply":      "rpc: can't find service Math.Multiply",
				"Multiply":           "rpc: service/method request ill-formed: Multiply",
			} {
				err := client.Call(method, &shared.Args{A: 1, B: 1}, new(int))
				if err != rpc.ServerError(want) {
					t.Errorf("Call(%q) = %v, want %s", method, err, want)
				}
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The tutorial has all its servers on port 1234. A client that meets the wrong one,
// or a server that says nothing, gets an odd error or waits for ever.
func TestWhoHangsOnWhom(t *testing.T) {
	t.Parallel()
	const hangs = "hangs"
	for server, row := range map[string]map[string]string{ // client → what it sees
		"gob over TCP": {
			"gob over TCP": "", "gob over HTTP": hangs,
			"JSON over TCP": hangs, // gob reads the { as a length of 123
		},
		"gob over HTTP": {
			"gob over TCP": hangs, "gob over HTTP": "",
			"JSON over TCP": "invalid character 'H' looking for beginning of value",
		},
		"JSON over TCP": {
			"gob over TCP": "unexpected EOF", "gob over HTTP": "dial-http tcp ADDR: unexpected EOF",
			"JSON over TCP": "",
		},
		"mute": {"gob over TCP": hangs, "gob over HTTP": hangs, "JSON over TCP": hangs},
	} {
		for client, want := range row {
			t.Run(client+" client, "+server+" server", func(t *testing.T) {
				t.Parallel()
				var addr string
				if server == "mute" {
					addr = listen(t).Addr().String()
				} else {
					addr = serve(t, server)
				}
				outcome := make(chan string, 1)
				go func() {
					client, err := transports[client].dial("tcp", addr)
					if err == nil {
						err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int))
						client.Close()
					}
					outcome <- anyAddr.ReplaceAllString(text(err), "ADDR")
				}()
				limit := patience
				if want == hangs {
					limit = 200 * time.Millisecond
				}
				var got string
				select {
				case got = <-outcome:
				case <-time.After(limit):
					got = hangs
				}
				if got != want {
					t.Errorf("%q, want %q", got, want)
				}
			})
		}
	}
}

// make demo runs the four pairs and prints what each side prints.
func TestMakeDemo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("cannot run make demo: ", err)
	}
	const pair = `$ go run ./NAME/server
NAME/server: listening on ADDR
$ go run ./NAME/client
OUTPUT
NAME/server: LISTENERdraining the calls in flight: use of closed network connection
`
	const listing = "MathService.Multiply(10, 20) = 200\nMathService.Divide(10, 20) = 0 remainder 10"
	var want string
	for _, row := range []struct{ name, output, listener string }{
		{"tcp", listing, "rpc.Serve: accept:"},
		{"http", listing, ""},
		{"jsonrpc", listing, ""},
		{"async", `MathService.Multiply(5, 6) = 30
10 calls one after another: TIME
10 calls in flight at once: TIME
the replies came in this order: 1*1=1 2*2=4 3*3=9 4*4=16 5*5=25 6*6=36 7*7=49 8*8=64 9*9=81 10*10=100`, "rpc.Serve: accept:"},
	} {
		want += strings.NewReplacer("NAME", row.name, "OUTPUT", row.output, "LISTENER", row.listener).Replace(pair)
	}
	output, err := command(t, "make", "--no-print-directory", "demo", "ADDR=127.0.0.1:0").CombinedOutput()
	if err != nil || aside(string(output)) != aside(want) {
		t.Errorf("make demo: %v, printed\n%s\nwant\n%s", err, output, want)
	}
}

// fence is a fenced block of a README.
type fence struct {
	language, text string
	line           int
	source         string // the last .go file that the text above links to
}

var goLink = regexp.MustCompile(`\]\(([\w./]+\.go)\)`)

// fences returns the fenced blocks of a README, and its text without them.
func fences(t *testing.T, name string) (blocks []fence, prose string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var open *fence
	source := ""
	for i, line := range strings.SplitAfter(string(data), "\n") {
		switch {
		case open != nil && line == "```\n":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(line, "```"):
			open = &fence{language: strings.TrimSpace(line[3:]), line: i + 1, source: source}
		default:
			prose += line
			for _, link := range goLink.FindAllStringSubmatch(line, -1) {
				source = link[1]
			}
		}
	}
	return blocks, prose
}

var readmes = []string{"README.md", "README.zh-CN.md"}

// Every go block stands, to the letter, in the file that the text above it links to.
func TestReadmeQuotesTheCode(t *testing.T) {
	t.Parallel()
	for _, name := range readmes {
		blocks, _ := fences(t, name)
		for _, block := range blocks {
			if block.language != "go" {
				continue
			}
			code, err := os.ReadFile(block.source)
			if err != nil || !strings.Contains(string(code), block.text) {
				t.Errorf("%s:%d: not in %s (%v):\n%s", name, block.line, block.source, err, block.text)
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`\b(?:Test|Example|Benchmark)[A-Z_]\w*`)
	link     = regexp.MustCompile(`\]\(([^)]*)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Every test that a README, or a comment in the code, names exists; every link of a
// README leads somewhere.
func TestReadmeNamesWhatExists(t *testing.T) {
	t.Parallel()
	declared := map[string]bool{}
	named := map[string]string{} // test → a file that names it
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range testName.FindAllString(string(text), -1) {
			named[name] = path
		}
		if strings.HasSuffix(path, "_test.go") {
			for _, match := range regexp.MustCompile(`(?m)^func (\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				declared[match[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range named {
		if !declared[name] && name != "TestMain" {
			t.Errorf("%s names %s, which does not exist", path, name)
		}
	}

	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range readmes {
		_, prose := fences(t, name)
		for _, match := range regexp.MustCompile("`make (\\w+)`").FindAllStringSubmatch(prose, -1) {
			if !regexp.MustCompile(`(?m)^[\w ]*\b` + match[1] + `\b[\w ]*:`).Match(makefile) {
				t.Errorf("%s: the Makefile has no target %s", name, match[1])
			}
		}
		anchors := map[string]bool{}
		for _, match := range heading.FindAllStringSubmatch(prose, -1) {
			anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
			anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			target := match[1]
			if strings.HasPrefix(target, "#") {
				if !anchors[target] {
					t.Errorf("%s: no heading %s", name, target)
				}
			} else if !strings.HasPrefix(target, "https://") {
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

var (
	anyAddr = regexp.MustCompile(`(localhost|127\.0\.0\.1):\d+`)
	anyTime = regexp.MustCompile(`\b\d+(\.\d+)?(ms|µs|s)\b`)
)

// aside puts aside what differs from run to run: ports, times, and the order of the
// words in a line that is about their order.
func aside(output string) string {
	output = anyTime.ReplaceAllString(anyAddr.ReplaceAllString(output, "ADDR"), "TIME")
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "the replies came in this order:") {
			words := strings.Fields(line)
			slices.Sort(words)
			lines[i] = strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// shell runs the commands of a README: servers in the background on free ports, and
// the rest with those ports in place of the default ones.
type shell struct {
	servers []*server         // that run, in the order in which they were started
	addrs   map[string]string // default address → the one in use
}

func (sh *shell) run(t *testing.T, line string) (output string, err error) {
	t.Helper()
	if line == "^C" {
		s := sh.servers[len(sh.servers)-1]
		sh.servers = sh.servers[:len(sh.servers)-1]
		s.cmd.Process.Signal(os.Interrupt)
		for line := range s.lines {
			output += line + "\n"
		}
		return output, s.cmd.Wait()
	}
	words := strings.Fields(line)
	if folder, ok := strings.CutPrefix(words[min(2, len(words)-1)], "./"); ok && sh.addrs[programs[folder]] == "" && strings.HasSuffix(folder, "/server") {
		s := start(t, folder, words[3:]...)
		sh.servers = append(sh.servers, s)
		sh.addrs[programs[folder]] = s.addr
		return folder + ": listening on " + s.addr, nil
	}
	for program, addr := range programs {
		if folder, _ := filepath.Split(program); strings.Contains(line, folder) && !strings.Contains(line, "-addr") {
			line += " -addr " + addr
		}
	}
	for program, addr := range programs {
		line = strings.ReplaceAll(line, "go run ./"+program, binary(program))
		if used := sh.addrs[addr]; used != "" {
			line = strings.ReplaceAll(line, addr, used)
		}
	}
	combined, err := command(t, "sh", "-c", line).CombinedOutput()
	return string(combined), err
}

// Every command of the README's console blocks runs and prints what stands below it.
// A server goes on running until a line ^C.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	sh := &shell{addrs: map[string]string{}}
	blocks, _ := fences(t, "README.md")
	for _, block := range blocks {
		if block.language != "console" {
			continue
		}
		// A command, then what it prints; `^C` has no prompt.
		steps := strings.Split(strings.Replace(block.text, "^C\n", "$ ^C\n", 1), "$ ")
		for _, step := range steps[1:] {
			line, want, _ := strings.Cut(step, "\n")
			switch line {
			case "make demo":
				continue // TestMakeDemo
			case "go test ./...": // would run this test again
				if !strings.Contains(string(ci), "\n"+line+"\n") {
					t.Errorf("README.md:%d: .ci/run does not run %s", block.line, line)
				}
				continue
			}
			if _, err := exec.LookPath(strings.Fields(line)[0]); err != nil && line != "^C" && os.Getenv("CI") != "true" {
				t.Logf("README.md:%d: not run: %s: %v", block.line, line, err)
				continue
			}
			got, err := sh.run(t, line)
			if want == "" && err != nil || want != "" && aside(got) != aside(want) {
				t.Errorf("README.md:%d: %s: %v, printed\n%s\nwant\n%s", block.line, line, err, got, want)
			}
		}
	}
}

var (
	inlineCode = regexp.MustCompile("`[^`\n]+`")
	figure     = regexp.MustCompile(`\d+(?:\.\d+)*`)
)

// outline returns what a README must have in common with its translation, a line for
// each heading and block, and for each section its links, code, tests and figures.
func outline(t *testing.T, name string) []string {
	t.Helper()
	blocks, prose := fences(t, name)
	var lines []string
	for i, section := range regexp.MustCompile(`(?m)^#`).Split(prose, -1) {
		level := len(section) - len(strings.TrimLeft(section, "#"))
		var common []string
		for _, match := range link.FindAllStringSubmatch(section, -1) {
			if !strings.HasPrefix(match[1], "#") && !slices.Contains(readmes, match[1]) {
				common = append(common, match[1])
			}
		}
		for _, pattern := range []*regexp.Regexp{inlineCode, testName, figure} {
			common = append(common, pattern.FindAllString(section, -1)...)
		}
		slices.Sort(common)
		rows := strings.Count(section, "\n|")
		lines = append(lines, fmt.Sprintf("section %d, level %d, %d table rows: %q", i, level, rows, common))
	}
	for _, block := range blocks {
		lines = append(lines, block.language+" block:\n"+block.text)
	}
	return lines
}

// The Chinese README is the English one: the same sections with the same blocks, links,
// code, tests and figures.
func TestReadmesAgree(t *testing.T) {
	t.Parallel()
	english, chinese := outline(t, "README.md"), outline(t, "README.zh-CN.md")
	for i := range max(len(english), len(chinese)) {
		var en, zh string
		if i < len(english) {
			en = english[i]
		}
		if i < len(chinese) {
			zh = chinese[i]
		}
		if en != zh {
			t.Errorf("README.md has\n%s\nREADME.zh-CN.md has\n%s", en, zh)
		}
	}
}
