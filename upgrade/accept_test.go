package upgrade

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/stream/memnet"
)

// fakeOpener is the writer of a transport that opens streams.
type fakeOpener struct {
	http.ResponseWriter
	err    error
	header http.Header
}

func (f *fakeOpener) OpenStream(header http.Header) (stream.Stream, error) {
	f.header = header
	if f.err != nil {
		return nil, f.err
	}
	s, _ := stream.Pipe()
	return s, nil
}

// middleware has Unwrap and nothing else.
type middleware struct{ http.ResponseWriter }

func (m middleware) Unwrap() http.ResponseWriter { return m.ResponseWriter }

func TestAcceptOpener(t *testing.T) {
	f := &fakeOpener{ResponseWriter: httptest.NewRecorder()}
	w := Watch(middleware{f})
	s, err := Accept(middleware{w}, h2Request(), http.Header{"X": {"y"}})
	if err != nil || s == nil || f.header.Get("X") != "y" {
		t.Errorf("%v, %v, header %v", s, err, f.header)
	}
	if !w.Answered() {
		t.Error("a stream opened through the Watcher is no answer")
	}
}

func TestAcceptRefused(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		name   string
		w      http.ResponseWriter
		r      *http.Request
		status int // 0: not a HandshakeError
		close  bool
	}{
		{"9113-8.5/already_ended", &fakeOpener{err: stream.ErrHalfClosed}, h2Request(), 400, false},
		{"opener_fails", &fakeOpener{err: other}, h2Request(), 0, false},
		{"no_opener", httptest.NewRecorder(), h2Request(), 500, false},
		{"no_hijacker", httptest.NewRecorder(), h1Request(), 500, false},
		{"9110-7.8/expect", httptest.NewRecorder(), h1Request("Expect: 100-continue"), 400, true},
		{"9110-7.8/chunked", httptest.NewRecorder(), length(h1Request(), -1), 400, true},
		{"9110-7.8/over_64_KiB", httptest.NewRecorder(), length(h1Request(), 65537), 400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Watch(c.w)
			s, err := Accept(w, c.r, nil)
			e, ok := errors.AsType[*HandshakeError](err)
			switch {
			case s != nil || err == nil:
				t.Fatal("accepted")
			case c.status == 0 && !errors.Is(err, other):
				t.Error(err)
			case c.status != 0 && (!ok || e.Status != c.status || (e.Header.Get("Connection") == "close") != c.close):
				t.Errorf("%#v", err)
			}
			if w.Answered() {
				t.Error("a refusal is no answer yet")
			}
		})
	}
}

// hijacker has Hijack and no Unwrap, as many loggers have.
type hijacker struct{ http.ResponseWriter }

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.ResponseWriter).Hijack()
}

// TestNoTransport: the error names what stands in the way, and what is to be done.
func TestNoTransport(t *testing.T) {
	const wrapper, server = "hides the server's http.ResponseWriter: it needs the method Unwrap() http.ResponseWriter", "call websocket.ConfigureServer"
	wrap := map[string]func(http.Handler) http.Handler{
		"nothing": func(h http.Handler) http.Handler { return h },
		"hijacker": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(Watch(&hijacker{w}), r) })
		},
		"plain": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(struct{ http.ResponseWriter }{w}, r) })
		},
		"timeout": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Hour, "") },
	}
	for _, tt := range []struct {
		wrap  string
		http2 bool // net/http's
		says  []string
	}{
		{"nothing", true, []string{"http2", server}},
		{"hijacker", true, []string{"a *upgrade.hijacker", wrapper}},
		{"plain", true, []string{"a struct { http.ResponseWriter }", wrapper}},
		{"timeout", true, []string{"http.TimeoutHandler", "*http.timeoutWriter", "Unwrap"}},
		{"plain", false, []string{"a struct { http.ResponseWriter }", wrapper}},
		{"timeout", false, []string{"http.TimeoutHandler", "*http.timeoutWriter", "Unwrap"}},
	} {
		t.Run(fmt.Sprintf("%s/http2=%v", tt.wrap, tt.http2), func(t *testing.T) {
			var err error
			s := httptest.NewUnstartedServer(wrap[tt.wrap](http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err = Accept(w, r, http.Header{})
			})))
			s.EnableHTTP2 = tt.http2
			s.StartTLS()
			resp, e := s.Client().Get(s.URL)
			if e != nil {
				t.Fatal(e)
			}
			resp.Body.Close()
			s.Close()
			he, ok := errors.AsType[*HandshakeError](err)
			if !ok || he.Status != 500 || (resp.ProtoMajor == 2) != tt.http2 {
				t.Fatalf("%v over %s", err, resp.Proto)
			}
			for _, word := range tt.says {
				if !strings.Contains(he.Msg, word) {
					t.Errorf("%q does not say %q", he.Msg, word)
				}
			}
		})
	}
}

func length(r *http.Request, n int64) *http.Request {
	r.ContentLength = n
	return r
}

// serve answers conn's requests with h, inside a bubble.
func serve(t *testing.T, h http.HandlerFunc) net.Conn {
	l := memnet.Listen()
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { // ends when the server is closed
		defer close(done)
		srv.Serve(l)
	}()
	c, err := l.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		srv.Close()
		<-done
	})
	return c
}

const h1Head = "GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

// TestAcceptH1 goes the whole way through net/http: init's header, the handshake's, the octets
// behind the head.
func TestAcceptH1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan stream.Stream, 1)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			watch := Watch(middleware{w})
			watch.Header().Set("Set-Cookie", "a=b")
			h, err := WebSocket(r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			header := watch.Header().Clone()
			h.Header(header)
			s, err := Accept(watch, r, header)
			if err != nil || !watch.Answered() {
				t.Errorf("%v, answered %v", err, watch.Answered())
				return
			}
			opened <- s
		})
		io.WriteString(c, h1Head+"\r\n")
		s := <-opened
		s.Send([][]byte{[]byte("hello")}, true)
		answer, err := io.ReadAll(c)
		want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
			"Set-Cookie: a=b\r\nUpgrade: websocket\r\n\r\nhello"
		if string(answer) != want || err != nil {
			t.Errorf("answer %q, %v", answer, err)
		}
		s.Reset(stream.Cancel)
	})
}

// TestRefuseH1: a refused handshake leaves the connection for the next request, or closes it when
// its body stands in the way.
func TestRefuseH1(t *testing.T) {
	for _, c := range []struct {
		name, request string
		status        int
		closes        bool
	}{
		{"6455-4.4/version", strings.Replace(h1Head, ": 13", ": 14", 1) + "\r\n", 426, false},
		{"6455-4.2.1/plain", "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 426, false},
		{"9110-7.8/large_body", h1Head + "Content-Length: 65537\r\n\r\n" + strings.Repeat("b", 65537), 400, true},
		{"9110-7.8/chunked", h1Head + "Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n", 400, true},
		{"9110-7.8/expect", h1Head + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde", 400, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if _, err := WebSocket(r, nil); err != nil {
						Refuse(w, err)
					} else if _, err := Accept(w, r, nil); err != nil {
						Refuse(w, err)
					} else {
						t.Error("accepted")
					}
				})
				in := bufio.NewReader(conn)
				for range 2 {
					io.WriteString(conn, c.request)
					res, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					io.Copy(io.Discard, res.Body)
					if res.StatusCode != c.status || res.Close != c.closes {
						t.Errorf("%s, Connection %q", res.Status, res.Header["Connection"])
					}
					if c.closes {
						if b, err := in.ReadByte(); err == nil {
							t.Errorf("the connection goes on with %q", b)
						}
						return
					}
				}
			})
		})
	}
}
