package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6: what a Conn does where it is not a handler.

// pair is two Conns, of a Dialer and of Accept. Both may be changed by options.
func (h *house) pair(o *websocket.Options) (c, s *websocket.Conn) {
	h.Helper()
	accepted := make(chan *websocket.Conn, 1)
	path := fmt.Sprintf("/pair%d", len(h.close)) // a path of its own
	h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		s, err := websocket.Accept(w, r, o)
		if err != nil {
			h.Error(err)
		}
		accepted <- s
	})
	c, _, err := h.dialer().Dial(background, h.url(path), &websocket.DialOptions{Options: *o})
	if err != nil {
		h.Fatal(err)
	}
	h.close = append(h.close, c.CloseNow)
	return c, <-accepted
}

// calls are all methods that end with the WebSocket.
func connCalls(c *websocket.Conn) map[string]func() error {
	return map[string]func() error{
		"Write":          func() error { return c.Write(background, websocket.TextFrame, []byte("x")) },
		"WriteJSON":      func() error { return c.WriteJSON(background, 1) },
		"Writer":         func() error { _, err := c.Writer(background, websocket.TextFrame); return err },
		"Ping":           func() error { return c.Ping(background) },
		"WritePrepared":  func() error { return c.WritePrepared(background, websocket.Prepare(websocket.TextFrame, "x")) },
		"Close":          func() error { return c.Close(1000, "") },
		"SendClose":      func() error { return c.SendClose(1000, "") },
		"SetIdleTimeout": func() error { return c.SetIdleTimeout(time.Hour) },
		"Read":           func() error { _, _, err := c.Read(background); return err },
		"ReadJSON":       func() error { var v any; return c.ReadJSON(background, &v) },
		"Reader":         func() error { _, _, err := c.Reader(background); return err },
	}
}

// TestConnEnds: however a WebSocket ends, with a Writer that nobody closes, a Write that waits for
// it, one that waits for room, a Ping and a Read under way: all methods return, and return the same
// *CloseError from then on.
func TestConnEnds(t *testing.T) {
	for name, r := range map[string]struct {
		want string
		end  func(c *client, s *websocket.Conn)
	}{
		"peer_closes":  {"remote", func(c *client, _ *websocket.Conn) { c.send(closing(4000, "")) }},
		"peer_ends":    {"error:closed", func(c *client, _ *websocket.Conn) { c.wire.CloseWrite() }},
		"peer_resets":  {"error:closed", func(c *client, _ *websocket.Conn) { c.reset() }},
		"peer_errs":    {"error:badframe", func(c *client, _ *websocket.Conn) { c.send([]byte{0xff, 0xff}) }},
		"Close":        {"stop", func(_ *client, s *websocket.Conn) { go s.Close(1000, "") }}, // ends in 5 s
		"CloseNow":     {"error:closed", func(_ *client, s *websocket.Conn) { s.CloseNow() }},
		"Session.Cut":  {"error:closed", func(_ *client, s *websocket.Conn) { s.Session().Cut() }},
		"drain":        {"stop", func(c *client, _ *websocket.Conn) { go c.ws.Shutdown(background) }}, // ends with the stream
		"idle_timeout": {"timeout", func(*client, *websocket.Conn) { time.Sleep(61 * time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "6.conn.ended", overHTTP, func(h *house) {
				s, c := h.accept(&websocket.Options{SendTimeout: -1})
				w, err := s.Writer(background, websocket.TextFrame)
				if err != nil {
					h.Fatal(err)
				}
				io.WriteString(w, "half")
				if err := w.Flush(); err != nil {
					h.Fatal(err)
				}
				done := make(chan error, 100)
				waiting := connCalls(s)
				delete(waiting, "Close")
				delete(waiting, "SendClose")
				delete(waiting, "SetIdleTimeout")
				for _, f := range waiting {
					go func() { done <- f() }() // ends with the WebSocket
				}
				synctest.Wait()
				r.end(c, s)
				var first error
				same := func(what string, err error) {
					h.Helper()
					e, ok := err.(*websocket.CloseError)
					if first == nil && ok && strings.HasPrefix(e.Reason.String(), r.want) {
						first = err
					}
					if !ok || err != first {
						h.Errorf("%s gives %v, want the one *CloseError of %s", what, err, r.want)
					}
				}
				for range waiting {
					same("what was under way", <-done)
				}
				for range 2 {
					for name, f := range connCalls(s) {
						same(name, f())
					}
					_, err = io.WriteString(w, "x")
					same("the Writer's Write", err)
					same("the Writer's Flush", w.Flush())
					same("the Writer's Close", w.Close())
				}
				c.reset()
			})
		})
	}
}

