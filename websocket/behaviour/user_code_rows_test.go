package behaviour_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"
	"weir/upgrade"
	"weir/websocket"
	"weir/wsframe"
)

// Why something is left out of TestUserCode; docs/architecture.md says it in the same words.
const (
	whyReader  = "a Sink that blocks in Data or Closed holds the reader of its HTTP/2 connection"
	whyDrained = "a Sink that blocks in Drained holds what else is told of its HTTP/2 connection"
)

// userCodes are all places where a user's code is called.
var userCodes = []userCode{
	{id: "init", modes: overHTTP, run: func(s *stage) {
		s.mux.Handle("/crash", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			s.do()
			return new(actor), nil
		}))
		s.wantAnswer("/crash", 500)
	}},
	{id: "options.req_filter", modes: overHTTP, run: func(s *stage) {
		s.mux.Handle("/crash", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return new(actor), &websocket.Options{ReqFilter: func(*http.Request, *websocket.PartialRequest) { s.do() }}
		}))
		s.wantAnswer("/crash", 500)
	}},
	{id: "options.trace", modes: all, run: func(s *stage) {
		a := new(actor)
		c := s.open(a, &websocket.Options{Trace: func(e websocket.Event) {
			if e.Kind == websocket.EventMessage && !e.Sent {
				s.do()
			}
		}})
		s.armed.Store(true)
		c.send(text("traced"))
		if s.kind == "goexit" {
			c.wantReset("nobody knows how far it had come")
			s.wantReason(a, "crash:exit")
			return
		}
		c.wantText("a trace is not the session", "traced")
	}},
	{id: "options.trace.conn", modes: overTCP, run: func(s *stage) {
		s.handler, s.opts = new(actor), nil
		o := new(websocket.DialOptions)
		o.Trace = func(e websocket.Event) {
			if e.Kind == websocket.EventMessage && e.Sent {
				s.do()
			}
		}
		c, _, err := s.dialer().Dial(background, s.url("/"), o)
		if err != nil {
			s.Error(err)
			return
		}
		s.armed.Store(true)
		caught(func() { c.Write(background, websocket.TextFrame, []byte("traced")) })
		if s.kind != "goexit" {
			s.echo(c)
		} else if err := c.Write(background, websocket.TextFrame, []byte("again")); err == nil {
			s.Error("the session has not ended")
		}
	}},
	{id: "options.logger", modes: all, run: func(s *stage) {
		s.armed.Store(true)
		a := &actor{onInfo: func(any, websocket.Commands) websocket.Commands { panic("ouch") }}
		c := s.open(a, &websocket.Options{Logger: slog.New(badLog{s.do})})
		a.session().Post("crash")
		c.wantClose("the log is not the session", 1011, "")
		c.wire.CloseWrite()
	}},
	{id: "panic_value", modes: all, run: func(s *stage) {
		s.armed.Store(true)
		a := &actor{onInfo: func(any, websocket.Commands) websocket.Commands { panic(badError{s.do}) }}
		c := s.open(a, &websocket.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		a.session().Post("crash")
		c.wantClose("the log is not the session", 1011, "")
		c.wire.CloseWrite()
	}},
	{id: "callback.init", modes: all, run: func(s *stage) { s.callback("init") }},
	{id: "callback.handle", modes: all, run: func(s *stage) { s.callback("handle") }},
	{id: "callback.info", modes: all, run: func(s *stage) { s.callback("info") }},
	{id: "callback.drain", modes: all, run: func(s *stage) { s.callback("drain") }},
	{id: "callback.terminate", modes: all, run: func(s *stage) {
		s.armed.Store(true)
		c := s.open(&crasher{crash: s.do}, nil)
		c.send(closing(1000, ""))
		c.wantClose("the close was handed over before", 1000, "")
		c.wire.CloseWrite()
	}},
	{id: "group.context", modes: all, run: func(s *stage) {
		s.armed.Store(true)
		g := new(websocket.Group)
		a := new(actor)
		c := s.open(a, &websocket.Options{Group: g})
		go caught(func() { g.Shutdown(brokenContext{Context: context.Background(), deadline: s.do}) }) // ends with the session
		time.Sleep(time.Millisecond)
		go g.Shutdown(context.Background()) // ends with the session
		c.wantClose("another call drains", 1001, "")
		c.wire.CloseWrite()
	}},
	{id: "conn.context", modes: overTCP, run: func(s *stage) {
		c := s.conn()
		s.armed.Store(true)
		for _, f := range []func(ctx context.Context){
			func(ctx context.Context) { c.Read(ctx) },
			func(ctx context.Context) { c.Ping(ctx) },
			func(ctx context.Context) { c.Reader(ctx) },
		} {
			for after := range 3 { // calls of Done before the one that crashes
				ctx, stop := context.WithTimeout(background, time.Second)
				caught(func() {
					f(brokenContext{Context: ctx, done: func() {
						if after--; after < 0 {
							s.do()
						}
					}})
				})
				stop()
			}
		}
		s.echo(c)
	}},
	{id: "conn.on_ping", modes: overHTTP, run: func(s *stage) { s.hooked(websocket.PingFrame) }},
	{id: "conn.on_pong", modes: overHTTP, run: func(s *stage) { s.hooked(websocket.PongFrame) }},
	{id: "conn.json", modes: overTCP, run: func(s *stage) {
		c := s.conn()
		s.armed.Store(true)
		caught(func() { c.WriteJSON(background, badJSON{s.do}) })
		c.Write(background, websocket.TextFrame, []byte("{}"))
		caught(func() { c.ReadJSON(background, &badJSON{s.do}) })
		s.echo(c)
	}},
	{id: "context.value", modes: overHTTP, run: func(s *stage) {
		inner := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return new(actor), nil
		})
		s.mux.Handle("/crash", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(brokenContext{Context: r.Context(), value: s.do}))
		}))
		s.wantAnswer("/crash", 500)
	}},
	{id: "base_context", modes: []string{"h2c"}, // over TLS crypto/tls asks first
		prepare: func(k *crash, srv *http.Server, _ *websocket.Config) {
			srv.BaseContext = func(net.Listener) context.Context {
				return brokenContext{Context: background, done: k.do, value: k.do}
			}
		},
		run: func(s *stage) {
			nc, err := s.ln.Dial(background)
			if err != nil {
				s.Error(err)
				return
			}
			defer nc.Close()
			s.armed.Store(true) // it is asked on net/http's goroutine, when the connection begins
			if p, err := h2test.Dial(nc); err == nil {
				p.Get("/plain")
				p.Close()
			}
		}},
	{id: "writer", modes: overHTTP, run: func(s *stage) {
		inner := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return new(actor), nil
		})
		s.mux.Handle("/crash", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(badWriter{w, s.do}, r)
		}))
		s.wantAnswer("/crash", -1)
	}},
	{id: "protocol", modes: overHTTP, run: func(s *stage) {
		s.switchTo(&upgrade.Switch{Protocol: badProtocol{s.do}, Handler: 1})
		s.wantAnswer("/crash", 500)
	}},
	{id: "loop.filter", modes: overHTTP, run: func(s *stage) {
		s.switchTo(&upgrade.Switch{Protocol: upgrade.Loop, Handler: &badLoop{at: "none"},
			Options: &upgrade.LoopOptions{ReqFilter: func(*http.Request, *upgrade.PartialRequest) { s.do() }}})
		s.wantAnswer("/crash", 500)
	}},
	{id: "loop.init", modes: overHTTP, run: func(s *stage) { s.loop("init", 500) }},
	{id: "loop.info", modes: overHTTP, run: func(s *stage) { s.loop("info", 500) }},
	{id: "loop.drain", modes: overHTTP, run: func(s *stage) { s.loop("drain", 500) }},
	{id: "loop.terminate", modes: overHTTP, run: func(s *stage) { s.loop("terminate", -1) }},
	{id: "tunnel.filter", modes: overHTTP, run: func(s *stage) {
		s.switchTo(&upgrade.Switch{Protocol: upgrade.Tunnel{Token: "websocket"},
			Handler: upgrade.TunnelFunc(func(net.Conn, *upgrade.PartialRequest) {}),
			Options: &upgrade.TunnelOptions{ReqFilter: func(*http.Request, *upgrade.PartialRequest) { s.do() }}})
		s.wantAnswer("/crash", 500)
	}},
	{id: "tunnel.handler", modes: overHTTP, run: func(s *stage) {
		s.switchTo(&upgrade.Switch{Protocol: upgrade.Tunnel{Token: "websocket"},
			Handler: upgrade.TunnelFunc(func(net.Conn, *upgrade.PartialRequest) { s.do() })})
		s.wantAnswer("/crash", -1)
	}},
	{id: "tunnel.terminate", modes: overHTTP, run: func(s *stage) {
		s.switchTo(&upgrade.Switch{Protocol: upgrade.Tunnel{Token: "websocket"}, Handler: badTunnel{s.do}})
		s.wantAnswer("/crash", -1)
	}},
	{id: "terminate", modes: overHTTP, run: func(s *stage) {
		s.mux.Handle("/crash", upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
			w.WriteHeader(403)
			return &upgrade.Switch{Handler: badTunnel{s.do}}, nil
		}))
		s.wantAnswer("/crash", -1)
	}},
	{id: "ender", modes: overHTTP, run: func(s *stage) {
		s.mux.Handle("/crash", upgrade.Handle(func(w http.ResponseWriter, _ *http.Request) (*upgrade.Switch, error) {
			w.WriteHeader(403)
			return websocket.Switch(badEnd{s.do}, nil), nil
		}))
		s.wantAnswer("/crash", -1)
	}},
	{id: "http.handler", modes: overHTTP, run: func(s *stage) {
		s.mux.HandleFunc("/crash", func(http.ResponseWriter, *http.Request) { s.do() })
		s.wantAnswer("/crash", 0)
	}},
	{id: "http.error_log", modes: overHTTP,
		prepare: func(k *crash, srv *http.Server, _ *websocket.Config) { srv.ErrorLog = log.New(badLog{k.do}, "", 0) },
		run: func(s *stage) {
			// Over HTTP/1.1 it is net/http that logs what a handler panics with. A log.Logger that
			// is blocked blocks whoever uses it.
			if !s.muxed() || !s.blocks() {
				s.mux.Handle("/crash", upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
					panic("ouch")
				}))
				s.wantAnswer("/crash", -1)
			}
			if s.muxed() {
				s.mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("ouch") })
				s.wantAnswer("/panic", -1)
			}
		}},
	{id: "http.conn_state", modes: overHTTP2,
		prepare: func(k *crash, srv *http.Server, _ *websocket.Config) {
			srv.ConnState = func(_ net.Conn, st http.ConnState) {
				if st == http.StateActive || st == http.StateIdle { // the others are net/http's
					k.do()
				}
			}
		},
		run: func(s *stage) {
			s.armed.Store(true)
			p, err := h2test.Dial(s.dial())
			if err == nil {
				_, err = p.Get("/plain")
			}
			if err != nil {
				s.Error(err)
			}
		}},
	{id: "tls.config", modes: []string{"h1tls", "h2"},
		prepare: func(k *crash, srv *http.Server, _ *websocket.Config) {
			srv.TLSConfig = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				k.do()
				return nil, nil
			}}
		},
		run: func(s *stage) {
			s.armed.Store(true)
			nc, err := s.ln.Dial(background)
			if err != nil {
				s.Error(err)
				return
			}
			defer nc.Close()
			err = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake()
			if err == nil && !s.blocks() {
				s.Error("a handshake without a config")
			}
		}},
	{id: "h2.count_error", modes: overHTTP2,
		prepare: func(k *crash, _ *http.Server, cfg *websocket.Config) {
			cfg.HTTP2.CountError = func(string) { k.do() }
		},
		run: func(s *stage) {
			s.armed.Store(true)
			s.peer().Connect("/", "connection", "upgrade") // RFC 9113, 8.2.2
		}},
	{id: "h2.logger", modes: overHTTP2,
		prepare: func(k *crash, _ *http.Server, cfg *websocket.Config) {
			cfg.HTTP2.Logger = slog.New(badLog{k.do})
		},
		run: func(s *stage) {
			s.armed.Store(true)
			p, err := h2test.Dial(s.dial())
			if err != nil {
				s.Error(err)
				return
			}
			p.Send("RAW 6 0 0 00") // RFC 9113, 6.7
			p.Wait(time.Minute)
		}},
	{id: "h2.trace", modes: overHTTP2,
		prepare: func(k *crash, _ *http.Server, cfg *websocket.Config) {
			cfg.HTTP2.Trace = slog.New(badLog{k.do})
		},
		run: func(s *stage) {
			s.armed.Store(true)
			if _, err := s.peer().Get("/plain"); err != nil {
				s.Error(err)
			}
		}},
	{id: "sink.data", modes: overHTTP, run: func(s *stage) { s.sink("data") },
		unless: map[string]string{"h2c block": whyReader, "h2 block": whyReader}},
	{id: "sink.drained", modes: overHTTP, run: func(s *stage) { s.sink("drained") },
		unless: map[string]string{"h2c block": whyDrained, "h2 block": whyDrained}},
	{id: "sink.closed", modes: overHTTP, run: func(s *stage) { s.sink("closed") },
		unless: map[string]string{"h2c block": whyReader, "h2 block": whyReader}},
	{id: "net_conn.read", modes: overTCP, run: func(s *stage) { s.netConn("Read") }},
	{id: "net_conn.write", modes: overTCP, run: func(s *stage) { s.netConn("Write") }},
	{id: "net_conn.set_deadline", modes: overHTTP1, run: func(s *stage) { s.netConn("SetWriteDeadline") }},
	{id: "net_conn.close_write", modes: []string{"h1", "h2c"}, run: func(s *stage) { s.netConn("CloseWrite") }},
	{id: "net_conn.close", modes: overHTTP1, run: func(s *stage) { s.netConn("Close") }},
	{id: "dial.proxy", modes: overTCP, run: func(s *stage) {
		s.dials(func(d *websocket.Dialer, _ *context.Context) {
			d.Proxy = func(*http.Request) (*url.URL, error) { s.do(); return nil, nil }
		})
	}},
	{id: "dial.jar", modes: overTCP, run: func(s *stage) {
		s.mux.HandleFunc("/jar", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			websocket.Accept(w, r, nil)
		})
		for i, at := range []string{"Cookies", "SetCookies"} {
			s.dialsAt("/jar", func(d *websocket.Dialer, _ *context.Context) { d.Jar = badJar{at, s.do} })
			if int(s.hits.Load()) != i+1 {
				s.Errorf("%s was not called", at)
			}
		}
	}},
	{id: "dial.dial_context", modes: overTCP, run: func(s *stage) {
		s.dials(func(d *websocket.Dialer, _ *context.Context) {
			dial := d.DialContext
			d.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				s.do()
				return dial(ctx, network, addr)
			}
		})
	}},
	{id: "dial.tls", modes: []string{"h1tls", "h2"}, run: func(s *stage) {
		s.dials(func(d *websocket.Dialer, _ *context.Context) {
			d.TLS.VerifyConnection = func(tls.ConnectionState) error { s.do(); return nil }
		})
	}},
	{id: "dial.trace", modes: overTCP, run: func(s *stage) {
		for _, t := range []*httptrace.ClientTrace{
			{GotConn: func(httptrace.GotConnInfo) { s.do() }},
			{GotFirstResponseByte: s.do},
		} {
			s.dials(func(_ *websocket.Dialer, ctx *context.Context) { *ctx = httptrace.WithClientTrace(*ctx, t) })
		}
	}},
	{id: "dial.context", modes: overTCP, run: func(s *stage) {
		s.dials(func(_ *websocket.Dialer, ctx *context.Context) {
			*ctx = brokenContext{Context: *ctx, value: s.do}
		})
	}},
	{id: "dial.net_conn", modes: overTCP, run: func(s *stage) {
		for _, c := range []struct{ method, proxy string }{
			{"Read", ""}, {"Write", ""},
			{"Read", "http"}, {"Write", "http"},
			{"Read", "socks5"}, {"Write", "socks5"},
		} {
			s.dials(func(d *websocket.Dialer, _ *context.Context) {
				if c.proxy != "" { // the server is a bad one
					d.Proxy = http.ProxyURL(&url.URL{Scheme: c.proxy, Host: "proxy.test"})
				}
				d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					nc, err := s.ln.Dial(ctx)
					if err != nil {
						return nil, err
					}
					own := &ownConn{Conn: nc.(*memnet.Conn), crash: map[string]func(){c.method: s.do}}
					return s.client.add(own), nil
				}
			})
		}
	}},
}

