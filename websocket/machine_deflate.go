package websocket

import (
	"errors"

	"weir/wsframe"
	"weir/wsframe/deflate"
)

// deflation is permessage-deflate as it was agreed on (RFC 7692). The codec keeps no more between
// messages than the window's octets, and without context takeover nothing.
type deflation struct {
	on        bool // command Deflate
	level     int
	bits      int  // of the window of what we send
	takeover  bool // what we send refers back to what we sent
	threshold int  // smaller messages go uncompressed
	w         deflate.Writer
	r         deflate.Reader
	plain     []byte // the message inflated last; a runner's
	text      []byte // a string that is being compressed; a runner's
}

// compress begins with what the handshake agreed on.
func (m *machine) compress(o *Options, p deflate.Params) {
	d := &deflation{on: true, level: o.Deflate.Level, bits: p.ServerMaxWindowBits, takeover: !p.ServerNoContextTakeover, threshold: o.CompressThreshold}
	d.w, d.r = p.Server(o.Deflate.Level)
	if m.role.client {
		d.w, d.r = p.Client(o.Deflate.Level)
	}
	m.one().deflate = d
	m.role.deflated = true
	m.furnish()
}

// deflation is what was agreed on, nil if nothing was.
func (m *machine) deflation() *deflation {
	if m.few == nil {
		return nil
	}
	return m.few.deflate
}

// wants says whether a message of n octets is to be compressed. d may be nil.
func (d *deflation) wants(op wsframe.Opcode, n int) bool {
	return d != nil && d.on && !op.IsControl() && n >= d.threshold
}

// inflate gives the message whose compressed payload is p. It is good until the next.
func (m *machine) inflate(p []byte) ([]byte, bool) {
	limit := m.settings().limit
	if limit == 0 {
		limit = -1
	}
	d := m.few.deflate
	out, err := d.r.Append(d.plain[:0], p, limit)
	d.plain = out
	switch {
	case errors.Is(err, deflate.ErrTooBig):
		m.fail(tooBig)
	case err != nil:
		m.failInflate(err)
	default:
		return out, true
	}
	return nil, false
}

// zip is a piece of a compressed payload that is being inflated, for a Conn: its messages are
// given as they come, so nobody needs room for a whole one, and MaxFrameSize does not bind them.
type zip struct {
	on    bool // there is more to inflate
	op    wsframe.Opcode
	first bool // nothing of the message has been given
	last  bool // the payload ends with it
}

// zipRoom is how much of a message is inflated at a time.
const zipRoom = 16 << 10

// look is what is looked at next. What is to be inflated is taken in small pieces: there the rest
// waits while a Conn's reader does, and not inflated.
func (in *input) look() []byte {
	if in.pieces && in.rd.Deflate && len(in.rest) > deflate.MaxPiece && (in.rd.Compressed() || !in.rd.InMessage()) {
		return in.rest[:deflate.MaxPiece]
	}
	return in.rest
}

// feedZip takes a piece of a compressed payload.
func (m *machine) feedZip(op wsframe.Opcode, p []byte, first, last bool) {
	m.few.deflate.r.Feed(p, last)
	m.input.zip = zip{on: true, op: op, first: first, last: last}
}

// unzip gives what a piece inflates to, zipRoom at a time.
func (m *machine) unzip() (Frame, bool) {
	in, d := &m.input, m.few.deflate
	if cap(d.plain) < zipRoom {
		d.plain = make([]byte, zipRoom)
	}
	n, more, err := d.r.Next(d.plain[:zipRoom])
	p, first, last := d.plain[:n], in.zip.first, in.zip.last && !more && err == nil
	in.zip.on, in.zip.first = more, false
	if u := &in.utf8; in.zip.op == wsframe.Text && m.utf8() && (!u.Write(p) || last && !u.Complete()) {
		m.fail(notUTF8)
		return Frame{}, false
	}
	if err != nil {
		m.failInflate(err)
		return Frame{}, false
	}
	return m.pass(in.zip.op, true, p, first, last)
}

// failInflate ends with what is wrong with compressed data.
func (m *machine) failInflate(err error) {
	m.fail(&wsframe.Error{Code: wsframe.ProtocolError, Rule: "RFC 7692, 7.2.2", Msg: err.Error()})
}

// message appends one data message, compressed if it is to be.
func (m *machine) message(op wsframe.Opcode, p []byte, text string) {
	d, n := m.deflation(), len(p)+len(text)
	if !d.wants(op, n) {
		m.sendFrame(op, p, text)
		return
	}
	if p == nil {
		d.text = append(d.text[:0], text...)
		p = d.text
	}
	before := len(m.out.b)
	h := wsframe.Header{Op: op}
	if m.out.key != nil {
		h.Masked, h.Key = true, m.out.key()
	}
	m.out.b = appendDeflated(m.out.b, h, &d.w, p)
	m.tellDeflated(m.out.b[before:])
}

// tellDeflated tells of a compressed frame that we made.
func (m *machine) tellDeflated(frame []byte) {
	if m.traced() {
		h, _ := wsframe.ParseHeader(frame)
		m.tellFrame(true, h)
	}
}

// appendDeflated appends a compressed frame. Its header is made of h once the length is known, in a
// gap before the payload.
func appendDeflated(dst []byte, h wsframe.Header, w *deflate.Writer, p []byte) []byte {
	var gap [wsframe.MaxHeaderLen]byte
	start := len(dst)
	dst = append(dst, gap[:]...)
	dst = w.Append(dst, p)
	payload := dst[start+len(gap):]
	h.Fin, h.RSV1, h.Length = true, true, int64(len(payload))
	if h.Masked {
		wsframe.Mask(payload, h.Key, 0)
	}
	dst = append(dst[:start], wsframe.AppendHeader(gap[:0], h)...)
	return append(dst, payload...) // to the left: append moves overlapping octets rightly
}

// prepared appends a frame that was encoded for many.
func (m *machine) prepared(p *Prepared) {
	d, op := m.deflation(), wsframe.Opcode(p.op)
	if m.out.key != nil { // a client masks each frame anew (RFC 6455, 5.3)
		m.message(op, p.payload, "")
		return
	}
	if !d.wants(op, len(p.payload)) {
		m.out.payload(p.plain)
		m.tellFrame(true, wsframe.Header{Fin: true, Op: op, Length: int64(len(p.payload))})
		return
	}
	b := p.deflated(d.level, d.bits)
	m.out.b = append(m.out.b, b...)
	m.tellDeflated(b)
	if d.takeover {
		d.w.Learn(p.payload)
	}
}
