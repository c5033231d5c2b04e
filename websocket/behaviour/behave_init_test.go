package behaviour_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/websocket"
)

// BEHAVIOUR 1: what init does, and what is the same on HTTP/1.1 and HTTP/2.

// answer is what a handshake got.
type answer struct {
	status int
	field  func(name string) string
	c      *client // once it is open
}

// ask makes a handshake for path with more fields: names and values in turn.
func (h *house) ask(path string, fields ...string) answer {
	h.Helper()
	if h.muxed() {
		for i := 0; i < len(fields); i += 2 {
			fields[i] = strings.ToLower(fields[i])
		}
		tun, err := h.connect(path, fields...)
		if err != nil {
			h.Fatal(err)
		}
		return answer{tun.status, func(name string) string { return tun.field(strings.ToLower(name)) }, &client{house: h, wire: tun.wire}}
	}
	var changes []string
	for i := 0; i < len(fields); i += 2 {
		changes = append(changes, fields[i]+": "+fields[i+1])
	}
	nc := h.dial()
	resp, rest := h.upgrade(nc, strings.Replace(request(changes...), " / ", " "+path+" ", 1))
	for resp.StatusCode > 101 && resp.StatusCode < 200 {
		resp = h.response(rest)
	}
	return answer{resp.StatusCode, func(name string) string { return strings.Join(resp.Header.Values(name), "|") }, &client{house: h, wire: &h1wire{Conn: nc, r: rest}}}
}

func (h *house) response(r *bufio.Reader) *http.Response {
	h.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		h.Fatal(err)
	}
	return resp
}

// accepted is the status of an accepted handshake.
func (h *house) accepted() int {
	if h.muxed() {
		return 200
	}
	return 101
}

// mount puts a WebSocket with its own init at /init.
func (h *house) mount(init func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options)) {
	h.mux.Handle("/init", websocket.Handle(init))
}

func TestInitAnswers(t *testing.T) {
	const accepted, refused2xx = 0, -1
	for _, r := range []struct {
		id, name string
		init     func(http.ResponseWriter, *actor) websocket.Handler
		status   int
		reason   string
		log      string
	}{
		{"1.init_answered", "401", func(w http.ResponseWriter, _ *actor) websocket.Handler { w.WriteHeader(401); return nil }, 401, "", ""},
		{"1.init_answered", "403", func(w http.ResponseWriter, _ *actor) websocket.Handler {
			http.Error(w, "no", http.StatusForbidden)
			return nil
		}, 403, "", ""},
		{"1.init_nothing", "nothing", func(http.ResponseWriter, *actor) websocket.Handler { return nil }, 500, "", "named no handler"},
		{"1.init_both", "write", func(w http.ResponseWriter, a *actor) websocket.Handler { io.WriteString(w, "x"); return a }, refused2xx, "normal", ""},
		{"1.init_both", "status", func(w http.ResponseWriter, a *actor) websocket.Handler { w.WriteHeader(402); return a }, 402, "normal", ""},
		{"4.normal", "status", func(w http.ResponseWriter, a *actor) websocket.Handler { w.WriteHeader(404); return a }, 404, "normal", ""},
		{"1.init_notes", "flush", func(w http.ResponseWriter, a *actor) websocket.Handler { w.(http.Flusher).Flush(); return a }, refused2xx, "normal", ""},
		{"1.init_notes", "controller_flush", func(w http.ResponseWriter, a *actor) websocket.Handler {
			http.NewResponseController(w).Flush()
			return a
		}, refused2xx, "normal", ""},
		{"1.init_notes", "informational", func(w http.ResponseWriter, a *actor) websocket.Handler { w.WriteHeader(103); return a }, accepted, "", ""},
		{"1.init_notes", "unwrap", func(w http.ResponseWriter, a *actor) websocket.Handler {
			w.(interface{ Unwrap() http.ResponseWriter }).Unwrap().Header().Set("X-Behind", "1")
			return a
		}, accepted, "", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, overHTTP, func(h *house) {
				a := new(actor)
				h.mount(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
					return r.init(w, a), nil
				})
				want := r.status
				switch {
				case want == accepted:
					want = h.accepted()
				case want == refused2xx && h.muxed():
					want = 501 // a 2xx would look like an accepted WebSocket
				case want == refused2xx:
					want = 200
				}
				if got := h.ask("/init"); got.status != want {
					h.Fatalf("status %d, want %d", got.status, want)
				}
				if r.reason != "" {
					h.wantReason(a, r.reason)
				}
				if !strings.Contains(h.log.String(), r.log) {
					h.Fatalf("log %q", h.log)
				}
			})
		})
	}
}

// init that hijacks has answered.
func TestInitHijacks(t *testing.T) {
	row(t, "1.init_notes", overHTTP, func(h *house) {
		a := new(actor)
		h.mount(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil { // HTTP/2
				w.WriteHeader(418)
				return a, nil
			}
			io.WriteString(c, "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n")
			c.Close()
			return a, nil
		})
		if got := h.ask("/init"); got.status != 418 {
			h.Fatal(got.status)
		}
		h.wantReason(a, "normal")
	})
}

