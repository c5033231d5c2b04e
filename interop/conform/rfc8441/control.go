package rfc8441

import (
	"fmt"
	"strings"

	"weir/interop/conform/wire"
)

func controlCases() []spec {
	return []spec{
		{"ping", "RFC 6455, 5.5.2", "Send pings, an empty one and one of 125 octets among them", "Each is answered by a pong with the same octets", on(func(c *client, t *tunnel) {
			for _, s := range []string{"ping", "", strings.Repeat("p", 125), "\x00\xff"} {
				t.say(control(wire.Ping, s))
				t.wantPong(s)
			}
		})},
		{"ping-cut", "RFC 6455, 5.5.2", "Cut a ping at every offset over two DATA frames", "Each is answered", on(func(c *client, t *tunnel) {
			for at := range 11 {
				b := t.mask(control(wire.Ping, "cut!"))
				t.pieces(b[:min(at, len(b))], b[min(at, len(b)):])
				t.wantPong("cut!")
			}
		})},
		{"ping-between", "RFC 6455, 5.4", "Send a ping between two fragments", "The pong comes before the message", on(func(c *client, t *tunnel) {
			t.say(fragment(wire.Text, false, "first "))
			t.say(control(wire.Ping, "between"))
			t.wantPong("between")
			t.say(fragment(wire.Continuation, true, "second"))
			t.wantText("first second")
		})},
		{"ping-long", "RFC 6455, 5.5", "Send a ping of 126 octets", "The WebSocket is failed, 1002; the other one lives", fails("a control frame over 125 octets", "", []int{1002}, control(wire.Ping, strings.Repeat("p", 126)))},
		{"ping-fragment", "RFC 6455, 5.5", "Send a ping with FIN=0", "The WebSocket is failed, 1002; the other one lives", fails("a control frame in fragments", "", []int{1002}, fragment(wire.Ping, false, "p"))},
		{"pong", "RFC 6455, 5.5.3", "Send a pong that answers nothing", "It is ignored", on(func(c *client, t *tunnel) {
			t.say(control(wire.Pong, "unasked"))
			t.echo("after")
		})},
		{"http2-ping", "RFC 9113, 6.7", "Send HTTP/2 PINGs in the middle of a WebSocket frame", "They are answered, and the frame is not disturbed", on(func(c *client, t *tunnel) {
			b := t.mask(text("two kinds of ping"))
			t.pieces(b[:5])
			c.ping()
			t.pieces(b[5:9])
			c.ping()
			t.pieces(b[9:])
			t.wantText("two kinds of ping")
		})},
		{"http2-ping-stream", "RFC 9113, 6.7", "Send a PING on the stream of a WebSocket", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 6 0 %d 0000000000000000", t.id))
			c.wantConnError(1)
		})},
		{"priority", "RFC 9113, 6.3", "Send PRIORITY on the WebSocket, on idle streams and on closed ones", "Nothing comes of it", on(func(c *client, t *tunnel) {
			gone := c.connect()
			gone.bye()
			c.frames(fmt.Sprintf("PRIORITY %d 0", t.id), fmt.Sprintf("PRIORITY %d %d", c.next+8, t.id), fmt.Sprintf("PRIORITY %d 0", gone.id))
			c.ping()
			t.echo("after")
			c.connect().echo("another")
		})},
		{"priority-update", "RFC 9113, 5.5", "Send PRIORITY_UPDATE (RFC 9218) for the WebSocket", "It is obeyed or ignored", on(func(c *client, t *tunnel) {
			c.send1(fmt.Sprintf("RAW 0x10 0 0 %08x%x", t.id, "u=3"))
			c.ping()
			t.echo("after")
		})},
		{"unknown-frame", "RFC 9113, 5.5", "Send frames of unknown types, on stream 0 and in the middle of a message", "They are ignored", on(func(c *client, t *tunnel) {
			b := t.mask(text("not disturbed"))
			t.pieces(b[:5])
			c.frames("RAW 0xfa 0xff 0 00112233", fmt.Sprintf("RAW 0xfb 0x1 %d 44556677", t.id))
			t.pieces(b[5:])
			if c.wait(func() bool { return len(t.data) > 0 || t.done() }) && t.reset != nil {
				c.nonStrict("RST_STREAM %v: RFC 9113, 8.5 can be read so", *t.reset)
				return
			}
			t.wantText("not disturbed")
		})},
		{"headers", "RFC 9113, 8.5", "Send HEADERS on the open tunnel, with END_STREAM as trailers have", "A stream error; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("HEADERS %d END_STREAM x-trailer=1", t.id))
			t.trailed()
		})},
		{"headers-open", "RFC 9113, 8.1", "Send HEADERS on the open tunnel without END_STREAM", "A stream error; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("HEADERS %d x-trailer=1", t.id))
			t.trailed()
		})},
		{"push", "RFC 9113, 8.4", "Send PUSH_PROMISE, which no client may", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 5 4 %d 0000000282", t.id))
			c.wantConnError(1)
		})},
		{"continuation", "RFC 9113, 6.10", "Send CONTINUATION on the open tunnel, and nothing before it to continue", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 9 4 %d 82", t.id))
			c.wantConnError(1)
		})},
		{"interleaved", "RFC 9113, 6.10", "Send DATA of a WebSocket between HEADERS and CONTINUATION of another", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			b := c.block(c.head())
			n := c.tunnel(false)
			c.raw(1, 0, n.id, b[:5], "HEADERS %d, a part of the block", n.id)
			t.part(t.mask(text("between")), -1, false, "")
			c.wantConnError(1)
		})},
	}
}

// trailed waits for what becomes of HEADERS on a tunnel.
func (t *tunnel) trailed() {
	c := t.c
	if !c.until("a stream error for HEADERS on an open tunnel", func() bool { return t.done() || c.goAway != nil || c.ended != nil }) {
		return
	}
	if t.fin && t.reset == nil {
		c.quietly(func() bool { return t.reset != nil })
	}
	if t.fin && t.reset == nil {
		c.nonStrict("END_STREAM: taken as the end, not as a stream error")
		return
	}
	t.wantReset("for HEADERS on an open tunnel")
}
