package websocket_test

import (
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
		s.Post(websocket.Commands{websocket.Close(1000, "")})
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

// END_STREAM is ours alone; the quiet reset comes only for a peer that did not end its side in time.
func TestLingerHTTP2(t *testing.T) {
	row(t, "4.linger.reset", overHTTP2, func(h *house) {
		for _, ends := range []bool{true, false} {
			a := new(actor)
			c := h.open(a, nil)
			tun := c.wire.(*h2test.Tunnel)
			a.session().Post(websocket.Commands{websocket.Close(1000, "")})
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
		a.session().Post(websocket.Commands{websocket.Binary(big), websocket.Close(4000, "end")})
		settle()
		h.wantReason(a, "stop")
		time.Sleep(4 * time.Second)
		c.allow()
		c.want("the message", wsframe.Binary, big)
		c.wantClose("the close frame", 4000, "end")
	})
	row(t, "4.linger.queued", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{SendTimeout: -1})
		c.withhold()
		a.session().Post(websocket.Commands{websocket.Binary(strings.Repeat("x", 900_000)), websocket.Close(4000, "end")})
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
			func(_ *client, a *actor) { a.s.Post(websocket.Commands{websocket.Stop()}) },
			func(_ *client, a *actor) { a.s.Post(websocket.Commands{websocket.Close(1, "")}) },
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
		if h.http2() {
			h.peer().Close()
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
				s.Post(websocket.Commands{websocket.Binary(strings.Repeat("x", 200<<10))})
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
