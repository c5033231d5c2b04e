package rfc8441

import (
	"fmt"

	"golang.org/x/net/http2"
)

// resetHere resets a WebSocket and looks that nothing more comes on it than may be on its way.
func (t *tunnel) resetHere(code http2.ErrCode) {
	c := t.c
	t.resetStream(code)
	c.ping()
	c.ping()
	late := t.late
	c.quietly(func() bool { return t.late > late })
	if t.late > late {
		c.fail("the server goes on with stream %d after RST_STREAM (RFC 9113, 6.4)", t.id)
	}
}

func resetCases() []spec {
	var specs []spec
	for _, p := range append(points(), point{"closing", "behind our close frame", func(t *tunnel) { t.say(closing(1000, "")) }}, point{"closed", "after the server's close frame", func(t *tunnel) {
		t.say(closing(1000, ""))
		t.closeFrame("to our own")
	}}) {
		specs = append(specs, spec{p.name, "RFC 8441, 5", "Send RST_STREAM " + p.where, "Nothing more comes on the stream; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			p.reach(t)
			t.resetHere(http2.ErrCodeCancel)
		})})
	}
	return append(specs, []spec{
		{"answered", "RFC 9113, 5.4.2", "Send RST_STREAM on an idle WebSocket", "It is not answered by RST_STREAM", beside(func(c *client) {
			t := c.connect()
			c.ping()
			t.resetHere(http2.ErrCodeCancel)
			if t.late > 0 {
				c.fail("%d frames for RST_STREAM on a WebSocket that had nothing to say", t.late)
			}
		})},
		{"codes", "RFC 9113, 7", "Reset WebSockets with NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, a code that nobody knows", "The code makes no difference; the other WebSocket lives", beside(func(c *client) {
			for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeRefusedStream, http2.ErrCodeConnect, 0xdeadbeef} {
				c.connect().resetStream(code)
			}
			c.ping()
		})},
		{"at-once", "RFC 9113, 5.1", "Send CONNECT and RST_STREAM in one go", "The connection lives, and so does the other WebSocket", beside(func(c *client) {
			for range 3 {
				t := c.start()
				t.resetStream(http2.ErrCodeCancel)
			}
			c.ping()
		})},
		{"echoing", "RFC 9113, 5.1", "Reset a WebSocket in the middle of its echoes, when the connection's window is used up, and open that", "The echoes stop; the other WebSocket lives, and has the credit", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=1000000")
			c.settled()
			live := c.connect()
			live.echo("before")
			c.hold = true
			used := c.recv
			t := c.connect()
			t.say(binaryFrame(make([]byte, 60000)), binaryFrame(make([]byte, 60000)))
			t.fills(int(used), "the connection's window")
			t.resetStream(http2.ErrCodeCancel)
			c.ping()
			c.credit(0, 60000)
			live.echo("after")
			c.quietly(func() bool { return t.late > 0 })
			if t.late > 0 {
				c.fail("the server goes on with stream %d after RST_STREAM (RFC 9113, 6.4)", t.id)
			}
		}},
		{"stalled", "RFC 9113, 5.1", "Reset a WebSocket whose echoes wait for our window", "They are dropped; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			t.clog(1 << 20)
			t.resetHere(http2.ErrCodeCancel)
		})},
		{"after-theirs", "RFC 9113, 5.1", "Have a stream reset by the server, and send DATA, WINDOW_UPDATE, RST_STREAM on it", "They are ignored: they may have been on their way", beside(func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d 0", t.id))
			t.wantReset("for WINDOW_UPDATE 0", http2.ErrCodeProtocol)
			if c.over() || c.goAway != nil {
				return
			}
			t.part([]byte("late"), -1, false, "late")
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d 10", t.id))
			t.resetStream(http2.ErrCodeCancel)
			c.ping()
			t.untroubled()
		})},
		{"idle-stream", "RFC 9113, 6.4", "Send RST_STREAM on a stream that nobody opened", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RST_STREAM %d CANCEL", c.next+10))
			c.wantConnError(http2.ErrCodeProtocol)
		})},
		{"length", "RFC 9113, 6.4", "Send RST_STREAM of three octets", "The connection ends with FRAME_SIZE_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 3 0 %d 000008", t.id))
			c.wantConnError(http2.ErrCodeFrameSize)
		})},
	}...)
}
