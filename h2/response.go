package h2

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"weir/internal/asupgrade"
	"weir/stream"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// writeBuffer is how many octets of an answer are collected before its header leaves: a shorter
// answer gets its Content-Length, and leaves in one write.
const writeBuffer = 4096

// responseWriter is the http.ResponseWriter of a request, with everything http.ResponseController
// asks for. Of a CONNECT it is a stream.Opener.
type responseWriter struct {
	x        *exchange
	header   http.Header
	status   int         // 0 until WriteHeader
	snap     http.Header // header as it was at WriteHeader
	sent     bool        // the header block has been queued
	buf      []byte      // not yet sent
	written  int64       // octets the handler wrote
	declared int64       // Content-Length the handler declared, -1 if none
	mute     bool        // the header block ends the answer, octets are counted and dropped: HEAD, or an answer in place of the handler's
	options  []string    // what the Connection field lists
	trailers []string    // announced by the Trailer field
	opened   atomic.Bool // the stream is a tunnel; Accept may run beside the handler
	done     atomic.Bool // the handler has returned
	err      error
}

var (
	_ http.Flusher  = (*responseWriter)(nil)
	_ stream.Opener = (*responseWriter)(nil)
)

// Header is the header that WriteHeader sends, and later the trailers.
func (w *responseWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// Answered says that the final answer was begun, or cannot be any more.
func (w *responseWriter) Answered() bool { return w.status != 0 || w.opened.Load() || w.done.Load() }

// OpenStream answers a CONNECT with 200 and header and turns it into a stream. The 200 leaves with
// the first Send.
func (w *responseWriter) OpenStream(header http.Header) (stream.Stream, error) {
	switch {
	case w.opened.Load() || w.done.Load():
		return nil, http.ErrHijacked
	case !w.x.connect:
		return nil, errNotTunnel
	case w.status != 0:
		return nil, stream.ErrAnswered
	}
	t, err := w.x.c.openTunnel(w.x, header)
	if err != nil {
		return nil, err
	}
	w.opened.Store(true)
	return t, nil
}

// StreamInfo says what OpenStream's stream would run on.
func (w *responseWriter) StreamInfo() stream.Info { return w.x.c.info(w.x.s) }

// WriteHeader sends an informational answer at once, and begins the final one.
func (w *responseWriter) WriteHeader(status int) {
	if w.opened.Load() || w.done.Load() {
		return
	}
	if w.status != 0 {
		w.x.c.logf("h2: superfluous WriteHeader(%d)", status)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status < 200 {
		if status == http.StatusContinue {
			w.x.continued()
		}
		if w.x.upgrade && status == http.StatusSwitchingProtocols { // it leaves with Hijack
			w.status, w.snap = status, w.Header().Clone()
			return
		}
		if status != http.StatusSwitchingProtocols { // RFC 9113, 8.6: there is no 101
			fs := []hpack.HeaderField{statusField(status)}
			fs = appendFields(fs, w.header, asupgrade.ConnectionOptions(w.header), func(name string) bool {
				return name == "content-length"
			})
			_ = w.broken(w.x.head(fs, false, false, true))
		}
		return
	}
	if w.x.connect && status < 300 {
		w.notOpened()
		return
	}
	w.status = status
	w.snap = w.Header().Clone()
	w.options = asupgrade.ConnectionOptions(w.snap)
	for _, v := range w.snap["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if httpguts.ValidTrailerHeader(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
	w.declared = asupgrade.TakeLength(w.snap)
	if !asupgrade.BodyAllowed(status) {
		w.snap.Del("Transfer-Encoding")
		if status != http.StatusNotModified {
			w.snap.Del("Content-Length")
		}
		w.declared = -1
	}
	w.mute = w.x.r.Method == http.MethodHead
}

// notOpened answers 501: any 2xx would be a tunnel that nobody serves (RFC 9110, 9.3.6; RFC 8441,
// 5).
func (w *responseWriter) notOpened() {
	w.status, w.snap, w.mute = http.StatusNotImplemented, http.Header{"Content-Length": {"0"}}, true
}

// Write sends octets of the answer; it waits while the peer takes none.
func (w *responseWriter) Write(p []byte) (int, error) { return write(w, p) }

// WriteString is Write without a copy.
func (w *responseWriter) WriteString(s string) (int, error) { return write(w, s) }

func write[T string | []byte](w *responseWriter, p T) (int, error) {
	switch {
	case w.opened.Load():
		return 0, http.ErrHijacked
	case w.done.Load():
		return 0, errors.New("h2: Write after the handler returned")
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !asupgrade.BodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.declared >= 0 && w.written+int64(len(p)) > w.declared {
		return 0, http.ErrContentLength
	}
	n, err := put(w, p)
	w.written += int64(n)
	return n, err
}

// put collects octets, and sends them when there are enough. More than the buffer holds leaves at
// once, all of it.
func put[T string | []byte](w *responseWriter, p T) (n int, err error) {
	for n < len(p) {
		if w.sent && w.mute {
			return len(p), nil
		}
		if len(w.buf) == writeBuffer {
			if err := w.flush(false); err != nil {
				return n, err
			}
			continue
		}
		if b, ok := any(p).([]byte); ok && len(w.buf) == 0 && len(b)-n > writeBuffer { // not by way of buf
			if !w.sent {
				if err := w.begin(b[n:], false, nil); err != nil {
					return n, err
				}
				continue
			}
			m, err := w.x.write(b[n:], false, nil)
			return n + m, w.broken(err)
		}
		m := min(len(p)-n, writeBuffer-len(w.buf))
		w.buf = append(w.buf, p[n:n+m]...)
		n += m
	}
	return n, nil
}

// broken keeps an error that nothing can be written behind: all but a deadline that has passed.
func (w *responseWriter) broken(err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		w.err = err
	}
	return err
}

// flush sends what has been written, and the header before it. last: the handler has returned.
func (w *responseWriter) flush(last bool) error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusSwitchingProtocols {
		if !last {
			return nil // see Hijack
		}
		w.notOpened()
	}
	if w.err != nil {
		return w.err
	}
	var tail []hpack.HeaderField
	if last && asupgrade.BodyAllowed(w.status) {
		tail = w.tail()
	}
	if !w.sent {
		if err := w.begin(w.buf, last, tail); err != nil {
			return err
		}
	}
	if w.mute {
		w.buf = nil
		return nil
	}
	if len(w.buf) > 0 || last {
		n, err := w.x.write(w.buf, last, tail)
		w.buf = w.buf[:copy(w.buf, w.buf[n:])]
		return w.broken(err)
	}
	return nil
}

// begin sends the header block, before the octets p, which are the first of the answer. last: they
// are all of it, but for tail.
func (w *responseWriter) begin(p []byte, last bool, tail []hpack.HeaderField) error {
	fin := last && len(p) == 0 && tail == nil
	fs := w.fields(p, last && tail == nil)
	switch {
	case w.mute:
		p, fin = nil, true
	case !asupgrade.BodyAllowed(w.status):
		// Until the handler is done the client may send its body: END_STREAM would stop it.
		p, fin = nil, last
	}
	err := w.x.head(fs, fin, true, len(p) == 0 && !last)
	if errors.Is(err, os.ErrDeadlineExceeded) { // a later deadline may let it leave
		return err
	}
	w.sent, w.err = true, err
	if w.x.upgrade {
		w.x.c.srv.noteRefused(w.x.c, w.x.r.URL.Path, w.status)
	}
	if w.err != nil || fin {
		w.mute = true
	}
	return w.err
}

// fields is the header block of an answer that begins with the octets p. whole: they are all of its
// content.
func (w *responseWriter) fields(p []byte, whole bool) []hpack.HeaderField {
	h := w.snap
	fs := append(make([]hpack.HeaderField, 0, len(h)+4), statusField(w.status))
	if _, ok := h["Content-Type"]; !ok && len(p) > 0 && asupgrade.BodyAllowed(w.status) && h.Get("Content-Encoding") == "" {
		fs = append(fs, hpack.HeaderField{Name: "content-type", Value: http.DetectContentType(p)})
	}
	if _, ok := h["Content-Length"]; !ok && whole && asupgrade.BodyAllowed(w.status) && (len(p) > 0 || w.x.r.Method != http.MethodHead) {
		fs = append(fs, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(p))})
	}
	if _, ok := h["Date"]; !ok {
		fs = append(fs, hpack.HeaderField{Name: "date", Value: time.Now().UTC().Format(http.TimeFormat)})
	}
	if slices.Contains(w.options, "close") { // what it means in HTTP/2
		w.x.c.goAway()
	}
	return appendFields(fs, h, w.options, nil)
}

