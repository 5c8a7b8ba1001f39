package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
)

// postHandler answers one JSON-RPC 1.0 call, in the dialect of net/rpc/jsonrpc, in each request:
// TLS and middleware see each call, as tutorial §4.3 has it. It may be called concurrently.
//
// The status is 200 if net/rpc has answered, be it with an error of the service; 400 if the
// body is not one request, 408 if it does not arrive in time, 413 if it is over 1 MiB, 500 if
// the reply is nothing that JSON can hold. Each has a JSON body. A method that panics costs
// its client the connection: here net/http recovers.
type postHandler struct{ server *rpc.Server }

func (h postHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	var request struct {
		Method string
		Params []json.RawMessage
	}
	var response bytes.Buffer
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		refuse(w, http.StatusRequestEntityTooLarge, err.Error())
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusRequestTimeout, "the body did not arrive in time")
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
	case json.Unmarshal(body, &request) != nil || request.Method == "" || len(request.Params) != 1:
		refuse(w, http.StatusBadRequest, `want {"method": "Service.Method", "params": [{one object}], "id": 1}`)
	default:
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
}

// refuse answers as net/rpc/jsonrpc answers an error, but with a status of its own.
func refuse(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"id": nil, "result": nil, "error": why})
}

type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// closeHijacked closes a connection that net/rpc has taken over, also if that panics: net/http
// only recovers (TestAPanicInARPCConnectionLeavesItOpen, in http), and a few bytes of bad gob
// are enough for a panic (TestAFewBytesEndAGobServer, in tcp).
func closeHijacked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect && r.URL.Path == rpc.DefaultRPCPath {
			defer r.Context().Value(connKey{}).(net.Conn).Close()
		}
		next.ServeHTTP(w, r)
	})
}
