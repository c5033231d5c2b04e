package h3

import "time"

// renewTime is how often a connection looks for readers that have become idle.
const renewTime = 500 * time.Millisecond

// noteTold notes that the reader calls the sink. A handler may have run on its stack, which stays
// at twice the size of one that has only waited: 2 KiB of an idle WebSocket.
func (t *tunnel) noteTold() {
	t.tells.Add(1)
	if !t.grown.Swap(true) {
		t.c.renewLater()
	}
}

// renewLater has the connection look, if it does not already.
func (c *conn) renewLater() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.renewing || c.dead:
		return
	case c.renewTimer == nil:
		c.renewTimer = time.AfterFunc(renewTime, c.renewIdle)
	default:
		c.renewTimer.Reset(renewTime)
	}
	c.renewing = true
}

// renewIdle has the readers leave their place to new goroutines that have told nothing since it
// looked last. A deadline in the past ends their wait.
func (c *conn) renewIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	again := false
	for t := c.list; t != nil; t = t.next {
		if !t.grown.Load() {
			continue
		}
		again = true
		if n := t.tells.Load(); n != t.seen {
			t.seen = n
			continue
		}
		t.renew.Store(true)
		_ = t.qs.SetReadDeadline(time.Unix(1, 0)) // cannot fail
	}
	if c.renewing = again && !c.dead; c.renewing {
		c.renewTimer.Reset(renewTime)
	}
}

// renewed is called by the reader when a deadline has ended its wait. True: another goroutine is
// the reader from now on.
func (t *tunnel) renewed() bool {
	_ = t.qs.SetReadDeadline(time.Time{})
	if !t.renew.Swap(false) {
		return false
	}
	t.grown.Store(false)
	go t.run() // ends without credit, and with the stream
	return true
}
