package http_test

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/rpc"
	"regexp"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// handleHTTP is rpc.HandleHTTP at paths below root, which no other server has: what is once
// in http.DefaultServeMux stays there.
func handleHTTP(server *rpc.Server) (root string) {
	root = fmt.Sprintf("/%p", server)
	server.HandleHTTP(root+rpc.DefaultRPCPath, root+rpc.DefaultDebugPath)
	return root
}

// debugPage returns what the page of handleHTTP says, a line for each service and method.
func debugPage(t *testing.T, root string) string {
	t.Helper()
	status, page := fetch(t, "GET", "http://"+start(t, http.DefaultServeMux)+root+rpc.DefaultDebugPath)
	lines := "GET /debug/rpc: " + status
	row := regexp.MustCompile(`Service (.+)|<td[^>]*>(.+)</td>\s*<td[^>]*>(\d+)</td>`)
	for _, match := range row.FindAllStringSubmatch(page, -1) {
		if match[1] != "" {
			lines += "\nService " + match[1]
		} else {
			lines += fmt.Sprintf("\n  %s  Calls: %s", html.UnescapeString(match[2]), match[3])
		}
	}
	return lines
}

// The tutorial says that HandleHTTP takes "the default RPC path (_goRPC_)" (§4.3, C18):
// nearly. It is /_goRPC_, and left unsaid is /debug/rpc, which tells whoever can reach it
// what is served and how often it was called.
func TestHandleHTTPOpensTwoPaths(t *testing.T) {
	var saw rpctest.Transcript
	saw.Add("rpc.HandleHTTP opens %s and %s", rpc.DefaultRPCPath, rpc.DefaultDebugPath)
	root := handleHTTP(rpctest.Server(t, new(shared.MathService)))
	client, err := tryDialHTTP(t, start(t, http.DefaultServeMux), root+rpc.DefaultRPCPath)
	if err != nil {
		t.Fatal(err)
	}
	saw.Add("CONNECT /_goRPC_: %s, %s", multiply(t, client), multiply(t, client))
	saw.Add("%s", debugPage(t, root))
	saw.Want(t, `
rpc.HandleHTTP opens /_goRPC_ and /debug/rpc
CONNECT /_goRPC_: Multiply(10, 20) = 200, Multiply(10, 20) = 200
GET /debug/rpc: 200 OK
Service MathService
  Divide(*shared.Args, *shared.Quotient) error  Calls: 0
  Multiply(*shared.Args, *int) error  Calls: 2`)
}

// The tutorial calls HandleHTTP once (§4.3). It registers in http.DefaultServeMux, where each
// path is free once, and so a second server needs other paths, or a mux of its own
// (Example_twoServersOnOneMux).
func TestASecondHandleHTTPPanics(t *testing.T) {
	var saw rpctest.Transcript
	root := handleHTTP(rpctest.Server(t, new(shared.MathService)))
	func() {
		defer func() {
			where := regexp.MustCompile(root + `| \(registered at [^)]+\)`) // never the same
			saw.Add("%s", where.ReplaceAllString(fmt.Sprint(recover()), ""))
		}()
		rpc.NewServer().HandleHTTP(root+rpc.DefaultRPCPath, root+rpc.DefaultDebugPath)
	}()
	saw.Want(t, `
pattern "/_goRPC_" conflicts with pattern "/_goRPC_":
/_goRPC_ matches the same requests as /_goRPC_`)
}

// Mixed has two methods that Register keeps, and four that it skips.
type Mixed struct{}

// Sum needs numbers, and fails without them.
func (Mixed) Sum(numbers []int, reply *int) error {
	if len(numbers) == 0 {
		return errors.New("no numbers")
	}
	for _, n := range numbers {
		*reply += n
	}
	return nil
}

// Count counts words.
func (*Mixed) Count(words map[string]bool, reply *int) error { *reply = len(words); return nil }

// Ping has neither an argument nor a reply.
func (Mixed) Ping() error { return nil }

// Reset has a reply that is no pointer.
func (Mixed) Reset(n int, reply int) error { return nil }

// Notify has no result.
func (Mixed) Notify(n int, reply *int) {}

type hidden struct{}

// Inspect has a reply whose type is not exported.
func (Mixed) Inspect(n int, reply *hidden) error { return nil }

// The tutorial says that Register analyses all exported methods (§4.2, C13): right. Left unsaid
// is that it keeps the suitable ones and says nothing of the others. The page of HandleHTTP lists
// what it has kept, with types and the number of calls, of which some may have failed.
func TestDebugPageListsWhatRegisterKeeps(t *testing.T) {
	var saw rpctest.Transcript
	server := rpc.NewServer()
	saw.Add("Register: %v", server.Register(new(Mixed)))
	client, _ := rpctest.Gob.Connect(t, server)
	for _, call := range []struct {
		method string
		args   any
	}{
		{"Sum", []int{1, 2, 3}},
		{"Sum", []int{}},
		{"Ping", 0},
		{"Reset", 0},
		{"Notify", 0},
		{"Inspect", 0},
	} {
		var reply int
		err := client.Call("Mixed."+call.method, call.args, &reply)
		saw.Add("%s(%v): %d, %v", call.method, call.args, reply, err)
	}
	saw.Add("%s", debugPage(t, handleHTTP(server)))
	saw.Want(t, `
Register: <nil>
Sum([1 2 3]): 6, <nil>
Sum([]): 0, no numbers
Ping(0): 0, rpc: can't find method Mixed.Ping
Reset(0): 0, rpc: can't find method Mixed.Reset
Notify(0): 0, rpc: can't find method Mixed.Notify
Inspect(0): 0, rpc: can't find method Mixed.Inspect
GET /debug/rpc: 200 OK
Service Mixed
  Count(map[string]bool, *int) error  Calls: 0
  Sum([]int, *int) error  Calls: 2`)
}

// The tutorial says that HTTP lets RPC through firewalls (§4.3, C17): right where they filter
// by port, for RPC and a web site can share one.
func TestRPCSharesAPortWithAWebSite(t *testing.T) {
	var saw rpctest.Transcript
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a web page")
	})
	mux.Handle(rpc.DefaultRPCPath, rpctest.Server(t, new(shared.MathService)))
	addr := start(t, mux)
	status, page := fetch(t, "GET", "http://"+addr+"/")
	saw.Add("GET /: %s, %q", status, page)
	saw.Add("DialHTTP at the same port: %s", multiply(t, dialHTTP(t, addr)))
	saw.Want(t, `
GET /: 200 OK, "a web page"
DialHTTP at the same port: Multiply(10, 20) = 200`)
}
