package main

import (
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

//go:embed index.html
var indexPage []byte

// maxBytes is the longest body that /bytes makes.
const maxBytes = 1 << 40

// serveIndex is the page at /, and the 404 of everything that is nothing else. It takes a request's
// body to its end, so that whoever sends one learns whether it was well formed (RFC 9113, 8.1.1).
func serveIndex(w http.ResponseWriter, r *http.Request) {
	if _, ok := dropBody(w, r); !ok {
		return // the connection or the stream is lost: there is nobody to answer
	}
	if r.URL.Path != "/" {
		http.Error(w, "404 not found; / lists what there is", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(indexPage)))
	w.Write(indexPage) // an error means that the client left
}

// serveHealth is 200 while the server takes new work, 503 once it drains.
func (s *server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok") // an error means that the client left
}

// bytesWrite is how much of a body of /bytes is handed over at once.
const bytesWrite = 32 << 10

// serveBytes sends as many octets as the path asks for. All answers send the same ones.
func (s *server) serveBytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil || n < 0 || n > maxBytes {
		http.Error(w, fmt.Sprintf("/bytes/N: a number from 0 to %d", int64(maxBytes)), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	if r.Method == http.MethodHead {
		return
	}
	for n > 0 {
		k, err := w.Write(s.chunk[:min(n, bytesWrite)])
		if err != nil {
			return // the client left
		}
		n -= int64(k)
	}
}

// serveUpload counts the octets of the body.
func serveUpload(w http.ResponseWriter, r *http.Request) {
	n, ok := dropBody(w, r)
	if !ok {
		return // the client left
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"bytes\":%d}\n", n)
}
