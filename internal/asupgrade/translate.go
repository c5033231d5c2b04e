package asupgrade

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
)

// maxHead is how many octets the head of a response may have that is written to a hijacked stream.
const maxHead = 64 << 10

// Tunnel is the stream of a request that was taken over before it had an answer. An error of its
// methods is what Send gives from then on.
type Tunnel interface {
	stream.Stream

	// Open has the 200 with header h leave with the next octets (RFC 8441, 5).
	Open(h http.Header) error

	// Answer sends the head of any other answer, an informational one too. fin: there is no
	// content.
	Answer(status int, h http.Header, fin bool) error

	// Finish says that what was sent is the whole answer, and that nothing of the peer's is wanted.
	Finish()

	// GiveUp resets the stream behind what was sent.
	GiveUp()

	// Gone is why the stream is over, nil if it is not.
	Gone() error
}

// Translator is the stream of a hijacked request: what is sent first is the head of an HTTP/1.1
// response, and leaves as that of HTTP/2 or HTTP/3. A head that is broken or larger than maxHead,
// and an end before it is whole, are a fault of the handler's: the stream is reset with
// INTERNAL_ERROR, and Broken is told. Behind a 101 octets go through as they are, and nobody looks
// at them.
//
// Its lock is taken before those of the transport.
type Translator struct {
	Tunnel
	Name    string           // of the transport, in errors
	Broken  func(err error)  // a head that is none
	Refused func(status int) // a final head that is no 101

	opened atomic.Bool // a 101: nothing is looked at any more

	mu   sync.Mutex
	buf  []byte     // of a head that is not whole
	body *h1Content // behind a final head that is no 101
	err  error      // nothing can be sent any more
}

// Attach implements stream.Stream. What bounds a Write is the deadline that the handler sets.
func (t *Translator) Attach(s stream.Sink, l stream.Limits) {
	l.WriteTimeout = -1
	t.Tunnel.Attach(s, l)
}

// Reset implements stream.Stream. There is no quiet end before the answer is whole.
func (t *Translator) Reset(code stream.Code) {
	if !t.opened.Load() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if code == stream.NoError && (t.body == nil || !t.body.done) {
			code = stream.InternalError
		}
	}
	t.Tunnel.Reset(code)
}

// Send implements stream.Stream.
func (t *Translator) Send(v [][]byte, fin bool) (queued int, err error) {
	if t.opened.Load() {
		return t.Tunnel.Send(v, fin)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.opened.Load():
			return t.Tunnel.Send(v, fin)
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
func (t *Translator) head(b []byte) error {
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

// open sends the 200 for a 101 with header h, which leaves with the next octets; mu is held.
func (t *Translator) open(h http.Header) error {
	if err := CheckFields(h); err != nil {
		return t.broken(err.Error())
	}
	if t.err = t.Tunnel.Open(h); t.err == nil {
		t.opened.Store(true)
	}
	return t.err
}

// Switched is a 101 with header h that the handler has said by WriteHeader.
func (t *Translator) Switched(h http.Header) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open(h)
}

// informational sends any other head of 1xx. 100 asks for a body, and there is none.
func (t *Translator) informational(status int, h http.Header) error {
	if status == http.StatusContinue {
		return nil
	}
	delete(h, "Content-Length")
	t.err = t.Tunnel.Answer(status, h, false)
	return t.err
}

// answer sends a final head that is no 101.
func (t *Translator) answer(status int, h http.Header) error {
	body, err := contentOf(status, h)
	if err != nil {
		return t.broken(err.Error())
	}
	t.Refused(status)
	if status < 300 { // a 2xx would be a tunnel that nobody serves (RFC 9110, 9.3.6; RFC 8441, 5)
		status, h = http.StatusNotImplemented, http.Header{"Content-Length": {"0"}}
		body = &h1Content{done: true, mute: true}
	}
	t.body = body
	t.err = t.Tunnel.Answer(status, h, body.done)
	if t.err == nil && body.done {
		t.Tunnel.Finish()
	}
	return t.err
}

// content sends what follows such a head; mu is held.
func (t *Translator) content(v [][]byte, fin bool) (queued int, err error) {
	size := 0
	for _, p := range v {
		size += len(p)
	}
	switch {
	case t.body.mute:
		return 0, nil
	case t.body.done && size == 0:
		queued, _ = t.Tunnel.Send(nil, false) // only asked
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
		t.Tunnel.GiveUp()
		t.err = stream.ErrClosed
		return 0, t.err
	}
	queued, err = t.Tunnel.Send(out, t.body.done)
	if err == nil && t.body.done {
		t.Tunnel.Finish()
	}
	return queued, err
}

// broken gives the stream up for a head that is none, or content that is not what its head says.
// What was sent before leaves first.
func (t *Translator) broken(why string) error {
	t.buf = nil
	if t.err = t.Gone(); t.err != nil {
		return t.err
	}
	t.err = errors.New(t.Name + ": what was written to a hijacked stream is no head of a response" +
		" (RFC 9112, 2.1): " + why)
	t.Broken(t.err)
	t.GiveUp()
	return t.err
}
