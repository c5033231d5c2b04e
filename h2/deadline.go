package h2

import "time"

// deadline is one of the two of an exchange; it may be set anew at any time, a passed one too. Under conn.mu.
type deadline struct {
	x       *exchange
	timer   *time.Timer
	at      time.Time
	passed  bool
	stopped bool // nothing is left to wait for: no timer is started any more
}

func (d *deadline) init(x *exchange) { d.x = x }

func (d *deadline) set(t time.Time) {
	passed := !t.IsZero() && !time.Now().Before(t)
	d.at, d.passed = t, passed && (d.passed || !d.stopped)
	if d.timer != nil {
		d.timer.Stop()
	}
	if d == &d.x.reading {
		d.x.in.expire(d.passed)
	}
	if d.passed {
		d.x.wake()
	} else if !t.IsZero() && !d.stopped {
		if d.timer == nil {
			d.timer = time.AfterFunc(time.Until(t), d.fired)
		} else {
			d.timer.Reset(time.Until(t))
		}
	}
}

// stop ends the deadline for good. One that has passed stays passed.
func (d *deadline) stop() {
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}

func (d *deadline) fired() {
	x := d.x
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	if d.stopped || d.at.IsZero() || time.Now().Before(d.at) {
		return
	}
	d.passed = true
	if d == &x.reading {
		x.in.expire(true)
	}
	if d == &x.writing && x.returned && !x.closed && x.s.pending() { // nobody else gives up on this answer
		x.c.core.reset(x.s, InternalError)
		x.c.after(false)
	}
	x.wake()
}
