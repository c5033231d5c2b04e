package behaviour_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"weir/websocket"
)

// testServer is httptest.Server with weir's HTTP/2, and a Dialer for it.
func testServer(t *testing.T, mode string, h http.Handler, hook func(net.Conn, http.ConnState)) (s *httptest.Server, ws *websocket.Server, d *websocket.Dialer) {
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = hook
	ws, err := websocket.ConfigureServer(s.Config, nil)
	if err != nil {
		t.Fatal(err)
	}
	d = &websocket.Dialer{HTTP: websocket.HTTP1, TLS: &tls.Config{InsecureSkipVerify: true}}
	switch mode {
	case "h1":
		s.Start()
	case "h2c":
		d.HTTP = websocket.HTTP2
		s.Start()
	case "h1tls":
		s.StartTLS()
	case "h2":
		s.EnableHTTP2 = true
		d.HTTP = websocket.HTTP2
		s.StartTLS()
	}
	return s, ws, d
}

// dialed is a WebSocket to s that has echoed a message.
func dialed(t *testing.T, d *websocket.Dialer, s *httptest.Server) *websocket.Conn {
	t.Helper()
	c, _, err := d.Dial(t.Context(), "ws"+s.URL[len("http"):]+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), websocket.TextFrame, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(t.Context()); err != nil || string(b) != "x" {
		t.Fatal(string(b), err)
	}
	return c
}

// echoes is an echo at /ws: as a handler, or as a Conn that its request's handler does not leave.
func echoes(form string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") })
	if form == "handler" {
		mux.Handle("/ws", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
			return websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
				if f.IsData() {
					out = append(out, f.Reply())
				}
				return out
			}), &websocket.Options{IdleTimeout: -1}
		}))
		return mux
	}
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.Options{IdleTimeout: -1})
		for err == nil {
			var kind websocket.FrameType
			var b []byte
			if kind, b, err = c.Read(context.Background()); err == nil {
				err = c.Write(context.Background(), kind, b)
			}
		}
	})
	return mux
}

// TestHTTPTestServer: httptest.Server's Close does not wait for WebSockets, whatever HTTP they are
// on, and with HTTP/2 it and CloseClientConnections end them. Over HTTP/1.1 net/http does not know
// of them any more; Server.Shutdown ends them all.
func TestHTTPTestServer(t *testing.T) {
	for _, mode := range []string{"h1", "h1tls", "h2c", "h2"} {
		for _, form := range []string{"handler", "Conn"} {
			for _, end := range []string{"Close", "CloseClientConnections", "Shutdown"} {
				t.Run(mode+"/"+form+"/"+end, func(t *testing.T) {
					s, ws, d := testServer(t, mode, echoes(form), nil)
					c := dialed(t, d, s)
					defer c.CloseNow()
					switch end {
					case "Shutdown":
						if err := ws.Shutdown(t.Context()); err != nil {
							t.Error(err)
						}
						within(t, c.Context().Done())
					case "CloseClientConnections":
						s.CloseClientConnections()
					}
					closed := make(chan struct{})
					go func() { // ends with the server
						s.Close()
						close(closed)
					}()
					within(t, closed)
					if d.HTTP == websocket.HTTP2 {
						within(t, c.Context().Done())
					} else if end != "Shutdown" {
						if err := c.Ping(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
	}
}

// TestKeptConns: a server that keeps the connections which its hooks are given, and closes them,
// ends their WebSockets with it.
func TestKeptConns(t *testing.T) {
	for _, mode := range []string{"h1", "h1tls", "h2c", "h2"} {
		for _, hook := range []string{"ConnState", "ConnContext"} {
			for _, paused := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/paused_%v", mode, hook, paused), func(t *testing.T) {
					reasons := make(chan websocket.Reason, 1)
					kept := make(chan net.Conn, 10)
					srv := &http.Server{Handler: websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
						return &telling{paused, reasons}, &websocket.Options{IdleTimeout: -1, SendTimeout: -1, Window: 1000}
					})}
					switch hook {
					case "ConnState":
						wanted := http.StateHijacked
						if mode == "h2c" || mode == "h2" {
							wanted = http.StateNew
						}
						srv.ConnState = func(c net.Conn, s http.ConnState) {
							if s == wanted {
								kept <- c
							}
						}
					case "ConnContext":
						srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
							kept <- c
							return ctx
						}
					}
					f := serveWindow(t, mode, srv)
					c, _, err := f.dialer.Dial(t.Context(), f.url, nil)
					if err != nil {
						t.Fatal(err)
					}
					defer c.CloseNow()
					if err := c.Write(t.Context(), websocket.BinaryFrame, make([]byte, 10_000)); err != nil {
						t.Fatal(err)
					}
					if !paused {
						if _, _, err := c.Read(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					within(t, kept).Close()
					if r := within(t, reasons); r.String() != "error:closed" {
						t.Error(r)
					}
					within(t, c.Context().Done())
				})
			}
		}
	}
}

// telling echoes, or is paused from the start, and tells its end.
type telling struct {
	paused  bool
	reasons chan<- websocket.Reason
}

func (h *telling) Init(_ *websocket.Session, out websocket.Commands) websocket.Commands {
	return append(out, websocket.Active(!h.paused))
}

func (h *telling) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	return append(out, f.Reply())
}

func (h *telling) Terminate(r websocket.Reason, _ *websocket.PartialRequest) { h.reasons <- r }
