package shared

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/netrpc/shared/rpctest"
)

// Query says how long the caller can wait: a duration and not a point in time, because
// the clocks of two machines differ.
type Query struct {
	ID   int
	Left time.Duration
}

// UserService is the last in the row.
type UserService struct {
	takes time.Duration // to find a user
	found atomic.Int32
}

// Find works while its caller can wait. Other work that takes a ctx, such as a query to a
// database, stops as well.
func (u *UserService) Find(query *Query, name *string) error {
	ctx, cancel := context.WithTimeout(context.Background(), query.Left)
	defer cancel()
	select {
	case <-time.After(u.takes):
		u.found.Add(1)
		*name = "Ada"
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// OrderService is a server to its caller, and a client of the user service.
type OrderService struct {
	takes time.Duration // before it needs a user
	users *rpc.Client
}

// Describe works, and asks the user service within what is then left.
func (o *OrderService) Describe(query *Query, order *string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), query.Left)
	defer cancel()
	time.Sleep(o.takes)
	*order, err = call[string](ctx, o.users, "UserService.Find", &Query{query.ID, timeLeft(ctx)})
	return err
}

func timeLeft(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

// serveOrders starts both services and connects to the first. hangUp returns when neither
// works any more: net/rpc waits for the calls in flight.
func serveOrders(orders *OrderService, users *UserService) (client *rpc.Client, hangUp func()) {
	var servers sync.WaitGroup
	serve := func(service any) *rpc.Client {
		server := rpc.NewServer()
		if err := server.Register(service); err != nil {
			log.Fatal(err)
		}
		ours, theirs := net.Pipe() // between machines: net.Listen and net.Dial
		servers.Go(func() { server.ServeConn(theirs) })
		return rpc.NewClient(ours)
	}
	orders.users = serve(users)
	client = serve(orders)
	return client, func() {
		client.Close()
		orders.users.Close()
		servers.Wait()
	}
}

// How does a deadline reach the last of several services (tutorial §3)? net/rpc carries none:
// what is left of it travels as a field of the arguments. Who leaves it out works for nobody.
func Example_servicesInARow() {
	users := &UserService{takes: time.Minute}
	client, hangUp := serveOrders(&OrderService{takes: 10 * time.Millisecond}, users)

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := call[string](ctx, client, "OrderService.Describe", &Query{7, timeLeft(ctx)})
	fmt.Println("the caller gives up:", err)
	hangUp()
	fmt.Println("users found for nobody:", users.found.Load())
	// Output:
	// the caller gives up: context deadline exceeded
	// users found for nobody: 0
}

// On synctest's clock, so to the nanosecond: with what is left as a field, the last service stops
// when the first caller gives up, although the service between has used some of the time. Without
// it (or if it says an hour), the last service stops when its work is done (tutorial §3).
func TestTheLastServiceStopsWhenTheFirstCallerGivesUp(t *testing.T) {
	var saw rpctest.Transcript
	for _, left := range []time.Duration{5 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			users := &UserService{takes: time.Minute}
			client, hangUp := serveOrders(&OrderService{takes: time.Second}, users)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			begin := time.Now()
			_, err := call[string](ctx, client, "OrderService.Describe", &Query{7, left})
			saw.Add("Query.Left %v: the caller gave up after %v: %v", left, time.Since(begin), err)
			hangUp()
			saw.Add("  the user service stopped after %v; users found for nobody: %d",
				time.Since(begin), users.found.Load())
		})
	}
	saw.Want(t, `
Query.Left 5s: the caller gave up after 5s: context deadline exceeded
  the user service stopped after 5s; users found for nobody: 0
Query.Left 1h0m0s: the caller gave up after 5s: context deadline exceeded
  the user service stopped after 1m1s; users found for nobody: 1`)
}
