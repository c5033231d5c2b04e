package rfc8441

import (
	"fmt"
	"slices"
	"strings"

	"weir/interop/conform/wire"

	"golang.org/x/net/http2/hpack"
)

// offer opens a WebSocket with these Sec-WebSocket-Extensions, each a field of its own, and gives what was agreed to; nil: nothing.
func (c *client) offer(offers ...string) (*tunnel, params) {
	c.open("")
	head := c.head()
	for _, o := range offers {
		head = append(head, hpack.HeaderField{Name: "sec-websocket-extensions", Value: o})
	}
	t := c.headers(false, head).accepted()
	v, n := t.field("sec-websocket-extensions")
	if n == 0 || c.bad() {
		return t, nil
	}
	p, err := agreed(v)
	if err != nil {
		c.fail("%v", err)
		return t, nil
	}
	t.deflate = &inflater{alone: p.has("server_no_context_takeover")}
	return t, p
}

// declined makes the script of offers that nobody may accept. The WebSocket has to be opened without them.
func declined(why string, offers ...string) func(c *client) {
	return func(c *client) {
		for _, o := range offers {
			t, p := c.offer(o)
			if p != nil {
				c.fail("agreed to %q: %s", o, why)
			}
			t.echo("no extension")
		}
	}
}

// agrees makes the script of an offer that a server may decline; what it agrees to has to pass check.
func agrees(offer string, check func(c *client, p params)) func(c *client) {
	return func(c *client) {
		t, p := c.offer(offer)
		if p == nil {
			t.echo("declined")
			c.unimplemented("permessage-deflate was declined")
			return
		}
		check(c, p)
		t.echo("agreed, agreed, agreed")
	}
}

// withDeflate makes the script of something that is done with permessage-deflate agreed to.
func withDeflate(script func(c *client, t *tunnel)) func(c *client) {
	return func(c *client) {
		t, p := c.offer("permessage-deflate; client_no_context_takeover")
		if p == nil {
			c.unimplemented("permessage-deflate was declined")
			return
		}
		script(c, t)
	}
}

// compressed is a message of the client's.
func compressed(s string) wire.Frame {
	return wire.Frame{Fin: true, RSV: wire.RSV1, Op: wire.Text, Payload: deflated(s)}
}

