package behaviour_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream"
	"weir/stream/memnet"
	"weir/websocket"
	"weir/wsframe"
)

// dialer is a Dialer for the house's server, which speaks the version of HTTP that the mode says.
func (h *house) dialer() *websocket.Dialer {
	d := &websocket.Dialer{
		HTTP:        websocket.HTTP1,
		TLS:         &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return h.ln.Dial(ctx) },
	}
	if h.http2() {
		d.HTTP = websocket.HTTP2
	}
	h.close = append(h.close, d.CloseIdle)
	return d
}

func (h *house) url(path string) string {
	if h.tls() {
		return "wss://weir.test" + path
	}
	return "ws://weir.test" + path
}

func TestDial(t *testing.T) {
	each(t, overTCP, func(h *house) {
		for _, compress := range []bool{false, true} {
			a := new(actor)
			h.handler, h.opts = a, &websocket.Options{Compress: true, Subprotocols: []string{"two"}}
			c, resp, err := h.dialer().Dial(background, h.url("/fields?q=1"), &websocket.DialOptions{
				Options: websocket.Options{Compress: compress, Subprotocols: []string{"one", "two"}},
				Header:  http.Header{"Cookie": {"a=b"}},
			})
			if err != nil {
				h.Fatal(err)
			}
			if resp.Header.Get("X-Init") != "set" || c.Subprotocol() != "two" || (c.Session().Extensions() != "") != compress {
				h.Fatalf("%v, subprotocol %q, extensions %q", resp.Header, c.Subprotocol(), c.Session().Extensions())
			}
			for _, msg := range []string{"", "hello", strings.Repeat("hello ", 20_000), "again"} {
				if err := c.Write(background, websocket.TextFrame, []byte(msg)); err != nil {
					h.Fatal(err)
				}
				if kind, got, err := c.Read(background); string(got) != msg || kind != websocket.TextFrame || err != nil {
					h.Fatalf("%d octets of %s, %v", len(got), kind, err)
				}
			}
			go c.Read(background) // serves the pong; ends with c
			if err := c.Ping(background); err != nil {
				h.Fatal(err)
			}
			if got := a.session().Request(); got.Path != "/fields" || got.Query != "q=1" {
				h.Fatalf("%+v", got)
			}
			start := time.Now()
			if err := c.Close(4000, "bye"); err != nil {
				h.Fatal(err)
			}
			if d := time.Since(start); d > time.Second {
				h.Fatalf("the end took %v", d)
			}
			if r := h.wantReason(a, "remote"); r.Code != 4000 || r.Text != "bye" {
				h.Fatal(r)
			}
		}
	})
}

// The server's close frame is answered, and both sides end at once.
func TestDialServerCloses(t *testing.T) {
	row(t, "4.client.server_closes", overTCP, func(h *house) {
		a := new(actor)
		h.handler = a
		told := make(chan websocket.Reason, 1)
		_, _, err := h.dialer().DialHandler(background, h.url("/"), &told1{told: told}, nil)
		if err != nil {
			h.Fatal(err)
		}
		a.session().Post(fromInfo{websocket.Close(4001, "over")})
		if r := <-told; r.Code != 4001 || r.Text != "over" {
			h.Fatal(r)
		}
		start := time.Now()
		<-a.s.Context().Done()
		if d := time.Since(start); d > time.Second {
			h.Fatalf("the end took %v", d)
		}
	})
}

// spy is a connection that notes when its client ended its side.
type spy struct {
	net.Conn
	ended atomic.Bool
}

func (s *spy) CloseWrite() error {
	s.ended.Store(true)
	return s.Conn.(*memnet.Conn).CloseWrite()
}

// A client on HTTP/1.1 keeps its write side open after its close frame, and waits for the server's
// end (RFC 6455, 7.1.1).
func TestDialKeepsOpen(t *testing.T) {
	row(t, "4.client.keeps_open", overHTTP1, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		h.handler = a
		d := h.dialer()
		var wire *spy
		d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			nc, err := h.ln.Dial(ctx)
			wire = &spy{Conn: nc}
			return wire, err
		}
		c, _, err := d.Dial(background, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close(1000, "") }() // ends with the stream
		time.Sleep(time.Second)
		if wire.ended.Load() {
			h.Fatal("the client ended its side before the server's answer")
		}
		a.session().Post(fromInfo{websocket.Active(true)})
		if err := <-closed; err != nil {
			h.Fatal(err)
		}
		h.wantReason(a, "remote")
	})
}

// On HTTP/2 a client's end waits as a server's does.
func TestDialClosesFirst(t *testing.T) {
	row(t, "4.client.first", overHTTP2, func(h *house) {
		servers := make(chan *stream.Conn, 1)
		h.mux.HandleFunc("/raw", func(w http.ResponseWriter, _ *http.Request) {
			st, err := w.(stream.Opener).OpenStream(nil)
			if err != nil {
				h.Error(err)
			}
			_, _ = st.Send(nil, false) // the 200
			servers <- stream.NewConn(st, 0)
		})
		for _, r := range []struct {
			answer []byte
			want   time.Duration
		}{{nil, time.Second}, {wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Close}, nil), 0}} {
			c, _, err := h.dialer().Dial(background, h.url("/raw"), nil)
			if err != nil {
				h.Fatal(err)
			}
			server := <-servers
			go c.Close(1000, "") // ends with the stream
			synctest.Wait()
			start := time.Now()
			if len(r.answer) > 0 {
				server.Write(r.answer)
			}
			if _, err := io.ReadAll(server); err != nil || time.Since(start) != r.want {
				h.Errorf("the client's end came after %v, %v; want %v", time.Since(start), err, r.want)
			}
			server.Close()
		}
	})
}