// wantAnswer asks for path, where the user's code is, and wants a status if that crashes: 0 is the
// end of the request without an answer, -1 whatever it is.
func (s *stage) wantAnswer(path string, want int) {
	s.armed.Store(true)
	status, rest := s.ask(path)
	if !s.blocks() && want >= 0 && status != want {
		s.Errorf("status %d, want %d", status, want)
	}
	if status >= 300 && rest != nil {
		io.Copy(io.Discard, rest)
	}
}

// askOn is ask on a connection of HTTP/1.1.
func (s *stage) askOn(nc net.Conn, path string) (status int, rest io.Reader) {
	nc.SetReadDeadline(time.Now().Add(time.Hour))
	if _, err := io.WriteString(nc, strings.Replace(upgradeRequest, "GET /", "GET "+path, 1)); err != nil {
		return 0, nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, resp.Body
}

func (s *stage) switchTo(sw *upgrade.Switch) {
	s.mux.Handle("/crash", upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) { return sw, nil }))
}

// callback has one of a session crash.
func (s *stage) callback(where string) {
	s.armed.Store(true)
	a, g := new(drainer), new(websocket.Group)
	a.crashIn(where, s.do)
	c, err := s.tryOpen(a, &websocket.Options{Group: g})
	if err != nil {
		s.Error(err)
		return
	}
	switch where {
	case "handle":
		c.send(text("crash"))
	case "info":
		a.session().Post("crash")
	case "drain":
		go g.Shutdown(context.Background()) // ends with the session
	}
	if s.blocks() {
		time.Sleep(5 * time.Millisecond)
		c.reset()
		return
	}
	c.wantClose("a crash is 1011", 1011, "")
	c.wire.CloseWrite()
}

