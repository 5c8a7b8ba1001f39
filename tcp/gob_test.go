package tcp_test

import (
	"net"
	"net/rpc"
	"regexp"
	"strings"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

func init() { rpctest.NumberTypes(rpc.Request{}, shared.Args{}, rpc.Response{}) }

// Tutorial §4.2, C12: gob is fast, and for Go alone. It describes the types (Request, Args;
// Response) once for each connection, so that the first call costs about three times the
// bytes of a later one: a client that dials for each call pays that each time.
func TestGobSendsTypesOnce(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := rpctest.Gob.Connect(t, new(shared.MathService))
	for n := range 3 {
		if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int)); err != nil {
			t.Fatal(err)
		}
		sent, received := tape.Take()
		saw.Add("call %d: %d bytes sent, %d received", n+1, len(sent), len(received))
	}
	saw.Want(t, `
call 1: 112 bytes sent, 91 received
call 2: 36 bytes sent, 34 received
call 3: 36 bytes sent, 34 received`)
}

// namesIn returns the names in the bytes of gob, where each is preceded by its length.
func namesIn(gob string) (names []string) {
	for _, at := range regexp.MustCompile(`[A-Za-z.]+`).FindAllStringIndex(gob, -1) {
		if begin, end := at[0], at[1]; begin > 0 && int(gob[begin-1]) == end-begin {
			names = append(names, gob[begin:end])
		}
	}
	return names
}

// Tutorial §4.2, C12, and §5, C23: gob ties both sides to Go. What it sends is not the
// values alone, but also what Go knows of their types: names, fields and kinds, in a format
// of its own (package encoding/gob documents it). A peer has to understand both. Request and
// Response are types of net/rpc.
func TestGobDescribesGoTypes(t *testing.T) {
	var saw rpctest.Transcript
	client, tape := rpctest.Gob.Connect(t, new(shared.MathService))
	for _, which := range []string{"first", "second"} {
		if err := client.Call("MathService.Multiply", &shared.Args{A: 10, B: 20}, new(int)); err != nil {
			t.Fatal(err)
		}
		sent, received := tape.Take()
		saw.Add("the %s request names %s", which, strings.Join(namesIn(sent), ", "))
		saw.Add("the %s reply names %s", which, strings.Join(namesIn(received), ", "))
	}
	saw.Want(t, `
the first request names Request, ServiceMethod, Seq, MathService.Multiply, Args, A, B
the first reply names Response, ServiceMethod, Seq, Error, MathService.Multiply
the second request names MathService.Multiply
the second reply names MathService.Multiply`)
}

// Tutorial §4.2, C12, leaves unsaid that gob "is not designed to be hardened against
// adversarial inputs" (package encoding/gob). A value of a type that nobody has described is
// an error at first; the second time gob panics, and nothing in net/rpc recovers. So
// whoever reaches the port can end the server.
func TestAFewBytesEndAGobServer(t *testing.T) {
	var saw rpctest.Transcript
	server := rpctest.StartProcess(t, Faulty{})
	conn, err := net.Dial("tcp", server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent, err := conn.Write(rpctest.HostileGob())
	saw.Add("%d bytes sent, %v", sent, err)
	status, stderr := server.Wait()
	cause := regexp.MustCompile("panic: [a-z: ]*[a-z]").FindString(stderr)
	saw.Add("the server: exit status %d, %s", status, cause)
	saw.Add("in encoding/gob: %t", strings.Contains(stderr, "encoding/gob."))
	saw.Want(t, `
73 bytes sent, <nil>
the server: exit status 2, panic: runtime error: invalid memory address or nil pointer dereference
in encoding/gob: true`)
}
