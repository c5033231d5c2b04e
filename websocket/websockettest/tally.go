package websockettest

import (
	"sync"
	"time"
)

// tally counts what is under way, by name.
type tally struct {
	mu   sync.Mutex
	n    map[string]int
	idle chan struct{} // closed when nothing is; nil: nobody waits
}

func (t *tally) begin(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[name]++
}

func (t *tally) end(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n[name]--; t.n[name] == 0 {
		delete(t.n, name)
	}
	if len(t.n) == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// wait waits until nothing is under way, and gives the names of what still is after d.
func (t *tally) wait(d time.Duration) (left []string) {
	t.mu.Lock()
	if len(t.n) > 0 && t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	if idle == nil {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-idle:
		return nil
	case <-timer.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.n {
		left = append(left, name)
	}
	return left
}
