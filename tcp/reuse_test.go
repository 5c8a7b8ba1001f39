package tcp_test

import (
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §4.2 uses a reply once. One that is used again keeps what the call before has
// left, where gob is the codec: it does not send a field that is zero. JSON sends them all.
func TestReusedReplyKeepsStaleFields(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, new(shared.MathService))
		var reply shared.Quotient
		for _, a := range []int{11, 8} {
			err := client.Call("MathService.Divide", &shared.Args{A: a, B: 4}, &reply)
			saw.Add("%s: Divide(%d, 4) into the same reply: %+v, %v", codec.Name, a, reply, err)
		}
	}
	saw.Want(t, `
gob: Divide(11, 4) into the same reply: {Quo:2 Rem:3}, <nil>
gob: Divide(8, 4) into the same reply: {Quo:2 Rem:3}, <nil>
JSON: Divide(11, 4) into the same reply: {Quo:2 Rem:3}, <nil>
JSON: Divide(8, 4) into the same reply: {Quo:2 Rem:0}, <nil>`)
}

// Tally is a service whose reply is a map.
type Tally struct{}

// Count replies with the word's count.
func (Tally) Count(word string, reply *map[string]int) error {
	*reply = map[string]int{word: 1}
	return nil
}

// Both codecs add to a map that is used again, and take nothing out of it.
func TestReusedMapIsMerged(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client, _ := codec.Connect(t, Tally{})
		var reply map[string]int
		for _, word := range []string{"old", "new"} {
			err := client.Call("Tally.Count", word, &reply)
			saw.Add("%s: Count(%q) into the same reply: %v, %v", codec.Name, word, reply, err)
		}
	}
	saw.Want(t, `
gob: Count("old") into the same reply: map[old:1], <nil>
gob: Count("new") into the same reply: map[new:1 old:1], <nil>
JSON: Count("old") into the same reply: map[old:1], <nil>
JSON: Count("new") into the same reply: map[new:1 old:1], <nil>`)
}
