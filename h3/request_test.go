package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// plain is an ordinary request and its answer, as net/http has it over HTTP/2: docs/nethttp.md.
type plain struct {
	name    string
	handler http.HandlerFunc
	method  string            // "": GET
	path    string            // "": /
	send    []byte            // behind the head
	fields  []string          // of the request
	want    map[string]string // fields of the answer; "" for those that must not be there
	body    string
	reset   Code   // what ends it
	log     string // is in the log
}

func TestPlainRequests(t *testing.T) {
	write := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	never := func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") }
	for _, r := range []plain{
		{name: "short", handler: write("hello"), body: "hello",
			want: map[string]string{":status": "200", "content-length": "5", "content-type": "text/plain; charset=utf-8"}},
		{name: "empty", handler: write(""), want: map[string]string{":status": "200", "content-length": "0"}},
		{name: "large", handler: write("<html>" + strings.Repeat("x", 20_000)), body: "<html>" + strings.Repeat("x", 20_000),
			want: map[string]string{"content-length": "", "content-type": "text/html; charset=utf-8"}},
		{name: "no_date", handler: func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }, want: map[string]string{"date": ""}},
		{name: "type_kept", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "x")
		}, body: "x", want: map[string]string{"content-type": ""}},
		{name: "head", method: "HEAD", handler: write("hello"), want: map[string]string{"content-length": "5"}},
		{name: "head_nothing", method: "HEAD", handler: func(http.ResponseWriter, *http.Request) {}, want: map[string]string{"content-length": ""}},
		{name: "204", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(204)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("Write: %v", err)
			}
		}, want: map[string]string{":status": "204", "content-length": ""}},
		{name: "connection_fields", handler: func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Connection", "x-mine")
			h.Set("X-Mine", "1")
			h.Set("Keep-Alive", "1")
			h.Set("Transfer-Encoding", "chunked")
			h.Set("Bad Name", "1")
			h.Set("X-Bad", "a\nb")
			h.Set("X-Good", " a ")
		}, want: map[string]string{"connection": "", "x-mine": "", "keep-alive": "", "transfer-encoding": "", "bad name": "", "x-bad": "", "x-good": "a"}},
		{name: "late_header", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.Header().Set("X-Late", "1")
			io.WriteString(w, "x")
		}, body: "x", want: map[string]string{"x-late": ""}},
		{name: "twice", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(200) },
			want: map[string]string{":status": "404"}, log: "superfluous WriteHeader(200)"},
		{name: "101", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(101); io.WriteString(w, "x") },
			want: map[string]string{":status": "200"}, body: "x"},
		{name: "too_long", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			if _, err := io.WriteString(w, "four"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("Write: %v", err)
			}
			io.WriteString(w, "abc")
		}, body: "abc", want: map[string]string{"content-length": "3"}},
		{name: "too_short", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "abc")
		}, body: "abc", want: map[string]string{"content-length": "9"}, reset: InternalError},
		{name: "trailers", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "abc")
			w.Header().Set("X-Sum", "6")
			w.Header().Set(http.TrailerPrefix+"X-More", "1")
		}, body: "abc", want: map[string]string{"x-sum": "", "trailer": "X-Sum", "trailers": "x-more: 1, x-sum: 6", "content-length": ""}},
		{name: "trailers_of_the_connection", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "x-sum")
			w.Header().Set("Trailer", "X-Sum, X-Nil")
			io.WriteString(w, "abc")
			w.Header().Set("X-Sum", "6")
		}, body: "abc", want: map[string]string{"trailers": ""}},
		{name: "trailers_of_204", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(204)
			w.Header().Set("X-Sum", "6")
		}, want: map[string]string{"trailers": ""}},
		{name: "path_with_space", path: "/a b", handler: never, body: "Bad Request\n", want: map[string]string{":status": "400"}},
		{name: "path_with_fragment", path: "/a#b", handler: never, body: "Bad Request\n", want: map[string]string{":status": "400"}},
		{name: "path_no_url", path: "/%zz", handler: never, reset: MessageError},
		{name: "white_space", fields: []string{"x-a:  b "}, handler: func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["X-A"]) }, body: `["b"]`},
		{name: "body_too_long", method: "POST", send: data("abcd"), fields: []string{"content-length: 2"}, reset: MessageError,
			handler: func(_ http.ResponseWriter, r *http.Request) {
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Error("the body is read")
				}
			}},
		{name: "body_too_short", method: "POST", send: data("abcd"), fields: []string{"content-length: 9"},
			handler: func(w http.ResponseWriter, r *http.Request) { _, err := io.ReadAll(r.Body); fmt.Fprint(w, err) }, body: "unexpected EOF"},
		{name: "trailers_unannounced", method: "POST", send: append(data("ab"), head("x-sum: 1")...),
			handler: func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); fmt.Fprint(w, r.Trailer) }, body: "map[X-Sum:[1]]"},
		{name: "head_goes_on", method: "HEAD", handler: func(w http.ResponseWriter, r *http.Request) {
			for range 10 {
				if _, err := w.Write(make([]byte, 3000)); err != nil || r.Context().Err() != nil {
					t.Errorf("Write: %v, %v", err, r.Context().Err())
				}
			}
		}},
		{name: "length_no_number", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "")
			io.WriteString(w, "abc")
		}, body: "abc", want: map[string]string{"content-length": "3"}},
		{name: "length_other_key", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["content-length"] = []string{"3"}
			io.WriteString(w, "abc")
		}, body: "abc", want: map[string]string{"content-length": "3"}},
		{name: "deadline_before_the_header", handler: func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(-1))
			if _, err := w.Write(make([]byte, 5000)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write: %v", err)
			}
			rc.SetWriteDeadline(time.Time{})
			io.WriteString(w, "x")
		}, body: "x"},
		{name: "panic", handler: func(http.ResponseWriter, *http.Request) { panic("ouch") }, reset: InternalError, log: "panic serving"},
		{name: "abort", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, reset: InternalError},
		{name: "get_without_body", handler: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Body == http.NoBody, r.ContentLength, r.Proto, r.ProtoMajor, r.TLS != nil, r.Header["Host"], r.Host)
		}, body: "true 0HTTP/3.03 true []weir.test"},
		{name: "get_with_body", send: data("body"), handler: func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, body: "body"},
		{name: "post", method: "POST", send: append(data("a"), data("bc")...), fields: []string{"content-length: 3"},
			handler: func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body); fmt.Fprint(w, r.ContentLength) }, body: "abc3"},
		{name: "continue", method: "POST", send: data("abc"), fields: []string{"content-length: 3", "expect: 100-continue"},
			handler: func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }, body: "abc", want: map[string]string{"informational": "100"}},
		{name: "early_hints", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.Header().Del("Link")
		}, want: map[string]string{"informational": "103", ":status": "200", "link": ""}},
		{name: "cookies", fields: []string{"cookie: a=1", "cookie: b=2"}, handler: func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header["Cookie"]) },
			body: `["a=1; b=2"]`},
		{name: "late_write", handler: func(w http.ResponseWriter, r *http.Request) {
			go func() {
				time.Sleep(time.Second)
				if _, err := io.WriteString(w, "x"); err == nil {
					t.Error("a late Write")
				}
				w.WriteHeader(500)
				w.(http.Flusher).Flush()
			}()
		}, want: map[string]string{":status": "200"}},
		{name: "server", handler: func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Context().Value(http.ServerContextKey) != nil, r.Context().Value(http.LocalAddrContextKey) != nil)
		}, body: "true true"},
	} {
		t.Run(r.name, func(t *testing.T) { bubble(t, nil, r.handler, r.run) })
	}
}

