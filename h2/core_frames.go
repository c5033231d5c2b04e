package h2

import (
	"errors"
	"io"

	"golang.org/x/net/http2"
)

// octets is a reader over a slice: http2.ReadFrameHeader and the Framer parse from it.
type octets struct{ b []byte }

func (o *octets) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.b)
	o.b = o.b[n:]
	return n, nil
}

// take gives the next n octets in one piece: a part of what was fed if they are all there, else of
// what was kept. They are good until the next call.
func (c *core) take(n int) ([]byte, bool) {
	if len(c.rest) == 0 && len(c.in) >= n {
		p := c.in[:n]
		c.in = c.in[n:]
		return p, true
	}
	m := min(n-len(c.rest), len(c.in))
	c.rest = append(c.rest, c.in[:m]...)
	c.in = c.in[m:]
	if len(c.rest) < n {
		return nil, false
	}
	p := c.rest
	if c.rest = c.rest[:0]; cap(c.rest) > 1024 {
		c.rest = nil
	}
	return p, true
}

// parse goes on by one frame, or one piece of a DATA frame. False: more octets are needed.
func (c *core) parse() bool {
	if c.preface > 0 {
		return c.parsePreface()
	}
	if c.data.open {
		return c.parseData()
	}
	if c.skip > 0 {
		n := min(c.skip, len(c.in))
		c.skip -= n
		c.in = c.in[n:]
		return c.skip == 0
	}
	if !c.framed {
		if c.cfg.client && !c.peer.seen && c.alien() {
			return true
		}
		p, ok := c.take(9)
		if !ok {
			return false
		}
		h := headOf(p)
		if h.Type != http2.FrameData { // the Framer parses the payload, and wants its own
			c.reader.b = p
			var err error
			if h, err = http2.ReadFrameHeader(&c.reader); err != nil {
				panic("h2: BUG: frame header: " + err.Error())
			}
		}
		c.head, c.framed = h, true
		c.counts.in[frameIndex(h.Type)]++
		t := c.trace.mark()
		if !c.checkHead(h) {
			c.trace.noteAt(t, h)
			return true
		}
	}
	p, ok := c.take(int(c.head.Length))
	if !ok {
		return false
	}
	c.framed = false
	c.countIn(c.head, p)
	if c.head.Type == http2.FramePriorityUpdate {
		c.priorityUpdate(p)
		return true
	}
	c.reader.b = p
	f, err := c.fr.ReadFrameForHeader(c.head)
	if err != nil {
		c.badPayload(err)
		return true
	}
	c.frame(f)
	return true
}

// parsePreface compares the client preface octet by octet (RFC 9113, 3.4).
func (c *core) parsePreface() bool {
	want := http2.ClientPreface[len(http2.ClientPreface)-c.preface:]
	n := min(len(c.in), len(want))
	if string(c.in[:n]) != want[:n] {
		c.fail(ProtocolError, "RFC 9113, 3.4", "this is no HTTP/2 preface")
		return true
	}
	c.preface -= n
	c.in = c.in[n:]
	return c.preface == 0
}

// checkHead judges a frame by its header. True: its payload is wanted in one piece. Otherwise the
// frame was a fault, is DATA, or is skipped.
func (c *core) checkHead(h http2.FrameHeader) bool {
	c.framed = false
	if int(h.Length) > c.cfg.maxFrame {
		c.fail(FrameSizeError, "RFC 9113, 4.2", "frame over SETTINGS_MAX_FRAME_SIZE")
		return false
	}
	if !c.peer.seen && (h.Type != http2.FrameSettings || h.Flags.Has(http2.FlagSettingsAck)) {
		c.fail(ProtocolError, "RFC 9113, 3.4", "the first frame is not SETTINGS")
		return false
	}
	if c.block.open && (h.Type != http2.FrameContinuation || h.StreamID != c.block.id) {
		c.fail(ProtocolError, "RFC 9113, 6.10", "a frame inside a field block")
		return false
	}
	if r := headRules[min(int(h.Type), len(headRules)-1)]; r.rule != "" {
		switch {
		case r.any:
		case r.conn && h.StreamID != 0:
			c.fail(ProtocolError, r.rule, "a frame of the connection on a stream")
			return false
		case !r.conn && h.StreamID == 0:
			c.fail(ProtocolError, r.rule, "a frame of a stream on stream 0")
			return false
		}
		switch {
		case r.size > 0 && int(h.Length) != r.size && h.Type == http2.FramePriority:
			c.skip = int(h.Length)
			c.priorityFault(h.StreamID, FrameSizeError, "RFC 9113, 6.3", "PRIORITY of a wrong length")
			return false
		case r.size > 0 && int(h.Length) != r.size:
			c.fail(FrameSizeError, r.rule, "a frame of a wrong length")
			return false
		}
	}
	switch h.Type {
	case http2.FrameData:
		c.dataHead(h)
		return false
	case http2.FrameHeaders:
		if int(h.Length) < headersNeed(h.Flags) {
			c.fail(FrameSizeError, "RFC 9113, 4.2", "HEADERS too short for its flags")
			return false
		}
		c.timers.block(c)
	case http2.FramePriority, http2.FrameRSTStream, http2.FramePing, http2.FrameWindowUpdate:
	case http2.FrameSettings:
		if h.Flags.Has(http2.FlagSettingsAck) && h.Length != 0 || h.Length%6 != 0 {
			c.fail(FrameSizeError, "RFC 9113, 6.5", "SETTINGS of a wrong length")
			return false
		}
	case http2.FrameGoAway:
		if h.Length < 8 {
			c.fail(FrameSizeError, "RFC 9113, 6.8", "GOAWAY of a wrong length")
			return false
		}
	case http2.FrameContinuation:
		if !c.block.open {
			c.fail(ProtocolError, "RFC 9113, 6.10", "CONTINUATION without a field block")
			return false
		}
	case http2.FramePriorityUpdate:
		if !c.checkPriorityUpdate(h) {
			return false
		}
	case http2.FramePushPromise:
		c.fail(ProtocolError, "RFC 9113, 8.4", "PUSH_PROMISE from a client, or one that was not allowed")
		return false
	default: // RFC 9113, 5.5: unknown frames are ignored
		c.skip = int(h.Length)
		c.charge(LimitIgnored, 1)
		return false
	}
	c.framed = true
	return true
}

