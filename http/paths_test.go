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

	"example.com/netrpc/shared/rpctest"
)

// Mixed has two methods that Register keeps, and one that it skips.
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

// replaceDefaultServeMux does so until the test ends: the paths may be taken in the old one.
func replaceDefaultServeMux(t *testing.T) {
	old := http.DefaultServeMux
	http.DefaultServeMux = http.NewServeMux()
	t.Cleanup(func() { http.DefaultServeMux = old })
}

// The tutorial says that HandleHTTP takes "the default RPC path (_goRPC_)" (§4.3, C18): nearly. It
// is /_goRPC_, and left unsaid is /debug/rpc. This page tells whoever can reach it what Register
// has kept (§4.2, C13), with types and the number of calls, of which some may have failed. A web
// page and RPC share a port here, and so both pass a firewall that filters by port (§4.3, C17).
func TestDebugPageListsWhatRegisterKeeps(t *testing.T) {
	var saw rpctest.Transcript
	replaceDefaultServeMux(t)
	rpctest.Server(t, new(Mixed)).HandleHTTP(rpc.DefaultRPCPath, rpc.DefaultDebugPath)
	addr := start(t, http.DefaultServeMux)
	saw.Add("rpc.HandleHTTP opens %s and %s", rpc.DefaultRPCPath, rpc.DefaultDebugPath)
	client := dialHTTP(t, addr)
	for _, row := range []struct {
		method string
		args   []int
	}{
		{"Sum", []int{1, 2, 3}},
		{"Sum", nil},
		{"Ping", nil},
	} {
		var reply int
		call := client.Go("Mixed."+row.method, row.args, &reply, nil)
		err := rpctest.Within(t, call.Done, "the reply").Error
		saw.Add("CONNECT /_goRPC_, then %s(%v): %d, %v", row.method, row.args, reply, err)
	}
	resp, err := (&http.Client{Timeout: rpctest.Patience}).Get("http://" + addr + rpc.DefaultDebugPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	saw.Add("GET /debug/rpc: %s, %v", resp.Status, err)
	row := regexp.MustCompile(`Service (.+)|<td[^>]*>(.+)</td>\s*<td[^>]*>(\d+)</td>`)
	for _, match := range row.FindAllStringSubmatch(string(page), -1) {
		if match[1] != "" {
			saw.Add("Service %s", match[1])
		} else {
			saw.Add("  %s  Calls: %s", html.UnescapeString(match[2]), match[3])
		}
	}
	saw.Want(t, `
rpc.HandleHTTP opens /_goRPC_ and /debug/rpc
CONNECT /_goRPC_, then Sum([1 2 3]): 6, <nil>
CONNECT /_goRPC_, then Sum([]): 0, no numbers
CONNECT /_goRPC_, then Ping([]): 0, rpc: can't find method Mixed.Ping
GET /debug/rpc: 200 OK, <nil>
Service Mixed
  Count(map[string]bool, *int) error  Calls: 0
  Sum([]int, *int) error  Calls: 2`)
}

// The tutorial calls HandleHTTP once (§4.3). It registers in http.DefaultServeMux, where each
// path is free once, and so a second server needs other paths, or a mux of its own
// (Example_twoServersOnOneMux).
func TestASecondHandleHTTPPanics(t *testing.T) {
	var saw rpctest.Transcript
	replaceDefaultServeMux(t)
	rpc.HandleHTTP()
	func() {
		defer func() {
			where := regexp.MustCompile(` \(registered at [^)]+\)`) // never the same
			saw.Add("%s", where.ReplaceAllString(fmt.Sprint(recover()), ""))
		}()
		rpc.HandleHTTP()
	}()
	saw.Want(t, `
pattern "/_goRPC_" conflicts with pattern "/_goRPC_":
/_goRPC_ matches the same requests as /_goRPC_`)
}
