package deflate

import (
	"encoding/binary"
	"math/bits"
)

const (
	hashBits = 12
	minMatch = 4       // three octets are hardly longer than what says that they match
	far      = 4 << 10 // a match of minMatch from further away takes more than digits do; prose becomes 0.4 % larger
	maxMatch = 258
)

// token is a literal; or a match, its length from bit 16 on and its distance less 1 below.
type token uint32

// load is the eight octets at i.
func (e *encoder) load(i int) uint64 {
	i = int(uint16(i)) // never changes i, and spares the check of bounds
	return binary.LittleEndian.Uint64(e.text[i : i+8])
}

// insert makes i the last place with the four octets v, and gives the one before.
func (e *encoder) insert(i int, v uint32) int {
	h := &e.head[v*2654435761>>(32-hashBits)]
	j := *h
	e.prev[uint16(i)], *h = j, uint16(i)
	return int(j)
}

// prime fills the tables with the history, text[1:start]. Its last octets count with those of the message behind them.
func (e *encoder) prime(start, stride int) {
	clear(e.head[:])
	for i := 1; i < start; i += stride {
		e.insert(i, uint32(e.load(i)))
	}
}

// parse makes tokens of the message, text[start:end], and counts their symbols.
//
// Matches are extended to the left, over octets that would else be literals: what every second place of the history
// finds an octet late is none the shorter.
func (e *encoder) parse(start, end, window int, by *effort) {
	clear(e.literals.freq[:])
	clear(e.distance.freq[:])
	e.count = 0
	done, last := start, end-minMatch // tokens reach up to done; no match begins after last
	for i := start; i <= last; i++ {
		j := e.insert(i, uint32(e.load(i)))
		if j < max(i-window, 1) {
			continue // as most octets of prose
		}
		at, from, length := e.find(i, j, end, window, done, minMatch-1, by)
		if length == 0 {
			continue
		}
		for length < by.lazy && i < last {
			i++
			j := e.insert(i, uint32(e.load(i)))
			a, f, l := e.find(i, j, end, window, done, length-1, by)
			if l <= length {
				break
			}
			at, from, length = a, f, l
		}
		e.literal(done, at)
		e.match(length, at-from)
		done = at + length
		for i++; i < done; i++ {
			if i <= last {
				e.insert(i, uint32(e.load(i)))
			}
		}
		i--
	}
	e.literal(done, end)
}

// find gives the longest match at i of over least octets, extended to the left down to done, or none of no length. It
// looks at j first, and from there at what was before.
func (e *encoder) find(i, j, end, window, done, least int, by *effort) (at, from, length int) {
	low, limit := max(i-window, 1), min(end-i, maxMatch)
	if least >= limit {
		return 0, 0, 0
	}
	tail := uint32(e.load(i + least - 3)) // the last four octets of what is longer than least
	for depth := by.depth; depth > 0 && j >= low; depth-- {
		if uint32(e.load(j+least-3)) == tail {
			n := 0
			for n < limit {
				if x := e.load(i+n) ^ e.load(j+n); x != 0 {
					n += bits.TrailingZeros64(x) >> 3
					break
				}
				n += 8
			}
			if n = min(n, limit); n > least {
				from, length, least = j, n, n
				if n >= by.enough || n == limit {
					break
				}
				tail = uint32(e.load(i + least - 3))
			}
		}
		j = int(e.prev[uint16(j)])
	}
	if length == 0 || length == minMatch && i-from > far {
		return 0, 0, 0
	}
	at = i
	for at > done && from > 1 && length < maxMatch && e.text[uint16(at-1)] == e.text[uint16(from-1)] {
		at--
		from--
		length++
	}
	return at, from, length
}

func (e *encoder) literal(from, to int) {
	for _, c := range e.text[from:to] {
		e.tokens[e.count] = token(c)
		e.count++
		e.literals.freq[c]++
	}
}

func (e *encoder) match(length, distance int) {
	e.tokens[e.count] = token(length<<16 | (distance - 1))
	e.count++
	e.literals.freq[257+int(lengthCode[uint8(length-3)])]++
	e.distance.freq[distanceCode(uint32(distance-1))&31]++
}

// lengthCode is RFC 1951, 3.2.5, by a length less 3, from 257 on.
var lengthCode = func() (c [256]uint8) {
	for i := range uint8(28) {
		base, extra := literalMeaning[257+int(i)]>>16-3, lengthExtra(i)
		for k := base; k < base+1<<extra; k++ {
			c[k] = i
		}
	}
	c[255] = 28
	return c
}()

// lengthExtra is how many bits follow a length's code.
func lengthExtra(code uint8) uint {
	if code < 8 || code == 28 {
		return 0
	}
	return uint(code/4 - 1)
}

// distanceCode is RFC 1951, 3.2.5, of a distance less 1.
func distanceCode(d uint32) uint32 {
	if d < 4 {
		return d
	}
	extra := uint32(bits.Len32(d)) - 2
	return 2*(extra+1) + d>>(extra&31)&1
}

// distanceExtra is how many bits follow a distance's code.
func distanceExtra(code uint32) uint { return uint(max(code/2, 1) - 1) }
