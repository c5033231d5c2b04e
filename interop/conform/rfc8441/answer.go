package rfc8441

import (
	"strconv"
	"strings"
)

// withAnswer makes a script that looks at the answer to each of two handshakes, one with a Sec-WebSocket-Key.
func withAnswer(look func(c *client, t *tunnel)) func(c *client) {
	return func(c *client) {
		for _, changes := range [][]string{nil, {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}} {
			t := c.start(changes...)
			if !t.answered() || c.over() {
				return
			}
			if t.status == 0 {
				c.fail("no answer: %s", t.state())
				return
			}
			look(c, t)
		}
	}
}

// absent makes a look for fields that must not be there.
func absent(why string, soft bool, names ...string) func(c *client, t *tunnel) {
	return func(c *client, t *tunnel) {
		for _, name := range names {
			if v, n := t.field(name); n > 0 && soft {
				c.nonStrict("%s: %s: %s", name, v, why)
			} else if n > 0 {
				c.fail("%s: %s: %s", name, v, why)
			}
		}
	}
}

func answerCases() []spec {
	return []spec{
		{"status", "RFC 8441, 5.1", "Open a WebSocket", "The answer is 200, in place of 101", withAnswer(func(c *client, t *tunnel) {
			switch {
			case t.status/100 != 2:
				c.fail("answered %d", t.status)
			case t.status != 200:
				c.nonStrict("answered %d: proxies take 200 alone", t.status)
			}
		})},
		{"open", "RFC 8441, 5", "Open a WebSocket, and leave it alone for a while", "The answer carries no END_STREAM, and none follows", withAnswer(func(c *client, t *tunnel) {
			c.quietly(t.done)
			if t.done() {
				c.fail("%s: the tunnel is over at birth", t.state())
			}
		})},
		{"accept", "RFC 8441, 5", "Open a WebSocket, with and without Sec-WebSocket-Key", "The answer has no Sec-WebSocket-Accept", withAnswer(
			absent(":protocol has taken its place", true, "sec-websocket-accept"))},
		{"connection-fields", "RFC 9113, 8.2.2", "Open a WebSocket", "The answer has no connection-specific fields", withAnswer(
			absent("connection-specific", false, "connection", "upgrade", "keep-alive", "proxy-connection", "transfer-encoding"))},
		{"content-length", "RFC 9110, 8.6", "Open a WebSocket", "The answer has no Content-Length", withAnswer(
			absent("no such field in a 2xx to CONNECT", false, "content-length"))},
		{"names", "RFC 9113, 8.2", "Open a WebSocket, and have one refused", "Field names have no capitals, :status comes first and once, and no other pseudo field", func(c *client) {
			accepted := c.connect()
			refused := c.start(":protocol", "no-such-protocol")
			refused.refusedAnyhow()
			for _, t := range []*tunnel{accepted, refused} {
				for i, f := range t.answer {
					switch {
					case strings.ToLower(f.Name) != f.Name:
						c.fail("field name %q", f.Name)
					case strings.HasPrefix(f.Name, ":") && (i > 0 || f.Name != ":status"):
						c.fail("pseudo field %q at place %d", f.Name, i+1)
					case strings.ContainsAny(f.Value, "\x00\r\n"):
						c.fail("value %q of %s", f.Value, f.Name)
					}
				}
			}
		}},
		{"length", "RFC 9110, 8.6", "Have a handshake refused", "A Content-Length of the answer is the length of its content", func(c *client) {
			t := c.start(":protocol", "no-such-protocol")
			t.refusedAnyhow()
			if v, n := t.field("content-length"); n > 0 && t.fin && v != strconv.Itoa(len(t.data)) {
				c.fail("content-length: %s, and %d octets came", v, len(t.data))
			}
		}},
		{"once", "RFC 8441, 5", "Open a WebSocket", "The answer's HEADERS come before DATA, and no other HEADERS follow while it lives", func(c *client) {
			t := c.connect()
			for range 3 {
				t.echo("no HEADERS in between")
			}
		}},
	}
}
