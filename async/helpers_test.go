package async_test

import (
	"net"
	"net/rpc"
	"testing"
	"time"
)

// connect returns a client of a server that publishes service.
func connect(t *testing.T, service any) *rpc.Client {
	t.Helper()
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	t.Cleanup(func() { client.Close() })
	return client
}

// isDone reports whether call is finished, without waiting for it.
func isDone(call *rpc.Call) bool { return len(call.Done) > 0 }

// Sleeper takes as long over a call as it is told.
type Sleeper struct{}

// Sleep sleeps.
func (Sleeper) Sleep(duration *time.Duration, reply *bool) error {
	time.Sleep(*duration)
	*reply = true
	return nil
}
