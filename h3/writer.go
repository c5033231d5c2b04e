package h3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"weir/internal/asupgrade"
	"weir/stream"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http/httpguts"
)

// writer is the http.ResponseWriter of a request, with everything http.ResponseController asks for.
// Of a CONNECT it is a stream.Opener. It writes by way of http3's, and sees to what that leaves to
// its caller; or, once the stream has been taken from http3, on the stream itself.
type writer struct {
	inner     http.ResponseWriter // http3's
	c         *conn
	r         *http.Request
	protocol  string // of an extended CONNECT
	connect   bool   // the method on the wire is CONNECT
	malformed bool   // its path or authority is none
	upgrade   bool   // its handler sees a GET with Upgrade, and may hijack

	header    http.Header
	status    int         // 0 until WriteHeader
	snap      http.Header // header as it was at WriteHeader
	begun     bool        // http3 has the header
	written   int64       // octets the handler wrote
	declared  int64       // Content-Length the handler declared, -1 if none
	trailers  []string    // announced by the Trailer field
	continued bool        // 100 was sent, or need not be

	bare     *tunnel     // the stream was taken over, and opened nothing: the answer is written there
	buf      []byte      // of such an answer
	tunnel   *tunnel     // what was opened
	hijacked bool        // by Hijack
	counted  bool        // the request has become a tunnel
	opened   atomic.Bool // the stream is a tunnel; Accept may run beside the handler
	done     atomic.Bool // the handler has returned
}

var (
	_ http.Flusher  = (*writer)(nil)
	_ stream.Opener = (*writer)(nil)
)

var errNotTunnel = errors.New("h3: only CONNECT becomes a stream (RFC 9220, 3)")

// Header is the header that WriteHeader sends, and later the trailers.
func (w *writer) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// Answered says that the final answer was begun, or cannot be any more.
func (w *writer) Answered() bool { return w.status != 0 || w.opened.Load() || w.done.Load() }

// OpenStream answers a CONNECT with 200 and header and turns it into a stream. The 200 leaves with
// the first Send.
func (w *writer) OpenStream(header http.Header) (stream.Stream, error) {
	switch {
	case w.opened.Load() || w.done.Load():
		return nil, http.ErrHijacked
	case !w.connect:
		return nil, errNotTunnel
	case w.status != 0:
		return nil, stream.ErrAnswered
	}
	if err := asupgrade.CheckFields(header); err != nil {
		return nil, fmt.Errorf("h3: %w", err)
	}
	t, err := w.take()
	if err != nil {
		return nil, err
	}
	if err := t.Open(header); err != nil { // its client has just given it up
		w.bare = t
		return nil, err
	}
	w.open(t)
	return t, nil
}

// open notes that the stream is t from now on.
func (w *writer) open(t *tunnel) {
	w.c.srv.count(func(st *Stats) { st.TunnelsTotal++ })
	w.tunnel = t
	w.opened.Store(true)
}

// tunnelUrgency is that of a tunnel whose client names none (RFC 9218, 4.1), as over HTTP/2:
// somebody waits for it.
const tunnelUrgency = 1

// take takes the stream from http3. One whose client has ended its side opens nothing (RFC 9114,
// 4.4): its answer is the writer's to write.
func (w *writer) take() (*tunnel, error) {
	if w.bare != nil {
		return nil, stream.ErrHalfClosed
	}
	hs, err := w.inner.(http3.HTTPStreamer).HTTPStream()
	if err != nil {
		return nil, err
	}
	qs := hs.QUICStream()
	_ = qs.SetDeadline(time.Time{})
	half := ended(qs)
	if w.r.Header["Priority"] == nil {
		qs.SetPriority(tunnelUrgency, true)
	}
	t := newTunnel(w.c, qs, hs.CancelRead) // the method of what hs wraps: the request is not kept
	w.counted = true
	if half {
		w.bare = t
		return nil, stream.ErrHalfClosed
	}
	if err := t.Gone(); err != nil {
		w.bare = t
		return nil, err
	}
	return t, nil
}

// StreamInfo says what OpenStream's stream would run on.
func (w *writer) StreamInfo() stream.Info {
	return w.c.info(0, w.c.qc.RemoteAddr())
}

// WriteHeader sends an informational answer at once, and begins the final one.
func (w *writer) WriteHeader(status int) {
	if w.opened.Load() || w.done.Load() {
		return
	}
	if w.status != 0 {
		w.c.logf("h3: superfluous WriteHeader(%d)", status)
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if status < 200 {
		w.inform(status)
		return
	}
	if w.connect && status < 300 { // a tunnel that nobody serves (RFC 9110, 9.3.6; RFC 9220, 3)
		w.notOpened()
		return
	}
	w.status = status
	w.snap = w.Header().Clone()
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
		if status != http.StatusNotModified {
			delete(w.snap, "Content-Length")
		}
		w.declared = -1
	}
}

