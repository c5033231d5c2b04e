package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
	nhooyr "nhooyr.io/websocket"

	"weir/h3"
	weir "weir/websocket"
)

// evil is the origin that the libraries refuse.
const evil = "https://evil.test"

// foreign is a WebSocket library's handler, as its users write it for HTTP/1.1: it echoes, and does
// what some messages ask it for.
//
//	close    closes with 4001, "because"
//	ping     sends a ping, and answers "pong" when the pong has come
//	panic    panics
//	return   returns
type foreign struct {
	name     string
	handler  func(l *foreign) http.Handler
	compress bool // it has permessage-deflate
	pings    bool // it can send pings
	codes    bool // it can close with any code
	refused  int  // the status by which it refuses an origin

	heard chan string // close codes that came
}

func (l *foreign) hear(code any) { l.heard <- fmt.Sprint(code) }

// wantHeard waits for a close code.
func (l *foreign) wantHeard(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-l.heard:
			if got == want {
				return
			}
		case <-ctx.Done():
			t.Errorf("the handler did not hear %s", want)
			return
		}
	}
}

func foreigners() []*foreign {
	proxied := &foreign{name: "ReverseProxy", compress: true, pings: true, codes: true, refused: 403}
	proxied.handler = func(l *foreign) http.Handler {
		backend := httptest.NewServer(gorillaTalk(l)) // over HTTP/1.1; closed with the process
		u, err := url.Parse(backend.URL)
		if err != nil {
			panic(err)
		}
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // for the backend's look at the origin
		}}
	}
	all := []*foreign{
		{name: "gorilla", handler: gorillaTalk, compress: true, pings: true, codes: true, refused: 403},
		{name: "coder", handler: coderTalk, compress: true, pings: true, codes: true, refused: 403},
		{name: "nhooyr", handler: nhooyrTalk, compress: true, pings: true, codes: true, refused: 403},
		{name: "gws", handler: gwsTalk, compress: true, pings: true, codes: true, refused: 400},
		{name: "gobwas", handler: gobwasTalk, pings: true, codes: true, refused: 403},
		{name: "xnet", handler: xnetTalk, refused: 403},
		proxied,
	}
	for _, l := range all {
		l.heard = make(chan string, 1000)
	}
	return all
}

func gorillaTalk(l *foreign) http.Handler {
	up := gorilla.Upgrader{EnableCompression: true} // the same host alone
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // answered
		}
		defer c.Close()
		c.SetPongHandler(func(string) error {
			return c.WriteMessage(gorilla.TextMessage, []byte("pong"))
		})
		for {
			kind, p, err := c.ReadMessage()
			if err != nil {
				if ce, ok := errors.AsType[*gorilla.CloseError](err); ok {
					l.hear(ce.Code)
				}
				return
			}
			switch string(p) {
			case "close":
				c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(4001, "because"))
				c.ReadMessage() // the peer's close frame
				return
			case "ping":
				c.WriteControl(gorilla.PingMessage, []byte("p"), time.Now().Add(mostWait))
			case "panic":
				panic(http.ErrAbortHandler)
			case "return":
				return
			default:
				c.WriteMessage(kind, p)
			}
		}
	})
}

func coderTalk(l *foreign) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &coder.AcceptOptions{CompressionMode: coder.CompressionContextTakeover}
		c, err := coder.Accept(w, r, o)
		if err != nil {
			return // answered
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		for {
			kind, p, err := c.Read(ctx)
			if err != nil {
				l.hear(int(coder.CloseStatus(err)))
				return
			}
			switch string(p) {
			case "close":
				c.Close(4001, "because")
				return
			case "ping":
				go func() { // ends with the connection
					if c.Ping(ctx) == nil {
						c.Write(ctx, coder.MessageText, []byte("pong"))
					}
				}()
			case "panic":
				panic(http.ErrAbortHandler)
			case "return":
				return
			default:
				c.Write(ctx, kind, p)
			}
		}
	})
}

