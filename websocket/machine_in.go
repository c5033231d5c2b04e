package websocket

import (
	"time"

	"weir/wsframe"
)

// input is what arrived and is not a frame for the handler yet.
type input struct {
	rd       wsframe.Reader
	rest     []byte // not looked at yet: lent by feed until settle, or a part of held
	held     []byte // rest's backing store where it is our own
	consumed int    // octets looked at since the last takeConsumed

	ctl    *room // payload of an unfinished control frame
	msg    *room // payload of an unfinished message
	filled *room // the one that fill lent, until what was read is fed
	utf8   wsframe.UTF8
	size   int64 // octets of the message so far, in pieces
	fin    bool  // the peer ended its side behind rest
	given  bool  // msg was handed to the handler by the last next
	pieces bool  // a message is given in pieces, as it arrives (Conn)
	piece  piece // what the last one was
	zip    zip   // compressed octets that have not been inflated, in pieces
}

// feed lends b until settle. fin: the peer has ended its side behind it. It may be called with
// nothing: that is an empty DATA frame, which counts against the idle timeout.
func (m *machine) feed(b []byte, fin bool, now time.Time) {
	m.clock.heard = instantOf(now)
	in := &m.input
	in.fin = in.fin || fin
	switch {
	case m.ended:
		m.skip(b)
		in.consumed += len(b)
		if fin {
			m.wait = waitNone
		}
	case len(in.rest) == 0:
		in.rest, in.held = b, nil
	default:
		in.hold()
		looked := len(in.held) - len(in.rest)
		in.keep(b)
		in.rest = in.held[looked:]
	}
}

// hold makes rest our own: the end of held. What was looked at before it goes once it is half of
// held, so that a peer's small pieces are not moved again and again.
func (in *input) hold() {
	if in.held != nil && len(in.rest) > len(in.held)/2 {
		return
	}
	in.held = append(in.held[:0], in.rest...)
	in.rest = in.held
}

// keepStep is the room that a large held grows by, at least; a multiple of it wastes none.
const keepStep = 8 << 10

// keep appends b to held. What is held may be a window for each of many sessions (a pause), so the
// room grows by little: by a sixteenth, and not by a quarter as append does.
func (in *input) keep(b []byte) {
	if n := len(in.held) + len(b); n > cap(in.held) && n > 2*keepStep {
		steps := (n + keepStep - 1) / keepStep
		if len(in.held) > 16*keepStep {
			steps = (n + n/16) / keepStep
		}
		in.held = append(make([]byte, 0, steps*keepStep), in.held...)
	}
	in.held = append(in.held, b...)
}

// gather appends p to the unfinished message, unless it was read to where it belongs (fill). Its
// room grows with what arrives, never with what was announced (BEHAVIOUR 5).
func (in *input) gather(p []byte) {
	if b := in.msg.octets(); len(p) > 0 && len(b)+len(p) <= cap(b) && &b[:len(b)+1][len(b)] == &p[0] {
		in.msg.b = b[:len(b)+len(p)]
		return
	}
	in.grow(len(p))
	in.msg.b = append(in.msg.b, p...)
}

// grow makes room for n octets more of the unfinished message.
func (in *input) grow(n int) {
	if need := len(in.msg.octets()) + n; in.msg == nil || need > cap(in.msg.b) {
		r := takeRoom(need, int64(need)+in.rd.Left(), in.rd.MaxFrameSize)
		r.b = append(r.b[:0], in.msg.octets()...)
		in.leaveRoom()
		in.msg = r
	}
}

// leaveRoom gives the message's room back, unless a transport may still be reading to it.
func (in *input) leaveRoom() {
	if in.msg != in.filled {
		in.msg.free()
	}
	in.msg, in.filled = nil, nil
}

// worthFilling is how much of a message must be to come for fill.
const worthFilling = 4 << 10

// wantsFill says that the next octets belong to a large message and to nothing else.
func (m *machine) wantsFill() bool {
	in := &m.input
	return m.active && !m.ended && !in.pieces && !in.given && len(in.rest) == 0 && len(in.msg.octets()) > 0 && in.rd.Left() >= worthFilling
}

// fill is where the next octets belong, nil if they may be of anything. Its room is lent until
// filled is told, or the next fill.
func (m *machine) fill() []byte {
	if m.work == nil { // it has ended meanwhile
		return nil
	}
	in := &m.input
	in.filled = nil
	if !m.wantsFill() {
		return nil
	}
	in.grow(1)
	b := in.msg.b
	n := len(b)
	b = b[n:min(int64(cap(b)), int64(n)+in.rd.Left())]
	if len(b) < worthFilling {
		return nil
	}
	in.filled = in.msg
	return b
}

