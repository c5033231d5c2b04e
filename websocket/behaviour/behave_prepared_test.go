package behaviour_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"weir/websocket"
	"weir/wsframe"
)

// bomb inflates a thousand times: n octets of nothing.
func bomb(n int) string { return newCodec(plainOffer).compress(strings.Repeat("\x00", n)) }

// A bomb is out before it is in: how much memory it takes is measured on the machine.
func TestBombs(t *testing.T) {
	big := bomb(20_000_000)
	for name, frames := range map[string][][]byte{
		"whole":      {rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, big)},
		"fragmented": {rsv1(wsframe.Header{Op: wsframe.Binary}, big[:5000]), more(big[5000:9000]), last(big[9000:])},
		"just_over":  {rsv1(wsframe.Header{Fin: true, Op: wsframe.Binary}, bomb(1_000_001))},
	} {
		for _, offer := range []string{plainOffer, "permessage-deflate; client_no_context_takeover"} {
			t.Run(name, func(t *testing.T) {
				row(t, "6.bomb", all, func(h *house) {
					a := new(actor)
					c := h.agreed(a, websocket.Options{}, offer)
					c.send(c.deflated("before"))
					c.wantDeflated("before", "before")
					c.send(frames...)
					c.wantClose("over MaxFrameSize", 1009, "")
					h.wantReason(a, "error:badsize")
				})
			})
		}
	}
	row(t, "6.max_frame_size", all, func(h *house) {
		a := new(actor)
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text(f.Payload[:1]))
		}
		c := h.agreed(a, websocket.Options{}, plainOffer)
		c.send(c.deflated(strings.Repeat("x", 1_000_000)), c.deflated(strings.Repeat("y", 1_000_001)))
		c.wantDeflated("as much as may be", "x")
		c.wantClose("an octet more", 1009, "")
		h.wantReason(a, "error:badsize")
	})
}

// One frame for sessions that agreed on different things. Each inflates it, and what follows.
func TestPrepared(t *testing.T) {
	row(t, "6.prepared", all, func(h *house) {
		offers := []string{"", plainOffer, "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_max_window_bits=9",
			"permessage-deflate; server_max_window_bits=9; server_no_context_takeover", plainOffer}
		said := random(1, 300)
		p := websocket.Prepare(websocket.TextFrame, said)
		late := websocket.Prepare(websocket.TextFrame, "and "+said)
		for _, offer := range offers {
			h.offer = offer
			a := new(actor)
			c := h.open(a, &websocket.Options{Compress: true})
			want := func(why, s string) int {
				h.Helper()
				if c.codec == nil {
					c.wantText(why, s)
					return len(s)
				}
				return c.wantDeflated(why, s)
			}
			s := a.session()
			for range 2 {
				s.Post(fromInfo{websocket.Text("mine"), websocket.SendPrepared(p), websocket.Text(said[100:200]), websocket.SendPrepared(late), websocket.SendPrepared(p)})
				want("own", "mine")
				want("prepared", said)
				n := want("own, of the prepared", said[100:200])
				if learned := n < 30; learned != (c.codec != nil && c.keepIn) {
					h.Errorf("%q: %d octets for a part of what was prepared", offer, n)
				}
				want("prepared, other", "and "+said)
				want("prepared, again", said)
			}
			s.Post(fromInfo{websocket.Deflate(false), websocket.SendPrepared(p), websocket.Deflate(true), websocket.Text(said)})
			c.wantText("uncompressed where it is switched off", said)
			want("and on", said)
		}
	})
	row(t, "6.prepared", all, func(h *house) {
		a := new(actor)
		c := h.agreed(a, websocket.Options{CompressThreshold: 10}, plainOffer)
		a.session().Post(fromInfo{websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, "123456789")), websocket.SendPrepared(websocket.Prepare(websocket.PingFrame, "a ping of more than ten octets"))})
		c.wantText("under the threshold", "123456789")
		c.want("a ping is never compressed", wsframe.Ping, "a ping of more than ten octets")
	})
}

// What Trace is told, in order.
func TestTrace(t *testing.T) {
	row(t, "6.trace", all, func(h *house) {
		var seen []string
		o := websocket.Options{Trace: func(e websocket.Event) {
			s := e.Kind.String()
			switch e.Kind {
			case websocket.EventFrame, websocket.EventMessage:
				s += " " + direction(e.Sent) + " " + e.Type.String()
				if e.Compressed {
					s += " compressed"
				}
				if e.Kind == websocket.EventFrame && !e.Fin {
					s += " more"
				}
			case websocket.EventClose:
				s += " " + direction(e.Sent) + " " + e.Text
			case websocket.EventTerminate:
				s += " " + e.Reason.String()
			}
			if e.Session == nil {
				h.Error("no session in", s)
			}
			if e.Kind != websocket.EventQueue {
				seen = append(seen, s)
			}
		}}
		a := new(actor)
		c := h.agreed(a, o, plainOffer)
		s := a.session()
		p := c.compress("hello")
		c.send(rsv1(wsframe.Header{Op: wsframe.Text}, p[:2]), ping("p"), last(p[2:]))
		c.want("pong", wsframe.Pong, "p")
		c.wantDeflated("echo", "hello")
		s.Post(fromInfo{websocket.Active(false), websocket.Active(false), websocket.Active(true), websocket.SendPrepared(websocket.Prepare(websocket.BinaryFrame, "p"))})
		c.frame("prepared")
		c.send(closing(4000, "bye"))
		c.wantClose("close", 4000, "")
		synctest.Wait()
		want := []string{"open", "frame in text compressed more", "frame in ping", "frame out pong", "frame in continuation", "message in text compressed",
			"frame out text compressed", "message out text compressed", "pause", "resume", "frame out binary compressed", "message out binary compressed",
			"frame in close", "close in bye", "frame out close", "close out ", "terminate remote"}
		if !slices.Equal(seen, want) {
			h.Errorf("seen %s\nwant %s", strings.Join(seen, "; "), strings.Join(want, "; "))
		}
	})
	// The queue is told of when it begins and when it is gone.
	row(t, "6.trace", all, func(h *house) {
		var queue []int
		a := new(actor)
		c := h.open(a, &websocket.Options{Trace: func(e websocket.Event) {
			if e.Kind == websocket.EventQueue {
				queue = append(queue, e.Bytes)
			}
		}})
		c.withhold()
		big := strings.Repeat("x", 900_000)
		a.session().Post(fromInfo{websocket.Binary(big)})
		settle()
		if len(queue) != 1 || queue[0] == 0 {
			h.Fatalf("queue %v", queue)
		}
		c.allow()
		c.want("all of it", wsframe.Binary, big)
		synctest.Wait() // until whoever wrote it knows
		c.send(text("x"))
		c.wantText("another turn", "x")
		if synctest.Wait(); len(queue) != 2 || queue[1] != 0 {
			h.Fatalf("queue %v", queue)
		}
	})
}

func direction(sent bool) string {
	if sent {
		return "out"
	}
	return "in"
}
