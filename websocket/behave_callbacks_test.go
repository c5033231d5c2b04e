package websocket_test

import (
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 2: order of callbacks.

func TestCallbackOrder(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		a.onInit = func(s *websocket.Session, out websocket.Commands) websocket.Commands {
			s.Post("posted in init")
			return append(out, websocket.Text("from init"))
		}
		c := h.open(a, nil)
		c.wantText("Init's frames come first", "from init")
		synctest.Wait()
		c.send(text("a"), ping("p"), binary("b"), pong("q"), begin(wsframe.Text, "c"), more("d"), last("e"))
		c.wantText("echo", "a")
		c.want("the stack answers the ping", wsframe.Pong, "p")
		c.want("echo", wsframe.Binary, "b")
		c.wantText("fragments arrive as one message with the type of the first", "cde")
		c.send(closing(1000, ""))
		c.wantClose("the close is answered", 1000, "")
		h.wantReason(a, "remote")
		want := "init; info posted in init; text a; ping p; binary b; pong q; text cde; terminate remote"
		if got := a.told(); got != want {
			h.Fatalf("told %s\nwant %s", got, want)
		}
	})
}

func TestFramesReceivedComeBeforePosts(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			a.s.Post("of " + string(f.Payload))
			return out
		}
		c := h.open(a, nil)
		c.send(text("1"), text("2"), text("3"))
		want := "init; text 1; text 2; text 3; info of 1; info of 2; info of 3"
		if got := a.told(); got != want {
			h.Fatalf("told %s\nwant %s", got, want)
		}
	})
}

// A second callback that blocks until the client has the first answer: that comes once it has run for 2 ms and the
// look at it, every 2 ms, has come round.
func TestSlowCallbackDoesNotHoldAnswers(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		release := make(chan struct{})
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "block" {
				<-release
			}
			return append(out, f.Reply())
		}
		c := h.open(a, nil)
		synctest.Wait()
		start := time.Now()
		c.send(text("fast"), text("block"), text("after"))
		c.wantText("the first answer does not wait for the second callback", "fast")
		if d := time.Since(start); d > 4*time.Millisecond {
			h.Fatalf("it came after %v", d)
		}
		c.wantQuiet("the second callback has not returned")
		close(release)
		c.wantText("then the others", "block")
		c.wantText("in order", "after")
	})
}

// The answer to the handshake does not wait for an Init that blocks.
func TestSlowInit(t *testing.T) {
	each(t, modes, func(h *house) {
		release := make(chan struct{})
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			<-release
			return append(out, websocket.Text("ready"))
		}}
		c := h.open(a, nil)
		c.send(text("early"))
		c.wantQuiet("nothing is read before Init returned")
		close(release)
		c.wantText("Init's frame", "ready")
		c.wantText("what came early is handled", "early")
	})
}

func TestActiveFalseFromInit(t *testing.T) {
	each(t, modes, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		c := h.open(a, nil)
		c.send(text("held"))
		c.wantQuiet("nothing is delivered")
		a.session().Post(websocket.Commands{websocket.Active(true)})
		c.wantText("what was held is handled", "held")
	})
}

// Terminate runs once, after the close frame was handed over, and nothing runs after it.
func TestNothingAfterTerminate(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("1"), closing(4000, "bye"), text("2"))
		c.wantText("what was complete before the close is answered", "1")
		c.wantClose("the code comes back, without text", 4000, "")
		r := h.wantReason(a, "remote")
		if r.Code != 4000 || r.Text != "bye" {
			h.Fatalf("reason %+v", r)
		}
		if err := a.s.Post("late"); err != websocket.ErrEnded {
			h.Fatalf("Post after the end: %v", err)
		}
		if a.s.Context().Err() == nil {
			c.wire.CloseWrite()
			synctest.Wait()
		}
		h.wantReason(a, "remote")
	})
}

func TestBacklog(t *testing.T) {
	each(t, modes, func(h *house) {
		release := make(chan struct{})
		a := &actor{onHandle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands { <-release; return out }}
		c := h.open(a, &websocket.Options{Backlog: 2})
		c.send(text("block"))
		s := a.session()
		for i := range 4 {
			want := error(nil)
			if i >= 2 {
				want = websocket.ErrBacklog
			}
			if err := s.Post(i); err != want {
				h.Fatalf("post %d: %v, want %v", i, err, want)
			}
		}
		close(release)
		if got := a.told(); got != "init; text block; info 0; info 1" {
			h.Fatal(got)
		}
		if err := s.Post("again"); err != nil {
			h.Fatal("there is room again:", err)
		}
	})
}

func TestContext(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		ctx := a.session().Context()
		if ctx.Err() != nil {
			h.Fatal("it ended with the request")
		}
		c.reset()
		synctest.Wait()
		if ctx.Err() == nil {
			h.Fatal("it outlives the stream")
		}
	})
}
