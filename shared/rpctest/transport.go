package rpctest

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
)

// Transport is a way in which this repository connects a client with a server.
type Transport struct {
	Name      string
	Serve     func(server *rpc.Server, l net.Listener) // until l is closed
	Dial      func(network, addr string) (*rpc.Client, error)
	NewClient func(conn net.Conn) (*rpc.Client, error) // on a connection that there is already
}

// The transports of the tutorial's three cases.
var (
	GobTCP = Transport{"gob over TCP", (*rpc.Server).Accept, rpc.Dial,
		func(conn net.Conn) (*rpc.Client, error) { return rpc.NewClient(conn), nil }}
	GobHTTP = Transport{"gob over HTTP", serveHTTP, rpc.DialHTTP, DialHTTPConn}
	JSONTCP = Transport{"JSON over TCP", serveJSON, jsonrpc.Dial,
		func(conn net.Conn) (*rpc.Client, error) { return jsonrpc.NewClient(conn), nil }}
)

// Transports are all of them. Whoever adds one adds it here, and the tests hold it to the same
// calls as the others.
var Transports = []Transport{GobTCP, GobHTTP, JSONTCP}

func serveHTTP(server *rpc.Server, l net.Listener) {
	mux := http.NewServeMux()
	mux.Handle(rpc.DefaultRPCPath, server)
	http.Serve(l, mux)
}

func serveJSON(server *rpc.Server, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go JSON.Serve(server, conn)
	}
}

// DialHTTPConn does what rpc.DialHTTP does, on a connection that there is already. If it fails, conn
// stays open, and the error is not the *net.OpError that DialHTTP makes of it.
func DialHTTPConn(conn net.Conn) (*rpc.Client, error) {
	io.WriteString(conn, "CONNECT "+rpc.DefaultRPCPath+" HTTP/1.0\n\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err != nil {
		return nil, err
	}
	if resp.Status != "200 Connected to Go RPC" {
		return nil, fmt.Errorf("unexpected HTTP response: %s", resp.Status)
	}
	return rpc.NewClient(conn), nil
}

// HostileGob returns 73 bytes at which encoding/gob panics in a server: twice the header of a
// request and, in the place of its argument, a value of type 24, which nobody has described.
func HostileGob() []byte {
	const (
		typeOfRequest = "2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c0001035365710106000000"
		request       = "08ff800103582e5900" // Request{ServiceMethod: "X.Y"}
		value         = "03300000"
	)
	b, err := hex.DecodeString(typeOfRequest + request + value + request + value)
	if err != nil {
		panic(err)
	}
	return b
}