// tail is the trailer section: the announced fields, and those with http.TrailerPrefix. nil: none.
func (w *responseWriter) tail() []hpack.HeaderField {
	h := http.Header{}
	for _, name := range w.trailers {
		if v, ok := w.header[name]; ok {
			h[name] = v
		}
	}
	for k, v := range w.header {
		if name, ok := strings.CutPrefix(k, http.TrailerPrefix); ok {
			h[http.CanonicalHeaderKey(name)] = v
		}
	}
	if len(h) == 0 {
		return nil
	}
	fs := appendFields(nil, h, w.options, func(name string) bool {
		return !httpguts.ValidTrailerHeader(http.CanonicalHeaderKey(name))
	})
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Flush sends what has been written.
func (w *responseWriter) Flush() { _ = w.FlushError() } // Flush cannot say

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.opened.Load() || w.done.Load() {
		return http.ErrHijacked
	}
	return w.flush(false)
}

// finish ends the answer. False: it cannot be made whole.
func (w *responseWriter) finish() bool {
	if w.opened.Load() {
		return true
	}
	if w.declared > w.written && w.x.r.Method != http.MethodHead {
		_ = w.flush(false) // the client gets the header, and all there is, before the reset
		return false
	}
	w.cutsRequest()
	return w.flush(true) == nil
}

