//go:build unix

package shared_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"syscall"

	"example.com/netrpc/shared"
)

// listenUnix listens at path, also if a process that was killed has left its socket there.
func listenUnix(path string) (net.Listener, error) {
	listener, err := net.Listen("unix", path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return listener, err
	}
	conn, dialErr := net.Dial("unix", path)
	if dialErr == nil {
		conn.Close()
		return nil, err // a server is at work there
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.Listen("unix", path)
}

// How does a server over a unix socket start again after a crash? The address is a file, which
// stays when the process is killed; listenUnix removes one that nobody listens behind.
func Example_unixSocket() {
	dir, err := os.MkdirTemp("", "") // a path of at most 100 bytes or so
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "socket")

	crashed, err := net.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	crashed.(*net.UnixListener).SetUnlinkOnClose(false)
	crashed.Close() // as after a kill: the file is still there
	_, err = net.Listen("unix", path)
	fmt.Println("net.Listen finds the address in use:", errors.Is(err, syscall.EADDRINUSE))

	listener, err := listenUnix(path)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	_, err = listenUnix(path)
	fmt.Println("while it is at work, listenUnix does as well:", errors.Is(err, syscall.EADDRINUSE))

	server := rpc.NewServer()
	if err := server.Register(new(shared.MathService)); err != nil {
		log.Fatal(err)
	}
	go server.Accept(listener)
	client, err := rpc.Dial("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	var product int
	err = client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, &product)
	fmt.Println(product, err)
	// Output:
	// net.Listen finds the address in use: true
	// while it is at work, listenUnix does as well: true
	// 200 <nil>
}
