package streamtest

import (
	"testing"
	"time"
)

// Patience is how long a test waits, on the real clock, for what is sure to come: nearly as long as
// go test lets it run. So a busy machine fails no test, and one that waits in vain can still say
// for what.
func Patience(t *testing.T) time.Duration {
	end, ok := t.Deadline()
	if !ok {
		return time.Hour
	}
	return time.Until(end) * 3 / 4
}

// Until waits until ok, and fails the test if that does not come to be.
func Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience(t)); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Within takes what comes from c, and fails the test if nothing does.
func Within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Patience(t)):
		t.Fatalf("never: %s", what)
	}
	return v
}
