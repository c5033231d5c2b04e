package behaviour_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// accept opens a WebSocket whose server side is a Conn.
func (h *house) accept(o *websocket.Options) (*websocket.Conn, *client) {
	h.Helper()
	conns := make(chan *websocket.Conn, 1)
	h.mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, o)
		if err != nil {
			h.Error(err)
		}
		conns <- c
	})
	c, err := h.tryOpenAt("/conn")
	if err != nil {
		h.Fatal(err)
	}
	return <-conns, c
}

var background = context.Background()

func TestConnReadWrite(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{Subprotocols: []string{"x"}})
		c.send(text("hello"), begin(wsframe.Binary, "a"), ping("p"), more(""), last("b"), text(""))
		c.want("a ping is answered though nobody reads", wsframe.Pong, "p")
		for _, want := range []struct {
			kind websocket.FrameType
			msg  string
		}{{websocket.TextFrame, "hello"}, {websocket.BinaryFrame, "ab"}, {websocket.TextFrame, ""}} {
			kind, msg, err := s.Read(background)
			if kind != want.kind || string(msg) != want.msg || err != nil {
				h.Fatalf("%s %q %v, want %v", kind, msg, err, want)
			}
		}
		if err := s.Write(background, websocket.BinaryFrame, []byte("answer")); err != nil {
			h.Fatal(err)
		}
		c.want("written", wsframe.Binary, "answer")
		if err := s.WriteJSON(background, map[string]int{"a": 1}); err != nil {
			h.Fatal(err)
		}
		c.wantText("written", `{"a":1}`)
		var v struct{ B int }
		c.send(text(`{"b":2}`))
		if err := s.ReadJSON(background, &v); err != nil || v.B != 2 {
			h.Fatal(v, err)
		}
		if err := s.Write(background, websocket.PingFrame, nil); err == nil {
			h.Fatal("a ping is no message")
		}
	})
}

func TestConnReader(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{MaxFrameSize: 10})
		big := strings.Repeat("0123456789", 100_000) // over MaxFrameSize, and over the window
		go c.wire.Write(append(text(big), text("next")...))
		kind, r, err := s.Reader(background)
		if kind != websocket.TextFrame || err != nil {
			h.Fatal(kind, err)
		}
		if got, err := io.ReadAll(r); string(got) != big || err != nil {
			h.Fatal(len(got), err)
		}
		_, r, err = s.Reader(background)
		if err != nil {
			h.Fatal(err)
		}
		r.Read(make([]byte, 1))
		c.send(text("after"))
		_, msg, err := s.Read(background) // drops what is left of "next"
		if string(msg) != "after" || err != nil {
			h.Fatal(string(msg), err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			h.Fatal("a reader of a message that was dropped:", n, err)
		}
		c.send(text("01234567890"))
		if _, _, err := s.Read(background); err == nil {
			h.Fatal("Read takes more than MaxFrameSize")
		}
		c.wantClose("too big", 1009, "")
	})
}

func TestConnWriter(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		w, err := s.Writer(background, websocket.TextFrame)
		if err != nil {
			h.Fatal(err)
		}
		io.WriteString(w, "a")
		w.Flush()
		other := make(chan error, 1)
		go func() { other <- s.Write(background, websocket.BinaryFrame, []byte("waits")) }() // ends with w
		if err := s.Ping(h.within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal("the ping passed, but nobody answered:", err)
		}
		io.WriteString(w, "b")
		if err := w.Close(); err != nil {
			h.Fatal(err)
		}
		if err := <-other; err != nil {
			h.Fatal(err)
		}
		for _, want := range []string{"0101" + "61", "89", "8001" + "62", "8205"} {
			got := c.raw(len(want) / 2)
			if got != want && want != "89" {
				h.Fatalf("%s, want %s", got, want)
			}
			if want == "89" {
				c.raw(1 + 26) // the ping's token
			}
		}
	})
}

func TestConnPing(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		done := make(chan error, 1)
		go func() { done <- s.Ping(background) }() // ends with the pong
		op, token := c.next("the ping")
		if op != wsframe.Ping {
			h.Fatal(op)
		}
		c.send(pong("another"))
		synctest.Wait()
		select {
		case <-done:
			h.Fatal("another pong counted")
		default:
		}
		c.send(pong(token))
		if err := <-done; err != nil {
			h.Fatal(err)
		}
	})
}

func TestConnCloses(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		done := make(chan error, 1)
		go func() { done <- s.Close(4000, "bye") }() // ends with the stream
		c.wantClose("our close", 4000, "bye")
		c.wire.CloseWrite()
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		_, _, err := s.Read(background)
		if !errors.Is(err, websocket.ErrEnded) {
			h.Fatal(err)
		}
		if err := s.Write(background, websocket.TextFrame, nil); !errors.Is(err, websocket.ErrEnded) {
			h.Fatal(err)
		}
		if err := s.Close(1, ""); err == nil {
			h.Fatal("code 1")
		}
	})
}

