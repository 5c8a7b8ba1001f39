package tcp_test

import (
	"errors"
	"net"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// Tutorial §4.1 says nothing of a method that panics. net/rpc does not recover: the whole
// server ends, with exit status 2 and the work half done. Its clients see a lost connection,
// also those who have called something else, and nobody listens any more.
// Example_panic (in shared) shows what to do.
func TestAPanickingMethodEndsTheServer(t *testing.T) {
	var saw rpctest.Transcript
	server := rpctest.StartProcess(t, Faulty{})
	client, other := dial(t, "tcp", server.Addr), dial(t, "tcp", server.Addr)
	hanging := other.Go("Faulty.Hang", 1, new(int), nil)
	err := client.Call("Faulty.Panic", 1, new(int))
	saw.Add("the call: unexpected EOF or a reset: %t", isLost(err))
	rpctest.Within(t, hanging.Done, "the end of another client's call")
	saw.Add("another client's call: unexpected EOF or a reset: %t", isLost(hanging.Error))
	saw.Add("the next call: %v", client.Call("Faulty.None", 1, new(int)))
	status, stderr := server.Wait()
	head, _, _ := strings.Cut(stderr, "\n\n")
	saw.Add("the server: exit status %d\n%s", status, head)
	again, err := rpc.Dial("tcp", server.Addr)
	if err == nil {
		again.Close()
	}
	var refused *net.OpError
	saw.Add("a new Dial is refused: %t", errors.As(err, &refused) && refused.Op == "dial")
	saw.Want(t, `
the call: unexpected EOF or a reset: true
another client's call: unexpected EOF or a reset: true
the next call: connection is shut down
the server: exit status 2
the first half is done
panic: a fault in a method
a new Dial is refused: true`)
}
