package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
)

// postHandler answers a JSON-RPC 1.0 call in each request, in the dialect of net/rpc/jsonrpc. So HTTP's
// TLS and middleware serve every call, as tutorial §4.3 has it. What net/rpc answers has status 200; what
// JSON cannot hold is an empty answer. net/http recovers a method that panics, and closes the connection.
type postHandler struct{ server *rpc.Server }

// newPostHandler returns a postHandler behind a guard that refuses, with 403, what a browser sends
// for the page of another site: such a page may POST to any address of its reader's machine. Nobody
// checks Host: a page whose own name is made to lead here (DNS rebinding) gets through.
func newPostHandler(server *rpc.Server) http.Handler {
	return http.NewCrossOriginProtection().Handler(postHandler{server})
}

func (h postHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// net/rpc/jsonrpc would answer nothing to half a call, overlook the second of two, and execute
	// one that has no argument on zeros.
	var request struct {
		Method string
		Params []json.RawMessage
	}
	if json.Unmarshal(body, &request) != nil || request.Method == "" || len(request.Params) != 1 {
		http.Error(w, `want {"method": "Service.Method", "params": [{one object}], "id": 1}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	h.server.ServeRequest(jsonrpc.NewServerCodec(struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(body), w, r.Body})) // its error, if any, is in the answer
}