func negotiateCases() []spec {
	return []spec{
		{"nothing", "RFC 6455, 4.2.2", "Offer no extension and no subprotocol", "The answer has neither Sec-WebSocket-Extensions nor Sec-WebSocket-Protocol", func(c *client) {
			t := c.connect()
			absent("nothing was offered", false, "sec-websocket-extensions", "sec-websocket-protocol")(c, t)
			t.echo("nothing")
		}},
		{"unknown", "RFC 6455, 9.1", "Offer an extension that nobody knows", "It is not agreed to", declined("nobody knows it", "x-no-such-extension; a=1", "x-no-such-extension; b=\"2\", x-another")},
		{"deflate", "RFC 7692, 7.1", "Offer permessage-deflate", "It is declined, or agreed to with parameters that the offer allows", agrees("permessage-deflate", func(c *client, p params) {
			if p.has("client_max_window_bits") {
				c.fail("client_max_window_bits, which was not offered (RFC 7692, 7.1.2.2)")
			}
		})},
		{"deflate-server-takeover", "RFC 7692, 7.1.1.1", "Offer server_no_context_takeover", "Who agrees says so too", agrees("permessage-deflate; server_no_context_takeover", func(c *client, p params) {
			if !p.has("server_no_context_takeover") {
				c.fail("agreed to without server_no_context_takeover: %v", p)
			}
		})},
		{"deflate-server-bits", "RFC 7692, 7.1.2.1", "Offer server_max_window_bits=10", "Who agrees uses at most 10, and says so", agrees("permessage-deflate; server_max_window_bits=10", func(c *client, p params) {
			if p.bits("server_max_window_bits") > 10 {
				c.fail("agreed to with %v", p)
			}
		})},
		{"deflate-client-bits", "RFC 7692, 7.1.2.2", "Offer client_max_window_bits, bare and with 12", "Who agrees asks for 8 to 15, or nothing", func(c *client) {
			agrees("permessage-deflate; client_max_window_bits", func(*client, params) {})(c)
			agrees("permessage-deflate; client_max_window_bits=12", func(*client, params) {})(c)
		}},
		{"deflate-bad", "RFC 7692, 7.1", "Offer permessage-deflate with parameters that do not exist, twice, with bad values", "It is declined, and the WebSocket opened without", declined("a parameter makes the offer one to decline",
			"permessage-deflate; unknown", "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
			"permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=010", "permessage-deflate; server_max_window_bits",
			"permessage-deflate; client_max_window_bits=16")},
		{"deflate-fallback", "RFC 7692, 7.1", "Offer permessage-deflate twice, first with a parameter that does not exist", "The second is agreed to, or none", func(c *client) {
			for _, offers := range [][]string{{"permessage-deflate; unknown, permessage-deflate"}, {"x-other", "permessage-deflate"}} {
				t, _ := c.offer(offers...)
				t.echo("the second, the second, the second")
			}
		}},
		{"deflate-echo", "RFC 7692, 6", "Send messages compressed and not, whole and in fragments", "Each is echoed", withDeflate(func(c *client, t *tunnel) {
			s := strings.Repeat("compressed over HTTP/2 ", 50)
			t.say(compressed(s))
			t.wantText(s)
			t.echo("not compressed, not compressed")
			b := deflated(s)
			t.say(wire.Frame{RSV: wire.RSV1, Op: wire.Text, Payload: b[:7]}, wire.Frame{Op: wire.Continuation}, wire.Frame{Fin: true, Op: wire.Continuation, Payload: b[7:]})
			t.wantText(s)
		})},
		{"deflate-cut", "RFC 7692, 6", "Send a compressed message, an octet a DATA frame", "It is echoed", withDeflate(func(c *client, t *tunnel) {
			t.pieces(each(t.mask(compressed("one by one, one by one")))...)
			t.wantText("one by one, one by one")
		})},
		{"deflate-context", "RFC 7692, 7.2.1", "Send the same message three times", "Each echo is inflated with what the server's context may be", withDeflate(func(c *client, t *tunnel) {
			for range 3 {
				t.say(compressed("the context, the context, the context"))
				t.wantText("the context, the context, the context")
			}
		})},
		{"deflate-corrupt", "RFC 7692, 7.2.2", "Send a compressed message that cannot be inflated", "The WebSocket is failed; the other one lives", func(c *client) {
			other := c.connect()
			withDeflate(func(c *client, t *tunnel) {
				t.say(wire.Frame{Fin: true, RSV: wire.RSV1, Op: wire.Text, Payload: []byte{0xff, 0xff, 0xff, 0xff}})
				t.wantFailed("deflate data that is none", "", 1002, 1007, 1003, 1008, 1011)
			})(c)
			other.echo("alive")
		}},
		{"rsv1", "RFC 6455, 5.2", "Set RSV1 without an extension", "The WebSocket is failed, 1002", func(c *client) {
			t := c.connect()
			t.say(compressed("not negotiated"))
			t.wantFailed("RSV1 that no extension gives a meaning", "", 1002)
		}},
		{"subprotocol", "RFC 6455, 4.2.2", "Offer subprotocols, in one field and in two", "One of them is chosen, or none", func(c *client) {
			for _, head := range [][]hpack.HeaderField{
				append(c.head(), field("sec-websocket-protocol", "chat, superchat")),
				append(c.head(), field("sec-websocket-protocol", "chat"), field("sec-websocket-protocol", "superchat")),
			} {
				c.open("")
				t := c.headers(false, head).accepted()
				v, n := t.field("sec-websocket-protocol")
				if n > 1 || n == 1 && !slices.Contains([]string{"chat", "superchat"}, v) {
					c.fail("Sec-WebSocket-Protocol %q, %d times, and chat and superchat were offered", v, n)
				}
				t.echo("chat")
			}
		}},
		{"both", "RFC 8441, 5", "Offer a subprotocol, permessage-deflate and an Origin, as a browser does", "The WebSocket is opened with what was agreed to", func(c *client) {
			c.open("ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=131072 MAX_HEADER_LIST_SIZE=262144")
			t := c.start("origin", fmt.Sprintf("%s://%s", c.target.URL.Scheme, c.target.Authority()), "sec-websocket-protocol", "chat",
				"sec-websocket-extensions", "permessage-deflate; client_max_window_bits", "user-agent", "Mozilla/5.0", "cache-control", "no-cache", "pragma", "no-cache", "accept-encoding", "gzip, deflate, br")
			if t.answered() && t.status == 403 {
				return // another case's
			}
			t.accepted()
			if v, n := t.field("sec-websocket-protocol"); n > 0 && v != "chat" {
				c.fail("Sec-WebSocket-Protocol %q, and chat was offered", v)
			}
			if v, n := t.field("sec-websocket-extensions"); n > 0 {
				if _, err := agreed(v); err != nil {
					c.fail("%v", err)
				}
				t.deflate = &inflater{}
			}
			t.echo("as a browser, as a browser")
		}},
	}
}

// each cuts b into pieces of one octet.
func each(b []byte) [][]byte {
	var parts [][]byte
	for i := range b {
		parts = append(parts, b[i:i+1])
	}
	return parts
}
