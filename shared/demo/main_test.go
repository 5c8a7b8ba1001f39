package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
)

// demo returns a command that runs the demo in the repository's root, and the folder in
// which the demo puts what is temporary.
func demo(t *testing.T, args ...string) (cmd *exec.Cmd, temp string) {
	t.Helper()
	programs, err := programtest.Build("../..", "shared/demo")
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), programs.Path("shared/demo"), args...)
	cmd.WaitDelay = programtest.Patience
	temp = t.TempDir()
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "TMPDIR="+temp, "TMP="+temp)
	return cmd, temp
}

const transcript = `$ go run ./tcp/server
tcp/server: listening on ADDR
$ go run ./tcp/client
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
tcp/server: rpc.Serve: accept:stopped, with no call left in flight
$ go run ./http/server
http/server: listening on ADDR
$ go run ./http/client
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
http/server: stopped, with no call left in flight
$ go run ./jsonrpc/server
jsonrpc/server: listening on ADDR
$ go run ./jsonrpc/client
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
jsonrpc/server: stopped, with no call left in flight
$ go run ./async/server
async/server: listening on ADDR
$ go run ./async/client
meanwhile: 5 + 6 = 11
MathService.Multiply(5, 6) = 30
10 calls one after another: TIME
10 calls in flight at once: TIME
the first 10 replies: SORTED
async/server: rpc.Serve: accept:stopped, with no call left in flight
`

func TestDemoPrintsWhatEachSidePrints(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows a server cannot be asked to stop, and so does not say that it has")
	}
	cmd, temp := demo(t, "-addr", "localhost:0")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the demo: %v, want exit status 0", err)
	}
	got := string(output)
	for pattern, name := range map[string]string{
		`(listening on )127\.0\.0\.1:[1-9]\d*\n`:               "ADDR",
		`(one after another: |in flight at once: )[\d.]+m?s\n`: "TIME",
		`(the first 10 replies:)(?: (?:1\*1=1|2\*2=4|3\*3=9|4\*4=16|5\*5=25|6\*6=36|7\*7=49|8\*8=64|9\*9=81|10\*10=100)){10}\n`: " SORTED",
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, "${1}"+name+"\n")
	}
	if got != transcript {
		t.Errorf("the demo printed\n%s\nwant\n%s", got, transcript)
	}
	t.Logf("the demo prints, ports, times and order aside\n%s", got)
	checkEmpty(t, temp)
}

func checkEmpty(t *testing.T, temp string) {
	t.Helper()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v, %v in its temporary folder, want nothing", left, err)
	}
}

// calling returns the clients that run with this address, by process id. Linux tells.
func calling(addr string) map[int]string {
	clients := map[int]string{}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if command, err := os.ReadFile(file); err == nil && strings.Contains(string(command), "\x00"+addr+"\x00") {
			id, _ := strconv.Atoi(strings.Split(file, "/")[2])
			clients[id] = string(command)
		}
	}
	return clients
}

func TestInterruptedDemoLeavesNothingBehind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("on Windows one process cannot send another Ctrl-C")
	}
	cmd, temp := demo(t, "-addr", "localhost:0", "async")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tooLong := time.AfterFunc(programtest.Patience, func() { cmd.Process.Kill() })
	defer tooLong.Stop()

	// Until the client runs: then the demo has printed its command, and Linux has the process.
	var addr string
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "$ go run ./async/client" {
		if _, after, found := strings.Cut(lines.Text(), "listening on "); found {
			addr = after
		}
	}
	for begin := time.Now(); runtime.GOOS == "linux" && len(calling(addr)) == 0; {
		if time.Since(begin) > programtest.Patience {
			t.Fatal("the demo does not start async/client")
		}
		time.Sleep(time.Millisecond) // between two looks
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stdout)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || stderr.String() != "demo: interrupted\n" {
		t.Errorf("the demo ended with exit code %d and %q, want 1 and %q", code, stderr.String(), "demo: interrupted\n")
	}
	if strings.Contains(string(rest), "replies") {
		t.Errorf("the demo went on to the end: %s", rest)
	}
	left := calling(addr)
	if len(left) > 0 {
		t.Errorf("the demo leaves %q running", left)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("async/server goes on at %s", addr)
	}
	for id := range left {
		if process, err := os.FindProcess(id); err == nil {
			process.Kill()
		}
	}
	checkEmpty(t, temp)
	if !t.Failed() {
		t.Logf("interrupted: exit code 1, %q; no program and no file left", stderr.String())
	}
}

func TestUnknownPairIsNamed(t *testing.T) {
	cmd, _ := demo(t, "-addr", "localhost:0", "tcp", "udp")
	output, _ := cmd.CombinedOutput()
	const want = `demo: there is no pair "udp", only tcp, http, jsonrpc, async` + "\n"
	if code := cmd.ProcessState.ExitCode(); string(output) != want || code != 1 {
		t.Errorf("the demo printed %q, exit code %d, want %q, exit code 1", output, code, want)
	}
}
