package h3

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

const head101 = "HTTP/1.1 101 Switching Protocols\r\n" +
	"Upgrade: websocket\r\nConnection: Upgrade, X-Mine\r\nX-Mine: 1\r\n" +
	"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n"

// hijack hijacks, as a handler for HTTP/1.1 does.
func hijack(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return c, rw
}

// TestHijack101 (RFC 9220, 3): a 101 that a handler writes opens the tunnel, cut anywhere, or said
// by WriteHeader; what HTTP/1.1 says in it alone does not leave.
func TestHijack101(t *testing.T) {
	cut := 0
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.Header.Get("Upgrade") != "websocket" || len(r.Header.Get("Sec-Websocket-Key")) != 24 {
			t.Errorf("the handler sees %s, %v", r.Method, r.Header)
		}
		if r.URL.Path == "/said" {
			w.Header().Set("Sec-Websocket-Protocol", "chat")
			w.WriteHeader(101)
		}
		c, _ := hijack(w)
		if r.URL.Path != "/said" {
			io.WriteString(c, head101[:cut])
			io.WriteString(c, head101[cut:])
		}
		io.Copy(c, c)
		c.Close()
	}, func(s *site) {
		p := s.dial()
		paths := []string{"/said"}
		for range 20 {
			paths = append(paths, "/")
		}
		for i, path := range paths {
			cut = min(i*len(head101)/15, len(head101))
			c := p.open(connect(path))
			fs, err := c.answer()
			if err != nil || fs[":status"] != "200" || fs["sec-websocket-protocol"] != "chat" || fs["date"] == "" || len(fs) != 3 {
				t.Fatalf("cut at %d: %v, %v", cut, fs, err)
			}
			c.Write(data("and back"))
			if got := readN(t, c, 8); got != "and back" {
				t.Fatalf("cut at %d: %q", cut, got)
			}
			c.Close()
			if b, err := c.body(); b != "" || err != nil {
				t.Fatalf("cut at %d: %q, %v", cut, b, err)
			}
		}
	})
}

// TestHijackAnswers: any other head answers the request, with what follows as its content.
func TestHijackAnswers(t *testing.T) {
	written := ""
	bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		c, _ := hijack(w)
		io.WriteString(c, written)
		c.Close()
	}, func(s *site) {
		p := s.dial()
		for _, r := range []struct{ written, status, body string }{
			{"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", "403", "no"},
			{"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "403", "no"},
			{"HTTP/1.1 404 Not Found\r\n\r\nto the end", "404", "to the end"},
			{"HTTP/1.1 200 OK\r\n\r\nno tunnel", "501", ""},
		} {
			written = r.written
			c := p.open(connect("/"))
			fs, err := c.answer()
			if err != nil || fs[":status"] != r.status || fs["connection"] != "" {
				t.Fatalf("%q: %v, %v", written, fs, err)
			}
			if b, err := c.body(); b != r.body || err != nil {
				t.Errorf("%q: %q, %v", written, b, err)
			}
		}
		for _, broken := range []string{"nonsense\r\n\r\n", "HTTP/1.1 101 x", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n"} {
			written = broken
			if fs, err := p.open(connect("/")).answer(); resetWith(err) != InternalError {
				t.Errorf("%q: %v, %v", broken, fs, err)
			}
		}
		settle()
		if log := s.log.String(); strings.Count(log, "h3: what was written to a hijacked stream is no head") != 3 {
			t.Errorf("log: %s", log)
		}
	})
}

// resetWith is the code of a RESET_STREAM in err, 0 if there is none.
func resetWith(err error) Code {
	if se, ok := errors.AsType[*quic.StreamError](err); ok && se.Remote {
		return Code(se.ErrorCode)
	}
	return 0
}

// TestHijackPanics: a handler that hijacks and panics leaves nobody behind who would end the
// stream.
func TestHijackPanics(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		c, _ := hijack(w)
		io.WriteString(c, head101)
		panic("ouch")
	}, func(s *site) {
		c := s.dial().open(connect("/"))
		_, err := c.answer()
		if err == nil {
			_, err = c.body()
		}
		if resetWith(err) != InternalError {
			t.Errorf("%v", err)
		}
		settle()
		if !strings.Contains(s.log.String(), "panic serving") {
			t.Errorf("log: %s", s.log)
		}
	})
}

// TestReverseProxy: httputil.ReverseProxy passes a WebSocket on to a server of HTTP/1.1.
func TestReverseProxy(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw := hijack(w)
		defer c.Close()
		io.WriteString(c, head101)
		io.Copy(c, rw)
	}))
	defer back.Close()
	to, _ := url.Parse(back.URL)
	loopback(t, nil, httputil.NewSingleHostReverseProxy(to).ServeHTTP, func(s *site) {
		c := s.dial().open(connect("/"))
		fs, err := c.answer()
		if err != nil || fs[":status"] != "200" || fs["sec-websocket-protocol"] != "chat" {
			t.Fatal(fs, err)
		}
		c.Write(data("through"))
		if got := readN(t, c, 7); got != "through" {
			t.Error(got)
		}
		c.Close()
		if b, err := c.body(); b != "" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

// TestHijackedAsConn: deadlines, and an end that leaves octets unread, which is told to the client
// by STOP_SENDING(H3_NO_ERROR).
func TestHijackedAsConn(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		c, _ := hijack(w)
		io.WriteString(c, head101)
		c.SetReadDeadline(time.Now().Add(time.Second))
		var e net.Error
		if _, err := c.Read(make([]byte, 1)); !errors.As(err, &e) || !e.Timeout() {
			t.Errorf("Read: %v", err)
		}
		c.SetReadDeadline(time.Time{})
		c.Read(make([]byte, 1))
		c.Close()
	}, func(s *site) {
		c := s.dial().open(connect("/"))
		if _, err := c.answer(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		c.Write(data("more than is read"))
		if b, err := c.body(); b != "" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		<-c.Context().Done()
		if _, err := c.Write(data("x")); resetWith(err) != NoError {
			t.Errorf("Write: %v", err)
		}
	})
}
