package rfc8441

import (
	"strings"

	"weir/interop/conform"
	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
)

// Flow control of what the client sends: does the server give back what it took?

// chunk is the size of messages that many of are sent.
const chunk = 16 << 10

// bulk is how many octets are more than a server's windows, and not too many.
func (c *client) bulk(t *tunnel) int {
	c.quietly(func() bool { return false }) // a wider window may be on its way
	return int(min(2*max(t.send, c.send), 4<<20))
}

// clog sends messages on a WebSocket that does not read, until the server takes no more of them or has taken limit octets. It
// gives what is left of the message that was cut, and says whether the server stopped.
func (t *tunnel) clog(limit int) (rest []byte, stopped bool) {
	c := t.c
	t.hold = true
	var b []byte
	for sent := 0; sent < limit && !c.over(); {
		if len(b) == 0 {
			b = t.mask(binaryFrame(make([]byte, chunk-16)))
		}
		room := func() int { return int(min(int64(len(b)), int64(c.maxFrame), t.send, c.send)) }
		more := func() bool { return room() > 0 || t.done() }
		for tries := 0; !more(); tries++ {
			if tries == 3 {
				return b, true
			}
			c.ping() // takes the longer the busier the server is
			c.quietly(more)
		}
		if t.done() || c.over() {
			return b, true
		}
		n := room()
		t.part(b[:n], -1, false, "a part of a message")
		b, sent = b[n:], sent+n
	}
	return b, false
}

