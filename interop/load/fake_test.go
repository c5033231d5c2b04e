package load

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fakeShell is no connection at all: the test is the server, and the clock.
type fakeShell struct {
	dropped []*link
	drips   int
}

func (f *fakeShell) dial(*link)        {}
func (f *fakeShell) kick(*link)        {}
func (f *fakeShell) drop(l *link)      { f.dropped = append(f.dropped, l) }
func (f *fakeShell) trickle(l []*link) { f.drips++ }

// scene is an engine in a test's hands. Its time begins at 1 s.
type scene struct {
	t   *testing.T
	e   *engine
	now int64
}

func newScene(t *testing.T, cfg Config) *scene {
	t.Helper()
	cfg.URL = &url.URL{Scheme: "ws", Host: "example.test", Path: "/echo"}
	c, err := cfg.defaults()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{cfg: &c, messages: messages(&c), settled: make(chan struct{}, 1), rested: make(chan struct{}, 1)}
	r.request, r.accept = requestH1(&c)
	e := newEngine(r, &c)
	r.engines = []*engine{e}
	e.shell = &fakeShell{}
	e.addLinks(c.Connections, c.Streams)
	e.share = c.Messages
	e.addSlow(c.SlowReaders)
	if c.Mode == Broadcast {
		e.speaker = e.sockets[0]
	}
	return &scene{t: t, e: e, now: second}
}

// step lets time pass.
func (s *scene) step(d time.Duration) {
	s.now += int64(d)
	s.e.step(s.now)
}

// open opens every WebSocket over HTTP/1.1, and starts the load.
func (s *scene) open() {
	s.t.Helper()
	s.step(0)
	for _, l := range s.e.links {
		l.linkUp(s.now)
		if request := s.sent(l); !strings.HasPrefix(request, "GET /echo HTTP/1.1\r\n") {
			s.t.Fatalf("the request is %q", request)
		}
		s.feed(l, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+s.e.run.accept+"\r\n\r\n")
	}
	s.begin()
}

// begin starts the load once all is open.
func (s *scene) begin() {
	s.t.Helper()
	s.step(0)
	if s.e.phase != waiting {
		s.t.Fatalf("phase %d after all handshakes; errors %v", s.e.phase, s.e.errors)
	}
	s.e.run.t0.Store(s.now)
	s.step(0)
	s.step(0)
}

func (s *scene) feed(l *link, octets string) { l.feed([]byte(octets), s.now) }

// sent takes what a link has to write.
func (s *scene) sent(l *link) string {
	l.pump()
	var b strings.Builder
	for _, seg := range l.out.segs {
		b.Write(seg)
	}
	l.out.wrote(l.out.n)
	return b.String()
}

// answer is a message as a server sends it.
func answer(first byte, payload string) string {
	if len(payload) > 125 {
		return string([]byte{first, 126, byte(len(payload) >> 8), byte(len(payload))}) + payload
	}
	return string([]byte{first, byte(len(payload))}) + payload
}

// wantErrors compares what was counted.
func (s *scene) wantErrors(want map[string]int64) {
	s.t.Helper()
	if len(s.e.errors) != len(want) {
		s.t.Errorf("errors %v, want %v", s.e.errors, want)
	}
	for name, n := range want {
		if s.e.errors[name] != n {
			s.t.Errorf("%d × %q, want %d; all: %v", s.e.errors[name], name, n, s.e.errors)
		}
	}
}

func header(fields ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(fields); i += 2 {
		h.Add(fields[i], fields[i+1])
	}
	return h
}
