package autobahn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// params are those of permessage-deflate as agreed on (RFC 7692, 7.1).
type params struct {
	serverFresh, clientFresh bool // no context takeover
	serverBits, clientBits   int  // 0: none named, which is 15
}

func bits(n int) int {
	if n == 0 {
		return 15
	}
	return n
}

// extension is one element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	valued      bool
}

func (e *extension) has(name string) (value string, ok bool) {
	for _, p := range e.params {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

// parseExtensions reads the field's lines (RFC 6455, 9.1). No value that is asked for here has a comma or a semicolon in it.
func parseExtensions(lines []string) (all []extension) {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			var e extension
			for i, part := range strings.Split(element, ";") {
				if part = strings.TrimSpace(part); i == 0 {
					e.name = strings.ToLower(part)
					continue
				}
				name, value, valued := strings.Cut(part, "=")
				e.params = append(e.params, param{strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`), valued})
			}
			if e.name != "" || len(e.params) > 0 {
				all = append(all, e)
			}
		}
	}
	return all
}

const deflateName = "permessage-deflate"

// The parameters' names (RFC 7692, 7.1).
const (
	serverFresh = "server_no_context_takeover"
	clientFresh = "client_no_context_takeover"
	serverBits  = "server_max_window_bits"
	clientBits  = "client_max_window_bits"
)

// readParams reads the parameters of an answer, or of an offer, in which client_max_window_bits may be bare.
func readParams(e extension, offer bool) (p params, err error) {
	seen := map[string]bool{}
	for _, q := range e.params {
		if seen[q.name] {
			return p, fmt.Errorf("%s twice (RFC 7692, 7)", q.name)
		}
		seen[q.name] = true
		n := 0
		switch q.name {
		case serverFresh, clientFresh:
			if q.valued {
				return p, fmt.Errorf("%s with a value (RFC 7692, 7.1.1)", q.name)
			}
		case serverBits, clientBits:
			if !q.valued && offer && q.name == clientBits {
				continue
			}
			if n, err = strconv.Atoi(q.value); err != nil || n < 8 || n > 15 || strconv.Itoa(n) != q.value {
				return p, fmt.Errorf("%s=%s (RFC 7692, 7.1.2)", q.name, q.value)
			}
		default:
			return p, fmt.Errorf("parameter %q (RFC 7692, 7)", q.name)
		}
		switch q.name {
		case serverFresh:
			p.serverFresh = true
		case clientFresh:
			p.clientFresh = true
		case serverBits:
			p.serverBits = n
		case clientBits:
			p.clientBits = n
		}
	}
	return p, nil
}

// readAnswer reads a server's answer to an offer of permessage-deflate: nil if it declined.
func readAnswer(lines []string) (*params, error) {
	all := parseExtensions(lines)
	if len(all) == 0 {
		return nil, nil
	}
	if len(all) > 1 {
		return nil, errors.New("the answer names permessage-deflate twice (RFC 7692, 5)")
	}
	p, err := readParams(all[0], false)
	if err != nil {
		return nil, fmt.Errorf("the answer has %w", err)
	}
	return &p, nil
}

// ask is what a server's tester wants of a client's direction.
type ask struct {
	fresh bool
	bits  int // 0: nothing
}

// answerTo answers a client's offers: the first of asks that one of them allows. nil: none does.
func answerTo(lines []string, asks []ask) (string, *params) {
	for _, a := range asks {
		for _, e := range parseExtensions(lines) {
			if e.name != deflateName {
				continue
			}
			p, err := readParams(e, true)
			if err != nil {
				continue
			}
			if _, ok := e.has(clientBits); a.bits != 0 && !ok {
				continue
			}
			answer := deflateName
			add := func(format string, args ...any) { answer += "; " + fmt.Sprintf(format, args...) }
			if p.serverFresh {
				add(serverFresh)
			}
			if p.serverBits != 0 {
				add(serverBits+"=%d", p.serverBits)
			}
			p.clientFresh = a.fresh
			if a.fresh {
				add(clientFresh)
			}
			if a.bits == 0 {
				p.clientBits = 0
			} else {
				p.clientBits = min(a.bits, bits(p.clientBits))
				add(clientBits+"=%d", p.clientBits)
			}
			return answer, &p
		}
	}
	return "", nil
}
