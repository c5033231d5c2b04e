package websockettest_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"weir/websocket"
	. "weir/websocket/websockettest"
)

func TestFrames(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.SendText("hello")
		p.WantText("hello")
		p.Send(Frame{Type: websocket.TextFrame, More: true, Payload: "hel"}, Ping("x"), Frame{Payload: "lo"})
		p.Want(Pong("x"), Text("hello"))
		p.WantSilence(time.Second)
		p.Close(1000, "bye")
		p.WantReason("remote")
	})
}

func TestIdle(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		p := Open(t, tr, echo{}, nil)
		p.WantSilence(59 * time.Second)
		p.WantClose(1000, "")
		p.WantReason("timeout")
	})
}

func TestServer(t *testing.T) {
	s := NewServer(t, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return echo{}, nil
	}))
	for _, version := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		d := s.Dialer()
		d.HTTP = version
		c, _, err := d.Dial(t.Context(), s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), websocket.TextFrame, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); string(b) != "x" || err != nil {
			t.Fatal(string(b), err)
		}
		c.Close(1000, "")
	}
}

func TestListen(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		l := Listen(t, tr)
		done := make(chan error, 1)
		go func() {
			c, _, err := l.Dialer().Dial(t.Context(), l.URL+"chat?x=1", &websocket.DialOptions{Options: websocket.Options{Compress: true, Subprotocols: []string{"a"}}})
			if err != nil {
				done <- err
				return
			}
			if err := c.Write(t.Context(), websocket.TextFrame, []byte("hello")); err != nil {
				done <- err
				return
			}
			_, b, err := c.Read(t.Context())
			if err == nil && string(b) != "welcome" {
				err = errors.New(string(b))
			}
			if err != nil {
				done <- err
				return
			}
			_, _, err = c.Read(t.Context())
			done <- err
		}()
		p := l.Answer(Answer{Subprotocol: "a", Extensions: "permessage-deflate"})
		if got := p.Request().URL.String(); got != "/chat?x=1" {
			t.Error(got)
		}
		if got := p.Next(); !got.Compressed || got.Payload != "hello" {
			t.Error(got)
		}
		p.Send(Frame{Type: websocket.TextFrame, Compressed: true, Payload: "welcome"})
		p.Close(4000, "bye")
		if code, _ := websocket.CloseStatus(<-done); code != 4000 {
			t.Error(code)
		}
	}, OverHTTP()...)
}
