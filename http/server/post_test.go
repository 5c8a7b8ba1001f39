package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/rpc"
	"strings"
	"testing"

	"example.com/netrpc/shared"
)

// Odd is a service whose methods end in ways that MathService's do not.
type Odd struct{}

// Panic panics.
func (Odd) Panic(args *shared.Args, reply *int) error { panic("a bug in the method") }

// NaN returns what JSON cannot hold.
func (Odd) NaN(args *shared.Args, reply *float64) error {
	*reply = math.NaN()
	return nil
}

func newPostServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := rpc.NewServer()
	for _, service := range []any{new(shared.MathService), Odd{}} {
		if err := server.Register(service); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /jsonrpc", postHandler{server})
	ts := httptest.NewUnstartedServer(mux)
	ts.Config.ErrorLog = log.New(io.Discard, "", 0) // for the stack of a panic
	ts.Start()
	t.Cleanup(ts.Close)
	return ts
}

func TestPost(t *testing.T) {
	t.Parallel()
	const multiply = `{"method": "MathService.Multiply", "params": [{"A": 10, "B": 20}], "id": 1}`
	long := func(size int) string { return multiply + strings.Repeat(" ", size-len(multiply)) }
	ts := newPostServer(t)
	for name, row := range map[string]struct {
		request, response string // the response "error" stands for any error with id null
		status            int
	}{
		"a product":            {multiply, `{"id":1,"result":200,"error":null}`, 200},
		"a quotient":           {`{"method":"MathService.Divide","params":[{"A":17,"B":5}],"id":"x"}`, `{"id":"x","result":{"Quo":3,"Rem":2},"error":null}`, 200},
		"an error":             {`{"method":"MathService.Divide","params":[{"A":1,"B":0}],"id":2}`, `{"id":2,"result":null,"error":"divide by zero"}`, 200},
		"an unknown method":    {`{"method":"MathService.Modulo","params":[{}],"id":3}`, `{"id":3,"result":null,"error":"rpc: can't find method MathService.Modulo"}`, 200},
		"a wrong argument":     {`{"method":"MathService.Multiply","params":[{"A":"1"}],"id":4}`, `{"id":4,"result":null,"error":"json: cannot unmarshal string into Go struct field Args.A of type int"}`, 200},
		"a notification":       {`{"method":"MathService.Multiply","params":[{"A":2,"B":3}]}`, `{"id":null,"result":6,"error":null}`, 200},
		"a NaN":                {`{"method":"Odd.NaN","params":[{}],"id":5}`, "error", 500},
		"exactly 1 MiB":        {long(1 << 20), `{"id":1,"result":200,"error":null}`, 200},
		"more than 1 MiB":      {long(1<<20 + 1), "error", 413},
		"nothing":              {``, "error", 400},
		"null":                 {`null`, "error", 400},
		"no JSON":              {`multiply 10 by 20`, "error", 400},
		"half a request":       {multiply[:40], "error", 400},
		"two requests":         {multiply + multiply, "error", 400},
		"a request and more":   {multiply + "x", "error", 400},
		"a batch":              {"[" + multiply + "]", "error", 400},
		"no method":            {`{"params":[{"A":1,"B":2}],"id":1}`, "error", 400},
		"no params":            {`{"method":"MathService.Multiply","id":1}`, "error", 400},
		"named params":         {`{"method":"MathService.Multiply","params":{"A":1,"B":2},"id":1}`, "error", 400},
		"positional params":    {`{"method":"MathService.Multiply","params":[10,20],"id":1}`, "error", 400},
		"an empty params list": {`{"method":"MathService.Multiply","params":[],"id":1}`, "error", 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := http.Post(ts.URL+"/jsonrpc", "application/json", strings.NewReader(row.request))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != row.status || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("status %d, Content-Type %q, want %d, application/json", resp.StatusCode, resp.Header.Get("Content-Type"), row.status)
			}
			if row.response != "error" {
				if string(bytes.TrimSpace(body)) != row.response {
					t.Errorf("response %s, want %s", body, row.response)
				}
				return
			}
			var response map[string]any
			if err := json.Unmarshal(body, &response); err != nil {
				t.Fatalf("response %q: %v", body, err)
			}
			if text, ok := response["error"].(string); !ok || text == "" || len(response) != 3 || response["id"] != nil || response["result"] != nil {
				t.Errorf("response %s, want an error, and null for id and result", body)
			}
		})
	}
}

func TestPostTakesNoOtherMethod(t *testing.T) {
	t.Parallel()
	ts := newPostServer(t)
	for _, method := range []string{"GET", "PUT", "DELETE", "CONNECT"} {
		req, err := http.NewRequestWithContext(t.Context(), method, ts.URL+"/jsonrpc", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := ts.Client().Transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q, want 405, POST", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

// A panic in a goroutine of net/rpc's own would end the process, this test included.
func TestPostSurvivesAPanic(t *testing.T) {
	t.Parallel()
	ts := newPostServer(t)
	if resp, err := http.Post(ts.URL+"/jsonrpc", "", strings.NewReader(`{"method":"Odd.Panic","params":[{}],"id":1}`)); err == nil {
		resp.Body.Close()
		t.Errorf("a method that panics: status %d, want a closed connection", resp.StatusCode)
	}
	resp, err := http.Post(ts.URL+"/jsonrpc", "", strings.NewReader(`{"method":"MathService.Multiply","params":[{"A":2,"B":3}],"id":2}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != `{"id":2,"result":6,"error":null}`+"\n" {
		t.Errorf("after a panic: %s, want the product", body)
	}
}