// Without an answer the client gives up after 5 s.
func TestDialServerIgnoresClose(t *testing.T) {
	row(t, "4.client.linger", overTCP, func(h *house) {
		a := &actor{onInit: func(_ *websocket.Session, out websocket.Commands) websocket.Commands {
			return append(out, websocket.Active(false))
		}}
		h.handler, h.opts = a, &websocket.Options{IdleTimeout: -1}
		c, _, err := h.dialer().Dial(background, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		start := time.Now()
		if err := c.Close(1000, ""); err != nil || time.Since(start) != 5*time.Second {
			h.Fatal(err, time.Since(start))
		}
	})
}

// Clients have no idle timeout unless they ask for one.
func TestDialIdleTimeout(t *testing.T) {
	row(t, "6.idle.client", overTCP, func(h *house) {
		h.handler, h.opts = new(actor), &websocket.Options{IdleTimeout: -1}
		c, _, err := h.dialer().Dial(background, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		time.Sleep(time.Hour)
		c.Write(background, websocket.TextFrame, []byte("alive"))
		if _, got, err := c.Read(background); string(got) != "alive" {
			h.Fatal(string(got), err)
		}
		c.Close(1000, "")
	})
}

type told1 struct{ told chan websocket.Reason }

func (*told1) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }
func (h *told1) Terminate(r websocket.Reason, _ *websocket.PartialRequest)         { h.told <- r }

// scene is a server of a test's own, and a Dialer for it.
type scene struct {
	*testing.T
	ln    *memnet.Listener
	conns atomic.Int32
	d     *websocket.Dialer
}

func newScene(t *testing.T) *scene {
	s := &scene{T: t, ln: memnet.Listen()}
	s.d = &websocket.Dialer{TLS: &tls.Config{InsecureSkipVerify: true}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		s.conns.Add(1)
		return s.ln.Dial(ctx)
	}}
	return s
}

// echoServer serves an echo, over TLS or not; stop ends it.
func (s *scene) echoServer(cfg *websocket.Config, secure bool) (stop func()) {
	srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return new(actor), nil
	})}
	if _, err := websocket.ConfigureServer(srv, cfg); err != nil {
		s.Fatal(err)
	}
	srv.TLSConfig.Certificates = []tls.Certificate{testCert()}
	go func() { // ends with srv
		if secure {
			srv.ServeTLS(s.ln, "", "")
		} else {
			srv.Serve(s.ln)
		}
	}()
	return func() { srv.Close() }
}

// Many WebSockets share a connection, up to what the server allows; then there is a second.
func TestDialShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.d.HTTP = websocket.HTTP2
		stop := s.echoServer(&websocket.Config{HTTP2: h2.Config{MaxConcurrentStreams: 10}}, false)
		conns := make(chan *websocket.Conn)
		for range 35 {
			go func() { // ends with the handshake
				c, _, err := s.d.Dial(background, "ws://weir.test/", nil)
				if err != nil {
					t.Error(err)
				}
				conns <- c
			}()
		}
		var all []*websocket.Conn
		for range 35 {
			all = append(all, <-conns)
		}
		if n := s.conns.Load(); n != 4 {
			t.Errorf("%d connections for 35 WebSockets, 10 a connection", n)
		}
		for i, c := range all {
			msg := fmt.Sprint(i)
			c.Write(background, websocket.TextFrame, []byte(msg))
			if _, got, err := c.Read(background); string(got) != msg {
				t.Error(string(got), err)
			}
		}
		start := time.Now()
		stop() // a server that is killed ends every Conn
		for _, c := range all {
			if _, _, err := c.Read(background); !errors.Is(err, websocket.ErrEnded) {
				t.Error(err)
			}
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("after %v", d)
		}
		time.Sleep(10 * time.Second)
	})
}

// A server that does not offer extended CONNECT is dialled with HTTP/1.1 on a new connection, and
// that is remembered.
func TestDialFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		stop := s.echoServer(&websocket.Config{HTTP2: h2.Config{NoExtendedConnect: true}}, true)
		for i, want := range []int32{2, 3} {
			c, resp, err := s.d.Dial(background, "wss://weir.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp.ProtoMajor != 1 || s.conns.Load() != want {
				t.Errorf("dial %d: HTTP/%d, %d connections", i, resp.ProtoMajor, s.conns.Load())
			}
			c.Close(1000, "")
		}
		s.d.HTTP = websocket.HTTP2
		if _, _, err := s.d.Dial(background, "wss://weir.test/", nil); !errors.Is(err, h2.ErrNoExtendedConnect) {
			t.Error(err)
		}
		s.d.CloseIdle()
		stop()
		time.Sleep(10 * time.Second)
	})
}

// Over TLS ALPN decides.
func TestDialALPN(t *testing.T) {
	each(t, []string{"h2"}, func(h *house) {
		h.handler = new(actor)
		d := h.dialer()
		d.HTTP = websocket.HTTPAuto
		c, resp, err := d.Dial(background, h.url("/"), nil)
		if err != nil || resp.ProtoMajor != 2 {
			h.Fatal(resp, err)
		}
		c.Close(1000, "")
	})
}

// Options that are nil are the defaults, also when they are checked.
func TestOptionsCheckNil(t *testing.T) {
	var o *websocket.Options
	if err := o.Check(); err != nil {
		t.Error(err)
	}
}
