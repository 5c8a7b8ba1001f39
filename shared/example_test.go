package shared_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"runtime/debug"
	"time"

	"example.com/netrpc/shared"
)

// How does a remote call read like a local one, with its types and its errors?
func ExampleMathServiceClient() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // between two processes: net.Listen and net.Dial
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	stub := shared.NewMathServiceClient(client)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	product, err := stub.Multiply(ctx, 10, 20)
	fmt.Println(product, err)
	quotient, err := stub.Divide(ctx, 17, 5)
	fmt.Printf("%+v %v\n", quotient, err)
	_, err = stub.Divide(ctx, 17, 0)
	fmt.Println(err)
	fmt.Println(errors.Is(err, shared.ErrDivideByZero))
	// Output:
	// 200 <nil>
	// {Quo:3 Rem:2} <nil>
	// MathService.Divide(17, 0): divide by zero
	// true
}

// Words is a service with a method that panics if n is out of range.
type Words []string

// At sets *reply to word n. Its error is a named result, so that recovered can set it.
func (w Words) At(n int, reply *string) (err error) {
	defer recovered(&err)
	*reply = w[n]
	return nil
}

// recovered turns a panic of the method that defers it into an error for the client.
// The stack stays in the server's log. A panic in a goroutine that the method starts
// still ends the server, and so does a fatal error, such as a concurrent map write.
func recovered(err *error) {
	if p := recover(); p != nil {
		log.Printf("panic: %v\n%s", p, debug.Stack())
		*err = fmt.Errorf("panic: %v", p)
	}
}

// How do I keep a panicking method from ending the server?
// Each method begins with a deferred recovered: net/rpc itself recovers nothing
// (TestAPanickingMethodEndsTheServer, in tcp).
func Example_panic() {
	server := rpc.NewServer()
	if err := server.Register(Words{"zero", "one"}); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	for _, n := range []int{7, 1} {
		var word string
		err := client.Call("Words.At", n, &word)
		fmt.Printf("%q %v\n", word, err)
	}
	// Output:
	// "" panic: runtime error: index out of range [7] with length 2
	// "one" <nil>
}
