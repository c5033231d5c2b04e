package h3

// Stats are the counts of a Server since it was made. It is a plain value: two can be compared, and
// printed.
type Stats struct {
	// What there is now. A tunnel is an extended CONNECT that was answered 200, and a stream too.
	Conns, Handshakes, Streams, Tunnels    int
	ConnsTotal, StreamsTotal, TunnelsTotal uint64      // since the Server was made
	PeerResets                             uint64      // requests and tunnels that the peer has reset
	Limits                                 LimitCounts // how often each was run into
}

// LimitCounts are indexed by Limit.
type LimitCounts [limits]uint64

// Total is the sum over all limits.
func (n LimitCounts) Total() (total uint64) {
	for _, k := range n {
		total += k
	}
	return total
}

// Stats gives the counts.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.counts
	st.Conns = len(s.conns)
	for c := range s.conns {
		c.mu.Lock()
		st.Tunnels += c.tunnels
		st.Streams += c.tunnels + c.requests
		c.mu.Unlock()
	}
	return st
}

// count changes the counts.
func (s *Server) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}