// conn is a Conn to the server's echo.
func (s *stage) conn() *websocket.Conn {
	s.handler, s.opts = new(actor), nil
	c, _, err := s.dialer().Dial(background, s.url("/"), nil)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// hooked has the hook of a Conn for a kind of frame crash.
func (s *stage) hooked(kind websocket.FrameType) {
	conns := make(chan *websocket.Conn, 1)
	s.mux.HandleFunc("/hooked", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			s.Error(err)
		}
		conns <- c
	})
	c, err := s.tryOpenAt("/hooked")
	if err != nil {
		s.Error(err)
		return
	}
	own := <-conns
	own.OnPing(func([]byte) { s.do() })
	own.OnPong(func([]byte) { s.do() })
	s.armed.Store(true)
	c.send(frame(wsframe.Header{Fin: true, Op: wsframe.Opcode(kind)}, "p"))
	if s.blocks() {
		time.Sleep(5 * time.Millisecond)
		own.CloseNow()
		c.reset()
		return
	}
	if kind == websocket.PingFrame {
		c.want("a ping is answered before the hook", wsframe.Pong, "p")
	}
	c.wantClose("a crash is 1011", 1011, "")
	c.wire.CloseWrite()
}

// badJar is an http.CookieJar that crashes in one method.
type badJar struct {
	at string
	do func()
}

