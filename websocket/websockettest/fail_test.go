package websockettest_test

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"weir/websocket"
	. "weir/websocket/websockettest"
)

// handler makes a Handler of functions.
type handler struct {
	init   func(s *websocket.Session, out websocket.Commands) websocket.Commands
	handle func(f websocket.Frame, out websocket.Commands) websocket.Commands
	info   func(msg any, out websocket.Commands) websocket.Commands
	drain  func(out websocket.Commands) websocket.Commands
	end    func(websocket.Reason)
}

func (h *handler) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	if h.init != nil {
		return h.init(s, out)
	}
	return out
}

func (h *handler) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if h.handle != nil {
		return h.handle(f, out)
	}
	return out
}

func (h *handler) Info(msg any, out websocket.Commands) websocket.Commands {
	if h.info != nil {
		return h.info(msg, out)
	}
	return out
}

func (h *handler) Drain(out websocket.Commands) websocket.Commands {
	if h.drain != nil {
		return h.drain(out)
	}
	return append(out, websocket.Close(1001, ""))
}

func (h *handler) Terminate(r websocket.Reason, _ *websocket.PartialRequest) {
	if h.end != nil {
		h.end(r)
	}
}

// replies answers each message with what f makes of it.
func replies(f func(s string) websocket.Commands) *handler {
	return &handler{handle: func(m websocket.Frame, out websocket.Commands) websocket.Commands {
		if m.IsData() {
			out = append(out, f(string(m.Payload))...)
		}
		return out
	}}
}

// TestFailures: what does not come as it was wanted fails the test at its own line, and is told
// with what came.
func TestFailures(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		test  func(p *Peer)
		words []string
	}{
		"another text": {func(p *Peer) { p.SendText("a"); p.WantText("b") },
			[]string{`got text "a", want text "b"`, `sent  text "a"`, `came  text "a"`, `handle text "a"`}},
		"another type": {func(p *Peer) { p.SendText("a"); p.WantBinary("a") }, []string{`got text "a", want binary "a"`}},
		"a long text": {func(p *Peer) { p.SendText(long + "a"); p.WantText(long + "b") },
			[]string{"got text 1001 octets", `from octet 1000 on "a", and not "b"`}},
		"nothing":           {func(p *Peer) { p.WantText("a") }, []string{`got nothing for 2m0s, want text "a"`}},
		"patience":          {func(p *Peer) { p.Patience = time.Minute / 2; p.Next() }, []string{"got nothing for 30s, want a frame"}},
		"a second frame":    {func(p *Peer) { p.SendText("a"); p.Want(Text("a"), Text("b")) }, []string{`want text "b"`}},
		"the end":           {func(p *Peer) { p.SendText("stop"); p.WantText("a") }, []string{`got close 1000 "", want text "a"`}},
		"behind the end":    {func(p *Peer) { p.SendText("stop"); p.WantClose(1000, ""); p.Next() }, []string{"the other side has ended"}},
		"a frame, no end":   {func(p *Peer) { p.SendText("a"); p.WantEnd() }, []string{`got text "a", want the end`}},
		"no end":            {func(p *Peer) { p.WantEnd() }, []string{"got nothing for 2m0s, want the end"}},
		"an end, no reset":  {func(p *Peer) { p.SendText("stop"); p.WantClose(1000, ""); p.WantReset() }, []string{"got no reset"}},
		"a frame, no reset": {func(p *Peer) { p.SendText("a"); p.WantReset() }, []string{`got text "a", want a reset`}},
		"no reset":          {func(p *Peer) { p.WantReset() }, []string{"got nothing for 2m0s, want a reset"}},
		"a reset, no end":   {func(p *Peer) { p.Session().Cut(); p.WantEnd() }, []string{"got no end: "}},
		"a reset, no frame": {func(p *Peer) { p.Session().Cut(); p.WantText("a") }, []string{`got no frame, for `}},
		"another code":      {func(p *Peer) { p.SendText("stop"); p.WantClose(1001, "") }, []string{`got close 1000 "", want close 1001 ""`}},
		"noise":             {func(p *Peer) { p.SendText("a"); p.WantSilence(time.Second) }, []string{`got text "a", want nothing for 1s`}},
		"an end, no silence": {func(p *Peer) { p.Session().Cut(); p.WantSilence(time.Second) },
			[]string{"want nothing to come for 1s, and no end"}},
		"no end of a session": {func(p *Peer) { p.WantReason("stop") }, []string{"the session has not ended, want stop"}},
		"another reason":      {func(p *Peer) { p.SendText("stop"); p.WantReason("remote") }, []string{"the session ended for stop", "want remote"}},
		"no command":          {func(p *Peer) { p.WantCommands(websocket.Stop()) }, []string{"the callbacks returned [], want ["}},
		"another command":     {func(p *Peer) { p.SendText("a"); p.WantCommands(websocket.Text("b")) }, []string{"the callbacks returned ["}},
		"compression":         {func(p *Peer) { p.Send(Frame{Type: websocket.TextFrame, Compressed: true}) }, []string{"compression was not agreed on"}},
		"behind our end":      {func(p *Peer) { p.CloseWrite(); p.SendText("a") }, []string{"cannot be sent"}},
		"a bad answer":        {func(p *Peer) { p.SendText("stop"); p.Close(4000, "") }, []string{`the answer to close 4000 "" is close 1000 ""`}},
		"a crash": {func(p *Peer) { p.SendText("panic"); p.WantText("a") },
			[]string{`got close 1011 "", want text "a"`, `handle text "panic" did not return`, "fail_test.go"}},
	} {
		t.Run(name, func(t *testing.T) {
			Each(t, func(t *testing.T, tr Transport) {
				wantFailure(t, func(t testing.TB) {
					c.test(Open(t, tr, replies(func(s string) websocket.Commands {
						switch s {
						case "stop":
							return websocket.Commands{websocket.Stop()}
						case "panic":
							panic("a fault")
						}
						return websocket.Commands{websocket.Text(s)}
					}), &websocket.Options{IdleTimeout: -1}))
				}, append(c.words, tr.String()+": ")...)
			}, Pipe, H1, H2C)
		})
	}
}

