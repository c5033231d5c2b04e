package h2

import "net/http"

// setIdle notes whether there are streams, for the hook of http.Server.
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
	if c.srv != nil && c.srv.hs.ConnState != nil {
		c.states = append(c.states, s)
		c.startNotifier()
	}
}

func (c *conn) startNotifier() {
	if !c.notifying {
		c.notifying = true
		go c.notifier() // ends when there is nothing to tell
	}
}

// notify tells sinks and the hook of http.Server what did not happen on the reader.
func (c *conn) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.notices) > 0 || len(c.states) > 0 {
		ts, states := c.notices, c.states
		c.notices, c.states = nil, nil
		c.mu.Unlock()
		for _, s := range states {
			c.srv.hs.ConnState(c.nc, s)
		}
		c.mu.Lock()
		for _, t := range ts {
			t.noticed = false
			t.tell()
		}
	}
	c.notifying = false
}
