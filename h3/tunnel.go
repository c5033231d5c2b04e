package h3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"weir/stream"

	"github.com/quic-go/quic-go"
)

// tunnel is a stream.Stream: a QUIC stream whose request was answered 200.
//
// Its reader (read.go) is a goroutine that waits in the QUIC stream, and leaves while there is no
// credit. Its writer (send.go) is one that is there while something is queued. mu is never held
// while the sink or a Write is called.
type tunnel struct {
	c      *conn
	qs     *quic.Stream
	forget func(quic.StreamErrorCode) // CancelRead that http3 notices, for its list of streams
	unstop func() bool                // ends the watch of our sending half
	remote net.Addr                   // when it was opened: a peer may move (RFC 9000, 9)
	born   time.Time

	prev, next *tunnel // the connection's list; conn.mu
	seen       uint32  // tells, when renewIdle looked; conn.mu

	tells atomic.Uint32 // how often the sink was called by the reader
	grown atomic.Bool   // and the reader's stack may have grown
	renew atomic.Bool   // see renewIdle

	mu     sync.Mutex
	sink   stream.Sink
	fill   stream.Filler
	limits stream.Limits

	// Receiving.
	frames  frameReader // the reader's alone
	read    int64       // octets taken from the QUIC stream; the reader's alone
	final   int64       // how many there are in all, -1: not known
	held    int         // octets told and not released
	reading bool        // there is a reader, or somebody else who tells the sink
	ended   bool        // the peer's end was told

	// Sending.
	head     []byte   // the HEADERS of the answer, which wait for the first octets
	queue    []*chunk // what waits
	queued   int      // octets of payload in it
	hidden   int      // octets of payload that QUIC took at once, and may not have sent
	writes   bool     // there is a writer
	draining bool     // Drained is being told
	above    bool     // queued was over Low and Drained has not been told since
	fin      bool     // our side ends behind the queue
	sent     bool     // and has
	quiet    bool     // Reset(NoError): give up once the queue has left

	cut  bool  // Reset was called: Closed is all there is to tell
	gone error // what Send gives
	over bool  // Closed is to be told, or has been
	why  error // what it is told
	told bool
}

var _ stream.Stream = (*tunnel)(nil)

// newTunnel makes the tunnel of a request's stream. forget is CancelRead.
func newTunnel(c *conn, qs *quic.Stream, forget func(quic.StreamErrorCode)) *tunnel {
	t := &tunnel{c: c, qs: qs, forget: forget, final: -1, remote: c.qc.RemoteAddr(),
		born: time.Now()}
	err := c.add(t)
	t.mu.Lock()
	t.unstop = context.AfterFunc(qs.Context(), t.stopped)
	t.mu.Unlock()
	qs.SetReceiveFinalSizeCallback(t.finalSize)
	if err != nil {
		t.lost(err)
	}
	return t
}

// Attach names the sink and starts the reader.
func (t *tunnel) Attach(s stream.Sink, l stream.Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sink != nil {
		panic("h3: BUG: Attach twice")
	}
	t.sink, t.limits = s, l.WithDefaults()
	t.fill, _ = s.(stream.Filler)
	t.above = t.queued > t.limits.Low
	if d := t.limits.WriteTimeout; t.writes && d > 0 {
		_ = t.qs.SetWriteDeadline(time.Now().Add(d)) // cannot fail
	}
	t.wake()
}

// Release gives credit back.
func (t *tunnel) Release(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.cut {
		return
	}
	if n > t.held {
		panic("h3: BUG: released more than was received")
	}
	none := t.held >= t.limits.Window
	t.held -= n
	if none && n > 0 {
		t.wake()
	}
}

// Reset gives the stream up.
func (t *tunnel) Reset(code stream.Code) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.quiet && code == stream.NoError {
		return
	}
	t.cut = true
	if code == stream.NoError {
		t.quiet = true
		if t.gone == nil {
			t.gone = &stream.ResetError{Code: stream.NoError}
		}
		if t.writes {
			return
		}
		t.hush()
		return
	}
	t.giveUp(&stream.ResetError{Code: code}, codeOf(code))
}

// hush is the quiet end, behind the queue; mu is held.
func (t *tunnel) hush() {
	if t.head != nil {
		_ = t.qs.TryWriteAll(t.head) // it was not asked for
		t.head = nil
	}
	t.finish()
	if t.ended {
		t.end(nil)
		return
	}
	t.stop(NoError)
	t.end(&stream.ResetError{Code: stream.NoError})
}

