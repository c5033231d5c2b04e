package behaviour_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"weir/upgrade"
	"weir/websocket"
)

// Session's accessors may be called from any goroutine, while messages come and go: of a Conn, of a
// handler, and from a Trace, which may have a lock that the others hold. The race detector looks.
func TestAccessorsFromAnyGoroutine(t *testing.T) {
	for _, traced := range []bool{false, true} {
		each(t, overHTTP, func(h *house) {
			const messages = 200
			var mu sync.Mutex
			var told []websocket.Stats
			var o websocket.Options
			if traced {
				o.Trace = func(e websocket.Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Kind == websocket.EventMessage {
						told = append(told, e.Session.Stats())
					}
				}
			}
			look := func(s *websocket.Session) websocket.Stats {
				mu.Lock()
				defer mu.Unlock()
				_, _, _, _, _ = s.StreamInfo(), s.Request(), s.Subprotocol(), s.Extensions(), s.Context()
				return s.Stats()
			}
			s, c := h.accept(&o)
			done := make(chan error)
			go func() { // ends when all is read and answered
				var err error
				for range messages {
					var msg []byte
					if _, msg, err = s.Read(background); err == nil {
						err = s.Write(background, websocket.TextFrame, msg)
					}
				}
				done <- err
			}()
			var last websocket.Stats
			for range messages {
				c.send(text("ab"))
				now := look(s.Session())
				if now.In.Messages < last.In.Messages || now.In.Bytes != 2*now.In.Messages || now.Out.Bytes != 2*now.Out.Messages {
					h.Fatalf("%+v after %+v", now, last)
				}
				last = now
				c.wantText("the echo", "ab")
			}
			if err := <-done; err != nil {
				h.Fatal(err)
			}
			n := websocket.Counts{Messages: messages, Bytes: 2 * messages}
			if got := look(s.Session()); got != (websocket.Stats{In: n, Out: n}) {
				h.Errorf("%+v", got)
			}
			if traced && (len(told) != 2*messages || told[len(told)-1] != (websocket.Stats{In: n, Out: n})) {
				h.Errorf("a Trace saw %d messages, the last %+v", len(told), told[len(told)-1])
			}
			// From callbacks, Terminate among them.
			var seen websocket.Stats
			a := new(actor)
			a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
				seen = a.s.Stats()
				return out
			}
			o = websocket.Options{Trace: o.Trace}
			d := h.open(&asks{actor: a}, &o)
			d.send(text("abc"), closing(1000, ""))
			h.wantReason(a, "remote")
			if want := (websocket.Counts{Messages: 1, Bytes: 3}); seen.In != want {
				h.Errorf("Handle saw %+v", seen)
			}
		})
	}
}

// asks is an actor that asks for Stats when it is over.
type asks struct{ *actor }

func (a *asks) Terminate(r websocket.Reason, p *websocket.PartialRequest) {
	if a.s.Stats().In.Messages != 1 {
		panic("Stats in Terminate")
	}
	a.actor.Terminate(r, p)
}

// A post that nobody can see is an error.
func TestPostToNobody(t *testing.T) {
	row(t, "2.no_info", all, func(h *house) {
		sessions := make(chan *websocket.Session, 1)
		c := h.open(&deaf{sessions}, nil)
		s := <-sessions
		if err := s.Post("x"); err != websocket.ErrNoInfo {
			h.Error(err)
		}
		c.send(closing(1000, ""))
		c.wantClose("bye", 1000, "")
		synctest.Wait()
		if err := s.Post("x"); err != websocket.ErrNoInfo {
			h.Error("afterwards:", err)
		}
		a := new(actor)
		c = h.open(a, nil)
		s = a.session()
		c.send(closing(1000, ""))
		h.wantReason(a, "remote")
		if err := s.Post("x"); err != websocket.ErrEnded {
			h.Error("after the end:", err)
		}
	})
	each(t, overTCP, func(h *house) {
		s, _ := h.accept(nil)
		d, _, err := h.dialer().Dial(background, h.url("/conn"), nil)
		if err != nil {
			h.Fatal(err)
		}
		for _, c := range []*websocket.Conn{s, d} {
			if err := c.Session().Post("x"); err != websocket.ErrNoInfo {
				h.Error("a Conn:", err)
			}
		}
	})
}

// deaf has no Info.
type deaf struct{ s chan *websocket.Session }

func (d *deaf) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	d.s <- s
	return out
}

func (*deaf) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

// Options may be given as a value or by pointer; what is neither is an error, and says so.
func TestOptionsOfSwitch(t *testing.T) {
	limited := websocket.Options{MaxFrameSize: 10}
	for _, r := range []struct {
		name    string
		options any
		limit   bool
		log     string
	}{
		{"nil", nil, false, ""},
		{"nil_pointer", (*websocket.Options)(nil), false, ""},
		{"pointer", &limited, true, ""},
		{"value", limited, true, ""},
		{"other_protocol", &upgrade.TunnelOptions{}, false, "options are a *upgrade.TunnelOptions, not a websocket.Options"},
		{"client", websocket.DialOptions{Options: limited}, false, "options are a websocket.DialOptions"},
		{"map", map[string]any{"max_frame_size": 10}, false, "options are a map[string]interface {}"},
		{"pointer_to_pointer", new(*websocket.Options), false, "options are a **websocket.Options"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, "1.options", overHTTP, func(h *house) {
				a := new(actor)
				h.mux.Handle("/switch", upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
					return &upgrade.Switch{Protocol: websocket.Protocol, Handler: a, Options: r.options}, nil
				}))
				c, err := h.tryOpenAt("/switch")
				if r.log != "" {
					if err == nil || !strings.Contains(err.Error(), "500") || !strings.Contains(h.log.String(), r.log) {
						h.Errorf("%v, log %q", err, h.log)
					}
					return
				}
				if err != nil {
					h.Fatal(err)
				}
				c.send(text("01234567890"))
				if !r.limit {
					c.wantText("no limit", "01234567890")
					return
				}
				c.wantClose("an octet too much", 1009, "")
				h.wantReason(a, "error:badsize")
			})
		})
	}
}

// The options of a handler whose init answers by itself are asked for their filter, however they
// are given.
func TestFilterOfOptions(t *testing.T) {
	filter := websocket.Options{ReqFilter: func(_ *http.Request, p *websocket.PartialRequest) { p.Extra = "filtered" }}
	for name, r := range map[string]struct {
		options, want any
	}{
		"value": {filter, "filtered"}, "pointer": {&filter, "filtered"}, "nil_pointer": {(*websocket.Options)(nil), nil}, "nil": {nil, nil},
		"no_filter": {websocket.Options{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, overHTTP, func(h *house) {
				a := new(actor)
				h.mux.Handle("/answered", upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
					w.WriteHeader(403)
					return &upgrade.Switch{Protocol: websocket.Protocol, Handler: a, Options: r.options}, errors.New("refused")
				}))
				if _, err := h.tryOpenAt("/answered"); err == nil {
					h.Fatal("opened")
				}
				h.wantReason(a, "crash:error")
				if got := a.reqs[0].Extra; got != r.want {
					h.Errorf("Extra %v, want %v", got, r.want)
				}
			})
		})
	}
}
