package behaviour_test

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
	row(t, "3.frames", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		long := strings.Repeat("x", 65536)
		a.session().Post(fromInfo{websocket.Text("t"), websocket.Text([]byte("u")), websocket.Binary(long), websocket.Ping("p"), websocket.Pong("")})
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
	long := strings.Repeat("x", 126)
	refused := func(c websocket.Command) websocket.Commands {
		return websocket.Commands{websocket.Text("no"), websocket.ShutdownReason("no"), c}
	}
	for _, r := range []struct {
		id, name string
		cmds     websocket.Commands
		code     websocket.CloseCode
		text     string
		reason   string
		shutdown any
	}{
		{id: "3.close.empty", name: "empty", cmds: websocket.Commands{websocket.Close(0, "")}, reason: "stop"},
		{id: "3.close.code", name: "code", cmds: websocket.Commands{websocket.Close(1003, "")}, code: 1003, reason: "stop"},
		{id: "3.close.code", name: "text", cmds: websocket.Commands{websocket.Close(4000, "bye")}, code: 4000, text: "bye", reason: "stop"},
		{id: "3.close.code", name: "text_123", cmds: websocket.Commands{websocket.Close(1014, long[:123])}, code: 1014, text: long[:123], reason: "stop"},
		{id: "3.close.drops_rest", name: "frames", cmds: websocket.Commands{websocket.Close(1000, ""), websocket.Text("no")}, code: 1000, reason: "stop"},
		{id: "3.close.drops_rest", name: "what_cannot_be_sent", cmds: websocket.Commands{websocket.Close(1000, ""), websocket.Close(1, "")}, code: 1000, reason: "stop"},
		{id: "3.stop", name: "stop", cmds: websocket.Commands{websocket.Stop(), websocket.Text("no"), websocket.Ping(long)}, code: 1000, reason: "stop"},
		{id: "4.stop", name: "stop", cmds: websocket.Commands{websocket.Stop()}, code: 1000, reason: "stop"},
		{id: "4.stop", name: "close", cmds: websocket.Commands{websocket.Close(1008, "why")}, code: 1008, text: "why", reason: "stop"},
		{id: "3.shutdown_reason", name: "stop", cmds: websocket.Commands{websocket.ShutdownReason(7), websocket.Stop()}, code: 1000, reason: "stop", shutdown: 7},
		{id: "3.shutdown_reason", name: "last_counts", cmds: websocket.Commands{websocket.ShutdownReason(7), websocket.ShutdownReason(8), websocket.Close(0, "")}, reason: "stop", shutdown: 8},
		{id: "3.shutdown_reason", name: "behind_close", cmds: websocket.Commands{websocket.Close(1000, ""), websocket.ShutdownReason("no")}, code: 1000, reason: "stop"},
		{id: "3.shutdown_reason", name: "crash", cmds: refused(websocket.Ping(long)), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "ping_126", cmds: refused(websocket.Ping(long)), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "pong_126", cmds: refused(websocket.Pong(long)), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "prepared_ping_126", cmds: refused(websocket.SendPrepared(websocket.Prepare(websocket.PingFrame, long))), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "code_1005", cmds: refused(websocket.Close(1005, "")), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "code_2999", cmds: refused(websocket.Close(2999, "")), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "text_124", cmds: refused(websocket.Close(1000, long[:124])), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "text_utf8", cmds: refused(websocket.Close(1000, "\xff")), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "text_without_code", cmds: refused(websocket.Close(0, "x")), code: 1011, reason: "crash:error"},
		{id: "3.cannot_be_sent", name: "no_frame_type", cmds: refused(websocket.Frame{Type: 3}.Reply()), code: 1011, reason: "crash:error"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, all, func(h *house) {
				a := new(actor)
				c := h.open(a, nil)
				a.session().Post(fromInfo(r.cmds))
				c.wantClose("the list's end", r.code, r.text)
				if got := h.wantReason(a, r.reason); got.Shutdown != r.shutdown {
					h.Fatalf("shutdown %v, want %v", got.Shutdown, r.shutdown)
				}
			})
		})
	}
}

// ShutdownReason goes with every end but a crash.
func TestShutdownReasonAtOtherEnds(t *testing.T) {
	row(t, "3.shutdown_reason", all, func(h *house) {
		for _, r := range []struct {
			end    func(c *client)
			reason string
		}{
			{func(c *client) { c.send(closing(1000, "")) }, "remote"},
			{func(c *client) { c.send([]byte{0xff, 0xff}) }, "error:badframe"},
			{func(c *client) { c.wire.CloseWrite() }, "error:closed"},
			{func(c *client) { c.reset() }, "error:closed"},
			{func(c *client) { time.Sleep(time.Minute) }, "timeout"},
		} {
			a := new(actor)
			c := h.open(a, nil)
			a.session().Post(fromInfo{websocket.ShutdownReason("why")})
			synctest.Wait()
			r.end(c)
			if got := h.wantReason(a, r.reason); got.Shutdown != "why" {
				h.Fatalf("%s: shutdown %v", r.reason, got.Shutdown)
			}
		}
	})
}

func TestSetOptions(t *testing.T) {
	row(t, "3.set_options.idle", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		time.Sleep(30 * time.Second)
		s.Post(fromInfo{websocket.SetOptions(websocket.Changes{IdleTimeout: 40 * time.Second})})
		synctest.Wait()
		start := time.Now()
		c.wantCloseFrame("the timer started anew", 1000, "")
		if d := time.Since(start); d != 40*time.Second {
			h.Fatalf("after %v", d)
		}
		h.wantReason(a, "timeout")
	})
	row(t, "3.set_options.idle", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		a.session().Post(fromInfo{websocket.SetOptions(websocket.Changes{IdleTimeout: -1})})
		time.Sleep(time.Hour)
		c.send(text("still there"))
		c.wantText("no timeout", "still there")
	})
	row(t, "3.set_options.size", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		a.session().Post(fromInfo{websocket.SetOptions(websocket.Changes{MaxFrameSize: 5})})
		synctest.Wait()
		c.send(text("12345"), text("123456"))
		c.wantText("up to the limit", "12345")
		c.wantClose("over the limit", 1009, "")
		h.wantReason(a, "error:badsize")
	})
}

// Hibernate changes nothing that a peer sees.
func TestHibernate(t *testing.T) {
	row(t, "3.hibernate", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		a.session().Post(fromInfo{websocket.Text("good night"), websocket.Hibernate()})
		c.wantText("its list is sent", "good night")
		c.send(begin(wsframe.Text, "aw"))
		synctest.Wait()
		a.s.Post(fromInfo{websocket.Hibernate()})
		synctest.Wait()
		c.send(last("ake"))
		c.wantText("an event wakes it, a message in the middle goes on", "awake")
	})
}

func TestNothingReturned(t *testing.T) {
	row(t, "3.nothing", all, func(h *house) {
		a := &actor{
			onInit:   func(*websocket.Session, websocket.Commands) websocket.Commands { return nil },
			onHandle: func(websocket.Frame, websocket.Commands) websocket.Commands { return nil },
			onInfo:   func(any, websocket.Commands) websocket.Commands { return websocket.Commands{{}} },
		}
		c := h.open(a, nil)
		a.session().Post("x")
		synctest.Wait()
		c.send(text("x"))
		c.wantQuiet("nothing is sent")
		if got := a.told(); got != "init; info x; text x" {
			h.Fatal(got)
		}
	})
	row(t, "3.not_checked", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		a.session().Post(fromInfo{websocket.Text("\xff")})
		c.wantText("as it is", "\xff")
	})
}
