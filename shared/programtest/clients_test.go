package programtest_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/programtest"
	"example.com/netrpc/shared/rpctest"
)

// Whatever listens where a client looks for its server, the client ends, with one line that
// says what to do. The servers here are the tutorial's, which have no time limit.
func TestClientsHangOnNobody(t *testing.T) {
	t.Parallel()
	const (
		hangs    = "hangs"
		refused  = `dial tcp ADDR: connect(ex)?: .*refused.*; start it with: go run \./SERVER -addr ADDR`
		other    = `; is that the address of SERVER\? -addr sets another`
		multiply = `MathService\.Multiply\(\d+, \d+\): `
		closed   = `(unexpected EOF|read tcp .*)` // a server that closes before it has read all resets
	)
	servers := map[string]string{"mute": rpctest.Listen(t).Addr().String(), "gone": programtest.Nobody}
	for _, pair := range programtest.Pairs {
		servers[pair.Folder] = publish(t, pair, new(shared.MathService))
	}
	for client, row := range map[string]map[string]string{ // server → a pattern, "" where the call works
		"tcp":     {"mute": hangs, "gone": refused, "tcp": "", "async": "", "http": hangs, "jsonrpc": multiply + closed + other},
		"http":    {"mute": hangs, "gone": refused, "tcp": hangs, "async": hangs, "http": "", "jsonrpc": "dial-http tcp ADDR: " + closed + other},
		"jsonrpc": {"mute": hangs, "gone": refused, "tcp": hangs, "async": hangs, "http": multiply + "invalid character 'H' .*" + other, "jsonrpc": ""},
		"async": {"mute": hangs, "gone": refused, "tcp": "", "async": "",
			// gob writes the 5 as a line feed, at which HTTP finds a bad request.
			"http": multiply + "gob: unknown type id or corrupted data" + other, "jsonrpc": multiply + closed + other},
	} {
		pair := programtest.Pair{Folder: client}
		for server, want := range row {
			t.Run(client+" on "+server, func(t *testing.T) {
				t.Parallel()
				addr, timeout, code := servers[server], "100s", 1
				switch want {
				case hangs:
					timeout = "300ms"
					want = regexp.QuoteMeta(noAnswer(pair, addr, timeout))
				case "":
					code = 0
				default:
					want = strings.NewReplacer("ADDR", regexp.QuoteMeta(addr), "SERVER", pair.Server()).Replace(pair.Client()+": "+want) + "\n"
				}
				got := run(t, pair.Client(), "-addr", addr, "-timeout", timeout)
				stdout := strings.TrimPrefix(got.Stdout, "meanwhile: 5 + 6 = 11\n")
				if !regexp.MustCompile("^"+want+"$").MatchString(got.Stderr) || got.ExitCode != code || (stdout == "") != (code == 1) {
					t.Errorf("printed %q, %q, exit %d; want a match of %s on stderr, exit %d", got.Stdout, got.Stderr, got.ExitCode, want, code)
				}
			})
		}
	}
}

// No time is no answer: with a limit of 0 or less a client does not even dial.
func TestATimeLimitOfNothingIsNoAnswer(t *testing.T) {
	t.Parallel()
	l := rpctest.Listen(t)
	addr := l.Addr().String()
	for _, pair := range programtest.Pairs {
		for flag, said := range map[string]string{"0": "0s", "-1s": "-1s"} {
			got := run(t, pair.Client(), "-addr", addr, "-timeout", flag)
			if want := noAnswer(pair, addr, said); got.Stdout != "" || got.Stderr != want || got.ExitCode != 1 {
				t.Errorf("-timeout %s: printed %q, %q, exit %d; want %q, exit 1", flag, got.Stdout, got.Stderr, got.ExitCode, want)
			}
		}
	}
	ours, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := l.Accept() // the first that has dialed
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if theirs.RemoteAddr().String() != ours.LocalAddr().String() {
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
	if m.left.Add(-1) >= 0 {
		return nil
	}
	if m.err == nil {
		<-m.end
	}
	return m.err
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
		{"http", 0, `MathService\.Multiply\(10, 20\)`},
		{"http", 1, `MathService\.Divide\(10, 20\)`},
		{"jsonrpc", 0, `MathService\.Multiply\(10, 20\)`},
		{"jsonrpc", 1, `MathService\.Divide\(10, 20\)`},
		{"async", 0, `MathService\.Multiply\(5, 6\)`},
		{"async", 3, `MathService\.Multiply\(3, 3\)`},      // one after another
		{"async", 15, `MathService\.Multiply\(\d+, \d+\)`}, // at once
	} {
		miser := &Miser{err: errors.New("no more")}
		miser.left.Store(row.answers)
		pair := programtest.Pair{Folder: row.folder}
		got := run(t, pair.Client(), "-addr", publish(t, pair, miser), "-timeout", "100s")
		want := regexp.MustCompile("^" + pair.Client() + ": " + row.call + ": no more\n$")
		if !want.MatchString(got.Stderr) || got.ExitCode != 1 {
			t.Errorf("after %d answers %s printed %q, exit %d; want a match of %s, exit 1", row.answers, pair.Client(), got.Stderr, got.ExitCode, want)
		}
	}
}

// The time limit holds for every call, not only for the first.
func TestClientsGiveUpLaterCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		folder  string
		answers int64
		printed string // what comes before
	}{
		{"tcp", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"http", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"jsonrpc", 1, "MathService.Multiply(10, 20) = 200\n"},
		{"async", 0, "meanwhile: 5 + 6 = 11\n"},
		{"async", 5, "meanwhile: 5 + 6 = 11\nMathService.Multiply(5, 6) = 30\n"},                                 // one after another
		{"async", 15, "meanwhile: 5 + 6 = 11\nMathService.Multiply(5, 6) = 30\n10 calls one after another: T\n"}, // at once
	} {
		t.Run(fmt.Sprint(row.folder, " after ", row.answers), func(t *testing.T) {
			t.Parallel()
			pair := programtest.Pair{Folder: row.folder}
			// On a slow machine a client may not get its first answer in time. Then it gets more.
			for timeout := 500 * time.Millisecond; ; timeout *= 4 {
				miser := &Miser{end: make(chan bool)}
				miser.left.Store(row.answers)
				addr := publish(t, pair, miser)
				begin := time.Now()
				got := run(t, pair.Client(), "-addr", addr, "-timeout", timeout.String())
				took := time.Since(begin)
				close(miser.end)
				if want := noAnswer(pair, addr, timeout.String()); got.Stderr != want || got.ExitCode != 1 || took < timeout {
					t.Fatalf("printed %q, exit %d after %v; want %q, exit 1 after at least %v", got.Stderr, got.ExitCode, took, want, timeout)
				}
				if steady(got.Stdout) == row.printed {
					return
				}
				if timeout > 30*time.Second {
					t.Fatalf("printed %q within %v, want %q", got.Stdout, timeout, row.printed)
				}
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
	for _, pair := range programtest.Pairs {
		operands := "10, 20"
		if pair.Folder == "async" {
			operands = "5, 6"
		}
		got := run(t, pair.Client(), "-addr", publish(t, pair, Rude{}), "-timeout", "100s")
		want := pair.Client() + ": MathService.Multiply(" + operands + "): one two [31m é\uFFFD\n"
		if got.Stderr != want || got.ExitCode != 1 {
			t.Errorf("printed %q, exit %d; want %q, exit 1", got.Stderr, got.ExitCode, want)
		}
	}
}
