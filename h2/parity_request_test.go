package h2_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"weir/h2/h2test"
)

// headerText is a header in order of its names.
func headerText(h http.Header) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(h)) {
		parts = append(parts, fmt.Sprintf("%s=%q", k, h[k]))
	}
	return strings.Join(parts, " ")
}

// showURL notes how a handler sees the target.
func showURL(p *play, _ http.ResponseWriter, r *http.Request) {
	p.note("handler", "%s %s host=%s path=%q raw=%q query=%q force=%v", r.Method, r.RequestURI, r.Host+r.URL.Host, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.URL.ForceQuery)
}

// showHeader notes what header a handler sees.
func showHeader(p *play, _ http.ResponseWriter, r *http.Request) {
	p.note("handler", "%s", headerText(r.Header))
}

// ask makes a raw GET on a connection of its own and notes what becomes of it.
func (p *play) ask(method, path string, fields ...string) {
	peer := p.peer(h2test.Options{})
	tn := p.open(peer, true, method, path, fields...)
	p.told(tn)
}

// told notes the answer to a raw request.
func (p *play) told(tn *h2test.Tunnel) {
	resp, err := tn.Response(patient)
	if err == nil { // a RST_STREAM may follow
		time.Sleep(time.Millisecond)
		if _, err = tn.Read(make([]byte, 1)); err == io.EOF {
			err = nil
		}
	}
	switch {
	case resp == nil || resp.Status == 0:
		p.note("client", "%s", fault(err))
	case err != nil:
		p.note("client", "%d %s", resp.Status, fault(err))
	default:
		p.note("client", "%d", resp.Status)
	}
}

