package load

// ready queues a socket that may have something to send.
func (h *h2Link) ready(s *socket) {
	if !s.h2.queued && s.h2.id != 0 {
		s.h2.queued = true
		h.queue = append(h.queue, s)
	}
}

// pump frames what windows allow, a DATA frame of each stream in turn.
func (h *h2Link) pump() {
	l := h.l
	for h.head < len(h.queue) && l.out.n < high && h.window > 0 {
		s := h.queue[h.head]
		h.queue[h.head] = nil
		if h.head++; h.head == len(h.queue) {
			h.queue, h.head = h.queue[:0], 0
		} else if h.head > 1024 && h.head > len(h.queue)/2 {
			h.queue = h.queue[:copy(h.queue, h.queue[h.head:])]
			h.head = 0
		}
		s.h2.queued = false
		h.sendOne(s)
	}
}

// sendOne sends one DATA frame of s, and queues it again if there is more.
func (h *h2Link) sendOne(s *socket) {
	st := &s.h2
	if s.state != open && s.state != leaving || st.window <= 0 {
		return // WINDOW_UPDATE queues it
	}
	if len(st.rest) == 0 {
		switch {
		case len(st.control) > 0:
			st.rest, st.control = st.control, nil
		case s.sendable():
			st.rest = s.next()
		default:
			return
		}
	}
	n := min(int64(len(st.rest)), st.window, h.window, int64(h.frameSize))
	st.window -= n
	h.window -= n
	part := st.rest[:n]
	st.rest = st.rest[n:]
	flags := byte(0)
	if st.fin && len(st.rest) == 0 && len(st.control) == 0 {
		flags = flagEnd
	}
	out := &h.l.out
	var head [9]byte
	out.add(appendHead(head[:0], int(n), frameData, flags, st.id))
	out.add(part)
	if flags == 0 && (len(st.rest) > 0 || len(st.control) > 0 || s.sendable()) {
		h.ready(s)
	}
}

// grow takes a WINDOW_UPDATE.
func (h *h2Link) grow(id uint32, n int64) {
	if id == 0 {
		h.window += n
	} else if s := h.stream(id); s != nil {
		s.h2.window += n
		h.ready(s)
	}
	h.l.e.shell.kick(h.l)
}

// shift takes a new SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.9.2).
func (h *h2Link) shift(initial int64) {
	for _, s := range h.streams {
		s.h2.window += initial - h.initial
		if s.state != gone {
			h.ready(s)
		}
	}
	h.initial = initial
}

// credit gives back what DATA took, once half a window is used: one frame for many.
func (h *h2Link) credit(s *socket, n int64) {
	if h.charged += n; h.charged >= connWindow/2 {
		h.giveBack(0, h.charged)
		h.charged = 0
	}
	if s == nil {
		return
	}
	if s.h2.charged += n; !s.slow && s.h2.charged >= int64(h.l.e.cfg.Window)/2 {
		h.giveBack(s.h2.id, s.h2.charged)
		s.h2.charged = 0
	}
}

func (h *h2Link) giveBack(id uint32, n int64) {
	var frame [13]byte
	h.l.out.add(appendWindow(frame[:0], id, n))
	h.l.e.shell.kick(h.l)
}

// trickle gives streams that read slowly credit for n octets.
func (h *h2Link) trickle(n int64) {
	for _, s := range h.l.sockets {
		if give := min(n, s.h2.charged); s.slow && s.state == open && give > 0 {
			s.h2.charged -= give
			h.giveBack(s.h2.id, give)
		}
	}
}
