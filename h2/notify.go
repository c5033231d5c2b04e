package h2

import (
	"net/http"
	"runtime/debug"
)

// serves says whether there are requests that are answered. One that has become a tunnel is none
// for net/http: over HTTP/1.1 its connection is StateHijacked, which an http.Server does not wait
// for. Here others may follow on the connection, so it is StateIdle: programs that close idle
// connections when they end, as httptest.Server does, end its tunnels with it. mu is held.
func (c *conn) serves() bool { return len(c.core.streams) > c.core.counts.tunnelsNow }

// setIdle notes whether requests are answered, for the hook of http.Server.
func (c *conn) setIdle(idle bool) {
	if c.idle != idle {
		c.idle = idle
		if idle {
			c.state(http.StateIdle)
		} else {
			c.state(http.StateActive)
		}
	}
}

func (c *conn) state(s http.ConnState) {
	if c.srv == nil || c.srv.hs.ConnState == nil || c.ended {
		return
	}
	c.states = append(c.states, s)
	if !c.telling {
		c.telling = true
		go c.tellStates() // ends when there is nothing to tell
	}
}

// tellStates calls the hook of http.Server. It is a user's code: it may take its time, and sinks do
// not wait for it.
func (c *conn) tellStates() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if len(c.states) > 0 { // the hook called runtime.Goexit
			go c.tellStates() // ends when there is nothing to tell
			return
		}
		c.telling = false
		c.toldStates.Broadcast()
	}()
	for len(c.states) > 0 {
		s := c.states[0]
		c.states = c.states[1:]
		c.outside(func() {
			guard(func() { c.srv.hs.ConnState(c.nc, s) }, func(v any) {
				c.logf("h2: panic in http.Server.ConnState for %s: %v\n%s", c.remote, crash(v), debug.Stack())
			})
		})
	}
}

// endStates waits until the hook of http.Server has been told all states there were. net/http tells
// it StateClosed next, and that is the last one. mu is held, and let go meanwhile.
func (c *conn) endStates() {
	c.ended = true
	for c.telling {
		c.toldStates.Wait()
	}
}

func (c *conn) startNotifier() {
	if !c.notifying {
		c.notifying = true
		go c.notifier() // ends when there is nothing to tell
	}
}

// notify tells sinks what did not happen on the reader.
func (c *conn) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		c.notifying = false
		if len(c.notices) > 0 { // a sink called runtime.Goexit
			c.startNotifier()
		}
	}()
	for len(c.notices) > 0 {
		t := c.notices[0]
		if c.notices = c.notices[1:]; len(c.notices) == 0 {
			c.notices = nil
		}
		t.noticed = false
		t.tell()
	}
}