// notOpened answers 501.
func (w *writer) notOpened() {
	w.status, w.snap = http.StatusNotImplemented, http.Header{"Content-Length": {"0"}}
	w.declared = 0
}

// inform sends an informational answer. There is no 101 (RFC 9114, 4.5).
func (w *writer) inform(status int) {
	switch {
	case status == http.StatusSwitchingProtocols && w.upgrade: // it leaves with Hijack
		w.status, w.snap = status, w.Header().Clone()
		return
	case status == http.StatusSwitchingProtocols, w.bare != nil:
		return
	case status == http.StatusContinue:
		w.continued = true
	}
	h := w.inner.Header()
	clean(h, w.Header())
	delete(h, "Content-Length")
	w.inner.WriteHeader(status)
	clear(h)
}

// continues sends a 100, unless there is something else already.
func (w *writer) continues() {
	if w.continued || w.status != 0 || w.done.Load() {
		return
	}
	w.continued = true
	clear(w.inner.Header())
	w.inner.WriteHeader(http.StatusContinue)
}

// clean makes dst the fields of h that can be sent: none of a connection (RFC 9114, 4.2).
func clean(dst, h http.Header) {
	clear(dst)
	options := asupgrade.ConnectionOptions(h)
	for k, vv := range h {
		name := strings.ToLower(k)
		if strings.HasPrefix(k, http.TrailerPrefix) || !httpguts.ValidHeaderFieldName(k) ||
			asupgrade.HopByHop(name) || slices.Contains(options, name) {
			continue
		}
		out := make([]string, 0, len(vv))
		for _, v := range vv {
			v = asupgrade.TrimValue(v)
			if httpguts.ValidHeaderFieldValue(v) && (name != "te" || v == "trailers") {
				out = append(out, v)
			}
		}
		if len(out) > 0 || len(vv) == 0 {
			dst[k] = out
		}
	}
}

// begin gives http3 the header, before the octets p, which are the first of the answer.
func (w *writer) begin(p []byte) {
	if w.begun {
		return
	}
	w.begun = true
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusSwitchingProtocols {
		w.notOpened()
	}
	if w.upgrade {
		w.c.noteRefused(w.r.URL.Path, w.status)
	}
	if slices.Contains(asupgrade.ConnectionOptions(w.snap), "close") { // what it means in HTTP/3
		w.c.goAway()
	}
	if _, ok := w.snap["Content-Type"]; !ok && len(p) > 0 && asupgrade.BodyAllowed(w.status) &&
		w.snap.Get("Content-Encoding") == "" {
		w.snap["Content-Type"] = []string{http.DetectContentType(p)}
	}
	if w.bare != nil {
		return
	}
	h := w.inner.Header()
	clean(h, w.snap)
	if _, ok := h["Content-Length"]; !ok && w.trails() {
		h["Content-Length"] = nil // with it a gateway to HTTP/1.1 has to drop the trailers
	}
	w.inner.WriteHeader(w.status)
}

// trails says that there will be trailers, as far as is known.
func (w *writer) trails() bool {
	if len(w.trailers) > 0 {
		return true
	}
	for k := range w.header {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// Write sends octets of the answer; it waits while the peer takes none.
func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.opened.Load():
		return 0, http.ErrHijacked
	case w.done.Load():
		return 0, errors.New("h3: Write after the handler returned")
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !asupgrade.BodyAllowed(w.status) && w.status != http.StatusSwitchingProtocols {
		return 0, http.ErrBodyNotAllowed
	}
	if w.declared >= 0 && w.written+int64(len(p)) > w.declared {
		if w.connect && w.status == http.StatusNotImplemented {
			return len(p), nil // see notOpened
		}
		return 0, http.ErrContentLength
	}
	w.begin(p)
	if w.bare != nil {
		w.buf = append(w.buf, p[:min(len(p), 64<<10-len(w.buf))]...)
		return len(p), nil
	}
	n, err := w.inner.Write(p)
	w.written += int64(n)
	return n, err
}

// WriteString is Write.
func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// Flush sends what has been written.
func (w *writer) Flush() { _ = w.FlushError() } // Flush cannot say

// FlushError is Flush for http.ResponseController.
func (w *writer) FlushError() error {
	switch {
	case w.opened.Load() || w.done.Load():
		return http.ErrHijacked
	case w.status == http.StatusSwitchingProtocols, w.bare != nil:
		return nil // see Hijack
	}
	w.begin(nil)
	return w.inner.(interface{ FlushError() error }).FlushError()
}

// finish ends the answer. False: it cannot be made whole.
func (w *writer) finish(normal bool) bool {
	w.done.Store(true)
	if w.opened.Load() {
		if w.hijacked && !normal {
			w.tunnel.abandoned()
		}
		return true
	}
	if w.bare != nil {
		w.finishBare(normal)
		return true
	}
	if !normal {
		w.lastWords()
		return false
	}
	w.done.Store(false)
	head := w.r.Method == http.MethodHead
	if !w.begun {
		w.begin(nil)
		if h := w.inner.Header(); head && h["Content-Length"] == nil {
			h["Content-Length"] = nil // or http3 would say that there is none
		}
	}
	w.done.Store(true)
	if w.declared > w.written && !head {
		w.lastWords()
		return false
	}
	w.tail()
	return true
}

// lastWords sends what there is of an answer that cannot be made whole, and gives it the time of a
// round trip or two: a RESET_STREAM takes back what has not arrived (RFC 9000, 3.1).
func (w *writer) lastWords() {
	if !w.begun || w.inner.(interface{ FlushError() error }).FlushError() != nil {
		return
	}
	wait := min(2*w.c.qc.ConnectionStats().SmoothedRTT+wordsTime, time.Second)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.r.Context().Done():
	}
}

