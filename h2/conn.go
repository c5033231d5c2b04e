package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"weir/stream"
)

// conn is the shell round one core: the socket, the clock, the lock, the goroutines. Nothing of a user is called with mu
// held.
type conn struct {
	srv     *Server
	nc      net.Conn
	tls     *tls.ConnectionState
	handler http.Handler
	ctx     context.Context
	cancel  context.CancelFunc
	remote  string

	mu       sync.Mutex
	core     *core
	flushing bool   // somebody writes, and writes on until nothing is left
	spare    []byte // the buffer of the last write
	inSink   bool   // the reader is inside a sink: nobody may write to the socket on its goroutine
	hungUp   bool
	timer    *time.Timer
	armed    time.Time // when timer fires
	flusher  func()    // method values, so that go statements do not allocate
	notifier func()

	running int         // handlers
	waiting []*exchange // requests whose handler has not been started

	notices   []*tunnel        // those whose sink has something to be told
	states    []http.ConnState // for the hook of http.Server
	notifying bool
	idle      bool
}

func newConn(s *Server, nc net.Conn, state *tls.ConnectionState, h http.Handler, ctx context.Context) *conn {
	c := &conn{srv: s, nc: nc, tls: state, handler: h}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.core = newCore(s.cfg.core(), state == nil, time.Now())
	c.flusher, c.notifier = c.flushOn, c.notify
	return c
}

// serve reads until the connection has ended. It runs on the goroutine of net/http's hook.
func (c *conn) serve() {
	defer c.cancel()
	c.mu.Lock()
	c.state(http.StateActive)
	c.setIdle(true)
	if c.tls != nil && !c.srv.secure(c.tls) {
		c.core.fail(InadequateSecurity, "RFC 9113, 9.2", "TLS below what HTTP/2 asks for")
	}
	c.after(false)
	c.mu.Unlock()
	buf := make([]byte, 4096)
	for {
		n, err := c.nc.Read(buf)
		if !c.arrived(buf[:n], err) {
			break
		}
		if n == len(buf) && n < 32<<10 {
			buf = make([]byte, 32<<10)
		} else if n < 2048 && len(buf) > 4096 {
			buf = make([]byte, 4096)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
	var ce *ConnError
	if errors.As(c.core.err, &ce) {
		c.srv.log.Debug("h2: connection ended", "remote", c.remote, "err", ce)
	}
}

// arrived takes what was read. False: the connection has ended.
func (c *conn) arrived(b []byte, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.crashed(&more)
	if len(b) > 0 {
		c.core.feed(b, time.Now())
		for ev, ok := c.core.next(); ok; ev, ok = c.core.next() {
			c.dispatch(ev, true)
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		c.core.lost(err)
	}
	c.after(false)
	return err == nil
}

// crashed ends the connection, and no more, when the core or the shell panicked; mu is held.
func (c *conn) crashed(more *bool) {
	r := recover()
	if r == nil {
		return
	}
	c.logf("h2: connection of %s: %v\n%s", c.remote, r, debug.Stack())
	c.core.events = queue{}
	c.core.fail(InternalError, "RFC 9113, 7", "")
	c.after(false)
	*more = true // until the flusher has hung up
}

// after is what everybody does who did something to the core: tell what came of it, see to the output and the timer.
// mu is held; it is let go while the caller writes, which happens only if inline, and for one write at most.
func (c *conn) after(inline bool) {
	c.events()
	if !c.flushing && (c.core.pending() || c.core.over() && !c.hungUp) {
		c.flushing = true
		if inline && !c.inSink {
			c.flush(false)
		} else {
			go c.flusher() // ends when there is nothing to write
		}
	}
	c.arm()
}

// events takes what happened besides parsing; mu is held.
func (c *conn) events() {
	for ev, ok := c.core.pop(); ok; ev, ok = c.core.pop() {
		c.dispatch(ev, false)
	}
}

func (c *conn) flushOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := true
	defer c.crashed(&more)
	c.flush(true)
	c.arm()
}

// flush writes what there is, one write after the other; mu is held, but not during a write. A caller that has better to
// do (own false) does one write and leaves the rest to a goroutine.
func (c *conn) flush(own bool) {
	whole := false
	defer func() {
		if !whole { // a panic: the next one writes
			c.flushing = false
		}
	}()
	for n := 0; c.core.pending(); n++ {
		if n > 0 && !own {
			whole = true
			go c.flusher() // ends when there is nothing to write
			return
		}
		out := c.core.swap(c.spare, time.Now())
		c.spare = nil
		c.events()
		if len(out) > 0 {
			c.mu.Unlock()
			err := c.write(out)
			c.mu.Lock()
			if err != nil {
				c.lose(err)
			}
		}
		c.spare = out[:0]
	}
	if cap(c.spare) > 16<<10 { // an idle connection keeps small buffers only
		c.spare = nil
	}
	if len(c.core.out) == 0 && cap(c.core.out) > 16<<10 {
		c.core.out = nil
	}
	if c.core.over() && !c.hungUp {
		c.hungUp = true
		c.mu.Unlock()
		c.hangUp()
		c.mu.Lock()
	}
	c.flushing, whole = false, true
	if c.core.over() && c.core.pending() { // said while we hung up: it goes nowhere
		c.core.out = nil
	}
}

func (c *conn) write(b []byte) error {
	if d := c.srv.cfg.WriteTimeout; d > 0 {
		if err := c.nc.SetWriteDeadline(time.Now().Add(d)); err != nil {
			return err
		}
	}
	_, err := c.nc.Write(b)
	return err
}

// hangUp ends our side of the socket; the reader drains what still arrives, for a short while.
func (c *conn) hangUp() {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok && cw.CloseWrite() == nil {
		if c.nc.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
			return
		}
	}
	c.nc.Close()
}

// lose ends the connection for an error of the socket; mu is held.
func (c *conn) lose(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("h2: write: %w", os.ErrDeadlineExceeded)
	}
	c.core.lost(err)
	c.core.out = nil
	c.hungUp = true
	c.nc.Close()
	c.events()
}

