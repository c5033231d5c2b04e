package h2

import (
	"net/http"
	"runtime/debug"
)

// run serves one request, and then those that wait.
func (c *conn) run(x *exchange) {
	defer func() {
		if x == nil {
			return
		}
		if x = c.waits(); x != nil { // the handler called runtime.Goexit: this goroutine is lost
			go c.run(x) // ends when the handler has returned and no request waits
		}
	}()
	for x != nil {
		x.serve()
		x = c.waits()
	}
}

// waits takes the next request whose handler has not been started; without one, the place of a
// handler is free.
func (c *conn) waits() *exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) > 0 {
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		if !next.closed {
			next.waits = false
			return next
		}
	}
	c.waiting = nil
	if c.running--; c.running == 0 && c.crowd {
		c.dropContext()
	}
	return nil
}

// serve calls the handler and ends the exchange, whatever the handler did.
func (x *exchange) serve() {
	w := &x.w
	*w = responseWriter{x: x, declared: -1}
	normal := false
	defer func() {
		if !normal {
			if r := recover(); r != nil && r != http.ErrAbortHandler {
				defer x.c.logf("h2: panic serving %v: %v\n%s", x.c.remote, r, debug.Stack())
			}
		}
		w.done.Store(true)
		x.end(normal)
	}()
	switch {
	case x.tooBig:
		answer(w, http.StatusRequestHeaderFieldsTooLarge)
	case x.malformed:
		answer(w, http.StatusBadRequest)
	case x.connect && !x.protocol && !x.c.srv.cfg.PlainConnect:
		answer(w, http.StatusNotImplemented)
	case x.upgrade:
		x.c.handler.ServeHTTP(upgradeWriter{w}, x.r)
	default:
		x.c.handler.ServeHTTP(w, x.r)
	}
	if normal = w.finish(); normal && x.tooBig {
		w.discard()
	}
}

func answer(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

// end cleans up after the handler. The rest of a body that was not wanted is cut off with NO_ERROR
// once the answer has left (RFC 9113, 8.1); an answer that is not whole with INTERNAL_ERROR, behind
// what the handler wrote.
func (x *exchange) end(normal bool) {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	x.cancel()
	x.returned = true
	if x.opened {
		x.abandoned(normal)
		return
	}
	x.reading.stop() // nobody waits any more
	spent, n := x.in.drop()
	x.countRoom()
	c.core.release(x.s, spent)
	c.core.readEnds(&x.growth)
	switch {
	case !normal && x.writing.passed:
		c.core.reset(x.s, InternalError)
	case !normal:
		c.core.withhold(x.s, n)
		c.core.giveUp(x.s, InternalError)
	default:
		if c.core.discard(x.s, n); x.unread && x.s.state != stateClosed {
			c.core.announce(x.s)
		}
		c.finish(x.s)
	}
	c.after(true)
}
