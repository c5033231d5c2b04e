package autobahn

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"weir/interop/conform/wire"
)

// input is the message that the peer is in the middle of.
type input struct {
	open   bool
	binary bool
	packed bool
	buf    []byte
}

// take takes an event of the connection.
func (t *tester) take(e wire.Event) {
	if e.Kind != wire.Arrived {
		t.state = lost
		if t.why == "" && e.Kind == wire.Lost {
			t.why = e.String()
		}
		return
	}
	f := e.Frame
	why := t.judge(f)
	if why != "" {
		t.fail(1002, "", "the peer broke the protocol: "+why)
	}
	switch {
	case f.Op == wire.Close: // its code counts, whatever else is wrong with it
		t.closed(f.Payload)
	case f.Op == wire.Pong: // so does a pong: a peer that sends one that it must not has answered
		t.record(seen{"pong", f.Payload})
	case why != "":
	case f.Op == wire.Ping:
		if t.state == opened {
			t.put(pong(f.Payload))
		}
	default:
		t.data(f)
	}
}

// judge says which rule a frame of the peer's breaks, or "".
func (t *tester) judge(f wire.Frame) string {
	n := len(f.Payload)
	allowed := byte(0)
	if t.unpacker != nil && (f.Op == wire.Text || f.Op == wire.Binary) {
		allowed = wire.RSV1 // RFC 7692, 6
	}
	control := f.Op >= wire.Close
	switch {
	case f.RSV&^allowed != 0:
		return fmt.Sprintf("RSV=%d in a %v frame (RFC 6455, 5.2)", f.RSV, f.Op)
	case f.Op > wire.Pong || f.Op > wire.Binary && !control:
		return fmt.Sprintf("%v is reserved (RFC 6455, 5.2)", f.Op)
	case f.Masked == t.c.Client:
		return fmt.Sprintf("masked: %t (RFC 6455, 5.1)", f.Masked)
	case f.LengthOctets == 3 && n < 126, f.LengthOctets == 9 && n < 1<<16:
		return fmt.Sprintf("a length of %d in %d octets (RFC 6455, 5.2)", n, f.LengthOctets)
	case control && !f.Fin:
		return "a fragmented control frame (RFC 6455, 5.5)"
	case control && n > 125:
		return fmt.Sprintf("a control frame of %d octets (RFC 6455, 5.5)", n)
	case f.Op == wire.Close && n == 1:
		return "a close frame of one octet (RFC 6455, 5.5.1)"
	case f.Op == wire.Continuation && !t.in.open:
		return "a continuation of nothing (RFC 6455, 5.4)"
	case (f.Op == wire.Text || f.Op == wire.Binary) && t.in.open:
		return "a message within a message (RFC 6455, 5.4)"
	}
	return ""
}

// data takes a data frame.
func (t *tester) data(f wire.Frame) {
	in := &t.in
	if f.Op == wire.Continuation {
		if len(in.buf)+len(f.Payload) > maxMessage {
			t.fail(1009, "", "a message larger than any that was asked for")
			return
		}
		in.buf = append(in.buf, f.Payload...)
	} else {
		in.open, in.binary, in.packed, in.buf = true, f.Op == wire.Binary, f.RSV != 0, f.Payload
	}
	if !f.Fin {
		return
	}
	m := message{binary: in.binary, payload: in.buf}
	if in.packed {
		m.packed = in.buf
	}
	*in = input{}
	if t.failedByMe {
		return
	}
	if m.packed != nil {
		p, err := t.unpacker.unpack(m.payload)
		if err != nil {
			t.fail(1002, "", "the peer's message cannot be inflated (RFC 7692, 7.2.2): "+err.Error())
			return
		}
		if why := t.reaches(m.packed); why != "" {
			t.fail(1002, "", "the peer's message cannot be inflated: "+why)
			return
		}
		m.payload = p
		if t.spec.message == nil {
			m.payload = bytes.Clone(p) // the list keeps it
		}
	}
	if !m.binary && !utf8.Valid(m.payload) {
		t.fail(1007, "", "the peer's text is not UTF-8 (RFC 6455, 5.6)")
		return
	}
	switch {
	case t.spec.message != nil:
		t.spec.message(t, m)
	case m.binary:
		t.record(seen{"binary", m.payload})
	default:
		t.record(seen{"text", m.payload})
	}
}

// looks is of how many compressed messages of a case it is looked how far back they refer: it takes
// its time.
const looks = 8

// reaches says that a message refers farther back than the window that was agreed on, or "". A
// strict case has a judge of its own.
func (t *tester) reaches(packed []byte) string {
	u := t.unpacker
	if u.bits == 15 || t.spec.strict || t.looked == looks {
		return ""
	}
	t.looked++
	if far, err := reach(append(bytes.Clone(packed), tail[:4]...)); err == nil && far > 1<<u.bits {
		return fmt.Sprintf("it refers %d octets back, and the window is %d (RFC 7692, 7.1.2.1)", far, 1<<u.bits)
	}
	return ""
}

// closed takes the peer's close frame. One that breaks a rule counts as one all the same: its code
// is judged, and where it comes first our close frame, which says what is wrong, is the second.
func (t *tester) closed(p []byte) {
	if t.replied {
		if t.spec.strict {
			t.fail(1002, "", "the peer sent a second close frame (RFC 6455, 5.5.1)")
		}
		return
	}
	t.code = nil
	if len(p) >= 2 {
		code := int(binary.BigEndian.Uint16(p))
		t.code = &code
		switch {
		case !t.allowed(code):
			t.fail(1002, "", fmt.Sprintf("the peer's close code %d may not be sent (RFC 6455, 7.4)", code))
		case !utf8.Valid(p[2:]):
			t.fail(1007, "", "the peer's close reason is not UTF-8 (RFC 6455, 5.5.1)")
		}
	}
	if t.state == lost { // it was the answer to our close frame, and is none that counts
		return
	}
	t.replied, t.clean = true, true
	if t.state == opened {
		t.put(frame(wire.Close, *closing(1000, "")))
		t.state = closingState
	}
	switch {
	case !t.c.Client:
		t.flush()
		t.state = lost // a server drops first (RFC 6455, 7.1.1)
	case t.closedByMe:
		t.unless(dropWait, func() {
			t.clean = false
			t.drop("the server did not drop the connection (RFC 6455, 7.1.1)")
		})
	}
}

// coded says whether the peer's close frame has that code.
func (t *tester) coded(code int) bool { return t.code != nil && *t.code == code }

// allowed says which codes a peer may send.
func (t *tester) allowed(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1011, code >= 3000 && code <= 4999:
		return true
	}
	return t.spec.strict && code >= 1012 && code <= 1014 // registered since the catalogue was made
}
