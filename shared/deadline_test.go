package shared

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"time"
)

// SlowService multiplies when it is ready.
type SlowService struct{ ready chan bool }

// Multiply waits until the service is ready.
func (s *SlowService) Multiply(args *Args, reply *int) error {
	<-s.ready
	*reply = args.A * args.B
	return nil
}

// How does a call get a deadline? From call, in stub.go: it works for any service, so copy it.
func Example_deadline() {
	service := &SlowService{ready: make(chan bool)}
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // a TCP connection does as well
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	fmt.Println(call[int](ctx, client, "SlowService.Multiply", &Args{A: 10, B: 20}))

	close(service.ready)
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(call[int](ctx, client, "SlowService.Multiply", &Args{A: 10, B: 20})) // same connection
	// Output:
	// 0 context deadline exceeded
	// 200 <nil>
}