// Both ends alike: the one that closes, and its peer.
func TestConnBothEnd(t *testing.T) {
	row(t, "6.conn.ended", overTCP, func(h *house) {
		for _, swap := range []bool{false, true} {
			a, b := h.pair(&websocket.Options{})
			if swap {
				a, b = b, a
			}
			if err := a.Close(4000, "bye"); err != nil {
				h.Fatal(err)
			}
			synctest.Wait() // the peer has answered, and may have more to do with it
			for name, f := range connCalls(a) {
				if e, ok := f().(*websocket.CloseError); !ok || e.Reason.String() != "stop" {
					h.Errorf("%s of the one that closed gives %v", name, e)
				}
			}
			for name, f := range connCalls(b) {
				if code, ok := websocket.CloseStatus(f()); !ok || code != 4000 {
					h.Errorf("%s of the other gives %v", name, f())
				}
			}
		}
	})
}

// Nobody is deaf to the end who waits for room: for the peer reads nothing.
func TestConnEndsWithoutRoom(t *testing.T) {
	row(t, "6.conn.ended", overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{SendTimeout: -1})
		c.withhold()
		done := make(chan error)
		for range 3 {
			go func() { // ends with the WebSocket
				var err error
				for err == nil {
					err = s.Write(background, websocket.BinaryFrame, make([]byte, 300_000))
				}
				done <- err
			}()
		}
		go func() { done <- s.Ping(background) }() // ends with the WebSocket
		settle()
		if err := s.SetIdleTimeout(time.Hour); err != nil {
			h.Fatal("SetIdleTimeout sends nothing, and needs no room:", err)
		}
		s.CloseNow()
		for range 4 {
			if err := <-done; !errors.Is(err, websocket.ErrEnded) {
				h.Error(err)
			}
		}
	})
	t.Run("send timeout", func(t *testing.T) {
		row(t, "6.conn.ended", overHTTP, func(h *house) {
			s, c := h.accept(nil)
			c.withhold()
			var err error
			for err == nil {
				err = s.Write(background, websocket.BinaryFrame, make([]byte, 300_000))
			}
			if e, ok := err.(*websocket.CloseError); !ok || e.Reason.String() != "error:timeout" || !errors.Is(err, os.ErrDeadlineExceeded) {
				h.Fatal(err)
			}
		})
	})
}

