package rfc8441

import (
	"fmt"
	"slices"
	"strconv"

	"weir/h2/h2test"
	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// tunnel is one stream of a client: a WebSocket, or any other request.
type tunnel struct {
	c  *client
	id uint32

	plain bool // no CONNECT

	status  int // of the answer, 0 before it
	answer  []hpack.HeaderField
	block   []byte // of the answer, if it is one HEADERS without padding
	headFin bool   // the answer's HEADERS carried END_STREAM
	fin     bool
	reset   *http2.ErrCode
	late    int // frames after we reset it, which may have been on their way
	again   int // RST_STREAM after RST_STREAM

	data  []byte       // of DATA, not taken yet
	queue []wire.Frame // taken off data, and not asked for yet
	total int          // octets of DATA, padding too

	sentFin, sentReset bool
	send, recv         int64 // windows: what the server takes, what we take
	hold               bool  // our window is not given back
	deflate            *inflater
}

// done says whether the server has ended the stream.
func (t *tunnel) done() bool { return t.fin || t.reset != nil }

// field is the value of a field of the answer, and how many times it is there.
func (t *tunnel) field(name string) (value string, times int) {
	for _, f := range t.answer {
		if f.Name == name {
			if times++; times > 1 {
				value += ", "
			}
			value += f.Value
		}
	}
	return value, times
}

// take takes a frame of the stream.
func (t *tunnel) take(f h2test.Frame) {
	c := t.c
	if f.Type == http2.FrameData {
		n := len(f.Payload)
		c.recv -= int64(n)
		t.recv -= int64(n)
		t.total += n
		if c.recv < 0 || t.recv < 0 {
			c.fail("%d octets of DATA on stream %d are more than the windows have: %d are left on the stream, %d on the connection (RFC 9113, 6.9.1)",
				n, t.id, t.recv+int64(n), c.recv+int64(n))
			return
		}
		if !c.hold {
			c.credit(0, n)
		}
	}
	if f.Type == http2.FrameWindowUpdate {
		t.send = c.grow(t.send, f.Inc, fmt.Sprintf("stream %d", t.id))
		return
	}
	if t.sentReset {
		t.late++ // it may have been on its way
		return
	}
	if t.reset != nil && f.Type == http2.FrameRSTStream {
		t.again++
		return
	}
	if t.reset != nil || t.fin && f.Type != http2.FrameRSTStream {
		c.fail("%v after the server ended the stream (RFC 9113, 5.1)", f)
		return
	}
	switch f.Type {
	case http2.FrameData:
		t.data = append(t.data, f.Data...)
		if t.status < 200 {
			c.fail("DATA before the answer (RFC 9113, 8.1)")
		}
		if !t.hold && !f.Fin() {
			c.credit(t.id, len(f.Payload))
		}
	case http2.FrameHeaders, http2.FrameContinuation:
		t.head(f)
	case http2.FrameRSTStream:
		t.reset = &f.Code
	}
	if f.Type == http2.FrameData || f.Type == http2.FrameHeaders {
		t.fin = t.fin || f.Fin()
	}
}

// head takes HEADERS or CONTINUATION.
func (t *tunnel) head(f h2test.Frame) {
	if !f.Flags.Has(http2.FlagHeadersEndHeaders) {
		return
	}
	var status string
	for _, h := range f.Fields {
		if h.Name == ":status" {
			status = h.Value
		}
	}
	n, err := strconv.Atoi(status)
	switch {
	case t.status/100 == 2 && !t.plain:
		t.c.fail("HEADERS on an open tunnel (RFC 9113, 8.5)")
	case t.status >= 200 && status == "" && f.Fin(): // trailers
	case n == 101:
		t.c.fail("101 over HTTP/2 (RFC 9113, 8.6)")
	case err != nil || len(status) != 3 || t.status >= 200:
		t.c.fail("HEADERS with :status %q (RFC 9113, 8.3.2)", status)
	default:
		t.status, t.answer, t.block, t.headFin = n, f.Fields, f.Payload, f.Fin()
	}
}

// head is the header of an extended CONNECT. changes are names and values in turn: a name that is there gets the value, "-" takes the field
// away, others are added.
func (c *client) head(changes ...string) []hpack.HeaderField {
	fields := []hpack.HeaderField{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: c.target.URL.Scheme},
		{Name: ":authority", Value: c.target.Authority()}, {Name: ":path", Value: c.target.RequestURI()}, {Name: "sec-websocket-version", Value: "13"}}
	for i := 0; i+1 < len(changes); i += 2 {
		name, value := changes[i], changes[i+1]
		at := slices.IndexFunc(fields, func(f hpack.HeaderField) bool { return f.Name == name })
		switch {
		case value == "-" && at >= 0:
			fields = slices.Delete(fields, at, at+1)
		case at >= 0:
			fields[at].Value = value
		default:
			fields = append(fields, hpack.HeaderField{Name: name, Value: value})
		}
	}
	return fields
}

