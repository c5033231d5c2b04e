package h2_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"
)

// site is an http.Server with weir's HTTP/2 in a bubble, over an in-memory network.
type site struct {
	t      *testing.T
	hs     *http.Server
	h2     *h2.Server
	l      *memnet.Listener
	writes atomic.Int64 // calls of Write on the server's side
	logged lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// counted counts the writes of the server.
type counted struct {
	net.Listener
	n *atomic.Int64
}

type countedConn struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Accept() (net.Conn, error) {
	nc, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{nc, c.n}, nil
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(b)
}

func (c *countedConn) CloseWrite() error { return c.Conn.(*memnet.Conn).CloseWrite() }

// bubble runs f with a site of handler h. Everything must have ended when f returns, but for the
// server. f may fail the test by t as well as by s.t, which is that of the bubble.
func bubble(t *testing.T, cfg *h2.Config, h http.HandlerFunc, f func(s *site)) {
	t.Helper()
	outside := t
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, l: memnet.Listen(), hs: &http.Server{Handler: h}}
		s.hs.ErrorLog = log.New(&s.logged, "", 0)
		var err error
		if s.h2, err = h2.ConfigureServer(s.hs, cfg); err != nil {
			t.Fatal(err)
		}
		go s.hs.Serve(counted{s.l, &s.writes}) // ends with Close below
		returned := false
		defer func() {
			s.h2.Close()
			s.hs.Close()
			synctest.Wait()
			if !returned && outside.Failed() {
				t.FailNow() // or package testing wonders about a goroutine that ended without it
			}
		}()
		f(s)
		returned = true
	})
}

// start serves h with the server that s.hs is, in a bubble.
func (s *site) start(h http.HandlerFunc) {
	s.t.Helper()
	s.l = memnet.Listen()
	s.hs.Handler = h
	var err error
	if s.h2, err = h2.ConfigureServer(s.hs, nil); err != nil {
		s.t.Fatal(err)
	}
	go s.hs.Serve(s.l) // ends with Close
}

func (s *site) conn() net.Conn {
	s.t.Helper()
	nc, err := s.l.Dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return nc
}

func (s *site) dial() *h2test.Peer {
	s.t.Helper()
	p, err := h2test.Dial(s.conn())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { p.Close() })
	return p
}

func (s *site) connect(p *h2test.Peer, path string) *h2test.Tunnel {
	s.t.Helper()
	tn, err := p.Connect(path)
	if err != nil || tn.Status != 200 {
		s.t.Fatalf("CONNECT %s: %v, %v", path, tn, err)
	}
	return tn
}

// fakeSink is a sink in the test's hands.
type fakeSink struct {
	st     stream.Stream
	echo   bool // send back and release
	mu     sync.Mutex
	got    strings.Builder
	fin    bool
	drain  int
	calls  []string
	closed chan struct{}
	err    error
	inside atomic.Int32
}

func newSink(st stream.Stream, echo bool) *fakeSink {
	return &fakeSink{st: st, echo: echo, closed: make(chan struct{})}
}

func (f *fakeSink) Data(b []byte, fin bool) {
	if f.inside.Add(1) != 1 {
		panic("Data while Data or Closed runs")
	}
	defer f.inside.Add(-1)
	f.mu.Lock()
	f.got.Write(b)
	f.fin = f.fin || fin
	f.calls = append(f.calls, "data")
	f.mu.Unlock()
	if f.echo {
		f.st.Send([][]byte{b}, fin)
		f.st.Release(len(b))
	}
	clear(b)
}

func (f *fakeSink) Drained() { f.mu.Lock(); f.drain++; f.mu.Unlock() }

func (f *fakeSink) Closed(err error) {
	if f.inside.Add(1) != 1 {
		panic("Closed while Data runs")
	}
	f.mu.Lock()
	f.calls = append(f.calls, "closed")
	f.mu.Unlock()
	f.err = err
	close(f.closed)
}

func (f *fakeSink) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got.String()
}

// tunnels is a handler that opens a stream for each CONNECT and hands its sink out; /echo and
// everything below echoes.
type tunnels struct {
	limits stream.Limits
	sinks  chan *fakeSink
}

// newTunnels makes a handler; open belongs in the bubble, where its channel has to be made.
func newTunnels() *tunnels { return &tunnels{} }

func (ts *tunnels) open() { ts.sinks = make(chan *fakeSink, 300) }

func (ts *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if stream.Token(r.Context()) == "" {
		io.WriteString(w, "plain")
		return
	}
	st, err := w.(stream.Opener).OpenStream(http.Header{"X-Path": {r.URL.Path}})
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
		panic(err)
	}
	s := newSink(st, strings.HasPrefix(r.URL.Path, "/echo"))
	st.Attach(s, ts.limits)
	ts.sinks <- s // before the answer: they are in the order in which a client opens one after the other
	st.Send(nil, false)
}

func readN(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(b)
}
