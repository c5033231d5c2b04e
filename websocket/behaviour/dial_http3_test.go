package behaviour_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h3"
	"weir/h3/h3test"
	"weir/stream/memnet"
	"weir/websocket"
)

// scene3 is a scene whose server may have HTTP/3 too, on a packet network in fake time.
type scene3 struct {
	*scene
	network *h3test.Network
	addr    net.Addr     // of UDP
	sockets atomic.Int32 // that the Dialer opened
	stops   []func()
}

// inScene3 runs body in fake time. Without h3 nobody serves UDP.
func inScene3(t *testing.T, cfg *h3.Config, tcp bool, body func(s *scene3)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene3{scene: newScene(t), network: h3test.NewNetwork(1, h3test.Link{Delay: time.Millisecond})}
		s.d.HTTP3 = &h3.Dialer{Config: h3.ClientConfig{PathTimeout: 10 * time.Second, KeepAlive: 3 * time.Second},
			ListenPacket: func(context.Context, net.Addr) (net.PacketConn, error) {
				s.sockets.Add(1)
				return s.network.Listen(), nil
			}}
		pc := s.network.Listen()
		s.addr = pc.LocalAddr()
		if cfg != nil {
			s.serve3(pc, cfg)
		}
		if tcp {
			s.stops = append(s.stops, s.echoServer(nil, true))
		} else {
			s.ln.Close()
		}
		body(s)
		s.d.Close()
		for _, stop := range s.stops {
			stop()
		}
		time.Sleep(time.Minute)
	})
}

func (s *scene3) serve3(pc net.PacketConn, cfg *h3.Config) {
	srv := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}},
		Handler: websocket.Handle(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
			if r.URL.Path == "/no" {
				http.Error(w, "no", http.StatusForbidden)
				return nil, nil
			}
			return new(actor), nil
		})}
	over, err := h3.ConfigureServer(srv, cfg)
	if err != nil {
		s.Fatal(err)
	}
	go over.Serve(pc) // ends with over
	s.stops = append(s.stops, func() { over.Close() })
}

// named tells the Dialer of HTTP/3.
func (s *scene3) named() {
	s.Helper()
	h := http.Header{"Alt-Svc": {fmt.Sprintf(`h3="%v"; ma=2592000`, s.addr)}}
	if err := s.d.AltSvc("wss://weir.test/", h); err != nil {
		s.Fatal(err)
	}
}

// dial opens a WebSocket, has something echoed and gives the version of HTTP.
func (s *scene3) dial(url string) (*websocket.Conn, int) {
	s.Helper()
	c, resp, err := s.d.Dial(background, url, nil)
	if err != nil {
		s.Fatal(err)
	}
	if _, ok := s.echoes(c); !ok {
		s.Fatal("no echo")
	}
	return c, resp.ProtoMajor
}

// echoes says whether a WebSocket is alive.
func (s *scene3) echoes(c *websocket.Conn) (error, bool) {
	ctx, stop := context.WithTimeout(background, time.Minute)
	defer stop()
	if err := c.Write(ctx, websocket.TextFrame, []byte("hello")); err != nil {
		return err, false
	}
	_, b, err := c.Read(ctx)
	return err, string(b) == "hello"
}

// HTTP3 is HTTP/3 alone: one connection for many WebSockets.
func TestDialHTTP3(t *testing.T) {
	inScene3(t, &h3.Config{}, false, func(s *scene3) {
		s.d.HTTP = websocket.HTTP3
		var all []*websocket.Conn
		for range 20 {
			c, version := s.dial(fmt.Sprintf("wss://%v/", s.addr))
			if version != 3 {
				t.Errorf("over HTTP/%d", version)
			}
			all = append(all, c)
		}
		if s.sockets.Load() != 1 || s.conns.Load() != 0 {
			t.Errorf("%d sockets, %d connections over TCP", s.sockets.Load(), s.conns.Load())
		}
		if _, resp, err := s.d.Dial(background, fmt.Sprintf("wss://%v/no", s.addr), nil); err == nil || resp == nil || resp.StatusCode != 403 || resp.ProtoMajor != 3 {
			t.Error(resp, err)
		}
		for _, c := range all {
			if err := c.Close(1000, ""); err != nil {
				t.Error(err)
			}
		}
	})
}

// What HTTP/3 cannot do is no request at all.
func TestDialHTTP3Requests(t *testing.T) {
	inScene3(t, nil, false, func(s *scene3) {
		s.d.HTTP = websocket.HTTP3
		refused := func(url, want string) {
			t.Helper()
			if _, _, err := s.d.Dial(background, url, nil); !errors.Is(err, websocket.ErrRequest) || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
		}
		refused("ws://weir.test/", "(RFC 9114, 3.1)")
		s.d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test") }
		refused("wss://weir.test/", "proxy")
		s.d.Proxy, s.d.HTTP3 = nil, nil
		refused("wss://weir.test/", "Dialer.HTTP3")
		if s.sockets.Load() != 0 || s.conns.Load() != 0 {
			t.Errorf("%d sockets, %d connections", s.sockets.Load(), s.conns.Load())
		}
	})
}

