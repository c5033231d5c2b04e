package h2

import (
	"context"
	"errors"
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

// sendHigh is how many octets of an answer may wait before Write blocks, and sendLeast where many
// answers of the connection wait: what its streams hold together is more than holdFree, and no
// StallTimeout bounds it.
const (
	sendHigh  = 64 << 10
	sendLeast = 8 << 10
)

// high is the one of the two that counts now; mu is held.
func (c *conn) high() int {
	if c.core.cfg.hold > 0 && c.core.queues > holdFree {
		return sendLeast
	}
	return sendHigh
}

// exchange is one request and its answer.
type exchange struct {
	c      *conn
	s      *coreStream
	r      *http.Request
	cancel context.CancelFunc

	// Under conn.mu.
	changed   *sync.Cond // on conn.mu: octets, room, the end, a deadline; made by who waits first
	in        inbox
	growth    growth
	room      int // see countRoom
	reading   deadline
	writing   deadline
	unread    bool // the handler has closed the body: what comes is dropped
	lost      bool // what came of the body has been dropped, see tooMuch
	wants100  bool // the client waits for 100 before it sends its body (RFC 9110, 10.1.1)
	answered  bool // the final answer's header is on its way
	closed    bool
	err       error // with closed: why, nil if both sides ended
	waits     bool  // for a handler
	returned  bool  // the handler has
	opened    bool  // the stream is a tunnel's
	hijacked  bool  // and the handler has it, as a net.Conn
	trailers  []hpack.HeaderField
	tooBig    bool
	malformed bool // the path cannot be parsed
	connect   bool // the method on the wire is CONNECT
	upgrade   bool // its handler sees a GET with Upgrade, and may hijack
	protocol  bool // it has :protocol

	w responseWriter // the handler's
}

// begin starts a request; mu is held, on the reader.
func (c *conn) begin(ev event) {
	x := &exchange{c: c, s: ev.s, tooBig: ev.req.tooBig}
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
	if c.running < c.srv.cfg.MaxHandlers {
		c.running++
		c.crowd = c.crowd || c.running > 1
		go c.run(x) // ends when the handler has returned and no request waits
		return
	}
	x.waits = true
	if c.waiting = append(c.waiting, x); len(c.waiting) > c.srv.cfg.MaxQueued {
		c.core.exceed(LimitQueued)
	}
}

// request builds the http.Request.
func (x *exchange) request(req *request, fin bool) {
	c := x.c
	x.reading.init(x)
	x.writing.init(x)
	var ctx context.Context
	ctx, x.cancel = context.WithCancel(c.requests())
	x.connect, x.protocol = req.method == "CONNECT", req.protocol != ""
	r := &http.Request{
		Method: req.method, Proto: "HTTP/2.0", ProtoMajor: 2, Host: req.authority, RemoteAddr: c.remote,
		TLS: c.tls, Body: http.NoBody, Header: headerOf(req.fields),
	}
	switch {
	case req.tooBig:
		r.URL = new(url.URL)
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
		ctx = stream.WithToken(ctx, req.protocol)
		x.upgrade = c.srv.cfg.asUpgrade(r, req.protocol) && !fin
	}
	if !fin && !x.connect {
		r.Body = &body{x: x}
		r.ContentLength = req.length
	}
	if httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue") {
		x.wants100 = r.Body != http.NoBody
		delete(r.Header, "Expect")
	}
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
			x.c.core.discard(x.s, len(ev.data))
			return
		}
		if x.unread {
			x.c.core.withhold(x.s, len(ev.data))
		} else if x.in.put(ev.data); x.s.lack > 0 {
			x.in.reportNext()
		}
		x.countRoom()
		if ev.fin {
			x.arrivedWhole()
		}
	case evTrailers:
		x.trailers = append([]hpack.HeaderField(nil), ev.tail...)
		x.arrivedWhole()
	case evClosed:
		x.closed, x.err = true, ev.err
		if ev.err != nil {
			x.cancel()
		}
		x.reading.stop()
		x.writing.stop()
		x.in.reportNext()
		switch {
		case x.waits: // no handler will see the request
			x.cancel()
			x.r, x.trailers = nil, nil
			x.in.drop()
		case x.tooMuch():
			x.lost = true
			x.in.drop()
		}
		x.countRoom()
	}
	x.wake()
}

