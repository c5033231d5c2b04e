package h2

import (
	"slices"

	"weir/flow"

	"golang.org/x/net/http2/hpack"
)

// sendQueue is what a stream still has to send: field blocks, then octets, then trailers or END_STREAM.
type sendQueue struct {
	window  flow.Window // what we may send
	low     int32       // the mark for evDrained
	turn    uint32      // of the write that its last DATA belongs to, see core.turn
	cut     Code        // but for NO_ERROR: RST_STREAM comes in the place of END_STREAM, see giveUp
	fin     bool        // END_STREAM comes behind all of it
	sent    bool        // END_STREAM was written
	held    bool        // nothing leaves until the first send: an answer travels with the first octets
	quiet   bool        // RST_STREAM(NO_ERROR) after END_STREAM, see finish
	hushed  bool        // RST_STREAM(NO_ERROR) behind all of it, see hush
	open    bool        // with hushed: nobody asked for END_STREAM
	lending bool        // somebody writes octets that come before buf, see lend
	above   bool        // the queue was over the mark
	blocks  *blocks     // nil: none waits
	buf     []byte      // octets; those before off have left
	off     int32
	prio    priority
	round   uint8 // of its level, in which it may send left octets; 0: none that counts
	left    int16 // see scheduler
	link
}

// blocks are field blocks that wait; of a closed stream what is left is why.
type blocks struct {
	err    error
	ahead  []block             // of the octets: an answer, informational ones before it
	behind []hpack.HeaderField // trailers
}

func (b *blocks) heads() []block {
	if b == nil {
		return nil
	}
	return b.ahead
}

func (b *blocks) tail() []hpack.HeaderField {
	if b == nil {
		return nil
	}
	return b.behind
}

// headsLeft notes that the blocks ahead of the octets have been written.
func (q *sendQueue) headsLeft() {
	if q.blocks != nil && q.blocks.behind == nil {
		q.blocks = nil
	} else if q.blocks != nil {
		q.blocks.ahead = nil
	}
}

type block struct {
	fields []hpack.HeaderField // :status first
	fin    bool
}

// final says that the block is the header of the answer, and no informational one (RFC 9110, 15.2).
func (b *block) final() bool { return b.fields[0].Value[0] != '1' }

func (q *sendQueue) queued() int { return len(q.buf) - int(q.off) }

// pending: something was said that has not been written.
func (q *sendQueue) pending() bool {
	return len(q.blocks.heads()) > 0 || q.queued() > 0 || q.lending || q.fin && !q.sent
}

// over says that the queue is over the mark.
func (q *sendQueue) over() bool { return q.queued() > int(q.low) }

// link is a stream's place in a ring.
type link struct {
	in         *ring
	prev, succ *coreStream
}

// ring is a queue of streams in which each has at most one place.
type ring struct{ first, last *coreStream }

func (r *ring) push(s *coreStream) { r.insert(s, r.last) }

// insert puts a stream behind another, nil: first.
func (r *ring) insert(s, before *coreStream) {
	s.in, s.prev, s.succ = r, before, r.first
	if before != nil {
		s.succ = before.succ
		before.succ = s
	} else {
		r.first = s
	}
	if s.succ != nil {
		s.succ.prev = s
	} else {
		r.last = s
	}
}

func (r *ring) remove(s *coreStream) {
	if s.prev != nil {
		s.prev.succ = s.succ
	} else {
		r.first = s.succ
	}
	if s.succ != nil {
		s.succ.prev = s.prev
	} else {
		r.last = s.prev
	}
	s.link = link{}
}

// place is where a stream is that has something to send, or nothing.
type place uint8

const (
	nowhere   place = iota
	isReady         // in the scheduler: it can send
	isBlocked       // it waits for the connection's window alone
)

// schedule puts a stream where what it has to send belongs: among those that can send, among those
// that wait for the connection's window, or nowhere.
func (c *core) schedule(s *coreStream) {
	to := nowhere
	stalled := false
	switch {
	case s.held || s.state == stateClosed:
	case len(s.blocks.heads()) > 0:
		to = isReady
	case s.lending && c.loan(s).n == 0:
	case s.lending || s.queued() > 0:
		stalled = true
		if s.window.Available() > 0 {
			if to = isBlocked; c.window.Available() > 0 {
				to, stalled = isReady, false
			}
		}
	case s.fin && !s.sent:
		to = isReady
	}
	c.noteStall(s, stalled)
	if c.place(s) == to {
		return
	}
	c.unlink(s)
	switch to {
	case isReady:
		c.scheduler().push(s)
	case isBlocked:
		c.blocked.push(s)
	}
}

// place is where a stream is.
func (c *core) place(s *coreStream) place {
	switch s.in {
	case nil:
		return nowhere
	case &c.blocked:
		return isBlocked
	}
	return isReady
}

// unlink takes a stream from where it is.
func (c *core) unlink(s *coreStream) {
	switch c.place(s) {
	case isReady:
		c.sched.remove(s)
	case isBlocked:
		c.blocked.remove(s)
	}
}

// dropQueue forgets what a stream had to send.
func (c *core) dropQueue(s *coreStream) {
	s.blocks = nil
	c.noteStall(s, false)
	c.recycle(s)
	c.unlink(s)
}

// shift takes n octets off a queue, which have left.
func (c *core) shift(s *coreStream, n int) {
	if s.off += int32(n); s.off > 1<<30 {
		before := cap(s.buf)
		s.buf, s.off = slices.Clone(s.buf[s.off:]), 0
		c.resized(s, before)
	}
}

// recycle takes the emptied buffer of a queue, so that a stream with nothing to send owns none.
func (c *core) recycle(s *coreStream) {
	if c.spare == nil && cap(s.buf) <= 64<<10 {
		c.spare = s.buf[:0]
	}
	before := cap(s.buf)
	s.buf, s.off = nil, 0
	c.resized(s, before)
}

// enqueue copies octets behind the queue.
func (c *core) enqueue(s *coreStream, p []byte) {
	if len(p) == 0 {
		return
	}
	before := cap(s.buf)
	if s.buf == nil {
		s.buf, c.spare = c.spare, nil
	}
	if int(s.off) > len(s.buf)/2 {
		n := copy(s.buf, s.buf[s.off:])
		s.buf, s.off = s.buf[:n], 0
	}
	s.buf = append(s.buf, p...)
	c.resized(s, before)
}
