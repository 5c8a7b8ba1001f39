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
// So HTTP's TLS and middleware serve every call, as tutorial §4.3 has it. It is safe for
// concurrent use.
//
// The status is 200 if net/rpc has answered, be it with an error of the service; 400 if the
// body is not one request, 408 if it does not arrive in time, 413 if it is over 1 MiB, 500 if
// JSON cannot hold the reply. Each has a JSON body. A method that panics costs its client the
// connection: here net/http recovers.
type postHandler struct{ server *rpc.Server }

// newPostHandler returns a postHandler that refuses, with 403, what a browser sends for the page of
// another site: such a page may POST to any address of its reader's machine. Nobody checks Host: a
// page whose own name is made to lead here (DNS rebinding) gets through.
func newPostHandler(server *rpc.Server) http.Handler {
	return http.NewCrossOriginProtection().Handler(postHandler{server})
}

func (h postHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		switch {
		case errors.As(err, new(*http.MaxBytesError)):
			refuse(w, http.StatusRequestEntityTooLarge, err.Error())
		case errors.Is(err, os.ErrDeadlineExceeded):
			refuse(w, http.StatusRequestTimeout, "the body did not arrive in time")
		default:
			refuse(w, http.StatusBadRequest, err.Error())
		}
		return
	}
	var request struct {
		Method string
		Params []json.RawMessage
	}
	err = json.Unmarshal(body, &request)
	if err != nil || request.Method == "" || len(request.Params) != 1 {
		refuse(w, http.StatusBadRequest, `want {"method": "Service.Method", "params": [{one object}], "id": 1}`)
		return
	}
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
	w.Write(response.Bytes())
}

// refuse answers as net/rpc/jsonrpc answers an error, but with a status of its own.
func refuse(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"id": nil, "result": nil, "error": why})
}
