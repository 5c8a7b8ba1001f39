package programtest_test

import (
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

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
		"tcp": {"mute": hangs, "gone": refused, "tcp": "", "async": "",
			"http": hangs, "jsonrpc": multiply + closed + other},
		"http": {"mute": hangs, "gone": refused, "tcp": hangs, "async": hangs,
			"http": "", "jsonrpc": "dial-http tcp ADDR: " + closed + other},
		"jsonrpc": {"mute": hangs, "gone": refused, "tcp": hangs, "async": hangs,
			"http": multiply + "invalid character 'H' .*" + other, "jsonrpc": ""},
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

// Miser is a MathService that answers the first calls, and no more.
type Miser struct{ answers atomic.Int64 }

// Multiply answers if there are answers left.
func (m *Miser) Multiply(args *shared.Args, reply *int) error {
	if m.answers.Add(-1) < 0 {
		return errors.New("no more")
	}
	return new(shared.MathService).Multiply(args, reply)
}

// An error ends async/client, whichever call it is of.
func TestAsyncClientEndsAtTheFirstError(t *testing.T) {
	t.Parallel()
	async := programtest.Pair{Folder: "async"}
	for answers, operands := range map[int64]string{
		0:  `5, 6`,
		3:  `3, 3`,     // one after another
		15: `\d+, \d+`, // at once
	} {
		var miser Miser
		miser.answers.Store(answers)
		got := run(t, async.Client(), "-addr", publish(t, async, &miser), "-timeout", "100s")
		want := regexp.MustCompile(`^async/client: MathService\.Multiply\(` + operands + `\): no more\n$`)
		if !want.MatchString(got.Stderr) || got.ExitCode != 1 {
			t.Errorf("after %d answers: %q, exit %d; want a match of %s, exit 1", answers, got.Stderr, got.ExitCode, want)
		}
	}
}
