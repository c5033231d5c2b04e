package h2

import (
	"testing"
	"time"
)

// TestLowat: the limit goes down while the link has always something to send, and up when it has not.
func TestLowat(t *testing.T) {
	var l lowat
	var busy, dry time.Duration
	ms := time.Millisecond
	for _, tt := range []struct {
		why       string
		busy, dry time.Duration // since the last time
		want      int
	}{
		{"the first", 0, 0, 256 << 10},
		{"nothing was missing", 20 * ms, 0, 192 << 10},
		{"nor then", 20 * ms, 0, 144 << 10},
		{"a little was", 20 * ms, ms, 144 << 10},
		{"much was", 20 * ms, 2 * ms, 288 << 10},
		{"too short to say", 4 * ms, 4 * ms, 288 << 10},
		{"and on", 2 * ms, 0, 576 << 10},
		{"all was", 100 * ms, 100 * ms, 1152 << 10},
		{"all was", 100 * ms, 100 * ms, 2304 << 10},
		{"the most", 100 * ms, 100 * ms, 4 << 20},
		{"the most", 100 * ms, 100 * ms, 4 << 20},
	} {
		was := l.limit
		busy, dry = busy+tt.busy, dry+tt.dry
		if changed := l.adapt(busy, dry); l.limit != tt.want || changed != (was != l.limit) {
			t.Errorf("%s: %d (%v), want %d", tt.why, l.limit, changed, tt.want)
		}
	}
}

// TestLowatLeast: it does not go below lowatLeast, and is asked for now and then only, and for much.
func TestLowatLeast(t *testing.T) {
	var l lowat
	asked := 0
	for i := range 1000 {
		now := epoch.Add(time.Duration(i) * time.Millisecond)
		if l.due(100, now) {
			t.Fatal("a small write says nothing of the link")
		}
		if l.due(lowatBulk, now) {
			asked++
			l.adapt(now.Sub(epoch), 0)
		}
	}
	if asked != 50 || l.limit != lowatLeast {
		t.Errorf("asked %d times, the limit is %d", asked, l.limit)
	}
}
