package behaviour_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 3: Active, and what waits while a session is inactive.

func TestActive(t *testing.T) {
	for _, id := range []string{"3.active.false", "3.active.true", "3.active.repeated"} {
		row(t, id, all, active)
	}
}

func active(h *house) {
	a := new(actor)
	a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
		out = append(out, f.Reply())
		if string(f.Payload) == "pause" {
			out = append(out, websocket.Active(false), websocket.Active(false))
		}
		return out
	}
	c := h.open(a, nil)
	c.send(text("pause"), text("held 1"), ping("held 2"), binary("held 3"))
	c.wantText("the callback's own frame is sent", "pause")
	c.wantQuiet("from the end of the callback on no frame is handled")
	a.s.Post(fromInfo{websocket.Text("posts arrive")})
	c.wantText("posted messages still arrive", "posts arrive")
	a.s.Post(fromInfo{websocket.Active(true), websocket.Active(true)})
	c.wantText("held frames are handled in order", "held 1")
	c.want("held frames are handled in order", wsframe.Pong, "held 2")
	c.want("held frames are handled in order", wsframe.Ping+1, "held 2")
	c.want("held frames are handled in order", wsframe.Binary, "held 3")
	c.send(text("live"))
	c.wantText("then reading goes on", "live")
}

// inactive is a handler whose session begins inactive.
func inactive() *actor {
	return &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
		return append(out, websocket.Active(false))
	}}
}

// Drain may say Active(true): what was held comes at once.
func TestActiveFromDrain(t *testing.T) {
	row(t, "3.active.true", all, func(h *house) {
		d := &drainer{onDrain: websocket.Commands{websocket.Active(true)}}
		d.onInit = inactive().onInit
		g := new(websocket.Group)
		c := h.open(d, &websocket.Options{Group: g, IdleTimeout: -1})
		c.send(text("held"))
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- g.Shutdown(context.Background()) }() // ends with the session
		synctest.Wait()
		if got := d.told(); got != "init; drain; text held" {
			h.Fatal(got)
		}
		c.wantText("handled", "held")
		c.send(closing(1000, ""))
		c.wantClose("its end", 1000, "")
		c.wire.CloseWrite()
		<-done
	})
}

// While inactive no credit goes back, what was consumed before it neither.
func TestActiveNoCredit(t *testing.T) {
	row(t, "3.active.no_credit", overHTTP, func(h *house) {
		a := inactive()
		a.onHandle = func(websocket.Frame, websocket.Commands) websocket.Commands { return nil }
		c := h.open(a, &websocket.Options{IdleTimeout: -1})
		sent := c.flood(1 << 20)
		h.quiet()
		before := sent()
		if h.http2() && before != 65535 {
			h.Fatalf("the peer could send %d octets", before)
		}
		a.s.Post("x")
		h.quiet()
		if n := sent(); n != before {
			h.Fatalf("a post gave credit: %d, then %d", before, n)
		}
		a.s.Post(fromInfo{websocket.Active(true)})
		h.quiet()
		if n := sent(); n != 1<<20 {
			h.Fatalf("active, and %d octets could be sent", n)
		}
	})
}

// While inactive bad frames and close frames wait, and so does the peer's end behind them.
func TestInactiveHoldsEnds(t *testing.T) {
	for _, r := range []struct {
		id, name string
		send     []byte
		half     bool
		code     websocket.CloseCode
		reason   string
	}{
		{id: "3.inactive.waits", name: "bad_frame", send: []byte{0xff, 0xff}, code: 1002, reason: "error:badframe"},
		{id: "3.inactive.waits", name: "close", send: closing(4001, ""), code: 4001, reason: "remote"},
		{id: "3.inactive.end", name: "end", half: true, reason: "error:closed"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, all, func(h *house) {
				a := inactive()
				c := h.open(a, nil)
				c.send(text("held"), r.send)
				if r.half {
					c.wire.CloseWrite()
				}
				c.wantQuiet("nothing is parsed")
				a.s.Post(fromInfo{websocket.Active(true)})
				c.wantText("held octets come first", "held")
				if r.half {
					c.wantEnd("then the end is seen")
				} else {
					c.wantClose("then the end is seen", r.code, "")
				}
				h.wantReason(a, r.reason)
			})
		})
	}
}

// A reset is seen at once, and held frames are dropped.
func TestInactiveSeesReset(t *testing.T) {
	row(t, "3.inactive.reset", all, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		c := h.open(a, nil)
		c.send(text("held"))
		synctest.Wait()
		c.reset()
		h.wantReason(a, "error:closed")
		if got := a.told(); got != "init; terminate error:closed" {
			h.Fatal(got)
		}
	})
}

// A reset, and a connection that is lost, are seen at once behind a full window, by a handler that
// is paused and by a Conn that nobody reads, though no timer would ever end them.
func TestFullWindowSeesReset(t *testing.T) {
	const window = 10_000
	row(t, "3.inactive.reset", all, func(h *house) {
		a := inactive()
		c := h.open(a, &websocket.Options{Window: window, IdleTimeout: -1, SendTimeout: -1})
		fill(h, c, window)
		c.reset()
		h.wantReason(a, "error:closed")
		if got := a.told(); got != "init; terminate error:closed" {
			h.Fatal(got)
		}
	})
	row(t, "4.closed.lost", overTCP, func(h *house) {
		h.fault = make(chan error, 1)
		a := inactive()
		c := h.open(a, &websocket.Options{Window: window, IdleTimeout: -1, SendTimeout: -1})
		fill(h, c, window)
		h.fault <- syscall.ECONNRESET
		h.wantReason(a, "error:closed")
	})
	row(t, "4.cut", all, func(h *house) {
		a := inactive()
		c := h.open(a, &websocket.Options{Window: window, IdleTimeout: -1, SendTimeout: -1})
		fill(h, c, window)
		a.s.Cut()
		h.wantReason(a, "error:closed")
	})
}

// fill sends as much as a window of size takes, and some octets more where nothing of HTTP stops
// them.
func fill(h *house, c *client, size int) {
	h.Helper()
	b := binary(strings.Repeat("x", size-8)) // a frame of size octets
	if !h.muxed() && h.mode != "pipe" {
		b = append(b, text("behind the window")...)
	}
	c.send(b)
	synctest.Wait()
}