func nhooyrTalk(l *foreign) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := &nhooyr.AcceptOptions{CompressionMode: nhooyr.CompressionContextTakeover}
		c, err := nhooyr.Accept(w, r, o)
		if err != nil {
			return // answered
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		ctx := context.Background()
		for {
			kind, p, err := c.Read(ctx)
			if err != nil {
				l.hear(int(nhooyr.CloseStatus(err)))
				return
			}
			switch string(p) {
			case "close":
				c.Close(4001, "because")
				return
			case "ping":
				go func() { // ends with the connection
					if c.Ping(ctx) == nil {
						c.Write(ctx, nhooyr.MessageText, []byte("pong"))
					}
				}()
			case "panic":
				panic(http.ErrAbortHandler)
			case "return":
				return
			default:
				c.Write(ctx, kind, p)
			}
		}
	})
}

type gwsTalker struct {
	gws.BuiltinEventHandler
	l    *foreign
	quit chan any // what ServeHTTP does: nil returns, all else panics
}

func (g *gwsTalker) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	switch string(m.Bytes()) {
	case "close":
		c.WriteClose(4001, []byte("because"))
	case "ping":
		c.WritePing([]byte("p"))
	case "panic":
		g.quit <- http.ErrAbortHandler
	case "return":
		g.quit <- nil
	default:
		c.WriteMessage(m.Opcode, m.Bytes())
	}
}

func (g *gwsTalker) OnPing(c *gws.Conn, p []byte) { c.WritePong(p) }
func (g *gwsTalker) OnPong(c *gws.Conn, _ []byte) { c.WriteString("pong") }
func (g *gwsTalker) OnClose(_ *gws.Conn, err error) {
	if ce, ok := errors.AsType[*gws.CloseError](err); ok {
		g.l.hear(ce.Code)
	}
	select {
	case g.quit <- nil:
	default:
	}
}

func gwsTalk(l *foreign) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := &gwsTalker{l: l, quit: make(chan any, 2)}
		up := gws.NewUpgrader(g, &gws.ServerOption{
			ReadMaxPayloadSize: 2 << 20, WriteMaxPayloadSize: 2 << 20,
			PermessageDeflate: gws.PermessageDeflate{Enabled: true, Threshold: 1},
			Authorize: func(r *http.Request, _ gws.SessionStorage) bool {
				return r.Header.Get("Origin") != evil
			},
		})
		c, err := up.Upgrade(w, r)
		if err != nil {
			return // answered
		}
		defer c.NetConn().Close()
		go c.ReadLoop() // ends with the connection
		if v := <-g.quit; v != nil {
			panic(v)
		}
	})
}

func gobwasTalk(l *foreign) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") == evil { // it looks at none itself
			http.Error(w, "origin", http.StatusForbidden)
			return
		}
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return // answered
		}
		defer c.Close()
		control := wsutil.ControlFrameHandler(c, ws.StateServerSide)
		rd := wsutil.Reader{Source: c, State: ws.StateServerSide, OnIntermediate: control}
		for {
			h, err := rd.NextFrame()
			if err != nil {
				return
			}
			switch {
			case h.OpCode == ws.OpPong:
				rd.Discard()
				wsutil.WriteServerText(c, []byte("pong"))
				continue
			case h.OpCode.IsControl():
				if err := control(h, &rd); err != nil {
					if ce, ok := errors.AsType[wsutil.ClosedError](err); ok {
						l.hear(int(ce.Code))
					}
					return
				}
				continue
			}
			p, err := io.ReadAll(&rd)
			if err != nil {
				return
			}
			switch string(p) {
			case "close":
				ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(4001, "because")))
				rd.NextFrame() // the peer's close frame
				return
			case "ping":
				ws.WriteFrame(c, ws.NewPingFrame([]byte("p")))
			case "panic":
				panic(http.ErrAbortHandler)
			case "return":
				return
			default:
				wsutil.WriteServerMessage(c, h.OpCode, p)
			}
		}
	})
}

