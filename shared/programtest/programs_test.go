package programtest_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
)

// defaults are the addresses at which the programs meet, if nobody says another.
var defaults = map[string]string{
	"tcp/server": "localhost:1234", "tcp/client": "localhost:1234",
	"http/server": "localhost:1235", "http/client": "localhost:1235",
	"jsonrpc/server": "localhost:1236", "jsonrpc/client": "localhost:1236",
	"async/server": "localhost:1237", "async/client": "localhost:1237",
}

var folders = []string{"tcp", "http", "jsonrpc", "async"}

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8") // most of these tests wait for time to pass
	log.SetOutput(io.Discard)      // rpc.Accept logs that a test has closed its listener
	os.Exit(m.Run())
}

var build = sync.OnceValues(func() (*programtest.Programs, error) {
	return programtest.Build("../..", slices.Collect(maps.Keys(defaults))...)
})

// path returns the file of a program. The first test that needs one builds all of them.
func path(t *testing.T, program string) string {
	t.Helper()
	programs, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return programs.Path(program)
}

// run runs a program to its end.
func run(t *testing.T, program string, args ...string) programtest.Result {
	t.Helper()
	result, err := programtest.Run(t.Context(), path(t, program), args...)
	if err != nil {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return result
}

// start starts a server, which answers without delay.
func start(t *testing.T, program, addr string) *programtest.Server {
	t.Helper()
	args := []string{"-addr", addr}
	if program == "async/server" {
		args = append(args, "-delay", "0s")
	}
	server, err := programtest.Start(path(t, program), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	return server
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

// serve publishes service as MathService, as the server in folder does, and returns its address.
func serve(t *testing.T, folder string, service any) string {
	t.Helper()
	server := rpc.NewServer()
	if err := server.RegisterName("MathService", service); err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	switch folder {
	case "http":
		mux := http.NewServeMux()
		mux.Handle(rpc.DefaultRPCPath, server)
		go http.Serve(l, mux)
	case "jsonrpc":
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go server.ServeCodec(jsonrpc.NewServerCodec(conn))
			}
		}()
	default:
		go server.Accept(l)
	}
	return l.Addr().String()
}

// -h says how to run the program, and with which flags. What no program has is refused.
func TestUsageIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for program, addr := range defaults {
		help := run(t, program, "-h")
		begin := "Usage: go run ./" + program + " [flags]\n"
		if help.ExitCode != 0 || help.Stdout != "" || !strings.HasPrefix(help.Stderr, begin) || !strings.Contains(help.Stderr, "(default \""+addr+"\")\n") ||
			strings.HasSuffix(program, "client") && !strings.Contains(help.Stderr, "(default 5s)\n") {
			t.Errorf("%s -h: exit %d, printed %q, %q; want exit 0, a beginning of %q and the default address %s",
				program, help.ExitCode, help.Stdout, help.Stderr, begin, addr)
		}
		for argument, says := range map[string]string{
			"more":      program + `: unexpected argument "more"` + "\n" + begin,
			"-nonsense": "flag provided but not defined: -nonsense\n",
		} {
			if got := run(t, program, argument); got.ExitCode != 2 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, says) {
				t.Errorf("%s %s: exit %d, %q; want exit 2, %q first", program, argument, got.ExitCode, got.Stderr, says)
			}
		}
	}
}

func TestAServerSaysThatItsPortIsTaken(t *testing.T) {
	t.Parallel()
	addr := listen(t).Addr().String()
	for _, folder := range folders {
		server := folder + "/server"
		got := run(t, server, "-addr", addr)
		want := regexp.MustCompile("^" + server + ": listen tcp " + addr + ": bind: .*; choose another address with -addr\n$")
		if got.ExitCode != 1 || !want.MatchString(got.Stderr) {
			t.Errorf("%s: exit %d, %q; want exit 1, a match of %s", server, got.ExitCode, got.Stderr, want)
		}
	}
}

func TestPairsMeetOverIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	l.Close()
	for _, folder := range folders {
		server := start(t, folder+"/server", "[::1]:0")
		if got := run(t, folder+"/client", "-addr", server.Addr); got.ExitCode != 0 || !strings.HasPrefix(server.Addr, "[::1]:") {
			t.Errorf("%s/client -addr %s: exit %d, %s", folder, server.Addr, got.ExitCode, got.Stderr)
		}
	}
}

// Out of file descriptors, a server waits until there are some again.
func TestServersSurviveTooManyConnections(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no ulimit")
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			args := []string{"-c", `ulimit -n 64; exec "$0" -addr 127.0.0.1:0 "$@"`, path(t, folder+"/server")}
			if folder == "async" {
				args = append(args, "-delay", "0s")
			}
			server, err := programtest.Start("sh", args...)
			if err != nil {
				t.Fatal(err)
			}
			defer server.Kill()
			var conns []net.Conn
			for range 100 {
				conn, err := net.Dial("tcp", server.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conns = append(conns, conn)
			}
			select {
			case line := <-server.Lines:
				if !strings.Contains(line, "too many open files; trying again in ") {
					t.Errorf("with 100 connections and 64 descriptors the server says %q, want too many open files", line)
				}
			case <-time.After(programtest.Patience):
				t.Fatal("100 connections, 64 descriptors, and the server says nothing")
			}
			for _, conn := range conns {
				conn.Close()
			}
			if got := run(t, folder+"/client", "-addr", server.Addr, "-timeout", "20s"); got.ExitCode != 0 {
				t.Errorf("afterwards the client exits with %d: %s", got.ExitCode, got.Stderr)
			}
			if printed, err := server.Stop(); err != nil {
				t.Errorf("asked to stop: %v, %s", err, printed)
			}
		})
	}
}

