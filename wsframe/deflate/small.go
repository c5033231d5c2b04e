package deflate

import (
	"encoding/binary"
	"math/bits"
	"sync"
)

// The compressor looks for no match in a message under smallMessage octets, and stores one up to 32 as it is: chat and
// telemetry would gain nothing from context takeover. These messages have an encoder of their own: one look for each
// position into the last smallHistory octets, one block of fixed codes (RFC 1951, 3.2.6), which for so few octets are
// as good as any that would have to be described.
const (
	smallMessage = 128
	smallHistory = 4 << 10

	smallHashBits = 12
	minMatch      = 4 // three octets are no longer than a match
)

type small struct {
	table [1 << smallHashBits]uint16            // where four octets with that hash were last, 1-based
	text  [smallHistory + smallMessage + 8]byte // history, message, and what a wide load may touch
	bits  uint64
	nb    uint
}

var smalls = sync.Pool{New: func() any { return new(small) }}

// append compresses parts, under smallMessage octets, after the history a, b; no distance is over window.
func (s *small) append(dst, a, b []byte, parts [][]byte, window int) []byte {
	h := copy(s.text[:smallHistory], a)
	h += copy(s.text[h:smallHistory], b)
	n := h
	for _, p := range parts {
		n += copy(s.text[n:], p)
	}
	text := s.text[:]
	clear(s.table[:])
	for i := 0; i+4 <= h; i += 4 { // the last three are seen with the octets of the message, which do follow them
		v := binary.LittleEndian.Uint64(text[i:])
		s.table[hash(uint32(v))] = uint16(i + 1)
		s.table[hash(uint32(v>>8))] = uint16(i + 2)
		s.table[hash(uint32(v>>16))] = uint16(i + 3)
		s.table[hash(uint32(v>>24))] = uint16(i + 4)
	}

	start := len(dst)
	s.bits, s.nb = 0b010, 3 // not final, fixed codes
	for i := h; i < n; {
		if i+minMatch <= n {
			e := &s.table[hash4(text[i:])]
			j := int(*e) - 1
			*e = uint16(i + 1)
			if j >= 0 && i-j <= window && binary.LittleEndian.Uint32(text[i:]) == binary.LittleEndian.Uint32(text[j:]) {
				l := minMatch
				for i+l < n && text[i+l] == text[j+l] {
					l++
				}
				dst = s.match(dst, l, i-j)
				for k := i + 1; k < i+l && k+minMatch <= n; k++ {
					s.table[hash4(text[k:])] = uint16(k + 1)
				}
				i += l
				continue
			}
		}
		dst = s.literal(dst, text[i])
		i++
	}
	// The end of the block is seven zero bits, the header of the flush three more and the rest of the octet.
	dst = s.put(dst, 0, 7+3)
	for s.nb > 0 {
		dst = append(dst, byte(s.bits))
		s.bits >>= 8
		s.nb -= min(s.nb, 8)
	}
	if len(dst)-start > n-h+6 {
		return appendStored(dst[:start], [][]byte{text[h:n]})
	}
	return dst
}

func hash(v uint32) uint32 { return v * 2654435761 >> (32 - smallHashBits) }

func hash4(b []byte) uint32 { return hash(binary.LittleEndian.Uint32(b)) }

func (s *small) put(dst []byte, v uint64, n uint) []byte {
	s.bits |= v << s.nb
	if s.nb += n; s.nb >= 32 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(s.bits))
		s.bits >>= 32
		s.nb -= 32
	}
	return dst
}

// literal writes c: eight bits under 144, nine from there on (RFC 1951, 3.2.6).
func (s *small) literal(dst []byte, c byte) []byte {
	if c < 144 {
		return s.put(dst, uint64(bits.Reverse8(0x30+c)), 8)
	}
	return s.put(dst, uint64(bits.Reverse16(0x190+uint16(c-144))>>7), 9)
}

// match writes a length of 4 to 127 and a distance (RFC 1951, 3.2.5).
func (s *small) match(dst []byte, length, distance int) []byte {
	l, extra := uint(length-3), uint(0)
	code := l + 1
	if l >= 8 {
		extra = uint(bits.Len(l)) - 3
		code = 1 + 4*(extra+1) + l>>extra&3
	}
	if code < 24 {
		dst = s.put(dst, uint64(bits.Reverse8(uint8(code))>>1), 7)
	} else {
		dst = s.put(dst, uint64(bits.Reverse8(uint8(0xc0+code-24))), 8)
	}
	dst = s.put(dst, uint64(l&(1<<extra-1)), extra)

	d := uint(distance - 1)
	code, extra = d, 0
	if d >= 4 {
		extra = uint(bits.Len(d)) - 2
		code = 2*(extra+1) + d>>extra&1
	}
	dst = s.put(dst, uint64(bits.Reverse8(uint8(code))>>3), 5)
	return s.put(dst, uint64(d&(1<<extra-1)), extra)
}
