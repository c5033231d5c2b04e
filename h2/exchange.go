package h2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"weir/stream"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// sendHigh is how many octets of an answer may wait before Write blocks.
const sendHigh = 64 << 10

// exchange is one request and its answer.
type exchange struct {
	c      *conn
	s      *coreStream
	r      *http.Request
	cancel context.CancelFunc

	// Under conn.mu.
	changed   sync.Cond // on conn.mu: octets, room, the end, a deadline
	in        inbox
	reading   deadline
	writing   deadline
	wants100  bool // the client waits for 100 before it sends its body (RFC 9110, 10.1.1)
	answered  bool // the final answer's header is on its way
	closed    bool
	err       error // with closed: why, nil if both sides ended
	returned  bool  // the handler has
	opened    bool  // the stream is a tunnel's
	trailers  []hpack.HeaderField
	tooBig    bool
	malformed bool // the path cannot be parsed
}

// inbox holds what was received and not read; the stream's window bounds it.
type inbox struct {
	b   []byte
	off int
	fin bool
}

func (in *inbox) len() int { return len(in.b) - in.off }

func (in *inbox) put(p []byte) {
	if in.off > 0 && in.off >= len(in.b)/2 {
		in.b = in.b[:copy(in.b, in.b[in.off:])]
		in.off = 0
	}
	in.b = append(in.b, p...)
}

func (in *inbox) read(p []byte) int {
	n := copy(p, in.b[in.off:])
	if in.off += n; in.off == len(in.b) {
		in.off = 0
		if in.b = in.b[:0]; cap(in.b) > 16<<10 {
			in.b = nil
		}
	}
	return n
}

func (in *inbox) take() []byte {
	b := in.b[in.off:]
	in.b, in.off = nil, 0
	return b
}

// begin starts a request; mu is held, on the reader.
func (c *conn) begin(ev event) {
	x := &exchange{c: c, s: ev.s, tooBig: ev.req.tooBig}
	x.changed.L = &c.mu
	x.in.fin = ev.fin
	ev.s.owner = x
	ev.s.low = sendHigh / 2
	x.request(&ev.req, ev.fin)
	if !ev.fin && !ev.s.tunnel {
		x.reading.init(x)
		if d := c.srv.hs.ReadTimeout; d > 0 {
			x.reading.set(time.Now().Add(d))
		}
	}
	if d := c.srv.hs.WriteTimeout; d > 0 {
		x.writing.set(time.Now().Add(d))
	}
	if c.running < c.srv.cfg.MaxConcurrentStreams {
		c.running++
		go c.run(x) // ends when the handler has returned and no request waits
		return
	}
	if c.waiting = append(c.waiting, x); len(c.waiting) > 4*c.srv.cfg.MaxConcurrentStreams {
		c.core.fail(EnhanceYourCalm, "RFC 9113, 10.5", "requests are reset faster than they are handled")
	}
}

// request builds the http.Request.
func (x *exchange) request(req *request, fin bool) {
	c := x.c
	x.reading.init(x)
	x.writing.init(x)
	var ctx context.Context
	ctx, x.cancel = context.WithCancel(c.ctx)
	r := &http.Request{
		Method: req.method, Proto: "HTTP/2.0", ProtoMajor: 2, Host: req.authority, RemoteAddr: c.remote,
		TLS: c.tls, Body: http.NoBody, Header: headerOf(req.fields),
	}
	switch {
	case req.tooBig:
		r.Method, r.URL = "GET", new(url.URL)
	case req.method == "CONNECT" && req.protocol == "":
		r.URL = &url.URL{Host: req.authority}
		r.RequestURI = req.authority
	default:
		u, err := url.ParseRequestURI(req.path)
		if err != nil {
			x.malformed = true
			u = new(url.URL)
		}
		r.URL, r.RequestURI = u, req.path
	}
	if req.protocol != "" {
		r.Header[":protocol"] = []string{req.protocol}
	}
	if !fin && req.method != "CONNECT" {
		r.Body = &body{x: x}
		r.ContentLength = req.length
		if httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue") {
			x.wants100 = true
		}
	} else if req.length < 0 && req.method != "CONNECT" {
		r.ContentLength = 0
	}
	r.Header.Del("Expect")
	for _, v := range r.Header["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			switch name {
			case "Transfer-Encoding", "Trailer", "Content-Length", "":
			default:
				if r.Trailer == nil {
					r.Trailer = http.Header{}
				}
				r.Trailer[name] = nil
			}
		}
	}
	delete(r.Header, "Trailer")
	x.r = r.WithContext(ctx)
}

