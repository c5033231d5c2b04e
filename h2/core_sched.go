package h2

import "math/bits"

const (
	// quantum is how many octets a stream may send in a round: about a frame.
	quantum = 16 << 10
	// favour is how many octets those that go first may send for each one of those that wait.
	favour = 7
)

// scheduler says which of the streams that can send goes next (RFC 9218, 10). The order is
//
//   - a lower urgency before a higher one,
//   - among streams as urgent the incremental ones by rounds, in each of which one may send a
//     quantum of octets; the others one after the other in stream order; half of the octets each.
//
// A stream that has not had its quantum of the round goes before those that are about to begin the
// next one: an answer of a few octets does not wait for the turns of twenty downloads.
//
// Nobody starves: of eight octets one goes to those that had to wait because of the order. The
// urgencies that wait have it in turn, and in an urgency the streams.
//
// Octets are those of frames with their headers. A frame is not cut for a quantum: what it was over
// is taken off the next one.
type scheduler struct {
	levels [urgencies]level
	ready  uint8 // a bit for each level that has a stream
	helped uint8 // the level that was given something last because it waited
	owed   int   // octets of those that went first, favour of them for each that others are to have
	early  []earlyPriority
}

// level is the streams of one urgency that can send.
type level struct {
	turns  ring        // incremental; those of this round come before those of the next
	fresh  *coreStream // the last of those at the front of turns that came during the round
	serial ring        // the others, in stream order
	mark   uint32      // the stream that was given something last because it waited
	lead   int32       // octets that serial has sent more than turns, while both had streams
	round  uint8       // from 1 on
}

// nextRound is the number of the round behind r. A number is used again after a while: see begin.
func nextRound(r uint8) uint8 { return r + 1 }

// lastRound is behind which begin starts anew.
const lastRound = 254

// scheduler makes one when it is first needed: a connection of WebSockets may never do so.
func (c *core) scheduler() *scheduler {
	if c.sched == nil {
		c.sched = new(scheduler)
		for i := range c.sched.levels {
			c.sched.levels[i].round = 1
		}
	}
	return c.sched
}

// anyReady says that a stream can send something.
func (c *core) anyReady() bool { return c.sched != nil && c.sched.ready != 0 }

// only is the stream that can send if there is one, and no other.
func (d *scheduler) only() *coreStream {
	if d.ready&(d.ready-1) != 0 {
		return nil
	}
	l := &d.levels[bits.TrailingZeros8(d.ready)]
	switch s := l.turns.first; {
	case s != nil && s == l.turns.last && l.serial.first == nil:
		return s
	case s == nil && l.serial.first == l.serial.last:
		return l.serial.first
	}
	return nil
}

// push adds a stream that can send.
func (d *scheduler) push(s *coreStream) {
	u := s.prio.urgency()
	l := &d.levels[u]
	d.ready |= 1 << u
	switch {
	case s.prio&incremental == 0:
		before := l.serial.last
		if f := l.serial.first; f != nil && s.id < f.id {
			before = nil // most often it is the one that was served last
		}
		for before != nil && before.id > s.id {
			before = before.prev
		}
		l.serial.insert(s, before)
	case s.round == nextRound(l.round):
		l.turns.push(s)
	default:
		if s.round != l.round {
			s.round, s.left = l.round, quantum
		}
		l.turns.insert(s, l.fresh)
		l.fresh = s
	}
}

// remove takes a stream out.
func (d *scheduler) remove(s *coreStream) {
	u := s.prio.urgency()
	l := &d.levels[u]
	if l.fresh == s {
		l.fresh = s.prev
	}
	s.in.remove(s)
	if l.turns.first == nil || l.serial.first == nil {
		l.lead = 0
	}
	if l.turns.first == nil && l.serial.first == nil {
		d.ready &^= 1 << u
	}
}

// pick says which stream is next; there is one. helped: it is because it waited.
func (c *core) pick() (s *coreStream, helped bool) {
	d := c.sched
	top := bits.TrailingZeros8(d.ready)
	if d.owed >= favour*quantum {
		if s := d.waiting(top); s != nil {
			return s, true
		}
		d.owed = 0
	}
	l := &d.levels[top]
	if l.fresh == nil && l.serial.first != nil && (l.turns.first == nil || l.lead <= 0) {
		return l.serial.first, false
	}
	s = l.turns.first
	if s.round != l.round {
		c.begin(l)
	}
	return s, false
}

// begin begins the next round of a level: all its streams have had their share of the last one.
func (c *core) begin(l *level) {
	if l.round++; l.round <= lastRound {
		return
	}
	l.round = 1
	for s := c.oldest; s != nil; s = s.younger {
		if s.prio.urgency() == l.turns.first.prio.urgency() {
			s.round = 0 // long ago
		}
	}
	for s := l.turns.first; s != nil; s = s.succ {
		s.round = 1
	}
}

// sent books n octets that pick's stream has sent.
func (c *core) sent(s *coreStream, n int, helped bool) {
	d := c.sched
	if helped {
		d.owed -= favour * n
		return
	}
	u := s.prio.urgency()
	l := &d.levels[u]
	if d.ready&^(1<<u) != 0 || l.waits() {
		d.owed = min(d.owed+n, 2*favour*quantum)
	}
	if s.prio&incremental == 0 {
		if l.turns.first != nil {
			l.lead = min(l.lead+int32(n), 4*quantum)
		}
		return
	}
	if l.serial.first != nil {
		l.lead = max(l.lead-int32(n), -4*quantum)
	}
	if s.left = int16(max(int(s.left)-n, 1-quantum)); s.left > 0 {
		return
	}
	s.left += quantum
	ready := c.place(s) == isReady
	if ready {
		d.remove(s)
	}
	s.round = nextRound(l.round)
	if ready {
		d.push(s)
	}
}

// waits says that streams of the level have to wait because another of it goes first.
func (l *level) waits() bool {
	if l.fresh != nil {
		return l.fresh != l.turns.last || l.serial.first != nil
	}
	return l.serial.first != l.serial.last
}

// waiting is the next stream that is given something because it waits; nil: none does.
func (d *scheduler) waiting(top int) *coreStream {
	for i := range urgencies {
		u := (int(d.helped) + 1 + i) % urgencies
		l := &d.levels[u]
		switch {
		case d.ready&(1<<u) == 0:
			continue
		case u != top:
			d.helped = uint8(u)
			return l.help(nil)
		case l.waits():
			d.helped = uint8(u)
			if l.fresh != nil {
				return l.help(l.turns.first)
			}
			return l.help(l.serial.first)
		}
	}
	return nil
}

// help is the stream behind the one that help gave last, in stream order; not but, which need not
// wait.
func (l *level) help(but *coreStream) *coreStream {
	var first, next *coreStream
	for _, r := range [...]*ring{&l.turns, &l.serial} {
		for s := r.first; s != nil; s = s.succ {
			if s == but {
				continue
			}
			if first == nil || s.id < first.id {
				first = s
			}
			if s.id > l.mark && (next == nil || s.id < next.id) {
				next = s
			}
		}
	}
	if next == nil {
		next = first
	}
	l.mark = next.id
	return next
}
