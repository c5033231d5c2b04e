package behaviour_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 3: commands from outside a callback, by Session.Send.

func TestSend(t *testing.T) {
	row(t, "3.send", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		if err := s.Send(websocket.Text("one"), websocket.Ping("two"), websocket.Binary([]byte("three"))); err != nil {
			h.Fatal(err)
		}
		c.want("the first of the list", wsframe.Text, "one")
		c.want("the second", wsframe.Ping, "two")
		c.want("the third", wsframe.Binary, "three")
		if err := s.Send(); err != nil {
			h.Error("no command:", err)
		}
		if got := a.told(); got != "init" {
			h.Errorf("callbacks were made: %s", got)
		}
	})
	row(t, "3.send.order", all, func(h *house) {
		a := new(actor)
		a.onInfo = func(msg any, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text(fmt.Sprint("posted ", msg)))
		}
		c := h.open(a, nil)
		s := a.session()
		want := []string{}
		for i := range 50 {
			s.Send(websocket.Text(fmt.Sprint("sent ", i)))
			s.Post(i)
			want = append(want, fmt.Sprint("sent ", i), fmt.Sprint("posted ", i))
		}
		for _, w := range want {
			c.want("in order", wsframe.Text, w)
		}
	})
	row(t, "3.send.posted", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		s.Post(websocket.Text("one"))
		s.Post(websocket.Commands{websocket.Text("two"), websocket.Text("three")})
		for _, w := range []string{"one", "two", "three"} {
			c.want("what was posted", wsframe.Text, w)
		}
		if err := s.Post(websocket.Close(1006, "")); err == nil || errors.Is(err, websocket.ErrEnded) {
			h.Errorf("1006 gives %v", err)
		}
		if got := a.told(); got != "init" {
			h.Errorf("Info was called: %s", got)
		}
	})
	row(t, "3.send.cannot", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		for _, bad := range []websocket.Command{
			websocket.Close(1006, ""), websocket.Close(0, "text"), websocket.Close(1000, strings.Repeat("x", 124)), websocket.Ping(strings.Repeat("x", 126)),
		} {
			err := s.Send(websocket.Text("before"), bad)
			if e, ok := errors.AsType[*wsframe.Error](err); !ok || !strings.HasPrefix(e.Rule, "RFC 6455, ") {
				h.Errorf("the error is %v", err)
			}
		}
		s.Send(websocket.Text("after"))
		c.want("nothing of a bad list, and the session goes on", wsframe.Text, "after")
	})
	row(t, "3.send.over", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		s.Send(websocket.Text("last"), websocket.Close(4000, "bye"), websocket.Text("dropped"))
		c.want("before the close frame", wsframe.Text, "last")
		c.want("the code", wsframe.Close, "\x0f\xa0bye")
		h.wantReason(a, "stop")
		if err := s.Send(websocket.Text("late")); err != websocket.ErrEnded {
			h.Errorf("after the end: %v", err)
		}
	})
}

// A list counts as one message of the backlog, whatever is in it.
func TestSendBacklog(t *testing.T) {
	row(t, "3.send.backlog", all, func(h *house) {
		inside, leave := make(chan struct{}), make(chan struct{})
		a := &actor{onHandle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			close(inside)
			<-leave
			return out
		}}
		c := h.open(a, &websocket.Options{Backlog: 2})
		c.send(text("x"))
		<-inside
		s := a.s
		for i, want := range []error{nil, nil, websocket.ErrBacklog, websocket.ErrBacklog} {
			if err := s.Send(websocket.Text(fmt.Sprint(i)), websocket.Text("and more")); err != want {
				h.Errorf("%d: %v, want %v", i, err, want)
			}
		}
		close(leave)
		for i := range 2 {
			c.want("what was not refused", wsframe.Text, fmt.Sprint(i))
			c.want("and more", wsframe.Text, "and more")
		}
	})
}

