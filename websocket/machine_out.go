package websocket

import "weir/wsframe"

// output is what is to be sent: frames encoded one behind the other.
type output struct {
	b []byte
}

// frame appends one unfragmented, unmasked frame. The payload is p, or text where p is nil.
func (o *output) frame(op wsframe.Opcode, p []byte, text string) {
	o.b = wsframe.AppendHeader(o.b, wsframe.Header{Fin: true, Op: op, Length: int64(len(p) + len(text))})
	o.b = append(o.b, p...)
	o.b = append(o.b, text...)
}

// sendFrame sends one uncompressed frame.
func (m *machine) sendFrame(op wsframe.Opcode, p []byte, text string) {
	m.out.frame(op, p, text)
	m.tellFrame(true, wsframe.Header{Fin: true, Op: op, Length: int64(len(p) + len(text))})
}

// sendClose sends a close frame.
func (m *machine) sendClose(code CloseCode, text string) {
	var p [wsframe.MaxControl]byte
	m.sendFrame(wsframe.Close, wsframe.AppendClose(p[:0], code, text), "")
	m.tellClose(true, code, text)
}

func (o *output) drop() { o.b = o.b[:0] }

// output gives what is to be sent now, and whether our side ends behind it. It is good until sent.
func (m *machine) output() (b []byte, fin bool) {
	return m.out.b, m.fate == fateFin && !m.clock.finished
}

// Counts are messages, and the octets of their payloads.
type Counts struct{ Messages, Bytes int64 }

func (c *Counts) add(n int) {
	c.Messages++
	c.Bytes += int64(n)
}

// Stats are what a session has received and sent: text and binary messages.
type Stats struct{ In, Out Counts }
