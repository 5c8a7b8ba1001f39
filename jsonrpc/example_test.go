package jsonrpc_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"time"

	"example.com/netrpc/shared"
)

// What does a call look like on the wire?
func Example_rawBytes() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			server.ServeCodec(jsonrpc.NewServerCodec(conn))
		}
	}()

	// Any program that opens a TCP connection can do the rest.
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	responses := bufio.NewReader(conn)
	for _, request := range []string{
		`{"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}`,
		`{"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":2}`,
	} {
		if _, err := io.WriteString(conn, request+"\n"); err != nil {
			log.Fatal(err)
		}
		response, err := responses.ReadString('\n')
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("request:  %s\nresponse: %s", request, response)
	}
	// Output:
	// request:  {"method":"MathService.Multiply","params":[{"A":10,"B":20}],"id":1}
	// response: {"id":1,"result":200,"error":null}
	// request:  {"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":2}
	// response: {"id":2,"result":null,"error":"divide by zero"}
}
