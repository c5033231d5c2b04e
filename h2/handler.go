package h2

import (
	"net/http"
	"runtime/debug"
)

// run serves one request, and then those that wait.
func (c *conn) run(x *exchange) {
	for x != nil {
		x.serve()
		c.mu.Lock()
		x = nil
		for x == nil && len(c.waiting) > 0 {
			next := c.waiting[0]
			c.waiting = c.waiting[1:]
			if !next.closed {
				x = next
			}
		}
		if x == nil {
			c.waiting = nil
			c.running--
		}
		c.mu.Unlock()
	}
}

// serve calls the handler and ends the exchange, whatever the handler did.
func (x *exchange) serve() {
	w := &responseWriter{x: x, declared: -1}
	normal := false
	defer func() {
		if !normal {
			if r := recover(); r != nil && r != http.ErrAbortHandler {
				x.c.logf("h2: panic serving %v: %v\n%s", x.c.remote, r, debug.Stack())
			}
		}
		w.done = true
		x.end(normal)
	}()
	switch {
	case x.tooBig:
		answer(w, http.StatusRequestHeaderFieldsTooLarge)
	case x.malformed:
		answer(w, http.StatusBadRequest)
	case x.r.Method == http.MethodConnect && x.r.Header[":protocol"] == nil && !x.c.srv.cfg.PlainConnect:
		answer(w, http.StatusNotImplemented)
	default:
		x.c.handler.ServeHTTP(w, x.r)
	}
	normal = w.finish()
}

func answer(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

// end cleans up after the handler. The rest of a body that was not wanted is cut off with NO_ERROR once the answer has
// left (RFC 9113, 8.1); an answer that is not whole with INTERNAL_ERROR.
func (x *exchange) end(normal bool) {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	x.cancel()
	x.returned = true
	if x.opened {
		return
	}
	x.reading.set(x.reading.at) // nobody waits any more
	n := len(x.in.take())
	if !normal {
		c.core.reset(x.s, InternalError)
	} else {
		c.core.release(x.s, n)
		c.core.finish(x.s)
	}
	c.after(true)
}
