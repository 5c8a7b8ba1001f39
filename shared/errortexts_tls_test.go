package shared_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http/httptest"
	"net/rpc"
	"testing"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// tlsServer returns a server whose certificate is for example.com.
func tlsServer(t *testing.T) *httptest.Server { return tlsServerWith(t, &tls.Config{}) }

func tlsServerWith(t *testing.T, config *tls.Config) *httptest.Server {
	server := httptest.NewUnstartedServer(rpc.NewServer())
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

var (
	loopback = []net.IP{net.IPv4(127, 0, 0, 1)}
	longAgo  = time.Date(2009, time.November, 10, 23, 0, 0, 0, time.UTC)
)

// certificate returns one that nobody else has signed. Change makes it what a test wants.
func certificate(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	change(template)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// inPEM returns one half of a new certificate.
func inPEM(t *testing.T, half string) []byte {
	t.Helper()
	cert := certificate(t, func(*x509.Certificate) {})
	der := cert.Certificate[0]
	if half == "PRIVATE KEY" {
		var err error
		if der, err = x509.MarshalPKCS8PrivateKey(cert.PrivateKey); err != nil {
			t.Fatal(err)
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: half, Bytes: der})
}

// aCertificate dials a server that has such a certificate, which the client trusts, by name or, if
// that is empty, by the address.
func aCertificate(change func(*x509.Certificate), name string) provocation {
	return returned(func(t *testing.T) error {
		cert := certificate(t, change)
		roots := x509.NewCertPool()
		roots.AddCert(cert.Leaf)
		server := &tls.Config{Certificates: []tls.Certificate{cert}}
		return handshake(t, server, &tls.Config{RootCAs: roots, ServerName: name})
	})
}

// mutual dials a server that wants a certificate of the client, and trusts nobody.
func mutual(version uint16, wants tls.ClientAuthType, has bool) provocation {
	return returned(func(t *testing.T) error {
		client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
		if has {
			client.Certificates = []tls.Certificate{certificate(t, func(*x509.Certificate) {})}
		}
		return handshake(t, &tls.Config{ClientAuth: wants, ClientCAs: x509.NewCertPool()}, client)
	})
}

// handshake returns the client's error. A server without a certificate is given one.
func handshake(t *testing.T, server, client *tls.Config) error {
	if server.Certificates == nil {
		server.Certificates = []tls.Certificate{certificate(t, func(*x509.Certificate) {})}
	}
	l := rpctest.Listen(t)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if tls.Server(conn, server).Handshake() != nil {
			io.Copy(io.Discard, conn) // so that Close does not reset the connection
		}
	}()
	return dialTLS(l.Addr().String(), client)
}

// dialTLS dials addr, and reads until it sees an error.
func dialTLS(addr string, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), rpctest.Patience)
	defer cancel()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(rpctest.Patience))
	_, err = io.ReadAll(conn)
	return err
}
