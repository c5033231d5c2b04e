package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream/memnet"
	"weir/upgrade"
	"weir/websocket"
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
	each(t, overHTTP, func(h *house) {
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
	row(t, "4.client.server_closes", overHTTP, func(h *house) {
		a := new(actor)
		h.handler = a
		told := make(chan websocket.Reason, 1)
		_, _, err := h.dialer().DialHandler(background, h.url("/"), &told1{told: told}, nil)
		if err != nil {
			h.Fatal(err)
		}
		a.session().Post(websocket.Commands{websocket.Close(4001, "over")})
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

// A client on HTTP/1.1 keeps its write side open after its close frame, and waits for the server's end (RFC 6455, 7.1.1).
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
		a.session().Post(websocket.Commands{websocket.Active(true)})
		if err := <-closed; err != nil {
			h.Fatal(err)
		}
		h.wantReason(a, "remote")
	})
}

// Without an answer the client gives up after 5 s.
func TestDialServerIgnoresClose(t *testing.T) {
	row(t, "4.client.linger", overHTTP, func(h *house) {
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
	row(t, "6.idle.client", overHTTP, func(h *house) {
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

// A server that does not offer extended CONNECT is dialled with HTTP/1.1 on a new connection, and that is remembered.
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

// answers is a server that gives one answer to a request over HTTP/1.1.
func (s *scene) answers(answer func(r *http.Request) string) {
	go func() { // ends with the listener
		for {
			nc, err := s.ln.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the connection
				defer nc.Close()
				br := bufio.NewReader(nc)
				r, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				io.WriteString(nc, answer(r))
				io.Copy(io.Discard, br)
			}()
		}
	}()
}

func TestDialRefused(t *testing.T) {
	fine := func(r *http.Request) string {
		return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(r) + "\r\n"
	}
	for name, row := range map[string]struct {
		answer func(r *http.Request) string
		status int
		body   string
		text   string
	}{
		"404":      {func(*http.Request) string { return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }, 404, "", "404 Not Found"},
		"403_body": {func(*http.Request) string { return "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" }, 403, "no", "403 Forbidden"},
		"4.1/accept": {func(*http.Request) string {
			return "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
		}, 101, "", "Sec-WebSocket-Accept"},
		"4.1/upgrade": {func(r *http.Request) string {
			return strings.Replace(fine(r), "Upgrade: websocket", "Upgrade: h2c", 1) + "\r\n"
		}, 101, "", "Upgrade"},
		"4.1/connection": {func(r *http.Request) string {
			return strings.Replace(fine(r), "Connection: Upgrade", "Connection: close", 1) + "\r\n"
		}, 101, "", "Connection"},
		"4.1/subprotocol":  {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Protocol: x\r\n\r\n" }, 101, "", "subprotocol"},
		"9.1/extension":    {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" }, 101, "", "extension"},
		"9.1/malformed":    {func(r *http.Request) string { return fine(r) + "Sec-WebSocket-Extensions: ;\r\n\r\n" }, 101, "", "malformed"},
		"closed_by_server": {func(*http.Request) string { return "" }, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				s.answers(row.answer)
				c, resp, err := s.d.Dial(background, "ws://weir.test/", nil)
				if c != nil || err == nil {
					t.Fatal("it was opened")
				}
				de, ok := errors.AsType[*websocket.DialError](err)
				if !ok || !strings.Contains(err.Error(), row.text) || !strings.Contains(err.Error(), "ws://weir.test/") {
					t.Error(err)
				}
				if row.status == 0 {
					if resp != nil {
						t.Error(resp)
					}
				} else if body, _ := io.ReadAll(resp.Body); resp.StatusCode != row.status || string(body) != row.body || de.Response != resp {
					t.Error(resp.StatusCode, string(body))
				}
				s.ln.Close()
				time.Sleep(time.Minute)
			})
		})
	}
}

// A server that accepts and says nothing, over either HTTP: the time-out says what was waited for.
func TestDialSilence(t *testing.T) {
	for _, v := range []websocket.HTTPVersion{websocket.HTTP1, websocket.HTTP2} {
		synctest.Test(t, func(t *testing.T) {
			s := newScene(t)
			s.d.HTTP, s.d.Timeout = v, 5*time.Second
			go func() { // ends with the listener
				for {
					nc, err := s.ln.Accept()
					if err != nil {
						return
					}
					go io.Copy(io.Discard, nc) // ends with the connection
				}
			}()
			start := time.Now()
			_, _, err := s.d.Dial(background, "ws://weir.test/", nil)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			s.ln.Close()
			time.Sleep(time.Minute)
		})
	}
}

func TestDialBadURL(t *testing.T) {
	for _, u := range []string{"ftp://x/", "ws://", "ws://x/#f", "/x", "ws://[", "wss:x"} {
		if _, _, err := websocket.Dial(background, u, nil); err == nil {
			t.Error(u)
		}
	}
	o := &websocket.DialOptions{Header: http.Header{"Sec-Websocket-Key": {"x"}}}
	if _, _, err := websocket.Dial(background, "ws://x/", o); err == nil {
		t.Error("a field of the handshake's")
	}
}

// A masked frame of a server is 1002 (RFC 6455, 5.1).
func TestDialMaskedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.answers(func(r *http.Request) string {
			return "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(r) + "\r\n\r\n" + string(text("masked"))
		})
		c, _, err := s.d.Dial(background, "ws://weir.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Read(background)
		if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Reason.String() != "error:badframe" {
			t.Error(err)
		}
		s.ln.Close()
		time.Sleep(time.Minute)
	})
}

// Through an HTTP proxy, and through one that refuses.
func TestDialProxy(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		h.handler = new(actor)
		for _, allow := range []bool{true, false} {
			proxy := memnet.Listen()
			h.close = append(h.close, func() { proxy.Close() })
			asked := make(chan string, 1)
			go func() { // ends with the tunnel
				nc, err := proxy.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				br := bufio.NewReader(nc)
				r, _ := http.ReadRequest(br)
				asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
				if !allow {
					io.WriteString(nc, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
					return
				}
				io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
				up, _ := h.ln.Dial(background)
				go func() { io.Copy(up, br); up.Close() }() // ends with the client
				io.Copy(nc, up)
			}()
			d := h.dialer()
			d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://u:p@proxy.test:3128") }
			d.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
				if addr != "proxy.test:3128" {
					h.Errorf("dialled %s", addr)
				}
				return proxy.Dial(ctx)
			}
			c, resp, err := d.Dial(background, h.url("/"), nil)
			port := map[bool]string{false: "80", true: "443"}[h.tls()]
			if got := <-asked; got != "CONNECT weir.test:"+port+" Basic dTpw" {
				h.Fatal(got)
			}
			if !allow {
				if de, ok := errors.AsType[*websocket.DialError](err); !ok || de.Response.StatusCode != 407 || resp != nil && resp.StatusCode != 407 {
					h.Fatal(err)
				}
				continue
			}
			if err != nil {
				h.Fatal(err)
			}
			c.Write(background, websocket.TextFrame, []byte("through"))
			if _, got, err := c.Read(background); string(got) != "through" {
				h.Fatal(string(got), err)
			}
			c.Close(1000, "")
		}
	})
}

