package rfc8441

import (
	"fmt"

	"weir/interop/conform"

	"golang.org/x/net/http2"
)

func goAwayCases() []spec {
	return []spec{
		{"live", "RFC 9113, 6.8", "Send GOAWAY NO_ERROR while WebSockets are open", "They go on", func(c *client) {
			a, b := c.connect(), c.connect()
			a.echo("before")
			c.send1("GOAWAY 0 NO_ERROR")
			c.ping()
			for range 3 {
				a.echo("after")
				b.echo("after")
			}
		}},
		{"twice", "RFC 9113, 6.8", "Send GOAWAY with the highest number of a server's stream, then with 0, as a graceful shutdown does", "The WebSocket goes on", func(c *client) {
			t := c.connect()
			c.send1("GOAWAY 2147483646 NO_ERROR")
			t.echo("after the first")
			c.send1("GOAWAY 0 NO_ERROR")
			t.echo("after the second")
		}},
		{"closes", "RFC 9113, 6.8", "Send GOAWAY, and close the WebSocket then", "The close frame and END_STREAM come before the connection ends", func(c *client) {
			t := c.connect()
			t.echo("before")
			c.send1("GOAWAY 0 NO_ERROR")
			t.echo("after")
			t.bye()
		}},
		{"connect", "RFC 9113, 6.8", "Send GOAWAY, which refuses the server's streams, and open a WebSocket", "Nothing is demanded; best it is opened, or refused and the first one lives", func(c *client) {
			t := c.connect()
			c.send1("GOAWAY 0 NO_ERROR")
			n := c.start()
			t.echo("after GOAWAY")
			if !c.wait(func() bool { return n.status >= 200 || n.reset != nil }) || n.status/100 != 2 {
				c.judge(conform.Informational, "%s", n.state())
			} else {
				n.echo("after GOAWAY too")
			}
			t.echo("lives")
		}},
		{"unknown-code", "RFC 9113, 7", "Send GOAWAY with a code that nobody knows", "It is no trouble: the WebSocket goes on, or the connection ends in order", func(c *client) {
			t := c.connect()
			c.send1(fmt.Sprintf("GOAWAY 0 %d", 0xdead))
			t.say(text("after"))
			if c.wait(func() bool { return len(t.data) >= 7 || t.done() || c.goAway != nil || c.ended != nil }) && len(t.data) == 0 {
				c.judge(conform.Informational, "the server gave the connection up")
				return
			}
			t.wantText("after")
		}},
		{"stream", "RFC 9113, 6.8", "Send GOAWAY on the stream of a WebSocket", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.send1(fmt.Sprintf("RAW 7 0 %d 0000000000000000", t.id))
			c.wantConnError(http2.ErrCodeProtocol)
		})},
		{"last", "RFC 9113, 6.8", "Break a rule of the connection with three WebSockets open", "GOAWAY names the last stream that was worked on", func(c *client) {
			var t *tunnel
			for range 3 {
				t = c.connect()
				t.echo("before")
			}
			c.send1("WINDOW_UPDATE 0 0")
			c.wantConnError(http2.ErrCodeProtocol)
			if c.goAway != nil && c.goAway.Last != t.id && c.goAway.Last != 1<<31-1 {
				c.fail("GOAWAY %d, and %d was worked on", c.goAway.Last, t.id)
			}
		}},
	}
}