func TestInitIsFirst(t *testing.T) {
	row(t, "1.init_first", overHTTP, func(h *house) {
		ran := 0
		h.mount(func(w http.ResponseWriter, r *http.Request) (websocket.Handler, *websocket.Options) {
			if ran++; r.URL.Query().Has("answer") {
				w.WriteHeader(204)
				return nil, nil
			}
			return new(actor), nil
		})
		for path, want := range map[string]int{"/init": 426, "/init?answer": 204} {
			if h.muxed() {
				if want == 426 {
					want = 400
				}
				status, err := h.get(path)
				if err != nil || status != want {
					h.Fatal(path, status, err)
				}
			} else if resp, _ := h.upgrade(h.dial(), "GET "+path+" HTTP/1.1\r\nHost: weir.test\r\n\r\n"); resp.StatusCode != want {
				h.Fatal(path, resp.Status)
			}
		}
		if ran != 2 {
			h.Fatalf("init ran %d times", ran)
		}
	})
}

func TestInitFields(t *testing.T) {
	row(t, "1.init_fields", overHTTP, func(h *house) {
		h.mount(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
			w.Header().Set("X-Init", "set")
			w.Header().Add("Set-Cookie", "a=b")
			return new(actor), nil
		})
		got := h.ask("/init")
		if got.status != h.accepted() || got.field("X-Init") != "set" || got.field("Set-Cookie") != "a=b" {
			h.Fatal(got.status, got.field("X-Init"))
		}
	})
	row(t, "6.init_extensions", overHTTP, func(h *house) {
		h.mount(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
			w.Header().Set("Sec-WebSocket-Extensions", "permessage-deflate")
			return new(actor), nil
		})
		got := h.ask("/init", "Sec-WebSocket-Extensions", "permessage-deflate")
		if got.status != h.accepted() || got.field("Sec-WebSocket-Extensions") != "" {
			h.Fatal(got.status, got.field("Sec-WebSocket-Extensions"))
		}
	})
}

// A wrapper without Unwrap hides what a WebSocket needs.
func TestNoTransport(t *testing.T) {
	row(t, "1.no_transport", overHTTP, func(h *house) {
		a := new(actor)
		ws := websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return a, nil })
		h.mux.HandleFunc("/init", func(w http.ResponseWriter, r *http.Request) { ws.ServeHTTP(struct{ http.ResponseWriter }{w}, r) })
		h.mux.Handle("/timeout", http.TimeoutHandler(ws, time.Hour, ""))
		for path, words := range map[string][]string{
			"/init":    {"a struct { http.ResponseWriter } hides", "Unwrap() http.ResponseWriter", "ConfigureServer"},
			"/timeout": {"http.TimeoutHandler stands around the handler", "*http.timeoutWriter", "Unwrap() http.ResponseWriter"},
		} {
			if got := h.ask(path); got.status != 500 {
				h.Fatal(got.status)
			}
			for _, word := range words {
				if log := h.log.String(); !strings.Contains(log, word) {
					h.Fatalf("log %q", log)
				}
			}
		}
		if told := a.told(); told != "" {
			h.Fatal(told)
		}
	})
}

