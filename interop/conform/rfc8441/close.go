package rfc8441

import (
	"strings"

	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
)

// closes makes the script of a close frame for which the WebSocket has to be failed, beside another that lives.
func closes(why string, codes []int, frames ...wire.Frame) func(c *client) {
	return beside(func(c *client) {
		for _, f := range frames {
			if c.over() {
				return
			}
			t := c.connect()
			t.say(f)
			t.wantClose(why+": "+f.String(), codes...)
		}
	})
}

func closeCases() []spec {
	return []spec{
		{"empty", "RFC 8441, 5", "Send an empty close frame", "The server's close frame, and END_STREAM with it or behind it", on(func(c *client, t *tunnel) {
			t.say(control(wire.Close, ""))
			t.wantClose("to an empty one", 0, 1000, 1005)
		})},
		{"codes", "RFC 6455, 5.5.1", "Send close frames with 1000, 1001, 3000 and 4999", "Each is answered by a close frame, typically with the same code, and END_STREAM", func(c *client) {
			for _, code := range []int{1000, 1001, 3000, 4999} {
				t := c.connect()
				t.say(closing(uint16(code), "bye"))
				t.wantClose("to our own", code, 1000)
			}
		}},
		{"end-stream", "RFC 8441, 5", "Send the close frame with END_STREAM", "The server's close frame, and END_STREAM", on(func(c *client, t *tunnel) {
			t.sayEnd(closing(1000, ""))
			t.wantClose("to our own with END_STREAM", 1000)
			c.connect().echo("another")
		})},
		{"end-later", "RFC 8441, 5", "Send the close frame, and END_STREAM after the server's", "The stream is closed without an error", on(func(c *client, t *tunnel) {
			t.say(closing(1000, ""))
			t.wantClose("to our own", 1000)
			if !c.over() && t.reset == nil {
				t.endStream()
				c.ping()
				c.quietly(func() bool { return t.reset != nil })
			}
			if t.reset != nil && *t.reset != http2.ErrCodeNo {
				c.nonStrict("RST_STREAM %v after a clean end", *t.reset)
			}
			t.untroubled()
			c.connect().echo("another")
		})},
		{"end-never", "RFC 8441, 5", "Send the close frame, and never END_STREAM", "The server ends its side all the same", on(func(c *client, t *tunnel) {
			t.say(closing(1000, ""))
			t.wantClose("to our own, without END_STREAM", 1000)
			c.connect().echo("another")
		})},
		{"cut", "RFC 6455, 5.5.1", "Cut a close frame at every offset over two DATA frames", "Each is answered", func(c *client) {
			for at := 1; at < 10; at++ {
				t := c.connect()
				b := t.mask(closing(1000, "cut"))
				t.pieces(b[:at], b[at:])
				t.wantClose("to one that was cut", 1000)
			}
		}},
		{"fragmented", "RFC 6455, 5.5.1", "Close within a message in fragments", "The close is honoured, and the message dropped", on(func(c *client, t *tunnel) {
			t.say(fragment(wire.Text, false, "never "), closing(1000, ""))
			for {
				f, ok := t.frame("the close frame")
				if ok && f.Op <= wire.Binary && f.Fin {
					c.fail("%v, the end of a message that had none", f)
				}
				if !ok || f.Op == wire.Close {
					break
				}
			}
			t.ended("to one within a message")
		})},
		{"behind", "RFC 6455, 5.5.1", "Send messages, pings and another close frame behind the close frame", "They are ignored", beside(func(c *client) {
			t := c.connect()
			t.say(closing(1000, ""), text("behind"), control(wire.Ping, "behind"), closing(1001, ""))
			f, ok := t.frame("the close frame")
			if ok && f.Op != wire.Close {
				c.fail("%v, not the close frame", f)
			}
			t.ended("with frames behind ours")
		})},
		{"before", "RFC 6455, 5.5.1", "Send messages and a close frame behind them, in one go", "The echoes come before the server's close frame", on(func(c *client, t *tunnel) {
			t.say(text("one"), text("two"), closing(1000, ""))
			t.wantText("one")
			t.wantText("two")
			t.wantClose("to our own", 1000)
		})},
		{"code-bad", "RFC 6455, 7.4", "Send close frames with 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535", "1002, and END_STREAM; the other WebSocket lives", closes("a code that no close frame may have", []int{1002},
			closing(0, ""), closing(999, ""), closing(1004, ""), closing(1005, ""), closing(1006, ""), closing(1015, ""), closing(2999, ""), closing(5000, ""), closing(65535, ""))},
		{"one-octet", "RFC 6455, 5.5.1", "Send a close frame of one octet", "1002, and END_STREAM; the other WebSocket lives", closes("one octet is no code", []int{1002}, control(wire.Close, "\x03"))},
		{"reason-bad", "RFC 6455, 5.5.1", "Send a close frame whose reason is not UTF-8", "1007, and END_STREAM; the other WebSocket lives", closes("a reason that is not UTF-8", []int{1007, 1002}, closing(1000, "\xc3\x28"))},
		{"reason-long", "RFC 6455, 5.5", "Send a close frame with a reason of 123 octets, and one of 124", "The first is answered, the second 1002", beside(func(c *client) {
			t := c.connect()
			t.say(closing(1000, strings.Repeat("r", 123)))
			t.wantClose("to one of 125 octets", 1000)
			t = c.connect()
			t.say(closing(1000, strings.Repeat("r", 124)))
			t.wantFailed("a control frame over 125 octets", "", 1002)
		})},
		{"again", "RFC 8441, 5", "Open and close ten WebSockets, one after the other", "Each is opened, echoes and is closed cleanly", func(c *client) {
			for range 10 {
				t := c.connect()
				t.echo("again")
				t.bye()
			}
		}},
	}
}
