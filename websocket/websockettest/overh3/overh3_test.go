package overh3_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/websocket"
	"weir/websocket/websockettest"
	"weir/websocket/websockettest/overh3"
)

// clock says the time each minute, and what it hears.
type clock struct {
	tick *time.Timer
}

func (c *clock) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	c.tick = time.AfterFunc(time.Minute, func() {
		s.Post("tick")
		c.tick.Reset(time.Minute)
	})
	return append(out, websocket.Text(fmt.Sprint("HTTP/", s.Request().Version)))
}

func (c *clock) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func (c *clock) Info(msg any, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text(msg.(string)))
}

func (c *clock) Terminate(websocket.Reason, *websocket.PartialRequest) { c.tick.Stop() }

func handler(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
	if r.URL.Path != "/clock" {
		http.NotFound(w, r)
		return nil, nil
	}
	return new(clock), &websocket.Options{Subprotocols: []string{"tick"}, Compress: true, IdleTimeout: 10 * time.Minute}
}

// TestH3: the verbs of a peer, over HTTP/3.
func TestH3(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		host := websockettest.Serve(t, tr, websocket.Handle(handler))
		if resp := host.WantRefused(websockettest.Request{}, 404); resp.ProtoMajor != 3 {
			t.Error(resp.Proto)
		}
		open := func() *websockettest.Peer {
			p := host.Open(websockettest.Request{Path: "/clock", Subprotocols: []string{"tock", "tick"}, Extensions: "permessage-deflate"})
			p.WantText("HTTP/3")
			return p
		}
		p := open()
		if p.Subprotocol() != "tick" || p.Extensions() != "permessage-deflate" {
			t.Error(p.Subprotocol(), p.Extensions())
		}
		p.SendText("hello")
		p.WantText("hello")
		p.WantSilence(59 * time.Second)
		p.WantText("tick")
		p.Close(4000, "bye")
		if r := p.WantReason("remote"); r.Code != 4000 || r.Text != "bye" {
			t.Error(r)
		}

		p = open()
		p.Reset()
		p.WantReason("error:closed")

		p = open()
		p.CloseWrite()
		p.WantEnd()
		p.WantReason("error:closed")

		p = open()
		p.Session().Cut()
		p.WantReset()

		p = host.Open(websockettest.Request{Path: "/clock"}) // compressed, a megabyte would be little
		p.WantText("HTTP/3")
		p.Pause()
		long := strings.Repeat("x", 10_000)
		for range 100 {
			p.SendText(long)
		}
		p.WantSilence(time.Second)
		if p.Unsent() == 0 {
			t.Error("a megabyte was taken, though its echo is not read")
		}
		p.Resume()
		for range 100 {
			p.WantText(long)
		}

		p.Drain()
		p.WantClose(1001, "")
		p.WantReason("stop")
	}, overh3.H3)
}

// TestH3Lose: a network that is lost.
func TestH3Lose(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Serve(t, tr, websocket.Handle(handler)).Open(websockettest.Request{Path: "/clock"})
		p.WantText("HTTP/3")
		p.Lose()
		p.WantReason("error:closed")
	}, overh3.H3)
}