// wordsTime is what lastWords gives besides: packets wait for each other.
const wordsTime = 20 * time.Millisecond

// tail gives http3 the trailers: those that were announced, and those with http.TrailerPrefix.
// A 204 and a 304 end with their header (RFC 9110, 15.3.5 and 15.4.5), and what Connection lists is
// none.
func (w *writer) tail() {
	if !asupgrade.BodyAllowed(w.status) {
		return
	}
	h := w.inner.Header()
	options := asupgrade.ConnectionOptions(w.snap)
	for k, vv := range w.header {
		if slices.Contains(options, strings.ToLower(strings.TrimPrefix(k, http.TrailerPrefix))) {
			continue
		}
		announced := slices.Contains(w.trailers, http.CanonicalHeaderKey(k))
		if announced || strings.HasPrefix(k, http.TrailerPrefix) {
			h[k] = vv
		}
	}
}

// finishBare ends an answer on a stream that was taken over and opened nothing.
func (w *writer) finishBare(normal bool) {
	t := w.bare
	if !normal {
		t.Reset(stream.InternalError)
		return
	}
	w.done.Store(false)
	w.begin(nil)
	w.done.Store(true)
	h := http.Header{}
	clean(h, w.snap)
	delete(h, "Trailer")
	if h["Content-Length"] == nil && asupgrade.BodyAllowed(w.status) {
		h["Content-Length"] = []string{fmt.Sprint(len(w.buf))}
	}
	if t.Answer(w.status, h, len(w.buf) == 0) == nil && len(w.buf) > 0 {
		_, _ = t.Send([][]byte{w.buf}, true)
	}
	t.Finish()
}

// ends is the last word on a request.
func (w *writer) ends() {
	if !w.counted {
		w.c.ends()
	}
}

// SetReadDeadline bounds reads of the request's body.
func (w *writer) SetReadDeadline(t time.Time) error {
	if w.opened.Load() || w.done.Load() {
		return http.ErrHijacked
	}
	return w.inner.(interface{ SetReadDeadline(time.Time) error }).SetReadDeadline(t)
}

// SetWriteDeadline bounds Write.
func (w *writer) SetWriteDeadline(t time.Time) error {
	if w.opened.Load() || w.done.Load() {
		return http.ErrHijacked
	}
	return w.inner.(interface{ SetWriteDeadline(time.Time) error }).SetWriteDeadline(t)
}

// EnableFullDuplex has nothing to do: in HTTP/3 it is always so.
func (w *writer) EnableFullDuplex() error { return nil }

// noteRefused warns, once a path, of an answer to a WebSocket over HTTP/3 that says its handler
// does not take it for one.
func (c *conn) noteRefused(path string, status int) {
	if path, ok := c.srv.refusals.New(path, status); ok {
		c.logf("h3: the handler of %q answers %d to a WebSocket over HTTP/3, which it sees as "+
			"a GET with Upgrade (h3.Config.UpgradeTokens, NoExtendedConnect)", path, status)
	}
}

// requestReset counts a request whose client gives it up while it waits for its handler, or while
// that runs. A tunnel counts by itself.
func (w *writer) requestReset() {
	if !w.opened.Load() && context.Cause(w.c.qc.Context()) == nil {
		w.c.peerReset(true)
	}
}
