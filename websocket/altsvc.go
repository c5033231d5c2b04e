package websocket

import (
	"net"
	"strconv"
	"strings"
	"time"
)

// altSvc is what Alt-Svc fields say of HTTP/3 (RFC 7838, 3).
type altSvc struct {
	clear bool          // what was known is not true any more
	host  string        // empty: the origin's
	port  string        // empty: there is none
	age   time.Duration // for how long
}

// maxAltAge bounds what a server may have remembered.
const maxAltAge = 30 * 24 * time.Hour

// parseAltSvc reads the lines of Alt-Svc fields: the first alternative over h3 counts. What is
// malformed says nothing, and neither does what stands behind it in its line.
func parseAltSvc(lines []string) (a altSvc) {
	for _, line := range lines {
		if strings.TrimSpace(line) == "clear" {
			return altSvc{clear: true}
		}
		for _, v := range splitQuoted(line, ',') {
			parts := splitQuoted(v, ';')
			id, authority, ok := strings.Cut(strings.TrimSpace(parts[0]), "=")
			if !ok {
				break
			}
			if id != "h3" {
				continue
			}
			host, port, ok := alternative(authority)
			if !ok {
				break
			}
			a = altSvc{host: host, port: port, age: 24 * time.Hour}
			for _, p := range parts[1:] {
				name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				if s, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil && name == "ma" {
					a.age = min(time.Duration(s)*time.Second, maxAltAge)
				}
			}
			return a
		}
	}
	return a
}

// alternative reads an alt-authority: a quoted [host]:port.
func alternative(quoted string) (host, port string, ok bool) {
	inner, ok := strings.CutPrefix(quoted, `"`)
	if ok {
		inner, ok = strings.CutSuffix(inner, `"`)
	}
	if !ok || strings.ContainsAny(inner, `\"`) {
		return "", "", false
	}
	host, port, err := net.SplitHostPort(inner)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return "", "", false
	}
	if host != "" {
		if _, err := authority(net.JoinHostPort(host, port)); err != nil {
			return "", "", false
		}
	}
	return host, port, true
}

// splitQuoted cuts s at each sep that no quoted string has (RFC 9110, 5.6.4).
func splitQuoted(s string, sep byte) (parts []string) {
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}
