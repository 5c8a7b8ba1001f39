package tcp_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"
)

// Query says how long the caller can wait: a duration and not a point in time, because
// the clocks of two machines differ.
type Query struct {
	ID   int
	Left time.Duration
}

// UserService is the last in the row. Its work is done when found has a value.
type UserService struct {
	found chan bool
	ended chan error // how a call ended: nil if the work was done
}

// Find works while its caller can wait. Other work that takes a ctx, such as a query to a
// database, stops as well.
func (u *UserService) Find(query *Query, name *string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), query.Left)
	defer cancel()
	select {
	case <-u.found:
		*name = "Ada"
	case <-ctx.Done():
		err = ctx.Err()
	}
	u.ended <- err
	return err
}

// OrderService is a server to its caller, and a client of the user service.
type OrderService struct{ users *rpc.Client }

// Describe works for 10 ms, and asks the user service within what is then left.
func (o *OrderService) Describe(query *Query, order *string) error {
	ctx, cancel := context.WithTimeout(context.Background(), query.Left)
	defer cancel()
	time.Sleep(10 * time.Millisecond)
	deadline, _ := ctx.Deadline()
	return ask(ctx, o.users, "UserService.Find", &Query{query.ID, time.Until(deadline)}, order)
}

// ask makes a call and gives up when ctx ends, of which the server learns nothing.
func ask(ctx context.Context, client *rpc.Client, method string, query *Query, reply *string) error {
	answer, done := new(string), make(chan *rpc.Call, 1)
	go client.Go(method, query, answer, done) // Go blocks while the server does not read
	select {
	case call := <-done:
		*reply = *answer // a late answer is written to answer alone
		return call.Error
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve starts a server and connects to it.
func serve(service any) *rpc.Client {
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		log.Fatal(err)
	}
	ours, theirs := net.Pipe() // between machines: net.Listen and net.Dial
	go server.ServeConn(theirs)
	return rpc.NewClient(ours)
}

// How does a deadline reach the last of several services (tutorial §3)? net/rpc carries none:
// what is left of it travels as a field of the arguments. Who leaves it out works for nobody.
func Example_servicesInARow() {
	users := &UserService{make(chan bool, 2), make(chan error, 2)}
	userClient := serve(users)
	defer userClient.Close()
	orderClient := serve(&OrderService{userClient})
	defer orderClient.Close()

	work := time.AfterFunc(10*time.Second, func() { users.found <- true })
	defer work.Stop()
	const patience = 50 * time.Millisecond
	for _, left := range []time.Duration{patience, time.Hour} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		limit := time.AfterFunc(20*time.Second, func() { users.ended <- errors.New("it was not asked") })
		defer limit.Stop()
		err := ask(ctx, orderClient, "OrderService.Describe", &Query{7, left}, new(string))
		fmt.Printf("left %v: the caller gives up: %v\n", left, err)
		if left > patience {
			work.Reset(0) // nothing ends Find but the end of its work
		}
		fmt.Println("the user service:", <-users.ended)
	}
	// Output:
	// left 50ms: the caller gives up: context deadline exceeded
	// the user service: context deadline exceeded
	// left 1h0m0s: the caller gives up: context deadline exceeded
	// the user service: <nil>
}

// To the nanosecond: with what is left as a field, the last service stops when the first caller gives
// up, although the service between has used some of the time; without it, when the work is done (§3).
func TestTheLastServiceStopsWhenTheFirstCallerGivesUp(t *testing.T) {
	for _, row := range []struct{ left, worked time.Duration }{{time.Second, time.Second}, {time.Hour, time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			users := &UserService{make(chan bool, 1), make(chan error, 1)}
			userClient := serve(users)
			defer userClient.Close()
			orderClient := serve(&OrderService{userClient})
			defer orderClient.Close()
			work := time.AfterFunc(time.Minute, func() { users.found <- true })
			defer work.Stop()

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			err := ask(ctx, orderClient, "OrderService.Describe", &Query{7, row.left}, new(string))
			gaveUp := time.Since(begin)
			select {
			case <-users.ended:
			case <-time.After(24 * time.Hour):
				t.Fatal("the user service has not been asked")
			}
			worked := time.Since(begin)
			t.Logf("left %v: the caller gave up after %v, the user service stopped at %v", row.left, gaveUp, worked)
			if err == nil || gaveUp != time.Second || worked != row.worked {
				t.Errorf("the caller: %v after %v, want 1s; the user service until %v, want %v", err, gaveUp, worked, row.worked)
			}
		})
	}
}
