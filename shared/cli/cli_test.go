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

// mains are what a program does after Parse and GiveUpAfter.
var mains = map[string]func(){
	"waits": func() { time.Sleep(rpctest.Patience) },
	"fails": func() { Fatal(unlucky{}) },
}

// unlucky is an error whose text takes a while. Meanwhile the program fails for another reason, too.
type unlucky struct{}

func (unlucky) Error() string {
	go Fatal(errors.New("too late"))
	time.Sleep(10 * time.Millisecond) // in which the other would come first
	return "no luck"
}

// TestMain makes this test binary a program, tcp/client, if a test asks for it.
func TestMain(m *testing.M) {
	main := mains[os.Getenv("NETRPC_MAIN")]
	if main != nil { // the flags of the tests are not those of a program
		flag.CommandLine = flag.NewFlagSet("", flag.ExitOnError)
	}
	flag.String("addr", "localhost:1234", "`address` of the server")
	timeout := flag.Duration("timeout", time.Hour, "`time` to wait")
	if main == nil {
		m.Run()
		return
	}
	Parse("tcp/client")
	GiveUpAfter(*timeout)
	main()
}

// Whatever main and the time limit do, a program says one line. A wrong argument is bad usage.
func TestAProgramEndsWithOneLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), rpctest.Patience)
	defer cancel()
	var saw rpctest.Transcript
	for _, command := range []string{
		"fails", "waits -timeout 1ms", "fails -timeout 0", "fails -timeout -1ns",
		"fails -addr :1234", "fails -addr [::1]:0", "fails -addr localhost", "fails -addr 21234",
		"fails -addr ::1", "fails -addr localhost:99999999", "fails -addr localhost:no-such-port",
		"fails extra",
	} {
		words := strings.Fields(command)
		cmd := exec.CommandContext(ctx, os.Args[0], words[1:]...)
		cmd.Env = append(os.Environ(), "NETRPC_MAIN="+words[0], "GOMAXPROCS=1") // if main goes on, it is first
		out, err := cmd.CombinedOutput()
		saw.Add("%s: %v\n%s", command, err, strings.TrimSuffix(string(out), "\n"))
	}
	saw.Want(t, `
fails: exit status 1
tcp/client: no luck; is that the address of tcp/server? -addr sets another
waits -timeout 1ms: exit status 1
tcp/client: no answer from localhost:1234 within 1ms; is that the address of tcp/server? -addr sets another
fails -timeout 0: exit status 1
tcp/client: no answer from localhost:1234 within 0s; is that the address of tcp/server? -addr sets another
fails -timeout -1ns: exit status 1
tcp/client: no answer from localhost:1234 within -1ns; is that the address of tcp/server? -addr sets another
fails -addr :1234: exit status 1
tcp/client: no luck; is that the address of tcp/server? -addr sets another
fails -addr [::1]:0: exit status 1
tcp/client: no luck; is that the address of tcp/server? -addr sets another
fails -addr localhost: exit status 2
tcp/client: -addr localhost: want host:port, such as localhost:1234
fails -addr 21234: exit status 2
tcp/client: -addr 21234: want host:port, such as localhost:1234
fails -addr ::1: exit status 2
tcp/client: -addr ::1: want host:port, such as localhost:1234
fails -addr localhost:99999999: exit status 2
tcp/client: -addr localhost:99999999: want host:port, such as localhost:1234
fails -addr localhost:no-such-port: exit status 2
tcp/client: -addr localhost:no-such-port: want host:port, such as localhost:1234
fails extra: exit status 2
tcp/client: unexpected argument "extra"
Usage: go run ./tcp/client [flags]
  -addr address
    	address of the server (default "localhost:1234")
  -timeout time
    	time to wait (default 1h0m0s)`)
}

// The hint at the server or at another address is for those who may have the wrong one.
func TestFatalHintsUnlessTheServerHasAnswered(t *testing.T) {
	fails := func(op, call, text string) error {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errors.New(text))}
	}
	var saw rpctest.Transcript
	log.SetPrefix("tcp/client: ")
	for _, err := range []error{
		fails("dial", "connect", "refused"),
		fails("dial", "connectex", "the target machine actively refused it"),
		fails("dial", "connect", "network is unreachable"),
		fails("read", "read", "connection reset"),
		io.ErrUnexpectedEOF,
		rpc.ServerError("no luck"),
		shared.ErrOverflow,
		shared.ErrDivideByZero,
		rpc.ErrShutdown, // the call before has been answered
		rpc.ServerError("two\r\nlines, a\ttab, an escape\x1b[2J, no UTF-8 \xff\xfe, 除数为零"),
	} {
		saw.Add("%s%s", log.Prefix(), line(fmt.Errorf("call: %w", err)))
	}
	for _, prefix := range []string{"jsonrpc/client: ", "tcp/server: "} {
		log.SetPrefix(prefix)
		saw.Add("%s%s", prefix, line(io.EOF))
	}
	saw.Add("%s%s", log.Prefix(), line(fails("listen", "bind", "in use")))
	saw.Want(t, `
tcp/client: call: dial tcp: connect: refused; start it with: go run ./tcp/server -addr localhost:1234
tcp/client: call: dial tcp: connectex: the target machine actively refused it; start it with: go run ./tcp/server -addr localhost:1234
tcp/client: call: dial tcp: connect: network is unreachable; is that the address of tcp/server? -addr sets another
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
