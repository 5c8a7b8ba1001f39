package async_test

import "time"

// Sleeper takes as long over a call as it is told.
type Sleeper struct{}

// Sleep sleeps for d, and returns it.
func (Sleeper) Sleep(d time.Duration, reply *time.Duration) error {
	time.Sleep(d)
	*reply = d
	return nil
}
