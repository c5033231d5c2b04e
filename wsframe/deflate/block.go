package deflate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// run is a symbol of RFC 1951, 3.2.7, and from bit 8 on what follows it.
type run uint16

// runExtra is how many bits follow the symbols from 16 on.
var runExtra = [3]uint{2, 3, 7}

// fixedLiterals and fixedDistances are the codes of RFC 1951, 3.2.6.
var fixedLiterals, fixedDistances = func() (l, d [288]code) {
	for i := range uint16(288) {
		switch {
		case i < 144:
			l[i] = code(bits.Reverse16(0x30+i)>>8) | 8<<16
		case i < 256:
			l[i] = code(bits.Reverse16(0x190+i-144)>>7) | 9<<16
		case i < 280:
			l[i] = code(bits.Reverse16(i-256)>>9) | 7<<16
		default:
			l[i] = code(bits.Reverse16(0xc0+i-280)>>8) | 8<<16
		}
	}
	for i := range uint16(distances) {
		d[i] = code(bits.Reverse16(i)>>11) | 5<<16
	}
	return l, d
}()

// fewTokens never save as much as it takes to describe codes of their own.
const fewTokens = 32

// choose says how many octets the message becomes, and whether with codes of its own or the fixed ones. Both are counted
// out, to the bit.
func (e *encoder) choose() (size int, dynamic bool) {
	e.literals.freq[256] = 1 // the end of the block
	e.literals.list(literals)
	e.distance.list(distances)
	extra := 3 + 3 // the header of the block and that of the flush
	for i := uint8(8); i < 28; i++ {
		extra += int(e.literals.freq[257+int(i)]) * int(lengthExtra(i))
	}
	for _, s := range e.distance.used[:e.distance.n] {
		extra += int(e.distance.freq[s]) * int(distanceExtra(uint32(s)))
	}
	bits := e.literals.cost(&fixedLiterals) + e.distance.cost(&fixedDistances)
	if e.count > fewTokens {
		e.literals.assign(maxCodeBits)
		e.distance.assign(maxCodeBits)
		own := e.literals.cost(&e.literals.codes) + e.distance.cost(&e.distance.codes)
		if own < bits {
			if own += e.describe(); own < bits {
				bits, dynamic = own, true
			}
		}
	}
	return (bits + extra + 7) / 8, dynamic
}

// describe makes the description of the codes (RFC 1951, 3.2.7), and says how many bits it takes.
func (e *encoder) describe() int {
	clear(e.lengths.freq[:])
	e.runCount = 0
	e.describeCodes(&e.literals)
	e.describeCodes(&e.distance)
	if e.distance.n == 0 {
		e.run(0, 0) // no codes are one of no bits
	}
	e.lengths.list(len(lengthOrder))
	e.lengths.assign(lengthBits)
	size := 5 + 5 + 4 + 3*e.ordered() + e.lengths.cost(&e.lengths.codes)
	for i, n := range runExtra {
		size += int(e.lengths.freq[16+i]) * int(n)
	}
	return size
}

// describeCodes makes runs of the lengths of the codes of a: first the gap before a symbol, then those as long as its
// own that follow it.
func (e *encoder) describeCodes(a *alphabet) {
	for i, next := 0, 0; i < a.n; {
		s := int(a.used[i])
		gap := s - next
		for ; gap >= 11; gap -= min(gap, 138) {
			e.run(18, min(gap, 138)-11)
		}
		if gap >= 3 {
			e.run(17, gap-3)
			gap = 0
		}
		for range gap {
			e.run(0, 0)
		}

		length := a.codes[s].length()
		for next = s + 1; next-s < a.n-i && int(a.used[i+next-s]) == next && a.codes[next].length() == length; next++ {
		}
		i += next - s
		e.run(int(length), 0)
		more := next - s - 1
		for ; more >= 3; more -= min(more, 6) {
			e.run(16, min(more, 6)-3)
		}
		for range more {
			e.run(int(length), 0)
		}
	}
}

func (e *encoder) run(symbol, extra int) {
	e.runs[e.runCount] = run(symbol | extra<<8)
	e.runCount++
	e.lengths.freq[symbol]++
}

// ordered is how many lengths of the lengths' codes are written.
func (e *encoder) ordered() int {
	n := len(lengthOrder)
	for n > 4 && e.lengths.freq[lengthOrder[n-1]] == 0 {
		n--
	}
	return n
}

// bitWriter writes to out, which has room for eight octets more than are written.
type bitWriter struct {
	out []byte
	pos int
	acc uint64
	nb  uint
}

// put takes n bits, up to 56 between two calls of flush.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= v << (w.nb & 63)
	w.nb += n
}

// flush writes whole octets.
func (w *bitWriter) flush() {
	binary.LittleEndian.PutUint64(w.out[w.pos:], w.acc)
	w.pos += int(w.nb >> 3)
	w.acc >>= w.nb & 56
	w.nb &= 7
}

// write appends the size octets of the block and of the flush behind it, the tail left out.
func (e *encoder) write(dst []byte, size int, dynamic bool) []byte {
	start := len(dst)
	dst = slices.Grow(dst, size+8)
	w := bitWriter{out: dst[start : start+size+8]}
	literals, distances := &fixedLiterals, &fixedDistances
	if dynamic {
		literals, distances = &e.literals.codes, &e.distance.codes
		w.put(0b100, 3)
		e.writeDescription(&w)
	} else {
		w.put(0b010, 3)
	}
	out, pos, acc, nb := w.out, w.pos, w.acc, w.nb // put and flush by hand: this is most of what is written
	for _, t := range e.tokens[:e.count] {
		if t < 256 {
			c := literals[t]
			acc |= c.bits() << (nb & 63)
			nb += c.length()
		} else {
			length := uint8(t>>16 - 3)
			lc := lengthCode[length]
			c := literals[257+uint(lc)]
			acc |= c.bits() << (nb & 63)
			nb += c.length()
			extra := lengthExtra(lc)
			acc |= uint64(length) & (1<<extra - 1) << (nb & 63)
			nb += extra

			distance := uint32(t & 0xffff)
			dc := distanceCode(distance)
			c = distances[dc]
			acc |= c.bits() << (nb & 63)
			nb += c.length()
			extra = distanceExtra(dc)
			acc |= uint64(distance) & (1<<extra - 1) << (nb & 63)
			nb += extra
		}
		binary.LittleEndian.PutUint64(out[pos:], acc)
		pos += int(nb >> 3)
		acc >>= nb & 56
		nb &= 7
	}
	w.pos, w.acc, w.nb = pos, acc, nb
	w.put(literals[256].bits(), literals[256].length())
	w.put(0, 3+7) // a stored block's header, and the rest of its octet
	w.flush()
	return dst[:start+w.pos]
}

// writeDescription writes what describe has made.
func (e *encoder) writeDescription(w *bitWriter) {
	n := e.ordered()
	w.put(uint64(e.literals.size()-257), 5)
	w.put(uint64(max(e.distance.size(), 1)-1), 5)
	w.put(uint64(n-4), 4)
	for _, s := range lengthOrder[:n] {
		length := uint(0)
		if e.lengths.freq[s] != 0 {
			length = e.lengths.codes[s].length()
		}
		w.put(uint64(length), 3)
		w.flush()
	}
	for _, r := range e.runs[:e.runCount] {
		s := r & 31
		w.put(e.lengths.codes[s].bits(), e.lengths.codes[s].length())
		if s >= 16 {
			w.put(uint64(r>>8), runExtra[s-16])
		}
		w.flush()
	}
}
