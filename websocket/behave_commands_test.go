package websocket_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 3: commands. Each is returned from Info, as an answer to a post.

func TestFrameCommands(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		long := strings.Repeat("x", 65536)
		a.session().Post(websocket.Commands{websocket.Text("t"), websocket.Text([]byte("u")), websocket.Binary(long), websocket.Ping("p"), websocket.Pong("")})
		c.wantText("in order", "t")
		c.wantText("in order", "u")
		c.want("in order", wsframe.Binary, long)
		c.want("in order", wsframe.Ping, "p")
		c.want("in order", wsframe.Pong, "")
		if got, want := a.s.Stats().Out, (websocket.Counts{Messages: 3, Bytes: 2 + 65536}); got != want {
			h.Fatalf("stats %+v", got)
		}
	})
}

func TestEndingCommands(t *testing.T) {
	for name, row := range map[string]struct {
		cmds     websocket.Commands
		code     websocket.CloseCode
		text     string
		reason   string
		shutdown any
	}{
		"close_empty":                 {cmds: websocket.Commands{websocket.Close(0, "")}, reason: "stop"},
		"close_code_text":             {cmds: websocket.Commands{websocket.Close(4000, "bye")}, code: 4000, text: "bye", reason: "stop"},
		"close_drops_the_rest":        {cmds: websocket.Commands{websocket.Close(1000, ""), websocket.Text("no"), websocket.ShutdownReason("no")}, code: 1000, reason: "stop"},
		"close_bad_code_behind_close": {cmds: websocket.Commands{websocket.Close(1000, ""), websocket.Close(1, "")}, code: 1000, reason: "stop"},
		"stop":                        {cmds: websocket.Commands{websocket.Stop(), websocket.Text("no")}, code: 1000, reason: "stop"},
		"shutdown_reason":             {cmds: websocket.Commands{websocket.ShutdownReason(7), websocket.Stop()}, code: 1000, reason: "stop", shutdown: 7},
		"cannot_be_sent":              {cmds: websocket.Commands{websocket.Text("no"), websocket.ShutdownReason("no"), websocket.Ping(strings.Repeat("p", 126))}, code: 1011, reason: "crash:error"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, modes, func(h *house) {
				a := new(actor)
				c := h.open(a, nil)
				a.session().Post(row.cmds)
				c.wantClose("the list's end", row.code, row.text)
				if r := h.wantReason(a, row.reason); r.Shutdown != row.shutdown {
					h.Fatalf("shutdown %v, want %v", r.Shutdown, row.shutdown)
				}
			})
		})
	}
}

func TestActive(t *testing.T) {
	each(t, modes, func(h *house) {
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
		a.s.Post(websocket.Commands{websocket.Text("posts arrive")})
		c.wantText("posted messages still arrive", "posts arrive")
		a.s.Post(websocket.Commands{websocket.Active(true), websocket.Active(true)})
		c.wantText("held frames are handled in order", "held 1")
		c.want("held frames are handled in order", wsframe.Pong, "held 2")
		c.want("held frames are handled in order", wsframe.Ping+1, "held 2")
		c.want("held frames are handled in order", wsframe.Binary, "held 3")
		c.send(text("live"))
		c.wantText("then reading goes on", "live")
	})
}

// While inactive bad frames and close frames wait, and so does the peer's end behind them.
func TestInactiveHoldsEnds(t *testing.T) {
	for name, row := range map[string]struct {
		send   []byte
		half   bool
		code   websocket.CloseCode
		reason string
	}{
		"bad_frame": {send: []byte{0xff, 0xff}, code: 1002, reason: "error:badframe"},
		"close":     {send: closing(4001, ""), code: 4001, reason: "remote"},
		"end":       {half: true, reason: "error:closed"},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, modes, func(h *house) {
				a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
					return append(out, websocket.Active(false))
				}}
				c := h.open(a, nil)
				c.send(text("held"), row.send)
				if row.half {
					c.wire.CloseWrite()
				}
				c.wantQuiet("nothing is parsed")
				a.s.Post(websocket.Commands{websocket.Active(true)})
				c.wantText("held octets come first", "held")
				if row.half {
					c.wantEnd("then the end is seen")
				} else {
					c.wantClose("then the end is seen", row.code, "")
				}
				h.wantReason(a, row.reason)
			})
		})
	}
}

// A reset is seen at once, and held frames are dropped.
func TestInactiveSeesReset(t *testing.T) {
	each(t, modes, func(h *house) {
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

func TestSetOptions(t *testing.T) {
	t.Run("idle_timeout", func(t *testing.T) {
		each(t, modes, func(h *house) {
			a := new(actor)
			c := h.open(a, nil)
			s := a.session()
			time.Sleep(30 * time.Second)
			s.Post(websocket.Commands{websocket.SetOptions(websocket.Changes{IdleTimeout: 40 * time.Second})})
			synctest.Wait()
			start := time.Now()
			c.wantClose("the timer started anew", 1000, "")
			if d := time.Since(start); d != 40*time.Second {
				h.Fatalf("after %v", d)
			}
			h.wantReason(a, "timeout")
		})
	})
	t.Run("idle_timeout_none", func(t *testing.T) {
		each(t, modes, func(h *house) {
			a := new(actor)
			c := h.open(a, nil)
			a.session().Post(websocket.Commands{websocket.SetOptions(websocket.Changes{IdleTimeout: -1})})
			time.Sleep(time.Hour)
			c.send(text("still there"))
			c.wantText("no timeout", "still there")
		})
	})
	t.Run("max_frame_size", func(t *testing.T) {
		each(t, modes, func(h *house) {
			a := new(actor)
			c := h.open(a, nil)
			a.session().Post(websocket.Commands{websocket.SetOptions(websocket.Changes{MaxFrameSize: 5})})
			synctest.Wait()
			c.send(text("12345"), text("123456"))
			c.wantText("up to the limit", "12345")
			c.wantClose("over the limit", 1009, "")
			h.wantReason(a, "error:badsize")
		})
	})
}

// Deflate has no effect where it was not negotiated, Hibernate changes nothing that a peer sees.
func TestDeflateAndHibernate(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		a.session().Post(websocket.Commands{websocket.Deflate(true), websocket.Text("plain"), websocket.Hibernate()})
		c.wantText("not compressed", "plain")
		c.send(text("awake"))
		c.wantText("an event wakes it", "awake")
	})
}
