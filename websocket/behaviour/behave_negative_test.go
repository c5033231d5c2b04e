package behaviour_test

import (
	"bytes"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6: a negative option is none or off, and the largest value is no smaller than others.
func TestNegativeOptions(t *testing.T) {
	much := strings.Repeat("x", 3_000_000)
	for _, option := range []struct {
		name string
		o    websocket.Options
		body func(h *house, a *actor, c *client)
	}{
		{"IdleTimeout", websocket.Options{IdleTimeout: -1}, stays},
		{"PingInterval", websocket.Options{PingInterval: -1, IdleTimeout: -1}, stays},
		{"SendTimeout", websocket.Options{SendTimeout: -1, IdleTimeout: -1}, func(h *house, a *actor, c *client) {
			c.withhold()
			a.session().Post(fromInfo{websocket.Binary(much)})
			time.Sleep(24 * time.Hour)
			if told := a.told(); told != "init; info" {
				h.Fatal(told)
			}
			c.allow()
			c.want("it arrives", wsframe.Binary, much)
		}},
		{"MaxFrameSize", websocket.Options{MaxFrameSize: -1}, func(_ *house, _ *actor, c *client) {
			go c.wire.Write(binary(much)) // ends when it is taken
			c.want("the echo", wsframe.Binary, much)
		}},
		{"Window", websocket.Options{Window: -1}, func(_ *house, _ *actor, c *client) {
			go c.wire.Write(binary(much[:200_000])) // ends when it is taken
			c.want("the echo", wsframe.Binary, much[:200_000])
		}},
		{"SendHigh", websocket.Options{SendHigh: -1}, func(h *house, a *actor, c *client) {
			c.withhold()
			s := a.session()
			for range 3 {
				s.Post(fromInfo{websocket.Binary(much)})
			}
			time.Sleep(time.Second) // a Send waits for a moment where a Write may block
			if told := a.told(); told != "init; info; info; info" {
				h.Fatal(told)
			}
			c.allow()
			for range 3 {
				c.want("all arrive", wsframe.Binary, much)
			}
		}},
		{"Backlog", websocket.Options{Backlog: -1}, manyPosts},
		{"Backlog of the most there is", websocket.Options{Backlog: math.MaxInt}, manyPosts},
	} {
		row(t, "6.negative", all, func(h *house) {
			a := new(actor)
			c := h.open(a, &option.o)
			h.Log(option.name)
			option.body(h, a, c)
			c.send(closing(1000, ""))
			c.wantClose("bye", 1000, "")
			h.wantReason(a, "remote")
		})
	}
}

// stays: nothing ends the session, and nothing is sent.
func stays(_ *house, a *actor, c *client) {
	a.session()
	time.Sleep(24 * time.Hour)
	c.send(text("still there"))
	c.wantText("nothing came before", "still there")
}

func manyPosts(h *house, a *actor, c *client) {
	release := make(chan struct{})
	a.onHandle = func(_ websocket.Frame, out websocket.Commands) websocket.Commands { <-release; return out }
	c.send(text("block"))
	s := a.session()
	for i := range 2 * websocket.DefaultBacklog {
		if err := s.Post(i); err != nil {
			h.Fatalf("post %d: %v", i, err)
		}
	}
	close(release)
}

// SetIdleTimeout takes zero for the default, as Options do: none for a client.
func TestSetIdleTimeoutZero(t *testing.T) {
	each(t, overTCP, func(h *house) {
		s, c := h.accept(&websocket.Options{IdleTimeout: -1})
		if err := s.SetIdleTimeout(0); err != nil {
			h.Fatal(err)
		}
		start := time.Now()
		c.wantCloseFrame("the default", 1000, "")
		if d := time.Since(start); d != websocket.DefaultIdleTimeout {
			h.Errorf("after %v", d)
		}
		h.handler, h.opts = new(actor), &websocket.Options{IdleTimeout: -1}
		d, _, err := h.dialer().Dial(background, h.url("/"), &websocket.DialOptions{Options: websocket.Options{IdleTimeout: time.Minute}})
		if err != nil {
			h.Fatal(err)
		}
		if err := d.SetIdleTimeout(0); err != nil {
			h.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if err := d.Close(1000, ""); err != nil {
			h.Error(err)
		}
	})
}

// CompressThreshold: negative is none.
func TestNegativeCompressThreshold(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		h.offer = "permessage-deflate"
		c := h.open(new(actor), &websocket.Options{Compress: true, CompressThreshold: -1})
		c.send(text("x"))
		c.wantDeflated("an octet", "x")
	})
}

// Two Conns without SendHigh that first write and then read: neither waits for the other.
func TestConnsWithoutSendHigh(t *testing.T) {
	each(t, overTCP, func(h *house) {
		const size = 400_000
		o := websocket.Options{SendHigh: -1}
		accepted := make(chan *websocket.Conn, 1)
		h.mux.HandleFunc("/duplex", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, &o)
			if err != nil {
				h.Error(err)
			}
			accepted <- c
		})
		c, _, err := h.dialer().Dial(background, h.url("/duplex"), &websocket.DialOptions{Options: o})
		if err != nil {
			h.Fatal(err)
		}
		done := make(chan error)
		ctx := h.within(time.Hour)
		for i, end := range []*websocket.Conn{c, <-accepted} {
			go func() { // ends when all is written and read
				var err error
				for n := 0; n < 20 && err == nil; n++ {
					err = end.Write(ctx, websocket.BinaryFrame, bytes.Repeat([]byte{byte(i)}, size))
				}
				for n := 0; n < 20 && err == nil; n++ {
					var msg []byte
					if _, msg, err = end.Read(ctx); err == nil && bytes.Count(msg, []byte{byte(1 - i)}) != size {
						h.Errorf("a message of %d octets", len(msg))
					}
				}
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				h.Error(err)
			}
		}
		if err := c.Close(1000, ""); err != nil {
			h.Error(err)
		}
	})
}
