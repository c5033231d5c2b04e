package rfc8441

import (
	"fmt"
	"strings"

	"weir/interop/conform"
	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
)

func manyCases() []spec {
	return []spec{
		{"two", "RFC 8441, 5", "Open a second WebSocket beside the first", "Both echo, each its own", func(c *client) {
			a, b := c.connect(), c.connect()
			for i := range 5 {
				a.say(text(fmt.Sprintf("a%d", i)))
				b.say(text(fmt.Sprintf("b%d", i)))
				a.wantText(fmt.Sprintf("a%d", i))
				b.wantText(fmt.Sprintf("b%d", i))
			}
		}},
		{"second", "RFC 8441, 5", "Open a WebSocket after the first was closed, reset, refused", "It is opened", func(c *client) {
			c.connect().bye()
			c.connect().echo("after a close")
			c.connect().resetStream(http2.ErrCodeCancel)
			c.connect().echo("after a reset")
			c.start(":protocol", "no-such-protocol").refusedAnyhow()
			c.connect().echo("after a refusal")
		}},
		{"fifty", "RFC 9113, 5.1.2", "Open 50 WebSockets and make 20 GETs on one connection, all at a time", "Each WebSocket echoes its own, each GET is answered", func(c *client) {
			c.open("")
			var ts, gets []*tunnel
			for i := range c.room(50) {
				ts = append(ts, c.start())
				if i%5 < 2 {
					gets = append(gets, c.request("GET", true))
				}
			}
			for i, t := range ts {
				t.accepted()
				t.say(text(fmt.Sprintf("number %d", i)))
			}
			for i, t := range ts {
				t.wantText(fmt.Sprintf("number %d", i))
			}
			for _, g := range gets {
				g.complete()
			}
			for i := len(ts) - 1; i >= 0; i-- {
				ts[i].echo("still there")
			}
		}},
		{"interleaved", "RFC 9113, 5", "Send the fragments of messages on four WebSockets in turn, cut over DATA in turn", "Each comes back whole", func(c *client) {
			var ts []*tunnel
			var parts [][][]byte
			for i := range 4 {
				t := c.connect()
				ts = append(ts, t)
				parts = append(parts, each(t.mask(fragment(wire.Text, false, fmt.Sprintf("socket %d, ", i)), fragment(wire.Continuation, true, "in turn"))))
			}
			for i := range parts[0] {
				for j, t := range ts {
					t.pieces(parts[j][i])
				}
			}
			for i, t := range ts {
				t.wantText(fmt.Sprintf("socket %d, in turn", i))
			}
		}},
		{"bad-one", "RFC 9113, 5.4.2", "Beside a WebSocket: break framing, end, reset, be refused, overflow a window, on a stream each", "The WebSocket lives through it all", beside(func(c *client) {
			unmasked := c.connect()
			unmasked.part(text("unmasked").Append(nil), -1, false, "a text frame, not masked")
			unmasked.wantFailed("a frame that is not masked", "unmasked")
			ended := c.connect()
			ended.endStream()
			ended.wantEnd("as TCP's FIN would be answered")
			c.connect().resetStream(http2.ErrCodeInternal)
			c.start(":protocol", "no-such-protocol").refusedAnyhow()
			c.start(":path", "-").refusedAnyhow()
			over := c.connect()
			c.send1(fmt.Sprintf("WINDOW_UPDATE %d %d", over.id, 1<<31-1))
			over.wantReset("for a window over 2^31-1")
		})},
		{"limit", "RFC 9113, 5.1.2", "Open as many WebSockets as MAX_CONCURRENT_STREAMS allows, and one more", "All are opened, the one more is reset with REFUSED_STREAM, or PROTOCOL_ERROR; one is closed, and another opened", func(c *client) {
			c.connect().bye()
			limit, ok := c.serverSetting(http2.SettingMaxConcurrentStreams)
			if !ok || limit > 400 {
				c.judge(conform.Informational, "no limit up to 400")
				return
			}
			var ts []*tunnel
			for range limit {
				ts = append(ts, c.start())
			}
			for _, t := range ts {
				t.accepted()
			}
			c.settled() // the limit counts once we have acknowledged it
			more := c.start()
			if !c.until("an answer to one stream too many", func() bool { return more.status >= 200 || more.reset != nil || c.goAway != nil || c.ended != nil }) {
				return
			}
			switch {
			case more.reset == nil && more.status == 0:
				c.nonStrict("the connection ended (%s), not the stream alone (RFC 9113, 5.4.1)", c.end2())
				return
			case more.reset == nil && more.status/100 == 2:
				c.fail("stream %d of %d was opened", limit+1, limit)
			case more.reset == nil:
				c.nonStrict("answered %d", more.status)
			case *more.reset == http2.ErrCodeRefusedStream || *more.reset == http2.ErrCodeProtocol:
			default:
				c.nonStrict("RST_STREAM %v", *more.reset)
			}
			ts[0].echo("lives")
			ts[1].bye()
			c.connect().echo("in place of the one that was closed")
		}},
		{"id-gap", "RFC 9113, 5.1.1", "Leave stream numbers out", "The WebSocket is opened", func(c *client) {
			c.connect().echo("stream 1")
			c.next = 101
			c.connect().echo("stream 101")
			c.next = 1<<31 - 9
			c.connect().echo("almost the last")
		}},
		{"id-even", "RFC 9113, 5.1.1", "Open a stream with an even number", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			c.connect().echo("before")
			c.next = 8
			c.start()
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"id-lower", "RFC 9113, 5.1.1", "Open a stream with a lower number than one before", "The connection ends with PROTOCOL_ERROR, or STREAM_CLOSED", func(c *client) {
			c.connect().echo("before")
			c.next = 21
			c.connect().echo("stream 21")
			c.next = 9
			c.start()
			c.wantConnError(http2.ErrCodeProtocol, http2.ErrCodeStreamClosed)
		}},
		{"id-again", "RFC 9113, 5.1.1", "Send CONNECT on the stream of a WebSocket that was closed", "STREAM_CLOSED or PROTOCOL_ERROR, of the connection or the stream; it opens nothing", func(c *client) {
			t := c.connect()
			t.echo("once")
			t.bye()
			c.ping()
			if c.over() {
				return
			}
			again := &tunnel{c: c, id: t.id, send: c.theirs, recv: c.ours}
			c.tunnels[t.id] = again
			fields := c.head()
			c.raw(http2.FrameHeaders, http2.FlagHeadersEndHeaders, t.id, c.block(fields), "HEADERS %d again", t.id)
			n := c.pongs
			c.send1(pingLine(n + 1))
			if c.until("an error for a stream that is used again, or PING with ACK", func() bool { return again.reset != nil || c.goAway != nil || c.ended != nil || c.pongs > n }) && c.pongs > n {
				c.quietly(func() bool { return again.status > 0 || again.reset != nil || c.goAway != nil || c.ended != nil })
			}
			switch {
			case again.status > 0:
				c.fail("answered %d", again.status)
			case c.goAway != nil || c.ended != nil:
				c.wantConnError(http2.ErrCodeProtocol, http2.ErrCodeStreamClosed)
			case again.reset == nil:
				c.nonStrict("it was ignored")
			}
		}},
		{"end-headers-stream-0", "RFC 9113, 6.2", "Send HEADERS on stream 0", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			c.connect().echo("before")
			c.send1("HEADERS 0 :method=GET :scheme=http :path=/ :authority=x")
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"data-stream-0", "RFC 9113, 6.1", "Send DATA on stream 0", "The connection ends with PROTOCOL_ERROR", func(c *client) {
			c.connect().echo("before")
			c.send1("DATA 0 x")
			c.wantConnError(http2.ErrCodeProtocol)
		}},
		{"large-beside-small", "RFC 9113, 5.2", "Send a message of 150 000 octets on one WebSocket, and small ones on another meanwhile", "The small ones are echoed meanwhile, the large one whole", func(c *client) {
			large, small := c.connect(), c.connect()
			s := strings.Repeat("large ", 25000)
			b := large.mask(text(s))
			for i := 0; len(b) > 0 && !c.over(); i++ {
				n := min(len(b), 15000)
				large.octets(b[:n], "a part of the large message")
				b = b[n:]
				small.echo(fmt.Sprintf("small %d", i))
			}
			large.wantText(s)
		}},
	}
}

// room is n, or less where the server allows fewer streams at a time.
func (c *client) room(n int) int {
	if v, ok := c.serverSetting(http2.SettingMaxConcurrentStreams); ok {
		n = min(n, int(v)*2/3)
	}
	return n
}
