package h2

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxTraced bounds the frames that wait to be told of; what is beyond is counted.
const maxTraced = 4096

// tracer notes frames, in and out, for whoever prints them.
type tracer struct {
	frames []tracedFrame
	lost   int
	fields []hpack.HeaderField // those of the block that is being written; lent
}

// tracedFrame is a frame, with what its type carries taken out.
type tracedFrame struct {
	in       bool
	head     http2.FrameHeader
	settings []http2.Setting
	code     Code   // RST_STREAM, GOAWAY
	last     uint32 // GOAWAY
	inc      uint32 // WINDOW_UPDATE
	text     string // PING: its octets; GOAWAY: the debug data
	fields   []hpack.HeaderField
}

// note takes a frame; of DATA and of types that are not known the payload is left out.
func (t *tracer) note(in bool, h http2.FrameHeader, p []byte, fields []hpack.HeaderField) {
	if len(t.frames) >= maxTraced {
		t.lost++
		return
	}
	f := tracedFrame{in: in, head: h, fields: slices.Clone(fields)}
	switch {
	case h.Type == http2.FrameRSTStream && len(p) == 4:
		f.code = Code(binary.BigEndian.Uint32(p))
	case h.Type == http2.FrameGoAway && len(p) >= 8:
		f.last, f.code = binary.BigEndian.Uint32(p)&(1<<31-1), Code(binary.BigEndian.Uint32(p[4:]))
		f.text = string(p[8:min(len(p), 136)])
	case h.Type == http2.FrameWindowUpdate && len(p) == 4:
		f.inc = binary.BigEndian.Uint32(p) & (1<<31 - 1)
	case h.Type == http2.FramePing && len(p) == 8:
		f.text = string(p)
	case h.Type == http2.FrameSettings && len(p)%6 == 0:
		for p = p[:min(len(p), 6*32)]; len(p) > 0; p = p[6:] {
			f.settings = append(f.settings, http2.Setting{ID: http2.SettingID(binary.BigEndian.Uint16(p)), Val: binary.BigEndian.Uint32(p[2:])})
		}
	}
	t.frames = append(t.frames, f)
}

// mark is the place of a frame of which nobody knows yet whether it will be noted with its payload.
func (t *tracer) mark() int {
	if t == nil {
		return 0
	}
	return len(t.frames)
}

// noteAt notes a frame of the peer without a payload, ahead of what we said to it.
func (t *tracer) noteAt(place int, h http2.FrameHeader) {
	switch {
	case t == nil:
	case len(t.frames) >= maxTraced:
		t.lost++
	default:
		t.frames = slices.Insert(t.frames, place, tracedFrame{in: true, head: h})
	}
}

// decoded adds the fields to the frame noted last, which ended their block.
func (t *tracer) decoded(fields []hpack.HeaderField) {
	if n := len(t.frames); n > 0 && t.frames[n-1].in && t.lost == 0 {
		t.frames[n-1].fields = slices.Clone(fields)
	}
}

// countIn counts a frame that arrived; p is its payload where it was taken in one piece.
func (c *core) countIn(h http2.FrameHeader, p []byte) {
	switch {
	case h.Type == http2.FrameRSTStream && len(p) == 4:
		c.counts.seldom().resetsIn[codeIndex(Code(binary.BigEndian.Uint32(p)))]++
	case h.Type == http2.FrameGoAway && len(p) >= 8:
		c.counts.seldom().goAwaysIn[codeIndex(Code(binary.BigEndian.Uint32(p[4:])))]++
	}
	if c.trace != nil {
		c.trace.note(true, h, p, nil)
	}
}

// countOut counts a frame that was put into out; p is its payload, DATA apart.
func (c *core) countOut(h http2.FrameHeader, p []byte) {
	c.counts.out[frameIndex(h.Type)]++
	switch h.Type {
	case http2.FrameRSTStream:
		c.counts.seldom().resetsOut[codeIndex(Code(binary.BigEndian.Uint32(p)))]++
	case http2.FrameGoAway:
		c.counts.seldom().goAwaysOut[codeIndex(Code(binary.BigEndian.Uint32(p[4:])))]++
	}
	if c.trace != nil {
		c.trace.note(false, h, p, c.trace.fields)
	}
}

// headOf reads the header of a frame.
func headOf(b []byte) http2.FrameHeader {
	return http2.FrameHeader{Length: uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]), Type: http2.FrameType(b[3]),
		Flags: http2.Flags(b[4]), StreamID: binary.BigEndian.Uint32(b[5:]) & (1<<31 - 1)}
}
