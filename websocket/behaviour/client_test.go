package behaviour_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"
	"weir/websocket"
	"weir/wsframe"
)

// client speaks frames over a wire. Every want says why.
type client struct {
	*house
	wire   wire
	in     []byte
	answer string // Sec-WebSocket-Extensions
	*codec        // nil: nothing was agreed on
}

// send sends frames in one write.
func (c *client) send(frames ...[]byte) {
	c.Helper()
	if _, err := c.wire.Write(bytes.Join(frames, nil)); err != nil {
		c.Fatal("send:", err)
	}
}

// frame encodes as a client does.
func frame(h wsframe.Header, payload string) []byte {
	h.Masked, h.Key = true, [4]byte{0x9a, 3, 0, 0xff}
	return wsframe.AppendFrame(nil, h, []byte(payload))
}

func text(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Text}, s) }
func binary(s string) []byte { return frame(wsframe.Header{Fin: true, Op: wsframe.Binary}, s) }
func ping(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Ping}, s) }
func pong(s string) []byte   { return frame(wsframe.Header{Fin: true, Op: wsframe.Pong}, s) }
func begin(op wsframe.Opcode, s string) []byte {
	return frame(wsframe.Header{Op: op}, s)
}
func more(s string) []byte { return frame(wsframe.Header{Op: wsframe.Continuation}, s) }
func last(s string) []byte { return frame(wsframe.Header{Fin: true, Op: wsframe.Continuation}, s) }
func closing(code websocket.CloseCode, s string) []byte {
	return frame(wsframe.Header{Fin: true, Op: wsframe.Close}, string(wsframe.AppendClose(nil, wsframe.CloseCode(code), s)))
}

// frame reads one frame: unmasked, unfragmented, in the shortest length form, as everything from
// the server is.
func (c *client) frame(why string) (h wsframe.Header, payload string) {
	c.Helper()
	for {
		h, n := wsframe.ParseHeader(c.in)
		if n > 0 && int64(len(c.in)-n) >= h.Length {
			payload = string(c.in[n : n+int(h.Length)])
			if short := wsframe.AppendHeader(nil, wsframe.Header{Fin: true, RSV1: h.RSV1, Op: h.Op, Length: h.Length}); !bytes.Equal(short, c.in[:n]) {
				c.Fatalf("%s: frame header %x, want %x", why, c.in[:n], short)
			}
			c.in = c.in[n+int(h.Length):]
			return h, payload
		}
		if err := c.more(); err != nil {
			c.Fatalf("%s: %v with %x before it", why, err, c.in)
		}
	}
}

// next reads one frame, which is not compressed.
func (c *client) next(why string) (op wsframe.Opcode, payload string) {
	c.Helper()
	h, payload := c.frame(why)
	if h.RSV1 {
		c.Fatalf("%s: got a compressed frame %x", why, payload)
	}
	return h.Op, payload
}

func (c *client) more() error {
	c.wire.SetReadDeadline(time.Now().Add(time.Hour))
	b := make([]byte, 64<<10)
	n, err := c.wire.Read(b)
	c.in = append(c.in, b[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

func (c *client) want(why string, op wsframe.Opcode, payload string) {
	c.Helper()
	gotOp, got := c.next(why)
	if gotOp != op || got != payload {
		if len(got)+len(payload) > 200 {
			got, payload = fmt.Sprintf("%d octets", len(got)), fmt.Sprintf("%d octets", len(payload))
		}
		c.Fatalf("%s: got %s %q, want %s %q", why, gotOp, got, op, payload)
	}
}

// wantDeflated wants a compressed text, and says how many octets it has on the wire.
func (c *client) wantDeflated(why, payload string) int {
	c.Helper()
	h, p := c.frame(why)
	if !h.RSV1 || h.Op != wsframe.Text {
		c.Fatalf("%s: got %+v %q, want a compressed text", why, h, p)
	}
	if got := c.inflate(c.house, why, p); got != payload {
		if len(got)+len(payload) > 200 {
			got, payload = fmt.Sprintf("%d octets", len(got)), fmt.Sprintf("%d octets", len(payload))
		}
		c.Fatalf("%s: got %q, want %q", why, got, payload)
	}
	return len(p)
}

func (c *client) wantText(why, payload string) { c.Helper(); c.want(why, wsframe.Text, payload) }

// wantCloseFrame wants a close frame. Code 0: the empty one.
func (c *client) wantCloseFrame(why string, code websocket.CloseCode, text string) {
	c.Helper()
	c.want(why, wsframe.Close, string(wsframe.AppendClose(nil, wsframe.CloseCode(code), text)))
}

// wantClose wants a close frame, and that the server's side ends behind it, though the client says
// nothing.
func (c *client) wantClose(why string, code websocket.CloseCode, text string) {
	c.Helper()
	c.wantCloseFrame(why, code, text)
	c.wantEnd(why)
}

// wantEnd wants the server's END_STREAM or FIN, and nothing before it.
func (c *client) wantEnd(why string) {
	c.Helper()
	if err := c.more(); err != io.EOF || len(c.in) > 0 {
		c.Fatalf("%s: got %x, %v; want the server's end", why, c.in, err)
	}
}

// wantReset wants the stream to be cut: RST_STREAM(CANCEL), or a TCP reset.
func (c *client) wantReset(why string) {
	c.Helper()
	err := error(nil)
	for err == nil {
		err = c.more()
	}
	if code, ok := resetCode(err); ok && code != stream.Cancel || err == io.EOF {
		c.Fatalf("%s: got %v, want a reset", why, err)
	}
}

// wantQuiet wants nothing to arrive once everything has come to rest.
func (c *client) wantQuiet(why string) {
	c.Helper()
	synctest.Wait()
	c.wire.SetReadDeadline(time.Now().Add(time.Microsecond))
	b := make([]byte, 1024)
	if n, _ := c.wire.Read(b); n > 0 || len(c.in) > 0 {
		c.Fatalf("%s: got %x", why, append(c.in, b[:n]...))
	}
	c.wire.SetReadDeadline(time.Time{})
}

// withhold stops reading; on HTTP/2 no credit goes back.
func (c *client) withhold() {
	if t, ok := c.wire.(*h2test.Tunnel); ok {
		t.Withhold(true)
	}
}

func (c *client) allow() {
	if t, ok := c.wire.(*h2test.Tunnel); ok {
		t.Withhold(false)
	}
}

// flood sends n octets of binary messages, as the windows allow, and says how many it could send so
// far.
func (c *client) flood(n int) (sent func() int) {
	var done atomic.Int64
	b := binary(strings.Repeat("x", 1<<10-8))
	b = b[:len(b):len(b)]
	const step = 255 // of 65 535 a part without rest
	go func() {      // ends when all is sent, or with the stream
		var in []byte
		for range n / len(b) {
			in = append(in, b...)
		}
		in = append(in, b[:n-len(in)]...)
		for len(in) > 0 {
			k := min(step, len(in))
			if _, err := c.wire.Write(in[:k]); err != nil {
				return
			}
			done.Add(int64(k))
			in = in[k:]
		}
	}()
	return func() int { return int(done.Load()) }
}
