package peers

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ordinaryMux is what an ordinary program serves: pages, files, uploads, streams, and what goes
// wrong.
func ordinaryMux(s *site) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(pattern(n))
	})
	mux.HandleFunc("/declared", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("n"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(pattern(n))
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%s of %d said %d, sum %x, %s, trailers %s", r.Method, n, r.ContentLength, sum.Sum(nil)[:4], fault(err), fields(r.Trailer))
	})
	mux.HandleFunc("/saw", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s host %t, length %d, %q %s, form %v, %s", r.Method, r.RequestURI, r.Proto, r.Host == s.addr, r.ContentLength, b, fault(err), r.Form, fields(r.Header))
	})
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseMultipartForm(1 << 20)
		fmt.Fprintf(w, "%v %s", r.Form, fault(err))
		if f, h, err := r.FormFile("file"); err == nil {
			b, err := io.ReadAll(f)
			fmt.Fprintf(w, ", %s of %d %s", h.Filename, len(b), fault(err))
		}
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { // each piece as it comes
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Trailer", "X-Sum")
		http.NewResponseController(w).Flush()
		buf := make([]byte, 64<<10)
		total := 0
		for {
			n, err := r.Body.Read(buf)
			total += n
			w.Write(buf[:n])
			http.NewResponseController(w).Flush()
			if err != nil {
				w.Header().Set("X-Sum", fmt.Sprintf("%d %s %s", total, fault(err), fields(r.Trailer)))
				return
			}
		}
	})
	content := pattern(100_000)
	mux.HandleFunc("/content", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "content.bin", time.Unix(1_700_000_000, 0), bytes.NewReader(content))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		http.Redirect(w, r, r.FormValue("to"), code)
	})
	mux.HandleFunc("/status", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		w.Header().Set("X-Code", strconv.Itoa(code))
		w.WriteHeader(code)
		if code >= 200 && code != 204 && code != 304 {
			io.WriteString(w, "status")
		}
	})
	mux.HandleFunc("/gzip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			io.WriteString(w, "not compressed")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.WriteString(z, strings.Repeat("compressed ", 10000))
		z.Close()
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) { // answers before the body has come
		code, _ := strconv.Atoi(r.FormValue("code"))
		w.WriteHeader(code)
		io.WriteString(w, "early")
	})
	mux.HandleFunc("/limit", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<20))
		if _, over := errors.AsType[*http.MaxBytesError](err); over {
			http.Error(w, "over the limit", http.StatusRequestEntityTooLarge)
			return
		}
		fmt.Fprintf(w, "%d %s", n, fault(err))
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Link", "</script.js>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "hinted")
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		io.WriteString(w, "body")
		w.Header().Set("X-Announced", "yes")
		w.Header().Set(http.TrailerPrefix+"X-Late", "too")
	})
	mux.HandleFunc("/trailers/only", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Announced")
		w.WriteHeader(http.StatusOK)
		w.Header().Set("X-Announced", "yes")
	})
	mux.HandleFunc("/abort", func(w http.ResponseWriter, r *http.Request) { // in the midst of the answer
		io.WriteString(w, "part")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/abort/first", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "short")
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "longer")
		s.note("write %s", fault(err))
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) { // one for each step of the client
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			s.turned(r.Context())
		}
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) { // until the client has gone
		io.WriteString(w, "waiting")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		_, err := r.Body.Read(make([]byte, 1))
		s.note("the client has gone: %v, read %s", r.Context().Err(), bad(err))
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) { // until the client has gone
		for p := make([]byte, 16<<10); ; {
			if _, err := w.Write(p); err != nil {
				s.note("write failed: %v", r.Context().Err())
				return
			}
		}
	})
	mux.HandleFunc("/swallow", func(w http.ResponseWriter, r *http.Request) { // says how the body ended
		_, err := io.Copy(io.Discard, r.Body)
		s.note("body ended: %s", bad(err))
	})
	mux.HandleFunc("/swallow/told", func(w http.ResponseWriter, r *http.Request) { // says that it has begun, too
		s.note("in")
		_, err := io.Copy(io.Discard, r.Body)
		s.note("body ended: %s", bad(err))
	})
	mux.HandleFunc("/fields", func(w http.ResponseWriter, r *http.Request) { // many of them
		n, _ := strconv.Atoi(r.FormValue("n"))
		for i := range n {
			w.Header().Add("X-Many", fmt.Sprintf("%04d-%s", i, strings.Repeat("v", 90)))
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1", HttpOnly: true})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, r.RemoteAddr)
	})
	mux.HandleFunc("/address", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	mux.HandleFunc("/step", func(w http.ResponseWriter, r *http.Request) { // answers once it is told to
		s.note("in")
		s.turned(r.Context())
		io.WriteString(w, "done")
	})
	return mux
}

// fault is an error without what differs from run to run.
func fault(err error) string {
	switch {
	case err == nil:
		return "whole"
	case errors.Is(err, io.EOF):
		return "EOF"
	}
	return streamID.ReplaceAllString(err.Error(), "stream ID _")
}

// bad says only that there is an error: its text is the server's own.
func bad(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return fault(err)
	}
	return "failed"
}

// fields are those of h, sorted; what is different each time is only named.
func fields(h http.Header) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, name := range slices.Sorted(maps.Keys(h)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		if b.WriteString(name); name != "Date" {
			fmt.Fprintf(&b, "=%q", h[name])
		}
	}
	return b.String() + "]"
}

// summary is a body: the text, or how long it is and whether it is the pattern.
func summary(b []byte) string {
	switch {
	case len(b) <= 300:
		return strconv.Quote(string(b))
	case bytes.Equal(b, pattern(len(b))):
		return fmt.Sprintf("%d octets as sent", len(b))
	}
	return fmt.Sprintf("%d octets, sum %x", len(b), sha256.Sum256(b))
}
