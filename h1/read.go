package h1

import (
	"errors"
	"io"
	"sync"
)

const (
	small = 4 << 10  // octets of the buffer that a blocked Read holds
	large = 32 << 10 // octets of one read where more is expected
)

var (
	smalls = sync.Pool{New: func() any { return new([small]byte) }}
	larges = sync.Pool{New: func() any { return new([large]byte) }}
)

// errAsleep says that the reader leaves, and another is started when something arrives.
var errAsleep = errors.New("h1: asleep")

// read is the reader. A sink that runs handlers inside Data may bring its goroutine down
// (runtime.Goexit); what is to be read then goes on on another.
func (t *tunnel) read() {
	told := false
	defer func() {
		if !told {
			go t.read() // ends as the one before it would have
		}
	}()
	t.tellFirst()
	next := t.readConn
	switch {
	case t.raw != nil:
		next = t.readRaw
	case t.nap != nil:
		next = t.readAwake
		t.stayAwake()
	}
	for n := t.credit(); n > 0; n = t.credit() {
		if t.first != nil { // what was read besides the window
			t.tellFirst()
			continue
		}
		err := next(n)
		switch {
		case err == nil:
		case err == errAsleep:
			told = true // the next reader does
			return
		case errors.Is(err, io.EOF):
			t.peerEnds()
		default:
			t.fail(err)
		}
	}
	told = true
	t.tellClosed()
}

// tellClosed is the end of the reader.
func (t *tunnel) tellClosed() {
	t.mu.Lock()
	for t.telling > 0 {
		t.wake.wait(&t.mu)
	}
	err := t.outcome.err
	t.mu.Unlock()
	guard(func() { t.sink.Closed(err) }, func(v any) { _ = t.crashed("Sink.Closed", v) })
}

// credit waits until the peer may send, and says how much; 0: the stream is over. Once the peer has
// ended there is nothing to wait for but our own end, and a reset.
func (t *tunnel) credit() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.over {
		if n := t.room(); n > 0 {
			return n
		}
		t.awaitRoom()
	}
	return 0
}

// room is how much the peer may send now, with mu held.
func (t *tunnel) room() int {
	switch {
	case t.over || t.peerEnded:
		return 0
	case t.quiet:
		return large // to be dropped
	}
	return t.limits.Window - t.unreleased
}

// tellFirst tells the octets that came with the request, or were read besides the window.
func (t *tunnel) tellFirst() {
	for t.first != nil && len(t.first.b) > 0 {
		n := min(t.credit(), len(t.first.b))
		if n == 0 {
			break
		}
		b := t.first.b[:n:n]
		t.first.b = t.first.b[n:]
		t.tell(b)
	}
	t.first = nil
}

// tell lends b to the sink. After Reset nobody wants it.
func (t *tunnel) tell(b []byte) {
	t.mu.Lock()
	drop := t.over || t.quiet
	if !drop {
		t.unreleased += len(b)
	}
	t.mu.Unlock()
	t.heard = true
	if !drop {
		t.data(b, false)
	}
}

// peerEnds tells that the peer has ended its side, and closes the connection if we have, too.
func (t *tunnel) peerEnds() {
	t.mu.Lock()
	drop := t.over || t.quiet
	t.peerEnded = true
	both := t.ended && !t.over
	if both {
		t.end(nil)
	}
	t.mu.Unlock()
	if both {
		defer t.close()
	}
	if !drop {
		t.data(nil, true)
	}
}

// readConn reads with a buffer in hand: a small one while nothing is known to be there.
func (t *tunnel) readConn(max int) error {
	buf := smalls.Get().(*[small]byte)
	n, err := t.readSome(buf[:min(max, small)])
	if n > 0 {
		t.tell(buf[:n])
	}
	smalls.Put(buf)
	if n < small || err != nil {
		return err
	}
	return t.readMore()
}

// readMore goes on with large buffers until one is not filled.
func (t *tunnel) readMore() error {
	buf := larges.Get().(*[large]byte)
	defer larges.Put(buf)
	for {
		t.mu.Lock()
		want := min(t.room(), large)
		t.mu.Unlock()
		if want == 0 {
			return nil
		}
		n, err := t.readSome(buf[:want])
		if n > 0 {
			t.tell(buf[:n])
		}
		if n < want || err != nil {
			return err
		}
	}
}
