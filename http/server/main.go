// Server publishes MathService over HTTP (tutorial §4.3).
//
// Usage: go run ./http/server [-addr localhost:1235]
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/netrpc/shared"
)

var addr = flag.String("addr", "localhost:1235", "listen on this `address`")

func main() {
	shared.ParseFlags("http/server", "Server publishes MathService over HTTP (tutorial §4.3).")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)

	// 1. Register: the same service as over TCP.
	err := rpc.Register(new(shared.MathService))
	if err != nil {
		log.Fatal(err)
	}

	// 2. HandleHTTP: gob RPC at /_goRPC_, for clients that CONNECT, and its
	// counters at /debug/rpc. After CONNECT the connection is HTTP no longer, so
	// what the tutorial hopes for from HTTP holds only for POST /jsonrpc.
	rpc.HandleHTTP()
	http.Handle("POST /jsonrpc", postHandler{rpc.DefaultServer})

	// 3. Listen: on this machine only, for the service asks nobody who they are.
	inner, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatalf("%v; choose another address with -addr", err)
	}
	listener := shared.NewDrainListener(ctx, inner)
	defer listener.Close()
	log.Println("listening on", listener.Addr())

	// 4. Serve, until Ctrl-C. The limits end at CONNECT: an RPC connection may be idle.
	server := &http.Server{ReadHeaderTimeout: 2 * time.Second, ReadTimeout: 3 * time.Second}
	log.Print(server.Serve(listener))

	// 5. Drain: answer the calls in flight. A second Ctrl-C ends at once.
	stop()
	if err := listener.Wait(); err != nil {
		log.Fatal(err)
	}
}
