// Server publishes MathService over TCP, encoded as JSON-RPC (tutorial §4.4).
//
// Usage: go run ./jsonrpc/server [-addr localhost:1236]
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/signal"
	"syscall"

	"example.com/netrpc/shared"
)

var addr = flag.String("addr", "localhost:1236", "listen on this `address`")

func main() {
	shared.ParseFlags("jsonrpc/server", "Server publishes MathService over TCP, encoded as JSON-RPC (tutorial §4.4).")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)

	// 1. Register: the same service as over TCP.
	err := rpc.Register(new(shared.MathService))
	if err != nil {
		log.Fatal(err)
	}

	// 2. Listen: on this machine only, for the service asks nobody who they are.
	inner, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; choose another address with -addr", err)
	}
	listener := shared.NewDrainListener(ctx, inner)
	defer listener.Close()
	log.Println("listening on", listener.Addr())

	// 3. Accept: a goroutine for each connection, until Ctrl-C. Where the tutorial
	// has `continue`, a closed listener would make the loop spin.
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Print(err)
			break
		}
		go jsonrpc.ServeConn(conn)
	}

	// 4. Drain: answer the calls in flight. A second Ctrl-C ends at once.
	stop()
	if err := listener.Wait(); err != nil {
		log.Fatal(err)
	}
}
