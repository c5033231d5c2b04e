package h2

import (
	"errors"
	"math"
	"net/http"
	"runtime/debug"

	"weir/stream"
)

// tunnel is a stream.Stream: an extended CONNECT that was answered 200.
type tunnel struct {
	c *conn
	s *coreStream

	// All under conn.mu.
	sink    stream.Sink
	pend    []byte // received, and not told yet: before Attach, or while somebody else was telling
	pendFin bool
	busy    bool // somebody is telling the sink
	noticed bool // in conn.notices
	drained bool // Drained is to be told
	cut     bool // Reset was called: Closed is all there is to tell
	closed  bool // the stream is over
	told    bool // Closed was told
}

var _ stream.Stream = (*tunnel)(nil)

// Attach names the sink. A window above the initial one is granted by WINDOW_UPDATE.
func (t *tunnel) Attach(s stream.Sink, l stream.Limits) {
	l = l.WithDefaults()
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.sink != nil {
		panic("h2: BUG: Attach twice")
	}
	t.sink = s
	t.s.low = int32(min(l.Low, math.MaxInt32))
	c.core.setPatience(t.s, max(l.WriteTimeout, 0))
	if l.Window > c.cfg.InitialWindow {
		c.core.grow(t.s, l.Window)
	}
	t.notice()
	c.after(false)
}

// Send queues octets and writes, for everybody, what can leave at once.
func (t *tunnel) Send(v [][]byte, fin bool) (queued int, err error) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if queued, err := c.core.send(t.s, v, fin); err != nil {
		return queued, told(err)
	}
	c.after(true)
	return t.s.queued(), nil
}

// Release gives credit back.
func (t *tunnel) Release(n int) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.release(t.s, n)
	c.after(false)
}

// Expect implements stream.Expecter.
func (t *tunnel) Expect(n, more int) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.expect(t.s, n, more)
	c.after(false)
}

// Reset sends RST_STREAM.
func (t *tunnel) Reset(code stream.Code) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	t.cut, t.pend, t.pendFin = true, nil, false
	if code == stream.NoError {
		c.core.hush(t.s)
	} else {
		c.core.reset(t.s, Code(code))
	}
	c.after(false)
}

// Info says what the stream runs on.
func (t *tunnel) Info() stream.Info { return t.c.info(t.s) }

func (c *conn) info(s *coreStream) stream.Info {
	return stream.Info{Transport: c.transport(), ID: uint64(s.id), Local: c.nc.LocalAddr(),
		Remote: c.nc.RemoteAddr(), TLS: c.tls}
}

// event takes what happened to the stream; mu is held. The reader delivers at once, and lends its
// buffer; anybody else leaves it to the notifier.
func (t *tunnel) event(ev event, reader bool) {
	switch ev.kind {
	case evData:
		if t.cut {
			t.c.core.discard(t.s, len(ev.data))
			return
		}
		if !reader || t.sink == nil || t.busy || len(t.pend) > 0 || t.pendFin {
			t.pend = append(t.pend, ev.data...)
			t.pendFin = t.pendFin || ev.fin
			t.notice()
			return
		}
		t.tellData(ev.data, ev.fin)
	case evDrained:
		t.drained = !t.cut
		t.notice()
	case evClosed:
		t.closed = true
		if reader && t.sink != nil && !t.busy {
			t.c.inSink = true
			defer func() { t.c.inSink = false }()
			t.tell()
			return
		}
		t.notice()
	}
}

// tellData tells the sink what the reader has read; mu is held, and let go meanwhile.
func (t *tunnel) tellData(b []byte, fin bool) {
	t.busy, t.c.inSink = true, true
	defer func() {
		t.busy, t.c.inSink = false, false
		if t.closed || len(t.pend) > 0 || t.pendFin {
			t.notice()
		}
	}()
	t.c.outside(func() { t.call(func() { t.sink.Data(b, fin) }) })
}

