package deflate

import (
	"encoding/binary"
	"sync"
)

// inflater decodes one message (RFC 1951) straight into where it is wanted. It stops and goes on
// between two symbols.
type inflater struct {
	in     []byte // the payload, then the four octets that were left out of it
	pos    int
	inTail bool
	open   bool   // more of the payload is to come behind in
	kept   []byte // in, of a payload that comes in pieces
	blank  bool   // no octet of that has come
	last   bool   // all of that has
	bits   uint64 // the next nb bits, lowest first; what is above them is the start of in[pos]
	nb     uint

	window int    // no distance is over it
	old    []byte // history before this message: old, then recent
	recent []byte

	block  block
	final  bool
	stored int // octets to come of a stored block
	fixed  bool
	own    tables
}

type block uint8

const (
	noBlock block = iota
	storedBlock
	codedBlock
)

// status is why decoding stopped.
type status uint8

const (
	running status = iota
	done           // the message is whole
	full           // no room for what a symbol can stand for
	starved        // what is to come decides what is next
	corrupt
)

// slack is the room there has to be before a symbol is decoded: the longest copy, and seven octets
// that copying in words writes behind it.
const slack = 258 + 7

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

func (f *inflater) start(payload []byte, window int, old, recent []byte) {
	f.in, f.pos, f.inTail, f.open, f.bits, f.nb = payload, 0, false, false, 0, 0
	f.window, f.old, f.recent = window, old, recent
	f.block, f.final = noBlock, false
}

// release puts f back into its pool, with nothing borrowed.
func (f *inflater) release() {
	f.in, f.old, f.recent = nil, nil, nil
	inflaters.Put(f)
}

var tailOctets = []byte(tail)

// refill has at least 56 bits ready if the input has so many.
func (f *inflater) refill() {
	if len(f.in)-f.pos >= 8 {
		f.bits |= binary.LittleEndian.Uint64(f.in[f.pos:]) << f.nb
		f.pos += int((63 - f.nb) >> 3)
		f.nb |= 56
		return
	}
	for f.nb <= 56 {
		if f.pos == len(f.in) {
			if f.inTail || f.open {
				return
			}
			f.in, f.pos, f.inTail = tailOctets, 0, true
		}
		f.bits |= uint64(f.in[f.pos]) << f.nb
		f.pos++
		f.nb += 8
	}
}

// take reads n bits that are there.
func (f *inflater) take(n uint) int {
	v := int(f.bits & (1<<n - 1))
	f.bits >>= n
	f.nb -= n
	return v
}

// tailBits are those of what a message lacks at its end (RFC 7692, 7.2.2).
const tailBits = 8 * int64(len(tail))

// left is how many bits of the payload and the tail have not been read, of what is there. They may
// be more than an int of 32 bits counts.
func (f *inflater) left() int64 {
	n := int64(f.nb) + 8*int64(len(f.in)-f.pos)
	if !f.inTail && !f.open {
		n += tailBits
	}
	return n
}

// run decodes to buf[n:], buf[base:n] being the message so far, and returns the new n. Without buf
// it only counts, up to limit.
func (f *inflater) run(buf []byte, base, n, limit int) (int, status) {
	for {
		var s status
		switch f.block {
		case storedBlock:
			n, s = f.copyStored(buf, n, limit)
		case codedBlock:
			if buf == nil {
				n, s = f.skip(base, n, limit)
			} else {
				n, s = f.decode(buf, base, n)
			}
		default:
			s = f.begin()
		}
		if s != running {
			return n, s
		}
	}
}

// undecided says that what looks wrong may be the beginning of something right: no symbol needs
// more than 48 bits.
func (f *inflater) undecided() bool { return f.open && f.pos == len(f.in) && f.nb < 48 }

// begin begins the next block. Of a header that has not come whole it takes nothing.
func (f *inflater) begin() status {
	pos, bits, nb, final := f.pos, f.bits, f.nb, f.final
	s := f.header()
	if s == corrupt && f.undecided() {
		f.pos, f.bits, f.nb, f.final = pos, bits, nb, final
		return starved
	}
	return s
}

