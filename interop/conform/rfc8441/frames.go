package rfc8441

import (
	"fmt"
	"slices"
	"strings"

	"weir/interop/conform/wire"

	"golang.org/x/net/http2"
)

// on makes the script of something that is done with one WebSocket.
func on(script func(c *client, t *tunnel)) func(c *client) {
	return func(c *client) { script(c, c.connect()) }
}

// fails makes the script of frames for which a server has to fail the WebSocket, beside another that lives.
func fails(why, echo string, codes []int, frames ...wire.Frame) func(c *client) {
	return beside(func(c *client) {
		t := c.connect()
		t.say(frames...)
		t.wantFailed(why, echo, codes...)
	})
}

// umlauts has characters of one to four octets.
const umlauts = "aé€😀 grüße"

func frameCases() []spec {
	protocolError := []int{1002}
	return []spec{
		{"text", "RFC 8441, 5", "Send text messages, an empty one among them", "They come back", on(func(c *client, t *tunnel) {
			for _, s := range []string{"hello", "", umlauts, strings.Repeat("long ", 100)} {
				t.echo(s)
			}
		})},
		{"binary", "RFC 8441, 5", "Send a binary message with every octet", "It comes back, as binary", on(func(c *client, t *tunnel) {
			b := make([]byte, 256)
			for i := range b {
				b[i] = byte(i)
			}
			t.say(binaryFrame(b))
			t.want(wire.Binary, string(b))
		})},
		{"cut", "RFC 8441, 5", "Cut a text frame at every offset over two DATA frames", "It comes back each time", on(func(c *client, t *tunnel) {
			for at := range len(umlauts) + 6 {
				b := t.mask(text(umlauts))
				t.pieces(b[:at], b[at:])
				t.wantText(umlauts)
			}
		})},
		{"cut-length", "RFC 8441, 5", "Cut the header of frames with lengths of 16 and 64 bits, in the length, in the masking key, at their ends", "They come back", on(func(c *client, t *tunnel) {
			for n, offsets := range map[int][]int{200: {1, 2, 3, 4, 5, 6, 7, 8}, 66000: {1, 2, 3, 6, 9, 10, 11, 13, 14}} {
				s := strings.Repeat("x", n)
				for _, at := range offsets {
					b := t.mask(text(s))
					t.part(b[:at], -1, false, "%d octets of a header", at)
					t.octets(b[at:], "the rest")
					t.wantText(s)
				}
			}
		})},
		{"octets", "RFC 8441, 5", "Send frames, an octet a DATA frame", "They come back", on(func(c *client, t *tunnel) {
			t.pieces(each(t.mask(text(umlauts), fragment(wire.Text, false, "in "), control(wire.Ping, "p"), fragment(wire.Continuation, true, "two")))...)
			t.wantText(umlauts)
			t.wantPong("p")
			t.wantText("in two")
		})},
		{"joined", "RFC 8441, 5", "Send ten messages in one DATA frame", "They come back, in order", on(func(c *client, t *tunnel) {
			var frames []wire.Frame
			for i := range 10 {
				frames = append(frames, text(fmt.Sprintf("message %d", i)))
			}
			t.part(t.mask(frames...), -1, false, "ten messages")
			for i := range 10 {
				t.wantText(fmt.Sprintf("message %d", i))
			}
		})},
		{"joined-cut", "RFC 8441, 5", "Send DATA frames, each the end of one message and the beginning of the next", "All come back, in order", on(func(c *client, t *tunnel) {
			var b []byte
			for i := range 20 {
				b = append(b, t.mask(text(fmt.Sprintf("message number %d", i)))...)
			}
			for p := range slices.Chunk(b, 17) {
				t.part(p, -1, false, "")
			}
			for i := range 20 {
				t.wantText(fmt.Sprintf("message number %d", i))
			}
		})},
		{"joined-close", "RFC 8441, 5", "Send a message, a ping and a close frame in one DATA frame with END_STREAM", "The echo, the pong, the close frame, END_STREAM", on(func(c *client, t *tunnel) {
			t.part(t.mask(text("all at once"), control(wire.Ping, "p"), closing(1000, "")), -1, true, "a message, a ping, a close frame")
			t.wantText("all at once")
			t.wantPong("p")
			t.wantClose("to our own", 1000)
		})},
		{"empty", "RFC 9113, 6.1", "Send empty DATA frames before, in and behind a message", "They are nothing", on(func(c *client, t *tunnel) {
			b := t.mask(text("nothing in between"))
			t.pieces(nil, b[:1], nil, nil, b[1:8], nil, b[8:], nil)
			t.wantText("nothing in between")
			t.echo("after")
		})},
		{"padded", "RFC 9113, 6.1", "Pad DATA with 0, 1 and 255 octets", "The padding is no part of the WebSocket", on(func(c *client, t *tunnel) {
			for _, pad := range []int{0, 1, 255} {
				b := t.mask(text("padded"))
				t.part(b[:4], pad, false, "")
				t.part(b[4:], pad, false, "")
				t.wantText("padded")
			}
		})},
		{"padding-only", "RFC 9113, 6.1", "Send DATA of padding alone, within a message", "It is nothing", on(func(c *client, t *tunnel) {
			b := t.mask(text("around it"))
			t.part(b[:3], -1, false, "")
			t.part(nil, 255, false, "")
			t.part(nil, 0, false, "")
			t.part(b[3:], -1, false, "")
			t.wantText("around it")
		})},
		{"padding-over", "RFC 9113, 6.1", "Send DATA whose padding is longer than the frame", "The connection ends with PROTOCOL_ERROR", on(func(c *client, t *tunnel) {
			t.echo("before")
			c.raw(http2.FrameData, http2.FlagDataPadded, t.id, []byte{5, 1, 2, 3}, "DATA %d, 4 octets, PAD=5", t.id)
			c.wantConnError(http2.ErrCodeProtocol)
		})},
		{"fragments", "RFC 6455, 5.4", "Send a message in five fragments, empty ones among them, each in DATA of its own", "It comes back whole", on(func(c *client, t *tunnel) {
			t.say(fragment(wire.Text, false, "one "))
			t.say(fragment(wire.Continuation, false, ""))
			t.say(fragment(wire.Continuation, false, "two "))
			t.say(fragment(wire.Continuation, false, "three"))
			t.say(fragment(wire.Continuation, true, ""))
			t.wantText("one two three")
		})},
		{"utf8-cut", "RFC 6455, 8.1", "Cut text within characters, over DATA frames and fragments", "It comes back", on(func(c *client, t *tunnel) {
			for at := range len(umlauts) {
				t.say(fragment(wire.Text, false, umlauts[:at]))
				b := t.mask(fragment(wire.Continuation, true, umlauts[at:]))
				t.pieces(b[:7], b[7:])
				t.wantText(umlauts)
			}
		})},
		{"utf8-bad", "RFC 6455, 8.1", "Send text that is not UTF-8, the bad octet in DATA of its own", "The WebSocket is failed, 1007; the other one lives", beside(func(c *client) {
			t := c.connect()
			b := t.mask(text("good\xffbad"))
			t.pieces(b[:10], b[10:11], b[11:])
			t.wantFailed("text that is not UTF-8", "good\xffbad", 1007)
		})},
		{"unmasked", "RFC 6455, 5.1", "Send a frame that is not masked: HTTP/2 changes nothing about that", "The WebSocket is failed, 1002; the other one lives", beside(func(c *client) {
			t := c.connect()
			t.part(text("unmasked").Append(nil), -1, false, "a text frame, not masked")
			t.wantFailed("a frame that is not masked", "unmasked", 1002)
		})},
		{"rsv", "RFC 6455, 5.2", "Set RSV2", "The WebSocket is failed, 1002; the other one lives", fails("RSV2", "rsv2", protocolError, wire.Frame{Fin: true, RSV: wire.RSV2, Op: wire.Text, Payload: []byte("rsv2")})},
		{"opcode", "RFC 6455, 5.2", "Send a frame with opcode 3", "The WebSocket is failed, 1002; the other one lives", fails("opcode 3", "opcode", protocolError, control(3, "opcode"))},
		{"continuation", "RFC 6455, 5.4", "Send a continuation that continues nothing", "The WebSocket is failed, 1002; the other one lives", fails("a continuation of nothing", "nothing", protocolError, fragment(wire.Continuation, true, "nothing"))},
		{"interrupted", "RFC 6455, 5.4", "Send a text frame within a message in fragments", "The WebSocket is failed, 1002; the other one lives", fails("a message within a message", "within", protocolError, fragment(wire.Text, false, "a"), text("within"))},
		{"large-data", "RFC 9113, 4.2", "Send a message in a DATA frame as large as the server takes", "It comes back", on(func(c *client, t *tunnel) {
			n := min(c.maxFrame, 16384)
			s := strings.Repeat("x", n-8)
			t.part(t.mask(text(s)), -1, false, "%d octets", n)
			t.wantText(s)
		})},
		{"too-large-data", "RFC 9113, 4.2", "Send a DATA frame one octet larger than the server takes", "FRAME_SIZE_ERROR, of the stream or the connection", on(func(c *client, t *tunnel) {
			t.echo("before")
			if c.maxFrame >= 65535 {
				c.judge("INFORMATIONAL", "the server takes frames of %d octets: no window takes one that is larger", c.maxFrame)
				return
			}
			c.raw(http2.FrameData, 0, t.id, make([]byte, c.maxFrame+1), "DATA %d, %d octets", t.id, c.maxFrame+1)
			c.until("FRAME_SIZE_ERROR", func() bool { return t.reset != nil || c.goAway != nil || c.ended != nil })
			switch {
			case t.reset != nil && *t.reset == http2.ErrCodeFrameSize:
			case t.reset != nil:
				c.nonStrict("RST_STREAM %v", *t.reset)
			default:
				c.wantConnError(http2.ErrCodeFrameSize)
			}
		})},
		{"unmasked-server", "RFC 6455, 5.1", "Make the server send text, binary, pong and close frames", "None of them is masked", on(func(c *client, t *tunnel) {
			t.echo("text")
			t.say(binaryFrame([]byte("binary")))
			t.want(wire.Binary, "binary")
			t.say(control(wire.Ping, "ping"))
			t.wantPong("ping")
			t.bye()
		})},
		{"order", "RFC 6455, 5.4", "Send 300 messages as fast as the windows allow", "All come back, in order", on(func(c *client, t *tunnel) {
			for i := range 300 {
				t.part(t.mask(text(fmt.Sprintf("message %d", i))), -1, false, "")
			}
			for i := range 300 {
				t.wantText(fmt.Sprintf("message %d", i))
			}
		})},
	}
}