// raw is a codec for messages of either type.
var raw = xnet.Codec{
	Marshal: func(v any) ([]byte, byte, error) {
		if s, ok := v.(string); ok {
			return []byte(s), xnet.TextFrame, nil
		}
		return v.([]byte), xnet.BinaryFrame, nil
	},
	Unmarshal: func(data []byte, kind byte, v any) error {
		if kind == xnet.TextFrame {
			*v.(*any) = string(data)
		} else {
			*v.(*any) = data
		}
		return nil
	},
}

func xnetTalk(*foreign) http.Handler {
	return xnet.Server{
		Handshake: func(_ *xnet.Config, r *http.Request) error {
			if r.Header.Get("Origin") == evil {
				return errors.New("origin")
			}
			return nil
		},
		Handler: func(c *xnet.Conn) {
			c.MaxPayloadBytes = 2 << 20
			for {
				var v any
				if raw.Receive(c, &v) != nil {
					return
				}
				switch v {
				case "panic":
					panic(http.ErrAbortHandler)
				case "return":
					return
				}
				raw.Send(c, v)
			}
		},
	}
}

// dialing opens a WebSocket to a library's handler.
type dialing func(o *weir.DialOptions) (*weir.Conn, *http.Response, error)

// libraryCase is one thing that is asked of a library, over each version of HTTP.
type libraryCase struct {
	name string
	can  func(l *foreign) bool // nil: each
	run  func(ctx context.Context, t *testing.T, l *foreign, dial dialing)
}

func hasPings(l *foreign) bool   { return l.pings }
func hasDeflate(l *foreign) bool { return l.compress }
func hasCodes(l *foreign) bool   { return l.codes }

var libraryCases = []libraryCase{
	{"echo", nil, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		c := opened(t, dial, nil)
		for _, size := range []int{0, 1, 125, 126, 65536, 1 << 20} {
			wantEcho(ctx, t, c, weir.BinaryFrame, pattern(size))
		}
		wantEcho(ctx, t, c, weir.TextFrame, []byte("héllo"))
	}},
	{"client_pings", nil, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		c := opened(t, dial, nil)
		go c.Read(ctx) // ends with the connection; it takes the pong
		if err := c.Ping(ctx); err != nil {
			t.Error(err)
		}
	}},
	{"server_pings", hasPings, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		c := opened(t, dial, nil)
		if err := c.Write(ctx, weir.TextFrame, []byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.Read(ctx); err != nil || string(p) != "pong" {
			t.Errorf("%q, %v", p, err)
		}
	}},
	{"compression", hasDeflate, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		c := opened(t, dial, &weir.DialOptions{Options: weir.Options{Compress: true}})
		if !strings.HasPrefix(c.Session().Extensions(), "permessage-deflate") {
			t.Fatalf("agreed on %q", c.Session().Extensions())
		}
		for range 3 {
			wantEcho(ctx, t, c, weir.TextFrame, bytes.Repeat([]byte("weir "), 10_000))
		}
	}},
	{"client_closes", nil, func(ctx context.Context, t *testing.T, l *foreign, dial dialing) {
		c := opened(t, dial, nil)
		wantEcho(ctx, t, c, weir.TextFrame, []byte("hello"))
		if err := c.Close(4000, "bye"); err != nil && l.codes {
			t.Errorf("Close: %v", err)
		}
		if l.codes {
			l.wantHeard(ctx, t, "4000")
		}
	}},
	{"server_closes", hasCodes, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		wantEnd(ctx, t, opened(t, dial, nil), "close", "remote 4001 because")
	}},
	{"returns", nil, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		wantEnd(ctx, t, opened(t, dial, nil), "return", "error:closed 0 ")
	}},
	{"panics", nil, func(ctx context.Context, t *testing.T, _ *foreign, dial dialing) {
		wantEnd(ctx, t, opened(t, dial, nil), "panic", "error:closed 0 ")
	}},
	{"refuses", nil, func(_ context.Context, t *testing.T, l *foreign, dial dialing) {
		_, resp, err := dial(&weir.DialOptions{Header: http.Header{"Origin": {evil}}})
		if err == nil || resp == nil || resp.StatusCode != l.refused {
			t.Errorf("%v, %v; want %d", resp, err, l.refused)
		}
	}},
}

