package reach

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
)

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

// TLSError says in words what was spoken in place of TLS, where that is known.
func TLSError(err error) error {
	if re, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if name, _ := Protocol(re.RecordHeader[:]); name != "" && name != "TLS" {
			return &clearError{name, err}
		}
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the peer ended the connection: %w", err)
	}
	return err
}

// clearError is a peer that answers TLS with something else.
type clearError struct {
	name string
	err  error
}

func (e *clearError) Error() string {
	return "the peer speaks " + e.name + ", and not TLS (RFC 8446, 5.1)"
}
func (e *clearError) Unwrap() error { return e.err }
