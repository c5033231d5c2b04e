package rfc8441

import (
	"strconv"

	"weir/interop/conform"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// request starts an ordinary request for the endpoint's path, fin if it has no content.
func (c *client) request(method string, fin bool, fields ...hpack.HeaderField) *tunnel {
	c.open("")
	t := c.headers(fin, append([]hpack.HeaderField{field(":method", method), field(":scheme", c.target.URL.Scheme),
		field(":authority", c.target.Authority()), field(":path", c.target.RequestURI())}, fields...))
	t.plain = true
	return t
}

// complete waits for a whole answer that is none of a WebSocket.
func (t *tunnel) complete() {
	if !t.answered() {
		return
	}
	if t.status == 0 {
		t.c.fail("%s, no answer to an ordinary request", t.state())
		return
	}
	t.c.until("the end of the answer to an ordinary request (RFC 9113, 8.1)", t.done)
	if !t.fin && !t.c.bad() {
		t.c.fail("%s: the answer is not whole", t.state())
	}
}

func plainCases() []spec {
	return []spec{
		{"get", "RFC 9113, 8.1", "GET the endpoint beside a WebSocket", "A whole answer, of whatever status", beside(func(c *client) {
			c.request("GET", true).complete()
		})},
		{"upgrade-get", "RFC 9113, 8.6", "GET the endpoint with the handshake's fields of HTTP/1.1 that HTTP/2 allows", "It is no WebSocket: neither 101 nor an open tunnel", beside(func(c *client) {
			g := c.request("GET", true, field("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), field("sec-websocket-version", "13"))
			g.complete()
			if _, n := g.field("sec-websocket-accept"); n > 0 {
				c.fail("answered %d, with Sec-WebSocket-Accept", g.status)
			}
		})},
		{"head", "RFC 9110, 9.3.2", "HEAD the endpoint beside a WebSocket", "A whole answer without content", beside(func(c *client) {
			g := c.request("HEAD", true)
			g.complete()
			if len(g.data) > 0 {
				c.fail("%d octets of content for HEAD", len(g.data))
			}
		})},
		{"post", "RFC 9113, 8.1", "POST 20 000 octets to the endpoint beside a WebSocket", "A whole answer, or an answer and RST_STREAM NO_ERROR for the rest", beside(func(c *client) {
			p := c.request("POST", false, field("content-length", "20000"))
			for sent := 0; sent < 20000 && !p.done() && !c.over(); {
				n := min(20000-sent, 5000)
				if !c.wait(func() bool { return p.done() || p.send >= int64(n) && c.send >= int64(n) }) || p.done() {
					break
				}
				p.part(make([]byte, n), -1, sent+n == 20000, "")
				sent += n
			}
			p.complete()
		})},
		{"length", "RFC 9113, 8.1.1", "POST with a content-length that its DATA does not have, beside a WebSocket", "A stream error or an answer; the WebSocket lives", beside(func(c *client) {
			p := c.request("POST", false, field("content-length", "5"))
			p.part([]byte("more than five"), -1, true, "")
			if c.until("an end of the request", p.done) && p.status/100 == 2 {
				c.judge(conform.Informational, "answered %s", strconv.Itoa(p.status))
			}
		})},
		{"many", "RFC 9113, 5.1.2", "GET 30 times, all at a time, between the messages of a WebSocket", "All are answered, and all messages echoed", beside(func(c *client) {
			t := c.connect()
			var gets []*tunnel
			for range c.room(30) {
				gets = append(gets, c.request("GET", true))
				t.echo("between")
			}
			for _, g := range gets {
				g.complete()
			}
		})},
		{"reset", "RFC 9113, 5.4.2", "Reset ordinary requests beside a WebSocket", "The WebSocket lives", beside(func(c *client) {
			for range 5 {
				c.request("GET", true).resetStream(http2.ErrCodeCancel)
			}
			c.ping()
		})},
	}
}
