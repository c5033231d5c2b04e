package behaviour_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6 and 7: flow control, HTTP/2.

// A peer that sends to a paused session is stopped: at the window on HTTP/2, by the socket on
// HTTP/1.1. After Active(true) all arrives, in order, once.
func TestPausedPeerIsStopped(t *testing.T) {
	row(t, "6.window", overHTTP, func(h *house) {
		const size, n = 10_000, 1000
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
		h.quiet()
		most := 100_000
		switch {
		case h.http3():
			most += quicWindow + quicWrites
		case !h.http2():
			most += sockets + 64<<10 // what the two ends of the socket hold, and a TLS record
		}
		if sent > most || sent < most/2 {
			h.Fatalf("the peer could send %d octets", sent)
		}
		if h.muxed() { // others do not notice
			other := h.open(new(actor), nil)
			other.send(text("alive"))
			other.wantText("a sibling", "alive")
		}
		a.s.Post(fromInfo{websocket.Active(true)})
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		h.quiet()
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
	row(t, "7.larger_than_window", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		big := strings.Repeat("x", 900_000)
		go c.wire.Write(text(big)) // ends when all is sent
		c.wantText("echo", big)
	})
}

// Frames may be cut over DATA frames and packets in any way.
func TestCutAnywhere(t *testing.T) {
	row(t, "7.cut", all, func(h *house) {
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

// A connection with a live WebSocket is not idled out by an HTTP timer, and WebSockets have no HTTP
// deadlines.
func TestHTTPTimersDoNotTouchWebSockets(t *testing.T) {
	timers := func(srv *http.Server, _ *websocket.Config) {
		srv.IdleTimeout, srv.ReadTimeout, srv.WriteTimeout = time.Second, time.Second, time.Second
	}
	rowWith(t, "7.http_timers", overHTTP, timers, func(h *house) {
		c := h.open(new(actor), &websocket.Options{IdleTimeout: -1})
		time.Sleep(time.Hour)
		c.send(text("alive"))
		c.wantText("echo", "alive")
	})
}

// A GOAWAY of the peer: existing WebSockets go on, the connection closes after the last.
func TestPeerGoesAway(t *testing.T) {
	row(t, "7.goaway", overHTTP2, func(h *house) {
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

// A peer may send Window octets ahead, on every transport; a pipe and HTTP/2 are exact.
func TestWindow(t *testing.T) {
	for _, r := range []struct {
		id           string
		window, want int
	}{
		{"6.window", 0, 65535},
		{"6.window", 10 * 65535, 10 * 65535},
	} {
		row(t, r.id, all, func(h *house) {
			c := h.open(inactive(), &websocket.Options{Window: r.window, IdleTimeout: -1})
			sent := c.flood(2 << 20)
			h.quiet()
			slack := map[string]int{"pipe": pipeBuffer + 255, "h1": sockets + lookAhead, "h1tls": sockets + 64<<10, "h3": quicWindow + quicWrites}[h.mode] // what is not the session's
			if n := sent(); n < r.want-255 || n > r.want+slack {
				h.Fatalf("the peer could send %d octets, want %d", n, r.want)
			}
			c.reset()
		})
	}
	initial := func(_ *http.Server, cfg *websocket.Config) { cfg.HTTP2.InitialWindow = 255 * 400 }
	rowWith(t, "6.window.granted", overHTTP2, initial, func(h *house) {
		for window, want := range map[int]int{255: 255 * 400, 255 * 800: 255 * 800} {
			c := h.open(inactive(), &websocket.Options{Window: window, IdleTimeout: -1})
			sent := c.flood(1 << 20)
			h.quiet()
			if n := sent(); n != want {
				h.Fatalf("window %d: the peer could send %d octets, want %d", window, n, want)
			}
			c.reset()
		}
	})
}

// What is to come of a large frame may come besides the window, also to a session that is paused
// meanwhile; more may not.
func TestWindowOfLargeFrame(t *testing.T) {
	for _, r := range []struct{ size, want int }{
		{900_000, 900_014 + 65535},
		{3_000_000, 1<<20 + 2*65535}, // the first octets came in a window, and go on to the last
	} {
		row(t, "6.window.large", overHTTP2, func(h *house) {
			a := new(actor)
			c := h.open(a, &websocket.Options{MaxFrameSize: 4 << 20, IdleTimeout: -1})
			frame := binary(strings.Repeat("x", r.size))
			var sent atomic.Int64
			more := make(chan []byte, 2)
			defer close(more)
			go func() { // ends with the test
				for b := range more {
					for len(b) > 0 {
						n := min(255, len(b))
						if _, err := c.wire.Write(b[:n]); err != nil {
							return
						}
						sent.Add(int64(n))
						b = b[n:]
					}
				}
			}()
			more <- frame[:40_000]
			synctest.Wait()
			a.session().Post(fromInfo{websocket.Active(false)})
			synctest.Wait()
			more <- append(frame[40_000:], binary(strings.Repeat("y", 1<<20))...)
			synctest.Wait()
			if n := int(sent.Load()); n > r.want || n < r.want-65535-255 {
				h.Fatalf("the peer could send %d octets, want %d at most", n, r.want)
			}
			other := h.open(new(actor), nil)
			other.send(text("alive"))
			other.wantText("a sibling", "alive")
			a.session().Post(fromInfo{websocket.Active(true)})
			c.want("all of it", wsframe.Binary, strings.Repeat("x", r.size))
			c.want("and what came behind it", wsframe.Binary, strings.Repeat("y", 1<<20))
		})
	}
}

// Octets of a paused WebSocket do not count against its siblings: more than the connection's window
// waits.
func TestPausedSibling(t *testing.T) {
	row(t, "7.paused_sibling", overMuxed, func(h *house) {
		for range 100 { // 20 windows of a stream are more than one of the connection
			c := h.open(inactive(), &websocket.Options{IdleTimeout: -1})
			c.flood(1 << 20)
		}
		h.quiet()
		c := h.open(new(actor), nil)
		big := strings.Repeat("x", 300_000)
		go c.wire.Write(text(big)) // ends when all is sent
		c.wantText("a sibling", big)
	})
}

// Whatever one stream does, the others go on.
func TestErrorsApart(t *testing.T) {
	for name, fault := range map[string]func(h *house, c *client){
		"bad_frame": func(_ *house, c *client) { c.send([]byte{0xff, 0xff}) },
		"reset":     func(_ *house, c *client) { c.reset() },
		"window_too_large": func(h *house, c *client) {
			h.peer().Send(fmt.Sprintf("WINDOW_UPDATE %d 2147483647", c.wire.(*h2test.Tunnel).ID))
		},
		"window_of_0": func(h *house, c *client) {
			h.peer().Send(fmt.Sprintf("WINDOW_UPDATE %d 0", c.wire.(*h2test.Tunnel).ID))
		},
		"trailers": func(h *house, c *client) {
			h.peer().Send(fmt.Sprintf("HEADERS %d END_STREAM a=b", c.wire.(*h2test.Tunnel).ID))
		},
		"crash": func(h *house, c *client) { c.send(text("crash")) },
	} {
		t.Run(name, func(t *testing.T) {
			body := func(h *house) {
				a := new(drainer)
				a.crashIn("handle", func() { panic("crash") })
				bad, good := h.open(a, nil), h.open(new(actor), nil)
				fault(h, bad)
				h.quiet()
				if len(a.reasons) != 1 {
					h.Fatal("it did not end:", a.told())
				}
				good.send(text("alive"))
				good.wantText("the other", "alive")
			}
			switch name {
			case "window_too_large", "window_of_0", "trailers": // there is no such thing, or see 7.h3.frames
				row(t, "7.errors_apart", overHTTP2, body)
			default:
				row(t, "7.errors_apart", overMuxed, body)
			}
		})
	}
}
