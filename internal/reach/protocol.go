package reach

import "strings"

// protocols are what servers begin with that speak something else than they were thought to.
var protocols = []struct{ begins, name string }{
	{"HTTP/", "HTTP/1.1"},
	{"\x15\x03", "TLS"}, // an alert (RFC 8446, 5.1)
	{"\x16\x03", "TLS"}, // a handshake
	{"SSH-", "SSH"},
	{"220 ", "SMTP or FTP"},
	{"220-", "SMTP or FTP"},
}

// Protocol names what a server speaks by the first octets that it sent; empty: unknown. more: they
// are the beginning of something known, and the next octets decide.
func Protocol(first []byte) (name string, more bool) {
	s := string(first)
	for _, p := range protocols {
		if strings.HasPrefix(s, p.begins) {
			return p.name, false
		}
		more = more || strings.HasPrefix(p.begins, s)
	}
	// A frame of at most 255 octets, SETTINGS or GOAWAY (RFC 9113, 3.4).
	if h2 := strings.HasPrefix(s, "\x00\x00") || strings.HasPrefix("\x00\x00", s); h2 && len(s) < 4 {
		return "", true
	} else if h2 && (s[3] == 4 || s[3] == 7) {
		return "HTTP/2", false
	}
	return "", more
}
