package h2

import "unicode/utf8"

// dict reads a Dictionary of Structured Fields (RFC 9651, 4.2.2, which has all that RFC 8941 had)
// without allocating. A fault anywhere makes the whole field worth nothing, so it checks all
// types, and keeps only what a priority is made of: integers and booleans.
type dict struct {
	s string
	i int
}

// sfValue is the value of a member.
type sfValue struct {
	kind sfKind
	n    int64 // of an integer; of a boolean 0 or 1
}

type sfKind uint8

const (
	sfOther sfKind = iota
	sfInteger
	sfBoolean
)

// next gives the next member. key "" with ok: there is none left. ok false: this is no Dictionary.
func (d *dict) next() (key string, v sfValue, ok bool) {
	if d.i == 0 {
		d.spaces()
	} else if d.blank(); d.i < len(d.s) {
		if d.s[d.i] != ',' {
			return "", v, false
		}
		d.i++
		if d.blank(); d.i == len(d.s) {
			return "", v, false // a comma and nothing behind it
		}
	}
	if d.i == len(d.s) {
		return "", v, true
	}
	if key, ok = d.key(); !ok {
		return "", v, false
	}
	if !d.has('=') {
		v = sfValue{sfBoolean, 1}
	} else if d.has('(') {
		ok = d.innerList()
	} else {
		v, ok = d.bareItem()
	}
	return key, v, ok && d.parameters()
}

// peek is the next octet, 0 at the end: no type allows a 0.
func (d *dict) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

// has takes the next octet if it is b.
func (d *dict) has(b byte) bool {
	if d.peek() != b || d.i == len(d.s) {
		return false
	}
	d.i++
	return true
}

// spaces skips SP; blank skips OWS, which has tabs too.
func (d *dict) spaces() {
	for d.has(' ') {
	}
}

func (d *dict) blank() {
	for d.has(' ') || d.has('\t') {
	}
}

// key reads a key (RFC 9651, 4.2.3.3).
func (d *dict) key() (string, bool) {
	from := d.i
	if b := d.peek(); !isLower(b) && b != '*' {
		return "", false
	}
	for {
		b := d.peek()
		if !isLower(b) && !isDigit(b) && b != '_' && b != '-' && b != '.' && b != '*' {
			return d.s[from:d.i], true
		}
		d.i++
	}
}

// innerList reads what is behind its parenthesis (RFC 9651, 4.2.1.2).
func (d *dict) innerList() bool {
	for {
		d.spaces()
		if d.has(')') {
			return true
		}
		if _, ok := d.bareItem(); !ok || !d.parameters() {
			return false
		}
		if b := d.peek(); b != ' ' && b != ')' {
			return false
		}
	}
}

// parameters reads those of an item or an inner list (RFC 9651, 4.2.3.2); they mean nothing here.
func (d *dict) parameters() bool {
	for d.has(';') {
		d.spaces()
		if _, ok := d.key(); !ok {
			return false
		}
		if d.has('=') {
			if _, ok := d.bareItem(); !ok {
				return false
			}
		}
	}
	return true
}

// bareItem reads one (RFC 9651, 4.2.3.1).
func (d *dict) bareItem() (v sfValue, ok bool) {
	switch b := d.peek(); {
	case b == '-' || isDigit(b):
		return d.number()
	case b == '"':
		d.i++
		return v, d.text()
	case b == '*' || isAlpha(b):
		for isTokenOctet(d.peek()) {
			d.i++
		}
		return v, true
	case d.has(':'):
		for b := d.peek(); isAlpha(b) || isDigit(b) || b == '+' || b == '/' || b == '='; b = d.peek() {
			d.i++
		}
		return v, d.has(':')
	case d.has('?'):
		v.kind = sfBoolean
		if d.has('1') {
			v.n = 1
			return v, true
		}
		return v, d.has('0')
	case d.has('@'): // a Date
		v, ok = d.number()
		return sfValue{}, ok && v.kind == sfInteger
	case d.has('%'): // a Display String
		return v, d.has('"') && d.display()
	}
	return v, false
}

// number reads an Integer or a Decimal (RFC 9651, 4.2.4).
func (d *dict) number() (v sfValue, ok bool) {
	minus := d.has('-')
	from := d.i
	for isDigit(d.peek()) {
		if v.n = 10*v.n + int64(d.peek()-'0'); d.i-from == 15 {
			return v, false
		}
		d.i++
	}
	whole := d.i - from
	if whole == 0 {
		return v, false
	}
	if minus {
		v.n = -v.n
	}
	v.kind = sfInteger
	if !d.has('.') {
		return v, true
	}
	from = d.i
	for isDigit(d.peek()) {
		d.i++
	}
	n := d.i - from
	return sfValue{}, whole <= 12 && 1 <= n && n <= 3
}

// text reads a String behind its quote (RFC 9651, 4.2.5).
func (d *dict) text() bool {
	for d.i < len(d.s) {
		b := d.s[d.i]
		d.i++
		switch {
		case b == '"':
			return true
		case b == '\\':
			if !d.has('"') && !d.has('\\') {
				return false
			}
		case b < ' ' || b > '~':
			return false
		}
	}
	return false
}

// display reads a Display String behind its quote: octets of UTF-8, those outside of ASCII as
// %xx in lower case (RFC 9651, 4.2.10).
func (d *dict) display() bool {
	var r [utf8.UTFMax]byte // the octets of a character that is not whole
	n := 0
	for d.i < len(d.s) {
		b := d.s[d.i]
		d.i++
		switch {
		case b == '"':
			return n == 0
		case b < ' ' || b > '~':
			return false
		case b == '%':
			hi, ok1 := unhex(d.peek())
			d.i++
			lo, ok2 := unhex(d.peek())
			d.i++
			if !ok1 || !ok2 {
				return false
			}
			b = hi<<4 | lo
		}
		r[n] = b
		n++
		if utf8.FullRune(r[:n]) {
			if c, size := utf8.DecodeRune(r[:n]); c == utf8.RuneError && size == 1 {
				return false
			}
			n = 0
		}
	}
	return false
}

func unhex(b byte) (byte, bool) {
	switch {
	case isDigit(b):
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	}
	return 0, false
}

func isLower(b byte) bool { return 'a' <= b && b <= 'z' }
func isAlpha(b byte) bool { return isLower(b | 0x20) }
func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// isTokenOctet: tchar, and ":" and "/" (RFC 9651, 3.3.4).
func isTokenOctet(b byte) bool {
	switch b {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~', ':', '/':
		return true
	}
	return isAlpha(b) || isDigit(b)
}