// Where a server has named HTTP/3 it is used, and TCP is not touched; until it says that this is
// over, and not for others, nor through a proxy.
func TestDialAltSvc(t *testing.T) {
	inScene3(t, &h3.Config{}, true, func(s *scene3) {
		if c, version := s.dial("wss://weir.test/"); version != 2 {
			t.Errorf("HTTP/%d before it was named", version)
		} else {
			c.Close(1000, "")
		}
		s.named()
		had := s.conns.Load()
		for range 3 {
			c, version := s.dial("wss://weir.test/")
			if version != 3 {
				t.Errorf("HTTP/%d", version)
			}
			c.Close(1000, "")
		}
		if s.conns.Load() != had || s.sockets.Load() != 1 {
			t.Errorf("%d connections over TCP, %d sockets", s.conns.Load()-had, s.sockets.Load())
		}
		if c, version := s.dial("wss://other.test/"); version != 2 {
			t.Errorf("HTTP/%d with another", version)
		} else {
			c.Close(1000, "")
		}
		if err := s.d.AltSvc("wss://weir.test/", http.Header{"Alt-Svc": {"clear"}}); err != nil {
			t.Error(err)
		}
		if c, version := s.dial("wss://weir.test/"); version != 2 {
			t.Errorf("HTTP/%d behind clear", version)
		} else {
			c.Close(1000, "")
		}
	})
}

// A Dialer learns Alt-Svc of the answers to its own handshakes, also where they refuse.
func TestDialAltSvcLearned(t *testing.T) {
	inScene3(t, &h3.Config{}, false, func(s *scene3) {
		ln := memnet.Listen()
		s.ln = ln
		srv := &http.Server{TLSConfig: &tls.Config{Certificates: []tls.Certificate{testCert()}},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Alt-Svc", fmt.Sprintf(`h3="%v"; ma=60`, s.addr))
				http.Error(w, "over there", http.StatusMisdirectedRequest)
			})}
		go srv.ServeTLS(ln, "", "") // ends with srv
		s.stops = append(s.stops, func() { srv.Close() })
		if _, resp, err := s.d.Dial(background, "wss://weir.test/", nil); err == nil || resp == nil || resp.StatusCode != 421 {
			t.Fatal(resp, err)
		}
		if c, version := s.dial("wss://weir.test/"); version != 3 {
			t.Errorf("HTTP/%d", version)
		} else {
			c.Close(1000, "")
		}
		s.d.CloseIdle()
		time.Sleep(time.Minute)
		if _, resp, err := s.d.Dial(background, "wss://weir.test/", nil); err == nil || resp == nil || resp.ProtoMajor == 3 {
			t.Errorf("%v, %v when it is not true any more", resp, err)
		}
	})
}

// HTTP/3 that does not answer costs its head start, once; then it is left alone for 5 minutes, and
// for 10 when it has failed again.
func TestDialHTTP3Broken(t *testing.T) {
	inScene3(t, nil, true, func(s *scene3) {
		s.named()
		timed := func() time.Duration {
			begun := time.Now()
			c, version := s.dial("wss://weir.test/")
			if version != 2 {
				t.Errorf("HTTP/%d", version)
			}
			c.Close(1000, "")
			return time.Since(begun)
		}
		tries := func(want bool) {
			t.Helper()
			had := s.sockets.Load()
			d := timed()
			if tried := s.sockets.Load() > had; tried != want || want && d < 300*time.Millisecond || d > 400*time.Millisecond {
				t.Errorf("tried %v, it took %v", tried, d)
			}
			time.Sleep(10 * time.Second) // it has its proof
		}
		tries(true)
		tries(false)
		time.Sleep(4*time.Minute + 30*time.Second)
		tries(false)
		time.Sleep(30 * time.Second)
		tries(true)
		time.Sleep(5*time.Minute + 30*time.Second)
		tries(false)
		time.Sleep(5 * time.Minute)
		tries(true)
	})
}

// HTTP/3 that is merely slow is used as soon as it is there, by who comes next.
func TestDialHTTP3Slow(t *testing.T) {
	inScene3(t, &h3.Config{}, true, func(s *scene3) {
		s.network.Set(h3test.Link{Delay: 400 * time.Millisecond})
		s.named()
		if c, version := s.dial("wss://weir.test/"); version != 2 {
			t.Errorf("HTTP/%d", version)
		} else {
			c.Close(1000, "")
		}
		time.Sleep(3 * time.Second)
		s.network.Set(h3test.Link{Delay: 10 * time.Millisecond})
		if c, version := s.dial("wss://weir.test/"); version != 3 {
			t.Errorf("HTTP/%d", version)
		} else {
			c.Close(1000, "")
		}
	})
}

