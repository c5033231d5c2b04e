package h3

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"weir/internal/asupgrade"
	"weir/stream"

	"github.com/quic-go/quic-go"
)

// upgradeWriter is the http.ResponseWriter of an extended CONNECT that its handler sees as a GET
// with Upgrade: an http.Hijacker besides. An ordinary request has no Hijacker, so that nobody who
// looks for one takes it for an upgrade.
type upgradeWriter struct{ *writer }

var _ http.Hijacker = upgradeWriter{}

// Hijack hands the stream over, as a net.Conn with CloseWrite. What is written to it first is the
// head of an HTTP/1.1 response (RFC 9112, 2.1): a 101 becomes the 200 that opens the tunnel, any
// other answers the request with what follows as its content. After WriteHeader(101) that was it.
// No timeout of the server's counts any more.
func (w upgradeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	switch {
	case w.opened.Load() || w.done.Load():
		return nil, nil, http.ErrHijacked
	case w.status != 0 && w.status != http.StatusSwitchingProtocols:
		return nil, nil, errors.New("h3: Hijack after WriteHeader")
	}
	t, err := w.take()
	if err != nil {
		return nil, nil, err
	}
	w.hijacked = true
	w.open(t)
	c, path := w.c, w.r.URL.Path
	tr := &asupgrade.Translator{Tunnel: t, Name: "h3",
		Broken:  func(err error) { c.logf("%v; %q of %s", err, path, c.remote) },
		Refused: func(status int) { c.noteRefused(path, status) }}
	if w.status == http.StatusSwitchingProtocols {
		if err := tr.Switched(w.snap); err != nil {
			return nil, nil, err
		}
	}
	nc, rw := asupgrade.Conn(tr)
	return nc, rw, nil
}

// abandoned ends a hijacked stream whose handler has crashed: nobody is left behind who would.
func (t *tunnel) abandoned() {
	t.mu.Lock()
	fin := t.fin
	t.mu.Unlock()
	if !fin {
		t.Reset(stream.InternalError)
	}
}

// halfTime is how long the last octets are waited for of a request that has ended, and lacks some.
const halfTime = 5 * time.Millisecond

// ended says that the peer's FIN came with the request.
func ended(qs *quic.Stream) bool {
	var known atomic.Bool
	qs.SetReceiveFinalSizeCallback(func(int64) { known.Store(true) })
	qs.SetReceiveFinalSizeCallback(nil)
	if !known.Load() {
		return false
	}
	var one [1]byte
	_ = qs.SetReadDeadline(time.Now().Add(halfTime)) // cannot fail
	_, err := qs.Peek(one[:])
	_ = qs.SetReadDeadline(time.Time{})
	return err == io.EOF
}
