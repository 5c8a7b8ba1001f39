package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// mains are what a program does after Parse.
var mains = map[string]func(){
	"nothing":           func() {},
	"Fatal(no luck)":    func() { Fatal(errors.New("no luck")) },
	"GiveUpAfter(0)":    func() { GiveUpAfter(0); log.Print("main goes on") },
	"GiveUpAfter(-1ns)": func() { GiveUpAfter(-1); log.Print("main goes on") },
	"GiveUpAfter(1ms)":  func() { GiveUpAfter(time.Millisecond); select {} },
	"GiveUpAfter(1h)": func() {
		GiveUpAfter(time.Hour)
		time.Sleep(100 * time.Millisecond) // as a call may take
		log.Print("main goes on")
	},
	"Fatal, twice": func() {
		go Fatal(errors.New("no luck"))
		Fatal(errors.New("no luck"))
	},
}

// TestMain makes this test binary a program, tcp/client, if run asks for it.
func TestMain(m *testing.M) {
	main := mains[os.Getenv("NETRPC_MAIN")]
	if main != nil { // the flags of the tests are not those of a program
		flag.CommandLine = flag.NewFlagSet("", flag.ExitOnError)
		flag.CommandLine.Usage = func() { flag.Usage() }
	}
	flag.String("addr", "localhost:1234", "`address` of the server")
	if main == nil {
		m.Run()
		return
	}
	Parse("tcp/client")
	main()
}

// run runs tcp/client, which does nothing but main, to its end.
func run(t *testing.T, main string, args ...string) (exitCode int, stderr string) {
	t.Helper()
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Env = append(os.Environ(), "NETRPC_MAIN="+main)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSuffix(string(out), "\n")
}

func TestAWrongArgumentIsBadUsage(t *testing.T) {
	var saw rpctest.Transcript
	for _, args := range [][]string{
		{},
		{"-addr", ":1234"},
		{"-addr", "[::1]:0"},
		{"-addr", "localhost"},
		{"-addr", "21234"},
		{"-addr", "::1"},
		{"-addr", "localhost:99999999"},
		{"-addr", "localhost:no-such-port"},
		{"extra"},
		{"-h"},
	} {
		exitCode, stderr := run(t, "nothing", args...)
		saw.Add("%s", strings.TrimSpace(fmt.Sprintf("%q: exit code %d\n%s", args, exitCode, stderr)))
	}
	saw.Want(t, `
[]: exit code 0
["-addr" ":1234"]: exit code 0
["-addr" "[::1]:0"]: exit code 0
["-addr" "localhost"]: exit code 2
tcp/client: -addr localhost: want host:port, such as localhost:1234
["-addr" "21234"]: exit code 2
tcp/client: -addr 21234: want host:port, such as localhost:1234
["-addr" "::1"]: exit code 2
tcp/client: -addr ::1: want host:port, such as localhost:1234
["-addr" "localhost:99999999"]: exit code 2
tcp/client: -addr localhost:99999999: want host:port, such as localhost:1234
["-addr" "localhost:no-such-port"]: exit code 2
tcp/client: -addr localhost:no-such-port: want host:port, such as localhost:1234
["extra"]: exit code 2
tcp/client: unexpected argument "extra"
Usage: go run ./tcp/client [flags]
  -addr address
    	address of the server (default "localhost:1234")
["-h"]: exit code 0
Usage: go run ./tcp/client [flags]
  -addr address
    	address of the server (default "localhost:1234")`)
}

// Whatever main and the time limit do, a program says one line.
func TestAProgramEndsWithOneLine(t *testing.T) {
	var saw rpctest.Transcript
	for _, main := range []string{
		"Fatal(no luck)", "GiveUpAfter(0)", "GiveUpAfter(-1ns)", "GiveUpAfter(1ms)", "GiveUpAfter(1h)", "Fatal, twice",
	} {
		exitCode, stderr := run(t, main)
		saw.Add("%s: exit code %d\n%s", main, exitCode, stderr)
	}
	saw.Want(t, `
Fatal(no luck): exit code 1
tcp/client: no luck; is that the address of tcp/server? -addr sets another
GiveUpAfter(0): exit code 1
tcp/client: no answer from localhost:1234 within 0s; is that the address of tcp/server? -addr sets another
GiveUpAfter(-1ns): exit code 1
tcp/client: no answer from localhost:1234 within -1ns; is that the address of tcp/server? -addr sets another
GiveUpAfter(1ms): exit code 1
tcp/client: no answer from localhost:1234 within 1ms; is that the address of tcp/server? -addr sets another
GiveUpAfter(1h): exit code 0
tcp/client: main goes on
Fatal, twice: exit code 1
tcp/client: no luck; is that the address of tcp/server? -addr sets another`)
}

// The hint at the server or at another address is for those who may have the wrong one.
func TestFatalHintsUnlessTheServerHasAnswered(t *testing.T) {
	defer func(name string) { program = name }(program)
	var saw rpctest.Transcript
	add := func(name string, err error) {
		program = name
		saw.Add("%s: %s", program, line(err))
	}
	for _, err := range []error{
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errors.New("refused"))},
		&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connectex", errors.New("refused"))},
		&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errors.New("connection reset"))},
		io.ErrUnexpectedEOF,
		rpc.ServerError("no luck"),
		shared.ErrOverflow,
		shared.ErrDivideByZero,
		rpc.ErrShutdown, // the call before has been answered
		rpc.ServerError("two\r\nlines, a\ttab, an escape\x1b[2J, no UTF-8 \xff\xfe, 除数为零"),
	} {
		add("tcp/client", fmt.Errorf("call: %w", err))
	}
	add("jsonrpc/client", io.EOF)
	add("tcp/server", io.EOF)
	add("tcp/server", &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", errors.New("in use"))})
	saw.Want(t, `
tcp/client: call: dial tcp: connect: refused; start it with: go run ./tcp/server -addr localhost:1234
tcp/client: call: dial tcp: connectex: refused; start it with: go run ./tcp/server -addr localhost:1234
tcp/client: call: read tcp: read: connection reset; is that the address of tcp/server? -addr sets another
tcp/client: call: unexpected EOF; is that the address of tcp/server? -addr sets another
tcp/client: call: no luck
tcp/client: call: integer overflow
tcp/client: call: divide by zero
tcp/client: call: connection is shut down
tcp/client: call: two lines, a tab, an escape [2J, no UTF-8 �, 除数为零
jsonrpc/client: EOF; is that the address of jsonrpc/server? -addr sets another
tcp/server: EOF
tcp/server: listen tcp: bind: in use; choose another address with -addr`)
}