func (j badJar) SetCookies(*url.URL, []*http.Cookie) {
	if j.at == "SetCookies" {
		j.do()
	}
}

func (j badJar) Cookies(*url.URL) []*http.Cookie {
	if j.at == "Cookies" {
		j.do()
	}
	return nil
}

// echo wants a Conn to work, and closes it.
func (s *stage) echo(c *websocket.Conn) {
	if err := c.Write(background, websocket.TextFrame, []byte("again")); err != nil {
		s.Error(err)
	}
	for {
		_, msg, err := c.Read(background)
		if err != nil {
			s.Error(err)
			break
		}
		if string(msg) == "again" {
			break
		}
	}
	if err := c.Close(1000, ""); err != nil {
		s.Error(err)
	}
}

// loop has a callback of a Loop crash.
func (s *stage) loop(where string, want int) {
	l := &badLoop{at: where, do: s.do, q: make(chan *upgrade.Queue, 1)}
	drain := make(chan struct{})
	inner := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return &upgrade.Switch{Protocol: upgrade.Loop, Handler: l}, nil
	})
	s.mux.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(upgrade.WithDrain(r.Context(), drain)))
	})
	go func() { // ends when the loop has begun
		if q := <-l.q; where == "drain" {
			close(drain)
		} else {
			q.Post("go on")
		}
	}()
	s.wantAnswer("/crash", want)
}