// TestCrashesAreTold: a callback, or an http.Handler, that panics or ends its goroutine fails the
// test, with its stack, unless it was wanted.
func TestCrashesAreTold(t *testing.T) {
	crashes := map[string]func(){
		"crash:throw": func() { panic("a fault") },
		"crash:error": func() { panic(errors.New("a fault")) },
		"crash:exit":  func() { runtime.Goexit() },
	}
	Each(t, func(t *testing.T, tr Transport) {
		for reason, crash := range crashes {
			for callback, h := range map[string]*handler{
				"init":   {init: func(_ *websocket.Session, out websocket.Commands) websocket.Commands { crash(); return out }},
				"handle": {handle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands { crash(); return out }},
				"info":   {info: func(_ any, out websocket.Commands) websocket.Commands { crash(); return out }},
				"drain":  {drain: func(out websocket.Commands) websocket.Commands { crash(); return out }},
			} {
				play := func(t testing.TB, wanted bool) {
					p := Open(t, tr, h, nil)
					switch callback {
					case "handle":
						p.SendText("x")
					case "info":
						p.Session().Post("x")
					case "drain":
						p.Drain()
					}
					p.Want(Close(1011, ""))
					if wanted {
						p.WantReason(reason)
					}
				}
				if callback == "init" && tr == Pipe && reason == "crash:exit" {
					// fall through: it is like any other
				}
				wantFailure(t, func(t testing.TB) { play(t, false) }, callback, "did not return", "fail_test.go")
				if got := try(t, func(t testing.TB) { play(t, true) }); len(got) > 0 {
					t.Errorf("%s in %s was wanted: %s", reason, callback, got)
				}
			}
			wantFailure(t, func(t testing.TB) {
				p := Open(t, tr, &handler{end: func(websocket.Reason) { crash() }}, nil)
				p.Close(1000, "")
				p.WantReason("remote")
			}, "terminate did not return", "fail_test.go")
		}
	})
}

func TestHandlersThatPanic(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		wantFailure(t, func(t testing.TB) {
			p := Serve(t, tr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				c.Close(1000, "")
				panic("a fault")
			})).Open(Request{Path: "/faulty"})
			p.WantClose(1000, "")
		}, "the http.Handler of /faulty panicked: a fault", "fail_test.go")
		if got := try(t, func(t testing.TB) {
			Serve(t, tr, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				panic("a fault")
			})).Open(Request{Path: "/faulty"})
		}); !strings.Contains(strings.Join(got, ""), "the http.Handler of /faulty panicked: a fault") {
			t.Errorf("got %s", got)
		}
	})
}

