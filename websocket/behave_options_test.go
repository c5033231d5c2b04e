package websocket_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6: options.

func TestIdleTimeout(t *testing.T) {
	row(t, "6.idle.restarts", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{IdleTimeout: 10 * time.Second})
		s := a.session()
		time.Sleep(9 * time.Second)
		c.send(pong("")) // any octet restarts it
		synctest.Wait()
		start := time.Now()
		for range 9 {
			time.Sleep(time.Second)
			s.Post(fromInfo{websocket.Text("sends and posts do not")})
			c.wantText("posted", "sends and posts do not")
		}
		c.wantCloseFrame("idle", 1000, "")
		if d := time.Since(start); d != 10*time.Second {
			h.Fatalf("after %v", d)
		}
		h.wantReason(a, "timeout")
	})
}

func TestIdle(t *testing.T) {
	for _, id := range []string{"6.idle", "4.idle"} {
		row(t, id, all, func(h *house) {
			a := new(actor)
			c := h.open(a, nil)
			a.session()
			start := time.Now()
			c.wantCloseFrame("the default", 1000, "")
			if d := time.Since(start); d != time.Minute {
				h.Fatalf("after %v", d)
			}
			h.wantReason(a, "timeout")
			b := new(actor)
			c = h.open(b, &websocket.Options{IdleTimeout: -1})
			time.Sleep(24 * time.Hour)
			c.send(text("still there"))
			c.wantText("none", "still there")
		})
	}
	// A callback is busy when the time comes; what arrived before it returns counts.
	row(t, "6.idle.octets_win", all, func(h *house) {
		release := make(chan struct{})
		a := &actor{onHandle: func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "block" {
				<-release
			}
			return append(out, f.Reply())
		}}
		c := h.open(a, &websocket.Options{IdleTimeout: 10 * time.Second})
		c.send(text("block"))
		time.Sleep(9 * time.Second)
		c.send(text("in time"))
		time.Sleep(2 * time.Second)
		close(release)
		c.wantText("no timeout", "block")
		c.wantText("no timeout", "in time")
		c.wantClose("then it counts anew", 1000, "")
	})
	row(t, "6.idle.empty_data", overMuxed, func(h *house) {
		a, b := new(actor), new(actor)
		o := &websocket.Options{IdleTimeout: 10 * time.Second}
		c, other := h.open(a, o), h.open(b, o)
		a.session()
		start := time.Now()
		for range 3 {
			time.Sleep(9 * time.Second)
			if h.http3() {
				mode3.empty(c.wire)
				continue
			}
			h.peer().Send(fmt.Sprintf("DATA %d", c.wire.(*h2test.Tunnel).ID), "PING")
		}
		c.wantCloseFrame("10 s after the last", 1000, "")
		if d := time.Since(start); d != 37*time.Second {
			h.Fatalf("after %v", d)
		}
		other.want("frames of another stream do not count", wsframe.Close, "\x03\xe8")
		h.wantReason(b, "timeout")
	})
}

func TestIdleTimeoutRunsWhileInactive(t *testing.T) {
	row(t, "6.idle.inactive", all, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		c := h.open(a, nil)
		c.send(text("held"))
		c.wantClose("the default is 60 s", 1000, "")
		h.wantReason(a, "timeout")
		if got := a.told(); got != "init; terminate timeout" {
			h.Fatal(got)
		}
	})
}

func TestPingInterval(t *testing.T) {
	row(t, "6.ping_interval", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{PingInterval: 20 * time.Second})
		synctest.Wait()
		start := time.Now()
		c.want("first", wsframe.Ping, "")
		c.want("second", wsframe.Ping, "")
		if d := time.Since(start); d != 40*time.Second {
			h.Fatalf("two pings after %v", d)
		}
		c.send(pong(""))
		c.want("third", wsframe.Ping, "")
		if d := time.Since(start); d != 60*time.Second {
			h.Fatalf("the third after %v", d)
		}
	})
}

// A ping comes no later than half of the idle timeout, whatever changes that: a peer that answers
// its pings lives.
func TestPingWithinIdleTimeout(t *testing.T) {
	row(t, "6.ping_interval.half", all, func(h *house) {
		for _, r := range []struct {
			ping, idle, changed, want time.Duration
		}{
			{time.Minute, time.Minute, 0, 30 * time.Second},
			{time.Hour, 10 * time.Second, 0, 5 * time.Second},
			{8 * time.Second, 10 * time.Second, 0, 5 * time.Second},
			{time.Hour, 0, 0, 30 * time.Second},                // the default
			{time.Hour, -1, 10 * time.Second, 5 * time.Second}, // SetOptions begins it
			{time.Hour, time.Minute, 10 * time.Second, 5 * time.Second},
			{20 * time.Second, 10 * time.Second, time.Hour, 20 * time.Second},
			{20 * time.Second, 10 * time.Second, -1, 20 * time.Second},
		} {
			a := new(actor)
			c := h.open(a, &websocket.Options{PingInterval: r.ping, IdleTimeout: r.idle})
			s := a.session()
			start := time.Now()
			if r.changed != 0 {
				s.Post(fromInfo{websocket.SetOptions(websocket.Changes{IdleTimeout: r.changed})})
				synctest.Wait()
			}
			for n := range 3 {
				c.want("a ping", wsframe.Ping, "")
				if d := time.Since(start); d != time.Duration(n+1)*r.want {
					h.Fatalf("%+v: ping %d after %v", r, n, d)
				}
				c.send(pong(""))
				synctest.Wait()
			}
			if a.reasons != nil {
				h.Fatalf("%+v: a peer that lives was given up", r)
			}
			c.send(closing(1000, ""))
			c.wantClose("bye", 1000, "")
		}
	})
}

