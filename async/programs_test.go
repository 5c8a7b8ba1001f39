package async_test

import (
	"flag"
	"fmt"
	"math"
	"net"
	"net/rpc"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // these tests wait more than they work
	os.Exit(m.Run())
}

var buildPair = sync.OnceValues(func() (*programtest.Programs, error) {
	return programtest.Build("..", "async/server", "async/client")
})

// build returns the pair, which the first test that needs it builds.
func build(t *testing.T) *programtest.Programs {
	t.Helper()
	pair, err := buildPair()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// start starts the server, which takes as long over each call as delay says.
func start(t *testing.T, programs *programtest.Programs, delay string) *programtest.Server {
	t.Helper()
	server, err := programtest.Start(programs.Path("async/server"), "-addr", "127.0.0.1:0", "-delay", delay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
}

// dial returns a client of the server.
func dial(t *testing.T, server *programtest.Server) *rpc.Client {
	t.Helper()
	client, err := rpc.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Ten calls of 100 ms take a second one after another, and a tenth of it in flight.
func TestTenCallsInFlightTakeAsLongAsOne(t *testing.T) {
	t.Parallel() // real time passes
	programs := build(t)
	server := start(t, programs, "100ms")
	got, err := programtest.Run(t.Context(), programs.Path("async/client"), "-addr", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`(?:one after another|in flight at once): (\S+)`).FindAllStringSubmatch(got.Stdout, -1)
	if len(times) != 2 {
		t.Fatalf("async/client printed %q, %q; want two times", got.Stdout, got.Stderr)
	}
	oneByOne, err1 := time.ParseDuration(times[0][1])
	inFlight, err2 := time.ParseDuration(times[1][1])
	if err1 != nil || err2 != nil || oneByOne < time.Second || inFlight < 100*time.Millisecond || inFlight > oneByOne/2 {
		t.Errorf("ten calls of 100 ms took %s one after another and %s in flight, want 1s and 100ms", times[0][1], times[1][1])
	}
}

// -n says how many calls are in flight; what is printed stays short.
func TestTheClientTakesUpTo10000Calls(t *testing.T) {
	t.Parallel() // real time passes
	programs := build(t)
	server := start(t, programs, "0s")
	for _, row := range []struct {
		n    string
		code int
		says []string // on stdout, or on stderr if there is an error
	}{
		{"1", 0, []string{"\n1 calls in flight at once: ", "\nthe first 1 replies: 1*1=1\n"}},
		{"10000", 0, []string{"\n10 calls one after another: ", "\n10000 calls in flight at once: ", "\nthe first 10 replies: "}},
		{"10001", 2, []string{"async/client: -n 10001 is not from 1 to 10000\n"}},
		{"0", 2, []string{"async/client: -n 0 is not from 1 to 10000\n"}},
		{"-1", 2, []string{"async/client: -n -1 is not from 1 to 10000\n"}},
	} {
		got, err := programtest.Run(t.Context(), programs.Path("async/client"), "-addr", server.Addr, "-n", row.n, "-timeout", "20s")
		if err != nil {
			t.Fatal(err)
		}
		if got.ExitCode != row.code || len(got.Stdout) > 500 {
			t.Errorf("-n %s: exit %d, %s, and %d bytes on stdout; want exit %d, and at most 500", row.n, got.ExitCode, got.Stderr, len(got.Stdout), row.code)
		}
		if n := strings.Count(got.Stdout, "*"); n > 10 {
			t.Errorf("-n %s printed %d products, want at most 10", row.n, n)
		}
		for _, want := range row.says {
			if !strings.Contains(got.Stdout+got.Stderr, want) {
				t.Errorf("-n %s printed %q, %q; want %q in it", row.n, got.Stdout, got.Stderr, want)
			}
		}
	}
	got, err := programtest.Run(t.Context(), programs.Path("async/client"), "-addr", server.Addr, "-a", fmt.Sprint(math.MaxInt), "-b", "2")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("async/client: MathService.Multiply(%d, 2): integer overflow\n", math.MaxInt); got.Stderr != want || got.ExitCode != 1 {
		t.Errorf("an overflow: printed %q, exit %d; want %q, exit 1", got.Stderr, got.ExitCode, want)
	}
}

// Multiply is slow; Divide is there, too, and is not.
func TestTheServerTakesItsTimeOverMultiply(t *testing.T) {
	t.Parallel() // real time passes
	stub := shared.NewMathServiceClient(dial(t, start(t, build(t), "200ms")))
	begin := time.Now()
	product, err := stub.Multiply(t.Context(), 17, 5)
	if took := time.Since(begin); product != 85 || err != nil || took < 200*time.Millisecond {
		t.Errorf("Multiply(17, 5) = %d, %v after %v, want 85 after at least 200ms", product, err, took)
	}
	quotient, err := stub.Divide(t.Context(), 17, 5)
	if quotient != (shared.Quotient{Quo: 3, Rem: 2}) || err != nil {
		t.Errorf("Divide(17, 5) = %v, %v, want {3 2}", quotient, err)
	}
}

// A call that the server has read when the signal comes is still answered.
func TestASignalLosesNoCall(t *testing.T) {
	t.Parallel() // real time passes
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a signal")
	}
	programs := build(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		server := start(t, programs, "300ms")
		client := dial(t, server)
		var product int
		call := client.Go("MathService.Multiply", &shared.Args{A: 6, B: 7}, &product, make(chan *rpc.Call, 1))
		// Requests are read in order: when this one fails, the call above is in flight.
		none := client.Go("MathService.None", &shared.Args{}, nil, make(chan *rpc.Call, 1))
		for _, waiting := range []*rpc.Call{none, call} {
			select {
			case <-waiting.Done:
			case <-time.After(programtest.Patience):
				t.Fatalf("%v: no answer to %s within %v", signal, waiting.ServiceMethod, programtest.Patience)
			}
			if waiting == none {
				server.Process.Signal(signal)
			}
		}
		if call.Error != nil || product != 42 {
			t.Errorf("%v: Multiply(6, 7) = %d, %v, want 42", signal, product, call.Error)
		}
		client.Close() // the server waits a second for it to hang up
		if printed, err := server.Wait(); err != nil {
			t.Errorf("%v: the server ended with %v, %s, want exit status 0", signal, err, printed)
		}
		if conn, err := net.Dial("tcp", server.Addr); err == nil {
			conn.Close()
			t.Errorf("%v: the server still accepts", signal)
		}
		t.Logf("%v: Multiply(6, 7) = %d, after which the server ended", signal, product)
	}
}
