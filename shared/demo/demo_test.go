package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
)

const listing = `
$ go run ./NAME/server
NAME/server: listening on ADDR
$ go run ./NAME/client
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
NAME/server: stopped, with no call left in flight`

const async = `
$ go run ./async/server
async/server: listening on ADDR
$ go run ./async/client
meanwhile: 5 + 6 = 11
MathService.Multiply(5, 6) = 30
10 calls one after another: TIME
10 calls in flight at once: TIME
the first 10 replies: 1*1=1 10*10=100 2*2=4 3*3=9 4*4=16 5*5=25 6*6=36 7*7=49 8*8=64 9*9=81
async/server: rpc.Serve: accept:stopped, with no call left in flight
`

// build builds the demo, and goes to the repository's root, from where it runs.
func build(t *testing.T) (demo string) {
	t.Helper()
	t.Chdir("../..")
	programs, err := programtest.Build(".", "shared/demo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { programs.Close() })
	return programs.Path("shared/demo")
}

// steady puts aside what differs from run to run: ports, times and the order of replies.
func steady(printed string) string {
	printed = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d*\n`).ReplaceAllString(printed, "ADDR\n")
	printed = regexp.MustCompile(`: [\d.]+m?s\n`).ReplaceAllString(printed, ": TIME\n")
	return regexp.MustCompile(`replies:.*`).ReplaceAllStringFunc(printed, func(line string) string {
		words := strings.Fields(line)
		slices.Sort(words[1:])
		return strings.Join(words, " ")
	})
}

func TestTheDemoPrintsWhatEachSidePrints(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send the signal at which a server says its last line")
	}
	got, err := programtest.Run(t.Context(), build(t), "-addr", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(strings.ReplaceAll(listing, "NAME/server: stopped", "NAME/server: rpc.Serve: accept:stopped"), "NAME", "tcp") +
		strings.ReplaceAll(listing, "NAME", "http") + strings.ReplaceAll(listing, "NAME", "jsonrpc") + async
	if steady(got.Stdout) != want[1:] || got.Stderr != "" || got.ExitCode != 0 {
		t.Errorf("printed\n%s%s, exit %d, want\n%s, exit 0", got.Stdout, got.Stderr, got.ExitCode, want[1:])
	}
}

func TestTheDemoSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	demo := build(t)
	for _, row := range []struct {
		args []string
		says string
	}{
		{[]string{"-addr", l.Addr().String(), "jsonrpc"}, "choose another address with -addr"},
		{[]string{"udp"}, "udp"},
	} {
		got, err := programtest.Run(t.Context(), demo, row.args...)
		if err != nil || got.ExitCode != 1 || !strings.Contains(got.Stderr, row.says) {
			t.Errorf("demo %q: %v, exit %d, %q; want exit 1 and %q", row.args, err, got.ExitCode, got.Stderr, row.says)
		}
	}
}

// Interrupted, the demo takes its programs along.
func TestTheDemoLeavesNoServerBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a signal")
	}
	cmd := exec.CommandContext(t.Context(), build(t), "-addr", "127.0.0.1:0", "async")
	cmd.WaitDelay = time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(programtest.Patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	var addr string
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		if _, after, found := strings.Cut(scanner.Text(), "listening on "); found {
			addr = after
		}
		if strings.HasPrefix(scanner.Text(), "$ go run ./async/client") {
			break
		}
	}
	begin := time.Now()
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || time.Since(begin) > 10*time.Second {
		t.Errorf("interrupted, the demo exits with %d after %v, want 1 at once", code, time.Since(begin))
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("the server goes on at %s", addr)
	}
}
