package shared

import (
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
	"time"
)

// gobClient returns a client of server.
func gobClient(t *testing.T, server *rpc.Server) *rpc.Client {
	t.Helper()
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// jsonClient does the same in JSON, where gobClient uses gob.
func jsonClient(t *testing.T, server *rpc.Server) *rpc.Client {
	t.Helper()
	ours, theirs := net.Pipe()
	go server.ServeCodec(jsonrpc.NewServerCodec(theirs))
	client := jsonrpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// call makes one call and does not wait forever.
func call(t *testing.T, client *rpc.Client, method string, args, reply any) error {
	t.Helper()
	select {
	case done := <-client.Go(method, args, reply, make(chan *rpc.Call, 1)).Done:
		return done.Error
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: no answer within 30 s", method)
		return nil
	}
}
