package async_test

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"sync"
	"time"

	"example.com/netrpc/shared"
)

// Squarer stands for a server that cannot take more calls at once than it has slots.
type Squarer struct{ slots chan struct{} }

// Square sets *reply to n * n.
func (s Squarer) Square(n *int, reply *int) error {
	select {
	case s.slots <- struct{}{}:
	default:
		return errors.New("too many calls at once")
	}
	time.Sleep(50 * time.Millisecond) // the work
	*reply = *n * *n
	<-s.slots
	return nil
}

// How do I make many calls at once, with at most k in flight?
func Example_fanOut() {
	const k = 3
	server := rpc.NewServer()
	if err := server.Register(Squarer{make(chan struct{}, k)}); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // or net.Dial
	go server.ServeConn(theirs)
	client := rpc.NewClient(ours)
	defer client.Close()

	inputs := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	squares := make([]int, len(inputs)) // a reply for each call
	errs := make([]error, len(inputs))
	slots := make(chan struct{}, k)
	var calls sync.WaitGroup
	for i, n := range inputs {
		slots <- struct{}{} // waits while k calls are in flight
		calls.Go(func() {
			errs[i] = client.Call("Squarer.Square", &n, &squares[i])
			<-slots
		})
	}
	calls.Wait()
	fmt.Println(squares, errors.Join(errs...))
	// Output: [1 4 9 16 25 36 49 64 81 100] <nil>
}

// Mirror is one of several servers that know the same.
type Mirror struct {
	name string
	err  error
	busy chan struct{} // it answers when this is closed
}

// Find returns the name of the mirror that answers.
func (m *Mirror) Find(args *shared.Args, reply *string) error {
	<-m.busy
	*reply = m.name
	return m.err
}

// How do I ask several servers and take the first answer?
func Example_firstAnswerWins() {
	idle, busy := make(chan struct{}), make(chan struct{})
	close(idle)
	defer close(busy) // a server goes on with a call that nobody waits for
	mirrors := []*Mirror{
		{name: "slow", busy: busy},
		{name: "broken", busy: idle, err: errors.New("disk on fire")},
		{name: "fast", busy: idle},
	}

	done := make(chan *rpc.Call, len(mirrors)) // room for all, or an answer is dropped
	for _, mirror := range mirrors {
		server := rpc.NewServer()
		if err := server.Register(mirror); err != nil {
			log.Fatal(err)
		}
		ours, theirs := net.Pipe() // or net.Dial
		go server.ServeConn(theirs)
		client := rpc.NewClient(ours)
		defer client.Close()
		// Go blocks while a peer does not read, so each call has a goroutine, and a
		// reply of its own, for the late ones are written as well.
		go client.Go("Mirror.Find", &shared.Args{}, new(string), done)
	}

	deadline := time.After(time.Minute)
	for range mirrors {
		select {
		case call := <-done:
			if call.Error == nil {
				fmt.Println("answered by", *call.Reply.(*string))
				return
			}
		case <-deadline:
			fmt.Println("no answer within a minute")
			return
		}
	}
	fmt.Println("every mirror failed")
	// Output: answered by fast
}
