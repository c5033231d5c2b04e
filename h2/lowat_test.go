package h2

import (
	"testing"
	"time"
)

// TestLowat: the limit follows what the link takes, and changes only by much.
func TestLowat(t *testing.T) {
	var l lowat
	now := epoch
	// run writes n octets every d, for a while, and gives the limits that were set.
	run := func(n int, d, during time.Duration) (set []int) {
		for end := now.Add(during); now.Before(end); now = now.Add(d) {
			if l.writes(n, now) {
				set = append(set, l.limit)
			}
		}
		return set
	}
	near := func(what string, want int) {
		t.Helper()
		if l.limit < want/2 || l.limit > 2*want {
			t.Errorf("%s: the limit is %d, want about %d", what, l.limit, want)
		}
	}
	if set := run(1000, time.Microsecond, 50*time.Millisecond); set != nil || l.limit != 0 {
		t.Errorf("small writes say nothing of the link, and set %v", set)
	}
	run(64<<10, 200*time.Millisecond, 2*time.Second)
	if l.limit != 0 {
		t.Errorf("a write now and then says nothing of the link, and set %d", l.limit)
	}
	run(64<<10, 5*time.Millisecond, time.Second) // 100 Mbit/s
	near("13 MB/s", 52<<10)
	if set := run(64<<10, 6*time.Millisecond, time.Second); set != nil {
		t.Errorf("a little slower, and set %v", set)
	}
	run(64<<10, 500*time.Microsecond, time.Second) // 1 Gbit/s
	near("131 MB/s", 512<<10)
	run(64<<10, 50*time.Millisecond, time.Second) // 10 Mbit/s
	near("1.3 MB/s", lowatLeast)
	run(256<<10, 20*time.Microsecond, time.Second)
	near("13 GB/s", lowatMost)
}
