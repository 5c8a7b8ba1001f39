package programtest_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// root is the repository, seen from here.
const root = "../.."

// repository is what is in it, but for .git, which changes while git works.
var repository = withoutGit{os.DirFS(root)}

type withoutGit struct{ fs.FS }

func (w withoutGit) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" }), err
}

// interrupted ends when the tests are interrupted, and built are the programs, or nil.
var (
	interrupted, _ = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	built          atomic.Pointer[programtest.Programs]
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // most of these tests wait for time to pass
	log.SetOutput(io.Discard)      // rpc.Accept logs that a test has closed its listener
	rpctest.SetTempDir()           // also for the go commands that a test runs
	clean := func() {
		if programs := built.Load(); programs != nil {
			programs.Close()
		}
	}
	context.AfterFunc(interrupted, func() {
		clean()
		os.Exit(1)
	})
	m.Run()
	clean()
}

// build opens all code first: go test repeats an old result unless it has seen a test open what
// the result depends on.
var build = sync.OnceValues(func() (*programtest.Programs, error) {
	err := fs.WalkDir(repository, ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			_, err = fs.ReadFile(repository, file)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	names := []string{"shared/demo"}
	for _, pair := range programtest.Pairs {
		names = append(names, pair.Server(), pair.Client())
	}
	programs, err := programtest.Build(interrupted, root, names...)
	built.Store(programs)
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
	return fmt.Sprintf("%s: no answer from %s within %s; is that the address of %s? -addr sets another\n",
		pair.Client(), addr, timeout, pair.Server())
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
	rpctest.SkipUnlessCI(t, err)
	return file
}

// measured is what differs from run to run in what a client, or go test, prints.
var measured = regexp.MustCompile(`(?m)(one after another: |in flight at once: |--- PASS: \w+ \(|^ok  \t\S+\t)` +
	`(?:\d+(?:\.\d+)?m?s|\(cached\))`)

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
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := regexp.MustCompile(`(?m)^\+.*\n|^.`).ReplaceAllString(diff, "")
	after := regexp.MustCompile(`(?m)^-.*\n|^.`).ReplaceAllString(diff, "")
	if strings.Count(string(text), before) != 1 {
		t.Fatalf("%s: does not have once\n%s", file, before)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), before, after, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitUntilRefused returns when nobody accepts at addr any more.
func waitUntilRefused(t *testing.T, addr string) {
	t.Helper()
	for begin := time.Now(); ; {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
		if time.Since(begin) > rpctest.Patience {
			t.Fatalf("after %v somebody still accepts at %s", rpctest.Patience, addr)
		}
	}
}

func checkEmpty(t *testing.T, temp string) {
	t.Helper()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v, want nothing", left, err)
	}
}
