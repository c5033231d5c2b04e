package h2_test

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// TestLost: every stream hears of the end of its connection.
func TestLost(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		s.connect(p, "/a")
		s.connect(p, "/b")
		p.Close()
		for range 2 {
			sink := <-ts.sinks
			<-sink.closed
			if sink.err == nil {
				t.Error("Closed(nil) for a lost connection")
			}
		}
		p = s.dial()
		s.connect(p, "/c")
		p.Send(`PING ACK 00`, `RAW 6 0 0 00`)
		sink := <-ts.sinks
		<-sink.closed
		if ce, ok := errors.AsType[*h2.ConnError](sink.err); !ok || ce.Code != h2.FrameSizeError || ce.Rule != "RFC 9113, 6.7" {
			t.Errorf("connection error: %v", sink.err)
		}
		if g, _ := p.Wait(5 * time.Second); g == nil || g.Code != http2.ErrCodeFrameSize {
			t.Errorf("GOAWAY: %v", g)
		}
	})
}

// TestWriteTimeout: a peer that does not read its socket ends the connection after
// Config.WriteTimeout.
func TestWriteTimeout(t *testing.T) {
	ts := newTunnels()
	bubble(t, &h2.Config{WriteTimeout: 7 * time.Second}, ts.ServeHTTP, func(s *site) {
		ts.open()
		nc := s.conn()
		p := &stalled{Conn: nc, gate: make(chan struct{})}
		peer, err := h2test.Dial(p)
		if err != nil {
			t.Fatal(err)
		}
		s.connect(peer, "/")
		sink := <-ts.sinks
		peer.Send("WINDOW_UPDATE 0 100000000", "WINDOW_UPDATE 1 100000000")
		synctest.Wait()
		p.stall.Store(true)
		start := time.Now()
		sink.st.Send([][]byte{make([]byte, 10<<20)}, false) // one write of it, the rest from a goroutine
		<-sink.closed
		if !errors.Is(sink.err, os.ErrDeadlineExceeded) || time.Since(start) < 7*time.Second {
			t.Errorf("after %v: %v", time.Since(start), sink.err)
		}
		close(p.gate)
		peer.Close()
	})
}

// stalled is a connection whose reader stops.
type stalled struct {
	net.Conn
	stall atomic.Bool
	gate  chan struct{}
}

func (s *stalled) Read(b []byte) (int, error) {
	if s.stall.Load() {
		<-s.gate
	}
	return s.Conn.Read(b)
}

// TestIdle: RFC 9113, 9.1. The idle time runs without streams only.
func TestIdle(t *testing.T) {
	ts := newTunnels()
	var states []string
	var mu sync.Mutex
	synctest.Test(t, func(t *testing.T) {
		ts.open()
		s := &site{t: t, hs: &http.Server{IdleTimeout: time.Minute, ReadTimeout: time.Second, WriteTimeout: time.Second}}
		s.hs.ConnState = func(_ net.Conn, st http.ConnState) {
			mu.Lock()
			states = append(states, st.String())
			mu.Unlock()
		}
		s.start(ts.ServeHTTP)
		p := s.dial()
		tn := s.connect(p, "/echo")
		time.Sleep(time.Hour)
		tn.Write([]byte("x"))
		readN(t, tn, 1)
		tn.CloseWrite()
		start := time.Now()
		g, err := p.Wait(2 * time.Minute)
		if g == nil || g.Code != http2.ErrCodeNo || time.Since(start) < time.Minute || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: %v, %v", time.Since(start), g, err)
		}
		s.hs.Close()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(states, " "); got != "new active idle active idle closed" {
			t.Errorf("states: %s", got)
		}
	})
}

// TestShutdown: RFC 9113, 6.8 in two steps, the wait, the cut.
func TestShutdown(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		tn := s.connect(p, "/echo")
		done := make(chan error, 1)
		go func() { done <- s.h2.Shutdown(context.Background()) }()
		synctest.Wait()
		if g := p.GoAway(); g == nil || g.Last != tn.ID {
			t.Fatalf("GOAWAY: %v", g)
		}
		tn.Write([]byte("goes on"))
		readN(t, tn, 7)
		tn.CloseWrite()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if s.h2.Conns() != 0 {
			t.Error("connections are left")
		}
	})
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		s.connect(p, "/")
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := s.h2.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("Shutdown: %v", err)
		}
		sink := <-ts.sinks
		<-sink.closed
		if !errors.Is(sink.err, net.ErrClosed) {
			t.Errorf("cut: %v", sink.err)
		}
		p = s.dial() // a late one is told at once
		if g, _ := p.Wait(5 * time.Second); g == nil {
			t.Error("no GOAWAY for a new connection")
		}
	})
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open() // http.Server.Shutdown does the same
		p := s.dial()
		s.connect(p, "/")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.hs.Shutdown(ctx)
		if p.GoAway() == nil {
			t.Error("no GOAWAY")
		}
	})
}