// TestConnWriterLeft: a Writer that nobody closes does not hold up the others for ever.
func TestConnWriterLeft(t *testing.T) {
	write := func(s *websocket.Conn) error { return s.Write(background, websocket.TextFrame, []byte("next")) }
	row(t, "6.conn.writer", overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{IdleTimeout: -1})
		w, err := s.Writer(background, websocket.TextFrame)
		if err != nil {
			h.Fatal(err)
		}
		io.WriteString(w, "left")
		start := time.Now()
		if err := write(s); err != websocket.ErrWriterOpen {
			h.Fatal(err)
		}
		if d := time.Since(start); d < websocket.DefaultSendTimeout || d > 2*websocket.DefaultSendTimeout {
			h.Fatal("after", d)
		}
		if err := s.Write(h.within(time.Second), websocket.TextFrame, nil); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal("a context ends the wait:", err)
		}
		if _, err := s.Writer(h.within(time.Second), websocket.TextFrame); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal("a context ends the wait:", err)
		}
		if err := w.Close(); err != nil { // late, but not too late
			h.Fatal(err)
		}
		c.wantText("the Writer's", "left")
		if err := write(s); err != nil {
			h.Fatal(err)
		}
		c.wantText("the next", "next")
		if _, err := w.Write(nil); err != io.ErrClosedPipe {
			h.Fatal("a Writer that was closed:", err)
		}
	})
	t.Run("in use", func(t *testing.T) {
		row(t, "6.conn.writer", overHTTP, func(h *house) {
			s, c := h.accept(&websocket.Options{IdleTimeout: -1})
			w, err := s.Writer(background, websocket.TextFrame)
			if err != nil {
				h.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- write(s) }() // ends when w is closed
			for range 20 {
				time.Sleep(websocket.DefaultSendTimeout * 9 / 10)
				io.WriteString(w, "x")
			}
			if err := w.Close(); err != nil {
				h.Fatal(err)
			}
			if err := <-done; err != nil {
				h.Fatal("a slow Writer was taken for one that was left:", err)
			}
			c.wantText("the slow one", strings.Repeat("x", 20))
			c.wantText("the next", "next")
		})
	})
	t.Run("context before a fragment", func(t *testing.T) {
		row(t, "6.conn.writer", overHTTP, func(h *house) {
			s, c := h.accept(nil)
			w, err := s.Writer(h.within(time.Second), websocket.TextFrame)
			if err != nil {
				h.Fatal(err)
			}
			io.WriteString(w, "never sent")
			if err := write(s); err != nil {
				h.Fatal(err)
			}
			c.wantText("the next", "next")
			if err := w.Close(); !errors.Is(err, context.DeadlineExceeded) {
				h.Fatal(err)
			}
		})
	})
	t.Run("context in the middle", func(t *testing.T) {
		row(t, "6.conn.writer", overHTTP, func(h *house) {
			s, c := h.accept(nil)
			w, err := s.Writer(h.within(time.Second), websocket.TextFrame)
			if err != nil {
				h.Fatal(err)
			}
			io.WriteString(w, "half")
			w.Flush()
			c.raw(6)
			if err := write(s); !errors.Is(err, websocket.ErrEnded) {
				h.Fatal(err)
			}
			if err := w.Close(); !errors.Is(err, websocket.ErrEnded) {
				h.Fatal(err)
			}
			c.wantReset("half a message cannot be taken back")
		})
	})
}

// TestConnTooBig: after a message over MaxFrameSize reading is over, and stays so.
func TestConnTooBig(t *testing.T) {
	frames := map[string][][]byte{
		"whole":     {binary(strings.Repeat("x", 5000))},
		"fragments": {begin(wsframe.Binary, strings.Repeat("x", 900)), more(strings.Repeat("x", 900)), last("")},
		"then more": {binary(strings.Repeat("x", 5000)), text("never read"), ping("p")},
	}
	for name, sent := range frames {
		t.Run(name, func(t *testing.T) {
			row(t, "6.conn.too_big", overHTTP, func(h *house) {
				s, c := h.accept(&websocket.Options{MaxFrameSize: 1000})
				c.send(sent...)
				synctest.Wait()
				_, _, first := s.Read(background)
				e, ok := first.(*websocket.CloseError)
				if !ok || e.Reason.String() != "error:badsize" {
					h.Fatal(first)
				}
				for name, f := range connCalls(s) {
					if err := f(); err != first {
						h.Errorf("%s gives %v", name, err)
					}
				}
				for name == "then more" {
					op, p := c.next("before the close frame")
					if op == wsframe.Pong && p == "p" {
						break
					}
				}
				c.wantClose("over MaxFrameSize", 1009, "")
			})
		})
	}
	t.Run("peer has closed", func(t *testing.T) {
		row(t, "6.conn.too_big", overHTTP, func(h *house) {
			s, c := h.accept(&websocket.Options{MaxFrameSize: 1000})
			c.send(binary(strings.Repeat("x", 5000)), text("never read"), closing(1000, ""))
			c.wantClose("its answer", 1000, "")
			_, _, first := s.Read(background)
			e, ok := first.(*websocket.CloseError)
			if !ok || e.Reason.String() != "error:badsize" {
				h.Fatal("a message that was dropped does not pass for an ordinary end:", first)
			}
			if _, _, err := s.Read(background); err != first {
				h.Fatal(err)
			}
			if code, ok := websocket.CloseStatus(s.Ping(background)); code != 1000 || !ok {
				h.Fatal("others tell how the WebSocket ended")
			}
		})
	})
}

