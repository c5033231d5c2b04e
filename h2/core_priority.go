package h2

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// priority is how urgent a stream is, and how it shares with others as urgent (RFC 9218, 4): the
// urgency in the low bits, and flags.
type priority uint8

const urgencies = 8

const (
	incremental    priority = 1 << (iota + 3) // it shares by turns; without: in stream order
	ownUrgency                                // the handler named the urgency: it stays
	ownIncremental                            // the handler named incremental: it stays

	// defaultPriority is for a client that names priorities (RFC 9218, 4.1 and 4.2).
	defaultPriority priority = 3
	// silentPriority is for a request without one. A client that knows nothing of priorities means
	// no order by that, and one long answer must not hold up all that are asked for later.
	silentPriority = defaultPriority | incremental
	// tunnelPriority is for CONNECT: somebody waits at the other end of a WebSocket. What a page
	// cannot be shown without (0) goes before it, and one that fills the connection holds up no
	// other (RFC 9218, 11).
	tunnelPriority = 1 | incremental
)

func (p priority) urgency() int { return int(p & (urgencies - 1)) }

// named is what a Priority Field Value says.
type named struct {
	u int8 // the urgency; -1: it does not say
	i int8 // 0 or 1, incremental; -1: it does not say
}

var unnamed = named{-1, -1}

// read adds what one line of a field says. False: it is no Dictionary, and says nothing at all.
// Members that are not known, of another type or out of range are ignored (RFC 9218, 4).
func (n *named) read(line string) bool {
	d := dict{s: line}
	for {
		key, v, ok := d.next()
		if !ok || key == "" {
			return ok
		}
		switch key { // the last of a name counts (RFC 9651, 4.2.2)
		case "u":
			if n.u = -1; v.kind == sfInteger && 0 <= v.n && v.n < urgencies {
				n.u = int8(v.n)
			}
		case "i":
			if n.i = -1; v.kind == sfBoolean {
				n.i = int8(v.n)
			}
		}
	}
}

// with is p, but for what n says.
func (p priority) with(n named) priority {
	if n.u >= 0 {
		p = p&^(urgencies-1) | priority(n.u)
	}
	switch n.i {
	case 0:
		p &^= incremental
	case 1:
		p |= incremental
	}
	return p
}

// base is what a stream has where the client names a part of its priority only.
func (s *coreStream) base() priority {
	if s.tunnel {
		return tunnelPriority
	}
	return defaultPriority
}

// firstPriority gives a stream that was just opened its priority: by a PRIORITY_UPDATE that came
// before it, which overrides any other signal (RFC 9218, 7), else by its fields.
func (c *core) firstPriority(s *coreStream, fields []hpack.HeaderField) {
	s.prio = silentPriority
	if s.tunnel {
		s.prio = tunnelPriority
	}
	if n, ok := c.takeEarly(s.id); ok {
		s.prio = s.base().with(n)
		return
	}
	n, said := unnamed, false
	for i := range fields {
		switch fields[i].Name {
		case "priority": // its lines are one Dictionary (RFC 9651, 4.2)
			if said = n.read(fields[i].Value); !said {
				return
			}
		case "forwarded", "via", "x-forwarded-for":
			// RFC 9218, 13.1: many clients may be behind an intermediary, and what one of them says
			// of its requests is no measure for those of the others.
			return
		}
	}
	if said {
		s.prio = s.base().with(n)
	}
}

// answerPriority obeys the Priority field of an answer: what the handler names counts, and the
// rest stays the client's (RFC 9218, 8).
func (c *core) answerPriority(s *coreStream, fields []hpack.HeaderField) {
	n, said := unnamed, false
	for i := range fields {
		if fields[i].Name == "priority" {
			if said = n.read(fields[i].Value); !said {
				return
			}
		}
	}
	if !said {
		return
	}
	p := s.prio.with(n)
	if n.u >= 0 {
		p |= ownUrgency
	}
	if n.i >= 0 {
		p |= ownIncremental
	}
	c.prioritize(s, p)
}