// Through a SOCKS5 proxy (RFC 1928).
func TestDialSocks(t *testing.T) {
	each(t, []string{"h1", "h2"}, func(h *house) {
		h.handler = new(actor)
		proxy := memnet.Listen()
		h.close = append(h.close, func() { proxy.Close() })
		go func() { // ends with the tunnel
			nc, err := proxy.Accept()
			if err != nil {
				return
			}
			defer nc.Close()
			b := make([]byte, 300)
			io.ReadFull(nc, b[:2])                         // version, number of methods
			io.ReadFull(nc, b[:b[1]])                      // methods
			nc.Write([]byte{5, 0})                         // none needed
			io.ReadFull(nc, b[:5])                         // version, connect, 0, name, length
			io.ReadFull(nc, b[5:5+int(b[4])+2])            // name, port
			nc.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}) // done
			up, _ := h.ln.Dial(background)
			go func() { io.Copy(up, nc); up.Close() }() // ends with the client
			io.Copy(nc, up)
		}()
		d := h.dialer()
		d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse("socks5://proxy.test:1080") }
		d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return proxy.Dial(ctx) }
		c, _, err := d.Dial(background, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		c.Write(background, websocket.TextFrame, []byte("through"))
		if _, got, err := c.Read(background); string(got) != "through" {
			h.Fatal(string(got), err)
		}
		c.Close(1000, "")
	})
}

// An httptrace.ClientTrace is told of the connection.
func TestDialTrace(t *testing.T) {
	each(t, []string{"h1tls", "h2"}, func(h *house) {
		h.handler = new(actor)
		var told []string
		ctx := httptrace.WithClientTrace(background, &httptrace.ClientTrace{
			TLSHandshakeStart: func() { told = append(told, "tls") },
			TLSHandshakeDone:  func(tls.ConnectionState, error) { told = append(told, "done") },
			GotConn:           func(httptrace.GotConnInfo) { told = append(told, "conn") },
		})
		c, _, err := h.dialer().Dial(ctx, h.url("/"), nil)
		if err != nil {
			h.Fatal(err)
		}
		if got := strings.Join(told, " "); got != "tls done conn" {
			h.Fatal(got)
		}
		c.Close(1000, "")
	})
}

func acceptKey(r *http.Request) string { return upgrade.AcceptKey(r.Header.Get("Sec-WebSocket-Key")) }
