package programtest_test

import (
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared/programtest"
)

func TestEveryPairPrintsItsTranscript(t *testing.T) {
	t.Parallel()
	most, least := fmt.Sprint(math.MaxInt), fmt.Sprint(math.MinInt)
	calls := `
$ NAME
MathService.Multiply(10, 20) = 200
MathService.Divide(10, 20) = 0 remainder 10
$ NAME -a -7 -b 2
MathService.Multiply(-7, 2) = -14
MathService.Divide(-7, 2) = -3 remainder -1
$ NAME -a 3 -b 0
MathService.Multiply(3, 0) = 0
NAME: MathService.Divide(3, 0): divide by zero
exit 1
`
	large := `$ NAME -a ` + most + ` -b 1
MathService.Multiply(` + most + `, 1) = ` + most + `
MathService.Divide(` + most + `, 1) = ` + most + ` remainder 0
$ NAME -a ` + least + ` -b -1
NAME: MathService.Multiply(` + least + `, -1): integer overflow
exit 1
`
	async := `
$ NAME
meanwhile: 5 + 6 = 11
MathService.Multiply(5, 6) = 30
10 calls one after another: T
10 calls in flight at once: T
the first 10 replies: 1*1=1 10*10=100 2*2=4 3*3=9 4*4=16 5*5=25 6*6=36 7*7=49 8*8=64 9*9=81
$ NAME -a ` + most + ` -b 2
meanwhile: ` + most + ` + 2 = ` + fmt.Sprint(math.MinInt+1) + `
NAME: MathService.Multiply(` + most + `, 2): integer overflow
exit 1
`
	for _, row := range []struct{ server, client, transcript, end string }{
		{"tcp/server", "tcp/client", calls + large, "tcp/server: rpc.Serve: accept:stopped, with no call left in flight\n"},
		{"http/server", "http/client", calls + large, "http/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "jsonrpc/client", calls + large, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "client.py", calls + large, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"jsonrpc/server", "client.mjs", calls, "jsonrpc/server: stopped, with no call left in flight\n"},
		{"async/server", "async/client", async, "async/server: rpc.Serve: accept:stopped, with no call left in flight\n"},
	} {
		t.Run(row.client, func(t *testing.T) {
			t.Parallel()
			command := []string{programs(t).Path(row.client)}
			if strings.HasPrefix(row.client, "client.") {
				command = []string{interpreter(t, row.client), root + "/jsonrpc/client/" + row.client}
			}
			server := start(t, row.server, quick(programtest.Pair{Folder: strings.TrimSuffix(row.server, "/server")})...)
			for step := range strings.SplitSeq(strings.ReplaceAll(row.transcript, "NAME", row.client)[1:], "$ ") {
				line, want, _ := strings.Cut(step, "\n")
				if line == "" {
					continue
				}
				args := slices.Concat(command[1:], []string{"-addr", server.Addr, "-timeout=100s"}, strings.Fields(line)[1:])
				result := runFile(t, command[0], args...)
				got := steady(result.Stdout + result.Stderr)
				if result.ExitCode != 0 {
					got += fmt.Sprintf("exit %d\n", result.ExitCode)
				}
				if got != want {
					t.Errorf("%s printed\n%swant\n%s", line, got, want)
				}
			}
			if printed, err := server.Stop(); err != nil || printed != row.end && runtime.GOOS != "windows" {
				t.Errorf("%s, asked to stop, printed %q, %v, want %q", row.server, printed, err, row.end)
			}
		})
	}
}

// The contrast that async/client shows: ten calls of 100 ms, which is async/server's default,
// take a second one after another, and at once a fraction of that, if no pause of the machine
// falls into it. Then it is tried again.
func TestTenCallsInFlightTakeAFractionOfTheTime(t *testing.T) {
	t.Parallel() // real time passes
	server := start(t, "async/server")
	printed := regexp.MustCompile(`(?:one after another|in flight at once): (\S+)`)
	for try := 1; ; try++ {
		got := run(t, "async/client", "-addr", server.Addr, "-timeout", "1m")
		times := printed.FindAllStringSubmatch(got.Stdout, -1)
		if len(times) != 2 {
			t.Fatalf("async/client printed %q, %q; want two times", got.Stdout, got.Stderr)
		}
		oneByOne, err1 := time.ParseDuration(times[0][1])
		atOnce, err2 := time.ParseDuration(times[1][1])
		// The client's clock may be coarse.
		if err1 != nil || err2 != nil || oneByOne < 900*time.Millisecond || atOnce < 80*time.Millisecond {
			t.Fatalf("ten calls of 100 ms took %s one after another and %s at once, want 900ms and 80ms at least",
				times[0][1], times[1][1])
		}
		if atOnce <= oneByOne/2 {
			return
		}
		if try == 10 {
			t.Fatalf("ten times in a row, ten calls at once took %s, more than half the %s of ten one after another",
				times[1][1], times[0][1])
		}
	}
}
