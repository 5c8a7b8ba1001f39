package jsonrpc_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
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
	conn.SetDeadline(time.Now().Add(time.Minute))
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

// User is what the service returns. Its tags say how JSON names the fields.
type User struct {
	UserID int    `json:"user_id"`
	Name   string `json:"full_name,omitempty"`
}

// Query says which user the service is to return.
type Query struct {
	UserID int `json:"user_id"`
}

// UserService knows one user, whose number is 7.
type UserService struct{}

// GetUser returns the user of that number, or one without a name.
func (UserService) GetUser(query *Query, reply *User) error {
	reply.UserID = query.UserID
	if query.UserID == 7 {
		reply.Name = "Ada"
	}
	return nil
}

// How do I name the fields in JSON? By tags, at both sides. The names match whatever their case.
// A peer that sends the name of the Go field gets no error: it is ignored, and the field is zero.
func Example_fieldNames() {
	server := rpc.NewServer()
	if err := server.Register(UserService{}); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // or net.Dial
	go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
	client := jsonrpc.NewClient(struct { // prints what goes over the connection
		io.Reader
		io.Writer
		io.Closer
	}{io.TeeReader(ours, os.Stdout), io.MultiWriter(os.Stdout, ours), ours})
	defer client.Close()

	for _, query := range []any{
		&Query{UserID: 7},
		map[string]int{"USER_ID": 7}, // what another language may send
		map[string]int{"UserID": 7},
	} {
		var user User
		if err := client.Call("UserService.GetUser", query, &user); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%+v\n", user)
	}
	// Output:
	// {"method":"UserService.GetUser","params":[{"user_id":7}],"id":0}
	// {"id":0,"result":{"user_id":7,"full_name":"Ada"},"error":null}
	// {UserID:7 Name:Ada}
	// {"method":"UserService.GetUser","params":[{"USER_ID":7}],"id":1}
	// {"id":1,"result":{"user_id":7,"full_name":"Ada"},"error":null}
	// {UserID:7 Name:Ada}
	// {"method":"UserService.GetUser","params":[{"UserID":7}],"id":2}
	// {"id":2,"result":{"user_id":0},"error":null}
	// {UserID:0 Name:}
}
