package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxControl is how long a frame other than DATA may be: what we said, or rather did not say, in
// our SETTINGS.
const maxControl = 16384

var (
	errFrame     = errors.New("HTTP/2: broken frame (RFC 9113, 4)")
	errNoConnect = &handshakeError{text: "no extended CONNECT on this server (RFC 8441, 3)"}
	errHPACK     = errors.New("HTTP/2: field block that cannot be read (RFC 9113, 4.3)")
	errStreamEnd = errors.New("stream ended by the server without a close frame")
)

// resetError is an RST_STREAM.
type resetError uint32

var errorNames = [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}

func codeName(c uint32) string {
	if uint64(c) < uint64(len(errorNames)) {
		return errorNames[c]
	}
	return fmt.Sprintf("code %d", c)
}

func (e resetError) Error() string { return "stream reset by the server: " + codeName(uint32(e)) }

// feed takes octets of the connection.
func (h *h2Link) feed(b []byte, now int64) error {
	f := &h.in
	for len(b) > 0 {
		if !f.inside {
			if f.n == 0 && len(b) >= 9 {
				f.head = [9]byte(b[:9])
				f.n, b = 9, b[9:]
			} else {
				n := copy(f.head[f.n:], b)
				f.n += n
				if b = b[n:]; f.n < 9 {
					return nil
				}
			}
			if err := h.frameBegin(now); err != nil {
				return err
			}
			if f.left == 0 {
				if err := h.frameEnd(now); err != nil {
					return err
				}
			}
			continue
		}
		n := min(len(b), f.left)
		if f.typ == frameData {
			h.data(b[:n], now)
		} else {
			f.buf = append(f.buf, b[:n]...)
		}
		b = b[n:]
		if f.left -= n; f.left == 0 {
			if err := h.frameEnd(now); err != nil {
				return err
			}
		}
	}
	return nil
}

// frameBegin looks at a frame's header.
func (h *h2Link) frameBegin(now int64) error {
	f := &h.in
	f.n, f.inside = 0, true
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	f.typ, f.flags = f.head[3], f.head[4]
	f.stream = binary.BigEndian.Uint32(f.head[5:]) &^ (1 << 31)
	f.buf = f.buf[:0]
	if f.left > maxControl {
		return fmt.Errorf("HTTP/2: frame of type %d and %d octets (RFC 9113, 4.2)", f.typ, f.left)
	}
	if f.block != nil && (f.typ != frameContinuation) {
		return errFrame
	}
	if f.typ == frameData {
		f.pad = 0
		if f.flags&flagPadded != 0 {
			f.pad = -1
		}
		h.credit(h.stream(f.stream), int64(f.left))
	}
	return nil
}

// data takes a part of a DATA frame, which has f.left octets to come with this part.
func (h *h2Link) data(b []byte, now int64) {
	f := &h.in
	left := f.left
	if f.pad < 0 {
		f.pad = int(b[0])
		b = b[1:]
		left--
	}
	if keep := left - f.pad; keep < len(b) {
		b = b[:max(0, keep)]
	}
	s := h.stream(f.stream)
	if s == nil || len(b) == 0 {
		return
	}
	if s.state == opening {
		s.fail(errors.New("handshake: DATA before the answer"))
		return
	}
	if err := s.feed(b, now); err != nil {
		s.fail(err)
	}
}

// frameEnd follows a frame's last octet.
func (h *h2Link) frameEnd(now int64) error {
	f := &h.in
	f.inside = false
	s := h.stream(f.stream)
	switch f.typ {
	case frameData:
		if f.flags&flagEnd != 0 && s != nil {
			s.fail(errStreamEnd)
		}
	case frameHeaders:
		b := f.buf
		if f.flags&flagPadded != 0 {
			if len(b) == 0 || int(b[0]) >= len(b) {
				return errFrame
			}
			b = b[1 : len(b)-int(b[0])]
		}
		if f.flags&flagPriority != 0 {
			if len(b) < 5 {
				return errFrame
			}
			b = b[5:]
		}
		f.end = f.flags&flagEnd != 0
		return h.fields(s, b, now)
	case frameContinuation:
		if f.block == nil {
			return errFrame
		}
		return h.fields(s, f.buf, now)
	case frameReset:
		if len(f.buf) != 4 {
			return errFrame
		}
		if s != nil {
			code := resetError(binary.BigEndian.Uint32(f.buf))
			s.h2.id = 0 // nothing is sent on it any more
			s.fail(code)
		}
	case frameSettings:
		return h.takeSettings(now)
	case framePing:
		if f.flags&flagEnd == 0 && len(f.buf) == 8 {
			h.l.out.add(append(appendHead(nil, 8, framePing, flagEnd, 0), f.buf...))
			h.l.e.shell.kick(h.l)
		}
	case frameGoAway:
		if len(f.buf) < 8 {
			return errFrame
		}
		last, code := binary.BigEndian.Uint32(f.buf)&^(1<<31), binary.BigEndian.Uint32(f.buf[4:])
		h.limit = 0
		err := fmt.Errorf("connection ended by the server: GOAWAY %s", codeName(code))
		for i, s := range h.streams {
			if uint32(2*i+1) > last {
				s.fail(err)
			}
		}
	case frameWindow:
		if len(f.buf) != 4 {
			return errFrame
		}
		h.grow(f.stream, int64(binary.BigEndian.Uint32(f.buf)&^(1<<31)))
	case framePush:
		return errFrame
	}
	return nil
}

// fields takes a part of a field block.
func (h *h2Link) fields(s *socket, b []byte, now int64) error {
	f := &h.in
	if f.flags&flagEndHeaders == 0 || f.block != nil {
		if f.block = append(f.block, b...); len(f.block) > maxHead {
			return errHPACK
		}
		if f.block == nil {
			f.block = []byte{}
		}
		if f.flags&flagEndHeaders == 0 {
			return nil
		}
		b = f.block
	}
	f.block = nil
	fields, err := h.dec.DecodeFull(b)
	if err != nil {
		return errHPACK
	}
	if s == nil {
		return nil
	}
	if err := h.answer(s, fields, f.end, now); err != nil {
		s.fail(err)
	}
	return nil
}

// takeSettings obeys SETTINGS, and opens the streams that waited for the first.
func (h *h2Link) takeSettings(now int64) error {
	f := &h.in
	if f.flags&flagEnd != 0 {
		return nil
	}
	if len(f.buf)%6 != 0 {
		return errFrame
	}
	connect := false
	for b := f.buf; len(b) > 0; b = b[6:] {
		v := binary.BigEndian.Uint32(b[2:])
		switch binary.BigEndian.Uint16(b) {
		case settingStreams:
			h.limit = v
		case settingWindow:
			h.shift(int64(v))
		case settingFrameSize:
			h.frameSize = int(min(v, 1<<24-1))
		case settingConnect:
			connect = v == 1
		}
	}
	h.l.out.add(appendHead(nil, 0, frameSettings, flagEnd, 0))
	h.l.e.shell.kick(h.l)
	if !h.settings {
		if !connect {
			return errNoConnect
		}
		h.settings = true
		h.openWaiting(now)
	}
	return nil
}