// A server that waits for a peer to hang up ends at once after another signal.
func TestASecondSignalEndsAServerAtOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows cannot send a signal")
	}
	for _, folder := range folders {
		for _, soon := range []bool{true, false} {
			server := start(t, folder+"/server", "127.0.0.1:0")
			conn, err := net.Dial("tcp", server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(programtest.Patience))
			// Connections are accepted in order: when the client has its answer, conn is open.
			if got := run(t, folder+"/client", "-addr", server.Addr); got.ExitCode != 0 {
				t.Fatalf("%s/client: exit %d, %s", folder, got.ExitCode, got.Stderr)
			}
			// Two signals of one kind would be one to the system if the first still waits.
			server.Process.Signal(syscall.SIGTERM)
			if !soon {
				if n, err := conn.Read(make([]byte, 1)); err != io.EOF {
					t.Fatalf("%s/server: after a signal a peer reads %d bytes, %v, want EOF", folder, n, err)
				}
			}
			server.Process.Signal(os.Interrupt)
			printed, err := server.Wait()
			want := regexp.MustCompile("^" + folder + "/server: (interrupt|terminated): stopped at once; calls in flight are lost\n$")
			if err == nil || err.Error() != "exit status 1" || !want.MatchString(printed) {
				t.Errorf("%s/server after two signals (at once: %t): %v, printed %q; want exit status 1, a match of %s", folder, soon, err, printed, want)
			}
		}
	}
}

// Whatever listens where a client looks for its server, the client ends, with one line that
// says what to do.
func TestClientsHangOnNobody(t *testing.T) {
	t.Parallel()
	const (
		noAnswer = "no answer from ADDR within 300ms; is that the address of SERVER? -addr sets another"
		refused  = `dial tcp ADDR: connect: connection refused; start it with: go run ./SERVER -addr ADDR`
		other    = "; is that the address of SERVER? -addr sets another"
		multiply = `MathService.Multiply(10, 20): `
	)
	mute := listen(t) // its backlog takes the connections, and that is all
	servers := map[string]string{"mute": mute.Addr().String(), "gone": programtest.Nobody}
	for _, folder := range folders {
		servers[folder] = start(t, folder+"/server", "127.0.0.1:0").Addr
	}
	for client, row := range map[string]map[string]string{ // server → error, "" where the call works
		"tcp": {
			"mute": noAnswer, "gone": refused, "tcp": "", "async": "",
			"http": noAnswer, "jsonrpc": multiply + "unexpected EOF" + other,
		},
		"http": {
			"mute": noAnswer, "gone": refused, "tcp": noAnswer, "async": noAnswer,
			"http": "", "jsonrpc": "dial-http tcp ADDR: unexpected EOF" + other,
		},
		"jsonrpc": {
			"mute": noAnswer, "gone": refused, "tcp": noAnswer, "async": noAnswer,
			"http": multiply + "invalid character 'H' looking for beginning of value" + other, "jsonrpc": "",
		},
		"async": {
			"mute": noAnswer, "gone": refused, "tcp": "", "async": "",
			// gob writes the 5 as a line feed, at which HTTP finds a bad request.
			"http":    "MathService.Multiply(5, 6): gob: unknown type id or corrupted data" + other,
			"jsonrpc": "MathService.Multiply(5, 6): unexpected EOF" + other,
		},
	} {
		for server, want := range row {
			t.Run(client+" on "+server, func(t *testing.T) {
				t.Parallel()
				timeout := "20s"
				if want == noAnswer {
					timeout = "300ms"
				}
				code := 0
				if want != "" {
					code = 1
					want = client + "/client: " + strings.NewReplacer("ADDR", servers[server], "SERVER", client+"/server").Replace(want) + "\n"
				}
				got := run(t, client+"/client", "-addr", servers[server], "-timeout", timeout)
				stdout := strings.TrimPrefix(got.Stdout, "meanwhile: 5 + 6 = 11\n")
				if got.Stderr != want || got.ExitCode != code || (stdout == "") != (code == 1) {
					t.Errorf("printed %q, %q, exit %d; want %q on stderr, exit %d", got.Stdout, got.Stderr, got.ExitCode, want, code)
				}
			})
		}
	}
}

