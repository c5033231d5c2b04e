package main

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// trust is the list of proxies whose word about a client is believed.
type trust []netip.Prefix

// ownNetworks are the loopback and private addresses (RFC 1122, 3.2.1.3; RFC 1918, 3; RFC 4291,
// 2.5.3; RFC 4193, 3.1).
var ownNetworks = []string{
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7",
}

// proxies are who may send a PROXY header: those that the flags name, or else what is near.
func (c *config) proxies() trust {
	if len(c.proxiesFrom) > 0 {
		return c.proxiesFrom
	}
	var near trust
	for _, n := range ownNetworks {
		near = append(near, netip.MustParsePrefix(n))
	}
	return near
}

// trustFlag is the value of --trusted-proxy and --proxy-protocol-from, a CIDR or an address;
// repeatable.
type trustFlag struct{ *trust }

// Set adds one.
func (f trustFlag) Set(value string) error {
	p, err := netip.ParsePrefix(value)
	if err != nil {
		a, aerr := netip.ParseAddr(value)
		if aerr != nil {
			return err
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	*f.trust = append(*f.trust, p.Masked())
	return nil
}

// String is the flag's default in the help: none.
func (f trustFlag) String() string { return "" }

// Type is what the help calls the value.
func (f trustFlag) Type() string { return "CIDR" }

func (t trust) believes(a netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
}

// origin is where a request came from, as far as can be believed.
type origin struct {
	ip           string // of the client
	scheme, host string // what the client asked for, by the word of its proxy; "" where nobody trusted says so
}

// hop is what one proxy says of who came to it.
type hop struct{ by, scheme, host string }

// origin finds the client of r. The peer is believed if it is trusted, and what it says of the hop
// before it in turn: the list of hops is read from its end, and the first address that is not
// trusted is the client's. What stands before it was written by the client.
func (t trust) origin(r *http.Request) origin {
	peer, ok := address4(r.RemoteAddr)
	if !ok {
		return origin{ip: r.RemoteAddr} // a unix socket's
	}
	o := origin{ip: peer.String()}
	if !t.believes(peer) {
		return o
	}
	standard, common := t.walk(o, forwarded(r.Header)), t.walk(o, xForwarded(r.Header))
	switch {
	case len(r.Header.Values("Forwarded")) == 0:
		return common
	case len(r.Header.Values("X-Forwarded-For")) == 0 || standard.ip == common.ip:
		return standard
	}
	return o // a proxy that writes one of the two has passed the client's other one on, and which cannot be told
}

// walk follows hops from the last on, for as long as who tells is trusted.
func (t trust) walk(o origin, hops []hop) origin {
	for _, h := range slices.Backward(hops) {
		a, ok := address4(h.by)
		if !ok {
			break // unknown, or hidden (RFC 7239, 6): whoever said so is the last that has a name
		}
		o = origin{ip: a.String(), scheme: h.scheme, host: h.host}
		if !t.believes(a) {
			break
		}
	}
	return o
}

// address4 reads an address with or without a port; IPv6 may stand in brackets. An IPv4 address
// written as IPv6 is the IPv4 one.
func address4(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}

// xForwarded reads X-Forwarded-For, -Proto and -Host. Of the latter two there is one value for each
// hop, or the last one counts for all.
func xForwarded(h http.Header) []hop {
	by, schemes, hosts := list(h, "X-Forwarded-For"), list(h, "X-Forwarded-Proto"), list(h, "X-Forwarded-Host")
	hops := make([]hop, len(by))
	for i := range by {
		hops[i] = hop{by[i], nth(schemes, i, len(by)), nth(hosts, i, len(by))}
	}
	return hops
}

// nth is the value of hop i out of n.
func nth(values []string, i, n int) string {
	switch {
	case len(values) == 0:
		return ""
	case len(values) == n:
		return values[i]
	}
	return values[len(values)-1]
}

// list splits all fields of a name at commas.
func list(h http.Header, name string) []string {
	var out []string
	for _, line := range h.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}

// forwarded reads Forwarded (RFC 7239, 4). What cannot be read is a hop without a name: nothing
// before it is believed.
func forwarded(h http.Header) []hop {
	var hops []hop
	for _, line := range h.Values("Forwarded") {
		elements, ok := splitQuoted(line, ',')
		if !ok {
			elements = []string{""} // a quote that the client left open would swallow what its proxy wrote
		}
		for _, e := range elements {
			p, ok := forwardedElement(e)
			if !ok {
				p = hop{}
			}
			hops = append(hops, p)
		}
	}
	return hops
}

// forwardedElement reads what one proxy wrote. Each parameter may be there once.
func forwardedElement(s string) (p hop, ok bool) {
	pairs, _ := splitQuoted(s, ';') // the quotes of the line were found to be closed
	seen := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		name = strings.ToLower(name)
		if _, twice := seen[name]; twice {
			return p, false
		}
		if seen[name], ok = unquote(value); !ok {
			return p, false
		}
	}
	return hop{by: seen["for"], scheme: seen["proto"], host: seen["host"]}, true
}

// splitQuoted splits at sep, except in quoted strings (RFC 9110, 5.6.4); false if one is not
// closed.
func splitQuoted(s string, sep byte) (parts []string, ok bool) {
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:]), !quoted
}

// unquote is the value of a token or of a quoted string; false for what is neither.
func unquote(s string) (string, bool) {
	if !strings.Contains(s, `"`) {
		return s, true
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '"' {
			return "", false
		}
		if s[i] == '\\' && i < len(s)-2 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}
