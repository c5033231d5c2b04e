package h2

import (
	"io"
	"net/http"
	"os"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
)

// body is the Body of a request.
type body struct {
	x      *exchange
	closed bool // under conn.mu
}

// Read waits for octets and gives their credit back. Octets that have arrived are read, and a body
// that has arrived whole ends with io.EOF, also when the stream was reset (but see tooMuch) or the
// deadline has passed since. What arrives behind the deadline is not read before it is set anew:
// else a client that goes on sending would never meet it.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	c := x.c
	if n := x.in.tryRead(p); n > 0 {
		return n, nil
	}
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
	if x.in.len() == 0 && !x.in.whole() {
		x.giveCredit()
	}
	for x.in.len() == 0 && !x.in.whole() && !x.closed && !x.reading.passed && !b.closed && len(p) > 0 {
		x.wait()
	}
	switch { // what has arrived comes first, whatever became of the stream since
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case x.lost:
		return 0, x.closedErr()
	case x.in.len() > 0:
		return x.read(p), nil
	case x.in.whole():
		x.takeTrailers()
		return 0, io.EOF
	case x.reading.passed: // also where the stream was reset behind it
		return 0, os.ErrDeadlineExceeded
	case x.closed && x.err != nil:
		return 0, x.closedErr()
	case x.closed:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, nil
}

// takeTrailers puts the trailers where the handler sees them: those it was promised, and the others
// too.
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

// Close drops what has not been read, and what still comes. The peer gets no credit for it before
// the handler has returned.
func (b *body) Close() error {
	x := b.x
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.closed || x.returned {
		return nil
	}
	b.closed, x.unread = true, true
	spent, n := x.in.drop()
	x.countRoom()
	c.core.release(x.s, spent)
	c.core.withhold(x.s, n)
	c.core.readEnds(&x.growth)
	c.after(false)
	x.wake()
	return nil
}