// The same for a Conn, on both sides: a peer that lives is never idle.
func TestConnPingWithinIdleTimeout(t *testing.T) {
	for _, dialled := range []bool{false, true} {
		each(t, overTCP, func(h *house) {
			quiet := &websocket.Options{IdleTimeout: -1}
			pings := &websocket.Options{PingInterval: time.Hour, IdleTimeout: time.Minute}
			server, client := pings, quiet
			if dialled {
				server, client = quiet, pings
			}
			accepted := make(chan *websocket.Conn, 1)
			h.mux.HandleFunc("/pings", func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, server)
				if err != nil {
					h.Error(err)
				}
				accepted <- c
			})
			c, _, err := h.dialer().Dial(background, h.url("/pings"), &websocket.DialOptions{Options: *client})
			if err != nil {
				h.Fatal(err)
			}
			s := <-accepted
			pinging := s
			if dialled {
				pinging = c
			}
			time.Sleep(time.Hour)
			if err := pinging.SetIdleTimeout(time.Second); err != nil {
				h.Fatal(err)
			}
			time.Sleep(time.Minute)
			if err := pinging.SetIdleTimeout(time.Minute); err != nil {
				h.Fatal("after a change:", err)
			}
			time.Sleep(time.Hour)
			if err := c.Close(1000, ""); err != nil {
				h.Fatal(err)
			}
		})
	}
}

func TestBacklog(t *testing.T) {
	row(t, "6.backlog", all, func(h *house) {
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

func TestReqFilterAndContext(t *testing.T) {
	row(t, "6.req_filter", overHTTP, func(h *house) {
		type key struct{}
		a := new(actor)
		c := h.open(a, &websocket.Options{
			Context:   context.WithValue(context.Background(), key{}, "value"),
			ReqFilter: func(r *http.Request, p *websocket.PartialRequest) { p.Extra = r.Header.Get("Sec-WebSocket-Version") },
		})
		if v := a.session().Context().Value(key{}); v != "value" {
			h.Fatal(v)
		}
		c.send(closing(1000, ""))
		c.wantClose("bye", 1000, "")
		h.wantReason(a, "remote")
		p := a.reqs[0]
		want := websocket.PartialRequest{Method: "GET", Version: "1.1", Scheme: "http", Host: "weir.test", Port: 80, Path: "/", Peer: p.Peer, Stream: p.Stream, Extra: "13"}
		if h.tls() {
			want.Scheme, want.Port = "https", 443
		}
		if h.muxed() {
			want.Method, want.Version, want.Host = "CONNECT", h.mode[1:2], p.Host
		}
		if *p != want || p.Peer == "" || h.http2() != (p.Stream != 0) { // the first stream of QUIC is 0
			h.Fatalf("got %+v\nwant %+v", *p, want)
		}
	})
}

func TestContext(t *testing.T) {
	row(t, "6.context", overHTTP, func(h *house) {
		a := new(actor)
		type key struct{}
		c := h.open(a, &websocket.Options{Context: context.WithValue(context.Background(), key{}, "value")})
		if v := a.session().Context().Value(key{}); v != "value" {
			h.Fatal(v)
		}
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

func TestMaxFrameSize(t *testing.T) {
	row(t, "6.max_frame_size", all, func(h *house) {
		for _, in := range [][][]byte{
			{binary(strings.Repeat("x", 1_000_001))},
			{begin(wsframe.Binary, strings.Repeat("x", 600_000)), last(strings.Repeat("x", 400_001))},
		} {
			a := new(actor)
			c := h.open(a, nil)
			fits := strings.Repeat("x", 1_000_000)
			go func() { // ends when all is taken, or with the stream
				c.wire.Write(begin(wsframe.Binary, fits))
				c.wire.Write(bytes.Join(append([][]byte{last("")}, in...), nil))
			}()
			c.want("as much as may be", wsframe.Binary, fits)
			c.wantClose("an octet more", 1009, "")
			h.wantReason(a, "error:badsize")
		}
	})
}