// The caller may change payloads as soon as Send has returned, whatever the session is at.
func TestSendCopies(t *testing.T) {
	row(t, "3.send.copied", all, func(h *house) {
		inside, leave := make(chan struct{}), make(chan struct{})
		a := &actor{onHandle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			close(inside)
			<-leave
			return out
		}}
		c := h.open(a, nil)
		c.send(text("x"))
		<-inside
		for _, size := range []int{3, 40 << 10} {
			one, two := []byte(strings.Repeat("1", size)), []byte(strings.Repeat("2", size))
			cmds := []websocket.Command{websocket.Binary(one), websocket.Text("string"), websocket.Binary(two)}
			if err := a.s.Send(cmds...); err != nil {
				h.Fatal(err)
			}
			clear(one)
			clear(two)
			clear(cmds)
		}
		close(leave)
		for _, size := range []int{3, 40 << 10} {
			c.want("the first payload", wsframe.Binary, strings.Repeat("1", size))
			c.want("the string", wsframe.Text, "string")
			c.want("the second", wsframe.Binary, strings.Repeat("2", size))
		}
	})
}

// Many goroutines send and post at the same time: each one's messages stay in its order.
func TestSendFromMany(t *testing.T) {
	row(t, "3.send.many", all, func(h *house) {
		const many, each = 8, 20
		a := new(actor)
		c := h.open(a, nil)
		s := a.session()
		var wg sync.WaitGroup
		for g := range many {
			wg.Go(func() {
				payload := make([]byte, 1)
				for i := range each {
					payload[0] = byte(i)
					if err := s.Send(websocket.Binary(append([]byte{byte(g)}, payload...))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var next [many]byte
		for range many * each {
			_, payload := c.frame("a message")
			g, i := payload[0], payload[1]
			if i != next[g] {
				h.Fatalf("goroutine %d: message %d, want %d", g, i, next[g])
			}
			next[g]++
		}
	})
}

// A session of a handler that is a function has neither Init nor Info: its group knows it, and it
// can be sent to, and closed with a code.
func TestSendHandlerFunc(t *testing.T) {
	row(t, "3.send.func", overHTTP, func(h *house) {
		quiet := websocket.HandlerFunc(func(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out })
		c := h.open(quiet, nil)
		synctest.Wait()
		n := 0
		for s := range h.ws.Group().Sessions() {
			n++
			if err := s.Post("x"); err != websocket.ErrNoInfo {
				h.Errorf("Post gives %v", err)
			}
			if err := s.Send(websocket.Text("you must go"), websocket.Close(4000, "full")); err != nil {
				h.Error(err)
			}
		}
		if n != 1 {
			h.Fatalf("%d sessions", n)
		}
		c.want("the message", wsframe.Text, "you must go")
		c.want("the code", wsframe.Close, "\x0f\xa0full")
	})
}

// What would cross the methods of a Conn is an error: a message in the middle of a Writer's.
func TestSendConn(t *testing.T) {
	row(t, "3.send.conn", overHTTP, func(h *house) {
		conn, c := h.accept(nil)
		w, err := conn.Writer(background, websocket.TextFrame)
		if err != nil {
			h.Fatal(err)
		}
		io.WriteString(w, "half")
		w.Flush()
		s := conn.Session()
		for _, bad := range []websocket.Command{
			websocket.Text("x"), websocket.Binary("x"), websocket.Active(false), websocket.SendPrepared(websocket.Prepare(websocket.TextFrame, "x")),
		} {
			if err := s.Send(websocket.Ping("no"), bad); err == nil {
				h.Errorf("%v is no error", bad)
			}
		}
		if err := s.Send(websocket.Ping("yes"), websocket.Close(4001, "bye")); err != nil {
			h.Error(err)
		}
		if got := c.raw(6); got != "010468616c66" {
			h.Fatalf("the Writer's fragment is %q", got)
		}
		c.want("a control frame may stand in a message (RFC 6455, 5.4)", wsframe.Ping, "yes")
		c.wantCloseFrame("and a close frame", 4001, "bye")
		c.wire.CloseWrite()
		if _, _, err := conn.Read(background); !errors.Is(err, websocket.ErrEnded) {
			h.Error(err)
		}
	})
}
