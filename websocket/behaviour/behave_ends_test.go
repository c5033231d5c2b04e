package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 4: ends without a close frame, and what comes behind a close frame.

// An end without a close frame is error closed: pending answers leave, then our end.
func TestHalfCloseOfPeer(t *testing.T) {
	row(t, "4.closed.end", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("a"), begin(wsframe.Text, "unfinished"))
		c.wire.CloseWrite()
		c.wantText("pending answers", "a")
		c.wantEnd("then our end")
		h.wantReason(a, "error:closed")
	})
}

func TestResetByPeer(t *testing.T) {
	row(t, "4.closed.reset", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(text("a"))
		c.wantText("echo", "a")
		c.reset()
		h.wantReason(a, "error:closed")
	})
}

// After our close frame the peer has 5 s for its end; what it sends meanwhile is dropped.
func TestLinger(t *testing.T) {
	row(t, "4.linger", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		s.Post(fromInfo{websocket.Close(1000, "")})
		c.wantCloseFrame("our close", 1000, "")
		h.wantReason(a, "stop")
		start := time.Now()
		for range 4 {
			time.Sleep(time.Second)
			c.send(text("dropped"))
		}
		if s.Context().Err() != nil {
			h.Fatal("the stream did not wait")
		}
		<-s.Context().Done()
		if d := time.Since(start); d != 5*time.Second {
			h.Fatalf("the stream was over after %v", d)
		}
		h.wantReason(a, "stop")
	})
}

// endsAfter wants the server's end at that time after start, and nothing before it.
func (c *client) endsAfter(why string, start time.Time, d time.Duration) {
	c.Helper()
	c.wantEnd(why)
	if took := time.Since(start); took != d {
		c.Fatalf("%s: the server's end came after %v, want %v", why, took, d)
	}
}

// Our end leaves with a close frame that answers the peer's, or that follows its end.
func TestOurEndWithAnswer(t *testing.T) {
	row(t, "4.linger.answer", all, func(h *house) {
		c := h.open(new(actor), nil)
		start := time.Now()
		c.send(closing(4000, ""))
		c.wantCloseFrame("the answer", 4000, "")
		c.endsAfter("with it", start, 0)
		a := inactive()
		c = h.open(a, nil)
		c.send(text("held"))
		c.wire.CloseWrite()
		a.session().Post(fromInfo{websocket.Close(4001, "")})
		c.wantCloseFrame("behind the peer's end", 4001, "")
		c.endsAfter("with it", start, 0)
	})
	row(t, "4.linger.answer", overHTTP, func(h *house) {
		_, c := h.accept(nil)
		start := time.Now()
		c.send(text("nobody reads it"), closing(4000, ""))
		c.wantCloseFrame("the answer", 4000, "")
		c.endsAfter("with it", start, 0)
	})
}

// closers are the ends at which we close first, with the code and text of the close frame.
func (h *house) closers() []struct {
	why  string
	end  func() *client
	code websocket.CloseCode
} {
	opened := func(o *websocket.Options, end func(a *actor)) func() *client {
		return func() *client {
			a := new(actor)
			c := h.open(a, o)
			a.session()
			end(a)
			return c
		}
	}
	g := new(websocket.Group)
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	h.close = append(h.close, stop)
	return []struct {
		why  string
		end  func() *client
		code websocket.CloseCode
	}{
		{"Close", opened(nil, func(a *actor) { a.s.Post(fromInfo{websocket.Close(4401, "")}) }), 4401},
		{"Stop", opened(nil, func(a *actor) { a.s.Post(fromInfo{websocket.Stop()}) }), 1000},
		{"timeout", opened(&websocket.Options{IdleTimeout: time.Second}, func(*actor) {}), 1000},
		{"Close in Init", func() *client {
			return h.open(&actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
				return append(out, websocket.Close(4401, ""))
			}}, nil)
		}, 4401},
		{"drain", opened(&websocket.Options{Group: g}, func(*actor) { go g.Shutdown(ctx) }), 1001},
	}
}

