// Package cli has what the eight programs have in common: their flags, their time limit, and
// errors that say what to do. Nothing of it belongs to net/rpc.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"example.com/netrpc/shared"
)

// Parse is the first call in main. It parses the flags, one of which is addr, and prefixes what
// goes to stderr with name, the program's folder. Bad usage ends the program with exit code 2.
func Parse(name string) {
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: go run ./%s [flags]\n", name)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		log.Printf("unexpected argument %q", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	addr := flag.Lookup("addr")
	_, port, err := net.SplitHostPort(addr.Value.String())
	if _, portErr := net.LookupPort("tcp", port); err != nil || portErr != nil {
		log.Printf("-addr %v: want host:port, such as %s", addr.Value, addr.DefValue)
		os.Exit(2)
	}
}

// GiveUpAfter ends the program after timeout: Dial, the handshake and Call have no limit of their own.
func GiveUpAfter(timeout time.Duration) {
	giveUp := func() { Fatal(fmt.Errorf("no answer from %v within %v", flag.Lookup("addr").Value, timeout)) }
	if timeout <= 0 {
		giveUp()
	}
	time.AfterFunc(timeout, giveUp)
}

var fatal sync.Once // main and the time limit may both want to end the program

// Fatal ends the program with exit code 1 and one line: err, and what its reader can do.
func Fatal(err error) { fatal.Do(func() { log.Fatal(line(err)) }) }

// line returns what Fatal prints, without line feeds and control characters that a peer has sent.
func line(err error) string {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	words := strings.FieldsFunc(strings.ToValidUTF8(err.Error(), "\uFFFD"), unprintable)
	return strings.Join(words, " ") + hint(err)
}

// hint returns what the reader of err can do, or "" if no other address would help.
func hint(err error) string {
	op := new(net.OpError)
	errors.As(err, &op)
	program := strings.TrimSuffix(log.Prefix(), ": ")
	server := strings.Replace(program, "client", "server", 1)
	switch {
	case op.Op == "listen":
		return "; choose another address with -addr"
	case program == server, errors.As(err, new(rpc.ServerError)), errors.Is(err, rpc.ErrShutdown),
		errors.Is(err, shared.ErrOverflow), errors.Is(err, shared.ErrDivideByZero):
		return ""
	case op.Op == "dial" && strings.Contains(op.Err.Error(), "refused"): // nobody listens
		return fmt.Sprintf("; start it with: go run ./%s -addr %v", server, flag.Lookup("addr").Value)
	}
	return fmt.Sprintf("; is that the address of %s? -addr sets another", server)
}