func (r *plain) run(s *site) {
	p := s.dial()
	method := r.method
	if method == "" {
		method = "GET"
	}
	path := r.path
	if path == "" {
		path = "/"
	}
	c := p.open(append(request(method, path, r.fields...), r.send...))
	c.Stream.Close()
	informational, trailers := "", ""
	fs, err := c.answer()
	for err == nil && fs[":status"][0] == '1' {
		informational = fs[":status"]
		fs, err = c.answer()
	}
	body := ""
	for err == nil {
		kind, b, e := c.frame()
		switch {
		case e == io.EOF:
			err = e
			continue
		case e != nil:
			err = e
			body += string(b)
		case kind == frameData:
			body += string(b)
		default:
			trailers = fieldsOf(s.T, b)
		}
	}
	if code := resetWith(err); code != r.reset || code == 0 && err != io.EOF {
		s.Errorf("it ends with %v, want %v", err, r.reset)
	}
	if body != r.body {
		s.Errorf("body %.100q, want %.100q", body, r.body)
	}
	for name, want := range r.want {
		got := fs[name]
		switch name {
		case "informational":
			got = informational
		case "trailers":
			got = trailers
		}
		if got != want {
			s.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	settle()
	if log := s.log.String(); r.log == "" && log != "" || !strings.Contains(log, r.log) {
		s.Errorf("log: %q", log)
	}
	time.Sleep(2 * time.Second) // what the handler still does
}

// TestWriteDeadline: a handler that waits for a client to read is told when its deadline passes.
func TestWriteDeadline(t *testing.T) {
	var failed chan error
	bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
		for {
			if _, err := w.Write(make([]byte, 100_000)); err != nil {
				failed <- err
				return
			}
		}
	}, func(s *site) {
		failed = make(chan error, 1)
		s.dial().open(request("GET", "/"))
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
		}
	})
}