// event takes what happened to the stream; mu is held.
func (x *exchange) event(ev event) {
	switch ev.kind {
	case evData:
		if x.returned { // nobody reads any more
			x.c.core.release(x.s, len(ev.data))
			return
		}
		x.in.put(ev.data)
		x.in.fin = x.in.fin || ev.fin
	case evTrailers:
		x.trailers = append([]hpack.HeaderField(nil), ev.tail...)
		x.in.fin = true
	case evClosed:
		x.closed, x.err = true, ev.err
		if ev.err != nil {
			x.cancel()
		}
		x.stopTimers()
	}
	x.changed.Broadcast()
}

func (x *exchange) stopTimers() {
	x.reading.set(time.Time{})
	x.writing.set(time.Time{})
}

// closedErr is why nothing can be read or written any more.
func (x *exchange) closedErr() error {
	if x.err == nil {
		return stream.ErrClosed
	}
	return told(x.err)
}

// write sends octets of the answer, and waits while too many are queued; fin: END_STREAM behind them, or tail.
func (x *exchange) write(p []byte, fin bool, tail []hpack.HeaderField) error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for !x.closed && x.s.queued() >= sendHigh && !x.writing.passed {
			x.changed.Wait()
		}
		switch {
		case x.closed:
			return x.closedErr()
		case x.writing.passed:
			return os.ErrDeadlineExceeded
		}
		n := min(len(p), sendHigh)
		last := n == len(p)
		if n > 0 || last && fin && tail == nil {
			if _, err := c.core.send(x.s, [][]byte{p[:n]}, last && fin && tail == nil); err != nil {
				return told(err)
			}
		}
		if last && tail != nil {
			if err := c.core.finTrailers(x.s, tail); err != nil {
				return told(err)
			}
		}
		c.after(true)
		if p = p[n:]; last {
			return nil
		}
	}
}

// head queues a field block of the answer; flush: it leaves now.
func (x *exchange) head(fields []hpack.HeaderField, fin, final, flush bool) error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if x.closed {
		return x.closedErr()
	}
	x.answered = x.answered || final
	if err := c.core.answer(x.s, fields, fin, false); err != nil {
		return told(err)
	}
	if flush || fin {
		c.after(true)
	}
	return nil
}

// body is the Body of a request.
type body struct {
	x      *exchange
	closed bool // under conn.mu
}

// Read waits for octets and gives their credit back.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.closed || x.returned {
		return 0, http.ErrBodyReadAfterClose
	}
	if x.wants100 {
		x.wants100 = false
		if !x.answered && !x.in.fin && x.in.len() == 0 && c.core.answer(x.s, []hpack.HeaderField{statusField(100)}, false, false) == nil {
			c.after(true)
		}
	}
	for x.in.len() == 0 && !x.in.fin && !x.closed && !x.reading.passed && !b.closed && len(p) > 0 {
		x.changed.Wait()
	}
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case x.reading.passed:
		return 0, os.ErrDeadlineExceeded
	case x.closed && x.err != nil:
		return 0, x.closedErr()
	case x.in.len() > 0:
		n := x.in.read(p)
		c.core.release(x.s, n)
		c.after(true)
		return n, nil
	case x.in.fin:
		x.takeTrailers()
		return 0, io.EOF
	case x.closed:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, nil
}

// takeTrailers puts the trailers where the handler sees them: those it was promised, and the others too.
func (x *exchange) takeTrailers() {
	if len(x.trailers) == 0 {
		return
	}
	if x.r.Trailer == nil {
		x.r.Trailer = http.Header{}
	}
	for _, f := range x.trailers {
		k := http.CanonicalHeaderKey(f.Name)
		if httpguts.ValidTrailerHeader(k) {
			x.r.Trailer[k] = append(x.r.Trailer[k], f.Value)
		}
	}
	x.trailers = nil
}

// Close drops what has not been read.
func (b *body) Close() error {
	c := b.x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	b.closed = true
	b.x.changed.Broadcast()
	return nil
}

// deadline is one of the two of an exchange; it may be set anew at any time, a passed one too. Under conn.mu.
type deadline struct {
	x      *exchange
	timer  *time.Timer
	at     time.Time
	passed bool
}

func (d *deadline) init(x *exchange) { d.x = x }

func (d *deadline) set(t time.Time) {
	d.at, d.passed = t, !t.IsZero() && !time.Now().Before(t)
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.passed {
		d.x.changed.Broadcast()
	} else if !t.IsZero() {
		if d.timer == nil {
			d.timer = time.AfterFunc(time.Until(t), d.fired)
		} else {
			d.timer.Reset(time.Until(t))
		}
	}
}

func (d *deadline) fired() {
	x := d.x
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	if d.at.IsZero() || time.Now().Before(d.at) {
		return
	}
	d.passed = true
	if d == &x.writing && x.returned && !x.closed && x.s.pending() { // nobody else gives up on this answer
		x.c.core.reset(x.s, InternalError)
		x.c.after(false)
	}
	x.changed.Broadcast()
}

var errNotTunnel = errors.New("h2: only CONNECT becomes a stream (RFC 8441, 4)")