// start sends an extended CONNECT, and does not wait.
func (c *client) start(changes ...string) *tunnel {
	c.open("")
	return c.headers(false, c.head(changes...))
}

// connect opens a WebSocket: it has failed unless the server accepts.
func (c *client) connect(changes ...string) *tunnel {
	return c.start(changes...).accepted()
}

// accepted waits for the answer, which has to be one that opens the tunnel.
func (t *tunnel) accepted() *tunnel {
	if t.answered() && (t.status/100 != 2 || t.headFin) {
		t.c.fail("the WebSocket was not opened: %s (RFC 8441, 5)", t.state())
	}
	return t
}

// answered waits for an answer or a reset.
func (t *tunnel) answered() bool {
	return t.c.until(fmt.Sprintf("an answer on stream %d", t.id), func() bool { return t.status >= 200 || t.reset != nil })
}

// state says what has become of the stream.
func (t *tunnel) state() string {
	s := "no answer"
	if t.status > 0 {
		s = fmt.Sprintf("answer %d", t.status)
	}
	if t.fin {
		s += ", END_STREAM"
	}
	if t.reset != nil {
		s += fmt.Sprintf(", RST_STREAM %v", *t.reset)
	}
	return s
}

// part sends one DATA frame as soon as both windows take it. pad is its padding, -1 for none.
func (t *tunnel) part(b []byte, pad int, fin bool, format string, args ...any) {
	c := t.c
	var flags http2.Flags
	p := b
	if pad >= 0 {
		flags |= http2.FlagDataPadded
		p = slices.Concat([]byte{byte(pad)}, b, make([]byte, pad))
	}
	if fin {
		flags |= http2.FlagDataEndStream
	}
	n := int64(len(p))
	if n > 0 && !c.until(fmt.Sprintf("credit for %d octets of DATA on stream %d, of which the server has been sent more before (RFC 9113, 5.2)", n, t.id),
		func() bool { return t.send >= n && c.send >= n }) {
		return
	}
	t.send -= n
	c.send -= n
	t.sentFin = t.sentFin || fin
	text := fmt.Sprintf("DATA %d, %d octets", t.id, len(b))
	if pad >= 0 {
		text += fmt.Sprintf(", PAD=%d", pad)
	}
	if fin {
		text += ", END_STREAM"
	}
	if format != "" {
		text += ": " + fmt.Sprintf(format, args...)
	}
	c.raw(http2.FrameData, flags, t.id, p, "%s", text)
}

// octets sends b in as many DATA frames as it needs.
func (t *tunnel) octets(b []byte, format string, args ...any) {
	for len(b) > 0 && !t.c.over() {
		room := func() int {
			return int(min(int64(len(b)), int64(t.c.maxFrame), t.send, t.c.send))
		}
		if room() <= 0 && !t.c.until(fmt.Sprintf("credit for %d octets more on stream %d (RFC 9113, 5.2)", len(b), t.id), func() bool { return room() > 0 || t.done() }) {
			return
		}
		n := room()
		if n <= 0 {
			return // the stream is over
		}
		t.part(b[:n], -1, false, format, args...)
		b = b[n:]
	}
}

// pieces sends each in a DATA frame of its own.
func (t *tunnel) pieces(parts ...[]byte) {
	for _, b := range parts {
		t.part(b, -1, false, "")
	}
}

// endStream sends END_STREAM.
func (t *tunnel) endStream() { t.part(nil, -1, true, "") }

// resetStream sends RST_STREAM.
func (t *tunnel) resetStream(code http2.ErrCode) {
	if t.c.over() {
		return
	}
	t.c.send1(fmt.Sprintf("RST_STREAM %d %d", t.id, uint32(code)))
	t.sentReset = true
}

// wantEnd waits for END_STREAM, with nothing of a WebSocket before it but what may be left of a close.
func (t *tunnel) wantEnd(why string) {
	if !t.c.until(fmt.Sprintf("END_STREAM on stream %d, %s", t.id, why), t.done) {
		return
	}
	if !t.fin {
		switch *t.reset {
		case http2.ErrCodeNo, http2.ErrCodeCancel:
			t.c.nonStrict("RST_STREAM %v, not END_STREAM, %s", *t.reset, why)
		default:
			t.c.fail("RST_STREAM %v, not END_STREAM, %s", *t.reset, why)
		}
	}
}

