package rfc8441

import (
	"fmt"
	"slices"
	"strings"

	"weir/interop/conform"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// opens makes the script of a handshake that has to open a WebSocket.
func opens(changes ...string) func(c *client) {
	return func(c *client) { c.connect(changes...).echo("opened") }
}

func connectCases() []spec {
	return []spec{
		{"plain", "RFC 8441, 5", "CONNECT with :protocol websocket, :scheme, :path, :authority and version 13", "The WebSocket is opened, and echoes", opens()},
		{"protocol-case", "RFC 9110, 7.8", "Spell :protocol as WebSocket and as WEBSOCKET", "Both are websocket", func(c *client) {
			for _, name := range []string{"WebSocket", "WEBSOCKET"} {
				t := c.start(":protocol", name)
				if !t.answered() {
					return
				}
				if t.status/100 == 4 || t.status == 501 {
					c.nonStrict("answered %d: a recipient should compare upgrade tokens without case", t.status)
					continue
				}
				t.accepted().echo(name)
			}
		}},
		{"key", "RFC 8441, 5", "Send Sec-WebSocket-Key all the same, one that is none of 16 octets", "It is not looked at", opens("sec-websocket-key", "bogus")},
		{"content-length-zero", "RFC 9113, 8.5", "Send content-length: 0", "The tunnel works: DATA on it is no content", func(c *client) { c.eitherWay("content-length", "0") }},
		{"content-length", "RFC 9113, 8.5", "Send content-length: 5", "The tunnel works, or is refused; it is not broken later", func(c *client) {
			t := c.start("content-length", "5")
			if !t.answered() {
				return
			}
			if t.status/100 != 2 {
				t.refusedAnyhow()
				return
			}
			t.accepted()
			t.echo("longer than that")
		}},
		{"origin", "RFC 6455, 4.2.1", "Send the Origin of a page of the same server", "The WebSocket is opened", func(c *client) {
			t := c.start("origin", c.target.URL.Scheme+"://"+c.target.Authority())
			if t.answered() && t.status == 403 {
				c.judge(conform.Informational, "answered 403: the server has other origins that it allows")
				return
			}
			t.accepted().echo("same origin")
		}},
		{"host", "RFC 9113, 8.3.1", "Send Host beside :authority, with the same value", "The WebSocket is opened", func(c *client) {
			c.connect("host", c.target.Authority()).echo("twice the same host")
		}},
		{"te-trailers", "RFC 9113, 8.2.2", "Send te: trailers", "The WebSocket is opened", opens("te", "trailers")},
		{"unknown-fields", "RFC 9110, 5.1", "Send fields that nobody knows", "They are ignored", opens("x-unknown", "a, b", "sec-websocket-unknown", "1", "via", "2 a.proxy")},
		{"cookies", "RFC 9113, 8.2.3", "Send the cookie in several fields", "The WebSocket is opened", func(c *client) {
			c.open("")
			fields := c.head()
			for i := range 5 {
				fields = append(fields, hpack.HeaderField{Name: "cookie", Value: fmt.Sprintf("crumb%d=%d", i, i)})
			}
			c.headers(false, fields).accepted().echo("crumbs")
		}},
		{"pseudo-order", "RFC 9113, 8.3", "Send the pseudo fields in other orders, :protocol first and last", "The order among them does not count", func(c *client) {
			c.open("")
			fields := c.head()
			for i := range 5 {
				head := slices.Concat(fields[i:5], fields[:i], fields[5:])
				c.headers(false, head).accepted().echo("turned around")
			}
		}},
		{"continuation", "RFC 9113, 6.10", "Cut the field block over HEADERS and three CONTINUATION", "The WebSocket is opened", func(c *client) {
			c.open("")
			b := c.block(c.head("x-filler", strings.Repeat("filler-", 20)))
			t := c.tunnel(false)
			n := len(b) / 4
			c.raw(http2.FrameHeaders, 0, t.id, b[:n], "HEADERS %d, a part of the block", t.id)
			c.raw(http2.FrameContinuation, 0, t.id, b[n:n+1], "CONTINUATION %d, one octet", t.id)
			c.raw(http2.FrameContinuation, 0, t.id, b[n+1:3*n], "CONTINUATION %d", t.id)
			c.raw(http2.FrameContinuation, http2.FlagContinuationEndHeaders, t.id, b[3*n:], "CONTINUATION %d, END_HEADERS", t.id)
			t.accepted().echo("continued")
		}},
		{"padded", "RFC 9113, 6.2", "Pad HEADERS, and give them a priority", "The WebSocket is opened", func(c *client) {
			c.open("")
			b := c.block(c.head())
			t := c.tunnel(false)
			p := slices.Concat([]byte{200}, []byte{0, 0, 0, 0, 15}, b, make([]byte, 200))
			c.raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders|http2.FlagHeadersPadded|http2.FlagHeadersPriority, t.id, p, "HEADERS %d, PAD=200, PRIORITY", t.id)
			t.accepted().echo("padded")
		}},
		{"large", "RFC 9113, 10.5.1", "Send 12 KiB of cookies", "The WebSocket is opened, or 431 answers", func(c *client) {
			t := c.start("cookie", strings.Repeat("a=0123456789; ", 880)+"b=1")
			if t.answered() && t.status == 431 {
				c.nonStrict("answered 431: browsers send as much")
				return
			}
			t.accepted().echo("large")
		}},
		{"table", "RFC 7541, 4.2", "Send the same header five times, from the dynamic table, then with a table of size 0", "All WebSockets are opened", func(c *client) {
			c.open("")
			for range 5 {
				c.headers(false, c.head("x-indexed", "the same each time")).accepted().echo("indexed")
			}
			t := c.tunnel(false)
			b := []byte{0x20} // a table size update to 0
			for _, f := range c.head() {
				b = append(append(append(b, 0x10, byte(len(f.Name))), f.Name...), byte(len(f.Value)))
				b = append(b, f.Value...)
			}
			if len(c.target.RequestURI()) < 127 && len(c.target.Authority()) < 127 {
				c.raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, t.id, b, "HEADERS %d, all literals, table size 0", t.id)
				t.accepted().echo("literals")
			}
		}},
		{"early-data", "RFC 6455, 4.1", "Send a message right behind the CONNECT, before the answer", "Nothing is demanded: a client should have waited; best it is echoed", func(c *client) {
			t := c.start()
			t.say(text("early"))
			if !t.answered() {
				return
			}
			if t.status/100 != 2 {
				c.judge(conform.Informational, "%s", t.state())
				return
			}
			t.accepted().wantText("early")
		}},
		{"scheme", "RFC 9113, 8.3.1", "Send the other :scheme than the connection's, as proxies do that end TLS", "The WebSocket is opened", func(c *client) {
			other := map[string]string{"http": "https", "https": "http"}[c.target.URL.Scheme]
			t := c.start(":scheme", other)
			if t.answered() && t.status/100 != 2 {
				c.nonStrict("%s: a proxy in between cannot say what the client's scheme was", t.state())
				return
			}
			t.accepted().echo(other)
		}},
	}
}

// eitherWay has to work; that it is refused is NON-STRICT.
func (c *client) eitherWay(changes ...string) {
	t := c.start(changes...)
	if t.answered() && t.status/100 != 2 {
		c.nonStrict("refused: %s", t.state())
		return
	}
	t.accepted().echo("longer than nothing")
}

// refusedAnyhow waits for the end of a stream that was refused in whatever way.
func (t *tunnel) refusedAnyhow() {
	t.c.until(fmt.Sprintf("the end of the refused stream %d", t.id), t.done)
}
