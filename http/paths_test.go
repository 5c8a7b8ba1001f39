package http_test

import (
	"fmt"
	"io"
	"net/http"
	"net/rpc"
	"strings"
	"testing"
)

// The tutorial says that HandleHTTP takes "the default RPC path (_goRPC_)" (§4.3, C18):
// nearly. It is /_goRPC_, and left unsaid is /debug/rpc, which tells whoever can reach it
// what is served and how often it was called.
func TestHandleHTTPOpensTwoPaths(t *testing.T) {
	if rpc.DefaultRPCPath != "/_goRPC_" || rpc.DefaultDebugPath != "/debug/rpc" {
		t.Errorf("HandleHTTP opens %s and %s, want /_goRPC_ and /debug/rpc", rpc.DefaultRPCPath, rpc.DefaultDebugPath)
	}
	t.Log("rpc.HandleHTTP opens", rpc.DefaultRPCPath, "and", rpc.DefaultDebugPath)
	// HandleHTTP registers on http.DefaultServeMux, once and for all: each run needs paths of its own.
	server := newServer(t)
	root := fmt.Sprintf("/%s/%p", t.Name(), server)
	server.HandleHTTP(root+rpc.DefaultRPCPath, root+rpc.DefaultDebugPath)
	addr := start(t, http.DefaultServeMux)
	client, err := tryDialHTTP(t, addr, root+rpc.DefaultRPCPath)
	if err != nil {
		t.Fatal(err)
	}
	const calls = 2
	for i := range calls + 1 {
		resp, err := web.Get("http://" + addr + root + rpc.DefaultDebugPath)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("debug page: %s, %v, want 200", resp.Status, err)
		}
		page := strings.Join(strings.Fields(string(body)), " ")
		for _, want := range []string{
			"Service MathService",
			"Divide(*shared.Args, *shared.Quotient) error</td> <td align=center>0</td>",
			fmt.Sprintf("Multiply(*shared.Args, *int) error</td> <td align=center>%d</td>", i),
		} {
			if !strings.Contains(page, want) {
				t.Errorf("after %d calls the debug page is %s, want %s in it", i, page, want)
			}
		}
		multiply(t, client, 10, 20)
	}
	t.Logf("GET %s, from anyone, after %d calls: Multiply(*shared.Args, *int) error, %[2]d", rpc.DefaultDebugPath, calls)
}

// The tutorial says that HTTP lets RPC through firewalls (§4.3, C17): right where they filter
// by port, for RPC and a web site can share one.
func TestRPCSharesAPortWithAWebSite(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a web page") })
	mux.Handle(rpc.DefaultRPCPath, newServer(t))
	addr := start(t, mux)
	resp, err := web.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if string(page) != "a web page" {
		t.Errorf("GET /: %q, %v, want the page", page, err)
	}
	multiply(t, dialHTTP(t, addr), 10, 20)
	t.Logf("one port: GET / answers %q, and DialHTTP finds Multiply at %s", page, rpc.DefaultRPCPath)
}