// giveUp ends both sides at once; mu is held.
func (t *tunnel) giveUp(err error, code Code) {
	t.drop()
	t.qs.CancelWrite(quic.StreamErrorCode(code))
	t.stop(code)
	t.end(err)
}

// stop tells the peer to send no more (RFC 9000, 3.5), and wakes who reads; mu is held.
func (t *tunnel) stop(code Code) { t.forget(quic.StreamErrorCode(code)) }

// finish sends our FIN; mu is held.
func (t *tunnel) finish() {
	if !t.sent {
		t.sent = true
		t.qs.Close()
	}
}

// drop forgets what is queued; mu is held.
func (t *tunnel) drop() {
	if !t.writes { // the first is the writer's
		for _, k := range t.queue {
			t.c.srv.chunks.Put(k)
		}
	}
	t.queue, t.queued, t.head, t.hidden = nil, 0, nil, 0
}

// end has Closed told; mu is held.
func (t *tunnel) end(err error) {
	if t.over {
		return
	}
	t.over, t.why = true, err
	t.gone = err
	if err == nil {
		t.gone = stream.ErrClosed
	}
	t.unstop()
	t.c.remove(t, err)
	t.wake()
}

// wake starts a reader if there is none; mu is held.
func (t *tunnel) wake() {
	if t.reading || t.sink == nil || t.told {
		return
	}
	t.reading = true
	go t.run() // ends without credit, and with the stream
}

// stopped is called when our sending half is over: by our own end, or by the peer's STOP_SENDING.
func (t *tunnel) stopped() {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := context.Cause(t.qs.Context())
	se, ok := errors.AsType[*quic.StreamError](err)
	if !ok || !se.Remote { // the connection's end is told by conn.lost
		return
	}
	t.refused(se)
}

// refused takes a STOP_SENDING; mu is held. With NO_ERROR the peer has all that it wants, and may
// go on sending (RFC 9114, 4.1).
func (t *tunnel) refused(se *quic.StreamError) {
	if t.over {
		return
	}
	err := told(se).(*stream.ResetError)
	if err.Code != stream.NoError || t.ended || t.quiet {
		t.giveUp(err, RequestCancelled)
		return
	}
	t.drop()
	t.gone, t.sent = err, true
}

// lost ends the tunnel with its connection.
func (t *tunnel) lost(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drop()
	t.end(err)
}

// Info says what the stream runs on.
func (t *tunnel) Info() stream.Info {
	return t.c.info(uint64(t.qs.StreamID()), t.remote)
}

func (c *conn) info(id uint64, remote net.Addr) stream.Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	return stream.Info{Transport: stream.H3, ID: id, Local: c.qc.LocalAddr(), Remote: remote,
		TLS: c.tls, Own: true}
}

// call calls a method of the sink. If it crashes the stream is reset: the connection and its other
// streams live. mu is not held.
func (t *tunnel) call(f func()) {
	guard(f, func(v any) {
		if v != nil { // a handler that calls Goexit in a session's Data is the session's business
			t.c.logf("h3: sink of stream %d of %s: %v\n%s", t.qs.StreamID(), t.c.remote, v,
				debug.Stack())
			t.Reset(stream.InternalError)
		}
	})
}

// Open implements asupgrade.Tunnel.
func (t *tunnel) Open(h http.Header) error {
	fields, err := tunnelFields(h)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone != nil {
		return t.gone
	}
	t.head = encodeHead(t.head, fields)
	return nil
}

// Answer implements asupgrade.Tunnel.
func (t *tunnel) Answer(status int, h http.Header, fin bool) error {
	head := encodeHead(nil, answerFields(status, h))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone != nil {
		return t.gone
	}
	t.put(head, 0)
	if fin {
		t.fin, t.gone = true, stream.ErrClosed
	}
	t.push()
	return nil
}

// Finish implements asupgrade.Tunnel.
func (t *tunnel) Finish() { t.Reset(stream.NoError) }

// GiveUp implements asupgrade.Tunnel. Unlike over HTTP/2 a reset takes back what was sent and has
// not arrived (RFC 9000, 3.1).
func (t *tunnel) GiveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.cut = true
	t.giveUp(&stream.ResetError{Code: stream.InternalError}, InternalError)
}

// Gone implements asupgrade.Tunnel.
func (t *tunnel) Gone() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		return nil
	}
	return t.gone
}
