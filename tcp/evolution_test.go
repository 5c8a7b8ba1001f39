package tcp_test

import "testing"

// A struct may change at one side. Both codecs go by the fields' names: what the peer does not
// know is left out, and what it does not send is zero, also where a field was renamed. A
// field of another type is an error, in a reply one that ends the connection. Nothing
// in common is an error to gob alone, and only of the argument or reply itself.
func TestAStructMayChangeAtOneSide(t *testing.T) {
	type (
		User struct {
			ID   int
			Name string
		}
		More struct {
			ID         int
			Name, City string
		}
		Less    struct{ ID int }
		Renamed struct {
			ID    int
			Title string
		}
		Wider struct {
			Name string
			ID   int64
		}
		Pointer struct{ ID *int }
		Retyped struct {
			ID   string
			Name string
		}
		Other   struct{ Size int }
		UserIn  struct{ User User }
		OtherIn struct{ User Other }
	)
	user := User{7, "Li"}
	saw := deliver(t,
		argument[User]("a field more", More{7, "Li", "Xian"}),
		argument[User]("a field less", Less{7}),
		argument[Renamed]("a field renamed", user),
		argument[Wider]("another order, int64 for int", user),
		argument[Pointer]("a pointer for a value", user),
		argument[Retyped]("a string for an int", user),
		argument[Other]("nothing in common", user),
		argument[OtherIn]("nothing in common, one level down", UserIn{user}),
		reply("a string for an int in a reply", user, new(Retyped)),
	)
	saw.Want(t, `
both: a field more: {ID:7 Name:"Li" City:"Xian"} arrives as {ID:7 Name:"Li"}
both: a field less: {ID:7} arrives as {ID:7 Name:""}
both: a field renamed: {ID:7 Name:"Li"} arrives as {ID:7 Title:""}
both: another order, int64 for int: {ID:7 Name:"Li"} arrives as {Name:"Li" ID:7}
both: a pointer for a value: {ID:7 Name:"Li"} arrives as {ID:&7}
gob: a string for an int: {ID:7 Name:"Li"} is refused, the next call works
    gob: wrong type (string) for received field User.ID
JSON: a string for an int: {ID:7 Name:"Li"} is refused, the next call works
    json: cannot unmarshal number
gob: nothing in common: {ID:7 Name:"Li"} is refused, the next call works
    gob: type mismatch: no fields matched compiling decoder for Other
JSON: nothing in common: {ID:7 Name:"Li"} arrives as {Size:0}
both: nothing in common, one level down: {User:{ID:7 Name:"Li"}} arrives as {User:{Size:0}}
gob: a string for an int in a reply: {ID:7 Name:"Li"} fails, the next call fails
    reading body gob: wrong type (string) for received field User.ID
    then: connection is shut down
JSON: a string for an int in a reply: {ID:7 Name:"Li"} fails, the next call fails
    reading body json: cannot unmarshal number
    then: connection is shut down`)
}
