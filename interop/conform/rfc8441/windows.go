package rfc8441

import (
	"fmt"
	"strings"
	"time"

	"weir/interop/conform"

	"golang.org/x/net/http2"
)

// Flow control of what the server sends. That it never sends more than the windows take is looked
// at with each DATA frame of each case.

// small is how long a server may take to fill a small window. One that waits for a larger one gives
// up some time.
const small = 2 * time.Second

// fills waits until so many octets of DATA have come, which is what the window has. A server that
// waits for a larger one before it sends is not strict, as nothing forbids it (RFC 9113, 5.2.1);
// the case goes on, and waits for such a server no more.
func (t *tunnel) fills(n int, of string) bool {
	c, ok := t.c, func() bool { return t.total >= n || t.done() }
	switch {
	case c.outcome.Body == conform.NonStrict:
		return ok()
	case c.waitFor(min(small, c.patience), ok):
		return true
	case c.over() || c.ctx.Err() != nil:
		return c.until(fmt.Sprintf("%d octets of DATA on stream %d, %s; %d came", n, t.id, of, t.total), ok)
	}
	c.nonStrict("%d octets of DATA came on stream %d, and %s has %d: the server waits for a larger one", t.total, t.id, of, n)
	return false
}

// nothingMore gives the server the time to send what it must not.
func (t *tunnel) nothingMore(than int, why string) {
	t.c.ping()
	t.c.quietly(func() bool { return t.total > than })
	if t.total > than {
		t.c.fail("%d octets of DATA on stream %d, and the window had %d: %s (RFC 9113, 6.9.1)", t.total, t.id, than, why)
	}
}

// held makes the script of a WebSocket to whose streams the server is given no credit by itself.
func held(settings string, script func(c *client, t *tunnel)) func(c *client) {
	return func(c *client) {
		c.open(settings)
		c.settled()
		t := c.connect()
		t.hold = true
		script(c, t)
	}
}

