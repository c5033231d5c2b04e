package behaviour_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket"
)

// A session and a Conn on the two ends of any stream talk to each other: masked from the client,
// compressed if that is said to have been agreed on.
func TestOnStream(t *testing.T) {
	for _, extensions := range []string{"", "permessage-deflate", "permessage-deflate; server_no_context_takeover; client_max_window_bits=10"} {
		t.Run(extensions, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := stream.Pipe()
				compressed := 0
				so := &websocket.StreamOptions{Subprotocol: "chat", Extensions: extensions, Request: &websocket.PartialRequest{Path: "/x"}}
				so.Trace = func(e websocket.Event) {
					if e.Kind == websocket.EventMessage && e.Compressed {
						compressed++
					}
				}
				h := new(actor)
				s, err := websocket.NewSession(a, h, so)
				if err != nil {
					t.Fatal(err)
				}
				c, err := websocket.NewConn(b, &websocket.StreamOptions{Client: true, Subprotocol: "chat", Extensions: extensions})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Second) // less than the server's IdleTimeout, and a client has none
				for range 3 {
					if err := c.Write(background, websocket.TextFrame, []byte(strings.Repeat("hello ", 10))); err != nil {
						t.Fatal(err)
					}
					if kind, got, err := c.Read(background); err != nil || kind != websocket.TextFrame || string(got) != strings.Repeat("hello ", 10) {
						t.Fatalf("%v %q, %v", kind, got, err)
					}
				}
				if err := c.Close(websocket.CloseGoingAway, "bye"); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if len(h.reasons) != 1 || h.reasons[0].Code != websocket.CloseGoingAway || h.reqs[0].Path != "/x" {
					t.Errorf("reasons %+v, requests %+v", h.reasons, h.reqs)
				}
				if s.Subprotocol() != "chat" || s.Extensions() != extensions || s.Request().Path != "/x" || s.StreamInfo().Transport != stream.Mem {
					t.Errorf("%q %q %+v", s.Subprotocol(), s.Extensions(), s.Request())
				}
				if want := map[bool]int{true: 6}[extensions != ""]; compressed != want {
					t.Errorf("%d messages were compressed, want %d", compressed, want)
				}
			})
		})
	}
}

// Without a Request it is what the stream says of itself.
func TestOnStreamRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		s, err := websocket.NewSession(a, new(actor), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := *s.Request(), (websocket.PartialRequest{Method: "GET", Scheme: "http", Peer: "pipe"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		s.Cut()
		b.Reset(stream.Cancel)
		synctest.Wait()
	})
}

// What cannot be is an error, and the stream is as it was: somebody else may attach to it.
func TestOnStreamRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		for name, o := range map[string]*websocket.StreamOptions{
			"another extension": {Extensions: "x-other"},
			"two":               {Extensions: "permessage-deflate, permessage-deflate"},
			"malformed":         {Extensions: "permessage-deflate; ="},
			"bad parameters":    {Extensions: "permessage-deflate; server_max_window_bits=99"},
			"bad options":       {Options: websocket.Options{Deflate: websocket.DeflateOptions{Level: 10}}},
		} {
			if _, err := websocket.NewSession(a, new(actor), o); err == nil {
				t.Errorf("%s: no error", name)
			}
			if _, err := websocket.NewConn(a, o); err == nil {
				t.Errorf("%s: no error of NewConn", name)
			}
		}
		if _, err := websocket.NewSession(a, wrongTerminate{}, nil); err == nil {
			t.Error("a Terminate that nobody would call is no error")
		}
		if _, err := websocket.NewSession(a, nil, nil); err == nil {
			t.Error("no handler is no error")
		}
		s, err := websocket.NewSession(a, new(actor), nil)
		if err != nil {
			t.Fatal(err)
		}
		b.Reset(stream.Cancel)
		synctest.Wait()
		if err := s.Send(); !errors.Is(err, websocket.ErrEnded) {
			t.Error(err)
		}
	})
}

// stuck is a stream whose queue is full until it fails.
type stuck struct {
	stream.Stream
	sink   stream.Sink
	failed atomic.Bool
}

func (f *stuck) Attach(s stream.Sink, _ stream.Limits) { f.sink = s }

func (f *stuck) Send([][]byte, bool) (int, error) {
	if f.failed.Load() {
		return 0, &stream.ResetError{Code: stream.Cancel}
	}
	return 1 << 20, nil
}

// TestFailedStream: a Send that has found no room is nothing to be applied to a stream that has
// failed and is about to say so. The reason is that of the stream.
func TestFailedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		f := &stuck{Stream: a}
		h := new(ended)
		s, err := websocket.NewSession(f, h, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Send(websocket.Text("fills it"))
		synctest.Wait()
		s.Send(websocket.Close(4000, ""))
		synctest.Wait()
		f.failed.Store(true)
		f.sink.Drained()
		synctest.Wait()
		if h.reason != nil {
			t.Errorf("%v before Closed", h.reason)
		}
		f.sink.Closed(os.ErrDeadlineExceeded)
		synctest.Wait()
		if h.reason == nil || h.reason.String() != "error:timeout" {
			t.Errorf("%v, want error:timeout", h.reason)
		}
		a.Reset(stream.Cancel)
		b.Reset(stream.Cancel)
	})
}

// ended is told its end, and nothing else.
type ended struct{ reason *websocket.Reason }

func (*ended) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (e *ended) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { e.reason = &r }

// websocket.Switch fills a Switch; nil options are none.
func TestSwitch(t *testing.T) {
	h, o := new(actor), new(websocket.Options)
	for _, r := range []struct {
		got  *upgrade.Switch
		opts any
	}{{websocket.Switch(h, o), o}, {websocket.Switch(h, nil), nil}} {
		if r.got.Protocol != websocket.Protocol || r.got.Handler != h || r.got.Options != r.opts {
			t.Errorf("%+v", r.got)
		}
	}
}
