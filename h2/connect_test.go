package h2_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// TestConnect is BEHAVIOUR.md, 1: what an extended CONNECT may meet.
func TestConnect(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/200":
			w.Header().Set("X", "y")
			io.WriteString(w, "no tunnel")
		case "/silent":
		case "/flush":
			w.WriteHeader(204)
			w.(http.Flusher).Flush()
		case "/403":
			http.Error(w, "no", http.StatusForbidden)
		case "/open":
			if _, err := w.(stream.Opener).OpenStream(nil); err != nil {
				status := 500
				if errors.Is(err, stream.ErrHalfClosed) {
					status = 400
				}
				http.Error(w, err.Error(), status)
			}
		case "/bad":
			if _, err := w.(stream.Opener).OpenStream(http.Header{"X": {"a\r\nb: c"}}); err != nil {
				http.Error(w, "bad value", 500)
			}
		case "/request":
			ok := r.Method == "CONNECT" && r.Proto == "HTTP/2.0" && r.ProtoMajor == 2 && r.Header[":protocol"][0] == "connect-udp" &&
				r.URL.RawQuery == "a=b" && r.Host == "example.test" && r.Body == http.NoBody && r.ContentLength == 0 && r.TLS == nil
			if ok {
				w.WriteHeader(418)
			}
		}
	}
	bubble(t, nil, h, func(s *site) {
		p := s.dial()
		for path, want := range map[string]int{"/200": 501, "/silent": 501, "/flush": 501, "/403": 403, "/bad": 500} {
			tn, err := p.Connect(path)
			if err != nil || tn.Status != want {
				t.Errorf("%s: %d, %v, want %d", path, tn.Status, err, want)
				continue
			}
			if res, _ := tn.Response(time.Second); res == nil || want == 501 && len(res.Body) > 0 {
				t.Errorf("%s: the answer is %+v", path, res)
			}
		}
		if tn, err := p.Connect("/open", "END_STREAM", ""); err != nil || tn.Status != 400 {
			t.Errorf("END_STREAM on the CONNECT: %d, %v", tn.Status, err)
		}
		if tn, err := p.Connect("/request?a=b", ":protocol", "connect-udp", "content-length", "0"); err != nil || tn.Status != 418 {
			t.Errorf("the request as the handler sees it: %d, %v", tn.Status, err)
		}
		if tn, err := p.Connect("/403", ":protocol", "-", ":scheme", "-", ":path", "-"); err != nil || tn.Status != 501 {
			t.Errorf("plain CONNECT: %d, %v", tn.Status, err)
		}
		if _, err := p.Connect("/", ":path", "-"); err == nil {
			t.Error("no :path, and no error")
		}
		if res, err := p.Get("/open"); err != nil || res.Status != 500 {
			t.Errorf("OpenStream of a GET: %+v, %v", res, err)
		}
	})
	bubble(t, &h2.Config{NoExtendedConnect: true, PlainConnect: true}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "CONNECT" && r.Host == "example.test" && r.RequestURI == "example.test" {
			w.WriteHeader(418)
		}
	}, func(s *site) {
		p := s.dial()
		if ss, _ := p.Settings(); ss[http2.SettingEnableConnectProtocol] != 0 || len(ss) != 5 {
			t.Errorf("off, and in the settings: %v", ss)
		}
		var re *h2test.ResetError
		if _, err := p.Connect("/"); !errors.As(err, &re) || re.Code != http2.ErrCodeProtocol {
			t.Errorf("extended CONNECT that is off: %v", err)
		}
		if tn, err := p.Connect("/", ":protocol", "-", ":scheme", "-", ":path", "-"); err != nil || tn.Status != 418 {
			t.Errorf("PlainConnect: %d, %v", tn.Status, err)
		}
	})
}

