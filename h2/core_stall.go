package h2

import (
	"os"
	"strconv"
	"time"
)

// stall is the part of a stream that may have octets to send and no window for them.
type stall struct {
	patience time.Duration // a stream that is stalled is given up after it; 0: never
	since    time.Duration // of the connection's life; 0 until the time has been asked
}

// stalls is the same for the connection.
type stalls struct {
	fresh []*coreStream // stalled, and not told when: whoever queues octets does not ask the time
	conn  time.Time     // since when streams wait for the connection's window; zero: none does
}

// stallError ends a stream that nothing could be sent on. It unwraps to os.ErrDeadlineExceeded.
type stallError struct{ id uint32 }

func (e *stallError) Error() string {
	return "h2: stream " + strconv.FormatUint(uint64(e.id), 10) + ": nothing could be sent for want of window"
}

func (e *stallError) Unwrap() error { return os.ErrDeadlineExceeded }

// noteStall keeps the books on a stream of which schedule found that it has to wait for a window, or has not.
func (c *core) noteStall(s *coreStream, stalled bool) {
	if s.stalled == stalled {
		return
	}
	if s.stalled = stalled; stalled {
		c.stalls.fresh = append(c.stalls.fresh, s)
		return
	}
	if s.since != 0 {
		c.counts.streamsBlocked += max(c.age(c.now)-s.since, 0)
		s.since = 0
	}
}

// unstamped says that stamp has something to do.
func (c *core) unstamped() bool { return len(c.stalls.fresh) > 0 }

// stamp tells the streams that have stalled since when.
func (c *core) stamp(now time.Time) {
	for _, s := range c.stalls.fresh {
		if !s.stalled || s.since != 0 {
			continue
		}
		s.since = c.age(now)
		if s.patience > 0 {
			c.timers.stallBy(now.Add(s.patience))
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

// setPatience says how long s may be stalled; 0: for ever.
func (c *core) setPatience(s *coreStream, d time.Duration) {
	if s.patience = d; d > 0 && s.since != 0 {
		c.timers.stallBy(c.began.Add(s.since + d))
	}
}

// sweepStalled gives up the streams whose patience is at an end.
func (c *core) sweepStalled(now time.Time) {
	c.timers.stall = time.Time{}
	for s := c.oldest; s != nil; {
		next := s.younger
		if s.stalled && s.since != 0 && s.patience > 0 {
			if by := c.began.Add(s.since + s.patience); now.Before(by) {
				c.timers.stallBy(by)
			} else {
				c.counts.hit(LimitStall)
				c.writeReset(s.id, Cancel)
				c.close(s, goneByUs, &stallError{s.id})
			}
		}
		s = next
	}
}
