package h2_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"weir/h2"
)

// TestRequests is the contract of http.ResponseWriter and http.Request, seen by Go's client.
func TestRequests(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	mux := http.NewServeMux()
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>short") })
	mux.HandleFunc("/none", func(w http.ResponseWriter, r *http.Request) {})
	mux.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/x")
		io.WriteString(w, big)
	})
	mux.HandleFunc("/declared", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, err := w.Write([]byte("four"))
		_, err2 := w.Write([]byte("abc"))
		if err != http.ErrContentLength || err2 != nil {
			panic(fmt.Sprint(err, err2))
		}
	})
	mux.HandleFunc("/under", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "30")
		w.Write([]byte("abc"))
	})
	mux.HandleFunc("/status/{n}", func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscan(r.PathValue("n"), &n)
		w.WriteHeader(n)
		if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
			panic(err)
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		if _, promised := r.Trailer["X-Req"]; !promised || r.Header.Get("Trailer") != "" {
			panic("the trailer was not promised")
		}
		w.Header().Set("Trailer", "X-Sum, X-Unset")
		io.Copy(w, r.Body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-Req"))
		w.Header().Set(http.TrailerPrefix+"X-Late", "2")
		w.Header().Set("X-Not", "sent")
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.Header().Set("Link", "</b>")
		w.WriteHeader(102)
		io.WriteString(w, "final")
	})
	mux.HandleFunc("/request", func(w http.ResponseWriter, r *http.Request) {
		srv, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if srv == nil || addr == nil {
			panic("context values are missing")
		}
		fmt.Fprintf(w, "%s|%s|%s|%v|%s|%v", r.Proto, r.Host, r.RequestURI, r.TLS != nil, r.Header.Get("Cookie"), r.RemoteAddr != "")
	})
	mux.HandleFunc("/hop", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Transfer-Encoding", "chunked")
		h.Set("Keep-Alive", "x")
		h.Set("Bad Name", "x")
		h.Set("X-Bad", "a\r\nb: c")
		h["x-lower"] = []string{"kept"}
	})
	mux.HandleFunc("/unread", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	overLoopback(t, nil, mux.ServeHTTP, func(t *testing.T, w *world) {
		res, body := w.do(t, "GET", "/short", nil)
		if res.ProtoMajor != 2 || body != "<html>short" || res.ContentLength != 11 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || res.Header.Get("Date") == "" {
			t.Errorf("short: %+v %q", res, body)
		}
		if res, body := w.do(t, "GET", "/none", nil); body != "" || res.ContentLength != 0 || res.Header.Get("Content-Type") != "" {
			t.Errorf("none: %+v %q", res, body)
		}
		if res, body := w.do(t, "HEAD", "/short", nil); body != "" || res.ContentLength != 11 || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("HEAD short: %+v %q", res, body)
		}
		if res, body := w.do(t, "HEAD", "/big", nil); body != "" || res.Header.Get("Content-Type") != "text/x" {
			t.Errorf("HEAD big: %+v", res)
		}
		if res, body := w.do(t, "GET", "/big", nil); body != big || res.ContentLength != -1 {
			t.Errorf("big: %d octets, %+v", len(body), res)
		}
		if res, body := w.do(t, "GET", "/declared", nil); body != "abc" || res.ContentLength != 3 {
			t.Errorf("declared: %+v %q", res, body)
		}
		if res, err := w.client.Get(w.url + "/under"); err == nil {
			if _, err = io.ReadAll(res.Body); err == nil {
				t.Error("an answer shorter than its Content-Length, and no error")
			}
		}
		for _, n := range []int{204, 304} {
			if res, body := w.do(t, "GET", fmt.Sprint("/status/", n), nil); res.StatusCode != n || body != "" {
				t.Errorf("%d: %+v", n, res)
			}
		}
		if res, body := w.do(t, "POST", "/echo", strings.NewReader(big)); body != big || res.Header.Get("X-Length") != fmt.Sprint(len(big)) {
			t.Errorf("echo: %d octets, %+v", len(body), res)
		}
		if res, body := w.do(t, "POST", "/echo", io.MultiReader(strings.NewReader(big))); body != big || res.Header.Get("X-Length") != "-1" {
			t.Errorf("echo without length: %d octets, %+v", len(body), res)
		}
		if res, body := w.do(t, "GET", "/hop", nil); len(res.TransferEncoding) > 0 || res.Header.Get("Keep-Alive")+res.Header.Get("X-Bad")+body != "" || res.Header.Get("X-Lower") != "kept" {
			t.Errorf("hop: %+v", res)
		}
		if res, _ := w.do(t, "POST", "/unread", strings.NewReader(big)); res.StatusCode != 413 {
			t.Errorf("unread: %+v", res)
		}

		r, _ := http.NewRequest("POST", w.url+"/trailers", io.MultiReader(strings.NewReader("body")))
		r.Trailer = http.Header{"X-Req": {"42"}}
		res, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		if string(b) != "body" || res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-Late") != "2" || len(res.Trailer["X-Not"])+len(res.Trailer["X-Unset"]) > 0 {
			t.Errorf("trailers: %q %v", b, res.Trailer)
		}

		var informed []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			informed = append(informed, fmt.Sprint(code, h.Get("Link")))
			return nil
		}}
		r, _ = http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), "GET", w.url+"/hints", nil)
		if res, err = w.client.Do(r); err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); strings.Join(informed, " ") != "103</a> 102</b>" || res.StatusCode != 200 || res.Header.Get("Link") != "</b>" {
			t.Errorf("hints: %v, %+v", informed, res)
		}

		r, _ = http.NewRequest("GET", w.url+"/request?x=1", nil)
		r.Header["Cookie"] = []string{"a=1; b=2"} // Go's client sends each crumb by itself
		if res, err = w.client.Do(r); err != nil {
			t.Fatal(err)
		}
		b, _ = io.ReadAll(res.Body)
		if want := fmt.Sprintf("HTTP/2.0|%s|/request?x=1|%v|a=1; b=2|true", w.addr, strings.HasPrefix(w.url, "https")); string(b) != want {
			t.Errorf("request: %s, want %s", b, want)
		}
	})
}

