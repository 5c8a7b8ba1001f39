package jsonrpc_test

import (
	"io"
	"net/rpc"
	"slices"
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// packer is a connection that holds a request back, to send it together with the next one, in
// writes of a size.
type packer struct {
	io.ReadWriteCloser
	size, writes int
	held         []byte
}

// Write takes a request: both codecs write one at once.
func (p *packer) Write(request []byte) (int, error) {
	first := p.held == nil
	p.held = append(p.held, request...)
	if first {
		return len(request), nil
	}
	for piece := range slices.Chunk(p.held, p.size) {
		p.writes++
		if _, err := p.ReadWriteCloser.Write(piece); err != nil {
			return 0, err
		}
	}
	return len(request), nil
}

// The tutorial does not speak of sticky packets (粘包), which so many ask about: TCP keeps no
// boundaries, so that a request may arrive in pieces, or two at once. Nothing is to be done: a
// gob message begins with its length, and a JSON value shows where it ends.
func TestARequestMayComeInPiecesOrWithAnother(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		for _, size := range []int{1, 1000} {
			packer := &packer{size: size}
			packed := codec
			packed.NewClient = func(conn io.ReadWriteCloser) *rpc.Client {
				packer.ReadWriteCloser = conn
				return codec.NewClient(packer)
			}
			client, _ := packed.Connect(t, new(shared.MathService))
			var first, second int
			call := client.Go("MathService.Multiply", &shared.Args{A: 10, B: 20}, &first, nil)
			err := client.Call("MathService.Multiply", &shared.Args{A: 6, B: 7}, &second)
			<-call.Done
			saw.Add("%s: two requests, %d bytes; writes: %d; replies: %d, %v and %d, %v",
				codec.Name, len(packer.held), packer.writes, first, call.Error, second, err)
		}
	}
	saw.Want(t, `
gob: two requests, 148 bytes; writes: 148; replies: 200, <nil> and 42, <nil>
gob: two requests, 148 bytes; writes: 1; replies: 200, <nil> and 42, <nil>
JSON: two requests, 134 bytes; writes: 134; replies: 200, <nil> and 42, <nil>
JSON: two requests, 134 bytes; writes: 1; replies: 200, <nil> and 42, <nil>`)
}
