package upgrade

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
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
		{"h", "file://", "file://", true, true},
		{"h", "file://", "null", true, false},
		{"h", "file://", "", true, false},
		{"h", "null", "*", true, true},
		{"h", "https://anything", "*", true, true},
		{"h", "https://g", "", true, false},
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
		if got := allowed(r, c.origin, &WebSocketConfig{Origins: patterns}); got != c.want {
			t.Errorf("host %q, TLS %v, origin %q, pattern %q: allowed %v", c.host, c.tls, c.origin, c.pattern, got)
		}
	}
}

// Versions 7 and 8 name the field Sec-WebSocket-Origin; no version lets one of two fields speak for
// the other.
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
}

// Patterns add to the rule of the same host, and replace it with OnlyOrigins.
func TestOriginsAdd(t *testing.T) {
	const own, named, other = "http://example.com", "https://good.example", "https://evil.example"
	for _, c := range []struct {
		name               string
		config             *WebSocketConfig
		own, named, others bool
	}{
		{"default", nil, true, false, false},
		{"empty_list", &WebSocketConfig{Origins: []string{}}, true, false, false},
		{"pattern", &WebSocketConfig{Origins: []string{named}}, true, true, false},
		{"pattern_with_port", &WebSocketConfig{Origins: []string{"good.example:8443"}}, true, false, false},
		{"any", &WebSocketConfig{Origins: []string{"*"}}, true, true, true},
		{"only", &WebSocketConfig{Origins: []string{named}, OnlyOrigins: true}, false, true, false},
		{"only_nothing", &WebSocketConfig{OnlyOrigins: true}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for origin, want := range map[string]bool{own: c.own, named: c.named, other: c.others, "": true} {
				var lines []string
				if origin != "" {
					lines = append(lines, "Origin: "+origin)
				}
				if _, err := WebSocket(h1Request(lines...), c.config); (err == nil) != want {
					t.Errorf("origin %q: %v", origin, err)
				}
			}
		})
	}
}

// A pattern that can match nothing is an error that names it and says why, whatever the request is.
func TestOriginPatterns(t *testing.T) {
	for pattern, why := range map[string]string{
		"":                                  "empty",
		"https://example.com/":              "slash",
		"https://example.com/chat":          "path",
		"example.com/":                      "slash",
		"https://example.com?a":             "query",
		"https://example.com#a":             "fragment",
		"https:\\\\example.com":             "slash",
		"https:/example.com":                "slash",
		"*:3000":                            `"*" stands alone`,
		"https://*":                         `"*" stands alone`,
		"**":                                `"*" stands alone`,
		"a.*.example.com":                   `"*" stands alone`,
		"*example.com":                      `"*" stands alone`,
		"*.*.example.com":                   `"*" stands alone`,
		"*.":                                "no host",
		"a.example, b.example":              "several patterns",
		"a.example,b.example":               "several patterns",
		"a.example b.example":               "no spaces",
		" example.com":                      "no spaces",
		"example.com\n":                     "no spaces",
		"https://":                          "no host",
		"://example.com":                    "scheme is empty",
		"*://example.com":                   "scheme is none",
		"ht tp://example.com":               "no spaces",
		"1http://example.com":               "scheme is none",
		"wss://example.com":                 "that of the page",
		"WS://example.com":                  "that of the page",
		"https://user@example.com":          "no user",
		"example.com:":                      "port",
		"example.com:0":                     "port",
		"example.com:08443":                 "port",
		"example.com:65536":                 "port",
		"example.com:http":                  "port",
		"example.com:+80":                   "port",
		"*.example.com:80*":                 "port",
		":8080":                             "no host",
		".example.com":                      "empty label",
		"example..com":                      "empty label",
		".":                                 "empty label",
		"example.com..":                     "empty label",
		"exam[a-z]ple.com":                  "'['",
		"exam?ple.com":                      "query",
		"^example.com$":                     "'^'",
		"exam%70le.com":                     "'%'",
		"::1":                               "in brackets",
		"2001:db8::1":                       "in brackets",
		"[2001:db8::1":                      "no IPv6 address",
		"[example.com]":                     "no IPv6 address",
		"[1.2.3.4]":                         "no IPv6 address",
		"[fe80::1%25eth0]":                  "no IPv6 address",
		"*.[::1]":                           "no subdomains",
		"*.127.0.0.1":                       "no subdomains",
		"127.1":                             "no IPv4 address",
		"256.0.0.1":                         "no IPv4 address",
		"0x7f.0.0.0x1":                      "no IPv4 address",
		"https://b\u00fccher\u2028.example": "no name",
	} {
		err := (&WebSocketConfig{Origins: []string{"good.example", pattern}}).Check()
		pe, ok := errors.AsType[*PatternError](err)
		if !ok || pe.Pattern != pattern || !strings.Contains(pe.Msg, why) || !strings.Contains(err.Error(), strconv.Quote(pattern)) {
			t.Errorf("%q: %v, want a word of %q", pattern, err, why)
			continue
		}
		for _, r := range []*http.Request{h1Request(), h1Request("=Upgrade: x"), h2Request()} {
			_, err := WebSocket(r, &WebSocketConfig{Origins: []string{pattern}})
			if he, ok := errors.AsType[*HandshakeError](err); !ok || he.Status != 500 || !strings.Contains(he.Msg, strconv.Quote(pattern)) {
				t.Errorf("%q, used: %v", pattern, err)
			}
		}
	}
	for _, pattern := range []string{"*", "null", "file://", "example.com", "EXAMPLE.com", "https://example.com", "HTTPS://example.com", "*.example.com",
		"https://*.example.com:*", "example.com:8443", "example.com:*", "localhost", "localhost:3000", "my_host", "example.com.", "127.0.0.1:80",
		"[::1]", "https://[2001:db8::1]:8443", "b\u00fccher.example", "*.b\u00fccher.example", "xn--bcher-kva.example", "chrome-extension://abc",
		"app.4you", "moz-extension://1f2e-3"} {
		if err := (&WebSocketConfig{Origins: []string{pattern}}).Check(); err != nil {
			t.Error(err)
		}
	}
}

// A subprotocol that no client can offer is an error, too (RFC 6455, 4.1).
func TestSubprotocolNames(t *testing.T) {
	for name, ok := range map[string]bool{"chat": true, "v1.chat/x": true, "": false, "a, b": false, "a b": false, " a": false} {
		c := &WebSocketConfig{Subprotocols: []string{"good", name}}
		_, err := WebSocket(h1Request(), c)
		if he, is := errors.AsType[*HandshakeError](err); (err == nil) != ok || !ok && (!is || he.Status != 500 || !strings.Contains(he.Msg, strconv.Quote(name))) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := (*WebSocketConfig)(nil).Check(); err != nil {
		t.Error(err)
	}
}