// TestConnCloseTakes5s at most, whatever the peer does and whoever else uses the Conn.
func TestConnCloseTakes5s(t *testing.T) {
	for name, prepare := range map[string]func(c *client, s *websocket.Conn){
		"peer never answers": func(c *client, _ *websocket.Conn) { go io.Copy(io.Discard, c.wire) }, // ends with the stream
		"peer does not read": func(c *client, s *websocket.Conn) {
			c.withhold()
			for range 3 {
				go func() { // ends with the WebSocket
					for s.Write(background, websocket.BinaryFrame, make([]byte, 300_000)) == nil {
					}
				}()
			}
		},
		"peer sends on": func(c *client, _ *websocket.Conn) { c.flood(1 << 20) },
		"Writer open": func(_ *client, s *websocket.Conn) {
			w, _ := s.Writer(background, websocket.TextFrame)
			io.WriteString(w, "half")
			w.Flush()
		},
		"reads": func(_ *client, s *websocket.Conn) {
			for range 3 {
				go s.Read(background) // ends with the WebSocket
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "6.conn.close", overHTTP, func(h *house) {
				s, c := h.accept(&websocket.Options{SendTimeout: -1})
				prepare(c, s)
				settle()
				start := time.Now()
				if err := s.Close(1000, ""); err != nil {
					h.Error(err)
				}
				if d := time.Since(start); d > 5*time.Second {
					h.Errorf("Close took %v", d)
				}
				if s.Context().Err() == nil {
					h.Error("Close returned before the end of the stream")
				}
				c.reset()
			})
		})
	}
}

// TestConnInflates: a Reader and a NetConn have no limit, compressed or not, in both directions,
// with and without takeover.
func TestConnInflates(t *testing.T) {
	big := bytes.Repeat([]byte(random(1, 40_000)+strings.Repeat("a", 40_000)), 15) // 1.2 MB
	for name, o := range map[string]websocket.Options{
		"plain":    {},
		"takeover": {Compress: true},
		"none": {Compress: true, Deflate: websocket.DeflateOptions{ServerNoContextTakeover: true, ClientNoContextTakeover: true,
			ServerMaxWindowBits: 9}},
	} {
		o.MaxFrameSize = 1000
		t.Run(name, func(t *testing.T) {
			row(t, "6.conn.inflates", overTCP, func(h *house) {
				c, s := h.pair(&o)
				for _, ends := range [][2]*websocket.Conn{{c, s}, {s, c}} {
					for range 2 { // the window is taken over as it would be of whole messages
						messages := [][]byte{big[:300_000], []byte("small")}
						go func() { // ends when all is read
							for _, m := range messages {
								ends[0].Write(background, websocket.TextFrame, m)
							}
						}()
						for _, want := range messages {
							kind, r, err := ends[1].Reader(background)
							if err != nil {
								h.Fatal(err)
							}
							got, err := io.ReadAll(r)
							if kind != websocket.TextFrame || err != nil || !bytes.Equal(got, want) {
								h.Fatalf("%s of %d octets, %v", kind, len(got), err)
							}
						}
					}
				}
				nc, ns := c.NetConn(websocket.BinaryFrame), s.NetConn(websocket.BinaryFrame)
				for _, ends := range [][2]net.Conn{{nc, ns}, {ns, nc}} {
					go func() { // ends when all is read
						ends[0].Write(big[:len(big)/2])
						io.Copy(ends[0], struct{ io.Reader }{bytes.NewReader(big[len(big)/2:])})
					}()
					var got bytes.Buffer
					if n, err := io.CopyN(&got, ends[1], int64(len(big))); err != nil || !bytes.Equal(got.Bytes(), big) {
						h.Fatal(n, err)
					}
				}
				if in := s.Session(); in.Extensions() != "" != o.Compress {
					h.Fatal("the extension was not agreed on")
				}
			})
		})
	}
	row(t, "6.conn.inflates", overTCP, func(h *house) {
		c, s := h.pair(&websocket.Options{Compress: true, MaxFrameSize: 1000})
		if err := c.Write(background, websocket.BinaryFrame, make([]byte, 1001)); err != nil {
			h.Fatal(err)
		}
		_, _, err := s.Read(background)
		if e, ok := err.(*websocket.CloseError); !ok || e.Reason.String() != "error:badsize" {
			h.Fatal("Read has its limit:", err)
		}
	})
}

