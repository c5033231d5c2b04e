package upgrade

import (
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/idna"
)

// origin is what a browser says a request comes from (RFC 6454, 7), in the form that compares:
// lower case, ASCII, the port spelt out.
type origin struct{ scheme, host, port string }

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// parseOrigin reads "scheme://host[:port]". An origin has no path, user or query.
func parseOrigin(s string) (o origin, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || strings.ContainsAny(rest, "/?#@\\ \t") {
		return o, false
	}
	o.scheme = strings.ToLower(scheme)
	o.host, o.port, ok = splitHost(rest)
	if o.port == "" {
		o.port = defaultPorts[o.scheme]
	}
	return o, ok
}

// splitHost takes host[:port] apart, an IPv6 address keeping its brackets. port "": none was named.
func splitHost(s string) (host, port string, ok bool) {
	host = s
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
	}
	if strings.HasPrefix(host, "[") {
		ip := net.ParseIP(strings.Trim(host, "[]"))
		if ip == nil || !strings.HasSuffix(host, "]") {
			return "", "", false
		}
		return "[" + ip.String() + "]", port, true
	}
	host, ok = asciiHost(host)
	return host, port, ok && host != "" && !strings.Contains(host, ":")
}

// asciiHost is host in lower case, with labels beyond ASCII in their A-label form (RFC 5891, 4.4).
func asciiHost(host string) (string, bool) {
	for i := range len(host) {
		if host[i] >= 0x80 {
			a, err := idna.Lookup.ToASCII(host)
			return a, err == nil
		}
	}
	return strings.ToLower(host), true
}

// checkOrigin judges where r comes from (RFC 6455, 10.2). No origin at all is allowed: it is no
// browser.
func checkOrigin(r *http.Request, version int, c *WebSocketConfig) error {
	lines := r.Header["Origin"]
	if version != 13 { // drafts 7 to 12 name the field so; whatever is there has to be allowed
		lines = append(lines[:len(lines):len(lines)], r.Header["Sec-Websocket-Origin"]...)
	}
	for _, line := range lines {
		if !allowed(r, line, c) {
			return &HandshakeError{Status: http.StatusForbidden, Rule: "RFC 6455, 10.2", Msg: "origin not allowed"}
		}
	}
	return nil
}

func allowed(r *http.Request, line string, c *WebSocketConfig) bool {
	o, ok := parseOrigin(line)
	if ok && !c.OnlyOrigins && sameHost(r, o) {
		return true
	}
	for _, p := range c.Origins {
		if p == "*" || line == p && special(p) || ok && o.matches(p) {
			return true
		}
	}
	return false
}

// sameHost compares with the request's authority. One that names no port means the default port of
// the origin's scheme, since a proxy may have ended TLS in front of us; a page in cleartext never
// speaks for a connection that has TLS here.
func sameHost(r *http.Request, o origin) bool {
	if o.scheme != "https" && (o.scheme != "http" || r.TLS != nil) {
		return false
	}
	host, port, ok := splitHost(r.Host)
	if port == "" {
		port = defaultPorts[o.scheme]
	}
	return ok && host == o.host && port == o.port
}

// matches compares with a pattern of WebSocketConfig.Origins.
func (o origin) matches(pattern string) bool {
	scheme, rest, ok := strings.Cut(pattern, "://")
	if !ok {
		scheme, rest = o.scheme, pattern
	}
	wild := strings.HasPrefix(rest, "*.")
	host, port, ok := splitHost(strings.TrimPrefix(rest, "*."))
	if port == "" {
		port = defaultPorts[o.scheme]
	}
	if !ok || !strings.EqualFold(scheme, o.scheme) || port != "*" && port != o.port {
		return false
	}
	if wild {
		return strings.HasSuffix(o.host, "."+host)
	}
	return o.host == host
}