// Where we close first, our end waits for the peer's close frame or its end, 1 s at most.
func TestOurEndWhereWeCloseFirst(t *testing.T) {
	for _, r := range []struct {
		why  string
		peer func(c *client)
		want time.Duration
	}{
		{"a mute peer", func(*client) {}, time.Second},
		{"its close frame", func(c *client) { time.Sleep(300 * time.Millisecond); c.send(closing(1000, "")) }, 300 * time.Millisecond},
		{"its end", func(c *client) { time.Sleep(300 * time.Millisecond); c.wire.CloseWrite() }, 300 * time.Millisecond},
		{"messages, and no end of them", func(c *client) {
			for range 9 {
				time.Sleep(100 * time.Millisecond)
				c.send(text("dropped"), ping("dropped"))
			}
		}, time.Second},
	} {
		row(t, "4.linger.first", all, func(h *house) {
			for _, how := range h.closers() {
				c := how.end()
				c.wantCloseFrame(how.why, how.code, "")
				start := time.Now()
				r.peer(c)
				c.endsAfter(how.why+", and "+r.why, start, r.want)
			}
		})
	}
	row(t, "4.linger.first", overHTTP, func(h *house) {
		s, c := h.accept(nil)
		start := time.Now()
		go s.Close(4401, "") // ends with the stream
		c.wantCloseFrame("a Conn's", 4401, "")
		c.endsAfter("and a mute peer", start, time.Second)
	})
}

// Meanwhile frames are passed over by their headers: nothing is judged. A header that is bad ends
// the wait.
func TestOurEndSkipsFrames(t *testing.T) {
	row(t, "4.linger.skips", all, func(h *house) {
		for _, in := range [][]byte{
			bytes.Join([][]byte{text("\xff"), closing(1005, "")}, nil),
			bytes.Join([][]byte{text(strings.Repeat("x", 100)), begin(wsframe.Binary, "a"), ping("p"), closing(1000, "")}, nil),
			bytes.Join([][]byte{text("a"), {0xff, 0xff}}, nil),
			{0x81, 0}, // unmasked
		} {
			a := new(actor)
			c := h.open(a, &websocket.Options{MaxFrameSize: 10})
			a.session().Post(fromInfo{websocket.Close(4000, "")})
			c.wantCloseFrame("our close", 4000, "")
			start := time.Now()
			time.Sleep(100 * time.Millisecond)
			for i := range in { // cut anywhere
				c.send(in[i : i+1])
			}
			c.endsAfter("at the last octet", start, 100*time.Millisecond)
			h.wantReason(a, "stop")
		}
		a := inactive()
		c := h.open(a, nil)
		c.send(text("held"), closing(1000, ""))
		a.session().Post(fromInfo{websocket.Close(4000, "")})
		start := time.Now()
		c.wantCloseFrame("the peer's close frame is held", 4000, "")
		c.endsAfter("it counts", start, 0)
	})
}

// After a fault nothing is looked at; our end waits for the peer's, 250 ms at most.
func TestOurEndAfterFault(t *testing.T) {
	row(t, "4.linger.fault", all, func(h *house) {
		o := &websocket.Options{MaxFrameSize: 1000}
		crashes := func() *actor {
			return &actor{onHandle: func(websocket.Frame, websocket.Commands) websocket.Commands { panic("crash") }}
		}
		for _, fault := range []struct {
			in   []byte
			a    *actor
			code websocket.CloseCode
		}{
			{[]byte{0xff, 0xff}, new(actor), 1002},
			{text("\xff"), new(actor), 1007},
			{bytes.Join([][]byte{begin(wsframe.Text, ""), bytes.Repeat(more(""), wsframe.DefaultMaxFragments)}, nil), new(actor), 1008},
			{text(strings.Repeat("x", 1001)), new(actor), 1009},
			{text("a"), crashes(), 1011},
		} {
			for _, peer := range []struct {
				why  string
				does func(c *client)
				want time.Duration
			}{
				{"a mute peer", func(*client) {}, 250 * time.Millisecond},
				{"its close frame", func(c *client) { c.send(closing(1000, "")) }, 250 * time.Millisecond},
				{"its end", func(c *client) { time.Sleep(100 * time.Millisecond); c.wire.CloseWrite() }, 100 * time.Millisecond},
			} {
				c := h.open(fault.a, o)
				c.send(fault.in)
				c.wantCloseFrame("a fault", fault.code, "")
				start := time.Now()
				peer.does(c)
				c.endsAfter(peer.why, start, peer.want)
			}
		}
	})
	row(t, "4.linger.fault", overHTTP, func(h *house) {
		_, c := h.accept(nil)
		c.send([]byte{0xff, 0xff})
		c.wantCloseFrame("a Conn's", 1002, "")
		c.endsAfter("and a mute peer", time.Now(), 250*time.Millisecond)
	})
}

