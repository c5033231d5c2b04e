package h1

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"weir/stream"
)

const (
	inline = 64 << 10 // octets of a buffer in which the slices of a Send are put together
	piece  = 16 << 10 // octets of one Write where writing may block: a TLS record (RFC 8446, 5.1)
	gulp   = 64 << 10 // octets of one Write to plain TCP
	keep   = 64 << 10 // capacity of a queue worth keeping
)

var (
	joined = sync.Pool{New: func() any { return new([inline]byte) }}
	blocks = sync.Pool{New: func() any { return new(block) }}
)

// block is octets that wait for the writer.
type block struct{ b []byte }

func (k *block) size() int {
	if k == nil {
		return 0
	}
	return len(k.b)
}

func (k *block) free() {
	if k != nil && cap(k.b) <= keep {
		k.b = k.b[:0]
		blocks.Put(k)
	}
}

func (t *tunnel) Send(v [][]byte, fin bool) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome != nil {
		return t.queued, t.outcome.gone
	}
	if fin {
		t.fin, t.outcome = true, &outcome{gone: stream.ErrClosed}
	}
	switch {
	case t.writing:
		t.enqueue(v, 0)
	case t.head != nil: // it and what comes with it are one write
		b := append(t.head.b, slices.Concat(v...)...)
		t.head = nil
		t.start([][]byte{b})
	default:
		t.start(v)
	}
	if t.over && t.outcome.err != nil {
		return 0, t.outcome.gone
	}
	if t.sink != nil && t.queued > t.limits.Low {
		t.above = true
	}
	return t.queued, nil
}

// start becomes the writer for v, with mu held. What cannot leave at once is queued, and a
// goroutine becomes the writer.
func (t *tunnel) start(v [][]byte) {
	t.writing = true
	size := 0
	for _, b := range v {
		size += len(b)
	}
	if !t.tries && (size > 0 || t.fin) && !t.known.fits(min(size, piece)) {
		t.handOver(v, 0)
		return
	}
	var done int
	var err error
	switch {
	case size == 0:
	case t.tries:
		done, err = t.try(v)
	default:
		now := time.Now()
		by := t.deadline(now)
		t.mu.Unlock()
		if err = t.known.allow(t.c, now, by); err == nil {
			done, err = t.writeKnown(v)
		}
		t.mu.Lock()
	}
	switch {
	case t.over:
		t.writing = false
	case err != nil:
		t.mu.Unlock()
		t.fail(err)
		t.mu.Lock()
		t.writing = false
	case done < size || t.queue != nil:
		late := t.queue // by others meanwhile, behind v
		t.queue, t.queued = nil, 0
		t.enqueue(v, done)
		if late != nil {
			t.enqueue([][]byte{late.b}, 0)
			late.free()
		}
		t.handOver(nil, 0)
	default:
		t.finish()
	}
}

// try writes what the socket takes of v at once, and says how much that was. It does not block.
func (t *tunnel) try(v [][]byte) (done int, err error) {
	if t.sock != nil && len(v) > 1 {
		return t.sock.tryAll(v)
	}
	if len(v) > 1 {
		buf := joined.Get().(*[inline]byte)
		b := gather(buf[:], v)
		done, err = t.tryWrite(b)
		joined.Put(buf)
		if err != nil || done < len(b) {
			return done, err
		}
	}
	skip := done
	for _, b := range v {
		if skip >= len(b) {
			skip -= len(b)
			continue
		}
		b, skip = b[skip:], 0
		n, err := t.tryWrite(b)
		done += n
		if err != nil || n < len(b) {
			return done, err
		}
	}
	return done, nil
}

// writeKnown writes as much of v as the socket below TLS is known to have room for. What is put
// together from several slices is the front, of a piece at most.
func (t *tunnel) writeKnown(v [][]byte) (done int, err error) {
	if len(v) > 1 {
		buf := joined.Get().(*[inline]byte)
		done, err = t.writePieces(gather(buf[:piece], v))
		joined.Put(buf)
		if err != nil || done < piece {
			return done, err
		}
	}
	skip := done
	for _, b := range v {
		n := min(skip, len(b))
		skip -= n
		b = b[n:]
		n, err = t.writePieces(b)
		if done += n; err != nil || n < len(b) {
			return done, err
		}
	}
	return done, nil
}

