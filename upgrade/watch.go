package upgrade

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// Watcher is the w an application's init gets: it notes whether init answered the request by
// itself.
type Watcher struct {
	w        http.ResponseWriter
	answered atomic.Bool
	hijacked atomic.Bool
	written  atomic.Bool // something of it, since the last Flush
	lost     atomic.Bool // its goroutine ends, see lostRequest
}

// Watch puts a Watcher before w.
func Watch(w http.ResponseWriter) *Watcher { return &Watcher{w: w} }

// Answered says whether an answer was begun, or the connection taken over. Informational answers do
// not count (RFC 9110, 15.2).
func (w *Watcher) Answered() bool { return w.answered.Load() }

func (w *Watcher) note() {
	w.answered.Store(true)
	w.written.Store(true)
}

// watch is the Watcher that w is, or one put before it.
func watch(w http.ResponseWriter) *Watcher {
	if watched, ok := w.(*Watcher); ok {
		return watched
	}
	return Watch(w)
}

// flush sends what was written since the last time. A flush of nothing would be an answer of 200.
// That a writer cannot flush is no error: it sends when it is full, or at the end.
func (w *Watcher) flush() {
	if w.written.Load() {
		_ = w.FlushError() // a client that has gone ends the context
		w.written.Store(false)
	}
}

// Unwrap gives the writer behind, for http.ResponseController and Accept.
func (w *Watcher) Unwrap() http.ResponseWriter { return w.w }

// Header is the header of the writer behind.
func (w *Watcher) Header() http.Header { return w.w.Header() }

// WriteHeader notes any status but an informational one; 101 is the answer.
func (w *Watcher) WriteHeader(status int) {
	if status < 100 || status >= 200 || status == http.StatusSwitchingProtocols {
		w.note()
	}
	w.w.WriteHeader(status)
}

func (w *Watcher) Write(b []byte) (int, error) {
	w.note()
	return w.w.Write(b)
}

// WriteString implements io.StringWriter.
func (w *Watcher) WriteString(s string) (int, error) {
	w.note()
	return io.WriteString(w.w, s)
}

// ReadFrom implements io.ReaderFrom, so that sendfile still works behind a Watcher.
func (w *Watcher) ReadFrom(r io.Reader) (int64, error) {
	w.note()
	return io.Copy(w.w, r)
}

// Flush implements http.Flusher.
func (w *Watcher) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for first.
func (w *Watcher) FlushError() error {
	err := http.NewResponseController(w.w).Flush()
	if err == nil {
		w.note()
		w.written.Store(false)
	}
	return err
}

// Hijack implements http.Hijacker; a writer behind that cannot gives http.ErrNotSupported.
func (w *Watcher) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.w).Hijack()
	if err == nil {
		w.note()
		w.hijacked.Store(true)
	}
	return c, rw, err
}
