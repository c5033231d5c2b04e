package wsframe

import (
	"encoding/binary"
	"fmt"
)

// Opcode is the kind of a frame (RFC 6455, 11.8).
type Opcode uint8

// The opcodes of RFC 6455, 5.2. All others are reserved.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// IsControl says whether it is a control frame's opcode, known or reserved (RFC 6455, 5.5).
func (o Opcode) IsControl() bool { return o&8 != 0 }

// Known says whether the opcode is defined (RFC 6455, 5.2).
func (o Opcode) Known() bool { return o <= Binary || o >= Close && o <= Pong }

func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return fmt.Sprintf("opcode 0x%x", uint8(o))
}

// MaxControl is the longest payload of a control frame, in octets (RFC 6455, 5.5).
const MaxControl = 125

// MaxHeaderLen is the longest frame header, in octets: 2, 8 of length, 4 of key.
const MaxHeaderLen = 14

// Header is what stands before a frame's payload (RFC 6455, 5.2).
type Header struct {
	Fin, RSV1, RSV2, RSV3 bool
	Op                    Opcode
	Masked                bool
	Key                   [4]byte // zero unless Masked
	Length                int64   // octets of payload
}

// Len is the length of the header itself in octets, in the shortest form.
func (h Header) Len() int {
	n := 2
	switch {
	case h.Length > 0xffff:
		n += 8
	case h.Length > 125:
		n += 2
	}
	if h.Masked {
		n += 4
	}
	return n
}

// AppendHeader appends h in the shortest length form. It judges nothing but h.Length, which must not be negative.
func AppendHeader(dst []byte, h Header) []byte {
	b0 := byte(h.Op & 0xf)
	if h.Fin {
		b0 |= 0x80
	}
	if h.RSV1 {
		b0 |= 0x40
	}
	if h.RSV2 {
		b0 |= 0x20
	}
	if h.RSV3 {
		b0 |= 0x10
	}
	var mask byte
	if h.Masked {
		mask = 0x80
	}
	switch {
	case h.Length < 0:
		panic("wsframe: BUG: negative length")
	case h.Length <= 125:
		dst = append(dst, b0, mask|byte(h.Length))
	case h.Length <= 0xffff:
		dst = append(dst, b0, mask|126, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, b0, mask|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.Length))
	}
	if h.Masked {
		dst = append(dst, h.Key[:]...)
	}
	return dst
}

// AppendFrame appends a whole frame. h.Length is taken from payload. If h.Masked, the copy in dst is masked with h.Key:
// payload is only read, until AppendFrame returns, and may share no octet with dst's spare capacity.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	h.Length = int64(len(payload))
	dst = AppendHeader(dst, h)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(dst[len(dst)-len(payload):], h.Key, 0)
	}
	return dst
}

// ParseHeader reads the header at the start of b and its length in octets; n is 0 while it is not complete.
// It judges nothing: a length may be in a longer form than needed, and is negative if its top bit is set.
func ParseHeader(b []byte) (h Header, n int) {
	if len(b) < 2 {
		return Header{}, 0
	}
	n = headerLen(b[1])
	if len(b) < n {
		return Header{}, 0
	}
	h = Header{
		Fin:    b[0]&0x80 != 0,
		RSV1:   b[0]&0x40 != 0,
		RSV2:   b[0]&0x20 != 0,
		RSV3:   b[0]&0x10 != 0,
		Op:     Opcode(b[0] & 0xf),
		Masked: b[1]&0x80 != 0,
	}
	switch b[1] & 0x7f {
	case 126:
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.Length = int64(binary.BigEndian.Uint64(b[2:]))
	default:
		h.Length = int64(b[1] & 0x7f)
	}
	if h.Masked {
		h.Key = [4]byte(b[n-4 : n])
	}
	return h, n
}

// headerLen is the length of a header as its second octet tells it.
func headerLen(b1 byte) int {
	n := 2
	switch b1 & 0x7f {
	case 126:
		n = 4
	case 127:
		n = 10
	}
	if b1&0x80 != 0 {
		n += 4
	}
	return n
}
