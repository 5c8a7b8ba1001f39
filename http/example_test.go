package http_test

import (
	"bufio"
	"crypto/subtle"
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
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	client, err := connectWithToken(conn, addr, token)
	if err != nil {
		conn.Close()
	}
	return client, err
}

func connectWithToken(conn net.Conn, addr, token string) (*rpc.Client, error) {
	req, err := http.NewRequest("CONNECT", "http://"+addr+rpc.DefaultRPCPath, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", resp.Status)
	}
	conn.SetDeadline(time.Time{}) // the limit was for CONNECT, not for the calls
	// The client reads from reader, which may hold bytes that came after the answer.
	return rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{reader, conn}), nil
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
// See http/server/handlers.go for a handler that also limits and checks what it is sent.
func Example_middleware() {
	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jsonrpc", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		server.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.Reader
			io.Writer
			io.Closer
		}{r.Body, w, r.Body})) // its error, if any, is in the response
	})
	logger := log.New(os.Stdout, "log: ", 0)
	logCalls := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logger.Println(r.Method, r.URL.Path)
		mux.ServeHTTP(w, r)
	})
	ts := httptest.NewServer(logCalls) // http.ListenAndServe, in a program
	defer ts.Close()

	client := &http.Client{Timeout: 5 * time.Second}
	for _, call := range []string{ // what curl -d would send
		`{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`,
		`{"method": "MathService.Divide", "params": [{"A": 17, "B": 5}], "id": 2}`,
	} {
		resp, err := client.Post(ts.URL+"/jsonrpc", "application/x-www-form-urlencoded", strings.NewReader(call))
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