func flowCases() []spec {
	return []spec{
		{"echo", "RFC 9113, 5.2", "Send messages of 16 KiB and take the echoes, more than twice all windows", "Credit comes back for the stream and for the connection", on(func(c *client, t *tunnel) {
			s := strings.Repeat("credit", chunk/6)
			for left := c.bulk(t); left > 0 && !c.over(); left -= 3 * len(s) {
				t.say(text(s), text(s), text(s))
				for range 3 {
					t.wantText(s)
				}
			}
		})},
		{"message", "RFC 9113, 5.2", "Send one message of 200 000 octets", "Credit comes while it is on its way, and it comes back whole", on(func(c *client, t *tunnel) {
			s := strings.Repeat("0123456789", 20000)
			t.say(text(s))
			t.wantText(s)
		})},
		{"padding", "RFC 9113, 6.9.1", "Send messages in DATA frames of two octets with 255 of padding each", "The padding's credit comes back too, or the windows would run dry", on(func(c *client, t *tunnel) {
			c.quietly(func() bool { return false })
			total := int(min(2*max(t.send, min(c.send, defaultWindow)), 300<<10))
			for sent := 0; sent < total && !c.over(); {
				b := t.mask(text("padded to no end, padded to no end"))
				for len(b) > 0 && !c.over() {
					n := min(2, len(b))
					t.part(b[:n], 255, false, "")
					b, sent = b[n:], sent+n+256
				}
				t.wantText("padded to no end, padded to no end")
			}
		})},
		{"balance", "RFC 9113, 6.9.1", "Send padded DATA, messages and control frames, and add up the credit", "The server gives back no more than it was sent", on(func(c *client, t *tunnel) {
			t.echo("to begin with")
			c.quietly(func() bool { return false })
			stream, conn, spent := t.send, c.send, int64(0)
			for range 40 {
				b := t.mask(text("some message"), control(wire.Ping, "ping"))
				t.part(b, 200, false, "")
				spent += int64(len(b)) + 201
				t.wantText("some message")
			}
			c.quietly(func() bool { return false })
			if back := t.send - stream + spent; back > spent+stream {
				c.judge(conform.Informational, "%d octets came back on the stream for %d: it grows its window", back, spent)
			}
			if back := c.send - conn + spent; back > spent+conn {
				c.judge(conform.Informational, "%d octets came back on the connection for %d: it grows its window", back, spent)
			}
		})},
		{"stalled", "RFC 9113, 5.2.2", "Let a WebSocket's echoes lie, send as much as the server takes, and use others beside it", "The others are not held up, and new ones are opened", func(c *client) {
			live := c.connect()
			live.echo("before")
			stuck := c.connect()
			stuck.clog(2 << 20)
			for range 5 {
				live.echo("beside a stalled one")
			}
			c.connect().echo("a new one")
		}},
		{"stalled-many", "RFC 9113, 5.2.2", "Stall four WebSockets, and use another", "It is not held up", func(c *client) {
			live := c.connect()
			for range 4 {
				c.connect().clog(512 << 10)
			}
			for range 5 {
				live.echo("beside four that are stalled")
			}
		}},
		{"resumed", "RFC 9113, 5.2", "Stall a WebSocket, then take what it has", "All echoes come, none is lost", func(c *client) {
			t := c.connect()
			t.hold = true
			sent := 0
			for range 20 { // no more than the server's window, that each is sent whole
				if t.send < chunk || c.send < chunk {
					break
				}
				t.part(t.mask(binaryFrame(make([]byte, chunk-16))), -1, false, "a message of %d octets", chunk-16)
				sent++
			}
			c.quietly(func() bool { return false })
			t.hold = false
			c.credit(t.id, t.total)
			for range sent {
				t.want(wire.Binary, string(make([]byte, chunk-16)))
			}
			t.echo("after")
		}},
		{"overrun", "RFC 9113, 6.9.1", "Send more than a window on a WebSocket that the server has stopped taking from", "FLOW_CONTROL_ERROR, of the stream or the connection", func(c *client) {
			live := c.connect()
			t := c.connect()
			for range 100 {
				rest, stopped := t.clog(2 << 20)
				if !stopped || t.send != 0 || c.send < 1 || t.done() {
					c.judge(conform.Informational, "the server takes whatever comes, or gives the connection no credit")
					return
				}
				c.raw(http2.FrameData, 0, t.id, rest[:1], "DATA %d, 1 octet where the window has 0", t.id)
				c.send--
				t.send--
				// Credit that was on its way makes it no fault.
				if !c.wait(func() bool { return t.done() || c.goAway != nil || t.send >= 0 }) || t.done() || c.goAway != nil {
					break
				}
				t.octets(rest[1:], "the rest of a message")
			}
			t.wantReset("for DATA over the window", http2.ErrCodeFlowControl)
			if c.ended == nil {
				live.echo("alive")
			}
		}},
		{"reset-credit", "RFC 9113, 5.1", "Send half a message on a WebSocket and reset it, more than twice the connection's window", "The connection's credit comes back", func(c *client) {
			t := c.connect()
			for left := c.bulk(t); left > 0 && !c.over(); {
				n := int(min(t.send, 60000))
				t.octets(t.mask(binaryFrame(make([]byte, 200000)))[:n], "a part of a message")
				t.resetStream(http2.ErrCodeCancel)
				left -= n
				t = c.connect()
			}
			t.echo("after")
		}},
		{"refused-credit", "RFC 9113, 6.9", "Send DATA on streams that were refused", "The connection's credit comes back", func(c *client) {
			live := c.connect()
			live.echo("before")
			limit := min(c.bulk(live), 2<<20)
			for sent := 0; sent < limit && !c.over(); {
				t := c.start("sec-websocket-version", "99")
				n := int(min(t.send, 3*chunk))
				t.octets(make([]byte, n), "for nobody")
				sent += n
				t.refusedAnyhow()
				t.resetStream(http2.ErrCodeCancel)
			}
			live.echo("after")
		}},
		{"closed-credit", "RFC 9113, 6.9", "Send DATA behind a close frame", "It is dropped, and the connection's credit comes back", func(c *client) {
			live := c.connect()
			live.echo("before")
			for range 8 {
				t := c.connect()
				t.say(closing(1000, ""))
				n := int(min(t.send, 3*chunk))
				for sent := 0; sent < n && !c.over() && !t.done(); {
					k := min(n-sent, chunk, int(c.send))
					if k <= 0 {
						c.until("credit of the connection for DATA behind a close frame", func() bool { return c.send > 0 || t.done() })
						continue
					}
					t.part(make([]byte, k), -1, false, "behind the close frame")
					sent += k
				}
				t.wantClose("to our own", 1000)
			}
			live.echo("after")
		}},
	}
}