// header begins the next block, or finds that there is none.
func (f *inflater) header() status {
	if f.final {
		// What follows a final block starts at an octet (RFC 7692, 7.2.3.4). A payload may end with
		// it as well: the tail is then none of its blocks.
		f.take(f.nb & 7)
		if f.open && f.left() == 0 {
			return starved
		}
		f.final = false
		if !f.open && f.left() == tailBits {
			return done
		}
	}
	if f.left() == 0 {
		if f.open {
			return starved
		}
		return done
	}
	f.refill()
	if f.nb < 3 {
		return corrupt
	}
	f.final = f.take(1) == 1
	switch f.take(2) {
	case 0: // RFC 1951, 3.2.4
		f.take(f.nb & 7)
		f.refill()
		if f.nb < 32 {
			return corrupt
		}
		f.stored = f.take(16)
		if f.take(16) != f.stored^0xffff {
			return corrupt
		}
		f.block = storedBlock
	case 1: // RFC 1951, 3.2.6
		f.block, f.fixed = codedBlock, true
	case 2: // RFC 1951, 3.2.7
		if !f.dynamic() {
			return corrupt
		}
		f.block, f.fixed = codedBlock, false
	default:
		return corrupt
	}
	return running
}

// copyStored copies what is left of a stored block.
func (f *inflater) copyStored(buf []byte, n, limit int) (int, status) {
	for f.stored > 0 {
		switch {
		case buf == nil && n > limit, buf != nil && n == len(buf):
			return n, full
		case f.nb >= 8:
			c := byte(f.take(8))
			if buf != nil {
				buf[n] = c
			}
			n++
			f.stored--
		case f.pos < len(f.in):
			f.bits = 0 // the start of what is copied past it
			k := min(f.stored, len(f.in)-f.pos)
			if buf != nil {
				k = copy(buf[n:], f.in[f.pos:f.pos+k])
			}
			n, f.pos, f.stored = n+k, f.pos+k, f.stored-k
		case f.inTail:
			return n, corrupt
		case f.open:
			return n, starved
		default:
			f.in, f.pos, f.inTail = tailOctets, 0, true
		}
	}
	f.block = noBlock
	return n, running
}

// lengthOrder is the order of the code lengths' own code lengths (RFC 1951, 3.2.7).
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the codes of a block.
func (f *inflater) dynamic() bool {
	f.refill()
	if f.nb < 14 {
		return false
	}
	nl, nd, nc := f.take(5)+257, f.take(5)+1, f.take(4)+4
	if nl > literals || nd > distances {
		return false
	}
	var order [19]uint8
	for _, i := range lengthOrder[:nc] {
		if f.nb < 3 {
			if f.refill(); f.nb < 3 {
				return false
			}
		}
		order[i] = uint8(f.take(3))
	}
	var codes [literals + distances]coded
	n := 0
	for i, length := range order {
		codes[n] = coded{uint16(i), length}
		if length != 0 {
			n++
		}
	}
	var table [1 << lengthBits]uint32
	if !build(table[:], lengthBits, codes[:n], lengthMeaning[:]) {
		return false
	}
	n, split := 0, 0 // codes of literals come first
	var last uint8
	for i := 0; i < nl+nd; {
		if f.nb < lengthBits+7 {
			f.refill()
		}
		e := table[f.bits&(1<<lengthBits-1)]
		used, symbol := uint(e&15), e>>16
		if e == 0 || used > f.nb {
			return false
		}
		f.take(used)
		repeat, extra := 1, uint(0)
		switch {
		case symbol < 16:
			last = uint8(symbol)
		case symbol == 16:
			if i == 0 {
				return false
			}
			repeat, extra = 3, 2
		case symbol == 17:
			last, repeat, extra = 0, 3, 3
		default:
			last, repeat, extra = 0, 11, 7
		}
		if f.nb < extra {
			return false
		}
		if repeat += f.take(extra); i+repeat > nl+nd {
			return false
		}
		if last == 0 {
			i += repeat
			continue
		}
		for range repeat {
			if i < nl {
				codes[n] = coded{uint16(i), last}
				split = n + 1
			} else {
				codes[n] = coded{uint16(i - nl), last}
			}
			n++
			i++
		}
	}
	return build(f.own.literal[:], literalBits, codes[:split], literalMeaning[:]) &&
		build(f.own.distance[:], distanceBits, codes[split:n], distanceMeaning[:])
}
