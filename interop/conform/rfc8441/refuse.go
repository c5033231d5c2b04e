package rfc8441

import (
	"fmt"
	"slices"
	"strings"

	"weir/interop/conform"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// broken makes the script of a request that is malformed, for each of the changes in turn, beside a WebSocket that lives.
func broken(why string, changes ...[]string) func(c *client) {
	return beside(func(c *client) {
		for _, ch := range changes {
			if c.over() {
				return
			}
			c.start(ch...).malformed(fmt.Sprintf("%s %q", why, ch))
		}
	})
}

// listed is broken with fields added to the head, at the front or behind it.
func listed(why string, front bool, fields ...hpack.HeaderField) func(c *client) {
	return beside(func(c *client) {
		for _, f := range fields {
			if c.over() {
				return
			}
			head := c.head()
			if front {
				head = slices.Insert(head, 0, f)
			} else {
				head = append(head, f)
			}
			c.headers(false, head).malformed(fmt.Sprintf("%s: %q=%q", why, f.Name, f.Value))
		}
	})
}

func field(name, value string) hpack.HeaderField { return hpack.HeaderField{Name: name, Value: value} }

func refuseCases() []spec {
	const reset = "RST_STREAM PROTOCOL_ERROR; the other WebSocket lives"
	return slices.Concat([]spec{
		{"no-scheme", "RFC 8441, 4", "Leave :scheme out beside :protocol", reset, broken("without", []string{":scheme", "-"})},
		{"no-path", "RFC 8441, 4", "Leave :path out beside :protocol", reset, broken("without", []string{":path", "-"})},
		{"no-authority", "RFC 8441, 4", "Leave :authority out, and Host too", "RST_STREAM PROTOCOL_ERROR, or 400; the other WebSocket lives", beside(func(c *client) {
			t := c.start(":authority", "-")
			if c.until("an end: no :authority", func() bool { return t.done() || t.status/100 == 2 || c.ended != nil }) && t.status/100 == 2 {
				c.nonStrict("answered %d to a request for no host at all", t.status)
			} else if t.status != 400 {
				t.malformed("neither :authority nor Host")
			}
		})},
		{"no-method", "RFC 9113, 8.3.1", "Leave :method out", reset, broken("without", []string{":method", "-"})},
		{"protocol-get", "RFC 8441, 4", "Send :protocol with GET and with POST", reset, beside(func(c *client) {
			for _, m := range []string{"GET", "POST"} {
				c.headers(m == "GET", c.head(":method", m)).malformed(":protocol with " + m)
			}
		})},
		{"protocol-empty", "RFC 8441, 4", "Send an empty :protocol", reset, broken("a token has one character at least", []string{":protocol", ""})},
		{"protocol-token", "RFC 8441, 4", "Send :protocol with a space, a comma, a slash, a quote", reset, broken("no token",
			[]string{":protocol", "web socket"}, []string{":protocol", "websocket,h2"}, []string{":protocol", "websocket/13"}, []string{":protocol", "\"websocket\""})},
		{"protocol-octets", "RFC 9113, 8.2.1", "Send :protocol with NUL, CR, LF, and with spaces around", reset, broken("a value that no field may have",
			[]string{":protocol", "websocket\x00"}, []string{":protocol", "websocket\r\nx: y"}, []string{":protocol", "web\nsocket"}, []string{":protocol", " websocket"}, []string{":protocol", "websocket "})},
		{"pseudo-twice", "RFC 9113, 8.3", "Send each pseudo field a second time", reset, beside(func(c *client) {
			for i, f := range c.head()[:5] {
				if c.over() {
					return
				}
				c.headers(false, slices.Insert(c.head(), i, f)).malformed("twice: " + f.Name)
			}
		})},
		{"pseudo-late", "RFC 9113, 8.3", "Send :protocol, :path or :authority behind a regular field", reset, beside(func(c *client) {
			for _, name := range []string{":protocol", ":path", ":authority"} {
				if c.over() {
					return
				}
				head := c.head(name, "-")
				for _, f := range c.head() {
					if f.Name == name {
						head = append(head, f)
					}
				}
				c.headers(false, head).malformed("behind a regular field: " + name)
			}
		})},
		{"pseudo-unknown", "RFC 9113, 8.3", "Send :status, and a pseudo field that nobody defined", reset,
			listed("no pseudo field of a request", true, field(":status", "200"), field(":unknown", "x"))},
		{"path-empty", "RFC 9113, 8.3.1", "Send an empty :path", reset, broken("an http or https URI has a path", []string{":path", ""})},
		{"path-relative", "RFC 9113, 8.3.1", "Send a :path that does not begin with a slash", "It is refused; the other WebSocket lives", beside(func(c *client) {
			t := c.start(":path", strings.TrimPrefix(c.target.RequestURI(), "/")+"x")
			if c.until("an end", func() bool { return t.done() || t.status/100 == 2 }) && t.status/100 == 2 {
				c.nonStrict("answered %d", t.status)
			}
		})},
		{"no-protocol", "RFC 9113, 8.5", "Send CONNECT with :scheme and :path, and no :protocol", reset, broken("CONNECT without :protocol has :method and :authority alone", []string{":protocol", "-"})},
		{"plain-connect", "RFC 9113, 8.5", "Send a plain CONNECT, :method and :authority alone", "It opens no WebSocket: 501, or whatever a server has that is no proxy", beside(func(c *client) {
			c.open("")
			t := c.headers(false, []hpack.HeaderField{field(":method", "CONNECT"), field(":authority", c.target.Authority())})
			if c.until("an answer to a plain CONNECT", func() bool { return t.done() || t.status/100 == 2 }) && t.status/100 == 2 {
				t.say(text("echo"))
				if c.quietly(func() bool { return string(t.data) == "\x81\x04echo" }) {
					c.fail("a plain CONNECT has become a WebSocket")
				}
				c.judge(conform.Informational, "answered %d: is this a proxy?", t.status)
				t.resetStream(http2.ErrCodeCancel)
			}
		})},
		{"connection-fields", "RFC 9113, 8.2.2", "Send connection, upgrade, keep-alive, proxy-connection, transfer-encoding", reset,
			listed("connection-specific", false, field("connection", "upgrade"), field("upgrade", "websocket"), field("keep-alive", "timeout=5"), field("proxy-connection", "keep-alive"), field("transfer-encoding", "chunked"))},
		{"te", "RFC 9113, 8.2.2", "Send te other than trailers", reset, listed("not trailers", false, field("te", "gzip"), field("te", "trailers, deflate"))},
		{"names", "RFC 9113, 8.2.1", "Send field names with capitals, spaces, colons, control characters", reset,
			listed("no field name", false, field("X-Capital", "1"), field("x space", "1"), field("x:colon", "1"), field("x\x00nul", "1"), field("x\x7fdel", "1"))},
		{"values", "RFC 9113, 8.2.1", "Send field values with NUL, CR, LF, and spaces around", reset + "; spaces may be taken off instead (RFC 9110, 5.5)", beside(func(c *client) {
			for _, v := range []string{"a\x00b", "a\r\nb", "a\nb", " a", "a\t"} {
				if c.over() {
					return
				}
				t := c.headers(false, append(c.head(), field("x", v)))
				if strings.TrimSpace(v) != v && c.until("an end", func() bool { return t.done() || t.status/100 == 2 }) && t.status/100 == 2 {
					t.resetStream(http2.ErrCodeCancel)
					continue
				}
				t.malformed(fmt.Sprintf("no field value: %q", v))
			}
		})},
		{"host-differs", "RFC 9113, 8.3.1", "Send Host with another value than :authority", reset, beside(func(c *client) {
			t := c.start("host", "elsewhere.test")
			if c.until("an end", func() bool { return t.done() || t.status/100 == 2 }) && t.status/100 == 2 {
				c.nonStrict("answered %d: a server should take it as malformed", t.status)
				t.resetStream(http2.ErrCodeCancel)
				return
			}
			t.malformed("Host is not :authority")
		})},
	}, refuseMore())
}

func refuseMore() []spec {
	return []spec{
		{"protocol-unknown", "RFC 9220, 3", "Send a :protocol that nobody knows, and longer and shorter ones than websocket", "501; the other WebSocket lives", beside(func(c *client) {
			for _, name := range []string{"no-such-protocol", "websockets", "websocke", "connect-udp"} {
				c.start(":protocol", name).refused("unknown :protocol "+name, 501)
			}
		})},
		{"protocol-http", "RFC 9220, 3", "Send :protocol h2c, h2, http/1.1's upgrade tokens", "501: nobody tunnels HTTP past a proxy", beside(func(c *client) {
			for _, name := range []string{"h2c", "h2", "TLS"} {
				c.start(":protocol", name).refused(":protocol "+name, 501)
			}
		})},
		{"end-stream", "RFC 8441, 5", "Send END_STREAM with the CONNECT", "It is refused, 400: a WebSocket that cannot be heard is none", beside(func(c *client) {
			c.open("")
			t := c.headers(true, c.head())
			if !c.until("an end of the stream that we ended with the CONNECT", func() bool { return t.done() || t.status/100 == 2 && c.quietly(t.done) }) {
				return
			}
			switch {
			case t.status/100 != 2 && t.status >= 400:
			case t.status/100 != 2:
				t.malformed("END_STREAM on the CONNECT")
			case t.done():
				c.nonStrict("%s: opened, and closed at once", t.state())
			}
		})},
		{"version-missing", "RFC 6455, 4.2.1", "Leave Sec-WebSocket-Version out", "400 or 426; the other WebSocket lives", beside(func(c *client) {
			c.start("sec-websocket-version", "-").refused("no Sec-WebSocket-Version", 400, 426)
		})},
		{"version-unknown", "RFC 6455, 4.4", "Send Sec-WebSocket-Version 99", "400 or 426, with the versions that the server knows; the other WebSocket lives", beside(func(c *client) {
			t := c.start("sec-websocket-version", "99")
			t.refused("version 99", 400, 426)
			if v, _ := t.field("sec-websocket-version"); !c.over() && t.status != 0 && !strings.Contains(v, "13") {
				c.nonStrict("Sec-WebSocket-Version of the answer does not name 13: %q", v)
			}
		})},
		{"version-text", "RFC 6455, 4.2.1", "Send Sec-WebSocket-Version that is no number", "400 or 426; the other WebSocket lives", beside(func(c *client) {
			c.start("sec-websocket-version", "thirteen").refused("version thirteen", 400, 426)
		})},
		{"extensions-malformed", "RFC 6455, 9.1", "Send Sec-WebSocket-Extensions that are no such list", "400; the other WebSocket lives", beside(func(c *client) {
			for _, v := range []string{"permessage-deflate; =", "permessage-deflate; a=\"", "a b", ";"} {
				c.start("sec-websocket-extensions", v).refused(fmt.Sprintf("Sec-WebSocket-Extensions %q", v), 400)
			}
		})},
		{"hpack", "RFC 9113, 4.3", "Send a field block that HPACK cannot read", "The connection ends with COMPRESSION_ERROR: no state is left to go on with", func(c *client) {
			c.connect().echo("before")
			t := c.tunnel(false)
			c.raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, t.id, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "HEADERS %d, a broken block", t.id)
			c.wantConnError(http2.ErrCodeCompression)
		}},
		{"answer-ends", "RFC 9113, 8.1", "Have a handshake refused, and send DATA, WINDOW_UPDATE and RST_STREAM on it afterwards", "They are ignored; the other WebSocket lives", beside(func(c *client) {
			t := c.start(":protocol", "no-such-protocol")
			t.refusedAnyhow()
			t.part([]byte("late"), -1, false, "late")
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d 10", t.id))
			t.resetStream(http2.ErrCodeCancel)
			c.ping()
			t.untroubled()
		})},
	}
}
