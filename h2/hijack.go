package h2

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"weir/stream"
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
// See translator for heads that cannot be. No timeout of the server's counts any more.
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
	tr := &translator{tunnel: t, path: w.x.r.URL.Path}
	if w.status == http.StatusSwitchingProtocols {
		if err := tr.open(w.snap); err != nil {
			return nil, nil, err
		}
	}
	c := &hijacked{stream.NewConn(tr, 0)}
	_, _ = tr.Send(nil, false) // a 101 leaves; an error is told by the Conn
	return c, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)), nil
}

// hijacked is the net.Conn that Hijack gives.
type hijacked struct{ *stream.Conn }

// Close ends our side behind what was written. If something was received that nobody has read, the
// client is told at once to send no more, as TCP does it: RST_STREAM(NO_ERROR) follows.
func (h *hijacked) Close() error {
	unread := h.Buffered() > 0
	err := h.Conn.Close()
	if err == nil && unread {
		h.Reset(stream.NoError)
	}
	return err
}

// abandoned sees to a request that became a tunnel when its handler has returned. One that has
// hijacked and panics leaves nobody behind who would end the stream; mu is held.
func (x *exchange) abandoned(normal bool) {
	if x.hijacked && !normal && !x.s.fin {
		x.c.core.giveUp(x.s, InternalError)
		x.c.after(true)
	}
}