// TestConnIdleStandsStill: a peer whose window is full of what nobody reads cannot be heard, and is
// not taken for dead. What was heard before counts on.
func TestConnIdleStandsStill(t *testing.T) {
	row(t, "6.conn.idle", overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{IdleTimeout: time.Minute})
		stopped := make(chan struct{})
		go func() { // ends with the stream
			defer close(stopped)
			for {
				if _, err := c.wire.Write(text("")); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		time.Sleep(3 * time.Hour)
		if err := s.Ping(h.within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal("the peer lives, but", err)
		}
		for range 20_000 { // it is heard again, and goes on
			if _, _, err := s.Read(background); err != nil {
				h.Fatal(err)
			}
		}
		c.reset()
		<-stopped
	})
	t.Run("then silent", func(t *testing.T) {
		row(t, "6.conn.idle", overHTTP, func(h *house) {
			s, c := h.accept(&websocket.Options{IdleTimeout: time.Minute, Window: 100_000})
			time.Sleep(20 * time.Second)
			c.send(binary(strings.Repeat("x", 99_950)))
			time.Sleep(time.Hour)
			if s.Context().Err() != nil {
				h.Fatal("closed, though nothing can be heard")
			}
			if _, _, err := s.Read(background); err != nil {
				h.Fatal(err)
			}
			start := time.Now()
			_, _, err := s.Read(background)
			if e, ok := err.(*websocket.CloseError); !ok || e.Reason.String() != "timeout" || time.Since(start) != time.Minute {
				h.Fatalf("%v after %v", err, time.Since(start))
			}
			c.wantClose("timeout", 1000, "")
		})
	})
}

// TestConnHeld: what a Conn holds for a reader that does not come is bounded in memory, of empty
// messages too.
func TestConnHeld(t *testing.T) {
	row(t, "6.conn.held", overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{IdleTimeout: -1})
		before := settledHeap()
		const n = 200_000
		go func() { // ends with the test
			many := bytes.Repeat(text(""), 100)
			for range n / 100 {
				if _, err := c.wire.Write(many); err != nil {
					return
				}
			}
		}()
		settle()
		grown := settledHeap() - before
		h.Logf("%d octets", grown)
		if grown > 600<<10 {
			h.Errorf("a window of empty messages costs %d octets", grown)
		}
		for range n {
			if kind, msg, err := s.Read(background); kind != websocket.TextFrame || len(msg) != 0 || err != nil {
				h.Fatal(kind, msg, err)
			}
		}
	})
}

// TestConnBomb: what a message inflates to waits compressed while nobody reads, and costs no more
// than the window while somebody does.
func TestConnBomb(t *testing.T) {
	row(t, "6.conn.held", overTCP, func(h *house) {
		const size = 16 << 20
		c, s := h.pair(&websocket.Options{Compress: true, IdleTimeout: -1})
		before := settledHeap()
		if err := c.Write(background, websocket.BinaryFrame, make([]byte, size)); err != nil {
			h.Fatal(err)
		}
		settle()
		most := 0
		look := func() { most = max(most, settledHeap()-before) }
		look()
		_, r, err := s.Reader(background)
		if err != nil {
			h.Fatal(err)
		}
		b := make([]byte, 32<<10)
		total := 0
		for err == nil {
			var n int
			n, err = r.Read(b)
			if total += n; total%(4<<20) < n {
				settle()
				look()
			}
		}
		if err != io.EOF || total != size {
			h.Fatal(total, err)
		}
		h.Logf("%d octets", most)
		if most > 1<<20 {
			h.Errorf("%d octets of heap for a message that inflates to %d", most, size)
		}
	})
}

