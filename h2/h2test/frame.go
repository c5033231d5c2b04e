package h2test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Frame is one frame, with what its type carries taken out.
type Frame struct {
	Type     http2.FrameType
	Flags    http2.Flags
	Stream   uint32
	Payload  []byte              // as on the wire
	Data     []byte              // DATA: without padding; GOAWAY: the debug text
	Fields   []hpack.HeaderField // HEADERS or the last CONTINUATION: the whole block, decoded
	Code     http2.ErrCode       // RST_STREAM, GOAWAY
	Last     uint32              // GOAWAY: the last stream
	Inc      uint32              // WINDOW_UPDATE
	Settings []http2.Setting     // SETTINGS
}

// Fin says whether the frame carries END_STREAM.
func (f Frame) Fin() bool {
	return (f.Type == http2.FrameData || f.Type == http2.FrameHeaders) && f.Flags.Has(http2.FlagDataEndStream)
}

// Field is the value of the first field called name, or "".
func (f Frame) Field(name string) string {
	for _, h := range f.Fields {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// String is the frame in text, much as Encoder.Append reads it.
func (f Frame) String() string {
	b := []byte(f.Type.String())
	switch f.Type {
	case http2.FrameSettings:
		if f.Flags.Has(http2.FlagSettingsAck) {
			b = append(b, " ACK"...)
		}
		for _, s := range f.Settings {
			b = fmt.Appendf(b, " %s=%d", settingName(s.ID), s.Val)
		}
	case http2.FramePing:
		if f.Flags.Has(http2.FlagPingAck) {
			b = append(b, " ACK"...)
		}
		b = fmt.Appendf(b, " %x", f.Payload)
	case http2.FrameData:
		b = fmt.Appendf(b, " %d", f.Stream)
		if f.Fin() {
			b = append(b, " END_STREAM"...)
		}
		if len(f.Data) > 256 {
			b = fmt.Appendf(b, " LEN=%d", len(f.Data))
		} else if len(f.Data) > 0 {
			b = fmt.Appendf(b, " %q", f.Data)
		}
	case http2.FrameHeaders, http2.FrameContinuation:
		b = fmt.Appendf(b, " %d", f.Stream)
		if f.Fin() {
			b = append(b, " END_STREAM"...)
		}
		for _, h := range f.Fields {
			kv := h.Name + "=" + h.Value
			if strings.ContainsAny(kv, " \"\t\r\n\x00") {
				kv = strconv.Quote(kv)
			}
			b = append(append(b, ' '), kv...)
		}
	case http2.FrameRSTStream:
		b = fmt.Appendf(b, " %d %v", f.Stream, f.Code)
	case http2.FrameGoAway:
		b = fmt.Appendf(b, " %d %v", f.Last, f.Code)
	case http2.FrameWindowUpdate:
		b = fmt.Appendf(b, " %d %d", f.Stream, f.Inc)
	default:
		b = fmt.Appendf(b, " %d %x", f.Stream, f.Payload)
	}
	return string(b)
}

var settingNames = map[string]http2.SettingID{
	"HEADER_TABLE_SIZE": 1, "ENABLE_PUSH": 2, "MAX_CONCURRENT_STREAMS": 3, "INITIAL_WINDOW_SIZE": 4,
	"MAX_FRAME_SIZE": 5, "MAX_HEADER_LIST_SIZE": 6, "ENABLE_CONNECT_PROTOCOL": 8, "NO_RFC7540_PRIORITIES": 9,
}

func settingName(id http2.SettingID) string {
	for name, i := range settingNames {
		if i == id {
			return name
		}
	}
	return strconv.Itoa(int(id))
}

// Decoder takes frames out of octets, keeping HPACK's state.
type Decoder struct {
	buf   []byte
	hp    *hpack.Decoder
	block []hpack.HeaderField
}

// Feed takes octets as they arrived and gives the frames they complete. Nothing given back points into b.
func (d *Decoder) Feed(b []byte) ([]Frame, error) {
	d.buf = append(d.buf, b...)
	var fs []Frame
	for len(d.buf) >= 9 {
		n := int(d.buf[0])<<16 | int(d.buf[1])<<8 | int(d.buf[2])
		if len(d.buf) < 9+n {
			break
		}
		f, err := d.decode(d.buf[:9], append([]byte(nil), d.buf[9:9+n]...))
		if err != nil {
			return fs, err
		}
		fs = append(fs, f)
		d.buf = d.buf[9+n:]
	}
	return fs, nil
}

func (d *Decoder) decode(h, p []byte) (Frame, error) {
	f := Frame{Type: http2.FrameType(h[3]), Flags: http2.Flags(h[4]), Stream: binary.BigEndian.Uint32(h[5:]) & (1<<31 - 1), Payload: p}
	bad := func(what string) (Frame, error) { return f, fmt.Errorf("h2test: bad %v: %s", f.Type, what) }
	body := p
	if (f.Type == http2.FrameData || f.Type == http2.FrameHeaders) && f.Flags.Has(http2.FlagDataPadded) {
		if len(body) == 0 || int(body[0]) >= len(body) {
			return bad("padding")
		}
		body = body[1 : len(body)-int(body[0])]
	}
	switch f.Type {
	case http2.FrameData:
		f.Data = body
	case http2.FrameHeaders, http2.FrameContinuation:
		if d.hp == nil {
			d.hp = hpack.NewDecoder(4096, func(hf hpack.HeaderField) { d.block = append(d.block, hf) })
		}
		if f.Type == http2.FrameHeaders && f.Flags.Has(http2.FlagHeadersPriority) {
			body = body[5:]
		}
		if _, err := d.hp.Write(body); err != nil {
			return f, err
		}
		if f.Flags.Has(http2.FlagHeadersEndHeaders) {
			if err := d.hp.Close(); err != nil {
				return f, err
			}
			f.Fields, d.block = d.block, nil
		}
	case http2.FrameRSTStream:
		if len(p) != 4 {
			return bad("length")
		}
		f.Code = http2.ErrCode(binary.BigEndian.Uint32(p))
	case http2.FrameGoAway:
		if len(p) < 8 {
			return bad("length")
		}
		f.Last, f.Code, f.Data = binary.BigEndian.Uint32(p)&(1<<31-1), http2.ErrCode(binary.BigEndian.Uint32(p[4:])), p[8:]
	case http2.FrameWindowUpdate:
		if len(p) != 4 {
			return bad("length")
		}
		f.Inc = binary.BigEndian.Uint32(p)
	case http2.FramePing:
		if len(p) != 8 {
			return bad("length")
		}
	case http2.FrameSettings:
		if len(p)%6 != 0 {
			return bad("length")
		}
		for ; len(p) > 0; p = p[6:] {
			f.Settings = append(f.Settings, http2.Setting{ID: http2.SettingID(binary.BigEndian.Uint16(p)), Val: binary.BigEndian.Uint32(p[2:])})
		}
	}
	return f, nil
}

// AppendFrame appends a frame's octets to dst, whatever they are.
func AppendFrame(dst []byte, t http2.FrameType, flags http2.Flags, id uint32, payload []byte) []byte {
	dst = append(dst, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), byte(t), byte(flags))
	dst = binary.BigEndian.AppendUint32(dst, id)
	return append(dst, payload...)
}

// Hex decodes a hex string, spaces allowed; it panics on a bad one.
func Hex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic("h2test: " + err.Error())
	}
	return b
}
