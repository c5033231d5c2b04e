package h2

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

// lend frames the beginning of v, of n octets in all, as DATA, about most octets of it as far as the windows go, and says how
// many it took off v. The octets are not copied: they are pieces of what is written next, and lent until it is. Until lendDone
// is called what others send on s waits behind v.
func (c *core) lend(s *coreStream, v *[][]byte, n, most int) (took int) {
	s.held, s.lending = false, true
	for took < n && took < most {
		k := min(n-took, s.window.Available(), c.window.Available(), c.frameSize())
		if k <= 0 {
			break
		}
		last := took+k == n && s.queued() == 0
		c.writeDataHead(s, k, last && s.fin && s.blocks.tail() == nil && s.cut == NoError && !s.hushes(), last)
		took += k
		for k > 0 {
			p := (*v)[0]
			if len(p) <= k {
				*v = (*v)[1:]
			} else {
				(*v)[0], p = p[k:], p[:k]
			}
			if k -= len(p); len(p) > 0 {
				c.lent = append(c.lent, piece{len(c.out), p})
			}
		}
	}
	return took
}

// lendDone ends lend: what is left of v, n octets, is queued, before what others have sent meanwhile.
func (c *core) lendDone(s *coreStream, v [][]byte, n int) {
	s.lending = false
	if s.state == stateClosed {
		return
	}
	if n > 0 {
		behind := s.buf[s.off:]
		c.held += n + len(behind) - cap(s.buf)
		s.buf, s.off = make([]byte, 0, n+len(behind)), 0
		for _, p := range v {
			s.buf = append(s.buf, p...)
		}
		s.buf = append(s.buf, behind...)
	}
	s.above = s.above || s.over()
	if s.sent {
		c.weEnded(s)
		return
	}
	c.schedule(s)
	c.shed()
}
