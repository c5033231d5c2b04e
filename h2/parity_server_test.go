package h2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

// whyKeepAlives is the reason of a difference.
const whyKeepAlives = "does nothing to HTTP/2: net/http shows it to nobody; Server.GoAway asks all " +
	"connections to leave"

// parityServerLives are about http.Server as a whole: its hooks, its log, its end.
var parityServerLives = []parityCase{
	{
		name: "net/http/RegisterOnShutdown_of_several",
		server: func(p *play, hs *http.Server) {
			for i := range 3 {
				hs.RegisterOnShutdown(func() { p.note(fmt.Sprint("hook ", i), "called") })
			}
		},
		handler: nothing,
		client: func(p *play) {
			p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			synctest.Wait()
			p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			synctest.Wait()
		},
		want: `hook 0: called; called | hook 1: called; called | hook 2: called; called | ` +
			`shutdown: ok; ok`,
	},
	{
		name:    "net/http/Shutdown_and_Serve",
		handler: nothing,
		client: func(p *play) {
			p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			p.note("serve", "%s", fault(<-p.served))
			p.note("serve", "%s", fault(p.hs.Serve(memnet.Listen())))
			p.note("close", "%s", fault(p.hs.Close()))
		},
		want: `close: ok | serve: http: Server closed; http: Server closed | shutdown: ok`,
	},
	{
		name:    "net/http/Shutdown_of_a_Transport_at_rest",
		handler: nothing,
		client: func(p *play) {
			p.get("/")
			p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			_, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			p.note("client", "%s", broken(err))
		},
		want: `client: 200; error | shutdown: ok`,
	},
	{
		name:    "net/http/Shutdown_waits_for_an_upload",
		handler: readAll,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			tn := p.open(peer, false, "POST", "/")
			synctest.Wait()
			done := make(chan struct{})
			go func() { // ends with the shutdown
				defer close(done)
				p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
			}()
			time.Sleep(time.Minute)
			n, err := tn.Write(make([]byte, 200_000))
			p.note("client", "%d %s", n, fault(err))
			tn.CloseWrite()
			p.told(tn)
			<-done
		},
		want: `client: 200000 ok; 200 | handler: length=-1 read=200000 ok | shutdown: ok`,
	},
	{
		name: "net/http/Shutdown_by_a_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			go func() { // ends with the shutdown
				p.note("shutdown", "%s", fault(p.hs.Shutdown(context.Background())))
				close(p.turn)
			}()
			time.Sleep(time.Second)
			io.WriteString(w, "bye")
		},
		client: func(p *play) {
			p.get("/")
			<-p.turn
		},
		want: `client: 200 "bye" | shutdown: ok`,
	},
	{
		name:    "net/http/Close_twice_of_the_server",
		handler: waitTurn,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.open(peer, true, "GET", "/")
			synctest.Wait()
			p.note("close", "%s %s", fault(p.hs.Close()), fault(p.hs.Close()))
			_, err := peer.Wait(patient)
			p.note("client", "%s", broken(err))
			synctest.Wait()
		},
		want: `client: ok | close: ok ok | handler: context canceled`,
	},
	{
		name:   "net/http/SetKeepAlivesEnabled_false_before_any_connection",
		server: func(_ *play, hs *http.Server) { hs.SetKeepAlivesEnabled(false) },
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s", r.RemoteAddr)
		},
		client: func(p *play) {
			for range 2 {
				p.get("/")
				synctest.Wait()
			}
		},
		what:    "http.Server.SetKeepAlivesEnabled(false)",
		why:     whyKeepAlives,
		nethttp: `client: 200; 200 | handler: 127.0.0.1:49152; 127.0.0.1:49153`,
		weir:    `client: 200; 200 | handler: 127.0.0.1:49152; 127.0.0.1:49152`,
	},
	{
		name: "net/http/ErrorLog_of_panics",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/error":
				panic(io.ErrNoProgress)
			case "/wrapped":
				panic(fmt.Errorf("in vain: %w", http.ErrAbortHandler))
			case "/number":
				panic(42)
			case "/runtime":
				_ = r.URL.Path[len(r.URL.Path)]
			case "/nil":
				panic(nil)
			}
		},
		client: func(p *play) {
			for _, path := range []string{"/error", "/wrapped", "/number", "/runtime", "/nil"} {
				p.ask("GET", path)
			}
			time.Sleep(time.Second) // until all is logged
			synctest.Wait()
			for l := range strings.Lines(p.log.text()) {
				if _, what, ok := strings.Cut(l, "panic serving "); ok {
					_, what, _ = strings.Cut(what, ": ")
					p.note("log", "%s", strings.TrimPrefix(strings.TrimSpace(what),
						"runtime error: "))
				}
			}
			slices.Sort(p.notes["log"])
		},
		want: `client: RST_STREAM INTERNAL_ERROR; RST_STREAM INTERNAL_ERROR; ` +
			`RST_STREAM INTERNAL_ERROR; RST_STREAM INTERNAL_ERROR; RST_STREAM INTERNAL_ERROR | ` +
			`log: 42; in vain: net/http: abort Handler; index out of range [8] with length 8; ` +
			`multiple Read calls return no data or error; panic called with nil argument`,
	},
	{
		name: "net/http/panic_while_the_client_sends",
		handler: func(_ *play, _ http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 1))
			panic("broken")
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", zeros(10<<20)))
			p.do(p.request("GET", "/", nil))
			p.logged("panic serving")
		},
		want: `client: RST_STREAM INTERNAL_ERROR; RST_STREAM INTERNAL_ERROR | log: 2 panic serving`,
	},
	{
		name: "net/http/panic_after_the_answer_was_whole",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "full")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		client: wireGET,
		want: `wire: HEADERS 1 :status=200 content-length=4 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 "full"; RST_STREAM 1 INTERNAL_ERROR`,
	},
	{
		name: "net/http/panic_in_another_layer_is_recovered",
		server: func(p *play, hs *http.Server) {
			inner := hs.Handler
			hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					if v := recover(); v != nil {
						http.Error(w, fmt.Sprint(v), http.StatusInternalServerError)
					}
				}()
				inner.ServeHTTP(w, r)
			})
		},
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			panic("inner")
		},
		client: func(p *play) { p.get("/", "Content-Length") },
		want:   `client: 500 Content-Length=["6"] "inner\n"`,
	},
	{
		name: "net/http/settings_of_the_server",
		server: func(_ *play, hs *http.Server) {
			hs.MaxHeaderBytes = 10_000
			hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 7, MaxReadFrameSize: 1 << 17,
				MaxReceiveBufferPerStream: 1 << 18}
		},
		handler: nothing,
		client: func(p *play) {
			s, err := p.peer(h2test.Options{}).Settings()
			p.note("client", "%d %d %d %s", s[http2.SettingMaxConcurrentStreams],
				s[http2.SettingMaxFrameSize],
				s[http2.SettingInitialWindowSize], fault(err))
		},
		want: `client: 7 131072 262144 ok`,
	},
	{
		name: "net/http/MaxReadFrameSize",
		server: func(_ *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 1 << 17,
				MaxReceiveBufferPerStream: 1 << 20}
		},
		handler: readAll,
		client: func(p *play) {
			p.wire("HEADERS 1 POST", "DATA 1 END_STREAM LEN=60000")
			p.do(p.request("POST", "/", zeros(3<<20)))
		},
		want: `client: 200 | handler: length=-1 read=60000 ok; length=-1 read=3145728 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name: "net/http/MaxConcurrentStreams_frees_places",
		server: func(_ *play, hs *http.Server) {
			hs.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 2}
		},
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.URL.Path)
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			right := 0
			for i := range 50 {
				tn := p.open(peer, true, "GET", fmt.Sprint("/", i))
				if resp, err := tn.Response(patient); err == nil &&
					string(resp.Body) == fmt.Sprint("/", i) {
					right++
				}
			}
			p.note("client", "%d", right)
		},
		want: `client: 50`,
	},
	{
		name: "net/http/RemoteAddr_of_connections",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s", r.RemoteAddr)
		},
		client: func(p *play) {
			one, two := p.peer(h2test.Options{}), p.peer(h2test.Options{})
			for _, peer := range []*h2test.Peer{one, two, one} {
				p.told(p.open(peer, true, "GET", "/"))
			}
		},
		want: `client: 200; 200; 200 | handler: 127.0.0.1:49152; 127.0.0.1:49153; 127.0.0.1:49152`,
	},
	{
		name: "net/http/BaseContext_gets_the_listener",
		server: func(p *play, hs *http.Server) {
			hs.BaseContext = func(l net.Listener) context.Context {
				p.note("base", "%v", l.Addr())
				return context.Background()
			}
			hs.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
				p.note("conn", "called")
				return ctx
			}
		},
		handler: nothing,
		client:  func(p *play) { p.get("/"); p.get("/"); p.ask("GET", "/") },
		want:    `base: 127.0.0.1:80 | client: 200; 200; 200 | conn: called; called`,
	},
	{
		name: "net/http/middleware_that_replaces_the_request",
		server: func(p *play, hs *http.Server) {
			inner := hs.Handler
			hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r2 := r.Clone(context.WithValue(r.Context(), parityKey{}, "v"))
				r2.Header.Set("X-Added", "1")
				inner.ServeHTTP(w, r2)
				p.note("outer", "%q %s", r.Header["X-Added"], headerText(r.Trailer))
			})
		},
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			p.note("handler", "%v %q %q %s", r.Context().Value(parityKey{}), r.Header["X-Added"], b,
				fault(err))
		},
		client: func(p *play) {
			r := p.request("POST", "/", zeros(3))
			r.Trailer = http.Header{"X-T": {"1"}}
			p.do(r)
		},
		want: `client: 200 | handler: v ["1"] "\x00\x00\x00" ok | outer: [] X-T=["1"]`,
	},
	{
		name: "net/http/request_with_a_new_context_keeps_its_body",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			r2 := r.WithContext(context.WithValue(r.Context(), parityKey{}, 1))
			b, err := io.ReadAll(r2.Body)
			p.note("handler", "%q %s %s %s", b, fault(err), headerText(r.Trailer),
				headerText(r2.Trailer))
		},
		client: func(p *play) {
			r := p.request("POST", "/", strings.NewReader("abc"))
			r.Trailer = http.Header{"X-T": {"1"}}
			r.ContentLength = -1
			p.do(r)
		},
		want: `client: 200 | handler: "abc" ok X-T=["1"] X-T=["1"]`,
	},
	{
		name: "net/http/httptest_Server_with_EnableHTTP2",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %v %s", r.Proto, r.TLS != nil, r.Host)
			io.WriteString(w, "hello")
		},
		client: func(p *play) {
			l := memnet.Listen()
			hs := &http.Server{Handler: p.hs.Handler, ErrorLog: log.New(io.Discard, "", 0)}
			if p.weir {
				if _, err := h2.ConfigureServer(hs, nil); err != nil {
					p.t.Fatal(err)
				}
			}
			ts := &httptest.Server{Listener: l, Config: hs, EnableHTTP2: true}
			ts.StartTLS()
			c := ts.Client()
			c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _,
				_ string) (net.Conn, error) {
				return l.Dial(ctx)
			}
			for range 2 {
				resp, err := c.Get(ts.URL)
				if err != nil {
					p.note("client", "%v", err)
					continue
				}
				p.note("client", "%s", resp.Proto)
				p.answer(resp)
			}
			ts.Close()
			_, err := c.Get(ts.URL)
			p.note("client", "%s", broken(err))
		},
		want: `client: HTTP/2.0; 200 "hello"; HTTP/2.0; 200 "hello"; error | ` +
			`handler: HTTP/2.0 true 127.0.0.1:80; HTTP/2.0 true 127.0.0.1:80`,
	},
	{
		name: "net/http/httptest_Server_CloseClientConnections",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		client: func(p *play) {
			l := memnet.Listen()
			hs := &http.Server{Handler: p.hs.Handler, ErrorLog: log.New(io.Discard, "", 0)}
			if p.weir {
				if _, err := h2.ConfigureServer(hs, nil); err != nil {
					p.t.Fatal(err)
				}
			}
			ts := &httptest.Server{Listener: l, Config: hs, EnableHTTP2: true}
			ts.StartTLS()
			c := ts.Client()
			c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _,
				_ string) (net.Conn, error) {
				return l.Dial(ctx)
			}
			resp, err := c.Get(ts.URL)
			if err != nil {
				p.t.Fatal(err)
			}
			ts.CloseClientConnections()
			_, err = io.ReadAll(resp.Body)
			p.note("client", "%d %s", resp.StatusCode, broken(err))
			resp.Body.Close()
			ts.Close()
		},
		want: `client: 200 error`,
	},
}

// parityClients are about what Go's client sees and does.
var parityClients = []parityCase{
	{
		name: "net/http/client_that_closes_the_answer",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(w, zeros(50<<20))
			p.note("handler", "%v %s", n < 50<<20, broken(err))
			<-r.Context().Done()
			p.note("handler", "%v", r.Context().Err())
		},
		client: func(p *play) {
			resp, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			if err != nil {
				p.t.Fatal(err)
			}
			io.CopyN(io.Discard, resp.Body, 100_000)
			p.note("client", "%s", fault(resp.Body.Close()))
			synctest.Wait()
			_, err = resp.Body.Read(make([]byte, 1))
			p.note("client", "%s", broken(err))
		},
		want: `client: ok; error | handler: true error; context canceled`,
	},
	{
		name:    "net/http/ResponseHeaderTimeout",
		handler: waitsForContext,
		client: func(p *play) {
			p.tr.ResponseHeaderTimeout = time.Minute
			_, err := p.tr.RoundTrip(p.request("GET", "/", nil))
			ne, ok := errors.AsType[net.Error](err)
			p.note("client", "%v", ok && ne.Timeout())
			synctest.Wait()
		},
		want: `client: true | handler: / context canceled context canceled`,
	},
	{
		name: "net/http/ContentLength_of_answers",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/small":
				io.WriteString(w, "small")
			case "/flushed":
				w.(http.Flusher).Flush()
				io.WriteString(w, "flushed")
			case "/204":
				w.WriteHeader(204)
			case "/304":
				w.WriteHeader(304)
			}
		},
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD"} {
				for _, path := range []string{"/small", "/flushed", "/204", "/304", "/empty"} {
					resp, err := p.tr.RoundTrip(p.request(m, path, nil))
					if err != nil {
						p.note("client", "%s", fault(err))
						continue
					}
					n, err := io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					p.note("client", "%s %d %d %v %s", path, resp.ContentLength, n,
						resp.Uncompressed, fault(err))
				}
			}
		},
		want: `client: /small 5 5 false ok; /flushed -1 7 false ok; /204 0 0 false ok; ` +
			`/304 0 0 false ok; /empty 0 0 false ok; /small 5 0 false ok; /flushed -1 0 false ` +
			`ok; ` +
			`/204 -1 0 false ok; /304 -1 0 false ok; /empty -1 0 false ok`,
	},
	{
		name: "net/http/a_request_is_tried_again_after_GOAWAY",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			b, _ := io.ReadAll(r.Body)
			p.note("handler", "%q", b)
		},
		client: func(p *play) {
			for range 10 {
				p.do(p.request("POST", "/", strings.NewReader("once")))
			}
		},
		want: `client: 200; 200; 200; 200; 200; 200; 200; 200; 200; 200 | handler: "once"; ` +
			`"once"; ` +
			`"once"; "once"; "once"; "once"; "once"; "once"; "once"; "once"`,
	},
	{
		name:    "net/http/requests_of_many_connections",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) },
		client: func(p *play) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			right := 0
			for i := range 8 {
				tr := p.transport()
				wg.Go(func() {
					defer tr.CloseIdleConnections()
					for j := range 10 {
						want := strings.Repeat(fmt.Sprint(i, j, " "), 1000)
						resp, err := tr.RoundTrip(p.request("POST", "/", strings.NewReader(want)))
						if err != nil {
							continue
						}
						b, err := io.ReadAll(resp.Body)
						resp.Body.Close()
						mu.Lock()
						if err == nil && string(b) == want {
							right++
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			p.note("client", "%d", right)
		},
		want: `client: 80`,
	},
	{
		name: "9113-6.7/the_Transport_pings",
		handler: func(_ *play, w http.ResponseWriter, _ *http.Request) {
			time.Sleep(10 * time.Minute)
			io.WriteString(w, "late")
		},
		client: func(p *play) {
			p.tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: time.Second, PingTimeout: time.Second}
			p.get("/")
		},
		want: `client: 200 "late"`,
	},
	{
		name:   "net/http/large_request_header",
		server: func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 1 << 20 },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d %d", len(r.Header["X-Many"]), len(r.Header.Get("X-Long")))
			w.Header()["X-Back"] = r.Header["X-Many"]
		},
		client: func(p *play) {
			r := p.request("GET", "/", nil, "X-Long", strings.Repeat("l", 200_000))
			for i := range 300 {
				r.Header.Add("X-Many", fmt.Sprint("value ", i))
			}
			resp, err := p.tr.RoundTrip(r)
			if err != nil {
				p.note("client", "%s", fault(err))
				return
			}
			resp.Body.Close()
			p.note("client", "%d %s", len(resp.Header["X-Back"]), resp.Header["X-Back"][299])
		},
		want: `client: 300 value 299 | handler: 300 200000`,
	},
	{
		name: "9113-8.2/values_of_many_kinds",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%q", r.Header["X-V"])
			w.Header()["X-V"] = r.Header["X-V"]
		},
		client: func(p *play) {
			p.do(p.request("GET", "/", nil, "X-V", "", "X-V", "a,b", "X-V", "ü", "X-V", `"q\"`,
				"X-V", "in\tside", "X-V", "\xff"), "X-V")
		},
		want: `client: 200 X-V=["" "a,b" "ü" "\"q\\\"" "in\tside" "\xff"] | ` +
			`handler: ["" "a,b" "ü" "\"q\\\"" "in\tside" "\xff"]`,
	},
	{
		name: "net/http/Host_and_Referer_of_the_client",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %s %s", r.Host, r.Referer(), r.UserAgent())
		},
		client: func(p *play) {
			r := p.request("GET", "/", nil, "Referer", "http://r.test/x", "User-Agent", "me")
			r.Host = "other.test:99"
			p.do(r)
			p.do(p.request("GET", "/", nil, "User-Agent", ""))
		},
		want: `client: 200; 200 | handler: other.test:99 http://r.test/x me; example.test  `,
	},
}