func (t *tunnel) writePieces(b []byte) (done int, err error) {
	for done < len(b) && err == nil {
		c := b[done:min(len(b), done+piece)]
		if !t.known.fits(len(c)) {
			break
		}
		var n int
		n, err = t.c.Write(c)
		done += n
	}
	return done, err
}

// gather copies the front of v into buf.
func gather(buf []byte, v [][]byte) []byte {
	n := 0
	for _, b := range v {
		n += copy(buf[n:], b)
	}
	return buf[:n]
}

// enqueue copies v behind the queue, without its first skip octets.
func (t *tunnel) enqueue(v [][]byte, skip int) {
	if t.queue == nil {
		t.queue = blocks.Get().(*block)
	}
	for _, b := range v {
		n := min(skip, len(b))
		skip -= n
		t.queue.b = append(t.queue.b, b[n:]...)
		t.queued += len(b) - n
	}
}

// write is the writer that works off the queue.
func (t *tunnel) write() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.over && t.queue != nil {
		work := t.queue
		t.queue = nil
		if err := t.drain(work.b); err != nil {
			t.mu.Unlock()
			t.fail(err)
			t.mu.Lock()
		}
		work.free()
	}
	if t.over {
		t.writing = false
		return
	}
	if t.raw != nil {
		_ = t.c.SetWriteDeadline(time.Time{}) // the next attempt says what is wrong with the connection
	}
	t.known.forget()
	t.finish()
	t.wake.ring()
}

// drain writes work, and tells Drained when the queue has fallen far enough. mu is held between
// writes.
func (t *tunnel) drain(work []byte) error {
	size := piece
	if t.tries {
		size = gulp
	}
	for len(work) > 0 && !t.over {
		b := work[:min(len(work), size)]
		by := t.deadline(time.Now())
		var n int
		var err error
		t.outside(func() { n, err = t.writeSome(b, by) })
		if err != nil {
			return err
		}
		work = work[n:]
		if t.over {
			return nil
		}
		t.queued -= n
		if t.above && t.queued <= t.limits.Low {
			t.above = false
			t.tellDrained()
		}
	}
	return nil
}

// tellDrained tells the sink, with mu held, which is given up meanwhile.
func (t *tunnel) tellDrained() {
	t.telling++
	defer func() {
		t.telling--
		t.wake.ring()
	}()
	t.outside(func() {
		guard(t.sink.Drained, func(v any) { _ = t.crashed("Sink.Drained", v) })
	})
}

// writeSome writes b, or as much of a plain TCP connection's as moved within the deadline.
func (t *tunnel) writeSome(b []byte, by time.Time) (n int, err error) {
	guard(func() {
		if err = t.c.SetWriteDeadline(by); err == nil {
			n, err = t.c.Write(b)
		}
	}, func(v any) { n, err = 0, t.crashed("net.Conn.Write", v) })
	if n > 0 && t.tries && errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return n, err
}

// deadline is when a write that starts now has taken too long, with mu held.
func (t *tunnel) deadline(now time.Time) time.Time {
	if t.limits.WriteTimeout < 0 {
		return time.Time{}
	}
	return now.Add(t.limits.WriteTimeout)
}

// finish is the end of the writer, with mu held and the queue empty: it ends our side if that is
// due, and the stream if nothing is left of it.
func (t *tunnel) finish() {
	if t.fin && !t.ended {
		half, ok := t.c.(interface{ CloseWrite() error })
		t.outside(func() {
			var err error
			if ok {
				guard(func() { err = half.CloseWrite() }, func(v any) {
					err = t.crashed("net.Conn.CloseWrite", v)
				})
			}
			if err != nil {
				t.fail(err)
			}
		})
		t.ended = true
		t.peerEnded = t.peerEnded || !ok // what cannot end one side ends both
	}
	t.writing = false
	if t.over || !t.quiet && !(t.ended && t.peerEnded) {
		return
	}
	var err error
	if t.quiet {
		err = t.quietly()
	}
	t.end(err)
	t.outside(t.close)
}