func windowCases() []spec {
	return []spec{
		{"zero", "RFC 9113, 6.9.1", "Open a WebSocket with INITIAL_WINDOW_SIZE=0, and make the server send", "The answer comes, and no DATA", held("INITIAL_WINDOW_SIZE=0", func(c *client, t *tunnel) {
			t.say(text("not yet"))
			t.nothingMore(0, "none")
			c.credit(t.id, 1000)
			t.wantText("not yet")
		})},
		{"one-by-one", "RFC 9113, 6.9.1", "Give a window of 0 one octet at a time", "DATA of one octet comes for each", held("INITIAL_WINDOW_SIZE=0", func(c *client, t *tunnel) {
			t.say(text("drip, drip"))
			for i := 1; i <= 12 && !c.over(); i++ {
				c.credit(t.id, 1)
				if !t.fills(i, "the window") {
					break
				}
			}
			c.credit(t.id, 1000)
			t.wantText("drip, drip")
		})},
		{"close-waits", "RFC 9113, 6.9.1", "Close a WebSocket whose window is 0, then open the window", "The close frame comes, with END_STREAM", held("INITIAL_WINDOW_SIZE=0", func(c *client, t *tunnel) {
			t.say(text("last"), closing(1000, ""))
			t.nothingMore(0, "none")
			c.credit(t.id, 1000)
			t.wantText("last")
			t.wantClose("to our own", 1000)
		})},
		{"raised", "RFC 9113, 6.9.2", "Raise INITIAL_WINDOW_SIZE from 10 to 500 while the server waits", "It sends 10 octets, and then up to 490 more", held("INITIAL_WINDOW_SIZE=10", func(c *client, t *tunnel) {
			s := strings.Repeat("window", 100)
			t.say(text(s))
			t.fills(10, "the window")
			t.nothingMore(10, "as at the start")
			c.setting("INITIAL_WINDOW_SIZE=500")
			t.fills(500, "the window since SETTINGS")
			t.nothingMore(500, "since SETTINGS")
			c.credit(t.id, 1000)
			t.wantText(s)
		})},
		{"negative", "RFC 9113, 6.9.2", "Lower INITIAL_WINDOW_SIZE from 1000 to 400 when 1000 octets were sent, then give 600, 1 and more", "Nothing comes until the window is above 0", held("INITIAL_WINDOW_SIZE=1000", func(c *client, t *tunnel) {
			s := strings.Repeat("negative", 250)
			t.say(text(s))
			t.fills(1000, "the window")
			c.setting("INITIAL_WINDOW_SIZE=400")
			c.settled()
			t.nothingMore(1000, "it is at -600")
			c.credit(t.id, 600)
			t.nothingMore(1000, "it is at 0")
			c.credit(t.id, 1)
			t.fills(1001, "the window is at 1")
			t.nothingMore(1001, "it is at 0 again")
			c.credit(t.id, 5000)
			t.wantText(s)
		})},
		{"all-streams", "RFC 9113, 6.9.2", "Change INITIAL_WINDOW_SIZE with five WebSockets open and waiting", "It changes the window of each", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=4")
			c.settled()
			var ts []*tunnel
			for range 5 {
				t := c.connect()
				t.hold = true
				t.say(text("for each of them"))
				ts = append(ts, t)
			}
			for _, t := range ts {
				t.fills(4, "the window")
			}
			c.setting("INITIAL_WINDOW_SIZE=10")
			for _, t := range ts {
				t.fills(10, "the window since SETTINGS")
				t.nothingMore(10, "since SETTINGS")
			}
			c.setting("INITIAL_WINDOW_SIZE=100")
			for _, t := range ts {
				t.wantText("for each of them")
			}
		}},
		{"connection", "RFC 9113, 6.9.1", "Give no credit for the connection, and make the server send more than 65 535 octets", "It sends 65 535 on all streams, answers handshakes and PINGs, and goes on with the credit", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=1000000")
			c.settled()
			c.hold = true
			t := c.connect()
			s := strings.Repeat("0123456789", 7000)
			t.say(text(s))
			full := t.fills(defaultWindow, "the connection's window")
			t.nothingMore(defaultWindow, "of the connection")
			other := c.connect()
			other.say(text("waits too"))
			if full {
				other.nothingMore(0, "that of the connection is used up")
			}
			c.credit(0, 100000)
			t.wantText(s)
			other.wantText("waits too")
		}},
		{"connection-one", "RFC 9113, 6.9.1", "Give the connection's used window one octet at a time, with two WebSockets waiting", "An octet comes for each, on either", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=1000000")
			c.settled()
			c.hold = true
			t, other := c.connect(), c.connect()
			s := strings.Repeat("x", 66000)
			t.say(text(s))
			t.fills(defaultWindow, "the connection's window")
			other.say(text("other"))
			for i := 1; i <= 5 && !c.over(); i++ {
				c.credit(0, 1)
				if !c.wait(func() bool { return t.total+other.total >= defaultWindow+i }) {
					c.nonStrict("nothing came for a window of one octet")
					break
				}
			}
			c.credit(0, 100000)
			t.wantText(s)
			other.wantText("other")
		}},
		{"fair", "RFC 9113, 5.2.2", "Take nothing on one WebSocket, and give another all it wants", "The other one is served", held("INITIAL_WINDOW_SIZE=0", func(c *client, t *tunnel) {
			t.say(text("for nobody"))
			other := c.connect()
			c.credit(other.id, 30000)
			for range 5 {
				other.echo("served")
			}
			t.nothingMore(0, "none")
		})},
		{"large", "RFC 9113, 6.9.1", "Open windows of 2^31-1, for the stream and the connection", "They are no more than a window", func(c *client) {
			c.open("INITIAL_WINDOW_SIZE=2147483647")
			c.credit(0, 1<<31-1-defaultWindow)
			t := c.connect()
			t.hold, c.hold = true, true
			t.echo(strings.Repeat("0123456789", 10000))
		}},
		{"zero-increment", "RFC 9113, 6.9", "Send WINDOW_UPDATE 0 on a WebSocket's stream", "RST_STREAM PROTOCOL_ERROR; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d 0", t.id))
			t.wantReset("for WINDOW_UPDATE 0", http2.ErrCodeProtocol)
		})},
		{"zero-increment-connection", "RFC 9113, 6.9", "Send WINDOW_UPDATE 0 for the connection", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1("WINDOW_UPDATE 0 0")
			c.wantConnError(http2.ErrCodeProtocol)
		})},
		{"overflow", "RFC 9113, 6.9.1", "Send WINDOW_UPDATE that takes a stream's window over 2^31-1", "RST_STREAM FLOW_CONTROL_ERROR; the other WebSocket lives", beside(func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d %d", t.id, 1<<31-1))
			t.wantReset("for a window over 2^31-1", http2.ErrCodeFlowControl)
		})},
		{"overflow-connection", "RFC 9113, 6.9.1", "Send WINDOW_UPDATE that takes the connection's window over 2^31-1", "The connection ends with FLOW_CONTROL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("WINDOW_UPDATE 0 %d", 1<<31-1))
			c.wantConnError(http2.ErrCodeFlowControl)
		})},
		{"overflow-setting", "RFC 9113, 6.5.2", "Send INITIAL_WINDOW_SIZE=2^31", "The connection ends with FLOW_CONTROL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.setting("INITIAL_WINDOW_SIZE=2147483648")
			c.wantConnError(http2.ErrCodeFlowControl)
		})},
		{"overflow-shift", "RFC 9113, 6.9.2", "Take a stream's window to 2^31-1, then raise INITIAL_WINDOW_SIZE by one", "The connection ends with FLOW_CONTROL_ERROR", on(func(c *client, t *tunnel) {
			c.credit(t.id, 1<<31-1-defaultWindow)
			c.ping()
			c.setting("INITIAL_WINDOW_SIZE=65536")
			if c.wait(func() bool { return t.reset != nil || c.goAway != nil || c.ended != nil }) && t.reset != nil {
				c.nonStrict("RST_STREAM %v, not an error of the connection", *t.reset)
				return
			}
			c.wantConnError(http2.ErrCodeFlowControl)
		})},
		{"length", "RFC 9113, 6.9", "Send WINDOW_UPDATE of three octets", "The connection ends with FRAME_SIZE_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 8 0 %d 000001", t.id))
			c.wantConnError(http2.ErrCodeFrameSize)
		})},
		{"idle", "RFC 9113, 5.1", "Send WINDOW_UPDATE on a stream that nobody opened", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d 10", c.next+10))
			c.wantConnError(http2.ErrCodeProtocol)
		})},
	}
}
