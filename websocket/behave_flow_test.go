package websocket_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6 and 7: options, flow control, HTTP/2.

// A peer that sends to a paused session is stopped: at the window on HTTP/2, by the socket on HTTP/1.1. After
// Active(true) all arrives, in order, once.
func TestPausedPeerIsStopped(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		const size, n = 1000, 1000
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		var got []string
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			got = append(got, string(f.Payload[:4]))
			return out
		}
		c := h.open(a, &websocket.Options{Window: 100_000, IdleTimeout: -1})
		sent := 0
		done := make(chan error, 1)
		go func() { // ends when all is sent
			for i := range n {
				b := binary(string([]byte{byte('0' + i/1000), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)}) + strings.Repeat("x", size-4))
				if _, err := c.wire.Write(b); err != nil {
					done <- err
					return
				}
				sent += len(b)
			}
			done <- nil
		}()
		synctest.Wait()
		most := 100_000
		if !h.http2() {
			most += 3 * 64 << 10 // what the two ends of the socket hold, and a TLS record
		}
		if sent > most || sent < most/2 {
			h.Fatalf("the peer could send %d octets", sent)
		}
		if h.http2() { // others do not notice
			other := h.open(new(actor), nil)
			other.send(text("alive"))
			other.wantText("a sibling", "alive")
		}
		a.s.Post(websocket.Commands{websocket.Active(true)})
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		synctest.Wait()
		if len(got) != n {
			h.Fatalf("%d messages arrived", len(got))
		}
		for i := 1; i < n; i++ {
			if got[i-1] >= got[i] {
				h.Fatalf("%s before %s", got[i-1], got[i])
			}
		}
	})
}

// A message larger than the window passes.
func TestMessageLargerThanWindow(t *testing.T) {
	each(t, modes, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		big := strings.Repeat("x", 900_000)
		go c.wire.Write(text(big)) // ends when all is sent
		c.wantText("echo", big)
	})
}

// Frames may be cut over DATA frames and packets in any way.
func TestCutAnywhere(t *testing.T) {
	each(t, modes, func(h *house) {
		c := h.open(new(actor), nil)
		for _, f := range [][]byte{text("hello"), ping("p"), begin(wsframe.Binary, "a"), last("b"), text("")} {
			for i := range f {
				c.send(f[i : i+1])
				synctest.Wait()
			}
		}
		c.wantText("echo", "hello")
		c.want("pong", wsframe.Pong, "p")
		c.want("echo", wsframe.Binary, "ab")
		c.wantText("echo", "")
	})
}

// The first frames may come with the request, in one segment.
func TestFramesBehindTheRequest(t *testing.T) {
	each(t, []string{"h1", "h1tls"}, func(h *house) {
		h.handler = new(actor)
		nc := h.dial()
		resp, rest := h.upgrade(nc, upgradeRequest+string(text("early"))+string(text("bird")))
		if resp.StatusCode != 101 {
			h.Fatal(resp.Status)
		}
		c := &client{house: h, wire: &h1wire{Conn: nc, r: rest}}
		c.wantText("kept", "early")
		c.wantText("kept", "bird")
	})
}

func TestReqFilterAndContext(t *testing.T) {
	each(t, overHTTP, func(h *house) {
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
		if h.http2() {
			want.Method, want.Version, want.Host = "CONNECT", "2", p.Host
		}
		if *p != want || p.Peer == "" || h.http2() != (p.Stream != 0) {
			h.Fatalf("got %+v\nwant %+v", *p, want)
		}
	})
}

// A connection with a live WebSocket is not idled out by an HTTP timer, and WebSockets have no HTTP deadlines.
func TestHTTPTimersDoNotTouchWebSockets(t *testing.T) {
	timers := func(srv *http.Server) {
		srv.IdleTimeout, srv.ReadTimeout, srv.WriteTimeout = time.Second, time.Second, time.Second
	}
	eachWith(t, overHTTP, timers, func(h *house) {
		c := h.open(new(actor), &websocket.Options{IdleTimeout: -1})
		time.Sleep(time.Hour)
		c.send(text("alive"))
		c.wantText("echo", "alive")
	})
}

// A GOAWAY of the peer: existing WebSockets go on, the connection closes after the last.
func TestPeerGoesAway(t *testing.T) {
	each(t, []string{"h2c", "h2"}, func(h *house) {
		a, b := new(actor), new(actor)
		ca, cb := h.open(a, nil), h.open(b, nil)
		h.peer().Send("GOAWAY 0 NO_ERROR")
		synctest.Wait()
		for _, c := range []*client{ca, cb} {
			c.send(text("alive"), closing(1000, ""))
			c.wantText("goes on", "alive")
			c.wantClose("to its own end", 1000, "")
			c.wire.CloseWrite()
		}
		synctest.Wait()
		if h.peer().Err() == nil {
			h.Fatal("the connection outlives its last WebSocket")
		}
	})
}

// The connection's loss is error closed for each of its WebSockets.
func TestConnectionLost(t *testing.T) {
	each(t, []string{"h2c", "h2"}, func(h *house) {
		var actors []*actor
		for range 3 {
			a := new(actor)
			h.open(a, nil)
			actors = append(actors, a)
		}
		h.peer().Close()
		for _, a := range actors {
			h.wantReason(a, "error:closed")
		}
	})
}

// A plain http.Server.Shutdown drains, too.
func TestPlainShutdownDrains(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- h.srv.Shutdown(context.Background()) }() // ends when HTTP/2 connections have
		c.wantClose("drained", 1001, "")
		c.wire.CloseWrite()
		h.wantReason(a, "stop")
		if err := <-done; err != nil {
			h.Fatal(err)
		}
	})
}

// An entry in TLSNextProto that is there already is an error.
func TestConfigureServerTwice(t *testing.T) {
	srv := new(http.Server)
	if _, err := websocket.ConfigureServer(srv, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := websocket.ConfigureServer(srv, nil); err == nil || errors.Is(err, http.ErrServerClosed) {
		t.Fatal("no error")
	}
}
