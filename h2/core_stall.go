package h2

import (
	"os"
	"strconv"
	"time"
)

// stall is the part of a stream that may have octets to send and no window for them.
type stall struct {
	patience time.Duration // a stream that waits is given up after it; 0: never, but for cfg.hold
	since    time.Duration // of the connection's life; 0 until the time has been asked
}

// stalls is the same for the connection.
type stalls struct {
	n      int           // streams that are stalled
	fresh  []*coreStream // stalled, and not told when: whoever queues octets does not ask the time
	conn   time.Time     // since when streams wait for the connection's window; zero: none does
	socket time.Time     // since when the socket takes nothing of a write; zero: none is under way
	least  time.Duration // the least patience that a stream was ever given; 0: none was
}

// stallError ends a stream that nothing could be sent on, with id 0 the connection. It unwraps to
// os.ErrDeadlineExceeded.
type stallError struct{ id uint32 }

func (e *stallError) Error() string {
	if e.id == 0 {
		return "h2: the socket took nothing"
	}
	return "h2: stream " + strconv.FormatUint(uint64(e.id), 10) + ": nothing could be sent"
}

func (e *stallError) Unwrap() error { return os.ErrDeadlineExceeded }

// noteStall keeps the books on a stream of which schedule found that it has to wait for a window,
// or has not.
func (c *core) noteStall(s *coreStream, stalled bool) {
	if s.stalled == stalled {
		return
	}
	if s.stalled = stalled; stalled {
		c.stalls.n++
		c.stalls.fresh = append(c.stalls.fresh, s)
		return
	}
	c.stalls.n--
	if s.since != 0 {
		c.counts.streamsBlocked += max(c.age(c.now)-s.since, 0)
		s.since = 0
	}
	c.restStall()
}

// restStall stops the timer where nothing waits.
func (c *core) restStall() {
	if c.stalls.n == 0 && c.stalls.socket.IsZero() {
		c.timers.stall = time.Time{}
	}
}

// unstamped says that stamp has something to do.
func (c *core) unstamped() bool { return len(c.stalls.fresh) > 0 || c.timers.rests }

// stamp tells the streams that have stalled since when, and the connection since when it has none.
func (c *core) stamp(now time.Time) {
	if c.timers.rests {
		c.timers.idle, c.timers.rests = now.Add(c.cfg.idle), false
	}
	for _, s := range c.stalls.fresh {
		if !s.stalled || s.since != 0 {
			continue
		}
		s.since = c.age(now)
		switch {
		case s.patience > 0:
			c.timers.stallBy(now.Add(s.patience))
		case c.cfg.hold > 0 && !s.tunnel:
			c.timers.stallBy(now.Add(c.cfg.hold))
		}
	}
	if clear(c.stalls.fresh); cap(c.stalls.fresh) > 16 {
		c.stalls.fresh = nil
	}
	c.stalls.fresh = c.stalls.fresh[:0]
	if c.blocked.first != nil && c.stalls.conn.IsZero() {
		c.stalls.conn = now
	}
}

// connWindow notes that the connection's window has opened.
func (c *core) connUnblocked() {
	if t := &c.stalls.conn; !t.IsZero() {
		c.counts.connBlocked += max(c.now.Sub(*t), 0)
		*t = time.Time{}
	}
}

// setPatience says how long s may wait for a window or for the socket; 0: for ever.
func (c *core) setPatience(s *coreStream, d time.Duration) {
	if s.patience = d; d <= 0 {
		return
	}
	if c.stalls.least == 0 || d < c.stalls.least {
		c.stalls.least = d
	}
	if since, waits := c.waitsSince(s); waits {
		c.timers.stallBy(c.began.Add(since + d))
	}
}

// socketWaits notes that a write is under way that may have to wait: the socket takes nothing from
// now on. It may be called again when the socket has taken something.
func (c *core) socketWaits(now time.Time) {
	c.stalls.socket = now
	if d := c.stalls.least; d > 0 {
		c.timers.stallBy(now.Add(d))
	}
	if c.cfg.hold > 0 {
		c.timers.stallBy(now.Add(c.cfg.hold))
	}
}

// socketTook notes that all octets which swap gave are written. last: DATA of the last stream was
// among them, and the idle time begins only now, see stir.
func (c *core) socketTook() (last bool) {
	c.stalls.socket = time.Time{}
	c.written = c.turn
	c.restStall()
	return len(c.streams) == 0 && c.dataTurn == c.turn
}

// waitsSince is since when, in the connection's life, octets of s wait: for a window, or for the
// socket.
func (c *core) waitsSince(s *coreStream) (since time.Duration, waits bool) {
	switch {
	case s.stalled:
		return s.since, s.since != 0
	case c.stalls.socket.IsZero():
		return 0, false
	}
	return c.age(c.stalls.socket), int32(s.turn-c.written) > 0 || s.in != nil || s.lending
}

// sweepStalled gives up the streams whose patience is at an end.
func (c *core) sweepStalled(now time.Time) {
	c.timers.stall = time.Time{}
	for s := c.oldest; s != nil; {
		next := s.younger
		if since, waits := c.waitsSince(s); waits && s.patience > 0 {
			if by := c.began.Add(since + s.patience); now.Before(by) {
				c.timers.stallBy(by)
			} else {
				c.giveUpStalled(s)
			}
		}
		s = next
	}
	if c.cfg.hold > 0 {
		c.sweepHeld(now)
	}
	if d := max(c.cfg.hold, c.cfg.stall); d > 0 && c.err == nil {
		c.sweepSocket(now, d)
	}
}

func (c *core) giveUpStalled(s *coreStream) {
	c.counts.hit(LimitStall)
	c.writeReset(s.id, Cancel)
	c.close(s, goneByUs, &stallError{s.id})
}

// holdFree is how many octets of answers may wait without end. A client that pauses is served when
// it goes on: a video, a pager. One that has more waiting than a few of those is taken for an
// attacker (CVE-2019-9517).
const holdFree = 2 << 20

// sweepHeld gives up answers that have waited for the time of cfg.hold, the oldest streams first,
// while more than holdFree octets of the connection wait.
func (c *core) sweepHeld(now time.Time) {
	held := 0
	for s := c.oldest; s != nil; s = s.younger {
		held += s.queued()
	}
	waiting := !c.stalls.socket.IsZero()
	for s := c.oldest; s != nil; {
		next := s.younger
		if since, waits := c.waitsSince(s); waits && s.patience == 0 && !s.tunnel {
			waiting = true
			if held > holdFree && c.age(now)-since >= c.cfg.hold {
				held -= s.queued()
				c.giveUpStalled(s)
			}
		}
		s = next
	}
	if waiting {
		c.timers.stallBy(now.Add(c.cfg.hold))
	}
}

// sweepSocket ends a connection without streams whose socket has taken nothing for d: nobody waits
// for it.
func (c *core) sweepSocket(now time.Time, d time.Duration) {
	t := c.stalls.socket
	switch {
	case t.IsZero() || len(c.streams) > 0:
	case now.Sub(t) < d:
		c.timers.stallBy(t.Add(d))
	default:
		c.lost(&stallError{})
	}
}
