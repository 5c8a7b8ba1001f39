package shared_test

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http/httptest"
	"net/rpc"
	"testing"
	"time"

	"example.com/netrpc/shared/rpctest"
)

var (
	loopback = []net.IP{net.IPv4(127, 0, 0, 1)}
	longAgo  = time.Date(2009, time.November, 10, 23, 0, 0, 0, time.UTC)

	// Configurations of clients that take any certificate.
	trusting      = &tls.Config{InsecureSkipVerify: true}
	trustingTLS12 = &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
)

// certificate returns one like template, which nobody else has signed.
func certificate(t *testing.T, template x509.Certificate) tls.Certificate {
	template.SerialNumber = big.NewInt(1)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(2 * time.Hour)
	}
	public, key, err1 := ed25519.GenerateKey(rand.Reader)
	der, err2 := x509.CreateCertificate(rand.Reader, &template, &template, public, key)
	leaf, err3 := x509.ParseCertificate(der)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// keyPair reads a certificate and its key. In place of an empty text it takes that of a new
// certificate, so that two of them do not fit.
func keyPair(cert, key string) func(*testing.T) error {
	return func(t *testing.T) error {
		der, err := x509.MarshalPKCS8PrivateKey(certificate(t, x509.Certificate{}).PrivateKey)
		if err != nil {
			return err
		}
		newKey := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		der = certificate(t, x509.Certificate{}).Certificate[0]
		newCert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		_, err = tls.X509KeyPair([]byte(cmp.Or(cert, string(newCert))), []byte(cmp.Or(key, string(newKey))))
		return err
	}
}

// webOverTLS returns a web server whose certificate is for example.com.
func webOverTLS(config *tls.Config) func(*testing.T) (addr string) {
	return func(t *testing.T) string {
		server := httptest.NewUnstartedServer(rpc.NewServer())
		server.TLS = config
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.Listener.Addr().String()
	}
}

// overTLS returns a server that shakes hands, and no more. If it has no certificate, it is given one.
func overTLS(config *tls.Config) func(*testing.T) (addr string) {
	return func(t *testing.T) string {
		config := config.Clone()
		if config.Certificates == nil {
			config.Certificates = []tls.Certificate{certificate(t, x509.Certificate{})}
		}
		return serveFirst(t, func(conn net.Conn) {
			if tls.Server(conn, config).Handshake() != nil {
				io.Copy(io.Discard, conn) // so that Close does not reset the connection
			}
		})
	}
}

// aCertificate dials a server that has such a certificate, which the client trusts, by name or, if
// that is empty, by the address.
func aCertificate(template x509.Certificate, name string) func(*testing.T) error {
	return func(t *testing.T) error {
		cert := certificate(t, template)
		roots := x509.NewCertPool()
		roots.AddCert(cert.Leaf)
		server := overTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
		return dialTLS(&tls.Config{RootCAs: roots, ServerName: name})(server(t))
	}
}

// unknownClient dials a server that wants a certificate, and trusts nobody.
func unknownClient(version uint16) func(*testing.T) error {
	return func(t *testing.T) error {
		client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
		client.Certificates = []tls.Certificate{certificate(t, x509.Certificate{})}
		server := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
		return dialTLS(client)(overTLS(server)(t))
	}
}

// dialTLS dials, and speaks TLS.
func dialTLS(config *tls.Config) func(addr string) error {
	return func(addr string) error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		return speakTLS(config)(conn)
	}
}

// speakTLS shakes hands, and reads until it sees an error.
func speakTLS(config *tls.Config) func(net.Conn) error {
	config = config.Clone()
	config.ServerName = cmp.Or(config.ServerName, "127.0.0.1")
	return func(conn net.Conn) error {
		client := tls.Client(conn, config)
		client.SetDeadline(time.Now().Add(rpctest.Patience))
		err := client.Handshake()
		if err == nil {
			_, err = io.ReadAll(client)
		}
		return err
	}
}