func opened(t *testing.T, dial dialing, o *weir.DialOptions) *weir.Conn {
	t.Helper()
	if o == nil {
		o = &weir.DialOptions{Options: weir.Options{MaxFrameSize: 2 << 20}}
	}
	c, _, err := dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c
}

func wantEcho(ctx context.Context, t *testing.T, c *weir.Conn, kind weir.FrameType, p []byte) {
	t.Helper()
	if err := c.Write(ctx, kind, p); err != nil {
		t.Fatal(err)
	}
	got, b, err := c.Read(ctx)
	if err != nil || got != kind || !bytes.Equal(b, p) {
		t.Fatalf("%d octets: %v, %d octets, %v", len(p), got, len(b), err)
	}
}

// wantEnd sends a message that ends the WebSocket.
func wantEnd(ctx context.Context, t *testing.T, c *weir.Conn, message, want string) {
	t.Helper()
	if err := c.Write(ctx, weir.TextFrame, []byte(message)); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.Read(ctx)
	ce, ok := errors.AsType[*weir.CloseError](err)
	if !ok {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s %d %s", ce.Reason, ce.Reason.Code, ce.Reason.Text); got != want {
		t.Errorf("the end is %q, want %q", got, want)
	}
}

// TestLibraries: handlers of other libraries do over HTTP/2 and HTTP/3 what they do over HTTP/1.1.
func TestLibraries(t *testing.T) {
	mux := http.NewServeMux()
	libs := foreigners()
	for _, l := range libs {
		mux.Handle("GET /"+l.name, l.handler(l))
	}
	s := newWebSite(t, mux, "")
	quic := s.serveQUIC(t)
	for mode, version := range map[string]weir.HTTPVersion{"h1": weir.HTTP1, "h2": weir.HTTP2, "h3": weir.HTTP3} {
		d := &weir.Dialer{HTTP: version, HTTP3: new(h3.Dialer),
			TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}
		site := s.URL
		if version == weir.HTTP3 {
			site = quic
		}
		for _, l := range libs {
			for _, c := range libraryCases {
				if c.can != nil && !c.can(l) {
					continue
				}
				t.Run(l.name+"/"+mode+"/"+c.name, func(t *testing.T) {
					ctx, stop := context.WithTimeout(t.Context(), mostWait)
					defer stop()
					c.run(ctx, t, l, func(o *weir.DialOptions) (*weir.Conn, *http.Response, error) {
						return d.Dial(ctx, site+"/"+l.name, o)
					})
				})
			}
		}
		d.CloseIdle()
	}
	if log := s.logged(); log != "" {
		t.Errorf("the server's log says %s", log)
	}
}

