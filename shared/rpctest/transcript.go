package rpctest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Transcript is what a test writes down of what it sees, a line for each fact, to compare the
// whole once. So the lines that go test -v prints are those that the test wants. Its zero
// value is empty, and it may be used by several goroutines.
//
//	var saw rpctest.Transcript
//	saw.Add("Multiply(10, 20) = %d, %v", product, err)
//	saw.Want(t, `
//	Multiply(10, 20) = 200, <nil>`)
type Transcript struct {
	mu    sync.Mutex
	lines strings.Builder
}

// Add writes down a line, or several, in the form of fmt.Printf.
func (s *Transcript) Add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.lines, format, args...) // as it is, so that vet knows a printf
	s.lines.WriteByte('\n')
}

// Want prints the lines to t.Output, which shows them under -v, and marks the test as failed
// unless they are want, which may begin and end with a line feed.
func (s *Transcript) Want(t testing.TB, want string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.lines.String()
	fmt.Fprint(t.Output(), got)
	if want = strings.Trim(want, "\n") + "\n"; got != want {
		t.Errorf("the test saw\n%swant\n%s", got, want)
	}
}
