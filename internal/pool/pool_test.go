package pool_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/internal/pool"
	"weir/stream"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

// server is one whose connections each do what a script says, and the pool that dials it.
type server struct {
	t     *testing.T
	ln    *memnet.Listener
	pool  *pool.Pool
	plays func(n int, nc net.Conn) // connection n, from 1 on
	conns atomic.Int32             // that were dialled
	live  atomic.Int32             // that are open on the server's side
	asked atomic.Int32             // requests that have arrived
}

// dialTime is how long it takes to reach the server.
const dialTime = time.Millisecond

func run(t *testing.T, plays func(s *server, n int, nc net.Conn), test func(s *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{t: t, ln: memnet.Listen()}
		s.plays = func(n int, nc net.Conn) { plays(s, n, nc) }
		s.pool = pool.New(func(ctx context.Context) (net.Conn, error) {
			s.conns.Add(1)
			time.Sleep(dialTime)
			return s.ln.Dial(ctx)
		}, &h2.ClientConfig{})
		go s.accept() // ends with the listener
		test(s)
		for _, c := range s.pool.Leave(net.ErrClosed) {
			c.Close()
		}
		s.ln.Close()
		time.Sleep(time.Minute) // what lingers ends, or synctest finds it
		if n := s.live.Load(); n != 0 {
			t.Errorf("%d connections are still open", n)
		}
	})
}

func (s *server) accept() {
	for n := 1; ; n++ {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.live.Add(1)
		go func() { // ends with the script, which ends with the connection
			defer s.live.Add(-1)
			defer nc.Close()
			s.plays(n, nc)
		}()
	}
}

var offer = http2.Setting{ID: 8, Val: 1} // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441, 3)

func streams(n uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n}
}

// speaks is a server that does what every one does, and answers a request by answer.
func (s *server) speaks(nc net.Conn, settings []http2.Setting, answer func(p *h2test.Peer, id string)) {
	p := h2test.New(nc, h2test.Options{Server: true, Settings: settings})
	defer p.Close()
	for {
		f, err := p.Next()
		switch {
		case errors.Is(err, context.DeadlineExceeded) || isTimeout(err): // Next waits for so long only
			continue
		case err != nil:
			return
		}
		switch line := f.String(); {
		case f.Type == http2.FrameHeaders:
			s.asked.Add(1)
			answer(p, strings.Fields(line)[1])
		case f.Type == http2.FramePing && !f.Flags.Has(http2.FlagPingAck):
			p.Send("PING ACK " + strings.Fields(line)[1])
		case f.Type == http2.FrameSettings && !f.Flags.Has(http2.FlagSettingsAck):
			p.Send("SETTINGS ACK")
		}
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func opens(p *h2test.Peer, id string) { p.Send("HEADERS " + id + " :status=200") }

// good is a server that opens every stream.
func (s *server) good(nc net.Conn, settings ...http2.Setting) {
	s.speaks(nc, append(settings, offer), opens)
}

// hangs says nothing until the connection ends.
func hangs(nc net.Conn) { _, _ = io.Copy(io.Discard, nc) }

func (s *server) open(timeout time.Duration) (stream.Stream, error) {
	ctx, stop := context.WithTimeout(s.t.Context(), timeout)
	defer stop()
	return s.openIn(ctx)
}

func (s *server) openIn(ctx context.Context) (stream.Stream, error) {
	st, res, err := s.pool.Open(ctx, &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Scheme: "http", Host: "weir.test", Path: "/"},
		Header: http.Header{":protocol": {"websocket"}},
	})
	if err == nil && (st == nil || res == nil) {
		s.t.Errorf("no stream, and no error: %v", res)
	}
	return st, err
}

// all opens n at once.
func (s *server) all(n int, timeout time.Duration) (opened int, errs []error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := s.open(timeout)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else {
				opened++
			}
		})
	}
	all.Wait()
	return opened, errs
}

func (s *server) wantConns(n int32) {
	s.t.Helper()
	if got := s.conns.Load(); got != n {
		s.t.Errorf("%d connections were dialled, want %d", got, n)
	}
}