// cutsRequest has RST_STREAM(NO_ERROR) leave in one write with the end of the answer, if the
// request has not come whole (RFC 9113, 8.1). Where clients take the answer for a refusal, and stop
// to send, it leaves in a write of its own, see conn.finish. Behind any other status they want to
// go on, and curl 7.88 waits for ever over TLS if it is told behind the answer. It fails if it is
// told with it.
func (w *responseWriter) cutsRequest() {
	if w.status >= 300 || w.x.connect {
		return
	}
	w.x.c.mu.Lock()
	defer w.x.c.mu.Unlock()
	w.x.c.core.finish(w.x.s)
}

// discard drops what comes of the body behind the answer, if that is not much and comes soon.
// RST_STREAM(NO_ERROR) is allowed there (RFC 9113, 8.1), but curl takes it for a failure, and
// forgets the answer.
func (w *responseWriter) discard() {
	if w.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, w.x.r.Body, 256<<10) // whatever ends it, nobody needs to know
	}
}

// SetReadDeadline bounds reads of the request's body.
func (w *responseWriter) SetReadDeadline(t time.Time) error { return w.setDeadline(&w.x.reading, t) }

// SetWriteDeadline bounds Write.
func (w *responseWriter) SetWriteDeadline(t time.Time) error { return w.setDeadline(&w.x.writing, t) }

func (w *responseWriter) setDeadline(d *deadline, t time.Time) error {
	if w.opened.Load() || w.done.Load() {
		return http.ErrHijacked
	}
	w.x.c.mu.Lock()
	defer w.x.c.mu.Unlock()
	d.set(t)
	return nil
}

// EnableFullDuplex has nothing to do: in HTTP/2 it is always so.
func (w *responseWriter) EnableFullDuplex() error { return nil }
