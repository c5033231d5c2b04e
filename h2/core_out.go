package h2

import (
	"encoding/binary"
	"errors"
	"time"

	"weir/flow"
	"weir/stream"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// maxOut bounds what one write takes from the streams: frames of the connection never wait
	// behind more.
	maxOut = 64 << 10
)

// swap gives the octets to write, in exchange for a buffer whose capacity is used for what comes
// next.
func (c *core) swap(spare []byte, now time.Time) []byte {
	c.fill(now)
	out := c.out
	c.out, c.control = spare[:0], 0
	c.turn++
	return out
}

// fill brings into out what the next swap gives of the streams.
func (c *core) fill(now time.Time) {
	c.now = now
	c.pump()
}

// pending says whether swap would give anything.
func (c *core) pending() bool { return len(c.out) > 0 || c.anyReady() }

// pump takes from the streams that can send, frame by frame, for one write. What is urgent behind
// it waits until that is done, so it is not much: a loan has more only while nothing else can be
// sent.
func (c *core) pump() {
	for lent := 0; c.anyReady(); {
		most := maxOut
		switch s := c.sched.only(); {
		case s != nil && s.lending && len(c.streams) > 1:
			most = min(c.portion, largeShare)
		case s != nil && s.lending:
			most = c.portion
		case lent > 0:
			most = min(most, c.portion)
		}
		if len(c.out)+lent >= most {
			return
		}
		s, helped := c.pick()
		before := len(c.out)
		n := c.step(s)
		c.schedule(s)
		c.sent(s, len(c.out)-before+n, helped)
		lent += n
	}
}

// step writes the field blocks of a stream, then one DATA frame, then its end. It says how many
// octets of the frame are lent, and so not in out.
func (c *core) step(s *coreStream) (lent int) {
	c.writeHeads(s)
	if s.lending {
		lent = c.stepLoan(s)
	} else if n := min(s.queued(), s.window.Available(), c.window.Available(), c.frameSize()); n > 0 {
		last := n == s.queued() && s.fin && s.blocks.tail() == nil && s.cut == NoError && !s.hushes()
		c.writeData(s, s.buf[s.off:][:n], last)
		if c.shift(s, n); s.queued() == 0 {
			c.recycle(s)
		}
		if s.above && !s.over() {
			s.above = false
			c.events.push(event{kind: evDrained, s: s})
		}
	}
	if s.fin && !s.sent && s.queued() == 0 && !s.lending {
		switch {
		case s.cut != NoError:
			c.reset(s, s.cut)
			return lent
		case s.hushes():
			s.fin = false // nothing is pending
			c.reset(s, NoError)
			return lent
		case s.blocks.tail() != nil:
			c.writeBlock(s.id, s.blocks.tail(), true)
			s.blocks, s.sent = nil, true
		default:
			c.writeData(s, nil, true)
		}
	}
	if s.sent {
		c.weEnded(s)
	}
	return lent
}

// writeHeads writes the field blocks that come before a stream's octets.
func (c *core) writeHeads(s *coreStream) {
	for _, b := range s.blocks.heads() {
		c.writeBlock(s.id, b.fields, b.fin)
		s.sent = s.sent || b.fin
		s.answered = s.answered || b.final()
	}
	s.headsLeft()
}

func (c *core) frameSize() int { return min(c.peer.maxFrame, 16384) }

// writeData writes one DATA frame within both windows.
func (c *core) writeData(s *coreStream, p []byte, fin bool) {
	c.need(9 + len(p))
	c.writeDataHead(s, len(p), fin, len(p) >= s.queued())
	c.out = append(c.out, p...)
}

// writeDataHead writes the header of a DATA frame; whole: there is no more to send behind it.
func (c *core) writeDataHead(s *coreStream, n int, fin, whole bool) {
	var flags http2.Flags
	if fin {
		flags = http2.FlagDataEndStream
		s.sent = true
	}
	c.out = append(c.out, byte(n>>16), byte(n>>8), byte(n), byte(http2.FrameData), byte(flags))
	c.out = binary.BigEndian.AppendUint32(c.out, s.id)
	s.window.Spend(n)
	c.window.Spend(n)
	s.turn, c.dataTurn = c.turn+1, c.turn+1
	c.countOut(http2.FrameHeader{Length: uint32(n), Type: http2.FrameData, Flags: flags, StreamID: s.id}, nil)
	c.earnData(n, whole)
}

// writeBlock writes HEADERS and the CONTINUATIONs it needs.
func (c *core) writeBlock(id uint32, fields []hpack.HeaderField, fin bool) {
	c.hbuf.b = c.hbuf.b[:0]
	for _, f := range fields {
		c.must(c.henc.WriteField(f))
	}
	if c.trace != nil {
		c.trace.fields = fields
	}
	p := c.hbuf.b
	n := min(len(p), c.frameSize())
	c.must(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p[:n], EndStream: fin, EndHeaders: n == len(p)}))
	for p = p[n:]; len(p) > 0; p = p[n:] {
		n = min(len(p), c.frameSize())
		c.must(c.fr.WriteContinuation(id, n == len(p), p[:n]))
	}
	if c.trace != nil {
		c.trace.fields = nil
	}
	if cap(c.hbuf.b) > 4096 {
		c.hbuf.b = nil
	}
}

