package behaviour_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 2: order of callbacks.

func TestCallbackOrder(t *testing.T) {
	row(t, "2.order", all, func(h *house) {
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
	row(t, "2.own_posts", all, func(h *house) {
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

// A second callback that blocks until the client has the first answer: that comes once it has run
// for 2 ms and the look at it, every 2 ms, has come round.
func TestSlowCallbackDoesNotHoldAnswers(t *testing.T) {
	row(t, "2.not_held_up", all, func(h *house) {
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
	row(t, "2.slow_init", all, func(h *house) {
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
	row(t, "2.init_inactive", all, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		c := h.open(a, nil)
		c.send(text("held"))
		c.wantQuiet("nothing is delivered")
		a.session().Post(fromInfo{websocket.Active(true)})
		c.wantText("what was held is handled", "held")
	})
}

// frames and posts of one turn, and what comes while it runs.
func TestTurns(t *testing.T) {
	row(t, "2.frames_first", all, func(h *house) {
		a := new(actor)
		release := make(chan struct{})
		a.onInfo = func(msg any, out websocket.Commands) websocket.Commands {
			if msg == "block" {
				<-release
			}
			return out
		}
		c := h.open(a, nil)
		a.session().Post("block")
		synctest.Wait()
		c.send(text("1"), text("2"), ping("3"))
		synctest.Wait()
		a.s.Post("posted")
		close(release)
		want := "init; info block; text 1; text 2; ping 3; info posted"
		if got := a.told(); got != want {
			h.Fatalf("told %s\nwant %s", got, want)
		}
	})
	row(t, "2.posts_before_later", all, func(h *house) {
		a := new(actor)
		release := make(chan struct{})
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "1" {
				a.s.Post("posted")
				a.s.Post("and another")
			}
			return out
		}
		a.onInfo = func(msg any, out websocket.Commands) websocket.Commands {
			if msg == "posted" {
				<-release
			}
			return out
		}
		c := h.open(a, nil)
		c.send(text("1"), text("2"))
		synctest.Wait()
		c.send(text("later"))
		synctest.Wait()
		close(release)
		want := "init; text 1; text 2; info posted; info and another; text later"
		if got := a.told(); got != want {
			h.Fatalf("told %s\nwant %s", got, want)
		}
	})
	row(t, "2.turn_bound", all, func(h *house) {
		const n = 1000 // more than a turn's bound
		a := new(actor)
		c := h.open(a, nil)
		var in [][]byte
		for i := range n {
			in = append(in, text(strconv.Itoa(i)))
		}
		c.send(in...)
		for i := range n {
			c.wantText("in order", strconv.Itoa(i))
		}
	})
	row(t, "2.after_init", all, func(h *house) {
		release := make(chan struct{})
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands { <-release; return out }}
		c := h.open(a, nil)
		c.send(text("early"))
		if got := a.told(); got != "init" {
			h.Fatal(got)
		}
		close(release)
		c.wantText("then it is read", "early")
	})
}

func TestWhatHandleSees(t *testing.T) {
	row(t, "2.types", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("a"), ping("p"), binary("b"), pong("q"), closing(1000, ""))
		if got := a.told(); got != "init; text a; ping p; binary b; pong q; terminate remote" {
			h.Fatal(got)
		}
	})
	row(t, "2.reassembled", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(begin(wsframe.Binary, "a"), more(""), ping(""), more("b"), last(""), begin(wsframe.Text, ""), last(""))
		if got := a.told(); got != "init; ping ; binary ab; text " {
			h.Fatal(got)
		}
	})
	row(t, "2.pong_first", all, func(h *house) {
		a := new(actor)
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text("seen"))
		}
		c := h.open(a, nil)
		c.send(ping("payload"))
		c.want("the stack's pong", wsframe.Pong, "payload")
		c.wantText("then the handler's answer", "seen")
	})
	row(t, "2.own_affairs", all, func(h *house) {
		a := new(actor)
		g := new(websocket.Group)
		c := h.open(a, &websocket.Options{PingInterval: time.Second, IdleTimeout: -1, Group: g})
		c.want("a timer's ping", wsframe.Ping, "")
		c.send(ping("p"), pong("q"))
		c.want("a pong", wsframe.Pong, "p")
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		go g.Shutdown(ctx) // ends with ctx
		c.wantCloseFrame("a drain", 1001, "")
		c.wire.CloseWrite()
		if got := a.told(); strings.Contains(got, "info") {
			h.Fatal(got)
		}
	})
	row(t, "2.one_list", all, func(h *house) {
		a := new(actor)
		writes := 0
		o := &websocket.Options{Trace: func(e websocket.Event) {
			if e.Kind == websocket.EventFrame && e.Sent {
				writes++
			}
		}}
		c := h.open(a, o)
		a.session().Post(fromInfo{websocket.Text("1"), websocket.Binary("2"), websocket.Ping("3"), websocket.Text("4")})
		synctest.Wait()
		c.more()
		want := string([]byte{0x81, 1, '1', 0x82, 1, '2', 0x89, 1, '3', 0x81, 1, '4'})
		if string(c.in) != want || writes != 4 {
			h.Fatalf("one read gives %x, want %x", c.in, want)
		}
		c.in = nil
	})
}

// Terminate runs once, after the close frame was handed over, and nothing runs after it.
func TestNothingAfterTerminate(t *testing.T) {
	row(t, "4.remote.code", all, func(h *house) {
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
