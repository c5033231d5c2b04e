package websocket

import "weir/wsframe"

// output is what is to be sent: frames encoded one behind the other.
type output struct {
	b     []byte
	key   func() [4]byte // see few
	place *lent          // where a large payload that is not copied is noted; nil: all are copied. Whoever applies commands sends it at once
	lent  *lent          // one that is not
}

// lent is a payload that is sent from where it stands: it belongs behind the first at octets of
// output.b.
type lent struct {
	p  []byte
	at int
}

// lendFrom is the least payload that is not copied into the output.
const lendFrom = 32 << 10

// payload appends octets: of one large payload merely the place where it stands.
func (o *output) payload(p []byte) {
	if o.place != nil && len(p) >= lendFrom && o.lent == nil && o.key == nil {
		*o.place = lent{p, len(o.b)}
		o.lent = o.place
		return
	}
	o.b = append(o.b, p...)
}

// octets are all there is.
func (o *output) octets() int {
	if o.lent != nil {
		return len(o.b) + len(o.lent.p)
	}
	return len(o.b)
}

// pieces appends what is to be sent to v.
func (o *output) pieces(v [][]byte) [][]byte {
	if o.lent == nil {
		return append(v, o.b)
	}
	return append(v, o.b[:o.lent.at], o.lent.p, o.b[o.lent.at:])
}

// frame appends one frame in the shortest length form. The payload is p, or text where p is nil.
func (o *output) frame(h wsframe.Header, p []byte, text string) {
	h.Length = int64(len(p) + len(text))
	if o.key != nil {
		h.Masked, h.Key = true, o.key()
	}
	o.b = wsframe.AppendHeader(o.b, h)
	start := len(o.b)
	o.payload(p)
	o.b = append(o.b, text...)
	if h.Masked {
		wsframe.Mask(o.b[start:], h.Key, 0)
	}
}

// sendFrame sends one uncompressed, unfragmented frame.
func (m *machine) sendFrame(op wsframe.Opcode, p []byte, text string) {
	m.out.frame(wsframe.Header{Fin: true, Op: op}, p, text)
	m.tellFrame(true, wsframe.Header{Fin: true, Op: op, Length: int64(len(p) + len(text))})
}

// fragment sends one frame of a message: op is text or binary first, then continuation.
func (m *machine) fragment(op wsframe.Opcode, p []byte, fin bool) {
	h := wsframe.Header{Fin: fin, Op: op}
	m.out.frame(h, p, "")
	h.Length = int64(len(p))
	m.tellFrame(true, h)
	f := m.one()
	if op != wsframe.Continuation {
		f.kind, f.size = op, 0
	}
	if f.size += int64(len(p)); fin {
		m.stats.Out.add(f.size)
		m.tellMessage(true, FrameType(f.kind), false, f.size)
	}
}

// sendClose sends a close frame, and gives what a Reason has of it.
func (m *machine) sendClose(code CloseCode, text string) SentClose {
	var p [wsframe.MaxControl]byte
	m.sendFrame(wsframe.Close, wsframe.AppendClose(p[:0], wsframe.CloseCode(code), text), "")
	m.tellClose(true, code, text)
	return SentClose{Frame: true, Code: code, Text: text}
}

func (o *output) drop() {
	o.b = o.b[:0]
	if o.lent != nil {
		*o.lent, o.lent = lent{}, nil
	}
}

// output gives what is to be sent now, and whether our side ends behind it. It is good until sent.
func (m *machine) output() (b []byte, fin bool) {
	return m.out.b, m.fate == fateFin && m.wait == waitNone && !(m.clock.late != nil && m.clock.finished)
}

// Counts are messages, and the octets of their payloads.
type Counts struct {
	Messages int64 // text and binary ones
	Bytes    int64 // of their payloads, inflated
}

func (c *Counts) add(n int64) {
	c.Messages++
	c.Bytes += n
}

// Stats are what a session has received and sent: text and binary messages.
type Stats struct {
	In  Counts // received
	Out Counts // sent
}