// must: the Framer and hpack write into memory, and refuse only what would be our own fault.
func (c *core) must(err error) {
	if err != nil {
		panic("h2: BUG: " + err.Error())
	}
}

// provoked writes a frame that the peer made us write, under a ceiling (RFC 9113, 10.5).
func (c *core) provoked(write func() error) {
	if c.err != nil {
		return
	}
	before := len(c.out)
	c.must(write())
	if c.control += len(c.out) - before; c.cfg.unread > 0 && c.control > c.cfg.unread {
		c.exceed(LimitUnread)
	}
}

// writeReset writes RST_STREAM.
func (c *core) writeReset(id uint32, code Code) {
	c.provoked(func() error { return c.fr.WriteRSTStream(id, http2.ErrCode(code)) })
}

// sendCredit writes WINDOW_UPDATE, for stream 0 the connection's.
func (c *core) sendCredit(id, inc uint32) {
	if inc > 0 && c.err == nil {
		c.must(c.fr.WriteWindowUpdate(id, inc))
	}
}

// windowUpdate takes the peer's WINDOW_UPDATE; inc 0 is the fault (RFC 9113, 6.9).
func (c *core) windowUpdate(id, inc uint32) {
	if !c.charge(LimitWindowUpdates, 1) {
		return
	}
	if id == 0 {
		if err := c.window.Grow(inc); err != nil {
			code, rule, msg := flowFault(err)
			c.fail(code, rule, msg)
			return
		}
		c.connUnblocked()
		c.timers.stir(c)
		for s := c.blocked.first; s != nil; s = c.blocked.first {
			c.blocked.remove(s)
			c.schedule(s)
		}
		return
	}
	s := c.streams[id]
	switch v := c.judge(id, s, rowWindow); v {
	case take:
		if err := s.window.Grow(inc); err != nil {
			code, rule, msg := flowFault(err)
			c.streamFault(id, s, code, rule, msg)
			return
		}
		c.schedule(s)
	case drop:
	default:
		c.stateFault(v)
	}
}

// flowFault says what a WINDOW_UPDATE that cannot be costs (RFC 9113, 6.9 and 6.9.1).
func flowFault(err error) (code Code, rule, msg string) {
	code = FlowControlError
	if errors.Is(err, flow.ErrZero) {
		code = ProtocolError
	}
	if fe, ok := errors.AsType[*flow.Error](err); ok {
		rule, msg = fe.Rule, fe.Msg
	}
	return code, rule, msg
}

// answer queues a field block in front of the octets: the answer, or an informational one. It
// leaves with the next octets if held, else by itself.
func (c *core) answer(s *coreStream, fields []hpack.HeaderField, fin, held bool) error {
	if err := s.sendable(); err != nil {
		return err
	}
	if s.blocks == nil {
		s.blocks = new(blocks)
	}
	s.blocks.ahead = append(s.blocks.ahead, block{fields, fin})
	s.fin, s.held = fin, held
	c.answerPriority(s, fields)
	c.schedule(s)
	return nil
}

// finTrailers ends our side with a field block behind what is queued (RFC 9113, 8.1).
func (c *core) finTrailers(s *coreStream, fields []hpack.HeaderField) error {
	if err := s.sendable(); err != nil {
		return err
	}
	if s.blocks == nil {
		s.blocks = new(blocks)
	}
	s.blocks.behind, s.fin, s.held = fields, true, false
	c.schedule(s)
	return nil
}

// send queues the octets of v, which are copied, and with fin END_STREAM behind them. If nothing is
// in their way they are framed at once. queued is what waits for windows or for room in a write.
func (c *core) send(s *coreStream, v [][]byte, fin bool) (queued int, err error) {
	if err := s.sendable(); err != nil {
		if len(v) == 0 && !fin && s.state != stateClosed {
			return s.queued(), err // only asked
		}
		return 0, err
	}
	s.held = false
	s.fin = fin
	if !c.anyReady() && s.queued() == 0 && !s.lending && c.direct(s, v) {
		return 0, nil
	}
	for _, p := range v {
		c.enqueue(s, p)
	}
	s.above = s.above || s.over()
	c.schedule(s)
	if c.shed(); s.state == stateClosed {
		return 0, s.why()
	}
	return s.queued(), nil
}

// direct writes a whole send as one DATA frame, if it fits: the octets are copied once, and nobody
// waits before them.
func (c *core) direct(s *coreStream, v [][]byte) bool {
	n := 0
	for _, p := range v {
		n += len(p)
	}
	if len(c.out)+n > maxOut || n > min(s.window.Available(), c.window.Available(), c.frameSize()) {
		return false
	}
	c.writeHeads(s)
	if n > 0 || s.fin {
		c.need(9 + n)
		c.writeDataHead(s, n, s.fin, true)
		for _, p := range v {
			c.out = append(c.out, p...)
		}
	}
	if s.sent {
		c.weEnded(s)
	}
	return true
}

// sendable says why nothing more can be sent, if so.
func (s *coreStream) sendable() error {
	switch {
	case s.why() != nil:
		return s.why()
	case s.hushed:
		return &StreamError{ID: s.id}
	case s.state == stateClosed, s.fin:
		return stream.ErrClosed
	}
	return nil
}