// headersNeed is how many octets a HEADERS frame has at least: the pad length and the priority,
// where there are any (RFC 9113, 6.2).
func headersNeed(f http2.Flags) (n int) {
	if f.Has(http2.FlagHeadersPadded) {
		n++
	}
	if f.Has(http2.FlagHeadersPriority) {
		n += 5
	}
	return n
}

// headRules say, for each frame type, whether it belongs to the connection or to a stream, and its
// length if that is fixed.
var headRules = [...]struct {
	rule      string
	conn, any bool
	size      int
}{
	http2.FrameData:         {rule: "RFC 9113, 6.1"},
	http2.FrameHeaders:      {rule: "RFC 9113, 6.2"},
	http2.FramePriority:     {rule: "RFC 9113, 6.3", size: 5},
	http2.FrameRSTStream:    {rule: "RFC 9113, 6.4", size: 4},
	http2.FrameSettings:     {rule: "RFC 9113, 6.5", conn: true},
	http2.FramePushPromise:  {rule: "RFC 9113, 6.6"},
	http2.FramePing:         {rule: "RFC 9113, 6.7", conn: true, size: 8},
	http2.FrameGoAway:       {rule: "RFC 9113, 6.8", conn: true},
	http2.FrameWindowUpdate: {rule: "RFC 9113, 6.9", any: true, size: 4},
	http2.FrameContinuation: {rule: "RFC 9113, 6.10"},
	10:                      {}, // all others
}

// badPayload translates what the Framer has against a payload; lengths and stream ids have been
// checked before.
func (c *core) badPayload(err error) {
	switch c.head.Type {
	case http2.FrameHeaders:
		c.fail(ProtocolError, "RFC 9113, 6.2", "padding longer than the frame")
	case http2.FrameWindowUpdate:
		c.windowUpdate(c.head.StreamID, 0)
	case http2.FrameSettings:
		c.fail(FlowControlError, "RFC 9113, 6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1")
	default:
		code := ProtocolError
		var ce http2.ConnectionError
		if errors.As(err, &ce) {
			code = Code(ce)
		}
		c.fail(code, "RFC 9113, 4.2", "the frame cannot be read")
	}
}

// frame dispatches a parsed frame.
func (c *core) frame(f http2.Frame) {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		c.headers(f)
	case *http2.ContinuationFrame:
		c.continuation(f)
	case *http2.PriorityFrame:
		if c.charge(LimitIgnored, 1) && f.StreamDep == f.StreamID {
			c.priorityFault(f.StreamID, ProtocolError, "RFC 7540, 5.3.1", "a stream that depends on itself")
		}
	case *http2.RSTStreamFrame:
		c.rstStream(f.StreamID, Code(f.ErrCode))
	case *http2.SettingsFrame:
		c.settings(f)
	case *http2.PingFrame:
		c.ping(f)
	case *http2.GoAwayFrame:
		c.peerLeaves(f)
	case *http2.WindowUpdateFrame:
		c.windowUpdate(f.StreamID, f.Increment)
	default:
		panic("h2: BUG: a frame nobody asked for")
	}
}

// priorityFault is a stream error of PRIORITY, which may come for a stream in any state: RST_STREAM
// is allowed only for those that are not idle (RFC 9113, 6.4).
func (c *core) priorityFault(id uint32, code Code, rule, msg string) {
	if id > c.maxID {
		c.fail(code, rule, msg)
		return
	}
	c.streamFault(id, c.streams[id], code, rule, msg)
}
