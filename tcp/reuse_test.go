package tcp_test

import (
	"testing"

	"example.com/netrpc/shared"
	"example.com/netrpc/shared/rpctest"
)

// Tutorial §4.2 uses a reply once. One that is used again keeps what the call before has
// left, where gob is the codec: it does not send a field that is zero. JSON sends them all.
func TestReusedReplyKeepsStaleFields(t *testing.T) {
	deliver(t,
		reply("8 / 4 after 11 / 4", shared.Quotient{Quo: 2, Rem: 0}, &shared.Quotient{Quo: 2, Rem: 3}),
	).Want(t, `
gob: 8 / 4 after 11 / 4: {Quo:2 Rem:0} into &{Quo:2 Rem:3} arrives as {Quo:2 Rem:3}
JSON: 8 / 4 after 11 / 4: {Quo:2 Rem:0} into &{Quo:2 Rem:3} arrives as {Quo:2 Rem:0}`)
}

// Both codecs add to a map that is used again, and take nothing out of it.
func TestReusedMapIsMerged(t *testing.T) {
	var saw rpctest.Transcript
	for _, codec := range []rpctest.Codec{rpctest.Gob, rpctest.JSON} {
		client := connectValue(t, codec, &Value[map[string]int]{value: map[string]int{"new": 1}})
		reply := map[string]int{"old": 1}
		err := client.Call("Value.Give", struct{}{}, &reply)
		saw.Add("%s: map[new:1] into map[old:1]: %v, %v", codec.Name, reply, err)
	}
	saw.Want(t, `
gob: map[new:1] into map[old:1]: map[new:1 old:1], <nil>
JSON: map[new:1] into map[old:1]: map[new:1 old:1], <nil>`)
}
