package h2

import "time"

// timers are the connection's deadlines; the zero time is none.
type timers struct {
	hello time.Time // for the preface and the first SETTINGS (RFC 9113, 3.4)
	ack   time.Time // for the ACK of our SETTINGS (RFC 9113, 6.5.3)
	field time.Time // for the end of a field block
	idle  time.Time // without a stream until then: leave
	rests bool      // idle is of an older time than it should be, see stamp
	stall time.Time // a stream's patience may be at an end
}

func (t *timers) start(c *core) {
	if d := c.cfg.handshake; d > 0 {
		t.hello, t.ack = c.now.Add(d), c.now.Add(d)
	}
	if !c.cfg.client {
		t.rest(c)
	}
}

// greeted takes the peer's first SETTINGS. A client waits for them before it opens a stream, so its
// idle time begins with them.
func (t *timers) greeted(c *core) {
	t.hello = time.Time{}
	if c.cfg.client {
		t.rest(c)
	}
}

func (t *timers) acked()     { t.ack = time.Time{} }
func (t *timers) busy()      { t.idle, t.rests = time.Time{}, false }
func (t *timers) blockDone() { t.field = time.Time{} }

func (t *timers) block(c *core) {
	if d := c.cfg.handshake; d > 0 {
		t.field = c.now.Add(d)
	}
}

func (t *timers) stallBy(d time.Time) {
	if t.stall.IsZero() || d.Before(t.stall) {
		t.stall = d
	}
}

// rest begins the idle time. The last stream may have been ended from outside, long after anything
// was told the time: stamp begins it again then.
func (t *timers) rest(c *core) {
	if d := c.cfg.idle; d > 0 {
		t.idle, t.rests = c.now.Add(d), true
	}
}

// stir begins the idle time anew where it runs: the peer has opened a window, so it takes what was
// sent.
func (t *timers) stir(c *core) {
	if !t.idle.IsZero() {
		t.rest(c)
	}
}

// idles says that the connection has been without a stream for its idle time.
func (c *core) idles(now time.Time) bool {
	t := c.timers.idle
	return c.err == nil && !t.IsZero() && !now.Before(t)
}

// stir begins the idle time anew: octets of the last streams are still on their way.
func (c *core) stir(now time.Time) {
	c.now = now
	c.timers.stir(c)
}

// deadline is when tick has something to do next; the zero time: never.
func (c *core) deadline() time.Time {
	var first time.Time
	if c.err != nil {
		return first
	}
	t := &c.timers
	by := time.Time{}
	if c.leave.step == leaveAsked {
		by = c.leave.by
	}
	for _, d := range [...]time.Time{t.hello, t.ack, t.field, t.idle, t.stall, by, c.keep.by(&c.cfg)} {
		if !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return first
}

// tick does what is due. Early or late calls do no harm.
func (c *core) tick(now time.Time) {
	c.now = now
	if c.err != nil {
		return
	}
	t := &c.timers
	due := func(d time.Time) bool { return !d.IsZero() && !now.Before(d) }
	switch {
	case due(t.hello):
		c.exceedBy(LimitHandshake, ProtocolError, "RFC 9113, 3.4", "no SETTINGS in time")
	case due(t.ack):
		c.exceedBy(LimitHandshake, SettingsTimeout, "RFC 9113, 6.5.3", "no ACK of SETTINGS in time")
	case due(t.field):
		c.exceedBy(LimitHandshake, EnhanceYourCalm, "RFC 9113, 10.5.1", "field block without end")
	case due(t.idle):
		t.idle = time.Time{}
		c.leaveNow()
	}
	if due(c.keep.by(&c.cfg)) && c.err == nil {
		c.keepAlive()
	}
	if due(t.stall) && c.err == nil {
		c.sweepStalled(now)
	}
	if c.leave.step == leaveAsked && due(c.leave.by) {
		c.leaveNow()
	}
}