// serveQUIC serves the site over HTTP/3 too, and says where.
func (s *webSite) serveQUIC(t *testing.T) (url string) {
	t.Helper()
	srv := &http.Server{Handler: s.Config.Handler, TLSConfig: s.TLS, ErrorLog: s.Config.ErrorLog,
		BaseContext: s.Config.BaseContext}
	q, err := h3.ConfigureServer(srv, nil)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- q.Serve(pc) }()
	t.Cleanup(func() {
		q.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return "https://" + pc.LocalAddr().String()
}

// TestLibrariesBrowsers: the same in browsers, which open each WebSocket by extended CONNECT where
// it is offered. What a library does is what it does over HTTP/1.1.
func TestLibrariesBrowsers(t *testing.T) {
	for name, open := range browsers {
		t.Run(name, func(t *testing.T) { librariesBrowser(t, open) })
	}
}

func librariesBrowser(t *testing.T, open browser) {
	h2, sockets, connects := librariesSite(t, open)
	if connects != sockets || h2["script"] != "" {
		t.Errorf("%d WebSockets were opened by CONNECT, want %d; %v", connects, sockets, h2)
	}
	off := func(cfg *weir.Config) { cfg.HTTP2.NoExtendedConnect = true }
	h1, _, connects := librariesSite(t, open, off)
	if connects != 0 {
		t.Errorf("%d WebSockets were opened by CONNECT, want none", connects)
	}
	for name, got := range h2 {
		if got != h1[name] {
			t.Errorf("%s: %q, over HTTP/1.1 %q", name, got, h1[name])
		}
	}
	for name, want := range map[string]string{
		"gorilla echo": "deflate héllo true 4000  true", "gorilla ping": "deflate pong 1005  true",
		"gorilla close": "deflate 4001 because true", "gorilla return": "deflate 1006  false",
		"gorilla panic": "deflate 1006  false", "gorilla refused": "1006  false",
		"coder echo": "deflate héllo true 4000 bye true", "gws echo": "deflate héllo true 4000  true",
		"gobwas echo": "héllo true 4000  true", "ReverseProxy echo": "deflate héllo true 4000  true",
	} {
		if h2[name] != want {
			t.Errorf("%s: %q, want %q", name, h2[name], want)
		}
	}
}

// librariesSite says what a browser found, how many WebSockets it was to open, and how many of
// them came by extended CONNECT.
func librariesSite(t *testing.T, open browser, change ...func(cfg *weir.Config)) (
	found browsed, sockets, connects int) {
	t.Helper()
	mux := http.NewServeMux()
	libs := foreigners()
	var names []string
	for _, l := range libs {
		h := l.handler(l)
		mux.Handle("GET /"+l.name, h)
		mux.HandleFunc("GET /refused/"+l.name, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Origin", evil)
			h.ServeHTTP(w, r)
		})
		names = append(names, fmt.Sprintf("[%q, %v]", l.name, l.codes))
		if sockets += 4; l.codes {
			sockets += 2
		}
	}
	s := newWebSite(t, mux, `
const big = new Uint8Array(1 << 20).map((_, i) => i * 7 >> 3);
const same = (b) => b.byteLength === big.length && new Uint8Array(b).every((o, i) => o === big[i]);
// talk opens a WebSocket; each message that comes is told to step, with what it says next.
const talk = (name, path, first, step) => new Promise((ended) => {
	const s = ws(path);
	const said = [];
	s.binaryType = "arraybuffer";
	s.onopen = () => { if (s.extensions) said.push("deflate"); s.send(first); };
	s.onmessage = (m) => step(s, m.data, said);
	s.onclose = (e) => {
		said.push(e.code, e.reason, e.wasClean);
		say(name, said.join(" "));
		ended();
	};
});
const silent = () => {};
await Promise.all([`+strings.Join(names, ",")+`].flatMap(([name, codes]) => [
	talk(name + " echo", "/" + name, "h\u00e9llo", (s, data, said) => {
		if (typeof data === "string") { said.push(data); s.send(big); return; }
		said.push(same(data));
		s.close(4000, "bye");
	}),
	codes && talk(name + " ping", "/" + name, "ping", (s, data, said) => {
		said.push(data);
		s.close();
	}),
	codes && talk(name + " close", "/" + name, "close", silent),
	talk(name + " return", "/" + name, "return", silent),
	talk(name + " panic", "/" + name, "panic", silent),
	talk(name + " refused", "/refused/" + name, "never", silent),
]));
done();
`, change...)
	found = open(s, t)
	return found, sockets, s.connects()
}