// TestRefusals: a handshake that is accepted where it should not be, and the other way round.
func TestRefusals(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		only := func(t testing.TB) *Host {
			return Serve(t, tr, websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
				if r.URL.Query().Get("key") != "secret" {
					http.Error(w, "who are you?", http.StatusForbidden)
					return nil, nil
				}
				return echo{}, &websocket.Options{Subprotocols: []string{"b"}, Compress: true}
			}))
		}
		wantFailure(t, func(t testing.TB) { only(t).Open(Request{Path: "/x"}) }, "handshake for /x was refused: 403", "who are you?")
		wantFailure(t, func(t testing.TB) { only(t).WantRefused(Request{Path: "/?key=secret"}, 403) }, "was accepted, want 403")
		wantFailure(t, func(t testing.TB) { only(t).WantRefused(Request{}, 404) }, "was answered 403 Forbidden, want 404", "who are you?")
		h := only(t)
		if resp := h.WantRefused(Request{}, 403); resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Error(resp.Header)
		}
		h.WantRefused(Request{Path: "/?key=secret", Header: http.Header{"Origin": {"https://elsewhere.example"}}}, 403)
		h.WantRefused(Request{Path: "/?key=secret", Header: http.Header{"Sec-Websocket-Version": nil}}, 400)
		p := h.Open(Request{Path: "/?key=secret", Subprotocols: []string{"a", "b"}, Extensions: "permessage-deflate",
			Header: http.Header{"origin": {"https://example.com"}}})
		if tr == H1 || tr == H2C || tr == Pipe {
			p.Close(1000, "")
		}
		if p.Subprotocol() != "b" || p.Extensions() != "permessage-deflate" {
			t.Errorf("agreed on %q and %q", p.Subprotocol(), p.Extensions())
		}
	})
}

// TestLeftOver: what does not come to its end when the test does.
func TestLeftOver(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		stuck := make(chan struct{})
		got := try(t, func(t testing.TB) {
			p := Open(t, tr, replies(func(string) websocket.Commands { <-stuck; return nil }), nil)
			p.SendText("x")
			p.WantSilence(time.Second)
		})
		if len(got) != 1 || !strings.Contains(got[0], "a session has not come to its end") || !strings.Contains(got[0], `sent  text "x"`) {
			t.Errorf("a callback that does not return: %s", got)
		}
		got = try(t, func(t testing.TB) {
			Serve(t, tr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := websocket.Accept(w, r, nil); err == nil {
					<-stuck
				}
			})).Open(Request{Path: "/stuck"})
		})
		if len(got) != 1 || !strings.Contains(got[0], "the http.Handler of /stuck has not returned") {
			t.Errorf("a handler that does not return: %s", got)
		}
		close(stuck)
		time.Sleep(time.Minute)
	})
}

// TestServerFailures: a Server tells sessions that nobody closed, and panics.
func TestServerFailures(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/handler", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return replies(func(string) websocket.Commands { panic("a fault") }), nil
	}))
	mux.HandleFunc("/conn", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context())
		}
	})
	for _, path := range []string{"/handler", "/conn"} {
		wantServerFailure(t, time.Millisecond, mux, path, "the session of "+path+" from 127.0.0.1:", func(*websocket.Conn) {})
	}
	wantServerFailure(t, time.Hour, mux, "/handler", `handle text "x" did not return`, func(c *websocket.Conn) {
		_ = c.Write(t.Context(), websocket.TextFrame, []byte("x"))
		if _, _, err := c.Read(t.Context()); err == nil {
			t.Error("a fault was answered")
		}
	})
	wantServerFailure(t, time.Hour, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.Close(1000, "")
			panic("a fault")
		}
	}), "/x", "the http.Handler of /x panicked: a fault", func(c *websocket.Conn) { _, _, _ = c.Read(t.Context()) })
}

func wantServerFailure(t *testing.T, leakTime time.Duration, h http.Handler, path, want string, use func(c *websocket.Conn)) {
	t.Helper()
	got := try(t, func(tb testing.TB) {
		s := NewServer(tb, h)
		s.LeakTime = leakTime
		c, _, err := s.Dialer().Dial(t.Context(), s.URL+path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		use(c)
	})
	if len(got) != 1 || !strings.Contains(got[0], want) {
		t.Errorf("want one failure with %q: %s", want, got)
	}
}

// TestKeptPayload: a handler that keeps a payload is seen to, also without the race detector.
func TestKeptPayload(t *testing.T) {
	Each(t, func(t *testing.T, tr Transport) {
		wantFailure(t, func(t testing.TB) { testLater(t, tr) }, `got text "lent payload!", want text "hello, world!"`)
	})
}
