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

// postHandler answers one JSON-RPC 1.0 call in each HTTP request, in the dialect of
// net/rpc/jsonrpc. So middleware, proxies and TLS see each call, as tutorial §4.3 has it.
// It may be called concurrently.
//
// The status is 200 if net/rpc has answered, be it with an error of the service; 400 if
// the body is not one request, 408 if it does not arrive in time, 413 if it is over 1 MiB,
// 500 if the reply is nothing that JSON can hold. Each has a JSON body. A method that
// panics costs its client the connection: here net/http recovers.
type postHandler struct{ server *rpc.Server }

func (h postHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := readRequest(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		status := http.StatusBadRequest
		switch {
		case errors.As(err, new(*http.MaxBytesError)):
			status = http.StatusRequestEntityTooLarge
		case errors.Is(err, os.ErrDeadlineExceeded):
			status, err = http.StatusRequestTimeout, errors.New("the body did not arrive in time")
		}
		refuse(w, status, err)
		return
	}
	var response bytes.Buffer
	codec := jsonrpc.NewServerCodec(struct {
		io.Reader
		io.Writer
		io.Closer
	}{bytes.NewReader(body), &response, r.Body})
	h.server.ServeRequest(codec) // its error, if any, is in the response
	if response.Len() == 0 {
		refuse(w, http.StatusInternalServerError, errors.New("the reply cannot be encoded as JSON"))
		return
	}
	w.Write(response.Bytes())
}

// readRequest returns the body if it is one JSON-RPC request and nothing else.
func readRequest(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var request struct {
		Method string
		Params []json.RawMessage
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	if request.Method == "" || len(request.Params) != 1 {
		return nil, errors.New(`want {"method": "Service.Method", "params": [{one object}], "id": 1}`)
	}
	return body, nil
}

// refuse answers as net/rpc/jsonrpc answers an error, but with a status of its own.
func refuse(w http.ResponseWriter, status int, err error) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"id": nil, "result": nil, "error": err.Error()})
}