// filled ends the loan of fill's room: what was read comes by feed now.
func (m *machine) filled() { m.input.filled = nil }

// dropMessage lets go of the unfinished message, or of the one that was handed to the handler.
func (in *input) dropMessage() {
	in.leaveRoom()
	in.given = false
}

// settle ends the loan of what was fed: what is not looked at is copied, everything else is let go
// of.
func (m *machine) settle() {
	in := &m.input
	if in.given || len(in.msg.octets()) == 0 {
		in.dropMessage()
	}
	if in.ctl != nil && len(in.ctl.b) == 0 {
		in.ctl = nil
	}
	if len(in.rest) == 0 {
		in.rest, in.held = nil, nil
		return
	}
	in.hold()
}

// idle says that nothing is unfinished.
func (in *input) idle() bool {
	return in.rd.Idle() && in.rd.Err() == nil && in.rest == nil && in.held == nil && in.consumed == 0 && in.ctl == nil && in.msg == nil && in.filled == nil && !in.fin && !in.given && !in.zip.on
}

// utf8 says that text is judged.
func (m *machine) utf8() bool { return !m.opt.NoValidateUTF8 }

func (in *input) drop() {
	in.consumed += len(in.rest)
	in.rest, in.held, in.ctl, in.zip = nil, nil, nil, zip{}
	if in.given {
		in.msg = nil // a handler may have it still: it goes with the handler
	}
	in.dropMessage()
}

// swallows says that b is nothing but a part of one data message, and leaves it unfinished: to feed
// b and ask for the next frame is to gather octets, or to find them wrong. n is how much of b that
// is true of, to its last octet but one where b has the end of a frame.
func (m *machine) swallows(b []byte) (n int) {
	in := &m.input
	if !m.active || m.ended || len(in.rest) > 0 || in.fin || in.pieces {
		return 0
	}
	left := in.rd.Left()
	switch {
	case in.rd.Idle(): // a message that is whole in b is best taken as it stands
		if h, k := wsframe.ParseHeader(b); k > 0 && !h.Op.IsControl() && h.Length > int64(len(b)-k) {
			return len(b)
		}
		return 0
	case !in.rd.InMessage() || left <= 1 || in.rd.InControl():
		return 0
	}
	return int(min(int64(len(b)), left-1))
}

// What the peer may send of a large message besides its window: not worth a WINDOW_UPDATE below the
// one, and never more than the other.
const (
	leastExpected = 16 << 10
	mostExpected  = 1 << 20
)

// expects is how much is to come of a large message that has room of its own: MaxFrameSize bounds
// it, and no window needs to.
func (m *machine) expects() int {
	in := &m.input
	if left := in.rd.Left(); left >= leastExpected && m.active && !m.ended && !in.pieces {
		return int(min(left, mostExpected))
	}
	return 0
}

// takeConsumed gives the octets that may be released: none while inactive, so that the peer gets no
// credit.
func (m *machine) takeConsumed() int {
	if !m.active && !m.ended {
		return 0
	}
	n := m.input.consumed
	m.input.consumed = 0
	return n
}

// waiting says that frames, or an end, wait to be looked at.
func (m *machine) waiting() bool {
	return !m.ended && m.active && (len(m.input.rest) > 0 || m.input.fin || m.input.zip.on)
}

// next gives the next frame for the handler; its payload is good until next or settle is called
// again. False: nothing is to be handled, be it that octets are missing, that the session is
// inactive, or that it has ended.
func (m *machine) next() (Frame, bool) {
	in := &m.input
	if in.given {
		in.msg.b, in.given = in.msg.b[:0], false
	}
	for m.active && !m.ended && (in.zip.on || len(in.rest) > 0) {
		if in.zip.on {
			if f, ok := m.unzip(); ok {
				return f, true
			}
			continue
		}
		ev, n, err := in.rd.Next(in.look())
		in.rest = in.rest[n:]
		in.consumed += n
		if err != nil {
			m.fail(asFrameError(err))
			break
		}
		if ev.Start {
			m.tellFrame(false, ev.Header)
		}
		var f Frame
		var ok bool
		if ev.Header.Op.IsControl() {
			f, ok = m.control(&ev)
		} else {
			f, ok = m.data(&ev)
		}
		if ok {
			return f, true
		}
	}
	if m.active && !m.ended && in.fin && len(in.rest) == 0 {
		m.end(Reason{Kind: ReasonError, Name: NameClosed}, fateFin)
	}
	return Frame{}, false
}

