package h2

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"weir/stream"

	"golang.org/x/net/http2/hpack"
)

// maxHead is how many octets the head of a response may have that is written to a hijacked stream.
const maxHead = 64 << 10

// translator is the stream of a hijacked request: what is sent first is the head of an HTTP/1.1
// response, and leaves as that of HTTP/2. A head that is broken or larger than maxHead, and an end
// before it is whole, are a fault of the handler's: RST_STREAM(INTERNAL_ERROR), and a line in the
// log. Behind a 101 octets go through as they are, and nobody looks at them.
//
// translator.mu is taken before conn.mu.
type translator struct {
	*tunnel
	path string

	opened atomic.Bool // a 101: nothing is looked at any more

	mu   sync.Mutex
	buf  []byte     // of a head that is not whole
	body *h1Content // behind a final head that is no 101
	err  error      // nothing can be sent any more
}

// Attach implements stream.Stream. What bounds a Write is the deadline that the handler sets.
func (t *translator) Attach(s stream.Sink, l stream.Limits) {
	l.WriteTimeout = -1
	t.tunnel.Attach(s, l)
}

// Reset implements stream.Stream. There is no quiet end before the answer is whole.
func (t *translator) Reset(code stream.Code) {
	if !t.opened.Load() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if code == stream.NoError && (t.body == nil || !t.body.done) {
			code = stream.InternalError
		}
	}
	t.tunnel.Reset(code)
}

// Send implements stream.Stream.
func (t *translator) Send(v [][]byte, fin bool) (queued int, err error) {
	if t.opened.Load() {
		return t.tunnel.Send(v, fin)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.opened.Load():
			return t.tunnel.Send(v, fin)
		case t.err != nil:
			return 0, t.err
		case t.body != nil:
			return t.content(v, fin)
		}
		for _, p := range v {
			t.buf = append(t.buf, p...)
		}
		n := headSize(t.buf)
		switch {
		case n < 0 && len(t.buf) > maxHead || n > maxHead:
			return 0, t.broken("it has more than " + strconv.Itoa(maxHead) + " octets")
		case n < 0 && fin && len(t.buf) == 0:
			return 0, t.broken("there is none")
		case n < 0 && fin:
			return 0, t.broken("it is not whole")
		case n < 0:
			return 0, nil
		}
		head, rest := t.buf[:n], t.buf[n:]
		t.buf = nil
		if err := t.head(head); err != nil {
			return 0, err
		}
		v = [][]byte{rest}
	}
}

// headSize is the size of the head that b begins with, -1 if it is not whole. Lines may end with LF
// alone, as clients of HTTP/1.1 take them (RFC 9112, 2.2).
func headSize(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		switch i += n + 1; {
		case bytes.HasPrefix(b[i:], []byte("\n")):
			return i + 1
		case bytes.HasPrefix(b[i:], []byte("\r\n")):
			return i + 2
		}
	}
}

// head sends a head that is whole; mu is held.
func (t *translator) head(b []byte) error {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	line, _ := r.ReadLine() // there is one
	mime, err := r.ReadMIMEHeader()
	if err != nil {
		return t.broken(err.Error())
	}
	proto, after, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(after, " ")
	status, err := strconv.Atoi(code)
	if _, _, ok := http.ParseHTTPVersion(proto); !ok || err != nil || len(code) != 3 || status < 100 {
		return t.broken("it begins with " + strconv.Quote(line))
	}
	h := http.Header(mime)
	switch {
	case status == http.StatusSwitchingProtocols:
		return t.open(h)
	case status < 200:
		return t.informational(status, h)
	}
	return t.answer(status, h)
}

// open sends the 200 for a 101 with header h (RFC 8441, 5), which leaves with the next octets.
func (t *translator) open(h http.Header) error {
	fields, err := tunnelFields(h)
	if err != nil {
		return t.broken(err.Error())
	}
	if err := t.queue(fields, false, true); err != nil {
		return err
	}
	t.opened.Store(true)
	return nil
}

// informational sends any other head of 1xx. 100 asks for a body, and there is none.
func (t *translator) informational(status int, h http.Header) error {
	if status == http.StatusContinue {
		return nil
	}
	fields := []hpack.HeaderField{statusField(status)}
	return t.queue(appendFields(fields, h, connectionOptions(h), isLength), false, false)
}

func isLength(name string) bool { return name == "content-length" }

// answer sends a final head that is no 101.
func (t *translator) answer(status int, h http.Header) error {
	body, err := contentOf(status, h)
	if err != nil {
		return t.broken(err.Error())
	}
	t.c.srv.noteRefused(t.c, t.path, status)
	if status < 300 { // see responseWriter.notOpened
		status, h = http.StatusNotImplemented, http.Header{"Content-Length": {"0"}}
		body = &h1Content{done: true, mute: true}
	}
	t.body = body
	err = t.queue(answerFields(status, h), body.done, false)
	if err == nil && body.done {
		t.tunnel.finish()
	}
	return err
}

// content sends what follows such a head; mu is held.
func (t *translator) content(v [][]byte, fin bool) (queued int, err error) {
	size := 0
	for _, p := range v {
		size += len(p)
	}
	switch {
	case t.body.mute:
		return 0, nil
	case t.body.done && size == 0:
		queued, _ = t.tunnel.Send(nil, false) // only asked
		return queued, nil
	case t.body.done:
		return 0, http.ErrBodyNotAllowed
	}
	var out [][]byte
	for _, p := range v {
		if out, err = t.body.take(out, p); err != nil {
			return 0, t.broken(err.Error())
		}
	}
	if fin && !t.body.end() {
		t.tunnel.giveUp()
		t.err = stream.ErrClosed
		return 0, t.err
	}
	queued, err = t.tunnel.Send(out, t.body.done)
	if err == nil && t.body.done {
		t.tunnel.finish()
	}
	return queued, err
}

// queue has a field block sent; held: with the next octets.
func (t *translator) queue(fields []hpack.HeaderField, fin, held bool) error {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if t.gone() {
		return t.err
	}
	if err := t.c.core.answer(t.s, fields, fin, held); err != nil {
		t.err = told(err)
		return t.err
	}
	if !held {
		t.c.after(true)
	}
	return nil
}

// gone says that the stream is over; conn.mu is held, and mu.
func (t *translator) gone() bool {
	if !t.closed {
		return false
	}
	if t.err = told(t.s.why()); t.err == nil {
		t.err = stream.ErrClosed
	}
	return true
}

// broken gives the stream up for a head that is none, or content that is not what its head says.
// What was sent before leaves first.
func (t *translator) broken(why string) error {
	t.buf = nil
	t.c.mu.Lock()
	gone := t.gone()
	t.c.mu.Unlock()
	if gone {
		return t.err
	}
	t.err = errors.New("h2: what was written to a hijacked stream is no head of a response" +
		" (RFC 9112, 2.1): " + why)
	t.c.logf("%v; %q of %s", t.err, t.path, t.c.remote)
	t.tunnel.giveUp()
	return t.err
}