// updated is the client's new priority to, but for what the handler has named.
func (p priority) updated(to priority) priority {
	keep := ownUrgency | ownIncremental
	if p&ownUrgency != 0 {
		keep |= urgencies - 1
	}
	if p&ownIncremental != 0 {
		keep |= incremental
	}
	return p&keep | to&^keep
}

// prioritize gives a stream another priority, from its next frame on.
func (c *core) prioritize(s *coreStream, p priority) {
	if s.prio == p {
		return
	}
	ready := c.place(s) == isReady
	if ready {
		c.sched.remove(s)
	}
	s.prio, s.round, s.left = p, 0, 0
	if ready {
		c.sched.push(s)
	}
}

// longestPriority is as much of a Priority Field Value as anybody means.
const longestPriority = 1 << 10

// checkPriorityUpdate judges a PRIORITY_UPDATE by its header. True: its payload is wanted.
func (c *core) checkPriorityUpdate(h http2.FrameHeader) bool {
	switch {
	case c.cfg.client:
		c.fail(ProtocolError, "RFC 9218, 7.1", "PRIORITY_UPDATE from a server")
	case h.StreamID != 0:
		c.fail(ProtocolError, "RFC 9218, 7.1", "PRIORITY_UPDATE on a stream")
	case h.Length < 4:
		c.fail(FrameSizeError, "RFC 9113, 4.2", "PRIORITY_UPDATE of a wrong length")
	case !c.charge(LimitIgnored, 1):
	case h.Length > 4+longestPriority:
		c.skip = int(h.Length)
	default:
		return true
	}
	return false
}

// priorityUpdate takes the payload of a PRIORITY_UPDATE (RFC 9218, 7.1). A value that is no
// Dictionary may end the connection (RFC 9218, 7); here it says nothing, as it does in a field.
func (c *core) priorityUpdate(p []byte) {
	id := binary.BigEndian.Uint32(p) & (1<<31 - 1)
	switch {
	case id == 0:
		c.fail(ProtocolError, "RFC 9218, 7.1", "PRIORITY_UPDATE of stream 0")
		return
	case id%2 == 0:
		c.fail(ProtocolError, "RFC 9218, 7.1", "PRIORITY_UPDATE of a push stream that there is not")
		return
	}
	n := unnamed
	if !n.read(string(p[4:])) {
		return
	}
	if s := c.streams[id]; s != nil {
		c.prioritize(s, s.prio.updated(s.base().with(n)))
	} else if c.stateOf(id, nil) == stateIdle {
		c.putEarly(id, n)
	}
}

// earlyPriority is the latest PRIORITY_UPDATE for a stream that is not open yet.
type earlyPriority struct {
	id uint32
	named
}

// mostEarly is how many of them are kept, if more streams than that may be open.
const mostEarly = 256

// putEarly keeps a PRIORITY_UPDATE until its stream is opened. Streams named so and streams that
// are open must not be more than may be open at once (RFC 9218, 7.1), once the client knows how
// many.
func (c *core) putEarly(id uint32, n named) {
	d := c.scheduler()
	i := slices.IndexFunc(d.early, func(e earlyPriority) bool { return e.id == id })
	switch {
	case i >= 0:
		d.early[i].named = n
	case c.mine.acked && len(d.early)+len(c.streams) >= c.cfg.maxStreams:
		c.fail(ProtocolError, "RFC 9218, 7.1", "PRIORITY_UPDATE of more streams than may be open")
	case len(d.early) < min(mostEarly, c.cfg.maxStreams):
		d.early = append(d.early, earlyPriority{id, n})
	}
}

// takeEarly gives what was kept for a stream that is being opened, and forgets what was kept for
// those below it, which cannot be opened any more (RFC 9113, 5.1.1).
func (c *core) takeEarly(id uint32) (n named, ok bool) {
	d := c.sched
	if d == nil || len(d.early) == 0 {
		return unnamed, false
	}
	d.early = slices.DeleteFunc(d.early, func(e earlyPriority) bool {
		if e.id == id {
			n, ok = e.named, true
		}
		return e.id <= id
	})
	if len(d.early) == 0 {
		d.early = nil
	}
	return n, ok
}
