package h2_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// TestExpect: 100 goes out when the handler asks for the body (RFC 9110, 10.1.1).
func TestExpect(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			panic("Expect is the server's")
		}
		if r.URL.Path == "/read" {
			io.Copy(w, r.Body)
		}
	}, func(s *site) {
		p := s.dial()
		fields := []string{":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/read", "expect", "100-continue"}
		tn, _ := p.Open(false, fields...)
		synctest.Wait()
		if tn.Status != 100 {
			t.Fatalf("status %d", tn.Status)
		}
		tn.Write([]byte("body"))
		tn.CloseWrite()
		if res, err := tn.Response(time.Second); err != nil || string(res.Body) != "body" {
			t.Errorf("%+v, %v", res, err)
		}
		fields[7] = "/ignore"
		tn, _ = p.Open(false, fields...)
		if err := tn.Answer(time.Second); err != nil || tn.Status != 200 || len(tn.Header) != 1 {
			t.Errorf("%v %v", tn.Header, err)
		}
	})
}

// TestContext: a request's context ends with a reset, and with the handler.
func TestContext(t *testing.T) {
	var ended chan error
	var kept context.Context
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		kept = r.Context()
		if r.URL.Path == "/wait" {
			_, err := io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			ended <- err
		}
	}, func(s *site) {
		ended = make(chan error, 1)
		p := s.dial()
		tn, _ := p.Open(false, ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/wait")
		synctest.Wait()
		tn.Reset(http2.ErrCodeCancel)
		if re, ok := errors.AsType[*stream.ResetError](<-ended); !ok || !re.Remote {
			t.Error("the body does not tell of the reset")
		}
		if _, err := p.Get("/"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if kept.Err() == nil {
			t.Error("the context outlives the handler")
		}
	})
}

// TestDeadlines: those of http.ResponseController may be set again after they have passed.
func TestDeadlines(t *testing.T) {
	var result chan string
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil {
			panic(err)
		}
		rc.SetReadDeadline(time.Now().Add(time.Second))
		_, err := r.Body.Read(make([]byte, 10))
		rc.SetReadDeadline(time.Time{})
		b := make([]byte, 10)
		n, err2 := r.Body.Read(b)
		result <- fmt.Sprint(errors.Is(err, os.ErrDeadlineExceeded), string(b[:n]), err2)
		rc.SetWriteDeadline(time.Now().Add(time.Second))
		var werr error
		for werr == nil { // nobody opens the window
			_, werr = w.Write(make([]byte, 10_000))
		}
		result <- fmt.Sprint(errors.Is(werr, os.ErrDeadlineExceeded))
	}, func(s *site) {
		result = make(chan string, 2)
		p := h2test.New(s.conn(), h2test.Options{Manual: true})
		p.Send("SETTINGS ACK", "HEADERS 1 :method=POST :scheme=http :authority=a :path=/")
		time.Sleep(5 * time.Second)
		p.Send(`DATA 1 "late"`)
		if got := <-result; got != "truelate<nil>" {
			t.Errorf("read: %s", got)
		}
		if got := <-result; got != "true" {
			t.Errorf("write: %s", got)
		}
		p.Close()
	})
}

// TestServerTimeouts: http.Server's ReadTimeout and WriteTimeout bound ordinary requests.
func TestServerTimeouts(t *testing.T) {
	var result chan error
	synctest.Test(t, func(t *testing.T) {
		result = make(chan error, 1)
		s := &site{t: t, hs: &http.Server{ReadTimeout: time.Second, WriteTimeout: 5 * time.Second}}
		s.start(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				_, err := io.ReadAll(r.Body)
				result <- err
				return
			}
			w.Write(make([]byte, 70_000)) // more than the window; the rest waits when the handler has returned
		})
		p := h2test.New(s.conn(), h2test.Options{Manual: true})
		p.Send("SETTINGS ACK", "HEADERS 1 :method=POST :scheme=http :authority=a :path=/")
		if err := <-result; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("body: %v", err)
		}
		p.Send("HEADERS 3 END_STREAM :method=GET :scheme=http :authority=a :path=/")
		for {
			f, err := p.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Stream == 3 && f.Type == http2.FrameRSTStream {
				break
			}
		}
		p.Close()
		s.hs.Close()
		synctest.Wait()
	})
}

// TestBackpressure: Write waits while the peer takes nothing; what is queued is bounded.
func TestBackpressure(t *testing.T) {
	written := 0
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		for {
			n, err := w.Write(make([]byte, 1000))
			if written += n; err != nil {
				return
			}
		}
	}, func(s *site) {
		p := h2test.New(s.conn(), h2test.Options{Manual: true})
		p.Send("SETTINGS ACK", "HEADERS 1 END_STREAM :method=GET :scheme=http :authority=a :path=/")
		synctest.Wait()
		if written < 65535 || written > 65535+128<<10+5000 {
			t.Errorf("%d octets were taken", written)
		}
		p.Send("RST_STREAM 1 CANCEL")
		synctest.Wait()
		p.Close()
	})
}

// TestBodyCredit: a request body that nobody reads holds one window and no more, and not its siblings.
func TestBodyCredit(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			time.Sleep(time.Hour)
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		}
	}, func(s *site) {
		p := s.dial()
		tn, _ := p.Open(false, ":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/")
		tn.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := tn.Write(make([]byte, 100_000)); n != 65535 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		if _, err := p.Get("/"); err != nil {
			t.Error(err)
		}
		tn.SetReadDeadline(time.Time{})
		tn.Write(make([]byte, 100_000-65535))
		tn.CloseWrite()
		if res, err := tn.Response(2 * time.Hour); err != nil || string(res.Body) != "100000 <nil>" {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// TestLargeHeader: a header block that needs CONTINUATION (RFC 9113, 6.10), in the answer and in trailers.
func TestLargeHeader(t *testing.T) {
	long := strings.Repeat("~", 50_000)
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", long)
		io.WriteString(w, "body")
		w.Header().Set(http.TrailerPrefix+"X-End", long)
	}, func(s *site) {
		p := s.dial()
		res, err := p.Get("/")
		if err != nil || res.Header["x-long"] != long || string(res.Body) != "body" || res.Trailer["x-end"] != long {
			t.Errorf("%d %d %q, %v", len(res.Header["x-long"]), len(res.Trailer["x-end"]), res.Body, err)
		}
		if res, err := p.Get("/"); err != nil || res.Header["x-long"] != long {
			t.Errorf("once more: %v", err)
		}
	})
}