func TestConnPeerCloses(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		c.send(text("unread"), closing(4001, "why"))
		c.wantClose("answered though nobody reads", 4001, "")
		if _, msg, err := s.Read(background); string(msg) != "unread" || err != nil {
			h.Fatal("what was complete is lost:", err)
		}
		_, _, err := s.Read(background)
		if code, ok := websocket.CloseStatus(err); code != 4001 || !ok {
			h.Fatal(err)
		}
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.Text != "why" {
			h.Fatal(err)
		}
	})
}

// Pings are served while nobody reads, as long as the messages fit the window; then the peer waits.
func TestConnNobodyReads(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(&websocket.Options{Window: 100_000, IdleTimeout: -1})
		msg := binary(strings.Repeat("x", 9_990))
		sent := 0
		go func() { // ends when all is sent
			for range 200 {
				c.wire.Write(msg)
				sent++
			}
		}()
		h.quiet()
		if sent > 60 || sent < 9 {
			h.Fatalf("the peer could send %d messages that nobody reads", sent)
		}
		for range 200 {
			if _, m, err := s.Read(background); len(m) != 9_990 || err != nil {
				h.Fatal(len(m), err)
			}
		}
	})
}

// A Read that gives up loses nothing.
func TestConnReadTimesOut(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		c.send(begin(wsframe.Text, "a"))
		for range 3 {
			if _, _, err := s.Read(h.within(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				h.Fatal(err)
			}
		}
		c.send(last("b"))
		if _, msg, err := s.Read(background); string(msg) != "ab" || err != nil {
			h.Fatal(string(msg), err)
		}
	})
}

func TestConnCloseNow(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		s.CloseNow()
		c.wantReset("given up")
		if _, _, err := s.Read(background); !errors.Is(err, websocket.ErrEnded) {
			h.Fatal(err)
		}
	})
}

func TestNetConn(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		nc := s.NetConn(websocket.BinaryFrame)
		nc.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := nc.Read(make([]byte, 1)); err == nil || !err.(interface{ Timeout() bool }).Timeout() {
			h.Fatal(err)
		}
		nc.SetReadDeadline(time.Time{})
		c.send(text("a"), binary("bc"), text(""), text("d"), closing(1000, ""))
		got, err := io.ReadAll(nc)
		if string(got) != "abcd" || err != nil {
			h.Fatal(string(got), err)
		}
		c.wantClose("bye", 1000, "")
	})
}

// Many may write at once; every message arrives whole.
func TestConnConcurrentWriters(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		s, c := h.accept(nil)
		for i := range 20 {
			go func() { // ends when all is written
				for range 20 {
					s.Write(background, websocket.BinaryFrame, bytes.Repeat([]byte{byte('a' + i)}, 5000))
				}
			}()
		}
		for range 400 {
			if _, p := c.next("a message"); len(p) != 5000 || strings.Count(p, p[:1]) != 5000 {
				h.Fatal("torn")
			}
		}
	})
}

// within is a context that ends after d.
func (h *house) within(d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(background, d)
	h.close = append(h.close, stop)
	return ctx
}

// tryOpenAt opens a WebSocket at a path, without extensions.
func (h *house) tryOpenAt(path string) (*client, error) {
	h.Helper()
	if h.muxed() {
		t, err := h.connect(path)
		if err == nil && t.status != 200 {
			err = fmt.Errorf("status %d", t.status)
		}
		return &client{house: h, wire: t.wire}, err
	}
	nc := h.dial()
	resp, rest := h.upgrade(nc, strings.Replace(upgradeRequest, " / ", " "+path+" ", 1))
	if resp.StatusCode != 101 {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return &client{house: h, wire: &h1wire{Conn: nc, r: rest}}, nil
}

// raw reads n octets as they are, in hexadecimal.
func (c *client) raw(n int) string {
	c.Helper()
	for len(c.in) < n {
		if err := c.more(); err != nil {
			c.Fatal(err)
		}
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return fmt.Sprintf("%x", b)
}

// TestConnCloseNowAfterEnd: the close frame that answers the peer's is still on its way when Read returns, and the CloseNow that
// programs defer leaves it alone.
func TestConnCloseNowAfterEnd(t *testing.T) {
	for _, test := range []struct{ why, sent, want string }{
		{"the peer closed", string(closing(1000, "")), "\x03\xe8"},
		{"the peer broke a rule", "\x81\x01x", "\x03\xea"},
	} {
		each(t, overHTTP, func(h *house) {
			s, c := h.accept(nil)
			go func() { // ends with the test
				_, _, _ = s.Read(background)
				s.CloseNow()
			}()
			c.send([]byte(test.sent))
			c.want(test.why, wsframe.Close, test.want)
		})
	}
}