// wantReset waits for a stream error with one of the codes; none: any but NO_ERROR. That it becomes an error of the connection is allowed (RFC 9113,
// 5.4.1), and hard on the other WebSockets.
func (t *tunnel) wantReset(why string, codes ...http2.ErrCode) {
	c := t.c
	hard := func() bool { return c.goAway != nil && c.goAway.Code != http2.ErrCodeNo || c.ended != nil }
	c.provoked = true
	if !c.until(fmt.Sprintf("RST_STREAM %v on stream %d, %s", codes, t.id, why), func() bool { return t.reset != nil || hard() }) {
		return
	}
	switch {
	case hard():
		c.nonStrict("the connection ended (%s), not the stream alone, %s (RFC 9113, 5.4.1)", c.end2(), why)
		c.wait(func() bool { return c.ended != nil })
	case len(codes) == 0 && *t.reset == http2.ErrCodeNo, len(codes) > 0 && !slices.Contains(codes, *t.reset):
		c.nonStrict("RST_STREAM %v, not %v, %s", *t.reset, codes, why)
	}
}

// end2 is end, of a connection that is about to.
func (c *client) end2() string {
	if c.ended == nil && c.goAway != nil {
		return fmt.Sprintf("GOAWAY %v %q", c.goAway.Code, c.goAway.Data)
	}
	return c.end()
}

// untroubled looks that the server, having reset the stream, ignores what may have been on its way to it.
func (t *tunnel) untroubled() {
	if t.again > 0 {
		t.c.nonStrict("RST_STREAM again for what may have been on its way to a stream that the server has reset (RFC 9113, 5.1)")
	}
}

// malformed waits for what becomes of a request that is malformed: a stream error PROTOCOL_ERROR, before which an answer may come (RFC 9113,
// 8.1.1).
func (t *tunnel) malformed(why string) {
	c := t.c
	hard := func() bool { return c.goAway != nil && c.goAway.Code != http2.ErrCodeNo || c.ended != nil }
	c.provoked = true
	if !c.until("RST_STREAM PROTOCOL_ERROR: "+why, func() bool { return t.done() || t.status/100 == 2 || hard() }) {
		return
	}
	if t.status == 400 && t.reset == nil { // it may be on its way
		c.quietly(func() bool { return t.reset != nil || hard() })
	}
	switch {
	case t.status/100 == 2:
		c.fail("answered %d: %s", t.status, why)
	case hard() || t.status == 0:
		t.wantReset(why, http2.ErrCodeProtocol)
	case t.status == 400 && t.reset != nil && *t.reset == http2.ErrCodeProtocol:
	case t.status/100 == 4, t.status == 501:
		c.nonStrict("answered %d, no stream error of type PROTOCOL_ERROR: %s", t.status, why)
	default:
		c.fail("%s: %s", t.state(), why)
	}
}

// refused waits for a complete answer that opens no WebSocket: OK with one of these statuses, NON-STRICT with another of 4xx or 5xx, or a stream
// error of type PROTOCOL_ERROR.
func (t *tunnel) refused(why string, statuses ...int) {
	c := t.c
	if !c.until(fmt.Sprintf("an answer %v: %s", statuses, why), func() bool { return t.done() || t.status/100 == 2 }) {
		return
	}
	switch {
	case t.status/100 == 2:
		c.fail("answered %d: %s", t.status, why)
	case slices.Contains(statuses, t.status):
	case t.status >= 400:
		c.nonStrict("answered %d, not %v: %s", t.status, statuses, why)
	case t.reset != nil && t.status == 0:
		c.nonStrict("RST_STREAM %v, no answer %v: %s", *t.reset, statuses, why)
	default:
		c.fail("%s, not %v: %s", t.state(), statuses, why)
	}
}

// beside runs a script beside a WebSocket that has to live through it, on a connection that has to take another afterwards.
func beside(script func(c *client)) func(c *client) {
	return func(c *client) {
		t := c.connect()
		t.echo("before")
		script(c)
		t.say(text("after"))
		if c.wait(func() bool { return len(t.data) > 0 || t.done() || c.goAway != nil || c.ended != nil }) && len(t.data) == 0 && c.provoked && c.goAway != nil {
			c.nonStrict("the connection ended (%s), not the stream alone (RFC 9113, 5.4.1)", c.end2())
			return
		}
		t.wantText("after")
		c.connect().echo("anew")
	}
}
