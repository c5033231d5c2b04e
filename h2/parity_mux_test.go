package h2_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"
)

// shows is a handler that notes which it is, and what it was given.
func shows(p *play, what string) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p.note("handler", "%s %q %s", what, r.Pattern, r.URL.Path)
	})
}

// parityMuxes are about http.ServeMux and the handlers that net/http has.
var parityMuxes = []parityCase{
	{
		name: "net/http/ServeMux_wildcards",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			for _, pat := range []string{"/w/{a}/x/{b...}", "/exact/{$}", "/exact/", "GET /m/{id}",
				"HEAD /m/{id}", "/m/{id}"} {
				mux.HandleFunc(pat, func(_ http.ResponseWriter, r *http.Request) {
					p.note("handler", "%s %s a=%s b=%s id=%s", r.Method, r.Pattern,
						r.PathValue("a"), r.PathValue("b"), r.PathValue("id"))
				})
			}
			hs.Handler = mux
		},
		client: func(p *play) {
			for _, path := range []string{"/w/1/x/", "/w/1/x/2/3", "/w/%2F/x/%20", "/exact/",
				"/exact/more", "/m/7"} {
				p.get(path)
			}
			p.do(p.request("HEAD", "/m/8", nil))
			p.do(p.request("DELETE", "/m/9", nil))
		},
		want: `client: 200; 200; 404 "404 page not found\n"; 200; 200; 200; 200; 200 | ` +
			`handler: GET /w/{a}/x/{b...} a=1 b= id=; GET /w/{a}/x/{b...} a=1 b=2/3 id=; ` +
			`GET /exact/{$} a= b= id=; GET /exact/ a= b= id=; GET GET /m/{id} a= b= id=7; ` +
			`HEAD HEAD /m/{id} a= b= id=8; DELETE /m/{id} a= b= id=9`,
	},
	{
		name: "net/http/ServeMux_hosts",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			mux.Handle("/", shows(p, "any"))
			mux.Handle("a.test/", shows(p, "a"))
			mux.Handle("a.test/x", shows(p, "ax"))
			hs.Handler = mux
		},
		client: func(p *play) {
			for _, host := range []string{"a.test", "a.test:8080", "b.test", "A.TEST"} {
				for _, path := range []string{"/", "/x"} {
					r := p.request("GET", path, nil)
					r.Host = host
					p.do(r)
				}
			}
		},
		want: `client: 200; 200; 200; 200; 200; 200; 200; 200 | handler: a "a.test/" /; ` +
			`ax "a.test/x" /x; a "a.test/" /; ax "a.test/x" /x; any "/" /; any "/" /x; any "/" ` +
			`/; ` +
			`any "/" /x`,
	},
	{
		name: "net/http/ServeMux_cleans_paths",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			mux.Handle("/a/", shows(p, "a"))
			mux.Handle("/b", shows(p, "b"))
			hs.Handler = mux
		},
		client: func(p *play) {
			for _, path := range []string{"/a", "/a?x=1", "/a/../b", "/a//c", "/./b", "//a/", "/b/",
				"/a/%2e%2e/b"} {
				p.get(path, "Location")
			}
			p.do(p.request("POST", "/a", strings.NewReader("x")), "Location")
		},
		want: `client: 307 Location=["/a/"] "<a href=\"/a/\">Temporary Redirect</a>.\n\n"; ` +
			`307 Location=["/a/?x=1"] "<a href=\"/a/?x=1\">Temporary Redirect</a>.\n\n"; ` +
			`307 Location=["/b"] "<a href=\"/b\">Temporary Redirect</a>.\n\n"; ` +
			`307 Location=["/a/c"] "<a href=\"/a/c\">Temporary Redirect</a>.\n\n"; ` +
			`307 Location=["/b"] "<a href=\"/b\">Temporary Redirect</a>.\n\n"; ` +
			`307 Location=["/a/"] "<a href=\"/a/\">Temporary Redirect</a>.\n\n"; ` +
			`404 "404 page not found\n"; 200; 307 Location=["/a/"] | handler: a "/a/" /a/../b`,
	},
	{
		name: "net/http/ServeMux_method_not_allowed",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			mux.Handle("GET /r", shows(p, "get"))
			mux.Handle("POST /r", shows(p, "post"))
			hs.Handler = mux
		},
		client: func(p *play) {
			for _, m := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "get"} {
				p.do(p.request(m, "/r", nil), "Allow", "Content-Length", "X-Content-Type-Options")
			}
		},
		want: `client: 200 Content-Length=["0"]; 200; 200 Content-Length=["0"]; ` +
			`405 Allow=["GET, HEAD, POST"] Content-Length=["19"] ` +
			`X-Content-Type-Options=["nosniff"] ` +
			`"Method Not Allowed\n"; ` +
			`405 Allow=["GET, HEAD, POST"] Content-Length=["19"] ` +
			`X-Content-Type-Options=["nosniff"] ` +
			`"Method Not Allowed\n"; ` +
			`405 Allow=["GET, HEAD, POST"] Content-Length=["19"] ` +
			`X-Content-Type-Options=["nosniff"] ` +
			`"Method Not Allowed\n" | handler: get "GET /r" /r; get "GET /r" /r; post "POST /r" /r`,
	},
	{
		name: "net/http/Redirect_forms",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusSeeOther)
		},
		client: func(p *play) {
			for _, to := range []string{"/abs", "rel", "../up", "https://x.test/y?z=1", "//x.test",
				"%0d%0aevil:1", ""} {
				p.get("/a/b?to="+to, "Location", "Content-Type")
			}
			p.do(p.request("HEAD", "/a/b?to=/c", nil), "Location", "Content-Type", "Content-Length")
			p.do(p.request("POST", "/a/b?to=/c", nil), "Location", "Content-Type", "Content-Length")
		},
		want: `client: 303 Location=["/abs"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"/abs\">See Other</a>.\n\n"; ` +
			`303 Location=["/a/rel"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"/a/rel\">See Other</a>.\n\n"; ` +
			`303 Location=["/up"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"/up\">See Other</a>.\n\n"; ` +
			`303 Location=["https://x.test/y?z=1"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"https://x.test/y?z=1\">See Other</a>.\n\n"; ` +
			`303 Location=["//x.test"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"//x.test\">See Other</a>.\n\n"; ` +
			`303 Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"\r\nevil:1\">See Other</a>.\n\n"; ` +
			`303 Location=["/a/"] Content-Type=["text/html; ` +
			`charset=utf-8"] "<a href=\"/a/\">See Other</a>.\n\n"; ` +
			`303 Location=["/c"] Content-Type=["text/html; charset=utf-8"]; ` +
			`303 Location=["/c"] Content-Length=["0"]`,
	},
	{
		name: "net/http/client_follows_redirects",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			for path, status := range map[string]int{"/301": 301, "/302": 302, "/303": 303,
				"/307": 307, "/308": 308} {
				mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w,
						r, "/end", status)
				})
			}
			mux.HandleFunc("/end", func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				p.note("handler", "%s %q", r.Method, b)
			})
			hs.Handler = mux
		},
		client: func(p *play) {
			c := http.Client{Transport: p.tr}
			for _, path := range []string{"/301", "/302", "/303", "/307", "/308"} {
				resp, err := c.Post(p.url(path), "text/plain", strings.NewReader("body"))
				if err != nil {
					p.note("client", "%s", fault(err))
					continue
				}
				p.answer(resp)
			}
		},
		want: `client: 200; 200; 200; 200; 200 | handler: GET ""; GET ""; GET ""; POST "body"; ` +
			`POST "body"`,
	},
	{
		name: "net/http/NotFound_and_Error",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Etag", `"x"`)
			w.Header().Set("X-Kept", "1")
			if r.URL.Path == "/nf" {
				http.NotFound(w, r)
				return
			}
			http.Error(w, "broken", http.StatusInternalServerError)
		},
		client: func(p *play) {
			fields := []string{"Content-Length", "Content-Encoding", "Content-Type", "Etag",
				"X-Content-Type-Options", "X-Kept"}
			p.get("/nf", fields...)
			p.get("/", fields...)
			p.do(p.request("HEAD", "/", nil), fields...)
		},
		want: `client: 404 Content-Type=["text/plain; ` +
			`charset=utf-8"] Etag=["\"x\""] X-Content-Type-Options=["nosniff"] X-Kept=["1"] ` +
			`error; ` +
			`500 Content-Type=["text/plain; ` +
			`charset=utf-8"] Etag=["\"x\""] X-Content-Type-Options=["nosniff"] X-Kept=["1"] ` +
			`unexpected EOF; ` +
			`500 Content-Length=["7"] Content-Encoding=["gzip"] Content-Type=["text/plain; ` +
			`charset=utf-8"] Etag=["\"x\""] X-Content-Type-Options=["nosniff"] X-Kept=["1"]`,
	},
	{
		name: "net/http/StripPrefix_of_other_paths",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.StripPrefix("/a b", http.HandlerFunc(func(_ http.ResponseWriter,
				r *http.Request) {
				p.note("handler", "%q %q %q", r.URL.Path, r.URL.RawPath, r.RequestURI)
			}))
		},
		client: func(p *play) {
			for _, path := range []string{"/a%20b/c%2Fd", "/a%20b", "/other", "/a%20bc"} {
				p.get(path)
			}
		},
		want: `client: 404 "404 page not found\n"; 200; 404 "404 page not found\n"; 200 | ` +
			`handler: "" "" "/a%20b"; "c" "" "/a%20bc"`,
	},
	{
		name: "net/http/BasicAuth",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			user, pw, ok := r.BasicAuth()
			p.note("handler", "%q %q %v", user, pw, ok)
			if !ok {
				w.Header().Set("Www-Authenticate", `Basic realm="x"`)
				http.Error(w, "who?", http.StatusUnauthorized)
			}
		},
		client: func(p *play) {
			p.get("/", "Www-Authenticate")
			r := p.request("GET", "/", nil)
			r.SetBasicAuth("üser", "pass:word")
			p.do(r)
			p.do(p.request("GET", "/", nil, "Authorization", "Basic ???"))
		},
		want: `client: 401 Www-Authenticate=["Basic realm=\"x\""] "who?\n"; 200; 401 "who?\n" | ` +
			"handler: \"\" \"\" false; \"\xc3\xbcser\" \"pass:word\" true; \"\" \"\" false",
	},
	{
		name: "6265-4/cookies_both_ways",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			for _, c := range r.Cookies() {
				p.note("handler", "%s=%q quoted=%v", c.Name, c.Value, c.Quoted)
			}
			p.note("handler", "%d %d", len(r.Header["Cookie"]), len(r.CookiesNamed("a")))
			http.SetCookie(w, &http.Cookie{Name: "s", Value: "1 2", Path: "/", Secure: true,
				HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: 10})
			http.SetCookie(w, &http.Cookie{Name: "t", Value: "x", Expires: time.Unix(1e9, 0),
				Partitioned: true, Secure: true})
			http.SetCookie(w, &http.Cookie{Name: "bad name", Value: "x"})
		},
		client: func(p *play) {
			r := p.request("GET", "/", nil, "Cookie", `a=1; b="two"`, "Cookie", "a=3")
			r.AddCookie(&http.Cookie{Name: "c", Value: "four"})
			p.do(r, "Set-Cookie")
		},
		want: `client: 200 Set-Cookie=["s=\"1 2\"; Path=/; Max-Age=10; HttpOnly; Secure; ` +
			`SameSite=Lax" "t=x; Expires=Sun, 09 Sep 2001 01:46:40 GMT; Secure; Partitioned"] | ` +
			`handler: a="1" quoted=false; b="two" quoted=true; c="four" quoted=false; 1 1`,
	},
	{
		name: "9113-8.2.3/many_cookie_crumbs",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d %d %d", len(r.Header["Cookie"]), len(r.Cookies()),
				len(r.Header.Get("Cookie")))
		},
		client: func(p *play) {
			var kv []string
			for i := range 100 {
				kv = append(kv, "cookie", fmt.Sprintf("n%d=v%d", i, i))
			}
			p.ask("GET", "/", kv...)
			p.ask("GET", "/", "cookie", "")
			p.ask("GET", "/", "cookie", "a=1;", "cookie", "", "cookie", "b=2")
		},
		want: `client: 200; 200; 200 | handler: 1 100 878; 1 0 0; 1 2 11`,
	},
	{
		name: "net/http/TimeoutHandler_and_what_was_written",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter,
				r *http.Request) {
				_, flusher := w.(http.Flusher)
				p.note("handler", "flusher=%v", flusher)
				w.Header().Set("X-A", "1")
				w.WriteHeader(http.StatusAccepted)
				io.WriteString(w, "part")
				<-r.Context().Done()
				time.Sleep(time.Second)
				p.note("handler", "%v", r.Context().Err())
			}), time.Second, "")
		},
		client: func(p *play) {
			p.get("/", "X-A", "Content-Type")
			time.Sleep(2 * time.Second)
		},
		want: `client: 503 Content-Type=["text/html; ` +
			`charset=utf-8"] ` +
			`"<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>" | ` +
			`handler: flusher=false; context deadline exceeded`,
	},
	{
		name: "net/http/TimeoutHandler_and_a_panic",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.TimeoutHandler(http.HandlerFunc(func(http.ResponseWriter,
				*http.Request) {
				panic("inside")
			}), time.Second, "")
		},
		client: func(p *play) {
			p.get("/")
			p.logged("panic serving 127.0.0.1:49152: inside")
		},
		want: `client: RST_STREAM INTERNAL_ERROR | log: 1 panic serving 127.0.0.1:49152: inside`,
	},
	{
		name: "net/http/TimeoutHandler_of_a_client_that_goes",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter,
				r *http.Request) {
				<-r.Context().Done()
				p.note("handler", "%v", r.Context().Err())
			}), time.Hour, "")
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM GET", "RST_STREAM 1 CANCEL")
			synctest.Wait()
		},
		want: `handler: context canceled`,
	},
	{
		name: "net/http/CrossOriginProtection_by_Origin",
		server: func(_ *play, hs *http.Server) {
			cop := http.NewCrossOriginProtection()
			if err := cop.AddTrustedOrigin("https://good.test"); err != nil {
				panic(err)
			}
			hs.Handler = cop.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		},
		client: func(p *play) {
			for _, origin := range []string{"https://example.test", "https://good.test",
				"https://evil.test", "null", ""} {
				p.do(p.request("POST", "/", nil, "Origin", origin))
			}
			p.do(p.request("GET", "/", nil, "Origin", "https://evil.test"))
			p.do(p.request("POST", "/", nil))
		},
		want: `client: 200; 200; ` +
			`403 "cross-origin request detected, and/or browser is out of date: Sec-Fetch-Site ` +
			`is ` +
			`missing, and Origin does not match Host\n"; ` +
			`403 "cross-origin request detected, and/or browser is out of date: Sec-Fetch-Site ` +
			`is ` +
			`missing, and Origin does not match Host\n"; 200; 200; 200`,
	},
	{
		name: "net/http/MaxBytesHandler_and_413",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter,
				r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					p.note("handler", "%s", fault(err))
					http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
				}
			}), 1000)
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader(strings.Repeat("x", 5000))))
			p.do(p.request("POST", "/", zeros(1<<20)))
			p.do(p.request("POST", "/", zeros(10)))
		},
		want: `client: 413 "http: request body too large\n"; 413 "http: request body too ` +
			`large\n"; ` +
			`200 | handler: MaxBytesError; MaxBytesError`,
	},
}
