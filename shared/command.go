package shared

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/rpc"
	"os"
)

// ParseFlags begins each program of this repository: it parses the flags, and
// prefixes what goes to stderr with name, the program's folder. With -h it prints
// about, a sentence, and the flags. Arguments besides flags end it with exit 2.
func ParseFlags(name, about string) {
	log.SetFlags(0)
	log.SetPrefix(name + ": ")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "%s\n\nUsage: go run ./%s", about, name)
		flag.VisitAll(func(f *flag.Flag) { fmt.Fprintf(flag.CommandLine.Output(), " [-%s %s]", f.Name, f.DefValue) })
		fmt.Fprintln(flag.CommandLine.Output())
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		log.Printf("unexpected argument %q", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}

// NeedsServer adds to err the command that starts the server which a client looks
// for at addr, unless err is the answer of that very server.
func NeedsServer(err error, server, addr string) error {
	var answer rpc.ServerError
	if errors.As(err, &answer) || errors.Is(err, ErrOverflow) || errors.Is(err, ErrDivideByZero) {
		return err
	}
	return fmt.Errorf("%w; the server it needs: go run ./%s -addr %s", err, server, addr)
}
