package programtest_test

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// root is the repository, seen from here.
const root = "../.."

// interrupted ends when the tests are interrupted, and built is closed when they have built.
var (
	interrupted context.Context
	built       = make(chan *programtest.Programs, 1)
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // most of these tests wait for time to pass
	log.SetOutput(io.Discard)      // rpc.Accept logs that a test has closed its listener
	// go test removes the folder of the test binary, however the tests end. So what is
	// temporary goes there, also that of the go commands which a test runs.
	if file, err := os.Executable(); err == nil {
		os.Setenv("TMPDIR", filepath.Dir(file))
	}
	var stop func()
	interrupted, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	code := make(chan int, 1)
	go func() { code <- m.Run() }()
	exitCode := 1
	select {
	case exitCode = <-code:
	case <-interrupted.Done():
	}
	select {
	case programs := <-built:
		programs.Close()
	default:
	}
	os.Exit(exitCode)
}

var build = sync.OnceValues(func() (*programtest.Programs, error) {
	names := []string{"shared/demo"}
	for _, pair := range programtest.Pairs {
		names = append(names, pair.Server(), pair.Client())
	}
	programs, err := programtest.Build(interrupted, root, names...)
	if err == nil {
		built <- programs
	}
	return programs, err
})

// programs returns the eight programs and the demo, which the first test that needs one builds.
func programs(t *testing.T) *programtest.Programs {
	t.Helper()
	programs, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return programs
}

// look opens all code of the repository: go test repeats an old result unless it has seen the
// test open what the result depends on.
func look(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && entry.Type().IsRegular() {
			_, err = os.ReadFile(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a program to its end.
func run(t *testing.T, program string, args ...string) programtest.Result {
	t.Helper()
	return runFile(t, programs(t).Path(program), args...)
}

func runFile(t *testing.T, file string, args ...string) programtest.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	defer cancel()
	result, err := programs(t).Run(ctx, file, args...)
	if err != nil {
		t.Fatalf("%s %q: %v after at most %v", file, args, err, rpctest.Patience)
	}
	return result
}

// start starts a server on a free port.
func start(t *testing.T, program string, args ...string) *programtest.Server {
	t.Helper()
	server, err := programs(t).Start(programs(t).Path(program), append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

// dial returns a client of a pair's server.
func dial(t *testing.T, pair programtest.Pair, addr string) *rpc.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(rpctest.Patience))
	client, err := transports[pair.Folder].NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// transports are those of the pairs, by folder.
var transports = map[string]rpctest.Transport{
	"tcp": rpctest.GobTCP, "async": rpctest.GobTCP, "http": rpctest.GobHTTP, "jsonrpc": rpctest.JSONTCP,
}

// publish publishes service as MathService, as the server of a pair does, and returns its address.
func publish(t *testing.T, pair programtest.Pair, service any) string {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("MathService", service); err != nil {
		t.Fatal(err)
	}
	l := rpctest.Listen(t)
	go transports[pair.Folder].Serve(server, l)
	return l.Addr().String()
}

// quick are the arguments with which a pair's server answers without delay.
func quick(pair programtest.Pair) []string {
	if pair.Folder == "async" {
		return []string{"-delay", "0s"}
	}
	return nil
}

// noAnswer is what a client prints when its time is up.
func noAnswer(pair programtest.Pair, addr, timeout string) string {
	return pair.Client() + ": no answer from " + addr + " within " + timeout + "; is that the address of " + pair.Server() + "? -addr sets another\n"
}

// skipOnWindows skips a test that sends a signal or needs a shell.
func skipOnWindows(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither signals nor a Unix shell")
	}
}

// inCI skips a test that compiles for long, except in CI, where no test is skipped.
func inCI(t *testing.T) {
	t.Helper()
	if os.Getenv("CI") != "true" {
		t.Skip("only with CI=true, because it compiles for long")
	}
}

// interpreter returns the program that runs a script, and skips the test if there is none.
func interpreter(t *testing.T, script string) string {
	t.Helper()
	file, err := programtest.Interpreter(script)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
	return file
}

// measured is what differs from run to run in what a client, or go test, prints.
var measured = regexp.MustCompile(`(?m)(one after another: |in flight at once: |--- PASS: \w+ \(|^ok  \t\S+\t)(?:\d+(?:\.\d+)?m?s|\(cached\))`)

// steady returns printed with measured times as T, and replies that come in any order sorted.
func steady(printed string) string {
	lines := strings.Split(measured.ReplaceAllString(printed, "${1}T"), "\n")
	for i, line := range lines {
		if title, replies, found := strings.Cut(line, " replies: "); found && strings.HasPrefix(title, "the first ") {
			words := strings.Fields(replies)
			slices.Sort(words)
			lines[i] = title + " replies: " + strings.Join(words, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// change applies a diff without line numbers to a file.
func change(t *testing.T, file, diff string) {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(diff) {
		if line[0] != '+' {
			before.WriteString(line[1:])
		}
		if line[0] != '-' {
			after.WriteString(line[1:])
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(text, []byte(before.String())) != 1 {
		t.Fatalf("%s: does not have once\n%s", file, before.String())
	}
	text = bytes.Replace(text, []byte(before.String()), []byte(after.String()), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
