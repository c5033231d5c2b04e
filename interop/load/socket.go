package load

// state of a socket, in this order.
type state uint8

const (
	fresh   state = iota
	opening       // asked for
	open          // its handshake was answered
	leaving       // our close frame is out
	gone
)

// socket is one WebSocket: what it has to send, and what came back.
type socket struct {
	e     *engine
	link  *link
	index int // among the engine's
	slow  bool
	state state
	asked int64 // when its opening began

	budget   int64   // messages that it may still issue; closed loop
	issued   int64   // messages that were due
	sent     int64   // messages that were begun to be written
	received int64   // answers; of Broadcast deliveries
	starts   []int64 // of a closed loop: when message i was due, at i modulo its length

	read frameReader
	h2   h2Stream
}

// answered counts an answer whose payload had size octets on the wire.
func (s *socket) answered(size, now int64) error {
	e := s.e
	if s.state != open {
		return nil
	}
	if !s.due() {
		return errUnasked
	}
	e.wireIn += size
	if s.slow {
		s.received++
		return nil
	}
	if e.cfg.Mode == Broadcast {
		return e.delivered(s, now)
	}
	var start int64
	if s.starts != nil {
		start = s.starts[s.received%int64(len(s.starts))]
	} else {
		start = e.schedule.due(int64(s.index) + s.received*e.schedule.stride)
	}
	s.received++
	e.inflight--
	e.record(start, now)
	if s.starts != nil {
		s.issue(now)
	} else if e.cfg.InFlight > 0 {
		s.link.ready(s)
	}
	return nil
}

// issue makes one more message of a closed loop due.
func (s *socket) issue(now int64) {
	e := s.e
	if !e.issuing || s.budget == 0 || s.state != open {
		return
	}
	s.budget--
	e.budget--
	s.starts[s.issued%int64(len(s.starts))] = now
	s.issued++
	e.inflight++
	s.link.ready(s)
}

// sendable says whether a message may be written now.
func (s *socket) sendable() bool {
	if s.state != open {
		return false
	}
	if s.slow {
		return s.e.issuing && s.e.cfg.Mode == Echo
	}
	return s.sent < s.issued && (s.starts != nil || s.e.cfg.InFlight == 0 || s.sent-s.received < int64(s.e.cfg.InFlight))
}

// next is the frame to write.
func (s *socket) next() []byte {
	m := s.e.messages
	f := m[s.sent%int64(len(m))].wire
	s.sent++
	s.e.written++
	s.e.wireOut += int64(len(f))
	return f
}