// What is agreed on, or refused, the same on each HTTP.
func TestHandshakeFields(t *testing.T) {
	two := &websocket.Options{Subprotocols: []string{"two", "one"}}
	for _, r := range []struct {
		id, name string
		opts     *websocket.Options
		fields   []string
		status   int // 0: accepted
		field    string
		want     string
	}{
		{"1.extensions", "empty_parameter", nil, []string{"Sec-WebSocket-Extensions", "a;;b"}, 400, "", ""},
		{"1.extensions", "compress", &websocket.Options{Compress: true}, []string{"Sec-WebSocket-Extensions", "permessage-deflate; ="}, 400, "", ""},
		{"1.unknown_extension", "alone", nil, []string{"Sec-WebSocket-Extensions", "foo; bar=1"}, 0, "Sec-WebSocket-Extensions", ""},
		{"1.unknown_extension", "before_ours", &websocket.Options{Compress: true}, []string{"Sec-WebSocket-Extensions", "foo, permessage-deflate"}, 0, "Sec-WebSocket-Extensions", "permessage-deflate"},
		{"1.origin", "same", nil, []string{"Origin", "SAME"}, 0, "", ""},
		{"1.origin", "other", nil, []string{"Origin", "http://evil.test"}, 403, "", ""},
		{"1.origin", "null", nil, []string{"Origin", "null"}, 403, "", ""},
		{"1.origin", "none", nil, nil, 0, "", ""},
		{"6.origins", "pattern", &websocket.Options{Origins: []string{"*.good.test"}}, []string{"Origin", "https://a.good.test"}, 0, "", ""},
		{"6.origins", "not_the_pattern", &websocket.Options{Origins: []string{"*.good.test"}}, []string{"Origin", "https://good.test.evil.test"}, 403, "", ""},
		{"6.origins", "own_host_besides", &websocket.Options{Origins: []string{"*.good.test"}}, []string{"Origin", "SAME"}, 0, "", ""},
		{"6.origins", "empty_list", &websocket.Options{Origins: []string{}}, []string{"Origin", "SAME"}, 0, "", ""},
		{"6.origins", "empty_list_other", &websocket.Options{Origins: []string{}}, []string{"Origin", "http://evil.test"}, 403, "", ""},
		{"6.origins", "own_host_not_named", &websocket.Options{Origins: []string{"*.good.test"}, OnlyOrigins: true}, []string{"Origin", "SAME"}, 403, "", ""},
		{"6.origins", "any", &websocket.Options{Origins: []string{"*"}}, []string{"Origin", "null"}, 0, "", ""},
		{"6.subprotocols", "ours_first", two, []string{"Sec-WebSocket-Protocol", "one, two, three"}, 0, "Sec-WebSocket-Protocol", "two"},
		{"6.subprotocols", "none_of_ours", two, []string{"Sec-WebSocket-Protocol", "four, TWO"}, 0, "Sec-WebSocket-Protocol", ""},
		{"6.subprotocols", "none_offered", two, nil, 0, "Sec-WebSocket-Protocol", ""},
		{"6.subprotocols", "none_configured", nil, []string{"Sec-WebSocket-Protocol", "one"}, 0, "Sec-WebSocket-Protocol", ""},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, overHTTP, func(h *house) {
				a := new(actor)
				h.mount(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return a, r.opts })
				var fields []string
				for _, f := range r.fields {
					if f == "SAME" {
						f = h.self()
					}
					fields = append(fields, f)
				}
				want := r.status
				if want == 0 {
					want = h.accepted()
				}
				got := h.ask("/init", fields...)
				if got.status != want || r.field != "" && got.field(r.field) != r.want {
					h.Fatalf("status %d, want %d; %s %q, want %q", got.status, want, r.field, got.field(r.field), r.want)
				}
				if r.status == 0 && r.field == "Sec-WebSocket-Protocol" && a.session().Subprotocol() != r.want {
					h.Fatalf("Session.Subprotocol %q", a.session().Subprotocol())
				}
			})
		})
	}
	row(t, "6.subprotocols", overHTTP, func(h *house) {
		h.mount(func(w http.ResponseWriter, _ *http.Request) (websocket.Handler, *websocket.Options) {
			w.Header().Set("Sec-WebSocket-Protocol", "init's")
			return new(actor), two
		})
		if got := h.ask("/init", "Sec-WebSocket-Protocol", "one"); got.field("Sec-WebSocket-Protocol") != "init's" {
			h.Fatal(got.field("Sec-WebSocket-Protocol"))
		}
	})
}

// Options that no session can have are 500, and the log says why.
func TestBadOptions(t *testing.T) {
	for _, r := range []struct {
		name string
		opts *websocket.Options
		log  string
	}{
		{"origin_with_a_slash", &websocket.Options{Origins: []string{"*", "https://example.com/"}}, `origin pattern "https://example.com/": an origin ends with its host`},
		{"empty_subprotocol", &websocket.Options{Subprotocols: []string{""}}, `subprotocol ""`},
		{"negative_window_bits", &websocket.Options{Compress: true, Deflate: websocket.DeflateOptions{ClientMaxWindowBits: -1}}, "client window bits"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, "6.bad_options", overHTTP, func(h *house) {
				a := new(actor)
				h.mount(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) { return a, r.opts })
				if got := h.ask("/init"); got.status != 500 {
					h.Errorf("status %d", got.status)
				}
				if log := h.log.String(); !strings.Contains(log, r.log) {
					h.Errorf("log %q, want %q", log, r.log)
				}
				h.mux.HandleFunc("/accept", func(w http.ResponseWriter, req *http.Request) {
					if _, err := websocket.Accept(w, req, r.opts); err == nil || !strings.Contains(err.Error(), r.log) {
						h.Errorf("Accept: %v", err)
					}
				})
				if got := h.ask("/accept"); got.status != 500 {
					h.Errorf("Accept answers %d", got.status)
				}
				if err := r.opts.Check(); err == nil || !strings.Contains(err.Error(), r.log) {
					h.Errorf("Check: %v", err)
				}
				if told := a.told(); told != "" {
					h.Error(told)
				}
			})
		})
	}
}

// self is the origin of pages from this server.
func (h *house) self() string {
	host := "weir.test"
	if h.muxed() {
		host = "example.test"
	}
	if h.tls() {
		return "https://" + host
	}
	return "http://" + host
}