// TestRapidReset is ATTACKS.md, S1: streams that are reset at once never start more handlers than
// MaxConcurrentStreams.
func TestRapidReset(t *testing.T) {
	var running, most atomic.Int64
	bubble(t, &h2.Config{MaxConcurrentStreams: 10}, func(w http.ResponseWriter, r *http.Request) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(time.Hour) // does not look at its context
		running.Add(-1)
	}, func(s *site) {
		p := s.dial()
		for i := range 200 {
			tn, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/")
			if err != nil {
				break
			}
			tn.Reset(http2.ErrCodeCancel)
			if i%10 == 0 {
				synctest.Wait()
			}
		}
		g, _ := p.Wait(5 * time.Second)
		if g == nil || g.Code != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("GOAWAY: %v", g)
		}
		if most.Load() > 10 {
			t.Errorf("%d handlers at once", most.Load())
		}
		time.Sleep(24 * time.Hour) // the handlers end
	})
}

// TestPingFlood is ATTACKS.md, S7: answers that are not read end the connection.
func TestPingFlood(t *testing.T) {
	bubble(t, nil, func(http.ResponseWriter, *http.Request) {}, func(s *site) {
		p := &stalled{Conn: s.conn(), gate: make(chan struct{})}
		peer, err := h2test.Dial(p)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.stall.Store(true)
		for range 50_000 {
			peer.Send("PING")
		}
		time.Sleep(time.Minute)
		if n := s.h2.Conns(); n != 0 {
			t.Errorf("%d connections", n)
		}
		close(p.gate)
		peer.Close()
	})
}

// TestGarbage: no preface of HTTP/2 behind its first octets.
func TestGarbage(t *testing.T) {
	bubble(t, nil, func(http.ResponseWriter, *http.Request) {}, func(s *site) {
		nc := s.conn()
		p := h2test.New(nc, h2test.Options{Manual: true, NoPreface: true})
		p.WriteRaw([]byte(http2.ClientPreface))
		p.WriteRaw([]byte("GET / HTTP/1.1\r\n\r\n"))
		p.Want(t, "ours comes in any case", "SETTINGS")
		p.Want(t, "window of the connection", "WINDOW_UPDATE 0 983041")
		p.Want(t, "this is no frame", "GOAWAY 0 FRAME_SIZE_ERROR")
		p.WantClosed(t, "and the end")
	})
}

// TestConnStateBreaks: a hook that panics or calls runtime.Goexit is told the states that follow,
// and ends neither the program nor the connection.
func TestConnStateBreaks(t *testing.T) {
	for name, breaks := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var states []string
			synctest.Test(t, func(t *testing.T) {
				s := &site{t: t, hs: &http.Server{}}
				s.hs.ErrorLog = log.New(&s.logged, "", 0)
				s.hs.ConnState = func(_ net.Conn, st http.ConnState) {
					mu.Lock()
					states = append(states, st.String())
					mu.Unlock()
					if st == http.StateIdle {
						breaks()
					}
				}
				s.start(func(http.ResponseWriter, *http.Request) {})
				p := s.dial()
				for range 2 {
					if res, err := p.Get("/"); err != nil || res.Status != 200 {
						t.Errorf("%v, %v", res, err)
					}
				}
				p.Close()
				synctest.Wait()
				s.hs.Close()
				if name == "panic" && !strings.Contains(s.logged.String(), "panic in http.Server.ConnState") {
					t.Errorf("logged %q", s.logged.String())
				}
			})
			if got := strings.Join(states, " "); got != "new active idle active idle active idle closed" {
				t.Errorf("states: %s", got)
			}
		})
	}
}

// TestConnStateOfTunnels: for the hook of http.Server a connection is idle that has tunnels alone.
func TestConnStateOfTunnels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var states []string
		s := &site{t: t, hs: &http.Server{}}
		s.hs.ConnState = func(_ net.Conn, st http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, st.String())
		}
		opened, leave := make(chan stream.Stream, 2), make(chan struct{})
		s.start(func(w http.ResponseWriter, r *http.Request) {
			if stream.Token(r.Context()) != "" {
				st, err := w.(stream.Opener).OpenStream(nil)
				if err != nil {
					t.Error(err)
					return
				}
				opened <- st
				_, _ = st.Send(nil, false) // the stream's end would say what is wrong
				<-leave                    // as one does that uses a Conn
			}
		})
		want := func(why, want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(states, " "); got != want {
				t.Errorf("%s: %s, want %s", why, got, want)
			}
			states = nil
		}
		p := s.dial()
		want("a connection", "new active idle")
		one, err := p.Connect("/")
		if err != nil {
			t.Fatal(err)
		}
		want("a tunnel", "active idle")
		if _, err := p.Get("/"); err != nil {
			t.Fatal(err)
		}
		want("a request beside it", "active idle")
		if _, err := p.Connect("/"); err != nil {
			t.Fatal(err)
		}
		want("another tunnel", "active idle")
		one.Reset(8)
		want("a tunnel less", "")
		if _, err := p.Get("/"); err != nil {
			t.Fatal(err)
		}
		want("a request", "active idle")
		close(leave)
		for range 2 {
			(<-opened).Reset(stream.Cancel)
		}
		want("no tunnel", "")
		p.Close()
		want("the end", "closed")
		s.hs.Close()
	})
}
