package http_test

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"strings"
	"time"

	"example.com/netrpc/shared"
)

// requireToken is middleware that answers 401 to requests without the token.
func requireToken(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := []byte(r.Header.Get("Authorization"))
		if subtle.ConstantTimeCompare(got, want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "wrong token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// dialWithToken is rpc.DialHTTP with a token and a time limit.
func dialWithToken(addr, token string) (*rpc.Client, error) {
	// The token travels as it is: across a network, use tls.Dial.
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.0\nAuthorization: Bearer %s\n\n", rpc.DefaultRPCPath, token)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("the server answered " + resp.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{}) // the limit was for CONNECT, not for the calls
	return rpc.NewClient(conn), nil
}

// How do I let in only clients with a token? Middleware checks it once, on CONNECT, and so
// for all calls of the connection. rpc.DialHTTP sends no header: the client sends CONNECT itself.
func Example_bearerToken() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(rpc.DefaultRPCPath, server)
	ts := httptest.NewServer(requireToken("sesame", mux)) // http.Serve, in a program
	defer ts.Close()

	for _, token := range []string{"sesame", "barley"} {
		client, err := dialWithToken(ts.Listener.Addr().String(), token)
		if err != nil {
			fmt.Printf("%s: %v\n", token, err)
			continue
		}
		defer client.Close()
		var product int
		if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: Multiply(10, 20) = %d\n", token, product)
	}
	// Output:
	// sesame: Multiply(10, 20) = 200
	// barley: the server answered 401 Unauthorized
}

// How does middleware see every call? Each call is a POST of its own, in JSON-RPC. So a program
// on a server is also an internal tool (tutorial §3, 内部工具): whoever has curl has a client.
//
//	curl -d '{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}' http://localhost:1235/jsonrpc
//
// See http/server/post.go for a handler that also limits and checks what it is sent.
func Example_middleware() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jsonrpc", func(w http.ResponseWriter, r *http.Request) {
		var response bytes.Buffer
		err := server.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.ReadCloser
			io.Writer
		}{r.Body, &response}))
		if err != nil && response.Len() == 0 { // no call; other errors are in the response
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		response.WriteTo(w)
	})
	logger := log.New(os.Stdout, "log: ", 0)
	logCalls := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logger.Println(r.Method, r.URL.Path)
		mux.ServeHTTP(w, r)
	})
	ts := httptest.NewServer(logCalls) // http.ListenAndServe, in a program
	defer ts.Close()

	client := &http.Client{Timeout: time.Minute}
	for _, call := range []string{ // what curl -d would send
		`{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`,
		`{"method": "MathService.Divide", "params": [{"A": 17, "B": 5}], "id": 2}`,
	} {
		const curls = "application/x-www-form-urlencoded"
		resp, err := client.Post(ts.URL+"/jsonrpc", curls, strings.NewReader(call))
		if err != nil {
			log.Fatal(err)
		}
		io.Copy(os.Stdout, resp.Body)
		resp.Body.Close()
	}
	// Output:
	// log: POST /jsonrpc
	// {"id":1,"result":200,"error":null}
	// log: POST /jsonrpc
	// {"id":2,"result":{"Quo":3,"Rem":2},"error":null}
}

// Health is a service for those who run the server.
type Health struct{}

// Check says that the server is well.
func (Health) Check(_ struct{}, reply *string) error { *reply = "well"; return nil }

// How do I serve HTTP on a mux of my own, and more than one rpc server in a process? An
// *rpc.Server is an http.Handler: a mux takes it at any path, and DialHTTPPath finds it there.
// Each has services of its own, and there is no page at /debug/rpc. rpc.HandleHTTP does the same
// in http.DefaultServeMux, at fixed paths: twice panics (TestASecondHandleHTTPPanics).
func Example_twoServersOnOneMux() {
	public, internal := rpc.NewServer(), rpc.NewServer()
	if err := public.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	if err := internal.Register(Health{}); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/rpc", public)
	mux.Handle("/internal", internal)
	ts := httptest.NewServer(mux) // http.ListenAndServe("localhost:1235", mux), in a program
	defer ts.Close()

	for _, path := range []string{"/rpc", "/internal"} {
		client, err := rpc.DialHTTPPath("tcp", ts.Listener.Addr().String(), path)
		if err != nil {
			log.Fatal(err)
		}
		defer client.Close()
		var product int
		err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
		fmt.Println(path, "Multiply(10, 20):", product, err)
		var health string
		err = client.Call("Health.Check", struct{}{}, &health)
		fmt.Println(path, "Check:", health, err)
	}
	// Output:
	// /rpc Multiply(10, 20): 200 <nil>
	// /rpc Check:  rpc: can't find service Health.Check
	// /internal Multiply(10, 20): 0 rpc: can't find service MathService.Multiply
	// /internal Check: well <nil>
}