// TestTunnelFields: fields of HTTP/1.1's handshake never leave on HTTP/2 (RFC 8441, 5).
func TestTunnelFields(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(http.Header{"Sec-Websocket-Accept": {"x"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Keep-Alive": {"1"}, "Proxy-Connection": {"x"}, "Transfer-Encoding": {"chunked"}, "Sec-Websocket-Protocol": {"chat"}, "Set-Cookie": {"a=1", "b=2"}})
		if err != nil {
			panic(err)
		}
		st.Send(nil, false)
	}, func(s *site) {
		tn := s.connect(s.dial(), "/")
		var names []string
		for _, f := range tn.Header[0].Fields {
			names = append(names, f.Name)
		}
		if got := strings.Join(names, " "); got != ":status date sec-websocket-protocol set-cookie set-cookie" {
			t.Errorf("fields: %s", got)
		}
	})
}

// TestCrashes: a panic in a handler or in a sink costs its stream, nothing else.
func TestCrashes(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("handler broke")
		case "/abort":
			io.WriteString(w, "partial")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/sink":
			st, _ := w.(stream.Opener).OpenStream(nil)
			st.Attach(panicSink{}, stream.Limits{})
			st.Send(nil, false)
		default:
			ts.ServeHTTP(w, r)
		}
	}, func(s *site) {
		ts.open()
		p := s.dial()
		live := s.connect(p, "/echo")
		for _, path := range []string{"/panic", "/abort"} {
			var re *h2test.ResetError
			if _, err := p.Get(path); !errors.As(err, &re) || re.Code != http2.ErrCodeInternal {
				t.Errorf("%s: %v", path, err)
			}
		}
		tn := s.connect(p, "/sink")
		tn.Write([]byte("x"))
		var re *h2test.ResetError
		if _, err := tn.Read(make([]byte, 1)); !errors.As(err, &re) || re.Code != http2.ErrCodeInternal {
			t.Errorf("sink: %v", err)
		}
		live.Write([]byte("alive"))
		readN(t, live, 5)
		synctest.Wait() // nobody waits for a log
		if l := s.logged.String(); !strings.Contains(l, "handler broke") || !strings.Contains(l, "sink broke") || strings.Contains(l, "abort") {
			t.Errorf("log: %s", l)
		}
	})
}

type panicSink struct{}

func (panicSink) Data([]byte, bool) { panic("sink broke") }
func (panicSink) Drained()          {}
func (panicSink) Closed(error)      {}

// TestOpenBesideReturn: of a handler's return and an Accept on another goroutine that it did not
// wait for, one is too late. The stream has one answer, and no HEADERS on a tunnel (RFC 9113, 8.5).
func TestOpenBesideReturn(t *testing.T) {
	var opened chan stream.Stream
	var late chan error
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/before" {
			st, err := h2.OpenBeside(w)
			if err != nil {
				panic(err)
			}
			opened <- st
			return
		}
		time.AfterFunc(time.Second, func() { // fake: the handler has returned
			_, err := h2.OpenBeside(w)
			late <- err
			_, err = w.(stream.Opener).OpenStream(nil)
			late <- err
		})
		if r.URL.Path == "/answered" {
			w.WriteHeader(http.StatusForbidden)
			w.(http.Flusher).Flush()
			_, err := h2.OpenBeside(w)
			late <- err
		}
	}, func(s *site) {
		opened, late = make(chan stream.Stream, 1), make(chan error, 3)
		p := s.dial()
		time.AfterFunc(time.Second, func() { (<-opened).Send([][]byte{[]byte("x")}, true) })
		tn := s.connect(p, "/before")
		if got, err := io.ReadAll(tn); string(got) != "x" || err != nil {
			t.Errorf("opened before the return: %q, %v", got, err)
		}
		if tn, err := p.Connect("/answered"); err != nil || tn.Status != http.StatusForbidden {
			t.Errorf("answered before Accept: %d, %v", tn.Status, err)
		}
		if err := <-late; !errors.Is(err, stream.ErrAnswered) {
			t.Errorf("opened behind an answer: %v", err)
		}
		if tn, err := p.Connect("/returned"); err != nil || tn.Status != http.StatusNotImplemented {
			t.Errorf("returned before Accept: %d, %v", tn.Status, err)
		}
		for range 4 {
			if err := <-late; err == nil {
				t.Error("opened behind the return")
			}
		}
	})
}
