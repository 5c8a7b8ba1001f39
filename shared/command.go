package shared

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
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// ParseFlags begins each program: it parses the flags, prints them for -h, and prefixes what
// goes to stderr with name, the program's folder. It ends the program if an argument is not right.
func ParseFlags(name string) {
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
}

// DrainOnInterrupt returns a listener around inner that drains on Ctrl-C or SIGTERM. A second
// signal ends the program at once.
func DrainOnInterrupt(inner net.Listener) *DrainListener {
	signals := make(chan os.Signal, 2) // room for both, however soon they come
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, drain := context.WithCancel(context.Background())
	go func() {
		<-signals
		drain()
		log.Fatalf("%v: stopped at once; calls in flight are lost", <-signals)
	}()
	return NewDrainListener(ctx, inner)
}

// GiveUpAfter returns at once, and ends the program after timeout, whatever main waits for
// then: Dial, the handshake or Call.
func GiveUpAfter(timeout time.Duration) {
	log.SetOutput(&lastLine{Writer: log.Writer()})
	err := fmt.Errorf("no answer from %s within %v", flag.Lookup("addr").Value, timeout)
	giveUp := func() { log.Fatal(Explain(err)) }
	if timeout <= 0 {
		giveUp()
	}
	time.AfterFunc(timeout, giveUp)
}

// lastLine writes one line: main and giveUp may both want to end the program.
type lastLine struct {
	io.Writer
	written sync.Once
}

func (w *lastLine) Write(line []byte) (int, error) {
	w.written.Do(func() { w.Writer.Write(line) })
	return len(line), nil
}

// Explain adds to an error of a client what its reader can do, unless the right server has
// answered. What a peer has sent becomes one line, without control characters.
func Explain(err error) error {
	var answer rpc.ServerError
	var system *os.SyscallError
	server := strings.Replace(strings.TrimSuffix(log.Prefix(), ": "), "client", "server", 1)
	hint := fmt.Sprintf("; is that the address of %s? -addr sets another", server)
	switch {
	case errors.As(err, &answer), errors.Is(err, ErrOverflow), errors.Is(err, ErrDivideByZero), errors.Is(err, rpc.ErrShutdown):
		hint = ""
	case errors.As(err, &system) && strings.HasPrefix(system.Syscall, "connect"): // nobody listens
		hint = fmt.Sprintf("; start it with: go run ./%s -addr %v", server, flag.Lookup("addr").Value)
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	words := strings.FieldsFunc(strings.ToValidUTF8(err.Error(), "\uFFFD"), unprintable)
	return errors.New(strings.Join(words, " ") + hint)
}
