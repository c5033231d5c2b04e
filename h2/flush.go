package h2

import "runtime"

// flushOn is flush on a goroutine of its own.
func (c *conn) flushOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := true
	defer c.crashed(&more)
	c.flush(true, true)
	c.arm()
}

// flush writes what there is, one write after the other; mu is held, but not during a write. A
// caller that has better to do (own false) does one write and leaves the rest to a goroutine; so
// does one that must not wait (waits false) when the socket takes no more.
func (c *conn) flush(own, waits bool) {
	whole := false
	defer func() {
		if !whole { // a panic: the next one writes
			c.flushing = false
		}
		c.wrote.Broadcast()
	}()
	for n := 0; c.begun != nil || c.core.pending(); n++ {
		if n > 0 && !own || !c.put(waits) {
			whole = true
			go c.flusher() // ends when there is nothing to write
			return
		}
		if own && c.core.pending() && c.unyielded >= fairShare { // the socket may take it all
			c.unyielded = 0
			c.outside(runtime.Gosched)
		}
	}
	c.rest()
	c.unyielded = 0
	if c.core.over() && !c.hungUp {
		c.hungUp = true
		c.outside(c.hangUp)
	}
	c.flushing, whole = false, true
	if c.hungUp && c.core.pending() { // said while we hung up
		c.core.out = nil
	}
}

// rest lets an idle connection keep small buffers only.
func (c *conn) rest() {
	if cap(c.spare) > outKeep {
		c.spare = nil
	}
	if len(c.core.out) == 0 && cap(c.core.out) > outKeep {
		freeOut(c.core.out)
		c.core.out = nil
	}
}