// TestUnusualRequests: what Go's client does not send.
func TestUnusualRequests(t *testing.T) {
	bubble(t, &h2.Config{MaxHeaderFields: 50}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s|%q|%s", r.Method, r.RequestURI, r.Host, r.Header["Cookie"], r.Header.Get("Host"))
	}, func(s *site) {
		p := s.dial()
		if res, err := p.Get("*", ":method", "OPTIONS"); err != nil || res.Status != 200 { // http.Server answers it
			t.Errorf("OPTIONS *: %+v, %v", res, err)
		}
		res, err := p.Get("/", "cookie", "a=1", "cookie", "b=2", "cookie", "c")
		if err != nil || string(res.Body) != `GET|/|example.test|["a=1; b=2; c"]|` {
			t.Errorf("%s, %v", res.Body, err)
		}
		if res, err := p.Get("/", ":authority", "-", "host", "other"); err != nil || !strings.HasPrefix(string(res.Body), "GET|/|other") {
			t.Errorf("%+v, %v", res, err)
		}
		if res, err := p.Get("/%zz"); err != nil || res.Status != 400 {
			t.Errorf("bad path: %+v, %v", res, err)
		}
		var many []string
		for i := range 60 {
			many = append(many, fmt.Sprint("x-", i), "y")
		}
		if res, err := p.Get("/", many...); err != nil || res.Status != 431 {
			t.Errorf("too many fields: %+v, %v", res, err)
		}
		if res, err := p.Get("/", "x-59", "y"); err != nil || res.Status != 200 {
			t.Errorf("HPACK after it: %+v, %v", res, err)
		}
	})
}

// TestFullDuplex: an answer that goes on while the request does.
func TestFullDuplex(t *testing.T) {
	overLoopback(t, nil, func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		w.(http.Flusher).Flush()
		for {
			n, err := r.Body.Read(b)
			w.Write(bytes.ToUpper(b[:n]))
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	}, func(t *testing.T, w *world) {
		pr, pw := io.Pipe()
		r, _ := http.NewRequest("POST", w.url, pr)
		res, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"one", "two"} {
			go pw.Write([]byte(word)) // ends when it is read
			if got := readN(t, res.Body, len(word)); got != strings.ToUpper(word) {
				t.Errorf("got %q", got)
			}
		}
		pw.Close()
		if b, err := io.ReadAll(res.Body); len(b) > 0 || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		res.Body.Close()
	})
}
