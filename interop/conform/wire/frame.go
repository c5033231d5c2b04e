package wire

import (
	"encoding/binary"
	"fmt"
)

// Opcode is an opcode of RFC 6455, 5.2, or one that is reserved.
type Opcode byte

// The opcodes of RFC 6455, 11.8.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

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
	return fmt.Sprintf("opcode %d", byte(o))
}

// The bits of Frame.RSV.
const (
	RSV1 byte = 4
	RSV2 byte = 2
	RSV3 byte = 1
)

// Frame is one frame, of either side. To send, any field may be wrong.
type Frame struct {
	Fin     bool
	RSV     byte // RSV1, RSV2, RSV3
	Op      Opcode
	Masked  bool
	Key     [4]byte
	Payload []byte // not masked

	// Only to send:
	LengthOctets int    // 1, 3 or 9: this form of the length, whatever it is; 0: the shortest
	Declared     uint64 // this length, when LengthOctets is not 0 and it is not 0, in place of the payload's
}

func (f Frame) String() string {
	s := f.Op.String() + " frame"
	if !f.Fin {
		s += ", FIN=0"
	}
	if f.RSV != 0 {
		s += fmt.Sprintf(", RSV=%d", f.RSV)
	}
	if f.Op == Close && len(f.Payload) >= 2 {
		return fmt.Sprintf("%s, %d %q", s, binary.BigEndian.Uint16(f.Payload), f.Payload[2:])
	}
	return fmt.Sprintf("%s, %d octets", s, len(f.Payload))
}

// Append appends the frame's octets to dst.
func (f Frame) Append(dst []byte) []byte {
	first := f.RSV<<4 | byte(f.Op)&15
	if f.Fin {
		first |= 0x80
	}
	var masked byte
	if f.Masked {
		masked = 0x80
	}
	form, n := f.LengthOctets, uint64(len(f.Payload))
	if form == 0 {
		switch {
		case n < 126:
			form = 1
		case n < 1<<16:
			form = 3
		default:
			form = 9
		}
	} else if f.Declared != 0 {
		n = f.Declared
	}
	switch form {
	case 1:
		dst = append(dst, first, masked|byte(n))
	case 3:
		dst = binary.BigEndian.AppendUint16(append(dst, first, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, masked|127), n)
	}
	if !f.Masked {
		return append(dst, f.Payload...)
	}
	dst = append(dst, f.Key[:]...)
	start := len(dst)
	dst = append(dst, f.Payload...)
	mask(dst[start:], f.Key)
	return dst
}

// mask masks or unmasks in place, in words: large messages must not cost the suite more than its peer.
func mask(b []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 32 {
		c := b[:32:32]
		binary.LittleEndian.PutUint64(c, binary.LittleEndian.Uint64(c)^k)
		binary.LittleEndian.PutUint64(c[8:], binary.LittleEndian.Uint64(c[8:])^k)
		binary.LittleEndian.PutUint64(c[16:], binary.LittleEndian.Uint64(c[16:])^k)
		binary.LittleEndian.PutUint64(c[24:], binary.LittleEndian.Uint64(c[24:])^k)
		b = b[32:]
	}
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// Parse reads one frame from the front of b: n octets, 0 while b does not hold it whole. Payload is a copy, unmasked.
// It judges nothing: what is wrong with a frame can be seen in it; LengthOctets is the form that was used.
func Parse(b []byte) (f Frame, n int) {
	if len(b) < 2 {
		return f, 0
	}
	f.Fin, f.RSV, f.Op, f.Masked = b[0]&0x80 != 0, b[0]>>4&7, Opcode(b[0]&15), b[1]&0x80 != 0
	length, at := uint64(b[1]&0x7f), 2
	f.LengthOctets = 1
	switch length {
	case 126:
		if f.LengthOctets, at = 3, 4; len(b) < at {
			return f, 0
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if f.LengthOctets, at = 9, 10; len(b) < at {
			return f, 0
		}
		length = binary.BigEndian.Uint64(b[2:])
	}
	if f.Masked {
		at += 4
	}
	if uint64(len(b)) < uint64(at) || uint64(len(b)-at) < length {
		return f, 0
	}
	if f.Masked {
		copy(f.Key[:], b[at-4:])
	}
	n = at + int(length)
	f.Payload = append([]byte{}, b[at:n]...)
	if f.Masked {
		mask(f.Payload, f.Key)
	}
	return f, n
}
