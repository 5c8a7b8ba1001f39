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

// ParseFlags begins each program of this repository: it parses the flags, and
// prefixes what goes to stderr with name, the program's folder. With -h it prints
// about, a sentence, and the flags. Arguments besides flags end it with exit 2.
func ParseFlags(name, about string) {
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "%s\n\nUsage: go run ./%s [flags]\n", about, name)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		log.Printf("unexpected argument %q", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}

// DrainOnInterrupt returns a listener around inner that drains on Ctrl-C or SIGTERM.
// A second signal ends the program at once.
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

// GiveUpAfter ends the program after timeout, whatever main waits for: Dial, the handshake
// or Call. The function that it returns takes that back.
func GiveUpAfter(timeout time.Duration) (cancel func()) {
	log.SetOutput(&lastLine{Writer: log.Writer()})
	giveUp := func() {
		log.Fatal(Explain(fmt.Errorf("no answer from %s within %v", flag.Lookup("addr").Value, timeout)))
	}
	if timeout <= 0 {
		giveUp()
	}
	timer := time.AfterFunc(timeout, giveUp)
	return func() {
		if !timer.Stop() {
			select {} // giveUp is ending the program
		}
	}
}

// lastLine writes one line: main and giveUp may both want to end the program.
type lastLine struct {
	io.Writer
	written sync.Mutex
}

func (w *lastLine) Write(line []byte) (int, error) {
	w.written.Lock() // for good
	return w.Writer.Write(line)
}

// Explain adds to an error of a client what its reader can do, unless the server has
// answered. What a peer has sent becomes one line, without control characters.
func Explain(err error) error {
	var answer rpc.ServerError
	var system *os.SyscallError
	server := strings.Replace(strings.TrimSuffix(log.Prefix(), ": "), "client", "server", 1)
	hint := fmt.Sprintf("; is that the address of %s? -addr sets another", server)
	switch {
	case errors.As(err, &answer), errors.Is(err, ErrOverflow), errors.Is(err, ErrDivideByZero):
		hint = ""
	case errors.As(err, &system) && strings.HasPrefix(system.Syscall, "connect"): // nobody listens
		hint = fmt.Sprintf("; start it with: go run ./%s -addr %v", server, flag.Lookup("addr").Value)
	}
	return errors.New(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, err.Error()) + hint)
}
