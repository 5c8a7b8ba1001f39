package tcp_test

import (
	"maps"
	"net/rpc"
	"testing"

	"example.com/netrpc/shared"
)

// codecs are the two in which net/rpc serves a connection.
var codecs = []struct {
	name    string
	connect func(*testing.T, any) (*rpc.Client, *wire)
}{
	{"gob", connect},
	{"JSON", connectJSON},
}

// Tutorial §4.2 uses a reply once. One that is used again keeps what the call before has
// left, where gob is the codec: it does not send a field that is zero. JSON sends them all.
func TestReusedReplyKeepsStaleFields(t *testing.T) {
	want := map[string]shared.Quotient{"gob": {Quo: 2, Rem: 3}, "JSON": {Quo: 2, Rem: 0}}
	for _, codec := range codecs {
		client, _ := codec.connect(t, new(shared.MathService))
		var reply shared.Quotient
		for _, a := range []int{11, 8} {
			if err := client.Call("MathService.Divide", &shared.Args{A: a, B: 4}, &reply); err != nil {
				t.Fatalf("%s: Divide(%d, 4): %v", codec.name, a, err)
			}
		}
		if reply != want[codec.name] {
			t.Errorf("%s: Divide(8, 4) = %+v, want %+v", codec.name, reply, want[codec.name])
		}
		t.Logf("%s: Divide(11, 4), then Divide(8, 4) into the same reply: %+v", codec.name, reply)
	}
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
	for _, codec := range codecs {
		client, _ := codec.connect(t, Tally{})
		var reply map[string]int
		for _, word := range []string{"old", "new"} {
			if err := client.Call("Tally.Count", word, &reply); err != nil {
				t.Fatalf("%s: Count(%q): %v", codec.name, word, err)
			}
		}
		if want := map[string]int{"old": 1, "new": 1}; !maps.Equal(reply, want) {
			t.Errorf("%s: Count(new) = %v, want %v", codec.name, reply, want)
		}
		t.Logf(`%s: Count("old"), then Count("new") into the same reply: %v`, codec.name, reply)
	}
}
