package rfc8441

import (
	"fmt"
	"strings"

	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
)

// point is a place in the life of a WebSocket at which something ends it.
type point struct {
	name, where string
	reach       func(t *tunnel)
}

// points are the places before a close frame.
func points() []point {
	return []point{
		{"idle", "before any frame", func(*tunnel) {}},
		{"header", "within a frame's header", func(t *tunnel) { t.part(t.mask(text("never whole"))[:1], -1, false, "1 octet of a header") }},
		{"key", "within a masking key", func(t *tunnel) { t.part(t.mask(text("never whole"))[:4], -1, false, "4 octets of a header") }},
		{"payload", "within a payload", func(t *tunnel) { t.part(t.mask(text("never whole"))[:10], -1, false, "4 octets of a payload") }},
		{"fragment", "between two fragments", func(t *tunnel) { t.say(fragment(wire.Text, false, "never whole")) }},
		{"message", "after messages", func(t *tunnel) {
			t.echo("one")
			t.echo("two")
		}},
		{"control", "between a fragment and a ping", func(t *tunnel) { t.say(fragment(wire.Text, false, "never whole"), control(wire.Ping, "p")) }},
	}
}

func endCases() []spec {
	var specs []spec
	for _, p := range points() {
		specs = append(specs, spec{p.name, "RFC 8441, 5", "Send END_STREAM " + p.where + ", without a close frame", "The server ends its side; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			p.reach(t)
			t.endStream()
			t.wantEnd("as TCP's FIN would be answered")
			for len(t.data) > 0 && !c.bad() { // what is left is frames of a server's
				if f, ok := t.frame("a frame"); ok && f.Op <= wire.Binary && strings.Contains(string(f.Payload), "never") {
					c.fail("%v: a message that never was whole", f)
				}
			}
		})})
	}
	return append(specs, []spec{
		{"with-message", "RFC 8441, 5", "Send a message with END_STREAM on its DATA", "It is echoed, and the server ends its side", beside(func(c *client) {
			t := c.connect()
			t.sayEnd(text("the last one"))
			t.wantText("the last one")
			t.wantEnd("as TCP's FIN would be answered")
		})},
		{"padded", "RFC 9113, 6.1", "Send END_STREAM on DATA of padding alone", "It ends our side", beside(func(c *client) {
			t := c.connect()
			t.part(nil, 255, true, "")
			t.wantEnd("as TCP's FIN would be answered")
		})},
		{"data", "RFC 9113, 5.1", "Send DATA after END_STREAM, while the server still has something to send", "RST_STREAM STREAM_CLOSED; the other WebSocket lives", func(c *client) {
			c.afterEnd(func(t *tunnel) {
				c.raw(http2.FrameData, 0, t.id, []byte("late"), "DATA %d, 4 octets", t.id)
				c.send -= 4
			})
		}},
		{"headers", "RFC 9113, 5.1", "Send HEADERS after END_STREAM, while the server still has something to send", "RST_STREAM STREAM_CLOSED; the other WebSocket lives", func(c *client) {
			c.afterEnd(func(t *tunnel) { c.send1(fmt.Sprintf("HEADERS %d END_STREAM x-late=1", t.id)) })
		}},
		{"credit", "RFC 9113, 5.1", "Send WINDOW_UPDATE, PRIORITY and RST_STREAM after END_STREAM", "They are taken; the connection lives", beside(func(c *client) {
			t := c.connect()
			t.say(closing(1000, ""))
			t.endStream()
			t.wantClose("to our own", 1000)
			c.frames(fmt.Sprintf("WINDOW_UPDATE %d 100", t.id), fmt.Sprintf("PRIORITY %d 0", t.id), fmt.Sprintf("RST_STREAM %d CANCEL", t.id))
			c.ping()
			t.untroubled()
		})},
		{"queued", "RFC 8441, 5", "Send a message and END_STREAM while our window is 0, then open the window", "The echo comes, then END_STREAM", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=0")
			t := c.connect()
			t.say(text("half closed"))
			t.endStream()
			t.nothingMore(0, "none")
			c.credit(t.id, 1000)
			t.wantText("half closed")
			t.wantEnd("behind the echo")
		}},
	}...)
}

// afterEnd sends something on a stream after END_STREAM, when the server cannot have ended its side: our window is 0, and it has something to send.
func (c *client) afterEnd(late func(t *tunnel)) {
	c.open("INITIAL_WINDOW_SIZE=0")
	other := c.connect()
	c.credit(other.id, 10000)
	t := c.connect()
	t.say(text("waits for the window"))
	t.endStream()
	c.ping()
	if t.done() {
		c.judge("INFORMATIONAL", "%s: the server has ended the stream, and what it had to send is lost", t.state())
		return
	}
	late(t)
	t.wantReset("for a frame after END_STREAM", http2.ErrCodeStreamClosed)
	if c.ended == nil && c.goAway == nil {
		other.echo("alive")
	}
}
