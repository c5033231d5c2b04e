package h2

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"weir/internal/asupgrade"
	"weir/stream"

	"golang.org/x/net/http2/hpack"
)

// upgradeWriter is the http.ResponseWriter of an extended CONNECT that its handler sees as a GET
// with Upgrade. It is an http.Hijacker besides: handlers that know the upgrades of HTTP/1.1 alone,
// as every WebSocket library of Go has them, hijack, write a 101 and go on over a net.Conn. An
// ordinary request has no Hijacker, so that nobody who looks for one takes it for an upgrade.
type upgradeWriter struct{ *responseWriter }

var _ http.Hijacker = upgradeWriter{}

// Hijack hands the stream over, as a net.Conn with CloseWrite. What is written to it first is the
// head of an HTTP/1.1 response (RFC 9112, 2.1): a 101 becomes the 200 that opens the tunnel, any
// other answers the request with what follows as its content. After WriteHeader(101) that was it.
// See asupgrade.Translator for heads that cannot be. No timeout of the server's counts any more.
func (w upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.opened.Load() || w.done.Load():
		return nil, nil, http.ErrHijacked
	case w.status != 0 && w.status != http.StatusSwitchingProtocols:
		return nil, nil, errors.New("h2: Hijack after WriteHeader")
	}
	t, err := w.x.c.takeOver(w.x)
	if err != nil {
		return nil, nil, err
	}
	w.opened.Store(true)
	c, path := t.c, w.x.r.URL.Path
	tr := &asupgrade.Translator{Tunnel: taken{t}, Name: "h2",
		Broken:  func(err error) { c.logf("%v; %q of %s", err, path, c.remote) },
		Refused: func(status int) { c.srv.noteRefused(c, path, status) }}
	if w.status == http.StatusSwitchingProtocols {
		if err := tr.Switched(w.snap); err != nil {
			return nil, nil, err
		}
	}
	nc, rw := asupgrade.Conn(tr)
	return nc, rw, nil
}

// abandoned sees to a request that became a tunnel when its handler has returned. One that has
// hijacked and panics leaves nobody behind who would end the stream; mu is held.
func (x *exchange) abandoned(normal bool) {
	if x.hijacked && !normal && !x.s.fin {
		x.c.core.giveUp(x.s, InternalError)
		x.c.after(true)
	}
}

// taken is the tunnel of a request that was taken over before it had an answer. Its Finish and
// GiveUp are those of the tunnel.
type taken struct{ *tunnel }

var _ asupgrade.Tunnel = taken{}

// Open implements asupgrade.Tunnel.
func (t taken) Open(h http.Header) error {
	fields, err := tunnelFields(h)
	if err != nil {
		return err
	}
	return t.queue(fields, false, true)
}

// Answer implements asupgrade.Tunnel.
func (t taken) Answer(status int, h http.Header, fin bool) error {
	return t.queue(answerFields(status, h), fin, false)
}

// queue has a field block sent; held: with the next octets.
func (t taken) queue(fields []hpack.HeaderField, fin, held bool) error {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	if err := t.gone(); err != nil {
		return err
	}
	if err := t.c.core.answer(t.s, fields, fin, held); err != nil {
		return told(err)
	}
	if !held {
		t.c.after(true)
	}
	return nil
}

// Gone implements asupgrade.Tunnel.
func (t taken) Gone() error {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	return t.gone()
}

// gone is why the stream is over, nil if it is not; mu is held.
func (t taken) gone() error {
	if !t.closed {
		return nil
	}
	if err := told(t.s.why()); err != nil {
		return err
	}
	return stream.ErrClosed
}
