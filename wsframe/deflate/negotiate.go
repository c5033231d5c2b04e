package deflate

import "strconv"

// Name is the extension's token in Sec-WebSocket-Extensions (RFC 7692, 7).
const Name = "permessage-deflate"

// The parameters of RFC 7692, 7.1.
const (
	serverNoTakeover = "server_no_context_takeover"
	clientNoTakeover = "client_no_context_takeover"
	serverBits       = "server_max_window_bits"
	clientBits       = "client_max_window_bits"
)

// Param is one parameter of an extension as it was on the wire, quotes taken off the value.
type Param struct {
	Name, Value string
	HasValue    bool // there was a "=", whatever followed
}

// listed is one list of parameters, each at most once and well formed.
type listed struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int // 0: none given
	bareClientBits                     bool
}

// parseParams judges what every list has to keep to (RFC 7692, 7.1): no parameter unknown or twice, a value exactly
// where one belongs.
func parseParams(params []Param) (listed, *Error) {
	var l listed
	for _, p := range params {
		switch p.Name {
		case serverNoTakeover, clientNoTakeover:
			given, rule := &l.serverNoTakeover, "RFC 7692, 7.1.1.1"
			if p.Name == clientNoTakeover {
				given, rule = &l.clientNoTakeover, "RFC 7692, 7.1.1.2"
			}
			if p.HasValue {
				return l, &Error{rule, p.Name + " with a value"}
			}
			if *given {
				return l, &Error{"RFC 7692, 7.1", p.Name + " twice"}
			}
			*given = true
		case serverBits, clientBits:
			given, rule := &l.serverBits, "RFC 7692, 7.1.2.1"
			if p.Name == clientBits {
				given, rule = &l.clientBits, "RFC 7692, 7.1.2.2"
			}
			if *given != 0 || l.bareClientBits && p.Name == clientBits {
				return l, &Error{"RFC 7692, 7.1", p.Name + " twice"}
			}
			if !p.HasValue && p.Name == clientBits {
				l.bareClientBits = true
				continue
			}
			if *given = parseBits(p.Value); *given == 0 {
				return l, &Error{rule, p.Name + " not 8 to 15"}
			}
		default:
			return l, &Error{"RFC 7692, 7.1", "unknown parameter " + strconv.Quote(p.Name)}
		}
	}
	return l, nil
}

// parseBits is the number of window bits s stands for, 0 if s is not exactly one of "8" to "15": no sign, no leading
// zero (RFC 7692, 7.1.2.1).
func parseBits(s string) int {
	switch {
	case len(s) == 1 && (s[0] == '8' || s[0] == '9'):
		return int(s[0] - '0')
	case len(s) == 2 && s[0] == '1' && s[1] >= '0' && s[1] <= '5':
		return 10 + int(s[1]-'0')
	}
	return 0
}

// Negotiate answers one offer of permessage-deflate as a server that wants o (RFC 7692, 7.1). It is false for an offer
// to skip; the caller tries the next one. The response is the whole element of Sec-WebSocket-Extensions.
func Negotiate(o *Options, offer []Param) (p Params, response string, ok bool) {
	l, err := parseParams(offer)
	if err != nil {
		return Params{}, "", false
	}
	ours, theirs := clampBits(o.ServerMaxWindowBits), clampBits(o.ClientMaxWindowBits)
	if theirs < maxBits && l.clientBits == 0 && !l.bareClientBits {
		return Params{}, "", false // a limit it did not say it can keep (RFC 7692, 7.1.2.2)
	}
	p = Params{
		ServerNoContextTakeover: o.ServerNoContextTakeover || l.serverNoTakeover,
		ClientNoContextTakeover: o.ClientNoContextTakeover || l.clientNoTakeover,
		ServerMaxWindowBits:     ours,
		ClientMaxWindowBits:     theirs,
	}
	echo := l.serverBits != 0 && l.serverBits <= ours
	if echo {
		p.ServerMaxWindowBits = l.serverBits
	}
	if l.clientBits != 0 {
		p.ClientMaxWindowBits = min(l.clientBits, theirs)
	}

	b := append(make([]byte, 0, 160), Name...)
	if !echo && ours < maxBits {
		b = appendBits(b, serverBits, ours)
	}
	b = appendFlag(b, serverNoTakeover, l.serverNoTakeover)
	b = appendFlag(b, clientNoTakeover, l.clientNoTakeover)
	if l.bareClientBits {
		b = appendBits(b, clientBits, p.ClientMaxWindowBits)
	}
	if echo {
		b = appendBits(b, serverBits, p.ServerMaxWindowBits)
	}
	if l.clientBits != 0 {
		b = appendBits(b, clientBits, p.ClientMaxWindowBits)
	}
	b = appendFlag(b, clientNoTakeover, o.ClientNoContextTakeover && !l.clientNoTakeover)
	b = appendFlag(b, serverNoTakeover, o.ServerNoContextTakeover && !l.serverNoTakeover)
	return p, string(b), true
}

func appendFlag(b []byte, name string, given bool) []byte {
	if !given {
		return b
	}
	return append(append(b, "; "...), name...)
}

func appendBits(b []byte, name string, n int) []byte {
	return strconv.AppendInt(append(appendFlag(b, name, true), '='), int64(n), 10)
}
