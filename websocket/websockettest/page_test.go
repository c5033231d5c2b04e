package websockettest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/websocket/websockettest"
)

// echo says what it hears.
type echo struct{}

func (echo) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func TestEcho(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, new(echo), nil)
		p.SendText("hello")
		p.WantText("hello")
		p.Close(1000, "bye")
		p.WantReason("remote")
	})
}

// reminder asks who has been silent for five minutes, and closes after ten.
type reminder struct {
	s        *websocket.Session
	ask, end *time.Timer
}

func (r *reminder) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	r.s = s
	r.ask = time.AfterFunc(5*time.Minute, func() { s.Post("ask") })
	r.end = time.AfterFunc(10*time.Minute, func() { s.Post("end") })
	return append(out, websocket.Text("hello"))
}

func (r *reminder) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		r.ask.Reset(5 * time.Minute)
		r.end.Reset(10 * time.Minute)
	}
	return out
}

func (r *reminder) Info(msg any, out websocket.Commands) websocket.Commands {
	if msg == "ask" {
		return append(out, websocket.Text("still there?"))
	}
	return append(out, websocket.Close(4000, "silence"))
}

func (r *reminder) Terminate(websocket.Reason, *websocket.PartialRequest) {
	r.ask.Stop()
	r.end.Stop()
}

func TestReminder(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, new(reminder), &websocket.Options{IdleTimeout: -1})
		p.WantText("hello")
		time.Sleep(4 * time.Minute)
		p.SendText("I am reading")
		p.WantSilence(5*time.Minute - 1) // to the nanosecond
		p.WantText("still there?")
		p.WantSilence(5*time.Minute - 1)
		p.WantClose(4000, "silence")
		p.WantReason("stop")
	})
}

func TestHourOfPings(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, new(echo), &websocket.Options{PingInterval: 20 * time.Second})
		for range 3 {
			p.WantSilence(20*time.Second - 1)
			p.Want(websockettest.Ping(""))
			p.Send(websockettest.Pong(""))
		}
		p.AnswerPings() // from here on by itself, for an hour
		time.Sleep(time.Hour)
		p.SendText("still there?")
		p.WantText("still there?")
		p.Lose() // nobody is told that the network is gone; who asks finds out
		p.WantSilence(59 * time.Second)
		p.WantReason("timeout")
	})
}

// gate takes a message at a time. It reads the next when somebody has said "next".
type gate struct{}

func (gate) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	return append(out, f.Reply(), websocket.Active(false))
}

func (gate) Info(msg any, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Active(true))
}

func TestGate(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		p := websockettest.Open(t, tr, gate{}, nil)
		p.SendText("one")
		p.WantCommands(websocket.Text("one"), websocket.Active(false))
		p.WantText("one")
		for range 1000 {
			p.SendText(strings.Repeat("x", 1000))
		}
		p.WantSilence(time.Second)
		if p.Unsent() == 0 {
			t.Error("the peer had credit for a megabyte, though the handler is paused")
		}
		p.Session().Post("next")
		p.WantText(strings.Repeat("x", 1000))
		p.WantSilence(time.Second)
	})
}

func TestPeersThatMisbehave(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		open := func() *websockettest.Peer { return websockettest.Open(t, tr, new(echo), nil) }

		p := open()
		p.Send(websockettest.Frame{Type: websocket.TextFrame, More: true, Payload: "frag"},
			websockettest.Ping("between"),
			websockettest.Frame{Payload: "ments"})
		p.Want(websockettest.Pong("between"), websockettest.Text("fragments"))
		p.SendOctets(0x81, 0x01, 'x') // a frame without a mask
		p.WantClose(1002, "")
		p.WantReason("error:badframe")

		p = open()
		p.Close(4001, "bye")
		if r := p.WantReason("remote"); r.Code != 4001 || r.Text != "bye" {
			t.Error(r)
		}

		p = open()
		p.CloseWrite() // it ends without a close frame
		p.WantEnd()
		p.WantReason("error:closed")

		p = open()
		p.Reset() // it is killed
		p.WantReason("error:closed")

		p = open()
		p.Pause() // it does not read
		for range 100 {
			p.SendText(strings.Repeat("x", 10_000))
		}
		p.WantReason("error:timeout") // after Options.SendTimeout
	})
}