// control takes a piece of a control frame.
func (m *machine) control(ev *wsframe.Event) (Frame, bool) {
	in := &m.input
	p := ev.Payload
	if !ev.Start || !ev.End {
		if in.ctl == nil {
			in.ctl = &room{class: -1}
		}
		in.ctl.b = append(in.ctl.b, p...)
		p = in.ctl.b
	}
	if !ev.End {
		if ev.Op == wsframe.Close {
			if err := wsframe.CheckClosePrefix(p, m.utf8()); err != nil {
				m.fail(asFrameError(err))
			}
		}
		return Frame{}, false
	}
	if in.ctl != nil {
		in.ctl.b = in.ctl.b[:0]
	}
	switch ev.Header.Op {
	case wsframe.Ping:
		m.sendFrame(wsframe.Pong, p, "")
	case wsframe.Close:
		m.remoteClose(p)
		return Frame{}, false
	}
	return Frame{Type: FrameType(ev.Header.Op), Payload: p}, true
}

// remoteClose answers the peer's close frame (RFC 6455, 5.5.1): the same code, no text.
func (m *machine) remoteClose(p []byte) {
	wireCode, text, err := wsframe.ParseClose(p, m.utf8())
	if err != nil {
		m.fail(asFrameError(err))
		return
	}
	code := CloseCode(wireCode)
	m.tellClose(false, code, string(text))
	m.end(Reason{Kind: ReasonRemote, Code: code, Text: string(text), Sent: m.sendClose(code, "")}, fateFin)
}

// data takes a piece of a message.
func (m *machine) data(ev *wsframe.Event) (Frame, bool) {
	in := &m.input
	p := ev.Payload
	text := ev.Op == wsframe.Text && m.utf8() && !ev.Compressed // else once it is inflated
	first := ev.Start && ev.Header.Op != wsframe.Continuation
	last := ev.End && ev.Header.Fin
	if first {
		in.utf8.Reset()
	}
	if text && (!in.utf8.Write(p) || last && !in.utf8.Complete()) {
		m.fail(notUTF8)
		return Frame{}, false
	}
	if in.pieces {
		if !ev.Compressed {
			return m.pass(ev.Op, false, p, first, last)
		}
		m.feedZip(ev.Op, p, first, last)
		return Frame{}, false
	}
	if !first || !last {
		in.gather(p)
		p = in.msg.octets()
	}
	if !last {
		return Frame{}, false
	}
	in.given = !first
	if ev.Compressed {
		var ok bool
		if p, ok = m.inflated(ev.Op, p); !ok {
			return Frame{}, false
		}
	}
	in.piece = piece{first: true, last: true}
	m.received(ev.Op, ev.Compressed, int64(len(p)))
	return Frame{Type: FrameType(ev.Op), Payload: p}, true
}

func (m *machine) received(op wsframe.Opcode, compressed bool, n int64) {
	m.stats.In.add(n)
	m.tellMessage(false, FrameType(op), compressed, n)
}

// piece is where in its message a payload stands that next gave.
type piece struct{ first, last bool }

// pass gives a piece of a message on as it is.
func (m *machine) pass(op wsframe.Opcode, compressed bool, p []byte, first, last bool) (Frame, bool) {
	in := &m.input
	if first {
		in.size = 0
	}
	if in.size += int64(len(p)); last {
		m.received(op, compressed, in.size)
	}
	in.piece = piece{first, last}
	return Frame{Type: FrameType(op), Payload: p}, first || last || len(p) > 0
}

// tooBig is for a message that is larger than MaxFrameSize once it is whole.
var tooBig = &wsframe.Error{Code: wsframe.MessageTooBig, Rule: "RFC 6455, 10.4", Msg: "message over MaxFrameSize"}

var notUTF8 = &wsframe.Error{Code: wsframe.InvalidPayload, Rule: "RFC 6455, 8.1", Msg: "text is not UTF-8"}

// inflated gives the message of a compressed payload, judged.
func (m *machine) inflated(op wsframe.Opcode, p []byte) ([]byte, bool) {
	p, ok := m.inflate(p)
	if u := &m.input.utf8; ok && op == wsframe.Text && m.utf8() && (!u.Write(p) || !u.Complete()) {
		m.fail(notUTF8)
		return nil, false
	}
	return p, ok
}

// asFrameError is the *wsframe.Error in err; package wsframe gives no other.
func asFrameError(err error) *wsframe.Error {
	e, ok := err.(*wsframe.Error)
	if !ok {
		panic("websocket: BUG: " + err.Error())
	}
	return e
}