// badLoop is a LoopHandler that answers what it is posted.
type badLoop struct {
	at string
	do func()
	q  chan *upgrade.Queue
}

func (l *badLoop) LoopInit(q *upgrade.Queue, _ http.ResponseWriter) upgrade.LoopResult {
	if l.q != nil {
		l.q <- q
		close(l.q)
	} else {
		return upgrade.LoopStop
	}
	if l.at == "init" {
		l.do()
	}
	return upgrade.LoopOK
}

func (l *badLoop) LoopInfo(_ any, w http.ResponseWriter) upgrade.LoopResult {
	if l.at == "info" {
		l.do()
	}
	w.WriteHeader(409)
	return upgrade.LoopStop
}

func (l *badLoop) LoopDrain(http.ResponseWriter) upgrade.LoopResult {
	l.do()
	return upgrade.LoopStop
}

func (l *badLoop) Terminate(upgrade.Reason, *upgrade.PartialRequest) {
	if l.at == "terminate" {
		l.do()
	}
}

// badTunnel is a TunnelHandler that crashes in Terminate.
// badEnd is a WebSocket's handler whose Terminate crashes.
type badEnd struct{ do func() }

func (badEnd) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

func (b badEnd) Terminate(websocket.Reason, *websocket.PartialRequest) { b.do() }

