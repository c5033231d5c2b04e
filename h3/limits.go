package h3

import (
	"sync"
	"time"
)

// Limit is one of the bounds that a peer can run into.
type Limit int

// The limits, by the field of Config.
const (
	LimitConns      Limit = iota // MaxConns
	LimitHandshakes              // MaxHandshakes
	LimitQueued                  // MaxQueued
	LimitPeerResets              // MaxPeerResets
	LimitIgnored                 // MaxIgnored
	limits
)

var limitNames = [limits]string{"MaxConns", "MaxHandshakes", "MaxQueued", "MaxPeerResets",
	"MaxIgnored"}

// String is the name of the field of Config.
func (l Limit) String() string {
	if l < 0 || l >= limits {
		return "none"
	}
	return limitNames[l]
}

// rateTime is the time in which a rate gives back all it has.
const rateTime = 10 * time.Second

// rate lets so much happen at once, and as much again every rateTime, evenly.
type rate struct {
	most int // negative: as much as it likes

	mu   sync.Mutex
	used float64
	last time.Time
}

// take says whether n more may happen.
func (r *rate) take(n int) bool {
	if r.most < 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !r.last.IsZero() {
		r.used = max(0, r.used-float64(r.most)*float64(now.Sub(r.last))/float64(rateTime))
	}
	r.last = now
	r.used += float64(n)
	return r.used <= float64(r.most)
}