// cut ends the connection from outside, at once.
func (c *conn) cut(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lose(err)
}

func (c *conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.goAway(time.Now())
	c.after(false)
}

// arm sees to it that the timer fires no later than the core wants; it may fire early.
func (c *conn) arm() {
	d := c.core.deadline()
	if d.IsZero() || !c.armed.IsZero() && !d.Before(c.armed) {
		return
	}
	c.armed = d
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Until(d), c.fired)
		return
	}
	c.timer.Reset(time.Until(d))
}

func (c *conn) fired() {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := true
	defer c.crashed(&more)
	c.armed = time.Time{}
	c.core.tick(time.Now())
	c.after(false)
}

// dispatch brings an event to where it belongs. Only the reader may deliver to sinks; mu is held, and let go meanwhile.
func (c *conn) dispatch(ev event, reader bool) {
	switch ev.kind {
	case evRequest:
		c.setIdle(false)
		c.begin(ev)
		return
	case evGoAway:
		if ev.err != nil {
			c.srv.log.Debug("h2: GOAWAY received", "remote", c.remote, "err", ev.err)
		}
		return
	case evClosed:
		c.setIdle(len(c.core.streams) == 0)
	}
	switch o := ev.s.owner.(type) {
	case *exchange:
		o.event(ev)
	case *tunnel:
		o.event(ev, reader)
	}
}

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
	if c.srv.hs.ConnState != nil {
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

func (c *conn) logf(format string, args ...any) {
	if l := c.srv.hs.ErrorLog; l != nil {
		l.Printf(format, args...)
		return
	}
	log.Printf(format, args...) // as net/http does
}

// transport names what the connection's streams run on.
func (c *conn) transport() stream.Transport {
	if c.tls != nil {
		return stream.H2
	}
	return stream.H2C
}