type badTunnel struct{ do func() }

func (badTunnel) ServeTunnel(net.Conn, *upgrade.PartialRequest) {}

func (b badTunnel) Terminate(upgrade.Reason, *upgrade.PartialRequest) { b.do() }

type badProtocol struct{ do func() }

func (p badProtocol) Upgrade(w http.ResponseWriter, _ *http.Request, _, _ any) error {
	p.do()
	w.WriteHeader(204)
	return nil
}

// badWriter is a middleware's http.ResponseWriter.
type badWriter struct {
	http.ResponseWriter
	do func()
}

func (w badWriter) Unwrap() http.ResponseWriter {
	w.do()
	return w.ResponseWriter
}

// badLog is a slog.Handler, and what a log.Logger writes to.
type badLog struct{ do func() }

func (badLog) Enabled(context.Context, slog.Level) bool    { return true }
func (l badLog) Handle(context.Context, slog.Record) error { l.do(); return nil }
func (l badLog) WithAttrs([]slog.Attr) slog.Handler        { return l }
func (l badLog) WithGroup(string) slog.Handler             { return l }
func (l badLog) Write(b []byte) (int, error)               { l.do(); return len(b), nil }

type badError struct{ do func() }

func (e badError) Error() string {
	e.do()
	return "ouch"
}

type badJSON struct{ do func() }

func (j badJSON) MarshalJSON() ([]byte, error) {
	j.do()
	return []byte("{}"), nil
}

func (j *badJSON) UnmarshalJSON([]byte) error {
	j.do()
	return nil
}

