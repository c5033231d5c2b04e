package h3

import (
	"errors"
	"os"
	"time"

	"weir/stream"

	"github.com/quic-go/quic-go"
)

// hiddenMost is how many octets QUIC may hold that were given to it without a wait. It takes what
// the peer's windows allow, megabytes of some peers, and does not say what has left: past this a
// Write has to get through first, which returns once all before it is in packets.
const hiddenMost = 16 << 10

// chunkSize is how many octets of a queue stand in one piece.
const chunkSize = 16 << 10

// chunk is a piece of a tunnel's queue: octets of the wire.
type chunk struct {
	b     [chunkSize]byte
	r, w  int
	plain int // octets of payload among them
}

// Send queues octets, and gives QUIC what it takes at once.
func (t *tunnel) Send(v [][]byte, fin bool) (queued int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone != nil {
		return t.unsent(), t.gone
	}
	n := 0
	for _, p := range v {
		n += len(p)
	}
	if n == 0 && !fin && t.head == nil {
		return t.unsent(), nil
	}
	if fin {
		t.fin, t.gone = true, stream.ErrClosed
	}
	if len(t.queue) == 0 && n <= hiddenMost-t.hidden && t.room(n) {
		if done, err := t.try(v, n); done || err != nil {
			return 0, err
		}
	}
	t.put(t.head, 0)
	t.head = nil
	if n > 0 {
		var head [16]byte
		t.put(appendFrame(head[:0], frameData, uint64(n)), 0)
		for _, p := range v {
			t.put(p, len(p))
		}
	}
	t.push()
	if t.sink != nil && t.queued > t.limits.Low {
		t.above = true
	}
	return t.unsent(), nil
}

// unsent is how many octets of payload wait, as far as is known; mu is held. What QUIC took without
// a wait counts while a Write behind it does.
func (t *tunnel) unsent() int {
	if t.queued == 0 {
		return 0
	}
	return t.queued + t.hidden
}

// room says that n octets of payload and what stands before them fit one chunk; mu is held.
func (t *tunnel) room(n int) bool { return len(t.head)+16+n <= chunkSize }

// try gives QUIC the answer's head and n octets of payload, if it takes them without a wait; mu is
// held. An error is the stream's end.
func (t *tunnel) try(v [][]byte, n int) (done bool, err error) {
	k := t.c.srv.chunk()
	defer t.c.srv.chunks.Put(k)
	b := append(k.b[:0], t.head...)
	if n > 0 {
		b = appendFrame(b, frameData, uint64(n))
		for _, p := range v {
			b = append(b, p...)
		}
	}
	if len(b) > 0 {
		err := t.qs.TryWriteAll(b)
		if errors.Is(err, quic.ErrWouldBlock) {
			return false, nil
		}
		if err != nil {
			t.sendFailed(err)
			return false, told(err)
		}
		t.head = nil
		t.hidden += n
	}
	if t.fin {
		t.finish()
		t.bothEnded()
	}
	return true, nil
}

// sendFailed takes an error of writing; mu is held.
func (t *tunnel) sendFailed(err error) {
	if t.over {
		return
	}
	if se, ok := errors.AsType[*quic.StreamError](err); ok {
		if se.Remote {
			t.refused(se)
		}
		return
	}
	t.drop()
	t.end(t.c.lostBy(err))
}

// put queues octets, plain of them payload; mu is held.
func (t *tunnel) put(b []byte, plain int) {
	t.queued += plain
	for len(b) > 0 {
		var k *chunk
		if n := len(t.queue); n > 0 && t.queue[n-1].w < chunkSize {
			k = t.queue[n-1]
		} else {
			k = t.c.srv.chunk()
			t.queue = append(t.queue, k)
		}
		n := copy(k.b[k.w:], b)
		k.w += n
		if plain > 0 {
			k.plain += n
		}
		b = b[n:]
	}
}

// push has the queue written; mu is held.
func (t *tunnel) push() {
	if t.writes {
		return
	}
	if len(t.queue) == 0 {
		if t.fin {
			t.finish()
			t.bothEnded()
		}
		return
	}
	t.writes = true
	go t.write() // ends when the queue is empty, and with the stream
}

// write is the writer: it waits for the peer's windows and the network.
func (t *tunnel) write() {
	t.mu.Lock()
	whole := false
	defer func() {
		if !whole { // the sink crashed in Drained, or called runtime.Goexit
			go t.write() // ends when the queue is empty, and with the stream
		}
		t.mu.Unlock()
	}()
	for !t.over && len(t.queue) > 0 {
		k := t.queue[0]
		b := k.b[k.r:k.w]
		var deadline time.Time
		if d := t.limits.WriteTimeout; d > 0 {
			deadline = time.Now().Add(d)
		}
		t.mu.Unlock()
		_ = t.qs.SetWriteDeadline(deadline) // cannot fail
		n, err := t.qs.Write(b)
		t.mu.Lock()
		if len(t.queue) == 0 || t.queue[0] != k { // it was dropped meanwhile
			if t.over {
				break
			}
			continue
		}
		t.wrote(k, n)
		if err != nil && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
			t.writeFailed(err)
			break
		}
		t.drained()
	}
	t.writes, whole = false, true
	switch {
	case t.over:
	case t.quiet:
		t.hush()
	case t.fin:
		t.finish()
		t.bothEnded()
	}
}

// wrote counts n octets of k as sent, and what QUIC held before them; mu is held.
func (t *tunnel) wrote(k *chunk, n int) {
	if n == 0 {
		return
	}
	t.hidden = 0
	k.r += n
	left := min(k.w-k.r, k.plain) // a frame's header is counted as payload at the most late
	t.queued -= k.plain - left
	k.plain = left
	if k.r == k.w {
		t.c.srv.chunks.Put(k)
		t.queue[0] = nil
		t.queue = t.queue[1:]
		if len(t.queue) == 0 {
			t.queue = nil
		}
	}
}

// drained tells the sink that the queue is short again; mu is held, and let go meanwhile.
func (t *tunnel) drained() {
	if !t.above || t.unsent() > t.limits.Low || t.sink == nil || t.cut || t.over {
		return
	}
	t.above, t.draining = false, true
	sink := t.sink
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.draining = false
		if t.over { // Closed has waited
			t.wake()
		}
	}()
	t.call(sink.Drained)
}

// writeFailed takes an error of the writer's; mu is held.
func (t *tunnel) writeFailed(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.giveUp(os.ErrDeadlineExceeded, RequestCancelled)
		return
	}
	t.sendFailed(err)
}
