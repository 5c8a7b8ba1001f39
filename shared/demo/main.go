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

	"example.com/netrpc/shared/programtest"
)

var all = []string{"tcp", "http", "jsonrpc", "async"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	addr := flag.String("addr", "", "let the servers listen on this `address`, such as localhost:0 for free ports")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Usage: go run ./shared/demo [-addr localhost:0] [tcp] [http] [jsonrpc] [async]")
		flag.PrintDefaults()
	}
	flag.Parse()
	pairs := flag.Args()
	if len(pairs) == 0 {
		pairs = all
	}
	for _, pair := range pairs {
		if !slices.Contains(all, pair) {
			log.Fatalf("there is no pair %q, only %s", pair, strings.Join(all, ", "))
		}
	}
	// A signal ends the context, and then the deferred calls end the programs.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, pair := range pairs {
		err := run(ctx, pair, *addr)
		if ctx.Err() != nil {
			err = errors.New("interrupted") // whatever has failed because of it
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}

// run runs one pair.
func run(ctx context.Context, pair, addr string) error {
	programs, err := programtest.Build(".", pair+"/server", pair+"/client")
	if err != nil {
		return err
	}

	var args []string
	if addr != "" {
		args = []string{"-addr", addr}
	}
	fmt.Printf("$ go run ./%s/server\n", pair)
	server, err := programtest.Start(programs.Path(pair+"/server"), args...)
	if err != nil {
		return err
	}
	defer server.Kill()
	fmt.Println(server.First)

	fmt.Printf("$ go run ./%s/client\n", pair)
	client, err := programtest.Run(ctx, programs.Path(pair+"/client"), "-addr", server.Addr)
	fmt.Print(client.Stdout, client.Stderr)
	if err != nil {
		return err
	}
	if client.ExitCode != 0 {
		return fmt.Errorf("%s/client: exit status %d", pair, client.ExitCode)
	}
	printed, err := server.Stop()
	fmt.Print(printed)
	return err
}