// Streams share a connection as long as the server allows it, then there is another
// (RFC 9113, 5.1.2).
func TestShare(t *testing.T) {
	for _, c := range []struct {
		allowed uint32
		conns   int32
	}{{100, 1}, {20, 1}, {19, 2}, {7, 3}, {1, 20}} {
		run(t, func(s *server, _ int, nc net.Conn) { s.good(nc, streams(c.allowed)) }, func(s *server) {
			if n, errs := s.all(20, time.Second); n != 20 {
				t.Errorf("%d allowed: %d opened, %v", c.allowed, n, errs)
			}
			s.wantConns(c.conns)
		})
	}
}

// A connection that hangs while it is opened holds nobody up: another is begun beside it.
func TestHangs(t *testing.T) {
	for hung := 1; hung <= 4; hung++ {
		run(t, func(s *server, n int, nc net.Conn) {
			if n <= hung {
				hangs(nc)
			} else {
				s.good(nc)
			}
		}, func(s *server) {
			began := time.Now()
			if n, errs := s.all(20, 10*time.Second); n != 20 {
				t.Errorf("%d hang: %d opened, %v", hung, n, errs)
			}
			if took, want := time.Since(began), 250*time.Millisecond<<hung-250*time.Millisecond+dialTime; took != want {
				t.Errorf("%d hang: after %v, want %v", hung, took, want)
			}
			s.wantConns(int32(hung) + 1)
			time.Sleep(time.Second)
			if n := s.live.Load(); n != 1 {
				t.Errorf("%d hang: %d connections are left", hung, n)
			}
		})
	}
}

