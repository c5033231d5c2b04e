package h3

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"weir/stream"

	"github.com/quic-go/quic-go"
)

// readSize is how many octets one read takes.
const readSize = 16 << 10

// fillLeast is how much of a frame has to be to come for it to be read where it belongs.
const fillLeast = 4 << 10

// finalSize is called on the connection's goroutine when the peer has ended its side or reset it.
func (t *tunnel) finalSize(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.final = n
	t.wake()
}

// run reads and tells the sink until there is no credit, or nothing more to tell. It calls a user's
// code, which may end the goroutine: then another goes on.
func (t *tunnel) run() {
	whole := false
	defer func() {
		if !whole { // the sink crashed, or called runtime.Goexit
			recoverRun(t)
		}
	}()
	for t.step() {
	}
	whole = true
}

// recoverRun goes on where a goroutine was lost.
func recoverRun(t *tunnel) {
	go t.run() // ends without credit, and with the stream
}

// step does one read. False: there is nothing to do for now, and the caller is not the reader any
// more.
func (t *tunnel) step() bool {
	t.mu.Lock()
	credit := t.limits.Window - t.held
	switch {
	case t.over:
		return t.tellClosed() // it unlocks
	case t.cut, t.ended:
		t.reading = false
		t.mu.Unlock()
		return false
	case credit <= 0 && t.final >= 0 && t.final == t.read: // an end that needs no credit
		credit = 1
	case credit <= 0:
		over := t.look()
		if !over {
			t.reading = false
		}
		t.mu.Unlock()
		return over
	}
	t.mu.Unlock()
	return t.take(credit)
}

// look says whether the peer has reset its side, or the connection is lost, while nobody may read:
// Peek finds a reset before it finds that its deadline has passed. mu is held.
func (t *tunnel) look() bool {
	if t.final < 0 {
		return false
	}
	var b [1]byte
	_ = t.qs.SetReadDeadline(time.Unix(1, 0)) // cannot fail
	_, err := t.qs.Peek(b[:])
	_ = t.qs.SetReadDeadline(time.Time{})
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || err == io.EOF {
		return false
	}
	t.failed(err)
	return t.over
}

// take reads once, at most credit octets, and tells what came. False: another is the reader.
func (t *tunnel) take(credit int) bool {
	var one [1]byte
	_, err := t.qs.Peek(one[:]) // waits without a buffer
	switch {
	case err == nil || err == io.EOF:
		t.tellNext(credit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return !t.renewed()
	default:
		t.mu.Lock()
		t.failed(err)
		t.mu.Unlock()
	}
	return true
}

// tellNext reads what is there, and tells it.
func (t *tunnel) tellNext(credit int) {
	var b []byte
	if t.fill != nil && !t.frames.skips && t.frames.left >= fillLeast {
		t.call(func() { b = t.fill.Fill() })
		b = b[:min(uint64(len(b)), t.frames.left, uint64(credit))]
	}
	if len(b) == 0 {
		p := t.c.srv.buffers.Get().(*[readSize]byte)
		defer t.c.srv.buffers.Put(p)
		b = p[:min(readSize, credit)]
	}
	n, err := t.qs.Read(b)
	t.read += int64(n)
	out, fault := t.frames.feed(b[:n])
	idle := t.frames.take()
	fin := err == io.EOF && fault == nil
	if fin && !t.frames.between() {
		fin = false
		fault = &ConnError{Code: FrameError, Rule: "RFC 9114, 7.1",
			Text: "the end of the stream cuts a frame"}
	}
	defer t.took(fault, idle, err) // also when the sink ends the goroutine
	if len(out) > 0 || fin || idle > 0 && fault == nil {
		t.tell(out, fin)
	}
}

// took sees to what a read brought besides octets.
func (t *tunnel) took(fault *ConnError, idle int, err error) {
	switch {
	case fault != nil:
		t.c.fail(fault)
	case idle > 0 && !t.c.ignored.take(idle):
		t.c.exceed(LimitIgnored)
	case err == io.EOF:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stop(NoError) // QUIC has its end: this is for http3's list of streams
		t.bothEnded()
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded): // that is renewIdle's
		t.mu.Lock()
		defer t.mu.Unlock()
		t.failed(err)
	}
}

// tell gives the sink octets that have come, and the peer's end.
func (t *tunnel) tell(b []byte, fin bool) {
	t.mu.Lock()
	if t.over || t.cut {
		t.mu.Unlock()
		return
	}
	t.held += len(b)
	t.ended = t.ended || fin
	t.mu.Unlock()
	t.noteTold()
	t.call(func() { t.sink.Data(b, fin) })
}

// bothEnded ends a tunnel of which both sides have ended; mu is held.
func (t *tunnel) bothEnded() {
	if !t.ended || !t.sent || t.over {
		return
	}
	if re, ok := errors.AsType[*stream.ResetError](t.gone); ok && !t.quiet { // STOP_SENDING(NO_ERROR)
		t.end(re)
		return
	}
	t.end(nil)
}

// failed takes an error of reading; mu is held.
func (t *tunnel) failed(err error) {
	if t.over {
		return
	}
	if se, ok := errors.AsType[*quic.StreamError](err); ok {
		if !se.Remote { // we have given up
			return
		}
		t.giveUp(told(err), RequestCancelled)
		return
	}
	if !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.c.logf("h3: stream %d of %s: %v", t.qs.StreamID(), t.c.remote, err)
	}
	t.drop()
	t.end(t.c.lostBy(err))
}

// tellClosed is the last word; mu is held, and released.
func (t *tunnel) tellClosed() bool {
	if t.told || t.draining { // Closed is the last call
		t.reading = false
		t.mu.Unlock()
		return false
	}
	t.told = true
	t.mu.Unlock()
	t.call(func() { t.sink.Closed(t.why) })
	t.mu.Lock()
	t.sink, t.fill = nil, nil // nothing is told any more
	t.mu.Unlock()
	return false
}