// The peer's end in time is the end of the stream.
func TestOrderlyEnd(t *testing.T) {
	row(t, "4.linger.in_time", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(closing(1000, ""))
		c.wantClose("our close", 1000, "")
		start := time.Now()
		c.wire.CloseWrite()
		<-a.s.Context().Done()
		if d := time.Since(start); d > 0 {
			h.Fatalf("the stream was over after %v", d)
		}
	})
}

// END_STREAM is ours alone; the quiet reset comes only for a peer that did not end its side in
// time.
func TestLingerHTTP2(t *testing.T) {
	row(t, "4.linger.reset", overHTTP2, func(h *house) {
		for _, ends := range []bool{true, false} {
			a := new(actor)
			c := h.open(a, nil)
			tun := c.wire.(*h2test.Tunnel)
			a.session().Post(fromInfo{websocket.Close(1000, "")})
			c.wantClose("our close, and END_STREAM behind it", 1000, "")
			if ends {
				c.wire.CloseWrite()
			}
			time.Sleep(6 * time.Second)
			c.wire.SetReadDeadline(time.Now().Add(time.Second))
			_, err := tun.Read(make([]byte, 1))
			re, reset := errors.AsType[*h2test.ResetError](err)
			if reset == ends || reset && re.Code != 0 {
				h.Fatalf("the peer ended its side: %v; then %v", ends, err)
			}
		}
	})
}

// What waits for the peer's window leaves if it opens in time, the close frame too.
func TestQueuedBehindWindow(t *testing.T) {
	row(t, "4.linger.queued", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.withhold()
		big := strings.Repeat("x", 900_000)
		s := a.session()
		start := time.Now()
		s.Post(fromInfo{websocket.Binary(big), websocket.Close(4000, "end")})
		settle()
		h.wantReason(a, "stop")
		time.Sleep(2500 * time.Millisecond)
		c.allow()
		c.want("the message", wsframe.Binary, big)
		c.wantCloseFrame("the close frame", 4000, "end")
		c.endsAfter("the wait has begun anew each second", start, 3*time.Second)
	})
	row(t, "4.linger.queued", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.withhold()
		a.session().Post(fromInfo{websocket.Binary(strings.Repeat("x", 900_000)), websocket.Close(4000, "end")})
		if h.http3() { // what is to come takes many round trips
			time.Sleep(3 * time.Second)
		} else {
			time.Sleep(4900 * time.Millisecond)
		}
		c.allow()
		c.next("the message")
		c.wantClose("late, but in time", 4000, "end")
	})
	row(t, "4.linger.queued", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{SendTimeout: -1})
		c.withhold()
		a.session().Post(fromInfo{websocket.Binary(strings.Repeat("x", 900_000)), websocket.Close(4000, "end")})
		start := time.Now()
		<-a.s.Context().Done()
		if d := time.Since(start); d != 5*time.Second {
			h.Fatalf("the stream was over after %v", d)
		}
		c.allow()
		c.wantReset("what still waits is dropped")
		h.wantReason(a, "stop")
	})
}

