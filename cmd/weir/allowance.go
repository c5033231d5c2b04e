package main

import (
	"slices"
	"sync"

	"weir/websocket"
)

// allowanceOctets is how much of large messages the sessions of /push and /source may have under
// way together. What a peer does not read is copied into its connection's queue, and a few octets
// ask for a message of 64 MiB.
const allowanceOctets = 2 * maxPayload

// allowance is what is left of it. Who finds too little waits, and comes in order.
type allowance struct {
	mu      sync.Mutex
	used    int64
	waiting []*turn
}

// turn is a session's part in the allowance. Its zero value sends small messages, and needs none.
type turn struct {
	all     *allowance
	size    int64
	session *websocket.Session
	holds   bool // under all.mu
}

// granted is posted to a session that has waited.
type granted struct{}

func (t *turn) large() bool { return t.all != nil }

// take says whether a message may be sent. If not the session is posted granted, when it may.
func (t *turn) take(s *websocket.Session) bool {
	if !t.large() {
		return true
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	if !t.holds && !slices.Contains(t.all.waiting, t) {
		t.session = s
		t.all.waiting = append(t.all.waiting, t)
		t.all.grant(t)
	}
	return t.holds
}

// give says that the message has left.
func (t *turn) give() {
	if !t.large() {
		return
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.release()
}

// leave is give for a session that has ended: it does not wait any more either.
func (t *turn) leave() {
	if !t.large() {
		return
	}
	t.all.mu.Lock()
	defer t.all.mu.Unlock()
	t.all.waiting = slices.DeleteFunc(t.all.waiting, func(w *turn) bool { return w == t })
	t.release()
}

// release is called with all.mu held.
func (t *turn) release() {
	if t.holds {
		t.holds = false
		t.all.used -= t.size
	}
	t.all.grant(nil)
}

// grant gives to those that wait, with mu held. asks is who is being answered, and needs no post.
func (a *allowance) grant(asks *turn) {
	for len(a.waiting) > 0 {
		t := a.waiting[0]
		if a.used+t.size > allowanceOctets {
			return
		}
		a.waiting = slices.Delete(a.waiting, 0, 1)
		a.used += t.size
		t.holds = true
		if t != asks {
			_ = t.session.Post(granted{}) // one that has ended gives it back by leave
		}
	}
}