// tooMuch says that the body of a stream that was cut is not kept for its handler, which may read
// it much later, or never: the stream was given up for what it held, or half of MaxMemory is used
// up.
func (x *exchange) tooMuch() bool {
	if _, ok := x.err.(*memoryError); ok {
		return true
	}
	most := x.c.core.cfg.memory
	return x.err != nil && most > 0 && x.c.core.held > most/2
}

// countRoom counts what the body takes in memory besides the octets that the stream's credit
// counts: the room in its chunks, and of a stream that has closed all of it, for its handler may
// read it all the same.
func (x *exchange) countRoom() {
	size, room := x.in.held()
	if !x.closed {
		room -= size
	}
	x.c.core.held += room - x.room
	x.room = room
}

// arrivedWhole notes the end of the request's body: there is nothing more to wait for. A handler
// that has read all of it may go on for long, and what its body was granted is for others.
func (x *exchange) arrivedWhole() {
	x.reading.stop()
	if x.in.end() && !x.returned {
		x.giveCredit()
	}
}

// wait waits for wake, with mu held.
func (x *exchange) wait() {
	if x.changed == nil {
		x.changed = sync.NewCond(&x.c.mu)
	}
	x.changed.Wait()
}

// wake says that something has changed; mu is held.
func (x *exchange) wake() {
	if x.changed != nil {
		x.changed.Broadcast()
	}
}

// closedErr is why nothing can be read or written any more.
func (x *exchange) closedErr() error {
	if x.err == nil {
		return stream.ErrClosed
	}
	return told(x.err)
}

// write sends octets of the answer, and waits while too many are queued; fin: END_STREAM behind
// them, or tail. It says how many octets it took: behind a deadline that passed a handler may go
// on.
func (x *exchange) write(p []byte, fin bool, tail []hpack.HeaderField) (took int, err error) {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for !x.closed && x.s.queued() >= c.high() && !x.writing.passed {
			x.s.low = int32(c.high() / 2)
			x.s.above = true // until evDrained
			x.wait()
		}
		switch {
		case x.closed:
			return took, x.closedErr()
		case x.writing.passed:
			return took, os.ErrDeadlineExceeded
		}
		n := min(len(p)-took, c.high()-x.s.queued())
		last := took+n == len(p)
		if n > 0 || last && fin && tail == nil {
			if _, err := c.core.send(x.s, [][]byte{p[took : took+n]}, last && fin && tail == nil); err != nil {
				return took, told(err)
			}
		}
		if last && tail != nil {
			if err := c.core.finTrailers(x.s, tail); err != nil {
				return took, told(err)
			}
		}
		c.after(true)
		if took += n; last {
			return took, nil
		}
	}
}

// head queues a field block of the answer; flush: it leaves now.
func (x *exchange) head(fields []hpack.HeaderField, fin, final, flush bool) error {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case x.closed:
		return x.closedErr()
	case x.opened: // meanwhile, by an Accept that the handler did not wait for
		return http.ErrHijacked
	case x.writing.passed: // or what the flusher has under way would take it along
		return os.ErrDeadlineExceeded
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

// answered is a stream to finish behind the write of a turn, see core.turn.
type answered struct {
	s    *coreStream
	turn uint32
}

// finish is core.finish behind the write that is under way, or about to be: what ends the rest of a
// request leaves behind the answer, not with it, or else curl takes it for a failure, and forgets
// an answer that it has not looked at. mu is held.
func (c *conn) finish(s *coreStream) {
	if !c.flushing || s.state != stateOpen && s.state != stateLocalEnded {
		c.core.finish(s)
		return
	}
	turn := c.core.turn
	if c.core.pending() {
		turn++
	}
	c.ending = append(c.ending, answered{s, turn})
}

// finishes finishes the streams whose write is done; mu is held.
func (c *conn) finishes() {
	left := c.ending[:0]
	for _, e := range c.ending {
		if int32(c.core.written-e.turn) >= 0 {
			c.core.finish(e.s)
		} else {
			left = append(left, e)
		}
	}
	clear(c.ending[len(left):])
	if c.ending = left; len(left) == 0 {
		c.ending = nil
	}
}

// continued says that the handler sends 100 itself: Read sends no second one (RFC 9110, 10.1.1).
func (x *exchange) continued() {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.wants100 = false
}

var errNotTunnel = errors.New("h2: only CONNECT becomes a stream (RFC 8441, 4)")
