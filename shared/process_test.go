package shared

import (
	"net/rpc"
	"os"
	"testing"

	"example.com/netrpc/shared/rpctest"
)

// Process is a service that tells about the process it runs in.
type Process struct{}

// Seen is what a method sees.
type Seen struct{ PID, A int }

// Look overwrites A, and sets *reply to what it sees then.
func (Process) Look(args *Args, reply *Seen) error {
	args.A = 999
	*reply = Seen{os.Getpid(), args.A}
	return nil
}

// The tutorial says that the called function runs in the sender's memory (§1, C1). This is wrong:
// it runs in the server's process, on a copy of the arguments.
func TestMethodRunsInTheServersProcess(t *testing.T) {
	server := rpctest.StartProcess(t, Process{})
	client, err := rpc.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	args, seen := &Args{A: 10, B: 20}, new(Seen)
	call := rpctest.Within(t, client.Go("Process.Look", args, seen, nil).Done, "Process.Look")
	if call.Error != nil {
		t.Fatal(call.Error)
	}
	var saw rpctest.Transcript
	saw.Add("the method ran in the caller's process: %t", seen.PID == os.Getpid())
	saw.Add("the method ran in the server's process: %t", seen.PID == server.PID)
	saw.Add("A in the method, which has overwritten it: %d", seen.A)
	saw.Add("A of the caller, who sent 10: %d", args.A)
	saw.Want(t, `
the method ran in the caller's process: false
the method ran in the server's process: true
A in the method, which has overwritten it: 999
A of the caller, who sent 10: 10`)
}
