package h2

import (
	"time"
)

const (
	// firstWindow is the window that a stream gets at its handler's first Read, as far as the
	// bounds allow.
	firstWindow = 1 << 20
	// leastGrant is the least by which a window is worth an update of its own.
	leastGrant = 16 << 10
	// growWithin is the number of round trips within which a whole window has to be read for it to
	// grow.
	growWithin = 4
	// fillRate is as many octets a second as any way takes. What the peer may send beyond a round
	// trip of it waits in our socket, and so does a WebSocket's message behind it.
	fillRate = 2 << 30
)

// growth is how far the window of one request's body has grown, and what decides whether it grows
// on. The window is the initial one until a handler reads the body: a stream that nobody reads, and
// a WebSocket, never has more than it asked for.
type growth struct {
	begun   bool
	granted int       // octets of window above the initial one
	since   time.Time // the measure: when it began,
	read    int       // and the octets that were read since
}

// fast says that a whole window would be read in less than growWithin round trips, at the rate at
// which a part of it was.
func (g *growth) fast(window int, rtt time.Duration, now time.Time) bool {
	whole := now.Sub(g.since).Seconds() * float64(window) / float64(g.read)
	return rtt > 0 && whole < growWithin*rtt.Seconds()
}

// readBegins is what the handler's first Read does: the stream's window grows before anything was
// measured, for a window of 65 535 octets lets a peer far away send no more than that in a round
// trip.
func (c *core) readBegins(s *coreStream, g *growth, now time.Time) {
	if g.begun {
		return
	}
	g.begun, g.since = true, now
	c.widen(s, g, firstWindow)
}

// readBody gives back the credit of n octets that the handler has read. The window doubles when
// more than half of it was read so fast that a whole one would take no more than growWithin round
// trips: then the peer waits for credit.
func (c *core) readBody(s *coreStream, g *growth, n int, now time.Time) {
	if s.state == stateClosed {
		return
	}
	if n = c.free(s, n); n == 0 {
		return
	}
	if s.lack > 0 {
		c.consumed(s, n)
	}
	g.read += n
	if !c.wantsMore(s) {
		return
	}
	if target := s.credit.Target(); g.begun && 2*g.read > target {
		if g.fast(target, c.trip.rtt, now) && c.widen(s, g, max(2*target, firstWindow)) {
			c.trip.measure(c, now)
		}
		g.since, g.read = now, 0
	}
	if inc := s.credit.Flush(batch(s)); inc > 0 {
		c.sendCredit(s.id, inc)
		// In the same write: a peer is not to wait for the connection's window instead.
		c.sendCredit(0, c.credit.Flush(leastGrant))
	}
}

// batch is how many octets of a body are read for one WINDOW_UPDATE. What is withheld meanwhile is
// lost to a peer far away.
func batch(s *coreStream) int { return max(s.credit.Target()/4, 1) }

// untilUpdate is how many octets of s have to be read until readBody has something to do, as things
// are now.
func (c *core) untilUpdate(s *coreStream) int {
	switch {
	case s.lack > 0:
		return 0
	case s.state == stateClosed || !c.wantsMore(s):
		return batch(s) // more of it is not to count as if nobody had read it
	}
	return max(batch(s)-s.credit.Due(), 0)
}

// wantsMore says that the peer may have more to send than it is allowed by now. It is to have an
// octet more than content-length leaves to come: nghttp2 sends not even an empty frame, with
// END_STREAM, into a window of 0.
func (c *core) wantsMore(s *coreStream) bool {
	return s.state != stateRemoteEnded && (s.length < 0 || int64(s.credit.Outstanding()) <= s.length)
}

// announce sends the credit of s that is due.
func (c *core) announce(s *coreStream) {
	if c.wantsMore(s) {
		c.sendCredit(s.id, s.credit.Update())
	}
}

// widen grows the window of s to target, as far as it is of use and the bounds allow: no stream
// gets more than half of what the connection has left, so that there is something for the next one.
// The connection's window grows with it. False: not at all.
func (c *core) widen(s *coreStream, g *growth, target int) bool {
	if s.state == stateClosed || !c.wantsMore(s) {
		return false
	}
	target = min(target, c.cfg.maxWindow)
	if s.length >= 0 { // all that content-length leaves to come, see wantsMore
		target = int(min(int64(target), s.length+1+int64(s.credit.Held())))
	}
	more := min(target-s.credit.Target(), (c.cfg.maxConnWindow-c.granted)/2)
	if more < leastGrant {
		return false
	}
	g.granted += more
	c.granted += more
	c.sendCredit(s.id, s.credit.Resize(s.credit.Target()+more))
	c.sendCredit(0, c.credit.Resize(c.connTarget()))
	return true
}

// readEnds takes back what the window of a body had grown by: nobody reads it any more, and nothing
// of it is kept.
func (c *core) readEnds(g *growth) {
	c.granted -= g.granted
	g.granted = 0
	c.credit.Resize(c.connTarget()) // shrinks: what was announced stays
}

// connTarget is the connection's window: what the bodies were granted comes on top of what it is
// without them.
func (c *core) connTarget() int {
	most := c.cfg.maxConnWindow
	if rtt := c.trip.rtt; rtt > 0 && rtt < time.Second {
		most = min(most, int(rtt*fillRate/time.Second))
	}
	return max(min(c.cfg.connWindow+c.granted, most), c.cfg.connWindow)
}

// trip is the round trip to the peer, measured: the shortest that was seen, for the peer may be
// slow to answer, and what waits in queues on the way counts as time, too. The first measure is the
// peer's ACK of our SETTINGS.
type trip struct {
	rtt   time.Duration // 0: not known
	asked time.Time     // when our PING was sent that has not been answered; zero: none
}

// tripPing is the payload of its PING.
const tripPing = "\x00weirrtt"

func (t *trip) took(d time.Duration) {
	if d = max(d, time.Microsecond); t.rtt == 0 || d < t.rtt {
		t.rtt = d
	}
}

// measure sends a PING (RFC 9113, 6.7), if none is on its way.
func (t *trip) measure(c *core, now time.Time) {
	if t.asked.IsZero() && c.err == nil {
		t.asked = now
		c.must(c.fr.WritePing(false, [8]byte([]byte(tripPing))))
	}
}

// pong takes the peer's answer to a PING. True: it was to this one.
func (t *trip) pong(data [8]byte, now time.Time) bool {
	if t.asked.IsZero() || string(data[:]) != tripPing {
		return false
	}
	t.took(now.Sub(t.asked))
	t.asked = time.Time{}
	return true
}
