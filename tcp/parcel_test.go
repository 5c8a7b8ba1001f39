package tcp_test

import (
	"errors"
	"fmt"
	"net/rpc"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/netrpc/shared/rpctest"
)

// A parcel is a value that travels, what it is or is for, and a function that lets it and says what
// became of it. It travels in a synctest bubble, where a reply that can no longer come is known as such.
type parcel struct {
	label, value string
	travel       func(*testing.T, rpctest.Codec) string
}

// argument is a value that travels to a method whose argument is a T.
func argument[T any](label string, value any) parcel {
	return parcel{label, show(value), func(t *testing.T, codec rpctest.Codec) string {
		client := connectValue(t, codec, new(Value[T]))
		var arrived string
		err := callOrWait(client, "Value.Show", value, &arrived)
		return outcome(arrived, err, nextCall(client))
	}}
}

// reply is a value that travels from a method, whose reply is a *T, to a caller. This passes nil,
// or a pointer to a copy of what variable points to.
func reply[T any](label string, value T, variable any) parcel {
	p := parcel{label: label, value: show(value)}
	v := reflect.ValueOf(variable)
	if variable == nil || !v.Elem().IsZero() {
		p.value += " into " + show(variable)
	}
	p.travel = func(t *testing.T, codec rpctest.Codec) string {
		client := connectValue(t, codec, &Value[T]{value: value})
		if variable == nil {
			err := callOrWait(client, "Value.Give", struct{}{}, nil)
			return outcome("nothing", err, nextCall(client))
		}
		fresh := reflect.New(v.Type().Elem())
		fresh.Elem().Set(v.Elem())
		err := callOrWait(client, "Value.Give", struct{}{}, fresh.Interface())
		return outcome(showValue(fresh.Elem()), err, nextCall(client))
	}
	return p
}

// give returns what arrives of a value that is the reply of a method.
func give[T any](t *testing.T, codec rpctest.Codec, value T) (arrived T) {
	client := connectValue(t, codec, &Value[T]{value: value})
	if err := client.Call("Value.Give", struct{}{}, &arrived); err != nil {
		t.Fatal(err)
	}
	return arrived
}

// deliver lets parcels travel over both codecs, and writes down what becomes of each.
func deliver(t *testing.T, parcels ...parcel) *rpctest.Transcript {
	saw := new(rpctest.Transcript)
	synctest.Test(t, func(t *testing.T) {
		for _, p := range parcels {
			gob, json := p.travel(t, rpctest.Gob), p.travel(t, rpctest.JSON)
			if gob == json {
				saw.Add("both: %s: %s %s", p.label, p.value, gob)
				continue
			}
			saw.Add("gob: %s: %s %s", p.label, p.value, gob)
			saw.Add("JSON: %s: %s %s", p.label, p.value, json)
		}
	})
	return saw
}

// Value is a service that takes and returns values of the type T.
type Value[T any] struct{ value T }

// Show writes what has arrived.
func (*Value[T]) Show(value T, reply *string) error {
	*reply = showValue(reflect.ValueOf(&value).Elem())
	return nil
}

// Give returns the service's value.
func (v *Value[T]) Give(_ struct{}, reply *T) error { *reply = v.value; return nil }

// Double doubles n, whatever T is.
func (*Value[T]) Double(n int, reply *int) error { *reply = 2 * n; return nil }

// connectValue returns a client of a server that publishes service as Value.
func connectValue(t *testing.T, codec rpctest.Codec, service any) *rpc.Client {
	server := rpc.NewServer()
	if err := server.RegisterName("Value", service); err != nil {
		t.Fatal(err)
	}
	client, _ := codec.Connect(t, server)
	return client
}

var errNoAnswer = errors.New("never answered")

// callOrWait makes a call in a synctest bubble. It returns errNoAnswer once everything in the
// bubble waits, so that no reply can come.
func callOrWait(client *rpc.Client, method string, args, reply any) error {
	call := client.Go(method, args, reply, nil)
	synctest.Wait()
	select {
	case <-call.Done:
		return call.Error
	default:
		return errNoAnswer
	}
}

// nextCall makes a call that works over any connection that does.
func nextCall(client *rpc.Client) error {
	return callOrWait(client, "Value.Double", 1, new(int))
}

// outcome says what has arrived, or else that a call has ended with err, and the next with next.
func outcome(arrived string, err, next error) string {
	how, texts := "fails", ""
	switch {
	case err == nil:
		how = "arrives as " + arrived
	case err == errNoAnswer:
		how = "is never answered"
	case errors.As(err, new(rpc.ServerError)):
		how = "is refused"
	}
	if err != nil && err != errNoAnswer {
		texts += "\n    " + errorText(err)
	}
	switch {
	case next != nil:
		return how + ", the next call fails" + texts + "\n    then: " + errorText(next)
	case err != nil:
		return how + ", the next call works" + texts
	}
	return how
}

// errorText is err's text. Where in its input encoding/json met the error is left out, since
// Go's versions do not agree on it.
func errorText(err error) string {
	text := err.Error()
	if head, _, found := strings.Cut(text, " into "); found && strings.Contains(head, "json: ") {
		return head
	}
	return text
}

// show writes a value as %+v does, but quotes strings, follows pointers, tells nil from empty,
// leaves out fields that are not exported, and names the type of what an interface holds.
func show(value any) string { return showValue(reflect.ValueOf(value)) }

func showValue(v reflect.Value) string {
	join := func(n int, item func(int) string) string {
		var items []string
		for i := range n {
			items = append(items, item(i))
		}
		return strings.Join(items, " ")
	}
	switch v.Kind() {
	case reflect.Invalid:
		return "nil"
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func:
		if v.IsNil() {
			return "nil"
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return "&" + showValue(v.Elem())
	case reflect.Interface:
		return strings.ReplaceAll(v.Elem().Type().String(), "interface {}", "any") + "(" + showValue(v.Elem()) + ")"
	case reflect.Struct:
		fields := slices.DeleteFunc(reflect.VisibleFields(v.Type()), func(f reflect.StructField) bool {
			return len(f.Index) > 1 || !f.IsExported() && !f.Anonymous
		})
		return "{" + join(len(fields), func(i int) string {
			return fields[i].Name + ":" + showValue(v.FieldByIndex(fields[i].Index))
		}) + "}"
	case reflect.Slice, reflect.Array:
		return "[" + join(v.Len(), func(i int) string { return showValue(v.Index(i)) }) + "]"
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(showValue(a), showValue(b)) })
		return "map[" + join(len(keys), func(i int) string {
			return showValue(keys[i]) + ":" + showValue(v.MapIndex(keys[i]))
		}) + "]"
	case reflect.String:
		return fmt.Sprintf("%+q", v)
	case reflect.Chan, reflect.Func:
		return v.Type().String()
	}
	return fmt.Sprint(v)
}