// sink has a method of a user's stream.Sink crash.
func (s *stage) sink(method string) {
	s.mux.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) {
		header := http.Header{}
		if r.ProtoMajor == 1 {
			header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
		}
		st, err := upgrade.Accept(w, r, header)
		if err != nil {
			s.Error(err)
			return
		}
		st.Attach(badSink{method, s.do, st}, stream.Limits{})
		hello := []byte("hello")
		if method == "drained" {
			hello = make([]byte, 300_000)
		}
		st.Send([][]byte{hello}, false)
	})
	s.armed.Store(true)
	if s.muxed() {
		t, err := s.connect("/crash")
		if err != nil {
			s.Error(err)
			return
		}
		go io.Copy(io.Discard, t) // ends with the stream
		t.Write([]byte("data"))
		time.Sleep(5 * time.Millisecond)
		(&client{house: s.house, wire: t.wire}).reset()
		return
	}
	nc := s.dial()
	if status, _ := s.askOn(nc, "/crash"); status != 101 {
		s.Error(status)
	}
	time.Sleep(4 * time.Millisecond) // a Send waits for a moment: what the peer takes by then was never queued
	go io.Copy(io.Discard, nc)       // ends with the connection
	nc.Write([]byte("data"))
	time.Sleep(5 * time.Millisecond)
	nc.Close()
}

type badSink struct {
	at string
	do func()
	st stream.Stream
}

func (b badSink) Data(_ []byte, fin bool) {
	if fin {
		b.st.Send(nil, true)
		return
	}
	if b.at == "data" {
		b.do()
	}
}

func (b badSink) Drained() {
	if b.at == "drained" {
		b.do()
	}
}

func (b badSink) Closed(error) {
	if b.at == "closed" {
		b.do()
	}
}

// once is do, the first time that it is armed: net/http, too, calls a net.Conn that it gave away,
// and catches nothing there.
func (s *stage) once() func() {
	var called atomic.Bool
	return func() {
		if s.armed.Load() && !called.Swap(true) {
			s.do()
		}
	}
}

// netConn has a method of a net.Conn crash that a user's net.Listener gave net/http.
func (s *stage) netConn(method string) {
	do := s.once()
	s.wrap = func(c *memnet.Conn) net.Conn {
		return s.server.add(&ownConn{Conn: c, crash: map[string]func(){method: do}})
	}
	s.shared = nil
	a := new(actor)
	c := s.open(a, nil)
	s.armed.Store(true)
	switch {
	case method == "Close":
		a.session().Cut()
		time.Sleep(5 * time.Millisecond)
	case method == "CloseWrite" && s.http2():
		s.shared.Send("GOAWAY 0 NO_ERROR")
		c.send(closing(1000, ""))
		c.wire.CloseWrite()
	case method == "CloseWrite":
		c.send(closing(1000, ""))
	default:
		c.send(text("one"))
	}
	for c.more() == nil {
	}
	if !s.blocks() && method != "Close" && method != "CloseWrite" {
		time.Sleep(5 * time.Millisecond)
		a.mu.Lock()
		got := fmt.Sprint(a.reasons)
		a.mu.Unlock()
		if !strings.Contains(got, "error:") {
			s.Errorf("told %s", got)
		}
	}
	c.reset()
}

// dials dials with a Dialer that set has changed, and drops what comes of it.
func (s *stage) dials(set func(d *websocket.Dialer, ctx *context.Context)) { s.dialsAt("/", set) }

func (s *stage) dialsAt(path string, set func(d *websocket.Dialer, ctx *context.Context)) {
	s.armed.Store(false)
	if !s.fresh { // a request of the Dial before may come to its handler only now
		s.fresh = true
	}
	d := s.dialer()
	d.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := s.ln.Dial(ctx)
		if err != nil {
			return nil, err
		}
		return s.client.add(&ownConn{Conn: c.(*memnet.Conn)}), nil
	}
	ctx := background
	set(d, &ctx)
	s.armed.Store(true)
	caught(func() {
		if c, _, err := d.Dial(ctx, s.url(path), nil); err == nil {
			c.CloseNow()
		}
	})
	d.CloseIdle()
}