// routes are a program's.
func routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /chat/{room}", websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
		if r.Header.Get("Authorization") == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return nil, nil
		}
		return new(echo), &websocket.Options{Subprotocols: []string{"chat.v2"}, Compress: true}
	}))
	mux.HandleFunc("GET /time", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.Options{PingInterval: 20 * time.Second})
		if err != nil {
			return
		}
		defer c.CloseNow()
		for range 3 {
			select {
			case <-time.After(time.Hour):
			case <-c.Context().Done():
				return
			}
			if c.Write(c.Context(), websocket.TextFrame, fmt.Append(nil, time.Now().Hour(), " o'clock")) != nil {
				return
			}
		}
		c.Close(1000, "")
	})
	return mux
}

func TestRoutes(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		host := websockettest.Serve(t, tr, routes())
		host.WantRefused(websockettest.Request{Path: "/chat/1"}, 401)
		host.WantRefused(websockettest.Request{Path: "/elsewhere"}, 404)
		host.WantRefused(websockettest.Request{Path: "/chat/1", Header: http.Header{
			"Authorization": {"me"}, "Origin": {"https://elsewhere.example"}}}, 403)

		p := host.Open(websockettest.Request{Path: "/chat/1", Header: http.Header{"Authorization": {"me"}},
			Subprotocols: []string{"chat.v1", "chat.v2"}, Extensions: "permessage-deflate"})
		if p.Subprotocol() != "chat.v2" || p.Extensions() != "permessage-deflate" {
			t.Error(p.Subprotocol(), p.Extensions())
		}
		long := strings.Repeat("hello ", 100)
		p.SendText(long)
		p.Want(websockettest.Frame{Type: websocket.TextFrame, Compressed: true, Payload: long})
		p.Drain()
		p.WantClose(1001, "")
	})
}

func TestTime(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		start := time.Now().Hour()
		p := websockettest.Serve(t, tr, routes()).Open(websockettest.Request{Path: "/time"})
		p.Patience = 2 * time.Hour
		p.AnswerPings()
		for i := 1; i <= 3; i++ {
			p.WantText(fmt.Sprint((start+i)%24, " o'clock"))
		}
		p.WantClose(1000, "")
	})
}

// fetch is code that dials: it tries again after ten seconds.
func fetch(ctx context.Context, d *websocket.Dialer, url string) (string, error) {
	c, _, err := d.Dial(ctx, url, nil)
	if err != nil {
		time.Sleep(10 * time.Second)
		if c, _, err = d.Dial(ctx, url, nil); err != nil {
			return "", err
		}
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.TextFrame, []byte("news?")); err != nil {
		return "", err
	}
	_, b, err := c.Read(ctx)
	return string(b), err
}

func TestFetch(t *testing.T) {
	websockettest.Each(t, func(t *testing.T, tr websockettest.Transport) {
		l := websockettest.Listen(t, tr)
		var news string
		var err error
		go func() { news, err = fetch(t.Context(), l.Dialer(), l.URL+"news") }() // ends with fetch
		l.Refuse(503, nil, "not now")
		p := l.Accept() // ten seconds later
		if got := p.Request().URL.Path; got != "/news" {
			t.Error(got)
		}
		p.WantText("news?")
		p.SendText("none")
		synctest.Wait()
		if news != "none" || err != nil {
			t.Errorf("%q, %v", news, err)
		}
	}, websockettest.OverHTTP()...)
}

// later answers after a second. It is wrong: a payload is lent, and somebody else's once Handle has
// returned.
type later struct {
	s    *websocket.Session
	kept []byte
}

func (l *later) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	l.s = s
	return out
}

func (l *later) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	l.kept = f.Payload // bytes.Clone(f.Payload) is right
	time.AfterFunc(time.Second, func() { l.s.Post("now") })
	return out
}

func (l *later) Info(_ any, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Text(l.kept))
}

func testLater(t testing.TB, tr websockettest.Transport) {
	p := websockettest.Open(t, tr, new(later), nil)
	p.SendText("hello, world!")
	p.WantSilence(time.Second - 1)
	p.WantText("hello, world!") // fails: got text "lent payload!", want text "hello, world!"
}

func TestOverSockets(t *testing.T) {
	srv := websockettest.NewServer(t, routes())
	resp, err := srv.Client().Get(srv.URL + "/elsewhere")
	if err != nil || resp.StatusCode != 404 {
		t.Fatal(resp, err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	for _, version := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		d := srv.Dialer()
		d.HTTP = version
		c, _, err := d.Dial(t.Context(), srv.URL+"/chat/1", &websocket.DialOptions{Header: http.Header{"Authorization": {"me"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), websocket.TextFrame, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(t.Context()); string(b) != "hello" || err != nil {
			t.Fatal(string(b), err)
		}
		c.Close(1000, "") // without it the test would fail: nobody would have closed the session
	}
}
