package peers

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	labstack "github.com/labstack/echo/v4"

	"weir/upgrade"
	weir "weir/websocket"
)

// routers are routers with one WebSocket, bound to the method GET, under /NAME/ws.
var routers = map[string]func(path string, h http.Handler) http.Handler{
	"ServeMux": func(path string, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("GET "+path, h)
		return mux
	},
	"chi": func(path string, h http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Get(path, h.ServeHTTP)
		return r
	},
	"gin": func(path string, h http.Handler) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.GET(path, gin.WrapH(h))
		return r
	},
	"echo": func(path string, h http.Handler) http.Handler {
		r := labstack.New()
		r.GET(path, labstack.WrapHandler(h))
		return r
	},
	// Middleware that lets a GET pass, and no other method of a browser's without a look.
	"CrossOriginProtection": func(path string, h http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("GET "+path, h)
		return http.NewCrossOriginProtection().Handler(mux)
	},
	"by_hand": func(path string, h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.Header.Get("Upgrade") != "websocket" || r.URL.Path != path {
				http.Error(w, "no", http.StatusMethodNotAllowed)
				return
			}
			h.ServeHTTP(w, r)
		})
	},
}

// routed is a site of them all. Each echoes, and tells of the requests it had.
func routed(t *testing.T, script string) (s *webSite, seen func(name string) string) {
	var mu sync.Mutex
	told := map[string]string{}
	mux := http.NewServeMux()
	for name, route := range routers {
		echo := weir.HandlerFunc(func(f weir.Frame, out weir.Commands) weir.Commands {
			if f.IsData() {
				out = append(out, f.Reply())
			}
			return out
		})
		init := func(_ http.ResponseWriter, r *http.Request) (weir.Handler, *weir.Options) {
			mu.Lock()
			defer mu.Unlock()
			told[name] = fmt.Sprintf("%s %s %s", r.Method, r.Proto, upgrade.Token(r))
			return echo, nil
		}
		mux.Handle("/"+name+"/", route("/"+name+"/ws", weir.Handle(init)))
	}
	return newWebSite(t, mux, script), func(name string) string {
		mu.Lock()
		defer mu.Unlock()
		return told[name]
	}
}

// TestRouters (BEHAVIOUR.md, 1): a route that is bound to GET serves a WebSocket over each version.
func TestRouters(t *testing.T) {
	s, seen := routed(t, "")
	versions := map[weir.HTTPVersion]string{
		weir.HTTP1: "GET HTTP/1.1 ",
		weir.HTTP2: "GET HTTP/2.0 websocket",
	}
	for version, want := range versions {
		d := &weir.Dialer{HTTP: version, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}
		for name := range routers {
			t.Run(name+"/"+want, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), mostWait)
				defer stop()
				c, _, err := d.Dial(ctx, s.URL+"/"+name+"/ws", nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if err := c.Write(ctx, weir.TextFrame, []byte("hello")); err != nil {
					t.Fatal(err)
				}
				if _, b, err := c.Read(ctx); err != nil || string(b) != "hello" {
					t.Errorf("%q, %v", b, err)
				}
				if got := seen(name); got != want {
					t.Errorf("the handler saw %q, want %q", got, want)
				}
			})
		}
		d.CloseIdle()
	}
}

// TestRoutersBrowsers: the same in browsers, which open them by extended CONNECT (RFC 8441).
func TestRoutersBrowsers(t *testing.T) {
	for name, open := range browsers {
		t.Run(name, func(t *testing.T) { routersBrowser(t, open) })
	}
}

func routersBrowser(t *testing.T, open browser) {
	names := "["
	for name := range routers {
		names += fmt.Sprintf("%q,", name)
	}
	s, seen := routed(t, `
await Promise.all(`+names+`].map((name) => new Promise((ended) => {
	const s = ws("/" + name + "/ws");
	let told = "";
	s.onopen = () => s.send("hello " + name);
	s.onmessage = (m) => { told += m.data; s.close(4001, "bye"); };
	s.onclose = (e) => { say(name, told + " " + e.code + " " + e.wasClean); ended(); };
})));
done();
`)
	got := open(s, t)
	for name := range routers {
		if want := "hello " + name + " 4001 true"; got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
		if want := "GET HTTP/2.0 websocket"; seen(name) != want {
			t.Errorf("%s: the handler saw %q, want %q", name, seen(name), want)
		}
	}
	if n := s.connects(); n != len(routers) || got["script"] != "" {
		t.Errorf("%d WebSockets were opened by CONNECT, want %d; %v", n, len(routers), got)
	}
}
