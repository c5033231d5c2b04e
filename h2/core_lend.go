package h2

import "slices"

// piece is octets that are written behind the first at of out, and are not copied into it.
type piece struct {
	at int
	p  []byte
}

// lendable says that a large send on s need not go through its queue, in which nothing waits.
func (c *core) lendable(s *coreStream) bool {
	return c.err == nil && s.queued() == 0 && len(s.blocks.heads()) == 0 && !s.lending && s.sendable() == nil &&
		s.window.Available() > 0 && c.window.Available() > 0
}

// loan is octets of a stream that are sent from where they stand, before those of its queue.
type loan struct {
	s *coreStream
	v [][]byte // what is left of them
	n int      // octets
}

// lend has v, of n octets in all, sent in the stream's turns. They are not copied: they are pieces
// of what swap gives, and lent until that is written and lendDone has been called. What others send
// on s meanwhile waits behind them.
func (c *core) lend(s *coreStream, v [][]byte, n int) {
	s.held, s.lending = false, true
	c.loans = append(c.loans, loan{s, v, n})
	c.schedule(s)
}

// loan is that of a stream; nil: there is none.
func (c *core) loan(s *coreStream) *loan {
	if s.lending {
		for i := range c.loans {
			if c.loans[i].s == s {
				return &c.loans[i]
			}
		}
	}
	return nil
}

// lends says that octets of the loan can be sent now.
func (c *core) lends(s *coreStream) bool { return s.lending && c.place(s) == isReady }

// borrows says that octets of the loan of s are in a write that is under way.
func (c *core) borrows(s *coreStream) bool {
	return int32(s.turn-c.written) > 0 && int32(s.turn-c.copied) > 0
}

// stepLoan writes one DATA frame of a loan, as step does, and says how many octets of it are not in
// out.
func (c *core) stepLoan(s *coreStream) (n int) {
	l := c.loan(s)
	if n = min(l.n, s.window.Available(), c.window.Available(), c.frameSize()); n <= 0 {
		return 0
	}
	l.n -= n
	last := l.n == 0 && s.queued() == 0
	c.writeDataHead(s, n, last && s.fin && s.blocks.tail() == nil && s.cut == NoError && !s.hushes(), last)
	for k := n; k > 0; {
		p := l.v[0]
		if len(p) <= k {
			l.v = l.v[1:]
		} else {
			l.v[0], p = p[k:], p[:k]
		}
		if k -= len(p); len(p) > 0 {
			c.lent = append(c.lent, piece{len(c.out), p})
		}
	}
	return n
}

// lendDone ends a loan: what is left of it is queued, before what others have sent meanwhile.
func (c *core) lendDone(s *coreStream) {
	i := slices.IndexFunc(c.loans, func(l loan) bool { return l.s == s })
	v, n := c.loans[i].v, c.loans[i].n
	c.loans = slices.Delete(c.loans, i, i+1)
	s.lending = false
	if s.state == stateClosed {
		return
	}
	if n > 0 {
		behind, before := s.buf[s.off:], cap(s.buf)
		s.buf, s.off = make([]byte, 0, n+len(behind)), 0
		for _, p := range v {
			s.buf = append(s.buf, p...)
		}
		s.buf = append(s.buf, behind...)
		c.resized(s, before)
	}
	s.above = s.above || s.over()
	if s.sent {
		c.weEnded(s)
		return
	}
	c.schedule(s)
	c.shed()
}