// Terminate runs once, whatever happened, with what ReqFilter kept; nothing runs after it.
func TestTerminate(t *testing.T) {
	row(t, "4.terminate", all, func(h *house) {
		for _, end := range []func(c *client, a *actor){
			func(c *client, _ *actor) { c.send(closing(1000, "")) },
			func(c *client, _ *actor) { c.send([]byte{0xff, 0xff}) },
			func(c *client, _ *actor) { c.wire.CloseWrite() },
			func(c *client, _ *actor) { c.reset() },
			func(_ *client, a *actor) { a.s.Post(fromInfo{websocket.Stop()}) },
			func(_ *client, a *actor) { a.s.Post(fromInfo{websocket.Close(1, "")}) },
			func(*client, *actor) { time.Sleep(time.Minute) },
		} {
			a := new(actor)
			c := h.open(a, nil)
			a.session()
			end(c, a)
			synctest.Wait()
			c.reset()
			synctest.Wait()
			a.s.Post("late")
			time.Sleep(10 * time.Second)
			if told := a.told(); len(a.reasons) != 1 || strings.Contains(told, "late") || a.reqs[0] != a.s.Request() {
				h.Fatalf("told %s", told)
			}
		}
	})
	row(t, "4.terminate.behind_close", all, func(h *house) {
		release := make(chan struct{})
		c := h.open(&crasher{crash: func() { <-release }}, nil)
		c.send(closing(1000, ""))
		c.wantClose("Terminate has not returned", 1000, "")
		close(release)
	})
	row(t, "4.no_text", all, func(h *house) {
		for _, in := range [][]byte{closing(1000, "text"), {0xff, 0xff}, text("\xff"), {0x82, 0xff, 0, 0, 0, 0, 1}} {
			c := h.open(new(actor), nil)
			c.send(in)
			if _, p := c.next("the end"); len(p) != 2 {
				h.Fatalf("close payload %q", p)
			}
		}
	})
}

// The connection's loss is error closed for each of its WebSockets.
func TestConnectionLost(t *testing.T) {
	row(t, "4.closed.lost", overHTTP, func(h *house) {
		var actors []*actor
		for range 3 {
			a := new(actor)
			c := h.open(a, nil)
			if w, ok := c.wire.(*h1wire); ok {
				defer w.Close()
				w.reset()
			}
			actors = append(actors, a)
		}
		if h.muxed() {
			h.lose()
		}
		for _, a := range actors {
			h.wantReason(a, "error:closed")
		}
	})
}

// A socket's own errors keep their names.
func TestSocketErrors(t *testing.T) {
	for name, r := range map[string]struct {
		err    error
		reason string
	}{
		"ETIMEDOUT":    {syscall.ETIMEDOUT, "error:etimedout"},
		"EHOSTUNREACH": {syscall.EHOSTUNREACH, "error:ehostunreach"},
		"EINVAL":       {syscall.EINVAL, "error:other"},
		"ECONNRESET":   {syscall.ECONNRESET, "error:closed"},
		"ECONNABORTED": {syscall.ECONNABORTED, "error:closed"},
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "4.socket_error", overHTTP1, func(h *house) {
				a := new(actor)
				h.fault = make(chan error, 1)
				h.open(a, nil)
				a.session()
				h.fault <- &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", r.err)}
				h.wantReason(a, r.reason)
			})
		})
	}
}

// A session that is given up.
func TestCut(t *testing.T) {
	row(t, "4.cut", all, func(h *house) {
		a := new(actor)
		g := new(websocket.Group)
		c := h.open(a, &websocket.Options{Group: g})
		a.onHandle = func(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }
		synctest.Wait()
		ctx, stop := context.WithCancel(context.Background())
		stop()
		d := &drainer{}
		cd := h.open(d, &websocket.Options{Group: g})
		synctest.Wait()
		if err := g.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			h.Fatal(err)
		}
		cd.wantReset("it did not end")
		h.wantReason(&d.actor, "error:closed")
		c.reset()
	})
}

// A peer that does not read: nothing could be written for SendTimeout.
func TestSendTimeout(t *testing.T) {
	for _, r := range []struct {
		id      string
		timeout time.Duration
		want    time.Duration
	}{{"4.send_timeout", 10 * time.Second, 10 * time.Second}, {"6.send_timeout", 0, 30 * time.Second}, {"6.send_timeout", -1, 0}} {
		row(t, r.id, all, func(h *house) {
			a := new(actor)
			c := h.open(a, &websocket.Options{SendTimeout: r.timeout, IdleTimeout: -1})
			c.withhold()
			s := a.session()
			start := time.Now()
			for range 10 {
				s.Post(fromInfo{websocket.Binary(strings.Repeat("x", 200<<10))})
			}
			if r.want == 0 {
				time.Sleep(time.Hour)
				if s.Context().Err() != nil {
					h.Fatal("ended by itself")
				}
				c.reset()
				return
			}
			<-s.Context().Done()
			h.wantReason(a, "error:timeout")
			if d := time.Since(start); d < r.want || d > 2*r.want+time.Second {
				h.Fatalf("after %v", d)
			}
			c.wantReset("the stream is cut")
		})
	}
}
