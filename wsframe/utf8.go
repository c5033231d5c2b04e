package wsframe

import "encoding/binary"

// UTF8 checks text that arrives in pieces (RFC 6455, 8.1). The zero value is ready.
//
// Where the processor has vectors, the bulk of a piece is judged by them. All else is a table of shifts: a state is a bit offset, and the row of an octet holds at that offset the next state. Rows
// depend on the input alone, so a step costs one shift.
type UTF8 struct{ state uint64 }

// The states, as bit offsets of 6 bits each. What may follow is that of the table in RFC 3629, 4.
const (
	utf8Start   = 6 * iota // between characters
	utf8Bad                // for good
	utf8One                // one continuation octet to come
	utf8Two                // two to come
	utf8Three              // three to come
	utf8AfterE0            // A0..BF, then one: no overlong form
	utf8AfterED            // 80..9F, then one: no surrogate
	utf8AfterF0            // 90..BF, then two: no overlong form
	utf8AfterF4            // 80..8F, then two: nothing above U+10FFFF
)

var utf8Rows = makeUTF8Rows()

func makeUTF8Rows() (rows [256]uint64) {
	for c := range rows {
		is := func(lo, hi int) bool { return lo <= c && c <= hi }
		next := func(ok bool, state uint64) uint64 {
			if ok {
				return state
			}
			return utf8Bad
		}
		start := uint64(utf8Bad)
		switch {
		case c < 0x80:
			start = utf8Start
		case is(0xc2, 0xdf):
			start = utf8One
		case c == 0xe0:
			start = utf8AfterE0
		case c == 0xed:
			start = utf8AfterED
		case is(0xe1, 0xef):
			start = utf8Two
		case c == 0xf0:
			start = utf8AfterF0
		case is(0xf1, 0xf3):
			start = utf8Three
		case c == 0xf4:
			start = utf8AfterF4
		}
		rows[c] = start<<utf8Start | utf8Bad<<utf8Bad |
			next(is(0x80, 0xbf), utf8Start)<<utf8One |
			next(is(0x80, 0xbf), utf8One)<<utf8Two |
			next(is(0x80, 0xbf), utf8Two)<<utf8Three |
			next(is(0xa0, 0xbf), utf8One)<<utf8AfterE0 |
			next(is(0x80, 0x9f), utf8One)<<utf8AfterED |
			next(is(0x90, 0xbf), utf8Two)<<utf8AfterF0 |
			next(is(0x80, 0x8f), utf8Two)<<utf8AfterF4
	}
	return rows
}

// Write takes the next piece of the text, which it only reads. False: an octet no valid text could have at its place
// was in this piece or an earlier one.
func (u *UTF8) Write(b []byte) bool {
	if vectors && len(b) >= bulk {
		for u.state != utf8Start && u.state != utf8Bad { // a character that an earlier piece began: 3 octets at most
			u.step(b[:1])
			b = b[1:]
		}
		n := len(b) &^ 31
		if u.state == utf8Bad || badText(b[:n]) {
			u.state = utf8Bad
			return false
		}
		b = b[n-begun(b[:n]):]
	}
	return u.step(b)
}

// bulk is how much of a text is better judged by vectors.
const bulk = 64

// begun is the number of octets at the end of b that may begin a character and do not end it.
func begun(b []byte) int {
	for n := 1; n <= 3; n++ {
		switch c := b[len(b)-n]; {
		case c >= 0xf0 && n < 4, c >= 0xe0 && n < 3, c >= 0xc0 && n < 2:
			return n
		case c < 0x80 || c >= 0xc0:
			return 0
		}
	}
	return 0
}

// step is Write, a state after the other.
func (u *UTF8) step(b []byte) bool {
	const high = 0x8080808080808080
	s := u.state
	for {
		if s == utf8Start {
			for len(b) >= 32 {
				c := b[:32:32]
				if (binary.LittleEndian.Uint64(c[0:])|binary.LittleEndian.Uint64(c[8:])|
					binary.LittleEndian.Uint64(c[16:])|binary.LittleEndian.Uint64(c[24:]))&high != 0 {
					break
				}
				b = b[32:]
			}
			for len(b) >= 8 && binary.LittleEndian.Uint64(b)&high == 0 {
				b = b[8:]
			}
		}
		if len(b) < 32 {
			break
		}
		for c := b[:32:32]; len(c) >= 8; c = c[8:] {
			s = utf8Rows[c[0]] >> (s & 63)
			s = utf8Rows[c[1]] >> (s & 63)
			s = utf8Rows[c[2]] >> (s & 63)
			s = utf8Rows[c[3]] >> (s & 63)
			s = utf8Rows[c[4]] >> (s & 63)
			s = utf8Rows[c[5]] >> (s & 63)
			s = utf8Rows[c[6]] >> (s & 63)
			s = utf8Rows[c[7]] >> (s & 63)
		}
		s &= 63
		if s == utf8Bad {
			u.state = s
			return false
		}
		b = b[32:]
	}
	for _, c := range b {
		s = utf8Rows[c] >> (s & 63)
	}
	u.state = s & 63
	return u.state != utf8Bad
}

// Complete says that the text is valid and does not end inside a character.
func (u *UTF8) Complete() bool { return u.state == utf8Start }

// Reset begins a new text.
func (u *UTF8) Reset() { u.state = utf8Start }
