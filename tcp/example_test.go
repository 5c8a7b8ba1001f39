package tcp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"sync/atomic"
	"time"

	"example.com/netrpc/shared"
)

// selfSigned returns a new certificate for name, and a pool that holds it alone.
// A real program has both in files: tls.LoadX509KeyPair, CertPool.AppendCertsFromPEM.
func selfSigned(name string) (tls.Certificate, *x509.CertPool) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool
}

// multiplyTLS calls over a connection of its own.
func multiplyTLS(addr string, config *tls.Config) (product int, err error) {
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return 0, err
	}
	client := rpc.NewClient(conn)
	defer client.Close()
	err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
	return product, err
}

// How do I encrypt, and let in only clients I know?
func Example_mutualTLS() {
	serverCert, trustedServer := selfSigned("server")
	clientCert, trustedClients := selfSigned("client") // AddCert adds the next one
	strangerCert, _ := selfSigned("client")

	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go server.Accept(tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{serverCert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    trustedClients,
	}))

	for _, certificates := range [][]tls.Certificate{{clientCert}, {strangerCert}, nil} {
		product, err := multiplyTLS(listener.Addr().String(), &tls.Config{
			Certificates: certificates, RootCAs: trustedServer, ServerName: "server"})
		if err != nil { // of the first call: with TLS 1.3, tls.Dial knows nothing of it
			fmt.Println("turned away")
			continue
		}
		fmt.Println("let in:", product)
	}
	// Output:
	// let in: 200
	// turned away
	// turned away
}

// Session is what the server knows of one connection.
type Session struct {
	client net.Addr     // with TLS, better the name in the certificate, after Handshake
	calls  atomic.Int64 // the calls of one client run at the same time, too
}

// Visit is the reply of Session.Visit.
type Visit struct {
	Client string
	Calls  int64
}

// Visit says who the caller is, and how often it has called.
func (s *Session) Visit(_ int, reply *Visit) error {
	*reply = Visit{s.client.String(), s.calls.Add(1)}
	return nil
}

// How does a method know which client calls?
func Example_perConnection() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// A server and a receiver for this connection alone.
			server := rpc.NewServer()
			if err := server.Register(&Session{client: conn.RemoteAddr()}); err != nil {
				log.Fatal(err)
			}
			go server.ServeConn(conn)
		}
	}()

	for range 2 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		client := rpc.NewClient(conn)
		for range 2 {
			var visit Visit
			err := client.Call("Session.Visit", 0, &visit)
			fmt.Println("I am known:", visit.Client == conn.LocalAddr().String(), "my calls:", visit.Calls, err)
		}
		client.Close()
	}
	// Output:
	// I am known: true my calls: 1 <nil>
	// I am known: true my calls: 2 <nil>
	// I am known: true my calls: 1 <nil>
	// I am known: true my calls: 2 <nil>
}

// Account is a service that loses the connection in every other call.
type Account struct {
	conn           net.Conn
	balance, calls atomic.Int64
}

// Deposit adds n. Whoever repeats it deposits twice: it is not idempotent.
func (a *Account) Deposit(n int64, balance *int64) error {
	a.balance.Add(n)
	return a.Balance(0, balance)
}

// Balance is idempotent: twice does the same as once.
func (a *Account) Balance(_ int64, balance *int64) error {
	*balance = a.balance.Load()
	if a.calls.Add(1)%2 == 1 {
		a.conn.Close()
	}
	return nil
}

// redialer is a client, for one goroutine, that dials again if its connection is lost.
type redialer struct {
	dial   func() (*rpc.Client, error)
	client *rpc.Client
}

// call makes a call, and makes it once more where that can do no harm.
func (r *redialer) call(method string, args, reply any, idempotent bool) error {
	err := r.client.Call(method, args, reply)
	var answer rpc.ServerError
	switch {
	case err == nil || errors.As(err, &answer):
		return err // the server has answered
	case errors.Is(err, rpc.ErrShutdown):
		// The connection was lost before; this call has not been sent. One that was can end so too,
		// but only if Close is called meanwhile: here there is one goroutine.
	case !idempotent:
		return err // sent, and perhaps executed: once more could be twice
	}
	client, err := r.dial()
	if err != nil {
		return err
	}
	r.client.Close()
	r.client = client
	return client.Call(method, args, reply)
}

// How does a client survive a lost connection, and which calls may it try again?
func Example_redial() {
	account := new(Account)
	server := rpc.NewServer()
	if err := server.Register(account); err != nil {
		log.Fatal(err)
	}
	dial := func() (*rpc.Client, error) { // a real program: rpc.Dial("tcp", address)
		ours, theirs := net.Pipe()
		account.conn = theirs
		go server.ServeConn(theirs)
		return rpc.NewClient(ours), nil
	}
	client, err := dial()
	if err != nil {
		log.Fatal(err)
	}
	r := &redialer{dial, client}
	defer func() { r.client.Close() }()

	for _, method := range []string{
		"Account.Deposit", // lost, and not tried again
		"Account.Deposit", // not sent at first, so tried again
		"Account.Balance", // lost, and tried again
	} {
		var balance int64
		err := r.call(method, int64(100), &balance, method == "Account.Balance")
		fmt.Println(method, balance, err)
	}
	// Output:
	// Account.Deposit 0 unexpected EOF
	// Account.Deposit 200 <nil>
	// Account.Balance 200 <nil>
}
