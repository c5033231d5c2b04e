package upgrade

import "strings"

// Extension is one element of Sec-WebSocket-Extensions: an offer, or an answer (RFC 6455, 9.1).
type Extension struct {
	Name   string  // as it was sent: names compare with case
	Params []Param // in order; what they mean, and that each stands once, is the extension's affair
}

// Param is one parameter of an Extension, as it was on the wire, quotes taken off the value.
type Param struct {
	Name, Value string // Value is empty where there is none
	HasValue    bool   // there was a "=", whatever followed: "name" and "name=" differ
}

// ParseExtensions reads Sec-WebSocket-Extensions over all its lines, in order. No line gives nil and true, a line
// outside the grammar of RFC 6455, 9.1, false.
func ParseExtensions(lines []string) ([]Extension, bool) {
	if len(lines) == 0 {
		return nil, true
	}
	var list []Extension
	p := extensionParser{s: strings.Join(lines, ",")}
	for {
		p.space()
		if p.take(',') {
			continue // empty elements are allowed, if there is one that is not
		}
		if p.s == "" {
			return list, len(list) > 0
		}
		e, ok := p.extension()
		if !ok {
			return nil, false
		}
		list = append(list, e)
		if p.s != "" && !p.take(',') {
			return nil, false
		}
	}
}

// extensionParser eats s from the front.
type extensionParser struct{ s string }

func (p *extensionParser) space() { p.s = strings.TrimLeft(p.s, " \t") }

func (p *extensionParser) take(c byte) bool {
	if p.s == "" || p.s[0] != c {
		return false
	}
	p.s = p.s[1:]
	return true
}

// extension reads a name and its parameters, and the white space behind them.
func (p *extensionParser) extension() (e Extension, ok bool) {
	if e.Name, ok = p.token(); !ok {
		return e, false
	}
	for p.space(); p.take(';'); p.space() {
		var a Param
		p.space()
		if a.Name, ok = p.token(); !ok {
			return e, false
		}
		if p.space(); p.take('=') {
			p.space()
			a.HasValue = true
			if a.Value, ok = p.value(); !ok {
				return e, false
			}
		}
		e.Params = append(e.Params, a)
	}
	return e, true
}

func (p *extensionParser) token() (string, bool) {
	n := 0
	for n < len(p.s) && isToken(p.s[n:n+1]) {
		n++
	}
	t := p.s[:n]
	p.s = p.s[n:]
	return t, n > 0
}

// value reads a token or a quoted string, what stands in it being a token as well.
func (p *extensionParser) value() (string, bool) {
	if !p.take('"') {
		return p.token()
	}
	var b strings.Builder
	for !p.take('"') {
		p.take('\\')
		if p.s == "" {
			return "", false
		}
		b.WriteByte(p.s[0])
		p.s = p.s[1:]
	}
	return b.String(), isToken(b.String())
}
