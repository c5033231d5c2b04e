package upgrade

import (
	"crypto/tls"
	"testing"
)

// RFC 6455, 10.2.
func TestOrigin(t *testing.T) {
	const own = "\x00" // no patterns
	for _, c := range []struct {
		host, origin, pattern string
		tls, want             bool
	}{
		{"example.com", "http://example.com", own, false, true},
		{"example.com", "HTTP://EXAMPLE.com", own, false, true},
		{"EXAMPLE.com", "http://example.com:80", own, false, true},
		{"example.com:80", "http://example.com", own, false, true},
		{"example.com:443", "https://example.com", own, true, true},
		{"example.com", "https://example.com:443", own, true, true},
		{"example.com", "https://example.com", own, false, true}, // a proxy ended TLS
		{"example.com", "http://example.com", own, true, false},  // a page anybody on the way may have written
		{"example.com:80", "https://example.com", own, false, false},
		{"example.com:8080", "http://example.com:8080", own, false, true},
		{"example.com:8080", "http://example.com", own, false, false},
		{"example.com", "http://example.com:8080", own, false, false},
		{"example.com", "http://evil.example", own, false, false},
		{"example.com", "http://a.example.com", own, false, false},
		{"example.com", "http://example.com.evil.example", own, false, false},
		{"example.com", "http://example.com@evil.example", own, false, false},
		{"example.com", "http://evil.example#example.com", own, false, false},
		{"example.com", "http://example.com/", own, false, false},
		{"example.com", "http://example.com http://evil.example", own, false, false},
		{"example.com", "ftp://example.com", own, false, false},
		{"example.com", "null", own, false, false},
		{"example.com", "", own, false, false},
		{"example.com", "example.com", own, false, false},
		{"[::1]:8080", "http://[::1]:8080", own, false, true},
		{"[::1]", "http://[0:0::1]", own, false, true},
		{"[::1]", "http://[::2]", own, false, false},
		{"xn--bcher-kva.example", "https://b\u00fccher.example", own, true, true},
		{"B\u00dcCHER.example", "https://xn--bcher-kva.example", own, true, true},
		{"", "http://", own, false, false},

		{"h", "https://example.com", "https://example.com", true, true},
		{"h", "http://example.com", "https://example.com", true, false},
		{"h", "https://example.com:443", "https://example.com", true, true},
		{"h", "https://example.com:444", "https://example.com", true, false},
		{"h", "https://example.com:444", "https://example.com:444", true, true},
		{"h", "https://example.com:444", "https://example.com:*", true, true},
		{"h", "http://example.com", "example.com", true, true},
		{"h", "https://Example.COM", "eXample.com", true, true},
		{"h", "https://example.com:8443", "example.com", true, false},
		{"h", "https://example.com:8443", "example.com:8443", true, true},
		{"h", "https://a.example.com", "example.com", true, false},
		{"h", "https://a.example.com", "*.example.com", true, true},
		{"h", "https://b.a.example.com", "*.example.com", true, true},
		{"h", "https://example.com", "*.example.com", true, false},
		{"h", "https://evilexample.com", "*.example.com", true, false},
		{"h", "https://a.example.com", "https://*.example.com", true, true},
		{"h", "http://a.example.com", "https://*.example.com", true, false},
		{"h", "https://a.example.com:1", "*.example.com:*", true, true},
		{"h", "https://b\u00fccher.example", "xn--bcher-kva.example", true, true},
		{"h", "https://xn--bcher-kva.example", "b\u00fccher.example", true, true},
		{"h", "null", "null", true, true},
		{"h", "null", "example.com", true, false},
		{"h", "null", "*", true, true},
		{"h", "https://anything", "*", true, true},
		{"h", "https://h", "", true, false},
		{"h", "chrome-extension://abc", "chrome-extension://abc", true, true},
	} {
		r := h1Request()
		r.Host = c.host
		if r.TLS = nil; c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		patterns := []string{"nothing.example", c.pattern}
		if c.pattern == own {
			patterns = nil
		}
		if got := allowed(r, c.origin, patterns); got != c.want {
			t.Errorf("host %q, TLS %v, origin %q, pattern %q: allowed %v", c.host, c.tls, c.origin, c.pattern, got)
		}
	}
}

// Versions 7 and 8 name the field Sec-WebSocket-Origin; no version lets one of two fields speak for the other.
func TestOriginFields(t *testing.T) {
	const good, bad = "http://example.com", "http://evil.example"
	for _, c := range []struct {
		name  string
		lines []string
		want  bool
	}{
		{"none", nil, true},
		{"13", []string{"Origin: " + bad}, false},
		{"13_twice", []string{"Origin: " + good, "Origin: " + bad}, false},
		{"13_other_field", []string{"Sec-WebSocket-Origin: " + bad}, true},
		{"8", []string{"=Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: " + good}, true},
		{"8_foreign", []string{"=Sec-WebSocket-Version: 8", "Sec-WebSocket-Origin: " + bad}, false},
		{"7_both", []string{"=Sec-WebSocket-Version: 7", "Sec-WebSocket-Origin: " + good, "Origin: " + bad}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := WebSocket(h1Request(c.lines...), nil); (err == nil) != c.want {
				t.Error(err)
			}
		})
	}
	if _, err := WebSocket(h1Request("Origin: "+good), &WebSocketConfig{Origins: []string{}}); err == nil {
		t.Error("an empty list of origins allows one")
	}
}
