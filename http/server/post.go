package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
)

// postHandler answers one JSON-RPC 1.0 call in each request, in the dialect of net/rpc/jsonrpc.
// So HTTP's TLS and middleware serve every call, as tutorial §4.3 has it. The status is 200 if
// net/rpc has answered, be it with an error. What is refused here gets a JSON body, too. A method
// that panics costs its client the connection: net/http recovers.
type postHandler struct{ server *rpc.Server }

// newPostHandler returns a postHandler behind a guard that refuses, with 403, what a browser sends
// for the page of another site: such a page may POST to any address of its reader's machine. Nobody
// checks Host: a page whose own name is made to lead here (DNS rebinding) gets through.
func newPostHandler(server *rpc.Server) http.Handler {
	return http.NewCrossOriginProtection().Handler(postHandler{server})
}

func (h postHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		refuse(w, http.StatusRequestEntityTooLarge, err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "the body did not arrive in time")
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
	case !isRequest(body):
		refuse(w, http.StatusBadRequest, `want {"method": "Service.Method", "params": [{one object}], "id": 1}`)
	default:
		var response bytes.Buffer
		h.server.ServeRequest(jsonrpc.NewServerCodec(struct {
			io.Reader
			io.Writer
			io.Closer
		}{bytes.NewReader(body), &response, r.Body})) // its error, if any, is in the response
		if response.Len() == 0 {
			refuse(w, http.StatusInternalServerError, "the reply cannot be encoded as JSON")
			return
		}
		response.WriteTo(w)
	}
}

// isRequest tells whether body is one call and no more. net/rpc/jsonrpc would answer nothing to
// half of one, overlook the second of two, and execute one that has no argument on zeros.
func isRequest(body []byte) bool {
	var request struct {
		Method string
		Params []json.RawMessage
	}
	return json.Unmarshal(body, &request) == nil && request.Method != "" && len(request.Params) == 1
}

// refuse answers as net/rpc/jsonrpc answers an error, but with a status of its own.
func refuse(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"id": nil, "result": nil, "error": why})
}