// No time is no answer: with a limit of 0 or less a client does not even dial.
func TestATimeLimitOfNothingIsNoAnswer(t *testing.T) {
	t.Parallel()
	l := listen(t)
	addr := l.Addr().String()
	for _, folder := range folders {
		for flag, said := range map[string]string{"0": "0s", "-1s": "-1s"} {
			got := run(t, folder+"/client", "-addr", addr, "-timeout", flag)
			want := fmt.Sprintf("%s/client: no answer from %s within %s; is that the address of %[1]s/server? -addr sets another\n", folder, addr, said)
			if got.Stdout != "" || got.Stderr != want || got.ExitCode != 1 {
				t.Errorf("-timeout %s: printed %q, %q, exit %d; want %q, exit 1", flag, got.Stdout, got.Stderr, got.ExitCode, want)
			}
		}
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Error("a client has dialed, want none")
	}
}

// Miser is a MathService that answers the first calls, and then no more, or with an error.
type Miser struct {
	left atomic.Int64
	end  chan bool // closed at the end of the test
	err  error
}

func (m *Miser) wait() error {
	if m.left.Add(-1) < 0 && m.err == nil {
		<-m.end
	} else if m.left.Load() < 0 {
		return m.err
	}
	return nil
}

// Multiply answers if there are answers left.
func (m *Miser) Multiply(args *shared.Args, reply *int) error {
	if err := m.wait(); err != nil {
		return err
	}
	return new(shared.MathService).Multiply(args, reply)
}

// Divide answers if there are answers left.
func (m *Miser) Divide(args *shared.Args, reply *shared.Quotient) error {
	if err := m.wait(); err != nil {
		return err
	}
	return new(shared.MathService).Divide(args, reply)
}

// An error ends a client, whichever call it is of.
func TestClientsEndAtTheFirstError(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		folder  string
		answers int64
		call    string // a pattern
	}{
		{"tcp", 0, `MathService\.Multiply\(10, 20\)`},
		{"tcp", 1, `MathService\.Divide\(10, 20\)`},
		{"async", 0, `MathService\.Multiply\(5, 6\)`},
		{"async", 3, `MathService\.Multiply\(3, 3\)`},      // one after another
		{"async", 15, `MathService\.Multiply\(\d+, \d+\)`}, // in flight
	} {
		miser := &Miser{err: errors.New("no more")}
		miser.left.Store(row.answers)
		got := run(t, row.folder+"/client", "-addr", serve(t, row.folder, miser))
		want := regexp.MustCompile("^" + row.folder + "/client: " + row.call + ": no more\n$")
		if !want.MatchString(got.Stderr) || got.ExitCode != 1 {
			t.Errorf("after %d answers %s/client printed %q, exit %d; want a match of %s, exit 1", row.answers, row.folder, got.Stderr, got.ExitCode, want)
		}
	}
}

// The time limit holds for every call, not only for the first.
func TestClientsGiveUpLaterCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		folder  string
		answers int64
		printed string // the last line that can be
	}{
		{"tcp", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"http", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"jsonrpc", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"async", 0, "meanwhile: 5 + 6 = 11\n"},
		{"async", 5, "MathService.Multiply(5, 6) = 30\n"}, // one after another
		{"async", 15, ""}, // in flight
	} {
		t.Run(fmt.Sprint(row.folder, " after ", row.answers), func(t *testing.T) {
			t.Parallel()
			miser := &Miser{end: make(chan bool)}
			defer close(miser.end)
			miser.left.Store(row.answers)
			addr := serve(t, row.folder, miser)
			begin := time.Now()
			got := run(t, row.folder+"/client", "-addr", addr, "-timeout", "500ms")
			took := time.Since(begin)
			want := fmt.Sprintf("%s/client: no answer from %s within 500ms; is that the address of %[1]s/server? -addr sets another\n", row.folder, addr)
			if got.Stderr != want || !strings.HasSuffix(got.Stdout, row.printed) || got.Stdout == "" || got.ExitCode != 1 {
				t.Errorf("printed %q, %q, exit %d; want a last line of %q, then %q, exit 1", got.Stdout, got.Stderr, got.ExitCode, row.printed, want)
			}
			if took < 500*time.Millisecond || took > 10*time.Second {
				t.Errorf("gave up after %v, want 500ms", took)
			}
		})
	}
}

// Rude is a MathService whose errors would move a terminal's cursor.
type Rude struct{}

// Multiply fails.
func (Rude) Multiply(*shared.Args, *int) error {
	return errors.New("one\ntwo\r\x1b[31m\u009b\u2028\u202e\x7fé\x9b")
}

func TestAnErrorOfAPeerIsOneLineWithoutControlCharacters(t *testing.T) {
	t.Parallel()
	for _, folder := range folders {
		addr := serve(t, folder, Rude{})
		got := run(t, folder+"/client", "-addr", addr)
		operands := "10, 20"
		if folder == "async" {
			operands = "5, 6"
		}
		want := folder + "/client: MathService.Multiply(" + operands + "): one two [31m é\uFFFD\n"
		if got.Stderr != want || got.ExitCode != 1 {
			t.Errorf("printed %q, exit %d; want %q, exit 1", got.Stderr, got.ExitCode, want)
		}
		t.Logf("%q", got.Stderr)
	}
}