// notice has the notifier tell the sink what is there to tell; mu is held.
func (t *tunnel) notice() {
	if t.sink == nil || t.noticed {
		return
	}
	t.noticed = true
	t.c.notices = append(t.c.notices, t)
	t.c.startNotifier()
}

// tell tells the sink everything, in order; mu is held, and let go meanwhile. Data and Closed come
// from one goroutine at a time.
func (t *tunnel) tell() {
	if t.drained && !t.closed {
		t.drained = false
		t.c.outside(func() { t.call(t.sink.Drained) })
	}
	if t.busy {
		return // whoever is in the sink comes back to it
	}
	t.busy = true
	whole := false
	defer func() {
		if t.busy = false; !whole { // the sink called runtime.Goexit
			t.notice()
		}
	}()
	for !t.told {
		switch {
		case len(t.pend) > 0 || t.pendFin: // it came before the end: a close frame may be in it
			b, fin := t.pend, t.pendFin
			t.pend, t.pendFin = nil, false
			t.c.outside(func() { t.call(func() { t.sink.Data(b, fin) }) })
			continue
		case t.closed:
			t.told = true
			t.pend = nil
			t.c.outside(func() { t.call(func() { t.sink.Closed(told(t.s.why())) }) })
		}
		break
	}
	whole = true
}

// call calls a method of the sink. If it crashes the stream is reset: the connection and its other
// streams live. mu is not held.
func (t *tunnel) call(f func()) {
	guard(f, func(v any) {
		t.c.logf("h2: sink of stream %d of %s: %v\n%s", t.s.id, t.c.remote, crash(v), debug.Stack())
		t.Reset(stream.InternalError)
	})
}

// told is an error as a stream's user gets it: a plain reset is a *stream.ResetError.
func told(err error) error {
	if se, ok := errors.AsType[*StreamError](err); ok && se.Rule == "" {
		return se.reset()
	}
	return err
}

// openTunnel answers an extended CONNECT with 200, which leaves with the first Send.
func (c *conn) openTunnel(x *exchange, header http.Header) (*tunnel, error) {
	fields, err := tunnelFields(header)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := x.becomes(); err != nil {
		return nil, err
	}
	if err := c.core.answer(x.s, fields, false, true); err != nil {
		return nil, told(err)
	}
	return c.tunnelOf(x), nil
}

// takeOver makes a tunnel of an extended CONNECT that has no answer yet, for Hijack.
func (c *conn) takeOver(x *exchange) (*tunnel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := x.becomes(); err != nil {
		return nil, err
	}
	x.hijacked = true
	return c.tunnelOf(x), nil
}

// becomes says why x cannot be a tunnel; mu is held.
func (x *exchange) becomes() error {
	switch {
	case x.in.fin:
		return stream.ErrHalfClosed
	case x.closed:
		return told(x.closedErr())
	case x.returned: // meanwhile: the handler did not wait
		return http.ErrHijacked
	case x.answered:
		return stream.ErrAnswered
	}
	return nil
}

// tunnelOf makes the tunnel of x, which is its stream's owner from then on; mu is held.
func (c *conn) tunnelOf(x *exchange) *tunnel {
	x.reading.stop()
	x.writing.stop()
	t := &tunnel{c: c, s: x.s, pend: x.in.all()}
	x.countRoom() // from here on the credit says what is held
	x.s.owner = t
	x.opened = true
	c.core.setPatience(x.s, 0) // Attach says
	c.core.counts.tunnels++
	c.core.counts.tunnelsNow++
	c.setIdle(!c.serves())
	return t
}

// Finish says that what was sent is the whole answer, and that nothing of the peer's is wanted.
func (t *tunnel) Finish() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	t.cut, t.pend, t.pendFin = true, nil, false
	c.finish(t.s)
	c.after(false)
}

// GiveUp resets the stream behind what was sent.
func (t *tunnel) GiveUp() {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	t.cut, t.pend, t.pendFin = true, nil, false
	c.core.giveUp(t.s, InternalError)
	c.after(false)
}