// A server on which every connection hangs is dialled five times at most, however many wait; one
// who waits alone dials it once.
func TestAllHang(t *testing.T) {
	for n, conns := range map[int]int32{1: 1, 2: 2, 100: 5} {
		run(t, func(_ *server, _ int, nc net.Conn) { hangs(nc) }, func(s *server) {
			opened, errs := s.all(n, 8900*time.Millisecond) // before h2 ends them
			if opened != 0 || len(errs) != n {
				t.Errorf("%d opened", opened)
			}
			for _, err := range errs {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
			s.wantConns(conns)
			synctest.Wait()
		})
	}
}

// What a server does to every connection is told as it is, and costs a bounded number of them and
// of requests.
func TestBounds(t *testing.T) {
	rest := func(p *h2test.Peer) { // until the client ends the connection
		for err := error(nil); err == nil || isTimeout(err); _, err = p.Next() {
		}
		p.Close()
	}
	say := func(lines ...string) func(*server, int, net.Conn) {
		return func(_ *server, _ int, nc net.Conn) {
			p := h2test.New(nc, h2test.Options{Server: true, NoPreface: true})
			p.Send(append([]string{"SETTINGS ENABLE_CONNECT_PROTOCOL=1"}, lines...)...) // in one write
			rest(p)
		}
	}
	answers := func(lines ...string) func(*server, int, net.Conn) {
		return func(s *server, _ int, nc net.Conn) {
			s.speaks(nc, []http2.Setting{offer}, func(p *h2test.Peer, id string) {
				for _, l := range lines {
					p.Send(strings.ReplaceAll(l, "ID", id))
				}
			})
		}
	}
	for name, c := range map[string]struct {
		plays        func(*server, int, net.Conn)
		conns, asked int32 // of one who opens; conns below 0: so many at most
		most         int32 // connections of 100 who open at once
		want         string
		is           error
	}{
		"no streams": {
			func(s *server, _ int, nc net.Conn) { s.good(nc, streams(0)) }, 1, 0, 1,
			"the server allows no stream, its SETTINGS_MAX_CONCURRENT_STREAMS is 0: h2: no room for another stream (RFC 9113, 5.1.2)", h2.ErrNoRoom,
		},
		"no streams soon": {
			say("SETTINGS MAX_CONCURRENT_STREAMS=0"), 1, 0, 50, "SETTINGS_MAX_CONCURRENT_STREAMS is 0", h2.ErrNoRoom,
		},
		"no offer": {
			func(s *server, _ int, nc net.Conn) { s.speaks(nc, nil, opens) }, 1, 0, 1,
			"h2: the server does not offer extended CONNECT (RFC 8441, 3)", h2.ErrNoExtendedConnect,
		},
		"GOAWAY with a code behind SETTINGS": {
			say("GOAWAY 0 ENHANCE_YOUR_CALM \"slow down\""), 1, 0, 1, "the peer says ENHANCE_YOUR_CALM: slow down", nil,
		},
		"GOAWAY behind SETTINGS": {
			say("GOAWAY 0 NO_ERROR"), 5, 0, 5, "the peer says NO_ERROR", nil,
		},
		"end behind SETTINGS": {
			func(_ *server, _ int, nc net.Conn) {
				p := h2test.New(nc, h2test.Options{Server: true, Settings: []http2.Setting{offer}})
				for f, err := p.Next(); err == nil && !f.Flags.Has(http2.FlagSettingsAck); f, err = p.Next() {
				}
				_ = nc.(interface{ CloseWrite() error }).CloseWrite()
				rest(p)
			}, -5, 0, 50, "EOF", nil, // a request that left before the end was seen is not made again
		},
		"GOAWAY with a code for the request": {
			answers("GOAWAY 0 ENHANCE_YOUR_CALM \"slow down\""), 1, 1, 50, "the peer says ENHANCE_YOUR_CALM: slow down", nil,
		},
		"GOAWAY for the request": {
			answers("GOAWAY 0 NO_ERROR"), 5, 5, 50, "over the last stream of GOAWAY (RFC 9113, 6.8)", nil,
		},
		"REFUSED_STREAM": {
			answers("RST_STREAM ID REFUSED_STREAM"), 1, 5, 2, "the peer says REFUSED_STREAM", nil,
		},
		"INTERNAL_ERROR": {
			answers("RST_STREAM ID INTERNAL_ERROR"), 1, 1, 1, "the peer says INTERNAL_ERROR", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, c.plays, func(s *server) {
				_, err := s.open(20 * time.Second)
				if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v, want %s", err, c.want)
				}
				if n := s.conns.Load(); n != c.conns && (c.conns > 0 || n > -c.conns) {
					t.Errorf("%d connections were dialled, want %d", n, c.conns)
				}
				if n := s.asked.Load(); n != c.asked {
					t.Errorf("%d requests, want %d", n, c.asked)
				}
			})
			run(t, c.plays, func(s *server) {
				if n, errs := s.all(100, 20*time.Second); n != 0 || len(errs) != 100 {
					t.Errorf("%d opened", n)
				}
				if n := s.conns.Load(); n > c.most {
					t.Errorf("100 who open at once made %d connections, want %d at most", n, c.most)
				}
			})
		})
	}
}

// relay is a network between the pool and a server, that may freeze.
type relay struct {
	mu     sync.Mutex
	frozen chan struct{} // nil: it flows
}

func (r *relay) freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = make(chan struct{})
}

func (r *relay) melt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.frozen)
	r.frozen = nil
}