// TestNetConnCloses as net.Conns do.
func TestNetConnCloses(t *testing.T) {
	row(t, "6.conn.net", overTCP, func(h *house) {
		for _, closes := range []func(c *websocket.Conn, nc net.Conn) error{
			func(_ *websocket.Conn, nc net.Conn) error { return nc.Close() },
			func(c *websocket.Conn, _ net.Conn) error { return c.Close(1001, "") },
			func(c *websocket.Conn, _ net.Conn) error { c.CloseNow(); return nil },
		} {
			c, s := h.pair(&websocket.Options{})
			nc, peer := s.NetConn(websocket.BinaryFrame), c.NetConn(websocket.BinaryFrame)
			if _, err := peer.Write([]byte("unread")); err != nil {
				h.Fatal(err)
			}
			if _, err := nc.Read(make([]byte, 1)); err != nil {
				h.Fatal(err)
			}
			under := make(chan error, 1)
			go func() { // ends with the WebSocket
				for {
					if _, err := nc.Read(make([]byte, 10)); err != nil {
						under <- err
						return
					}
				}
			}()
			synctest.Wait()
			if err := closes(s, nc); err != nil {
				h.Fatal(err)
			}
			if err := <-under; !errors.Is(err, net.ErrClosed) {
				h.Error("a Read under way:", err)
			}
			for range 2 {
				if n, err := nc.Read(make([]byte, 1)); n != 0 || !errors.Is(err, net.ErrClosed) {
					h.Error("Read:", n, err)
				}
				if n, err := nc.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
					h.Error("Write:", n, err)
				}
				if err := nc.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
					h.Error("SetDeadline:", err)
				}
				if err := nc.Close(); err != nil {
					h.Error("another Close:", err)
				}
			}
			if _, ok := errors.AsType[*net.OpError](<-readErr(nc)); !ok {
				h.Error("no *net.OpError")
			}
		}
		// The peer's close is an end, and no fault of ours.
		c, s := h.pair(&websocket.Options{})
		nc, peer := s.NetConn(websocket.BinaryFrame), c.NetConn(websocket.BinaryFrame)
		if _, err := peer.Write([]byte("last")); err != nil {
			h.Fatal(err)
		}
		if err := peer.Close(); err != nil {
			h.Fatal(err)
		}
		if got, err := io.ReadAll(nc); string(got) != "last" || err != nil {
			h.Fatal(string(got), err)
		}
		if _, err := nc.Write([]byte("x")); err == nil || errors.Is(err, net.ErrClosed) {
			h.Error(err)
		} else if code, ok := websocket.CloseStatus(err); code != 1000 || !ok {
			h.Error(err)
		}
		if err := nc.Close(); err != nil {
			h.Error(err)
		}
		if err := <-readErr(nc); !errors.Is(err, net.ErrClosed) {
			h.Error(err)
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		row(t, "6.conn.net", overHTTP, func(h *house) {
			s, c := h.accept(&websocket.Options{IdleTimeout: -1, SendTimeout: -1})
			nc := s.NetConn(websocket.BinaryFrame)
			for range 3 {
				nc.SetReadDeadline(time.Now().Add(time.Second))
				if err := <-readErr(nc); !errors.Is(err, os.ErrDeadlineExceeded) || !err.(net.Error).Timeout() {
					h.Fatal(err)
				}
			}
			if n, err := nc.Read(nil); n != 0 || err != nil {
				h.Fatal("a Read of nothing waits for nothing:", n, err)
			}
			nc.SetReadDeadline(time.Time{})
			c.send(text("lives"))
			b := make([]byte, 10)
			if n, err := nc.Read(b); string(b[:n]) != "lives" || err != nil {
				h.Fatal(string(b[:n]), err)
			}
			c.withhold()
			for range 3 {
				nc.SetWriteDeadline(time.Now().Add(time.Second))
				var err error
				for err == nil {
					_, err = nc.Write(make([]byte, 100_000))
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					h.Fatal(err)
				}
			}
			s.CloseNow()
		})
	})
}

// readErr is what a Read of an octet gives.
func readErr(nc net.Conn) <-chan error {
	got := make(chan error, 1)
	_, err := nc.Read(make([]byte, 1))
	got <- err
	return got
}

// TestConnJSON: what cannot be decoded is the program's business, and the WebSocket goes on with
// the next message.
func TestConnJSON(t *testing.T) {
	row(t, "6.conn.json", overHTTP, func(h *house) {
		s, c := h.accept(nil)
		var v struct{ A int }
		for _, bad := range []string{"{", "", `{"a":"text"}`} {
			c.send(text(bad), text(`{"a":7}`))
			if err := s.ReadJSON(background, &v); err == nil || errors.Is(err, websocket.ErrEnded) {
				h.Fatalf("%q: %v", bad, err)
			}
			if err := s.ReadJSON(background, &v); err != nil || v.A != 7 {
				h.Fatal(v, err)
			}
		}
		if err := s.WriteJSON(background, func() {}); err == nil || errors.Is(err, websocket.ErrEnded) {
			h.Fatal(err)
		}
		c.wantQuiet("the WebSocket is open")
	})
}
