package h3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"weir/internal/asupgrade"
	"weir/stream"

	"golang.org/x/net/http/httpguts"
)

// protoH3 is http.Request.Proto. http3 has the token of an extended CONNECT there.
const protoH3 = "HTTP/3.0"

// handle serves one request. It is called on the request's goroutine, and the handler gets one of
// its own: what calls runtime.Goexit would take that of http3 with it, and the stream would be open
// for ever.
func (c *conn) handle(inner http.ResponseWriter, r *http.Request) {
	c.begins(r)
	w := &writer{inner: inner, c: c, r: r, declared: -1}
	defer w.ends()
	unwatch := func() bool { return false }
	if r.Method != http.MethodConnect { // it would cost every WebSocket what a context keeps of it
		unwatch = context.AfterFunc(r.Context(), w.requestReset)
	}
	defer func() { unwatch() }()
	if !c.slot(r) {
		panic(http.ErrAbortHandler) // the stream is reset
	}
	w.prepare()
	done := make(chan bool, 1)
	go func() { // ends when the handler has returned
		normal := false
		defer func() {
			if !normal {
				if v := recover(); v != nil && v != http.ErrAbortHandler {
					c.logf("h3: panic serving %v: %v\n%s", c.remote, v, debug.Stack())
				}
			}
			<-c.slots
			done <- normal
		}()
		w.serve()
		normal = true
	}()
	normal := <-done
	stopped := unwatch()                                    // what ends the stream from now on is ours
	if (w.connect || stopped) && r.Context().Err() != nil { // the handler was faster than the watch
		w.requestReset()
	}
	if !w.finish(normal) {
		panic(http.ErrAbortHandler)
	}
}

// slot waits for a place among the handlers that run. False: the request has gone meanwhile.
func (c *conn) slot(r *http.Request) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	default:
	}
	c.mu.Lock()
	c.queued++
	over := c.queued > c.srv.cfg.MaxQueued
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.queued--
		c.mu.Unlock()
	}()
	if over {
		c.exceed(LimitQueued)
		return false
	}
	select {
	case c.slots <- struct{}{}:
		return true
	case <-r.Context().Done():
		return false
	}
}

// prepare makes of http3's request the one that net/http would give.
func (w *writer) prepare() {
	r, s := w.r, w.c.srv
	w.connect = r.Method == http.MethodConnect
	if w.connect && r.Proto != protoH3 {
		w.protocol = r.Proto
	}
	r.Proto = protoH3
	delete(r.Header, "Host")
	w.malformed = !validPath(r.RequestURI) || !validAuthority(r.Host)
	for _, vv := range r.Header { // white space around a value is none of it (RFC 9110, 5.5)
		for i, v := range vv {
			vv[i] = asupgrade.TrimValue(v)
		}
	}
	switch {
	case w.connect:
		r.Body, r.ContentLength = http.NoBody, 0
		if w.protocol != "" {
			w.r = r.WithContext(stream.WithToken(r.Context(), w.protocol))
			w.upgrade = asupgrade.Request(w.r, w.protocol, s.cfg.UpgradeTokens)
		}
	default:
		w.body()
		if d := s.hs.ReadTimeout; d > 0 {
			_ = w.SetReadDeadline(time.Now().Add(d))
		}
	}
	if d := s.hs.WriteTimeout; d > 0 {
		_ = w.SetWriteDeadline(time.Now().Add(d))
	}
}

// serve calls the handler.
func (w *writer) serve() {
	s := w.c.srv
	h := s.hs.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	switch {
	case w.malformed:
		http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
	case w.connect && w.protocol == "" && !s.cfg.PlainConnect,
		w.protocol != "" && s.cfg.NoExtendedConnect:
		http.Error(w, http.StatusText(http.StatusNotImplemented), http.StatusNotImplemented)
	case w.r.Method == http.MethodOptions && w.r.RequestURI == "*" &&
		!s.hs.DisableGeneralOptionsHandler:
		w.Header().Set("Content-Length", "0")
	case w.upgrade:
		h.ServeHTTP(upgradeWriter{w}, w.r)
	default:
		h.ServeHTTP(w, w.r)
	}
}

// body sees to what a handler expects of a request's body: none where none was sent, and a 100 for
// who waits for it (RFC 9110, 10.1.1).
func (w *writer) body() {
	r := w.r
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	if _, ok := r.Header["Content-Length"]; !ok && get {
		w.lookForBody()
	} else if r.ContentLength == 0 {
		r.Body = http.NoBody
	}
	if httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue") {
		delete(r.Header, "Expect")
		if r.Body != http.NoBody {
			r.Body = &waited{ReadCloser: r.Body, w: w}
		}
	}
}

// soonTime is how long the end of a request is waited for that mostly has no body. It comes in the
// packet of its fields.
const soonTime = time.Millisecond

// lookForBody finds out whether a request without Content-Length has a body.
func (w *writer) lookForBody() {
	var one [1]byte
	d, ok := w.inner.(interface{ SetReadDeadline(time.Time) error })
	if !ok || d.SetReadDeadline(time.Now().Add(soonTime)) != nil {
		return
	}
	n, err := w.r.Body.Read(one[:])
	_ = d.SetReadDeadline(time.Time{})
	switch {
	case n == 0 && err == io.EOF:
		w.r.Body, w.r.ContentLength = http.NoBody, 0
	case n > 0 || err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		w.r.Body = &begun{ReadCloser: w.r.Body, first: one[:n], err: err}
	}
}

// begun is a body whose beginning has been read.
type begun struct {
	io.ReadCloser
	first []byte
	err   error
}

func (b *begun) Read(p []byte) (n int, err error) {
	if len(b.first) > 0 {
		n = copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// waited is a body whose client waits for 100 before it sends it.
type waited struct {
	io.ReadCloser
	w    *writer
	said bool
}

func (b *waited) Read(p []byte) (int, error) {
	if !b.said {
		b.said = true
		b.w.continues()
	}
	return b.ReadCloser.Read(p)
}