// A server that offers no extended CONNECT over HTTP/3, or allows no stream, is dialled over TCP.
func TestDialHTTP3NotOffered(t *testing.T) {
	for name, settings := range map[string][]uint64{"not offered": nil, "offered": {8, 1}} {
		t.Run(name, func(t *testing.T) {
			inScene3(t, nil, true, func(s *scene3) {
				pc := s.network.Listen()
				s.addr = pc.LocalAddr()
				srv, err := h3test.Listen(pc, h3test.Options{Settings: settings})
				if err != nil {
					t.Fatal(err)
				}
				s.stops = append(s.stops, srv.Close)
				go func() { // ends with the server
					p, err := srv.Accept(background)
					for err == nil {
						var r *h3test.Tunnel
						if r, err = p.Request(background); err == nil {
							_ = r.Cancel(0x10b) // H3_REQUEST_REJECTED
						}
						if p.Err() != nil {
							return
						}
					}
				}()
				s.named()
				if c, version := s.dial("wss://weir.test/"); version != 2 {
					t.Errorf("HTTP/%d", version)
				} else {
					c.Close(1000, "")
				}
				srv.Close()
			})
		})
	}
}

// Where nothing works the error names each attempt.
func TestDialHTTP3Errors(t *testing.T) {
	inScene3(t, nil, false, func(s *scene3) {
		s.named()
		s.d.Timeout = 20 * time.Second
		_, _, err := s.d.Dial(background, "wss://user:secret@weir.test/", nil)
		de, ok := errors.AsType[*websocket.DialError](err)
		if !ok || strings.Contains(err.Error(), "secret") {
			t.Fatal(err)
		}
		for _, want := range []string{"over HTTP/3: no HTTP/3 with the server: udp " + s.addr.String() + ": ", "; over TCP: "} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("no %q in %v", want, err)
			}
		}
		if de.Response != nil || strings.Count(err.Error(), "weir.test") != 1 {
			t.Error(err)
		}
	})
}

// UDP that dies in the middle ends its WebSockets within the idle timeout, and new ones are opened
// over TCP within a second: also the one that comes at the same moment.
func TestDialHTTP3Dies(t *testing.T) {
	inScene3(t, &h3.Config{PathTimeout: 10 * time.Second}, true, func(s *scene3) {
		s.named()
		old, version := s.dial("wss://weir.test/")
		if version != 3 {
			t.Fatalf("HTTP/%d", version)
		}
		s.network.Set(h3test.Link{Loss: 1})
		for _, wait := range []time.Duration{0, time.Second, time.Minute} {
			time.Sleep(wait)
			begun := time.Now()
			c, version := s.dial("wss://weir.test/")
			if d := time.Since(begun); version != 2 || d > time.Second {
				t.Errorf("after %v: HTTP/%d, %v", wait, version, d)
			}
			c.Close(1000, "")
		}
		if _, _, err := old.Read(background); err == nil {
			t.Error("the old one lives")
		}
	})
}

// TestDialHTTP3Many: 1000 WebSockets share few connections, and each echoes and closes. UDP that
// dies under as many ends them within the idle timeout, while a new one comes over TCP within a
// second; nothing is left of any.
func TestDialHTTP3Many(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	inScene3(t, &h3.Config{PathTimeout: 10 * time.Second}, true, func(s *scene3) {
		s.named()
		open := func() []*websocket.Conn {
			var wg sync.WaitGroup
			all := make([]*websocket.Conn, n)
			for i := range all {
				wg.Go(func() {
					c, resp, err := s.d.Dial(background, "wss://weir.test/", nil)
					if err != nil || resp.ProtoMajor != 3 {
						t.Error(resp, err)
						return
					}
					all[i] = c
					if err, ok := s.echoes(c); !ok {
						t.Errorf("no echo: %v", err)
					}
				})
			}
			wg.Wait()
			return all
		}
		begun := time.Now()
		all := open()
		if slices.Contains(all, nil) {
			return
		}
		var wg sync.WaitGroup
		for _, c := range all {
			wg.Go(func() {
				if err := c.Close(1000, ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if most := n/250 + 4; int(s.sockets.Load()) > most {
			t.Errorf("%d connections for %d WebSockets", s.sockets.Load(), n)
		}
		t.Logf("%d WebSockets on %d connections: %v", n, s.sockets.Load(), time.Since(begun))

		all = open()
		s.network.Set(h3test.Link{Loss: 1})
		died := time.Now()
		for range 5 {
			begun := time.Now()
			c, version := s.dial("wss://weir.test/")
			if d := time.Since(begun); version != 2 || d > time.Second {
				t.Errorf("HTTP/%d after %v", version, d)
			}
			if err := c.Close(1000, ""); err != nil {
				t.Error(err)
			}
		}
		for _, c := range all {
			wg.Go(func() {
				if _, _, err := c.Read(background); err == nil {
					t.Error("it lives")
				}
			})
		}
		wg.Wait()
		if d := time.Since(died); d > 15*time.Second { // 10 s, from the last packet that was sent
			t.Errorf("they died after %v", d)
		}
	})
}