// TestContextEnds: the context of a request ends when its client gives it up.
func TestContextEnds(t *testing.T) {
	var ended chan struct{}
	bubble(t, nil, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); close(ended) }, func(s *site) {
		ended = make(chan struct{})
		c := s.dial().open(request("GET", "/"))
		settle()
		c.CancelRead(0x10c)
		c.CancelWrite(0x10c)
		<-ended
		settle()
		if st := s.srv.Stats(); st.PeerResets != 1 || st.Streams != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestOptionsStar: net/http answers it, and no handler sees it.
func TestOptionsStar(t *testing.T) {
	bubble(t, nil, func(http.ResponseWriter, *http.Request) { t.Error("the handler sees it") }, func(s *site) {
		c := s.dial().open(request("OPTIONS", "*"))
		c.Close()
		if fs, err := c.answer(); err != nil || fs[":status"] != "200" || fs["content-length"] != "0" {
			t.Error(fs, err)
		}
	})
}

// TestBaseContext: requests have the values of http.Server.BaseContext, which is given the socket's
// address.
func TestBaseContext(t *testing.T) {
	type key struct{}
	o := &options{prepare: func(srv *http.Server) {
		srv.BaseContext = func(l net.Listener) context.Context {
			return context.WithValue(context.Background(), key{}, l.Addr().Network())
		}
	}}
	bubble(t, o, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(key{})) }, func(s *site) {
		if _, body, err := s.dial().get("/"); err != nil || body != "udp" {
			t.Error(body, err)
		}
	})
}

// TestAltSvc (RFC 7838): answers over TLS and TCP name HTTP/3 while it is served, and for how long.
func TestAltSvc(t *testing.T) {
	for name, r := range map[string]struct {
		cfg  Config
		want string
	}{
		"default": {Config{}, `h3=":PORT"; ma=600`},
		"age":     {Config{AltSvcAge: time.Minute}, `h3=":PORT"; ma=60`},
		"own":     {Config{AltSvc: `h3=":443"; ma=5`}, `h3=":443"; ma=5`},
		"off":     {Config{AltSvcAge: -1}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			loopback(t, &options{cfg: r.cfg}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }, func(s *site) {
				get := func(state *tls.ConnectionState, fields ...string) string {
					rec := httptest.NewRecorder()
					q := httptest.NewRequest("GET", "/", nil)
					q.TLS = state
					for _, f := range fields {
						q.Header.Set(f, "x")
					}
					s.hs.Handler.ServeHTTP(rec, q)
					return rec.Header().Get("Alt-Svc")
				}
				fs, _, err := s.dial().get("/") // so it serves
				if err != nil || fs["alt-svc"] != "" {
					t.Errorf("over HTTP/3: %v, %v", fs, err)
				}
				_, port, _ := strings.Cut(s.addr.String(), ":")
				want := strings.Replace(r.want, "PORT", port, 1)
				if got := get(new(tls.ConnectionState)); got != want {
					t.Errorf("%q, want %q", got, want)
				}
				if got := get(new(tls.ConnectionState), "Upgrade"); got != want {
					t.Errorf("in a handshake: %q, want %q", got, want)
				}
				if got := get(nil); got != "" {
					t.Errorf("in cleartext: %q", got)
				}
				s.srv.GoAway()
				if got := get(new(tls.ConnectionState)); got != "" {
					t.Errorf("while it leaves: %q", got)
				}
			})
		})
	}
}
