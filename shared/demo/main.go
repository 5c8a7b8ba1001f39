// Demo runs the pairs of server and client, one after the other, and prints what each side
// prints.
//
// Usage: go run ./shared/demo [-addr localhost:0] [tcp] [http] [jsonrpc] [async]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/netrpc/shared/programtest"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	addr := flag.String("addr", "", "let the servers listen on this `address`, such as localhost:0 for free ports")
	var folders []string
	for _, pair := range programtest.Pairs {
		folders = append(folders, pair.Folder)
	}
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "Usage: go run ./shared/demo [-addr localhost:0] [%s]\n",
			strings.Join(folders, "] ["))
		flag.PrintDefaults()
	}
	flag.Parse()
	pairs := programtest.Pairs
	if flag.NArg() > 0 {
		pairs = nil
	}
	for _, folder := range flag.Args() {
		i := slices.Index(folders, folder)
		if i < 0 {
			log.Printf("there is no pair %q, only %s", folder, strings.Join(folders, ", "))
			os.Exit(2)
		}
		pairs = append(pairs, programtest.Pairs[i])
	}
	// A signal, also that of a terminal or a pipe which is closed, ends the context, and then
	// the deferred calls end the programs and remove them.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	err := run(ctx, pairs, *addr)
	if ctx.Err() != nil {
		err = errors.New("interrupted") // whatever has failed because of it
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run builds the pairs, and runs one after the other.
func run(ctx context.Context, pairs []programtest.Pair, addr string) error {
	var folders, names []string
	for _, pair := range pairs {
		folders = append(folders, pair.Folder)
		names = append(names, pair.Server(), pair.Client())
	}
	log.Printf("building the programs of %s; the first time this takes some minutes", strings.Join(folders, ", "))
	building, built := context.WithCancel(ctx)
	defer built()
	go func() {
		for begin := time.Now(); ; {
			select {
			case <-building.Done():
				return
			case <-time.After(10 * time.Second):
				log.Printf("still building after %v", time.Since(begin).Round(time.Second))
			}
		}
	}()
	programs, err := programtest.Build(ctx, ".", names...)
	if err != nil {
		return err
	}
	defer programs.Close()
	built()
	for _, pair := range pairs {
		if err := programs.Show(ctx, os.Stdout, pair, addr); err != nil {
			return err
		}
	}
	return nil
}