var parityRequests = []parityCase{
	{
		name:    "9110-5.3/header_canonical_and_repeated",
		handler: showHeader,
		client: func(p *play) {
			p.ask("GET", "/", "x-one", "1", "x-two", "a", "x-two", "b", "user-agent", "raw", "accept", "*/*", "x_odd", "v", "empty", "")
		},
		want: `client: 200 | handler: Accept=["*/*"] Empty=[""] User-Agent=["raw"] X-One=["1"] X-Two=["a" "b"] X_odd=["v"]`,
	},
	{
		name: "9113-8.2.3/cookie_crumbs_joined",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			c, err := r.Cookie("b")
			p.note("handler", "%q %v %v %d", r.Header["Cookie"], c, err, len(r.Cookies()))
		},
		client: func(p *play) { p.ask("GET", "/", "cookie", "a=1", "x", "y", "cookie", "b=2", "cookie", "c=3") },
		want:   `client: 200 | handler: ["a=1; b=2; c=3"] b=2 <nil> 3`,
	},
	{
		name: "9113-8.3.1/authority_is_host",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %q", r.Host, r.URL.Host)
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for _, a := range []string{"example.test", "example.test:8443", "[::1]:80", "EXAMPLE.test"} {
				tn, err := peer.Open(true, ":method", "GET", ":scheme", p.scheme(), ":authority", a, ":path", "/")
				if err != nil {
					p.t.Fatal(err)
				}
				p.told(tn)
			}
		},
		want: `client: 200; 200; 200; 200 | handler: example.test ""; example.test:8443 ""; [::1]:80 ""; EXAMPLE.test ""`,
	},
	{
		name: "9113-8.3.1/host_without_authority",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s", r.Host)
		},
		client: func(p *play) {
			tn, err := p.peer(h2test.Options{}).Open(true, ":method", "GET", ":scheme", p.scheme(), ":path", "/", "host", "other.test")
			if err != nil {
				p.t.Fatal(err)
			}
			p.told(tn)
		},
		want: `client: 200 | handler: other.test`,
	},
	{
		name: "9113-8.3.1/host_beside_authority",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s %q", r.Host, r.Header["Host"])
		},
		client:  func(p *play) { p.ask("GET", "/", "host", "example.test") },
		what:    "`host` beside `:authority`",
		nethttp: `client: 200 | handler: example.test ["example.test"]`,
		weir:    `client: 200 | handler: example.test []`,
		why:     "it is in Request.Host alone, as net/http has it over HTTP/1.1; one that contradicts `:authority` is refused (RFC 9113, 8.3.1)",
	},
	{
		name: "9113-8.3.1/host_contradicts_authority",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s", r.Host)
		},
		client:  func(p *play) { p.ask("GET", "/", "host", "evil.test") },
		what:    "`host` other than `:authority`",
		nethttp: `client: 200 | handler: example.test`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR`,
		why:     "malformed (RFC 9113, 8.3.1); nobody behind can route by the one and authorise by the other",
	},
	{
		name: "net/http/Request_fields",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			local, _ := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
			srv := r.Context().Value(http.ServerContextKey)
			p.note("handler", "%s %d.%d remote=%s local=%v server=%v tls=%v close=%v te=%v length=%d form=%v pattern=%q", r.Proto, r.ProtoMajor, r.ProtoMinor, r.RemoteAddr, local,
				srv == p.hs, (r.TLS != nil) == p.secure && (!p.secure || r.TLS.NegotiatedProtocol == "h2" && r.TLS.HandshakeComplete), r.Close, r.TransferEncoding, r.ContentLength, r.Form, r.Pattern)
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 | handler: HTTP/2.0 2.0 remote=127.0.0.1:49152 local=127.0.0.1:80 server=true tls=true close=false te=[] length=0 form=map[] pattern=""`,
	},
	{
		name:   "9113-8.3.1/TLS_is_that_of_the_connection",
		secure: true,
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%v", r.TLS != nil)
		},
		client: func(p *play) {
			tn, err := p.peer(h2test.Options{}).Open(true, ":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/")
			if err != nil {
				p.t.Fatal(err)
			}
			p.told(tn)
		},
		want: `client: 200 | handler: true`,
	},
	{
		name:    "3986-3/URL_forms",
		handler: showURL,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			for _, path := range []string{"/", "/a/b?x=1&y=%20", "/a%2Fb%20c", "/q?", "/semi;p=1", "/%E2%82%AC", "/a/../b"} {
				p.told(p.open(peer, true, "GET", path))
			}
		},
		want: `client: 200; 200; 200; 200; 200; 200; 200 | handler: GET / host=example.test path="/" raw="" query="" force=false; ` +
			`GET /a/b?x=1&y=%20 host=example.test path="/a/b" raw="" query="x=1&y=%20" force=false; ` +
			`GET /a%2Fb%20c host=example.test path="/a/b c" raw="/a%2Fb%20c" query="" force=false; GET /q? host=example.test path="/q" raw="" query="" force=true; ` +
			`GET /semi;p=1 host=example.test path="/semi;p=1" raw="" query="" force=false; GET /%E2%82%AC host=example.test path="/€" raw="" query="" force=false; ` +
			`GET /a/../b host=example.test path="/a/../b" raw="" query="" force=false`,
	},
	{
		name:    "9113-8.3.1/double_slash",
		handler: showURL,
		client:  func(p *play) { p.ask("GET", "//double/x") },
		want:    `client: 200 | handler: GET //double/x host=example.test path="//double/x" raw="" query="" force=false`,
	},
	{
		name:    "9110-7.1/OPTIONS_asterisk",
		handler: showURL,
		client:  func(p *play) { p.ask("OPTIONS", "*") },
		want:    `client: 200`, // http.Server answers it by itself, with its own handler
	},
	{
		name:    "9110-7.1/OPTIONS_asterisk_to_the_handler",
		server:  func(_ *play, hs *http.Server) { hs.DisableGeneralOptionsHandler = true },
		handler: showURL,
		client:  func(p *play) { p.ask("OPTIONS", "*") },
		want:    `client: 200 | handler: OPTIONS * host=example.test path="*" raw="" query="" force=false`,
	},
	{
		name:    "9113-8.3.1/path_that_is_no_URL",
		handler: showURL,
		client:  func(p *play) { p.ask("GET", "/%zz") },
		what:    "a path that is no URL (`/%zz`)",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 400`,
		why:     "400, as net/http answers it over HTTP/1.1",
	},
	{
		name:    "9110-9.1/methods",
		handler: showURL,
		client: func(p *play) {
			for _, m := range []string{"DELETE", "PURGE", "get", "M-SEARCH"} {
				p.ask(m, "/")
			}
		},
		want: `client: 200; 200; 200; 200 | handler: DELETE / host=example.test path="/" raw="" query="" force=false; PURGE / host=example.test path="/" raw="" query="" force=false; ` +
			`get / host=example.test path="/" raw="" query="" force=false; M-SEARCH / host=example.test path="/" raw="" query="" force=false`,
	},
	{
		name: "9110-4.1/long_URL",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d %d", len(r.RequestURI), len(r.URL.Query().Get("q")))
		},
		client: func(p *play) { p.get("/?q=" + strings.Repeat("a", 40_000)) },
		want:   `client: 200 | handler: 40004 40000`,
	},
	{
		name: "9113-6.5.2/default_header_limit",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%d", len(r.Header))
		},
		client: func(p *play) {
			more := strings.Repeat("a", 15_000)
			p.wire("HEADERS 1 END_STREAM NO_END_HEADERS GET", "CONTINUATION 1 NO_END_HEADERS a="+more, "CONTINUATION 1 NO_END_HEADERS b="+more,
				"CONTINUATION 1 NO_END_HEADERS c="+more, "CONTINUATION 1 NO_END_HEADERS d="+more, "CONTINUATION 1 e="+more)
			p.notes["wire"] = []string{strings.TrimSpace(p.notes["wire"][0][:len("HEADERS 1 :status=431")])}
		},
		what:    "headers without http.Server.MaxHeaderBytes",
		nethttp: `handler: 5 | wire: HEADERS 1 END_STREAM`,
		weir:    `wire: HEADERS 1 :status=431`,
		why:     "64 KiB instead of 1 MiB, for every stream of a connection may bring that much; MaxHeaderBytes or Config.MaxHeaderListSize raise it",
	},
	{
		name:    "6585-5/MaxHeaderBytes_exceeded",
		server:  func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: showURL,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/", "x-one", strings.Repeat("a", 5000), "x-two", strings.Repeat("b", 5000)))
			p.told(p.open(peer, true, "GET", "/after"))
		},
		want: `client: 431; 200 | handler: GET /after host=example.test path="/after" raw="" query="" force=false`,
	},
	{
		name:    "6585-5/one_field_over_MaxHeaderBytes",
		server:  func(_ *play, hs *http.Server) { hs.MaxHeaderBytes = 8192 },
		handler: showURL,
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/", "x-big", strings.Repeat("a", 12_000)))
			if tn, err := peer.Open(true, ":method", "GET", ":scheme", p.scheme(), ":authority", "example.test", ":path", "/"); err != nil {
				p.note("client", "the connection is gone")
			} else {
				p.told(tn)
			}
		},
		what:    "one field over http.Server.MaxHeaderBytes",
		nethttp: `client: EOF; the connection is gone`,
		weir:    `client: 431; 200 | handler: GET / host=example.test path="/" raw="" query="" force=false`,
		why:     "431, as for several: the connection and its other streams live, unless a block is twice as long as allowed",
	},
	{
		name:    "9113-8.2.2/fields_of_a_connection",
		handler: showHeader,
		client: func(p *play) {
			p.ask("GET", "/", "connection", "keep-alive")
			p.ask("GET", "/", "te", "gzip")
			p.ask("GET", "/", "te", "trailers")
		},
		what:    "a request with Connection, TE: gzip and the like",
		nethttp: `client: 400; 400; 200 | handler: Te=["trailers"]`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR; 400 RST_STREAM PROTOCOL_ERROR; 200 | handler: Te=["trailers"]`,
		why:     "malformed: the 400 has RST_STREAM behind it (RFC 9113, 8.2.2 and 8.1.1)",
	},
	{
		name:    "9110-8.6/content_length_of_a_request_with_zeros",
		handler: readAll,
		client:  func(p *play) { p.wire("HEADERS 1 POST content-length=0005", `DATA 1 END_STREAM "hello"`) },
		want: `handler: length=5 read=5 ok | ` +
			`wire: HEADERS 1 END_STREAM :status=200 content-length=0 date=now`,
	},
	{
		name:    "9113-8.1.1/content_beyond_a_length_of_zero",
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		client:  func(p *play) { p.wire("HEADERS 1 POST content-length=0", `DATA 1 END_STREAM "x"`) },
		what:    "a malformed request",
		nethttp: `wire: RST_STREAM 1 PROTOCOL_ERROR`,
		weir:    `wire: ` + refused400,
		why:     refused400Why,
	},
	{
		name:    "9113-8.2.1/octets_that_no_field_has",
		handler: showHeader,
		client: func(p *play) {
			p.ask("GET", "/", "x-a", "a\x00b")
			p.ask("GET", "/", "x-a", "a\r\nb")
			p.ask("GET", "/", "x a", "b")
			p.ask("GET", "/", "", "b")
			p.ask("GET", "/", "x-a", "\x7f")
			p.ask("GET", "/", "x-a", "in\tside \xff")
		},
		what: "a malformed request",
		nethttp: "client: " + strings.Repeat("RST_STREAM PROTOCOL_ERROR; ", 5) +
			`200 | handler: X-A=["in\tside \xff"]`,
		weir: "client: " + strings.Repeat("400 RST_STREAM PROTOCOL_ERROR; ", 5) +
			`200 | handler: X-A=["in\tside \xff"]`,
		why: refused400Why,
	},
	{
		name:    "9113-8.2.1/upper_case_name",
		handler: showHeader,
		client:  func(p *play) { p.ask("GET", "/", "X-Upper", "1") },
		what:    "a malformed request",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR`,
		weir:    `client: 400 RST_STREAM PROTOCOL_ERROR`,
		why:     refused400Why,
	},
	{
		name:    "9113-8.3/pseudo_fields_missing",
		handler: showURL,
		client: func(p *play) {
			for _, drop := range []string{":method", ":scheme", ":path"} {
				fields := []string{}
				for _, kv := range [][2]string{{":method", "GET"}, {":scheme", p.scheme()}, {":authority", "a.test"}, {":path", "/"}} {
					if kv[0] != drop {
						fields = append(fields, kv[:]...)
					}
				}
				tn, err := p.peer(h2test.Options{}).Open(true, fields...)
				if err != nil {
					p.t.Fatal(err)
				}
				p.told(tn)
			}
		},
		what:    "a malformed request",
		nethttp: `client: RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR; RST_STREAM PROTOCOL_ERROR`,
		weir:    "client: " + strings.Repeat("400 RST_STREAM PROTOCOL_ERROR; ", 2) + "400 RST_STREAM PROTOCOL_ERROR",
		why:     refused400Why,
	},
	{
		name: "net/http/ContentLength_and_Body_without_content",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := r.Body.Read(make([]byte, 1))
			p.note("handler", "%s %d %q %d %s", r.Method, r.ContentLength, r.Header["Content-Length"], n, fault(err))
		},
		client: func(p *play) {
			p.ask("GET", "/")
			p.ask("POST", "/", "content-length", "0")
			p.do(p.request("POST", "/", http.NoBody))
			p.do(p.request("POST", "/", nil))
		},
		want: `client: 200; 200; 200; 200 | handler: GET 0 [] 0 EOF; POST 0 ["0"] 0 EOF; POST 0 ["0"] 0 EOF; POST 0 ["0"] 0 EOF`,
	},
	{
		name: "net/http/ParseForm_and_files",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			f, h, err := r.FormFile("file")
			if err != nil {
				p.note("handler", "%q %v", r.FormValue("a"), err)
				return
			}
			b, _ := io.ReadAll(f)
			p.note("handler", "%q %s %q", r.FormValue("a"), h.Filename, b)
		},
		client: func(p *play) {
			form := strings.NewReader("a=1&b=2")
			p.do(p.request("POST", "/?a=0", form, "Content-Type", "application/x-www-form-urlencoded"))
			multi := "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.txt\"\r\n\r\ncontent\r\n--x--\r\n"
			p.do(p.request("POST", "/", strings.NewReader(multi), "Content-Type", "multipart/form-data; boundary=x"))
		},
		want: `client: 200; 200 | handler: "1" request Content-Type isn't multipart/form-data; "1" f.txt "content"`,
	},
	{
		name: "net/http/ServeMux_and_PathValue",
		server: func(p *play, hs *http.Server) {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /a/{id}", func(w http.ResponseWriter, r *http.Request) { p.note("handler", "%s %s", r.Pattern, r.PathValue("id")) })
			hs.Handler = mux
		},
		client: func(p *play) {
			p.get("/a/7")
			p.do(p.request("POST", "/a/7", nil), "Allow")
			p.get("/b")
		},
		want: `client: 200; 405 Allow=["GET, HEAD"] "Method Not Allowed\n"; 404 "404 page not found\n" | handler: GET /a/{id} 7`,
	},
}
