package h3

// The frame types of RFC 9114, 7.2, those of HTTP/2 that 7.2.8 reserves, and RFC 9218, 7.2.
const (
	frameData           = 0x0
	frameHeaders        = 0x1
	frameCancelPush     = 0x3
	frameSettings       = 0x4
	framePushPromise    = 0x5
	frameGoAway         = 0x7
	frameMaxPushID      = 0xd
	framePriorityUpdate = 0xf0700
	framePriorityPush   = 0xf0701
)

// unexpected says that a frame of type t cannot stand on a tunnel (RFC 9114, 4.4 and 7.2.8).
func unexpected(t uint64) bool {
	switch t {
	case frameHeaders, frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID,
		framePriorityUpdate, framePriorityPush, 0x2, 0x6, 0x8, 0x9:
		return true
	}
	return false
}

// frameReader finds the payload of DATA frames in the octets of a tunnel. It is a pure core: any
// cut of the input gives the same payload, and the same error at the same octet.
type frameReader struct {
	left  uint64 // octets to come of the frame
	skips bool   // it is of a type that nobody knows
	n     uint8  // octets in head
	head  [16]byte
	idle  int // frames without payload for the tunnel, since take
}

// feed takes b apart. The payload in it is moved together: out is a part of b, which begins where
// the first octet of it stood.
func (f *frameReader) feed(b []byte) (out []byte, err *ConnError) {
	n := 0 // octets of payload
	for at := 0; at < len(b); {
		if f.left > 0 {
			m := int(min(f.left, uint64(len(b)-at)))
			if !f.skips {
				if n == 0 {
					out = b[at:]
				} else {
					copy(out[n:], b[at:at+m])
				}
				n += m
			}
			f.left -= uint64(m)
			at += m
			continue
		}
		f.head[f.n] = b[at]
		f.n++
		at++
		if err := f.begin(); err != nil {
			return out[:n], err
		}
	}
	return out[:n], nil
}

// begin looks at the header of a frame, if it is whole.
func (f *frameReader) begin() *ConnError {
	t, n := varint(f.head[:f.n])
	if n == 0 {
		return nil
	}
	if unexpected(t) {
		return &ConnError{Code: FrameUnexpected, Rule: "RFC 9114, 4.4",
			Text: "a frame on a tunnel that is not DATA"}
	}
	length, m := varint(f.head[n:f.n])
	if m == 0 {
		return nil
	}
	f.n = 0
	f.left, f.skips = length, t != frameData
	if f.skips || length == 0 {
		f.idle++
	}
	return nil
}

// between says that no frame is cut.
func (f *frameReader) between() bool { return f.left == 0 && f.n == 0 }

// take gives the number of frames without payload since it was asked last.
func (f *frameReader) take() int {
	n := f.idle
	f.idle = 0
	return n
}

// varint reads an integer of RFC 9000, 16. n is 0 if b does not hold it whole.
func varint(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	n = 1 << (b[0] >> 6)
	if len(b) < n {
		return 0, 0
	}
	v = uint64(b[0] & 0x3f)
	for _, o := range b[1:n] {
		v = v<<8 | uint64(o)
	}
	return v, n
}

// appendVarint appends an integer of RFC 9000, 16.
func appendVarint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return append(b, 0x40|byte(v>>8), byte(v))
	case v < 1<<30:
		return append(b, 0x80|byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return append(b, 0xc0|byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32), byte(v>>24),
		byte(v>>16), byte(v>>8), byte(v))
}

// appendFrame appends the header of a frame with length octets of payload.
func appendFrame(b []byte, kind, length uint64) []byte {
	return appendVarint(appendVarint(b, kind), length)
}
