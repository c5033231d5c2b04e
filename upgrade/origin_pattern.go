package upgrade

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PatternError is a pattern of Origins that can match nothing, and so is a mistake.
type PatternError struct {
	Pattern string // as it was given
	Msg     string // why
}

func (e *PatternError) Error() string {
	return fmt.Sprintf("upgrade: origin pattern %q: %s", e.Pattern, e.Msg)
}

// special are what browsers say instead of an origin with a host: "null" of most pages without one,
// "file://" of a local page in Chromium. A pattern that is equal allows it.
func special(s string) bool { return s == "null" || s == "file://" }

// patternFault says why no origin can match p, "" if one can. An origin is what a browser makes of
// a URL (RFC 6454, 4): a scheme, a host in its one form, and a port.
func patternFault(p string) string {
	if p == "*" || special(p) {
		return ""
	}
	switch {
	case p == "":
		return "it is empty"
	case strings.ContainsAny(p, " \t\r\n,"):
		return "it is one origin: no spaces, no commas; several are several patterns"
	}
	scheme, rest, named := strings.Cut(p, "://")
	if named {
		if msg := schemeFault(scheme); msg != "" {
			return msg
		}
	} else {
		rest = p
	}
	switch {
	case rest == "":
		return "it names no host"
	case strings.ContainsAny(rest, "/?#\\"):
		return "an origin ends with its host and port: no path, query or fragment, not even a slash"
	case strings.Contains(rest, "@"):
		return "an origin has no user"
	}
	return authorityFault(rest)
}

// schemeFault judges by RFC 3986, 3.1, and by what an origin can be.
func schemeFault(scheme string) string {
	for i, c := range []byte(strings.ToLower(scheme)) {
		if c < 'a' || c > 'z' {
			if i == 0 || !strings.ContainsRune("0123456789+-.", rune(c)) {
				return "its scheme is none; without a scheme any is meant"
			}
		}
	}
	switch strings.ToLower(scheme) {
	case "":
		return "its scheme is empty"
	case "ws", "wss":
		return "an origin is that of the page, whose scheme is http or https"
	}
	return ""
}

// authorityFault judges "host", "host:port" and "*.host".
func authorityFault(s string) string {
	s, wild := strings.CutPrefix(s, "*.")
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		if msg := portFault(port); msg != "" {
			return msg
		}
	}
	switch {
	case host == "":
		return "it names no host"
	case strings.HasPrefix(host, "["):
		inside, closed := strings.CutSuffix(host[1:], "]")
		ip, err := netip.ParseAddr(inside)
		switch {
		case !closed || err != nil || !ip.Is6() || ip.Zone() != "":
			return "its host is no IPv6 address"
		case wild:
			return "an address has no subdomains"
		}
		return ""
	case strings.Contains(host, ":"):
		return "an IPv6 address stands in brackets"
	case strings.Contains(host, "*"):
		return `"*" stands alone, for a port, or before the first dot of a host: "*.example.com"`
	}
	return nameFault(host, wild)
}

func portFault(port string) string {
	if port == "*" {
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return `its port is neither a number from 1 to 65535 nor "*"`
	}
	return ""
}

// nameFault judges a host's name, or its IPv4 address.
func nameFault(host string, wild bool) string {
	name, ok := asciiHost(host)
	if !ok {
		return "its host is no name (RFC 5891, 4)"
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~", rune(c)) {
			return fmt.Sprintf("%q cannot stand in a host", c)
		}
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".") // a dot at the end makes another host
	for _, l := range labels {
		if l == "" {
			return `its host has an empty label; subdomains are "*.example.com"`
		}
	}
	if _, err := strconv.ParseUint(labels[len(labels)-1], 0, 64); err == nil { // then a browser takes it for an address
		switch ip, err := netip.ParseAddr(name); {
		case err != nil || !ip.Is4():
			return "its host is no IPv4 address as browsers write it"
		case wild:
			return "an address has no subdomains"
		}
	}
	return ""
}
