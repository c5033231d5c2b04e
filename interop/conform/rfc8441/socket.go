package rfc8441

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// text, binary, control and fragment make a client's frames.
func text(s string) wire.Frame { return wire.Frame{Fin: true, Op: wire.Text, Payload: []byte(s)} }

func binaryFrame(b []byte) wire.Frame { return wire.Frame{Fin: true, Op: wire.Binary, Payload: b} }

func control(op wire.Opcode, s string) wire.Frame {
	return wire.Frame{Fin: true, Op: op, Payload: []byte(s)}
}

func fragment(op wire.Opcode, fin bool, s string) wire.Frame {
	return wire.Frame{Fin: fin, Op: op, Payload: []byte(s)}
}

func closing(code uint16, reason string) wire.Frame {
	return wire.Frame{Fin: true, Op: wire.Close, Payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
}

// mask makes the octets of frames, each masked with a key of its own.
func (t *tunnel) mask(frames ...wire.Frame) []byte {
	var b []byte
	for _, f := range frames {
		t.c.key++
		f.Masked, f.Key = true, [4]byte{0x80 | t.c.key, 0xa5, t.c.key, 0x3c}
		b = f.Append(b)
	}
	return b
}

// say sends frames, masked, in as few DATA frames as there can be.
func (t *tunnel) say(frames ...wire.Frame) {
	var names []string
	for _, f := range frames {
		names = append(names, f.String())
	}
	t.octets(t.mask(frames...), "%s", strings.Join(names, "; "))
}

// sayEnd is say with END_STREAM on the DATA.
func (t *tunnel) sayEnd(f wire.Frame) { t.part(t.mask(f), -1, true, "%v", f) }

// frame waits for the server's next frame. It is none if the stream ends before.
func (t *tunnel) frame(what string) (f wire.Frame, ok bool) {
	if len(t.queue) > 0 {
		f, t.queue = t.queue[0], t.queue[1:]
		return f, true
	}
	return t.receive(what)
}

// receive takes the next frame off the octets that came.
func (t *tunnel) receive(what string) (f wire.Frame, ok bool) {
	c := t.c
	n := 0
	c.until(fmt.Sprintf("%s on stream %d", what, t.id), func() bool {
		f, n = wire.Parse(t.data)
		return n > 0 || t.done()
	})
	if n == 0 {
		if !c.bad() {
			c.fail("the stream ended (%s) before %s", t.state(), what)
		}
		return f, false
	}
	t.data = t.data[n:]
	switch {
	case f.Masked:
		c.fail("a %v of the server is masked (RFC 6455, 5.1)", f)
	case f.RSV != 0 && (t.deflate == nil || f.RSV != wire.RSV1):
		c.fail("RSV=%d in a frame of the server, and nothing negotiated gives it a meaning (RFC 6455, 5.2)", f.RSV)
	case f.Op >= wire.Close && (!f.Fin || len(f.Payload) > 125):
		c.fail("a control frame of the server in fragments, or over 125 octets: %v (RFC 6455, 5.5)", f)
	}
	return f, !c.bad()
}

// message waits for the server's next message, past pings and pongs.
func (t *tunnel) message(what string) (op wire.Opcode, payload []byte) {
	first, compressed := true, false
	for {
		f, ok := t.frame(what)
		switch {
		case !ok:
			return op, payload
		case f.Op == wire.Ping || f.Op == wire.Pong:
			continue
		case f.Op == wire.Close:
			t.c.fail("%v before %s", f, what)
			return op, payload
		case first != (f.Op != wire.Continuation):
			t.c.fail("%v where a message begins or goes on (RFC 6455, 5.4)", f)
			return op, payload
		}
		if first {
			op, compressed = f.Op, f.RSV == wire.RSV1
		}
		first = false
		payload = append(payload, f.Payload...)
		if f.Fin {
			break
		}
	}
	if compressed {
		var err error
		if payload, err = t.deflate.message(payload); err != nil {
			t.c.fail("%s cannot be inflated: %v (RFC 7692, 7.2.2)", what, err)
		}
	}
	return op, payload
}

// wantText waits for a text message.
func (t *tunnel) wantText(want string) { t.want(wire.Text, want) }

// want waits for a message.
func (t *tunnel) want(wantOp wire.Opcode, want string) {
	what := fmt.Sprintf("the %v message %.20q", wantOp, want)
	op, got := t.message(what)
	if t.c.bad() {
		return
	}
	if op != wantOp || string(got) != want {
		t.c.fail("a %v message of %d octets, %.20q, is not %s of %d", op, len(got), got, what, len(want))
	}
}

// echo sends a text message and waits for it.
func (t *tunnel) echo(s string) {
	t.say(text(s))
	t.wantText(s)
}

// wantPong waits for a pong. What else comes before it is kept: an echo may come in the fragments in which it was sent.
func (t *tunnel) wantPong(want string) {
	for i := 0; ; i++ {
		for i >= len(t.queue) {
			f, ok := t.receive(fmt.Sprintf("the pong %q", want))
			if !ok {
				return
			}
			t.queue = append(t.queue, f)
		}
		switch f := t.queue[i]; {
		case f.Op == wire.Close:
			t.c.fail("%v before the pong %q (RFC 6455, 5.5.2)", f, want)
			return
		case f.Op != wire.Pong:
			continue
		case string(f.Payload) != want:
			t.c.fail("the pong %q, not %q (RFC 6455, 5.5.3)", f.Payload, want)
		}
		t.queue = slices.Delete(t.queue, i, i+1)
		return
	}
}

// wantClose waits for the server's close frame, past what else it had to say, and for the end of the stream. codes are those that are OK, 0 a close frame
// without one; none: all.
func (t *tunnel) wantClose(why string, codes ...int) {
	code, ok := t.closeFrame(why)
	if !ok {
		return
	}
	if len(codes) > 0 && !slices.Contains(codes, code) {
		t.c.nonStrict("close frame with code %d, not %v: %s", code, codes, why)
	}
	t.ended(why)
}

// closeFrame waits for the server's close frame and gives its code, 0 for none.
func (t *tunnel) closeFrame(why string) (code int, ok bool) {
	for {
		f, ok := t.frame("the close frame: " + why)
		if !ok {
			return 0, false
		}
		if f.Op != wire.Close {
			continue
		}
		switch {
		case len(f.Payload) == 1:
			t.c.fail("a close frame of one octet (RFC 6455, 5.5.1)")
		case len(f.Payload) > 1:
			code = int(binary.BigEndian.Uint16(f.Payload))
			if !legalCode(code) || !utf8.Valid(f.Payload[2:]) {
				t.c.fail("%v: no close frame may have that (RFC 6455, 7.4)", f)
			}
		}
		return code, !t.c.bad()
	}
}

func legalCode(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// ended waits for END_STREAM behind the close frame (RFC 8441, 5).
func (t *tunnel) ended(why string) {
	t.wantEnd("behind the server's close frame: " + why + " (RFC 8441, 5)")
	if len(t.data) > 0 {
		t.c.fail("%d octets behind the server's close frame (RFC 6455, 5.5.1)", len(t.data))
	}
}

// wantFailed waits for the server to fail the WebSocket (RFC 6455, 7.1.7): best with a close frame with one of the codes, tolerably with another one, or
// by ending the stream alone. What the server had to say before is passed over; a message that echo names must not be among it.
func (t *tunnel) wantFailed(why, echo string, codes ...int) {
	c := t.c
	for {
		f, n := wire.Frame{}, 0
		if !c.until("the WebSocket to be failed: "+why, func() bool { f, n = wire.Parse(t.data); return n > 0 || t.done() }) {
			return
		}
		if n == 0 {
			if t.fin {
				c.nonStrict("the stream ended without a close frame: %s (RFC 6455, 7.1.7)", why)
			} else {
				c.nonStrict("RST_STREAM %v without a close frame: %s (RFC 6455, 7.1.7)", *t.reset, why)
			}
			return
		}
		if f.Op == wire.Close {
			t.wantClose(why, codes...)
			return
		}
		t.data = t.data[n:]
		if f.Op <= wire.Binary && string(f.Payload) == echo {
			c.fail("it was taken and answered: %s", why)
			return
		}
	}
}

// bye closes cleanly: close frame, the server's, and END_STREAM on both sides.
func (t *tunnel) bye() {
	t.say(closing(1000, ""))
	t.wantClose("to our own, 1000", 1000)
	if !t.sentFin && t.reset == nil && !t.c.bad() {
		t.endStream()
	}
}

// unimplemented says that the server does not do what a case is about.
func (c *client) unimplemented(format string, args ...any) {
	c.judge(conform.Unimplemented, format, args...)
}