// through copies one way. What arrives while it is frozen waits.
func (r *relay) through(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		frozen := r.frozen
		r.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// over runs a server's script behind the relay.
func (r *relay) over(nc net.Conn, plays func(nc net.Conn)) {
	ln := memnet.Listen()
	defer ln.Close()
	var all sync.WaitGroup
	all.Go(func() {
		far, err := ln.Accept()
		if err == nil {
			plays(far)
		}
	})
	near, err := ln.Dial(context.Background())
	if err == nil {
		all.Go(func() { r.through(near, nc) })
		r.through(nc, near)
	}
	all.Wait()
}

// sink waits for the end of a stream.
type sink struct{ closed chan error }

func (k *sink) Data([]byte, bool) {}
func (k *sink) Drained()          {}
func (k *sink) Closed(err error)  { k.closed <- err }

// A network that goes silent: new streams are opened on another connection within 2 s, at whatever
// time it happens. The old connection is lost 15 s after the PING that found its silence
// (ClientConfig.PingTimeout), and so are its streams.
func TestSilence(t *testing.T) {
	for _, after := range []time.Duration{0, 100 * time.Millisecond, time.Second, time.Hour} {
		var net1 relay
		run(t, func(s *server, n int, nc net.Conn) {
			if n == 1 {
				net1.over(nc, func(nc net.Conn) { s.good(nc) })
			} else {
				s.good(nc)
			}
		}, func(s *server) {
			st, err := s.open(time.Second)
			if err != nil {
				t.Fatal(err)
			}
			k := &sink{make(chan error, 1)}
			st.Attach(k, stream.Limits{})
			net1.freeze()
			defer net1.melt()
			time.Sleep(after)
			began := time.Now()
			if n, errs := s.all(20, 20*time.Second); n != 20 || time.Since(began) > 2*time.Second {
				t.Errorf("silent for %v: %d opened after %v, %v", after, n, time.Since(began), errs)
			}
			s.wantConns(2)
			began = time.Now()
			if n, _ := s.all(20, time.Second); n != 20 || time.Since(began) > 0 {
				t.Errorf("silent for %v: %d more opened, after %v", after, n, time.Since(began))
			}
			select {
			case err := <-k.closed:
				if !strings.Contains(err.Error(), "no answer to PING") {
					t.Errorf("the stream ended with %v", err)
				}
			case <-time.After(15 * time.Second):
				t.Error("the connection has not been found dead")
			}
		})
	}
}

// A network that goes silent while a request waits, after something has come behind it: the request
// is made on another connection, too. Until then there is none.
func TestSilenceBehindRequest(t *testing.T) {
	for _, heard := range []time.Duration{time.Millisecond, 499 * time.Millisecond, 600 * time.Millisecond, 5 * time.Second} {
		run(t, func(s *server, n int, nc net.Conn) {
			if n > 1 {
				s.good(nc)
				return
			}
			began := time.Now()
			p := h2test.New(nc, h2test.Options{Server: true, Settings: []http2.Setting{offer}})
			defer p.Close()
			for {
				f, err := p.Next()
				switch {
				case isTimeout(err):
				case err != nil:
					return
				case f.Type == http2.FrameHeaders:
					time.AfterFunc(heard, func() { p.Send("SETTINGS") }) // the last that comes
				case f.Type == http2.FrameSettings && !f.Flags.Has(http2.FlagSettingsAck):
					p.Send("SETTINGS ACK")
				case f.Type == http2.FramePing && time.Since(began) < heard:
					p.Send("PING ACK " + strings.Fields(f.String())[1])
				}
			}
		}, func(s *server) {
			began := time.Now()
			time.AfterFunc(heard, func() { s.wantConns(1) })
			_, err := s.open(20 * time.Second)
			if took := time.Since(began) - heard; err != nil || took > heard+2*time.Second {
				t.Errorf("silent after %v: %v, after %v more", heard, err, took)
			}
			s.wantConns(2)
		})
	}
}

// A silence that ends: what was asked for is answered, on whichever connection it is first, and the
// server has no stream that nobody wants.
func TestSilenceEnds(t *testing.T) {
	var net1 relay
	var resets atomic.Int32
	run(t, func(s *server, n int, nc net.Conn) {
		if n == 1 {
			net1.over(nc, func(nc net.Conn) {
				p := h2test.New(nc, h2test.Options{Server: true, Settings: []http2.Setting{offer}})
				defer p.Close()
				for {
					f, err := p.Next()
					switch {
					case isTimeout(err):
						continue
					case err != nil:
						return
					case f.Type == http2.FrameHeaders:
						opens(p, strings.Fields(f.String())[1])
					case f.Type == http2.FrameRSTStream:
						resets.Add(1)
					}
				}
			})
			return
		}
		hangs(nc)
	}, func(s *server) {
		if _, err := s.open(time.Second); err != nil {
			t.Fatal(err)
		}
		net1.freeze()
		const still = 5*time.Second + 10*time.Millisecond // and no time of the pool's ends just then
		go func() {
			time.Sleep(still)
			net1.melt()
		}()
		began := time.Now()
		if _, err := s.open(20 * time.Second); err != nil || time.Since(began) != still {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		s.wantConns(2)
		synctest.Wait()
		if n := resets.Load(); n != 0 {
			t.Errorf("%d streams were reset", n)
		}
	})
}

// A server that takes its time, and answers PING meanwhile, is asked once.
func TestSlowAnswer(t *testing.T) {
	run(t, func(s *server, _ int, nc net.Conn) {
		s.speaks(nc, []http2.Setting{offer}, func(p *h2test.Peer, id string) {
			time.AfterFunc(9*time.Second, func() { opens(p, id) })
		})
	}, func(s *server) {
		began := time.Now()
		if _, err := s.open(20 * time.Second); err != nil || time.Since(began) != 9*time.Second+dialTime {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		s.wantConns(1)
		if n := s.asked.Load(); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
	})
}

// Whoever gives up while a connection is opened is told why, and the dial ends with the last.
func TestGivesUp(t *testing.T) {
	why := errors.New("the user has left")
	run(t, func(_ *server, _ int, nc net.Conn) { hangs(nc) }, func(s *server) {
		ctx, cancel := context.WithCancelCause(s.t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if _, err := s.openIn(ctx); !errors.Is(err, why) {
			t.Errorf("%v", err)
		}
		time.Sleep(2 * time.Second)
		if n := s.live.Load(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		if !s.pool.Unused() {
			t.Error("the pool is in use")
		}
	})
}

// TestCalledOff: a dial that was called off, and has not ended, is nothing to those who come then:
// neither do they wait for it, nor is its error theirs.
func TestCalledOff(t *testing.T) {
	run(t, func(s *server, _ int, nc net.Conn) { s.good(nc) }, func(s *server) {
		var all sync.WaitGroup
		ctx, cancel := context.WithCancel(s.t.Context())
		all.Go(func() {
			if _, err := s.openIn(ctx); !errors.Is(err, context.Canceled) {
				s.t.Errorf("who was called off: %v", err)
			}
		})
		time.Sleep(dialTime / 4)
		cancel()
		time.Sleep(dialTime / 4)
		began := time.Now()
		for range 20 {
			all.Go(func() {
				if _, err := s.open(time.Second); err != nil || time.Since(began) != dialTime {
					s.t.Errorf("who came then: %v, after %v", err, time.Since(began))
				}
			})
		}
		all.Wait()
	})
}

// Leave tells those who wait, and the connections end with their last stream.
func TestLeave(t *testing.T) {
	run(t, func(s *server, n int, nc net.Conn) {
		if n == 1 {
			s.good(nc, streams(1))
		} else {
			hangs(nc)
		}
	}, func(s *server) {
		st, err := s.open(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		waits := make(chan error, 1)
		go func() { // ends with Leave
			_, err := s.open(time.Hour)
			waits <- err
		}()
		time.Sleep(time.Second)
		cs := s.pool.Leave(pool.ErrLeft)
		if err := <-waits; err != pool.ErrLeft {
			t.Errorf("who waited got %v", err)
		}
		if _, err := s.open(time.Second); err != pool.ErrLeft {
			t.Errorf("who came got %v", err)
		}
		if len(cs) != 1 || cs[0].Err() != nil {
			t.Fatalf("%d connections", len(cs))
		}
		st.Reset(stream.Cancel)
		<-cs[0].Done()
	})
}

// A connection without a stream is closed after 90 s.
func TestIdle(t *testing.T) {
	run(t, func(s *server, _ int, nc net.Conn) { s.good(nc) }, func(s *server) {
		st, err := s.open(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if s.pool.Unused() || s.live.Load() != 1 {
			t.Error("a connection with a stream has ended")
		}
		st.Reset(stream.Cancel)
		time.Sleep(89 * time.Second)
		if s.pool.Unused() || s.live.Load() != 1 {
			t.Error("it has ended too early")
		}
		time.Sleep(3 * time.Second)
		if !s.pool.Unused() || s.live.Load() != 0 {
			t.Error("it is kept")
		}
	})
}
