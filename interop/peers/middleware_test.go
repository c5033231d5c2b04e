package peers

import (
	"context"
	"io"
	"log"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	ginzip "github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chiware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	"github.com/klauspost/compress/gzhttp"
	labstack "github.com/labstack/echo/v4"
	labware "github.com/labstack/echo/v4/middleware"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	weir "weir/websocket"
)

// wrapped is what stands between a server and a handler, as its users mount it, for GET /ws.
type wrapped struct {
	name  string
	mount func(h http.Handler) http.Handler
	// The libraries whose handlers do not work behind it over HTTP/2 although they do over
	// HTTP/1.1, and why.
	not map[string]string
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

var middleware = []wrapped{
	{name: "gorilla/mux", mount: func(h http.Handler) http.Handler {
		r := mux.NewRouter()
		r.Handle("/ws", h).Methods("GET").Headers("Upgrade", "websocket")
		return r
	}},
	{name: "chi_Recoverer_Compress", mount: func(h http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(chiware.Recoverer, chiware.Compress(5))
		r.Get("/ws", h.ServeHTTP)
		return r
	}},
	{name: "chi_Logger", mount: func(h http.Handler) http.Handler {
		r := chi.NewRouter()
		r.Use(chiware.RequestLogger(&chiware.DefaultLogFormatter{Logger: quiet(), NoColor: true}))
		r.Get("/ws", h.ServeHTTP)
		return r
	}, not: map[string]string{
		"gorilla": chiHides, "nhooyr": chiHides, "gws": chiHides, "xnet": chiHides,
	}},
	{name: "gin_Logger_Recovery_gzip", mount: func(h http.Handler) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.Use(gin.LoggerWithWriter(io.Discard), gin.Recovery(), ginzip.Gzip(ginzip.DefaultCompression))
		r.GET("/ws", gin.WrapH(h))
		return r
	}},
	{name: "echo_Logger_Recover_Gzip", mount: func(h http.Handler) http.Handler {
		r := labstack.New()
		logger := labware.LoggerWithConfig(labware.LoggerConfig{Output: io.Discard})
		r.Use(logger, labware.Recover(), labware.Gzip())
		r.GET("/ws", labstack.WrapHandler(h))
		return r
	}},
	{name: "otelhttp", mount: func(h http.Handler) http.Handler {
		return otelhttp.NewHandler(h, "ws")
	}},
	{name: "gzhttp", mount: func(h http.Handler) http.Handler { return gzhttp.GzipHandler(h) }},
	{name: "scs", mount: func(h http.Handler) http.Handler { return scs.New().LoadAndSave(h) }},
	{name: "StripPrefix_CrossOriginProtection", mount: func(h http.Handler) http.Handler {
		return http.StripPrefix("/ws", http.NewCrossOriginProtection().Handler(h))
	}},
}

const chiHides = "chi's WrapResponseWriter has Hijack over HTTP/1.1 alone, " +
	"and the library does not look behind it by Unwrap"

// TestMiddleware: handlers of weir and of other libraries behind middleware, over both versions.
func TestMiddleware(t *testing.T) {
	libs := append(foreigners(), &foreign{name: "weir", handler: func(*foreign) http.Handler {
		return weir.Handle(func(http.ResponseWriter, *http.Request) (weir.Handler, *weir.Options) {
			return weir.HandlerFunc(func(f weir.Frame, out weir.Commands) weir.Commands {
				if f.IsData() {
					out = append(out, f.Reply())
				}
				return out
			}), nil
		})
	}})
	for _, m := range middleware {
		for _, l := range libs {
			all := http.NewServeMux()
			all.Handle("/ws", m.mount(l.handler(l)))
			s := newWebSite(t, all, "")
			for mode, version := range map[string]weir.HTTPVersion{"h1": weir.HTTP1, "h2": weir.HTTP2} {
				t.Run(m.name+"/"+l.name+"/"+mode, func(t *testing.T) {
					ctx, stop := context.WithTimeout(t.Context(), mostWait)
					defer stop()
					d := &weir.Dialer{HTTP: version, TLS: s.Client().Transport.(*http.Transport).TLSClientConfig}
					defer d.CloseIdle()
					c, resp, err := d.Dial(ctx, s.URL+"/ws", nil)
					if m.not[l.name] != "" && mode == "h2" {
						if err == nil { // else a 500, a 501, or a panic's RST_STREAM
							t.Errorf("%s: it works, and is said not to: %s", resp.Status, m.not[l.name])
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					defer c.CloseNow()
					wantEcho(ctx, t, c, weir.TextFrame, []byte("hello"))
					wantEcho(ctx, t, c, weir.BinaryFrame, pattern(10_000))
				})
			}
		}
	}
}
