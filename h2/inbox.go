package h2

import (
	"sync"
	"time"
)

const (
	// chunkSize is what a chunk holds, as much as a frame by default.
	chunkSize = 16 << 10
	// smallChunk is the most that comes at a time of a body, for it to be kept in a buffer of its
	// own size.
	smallChunk = 1 << 10
)

// inbox holds what was received of a request's body and not read; the stream's window bounds it. It
// is written with conn.mu held. A handler reads it without, so that it need not wait for the
// connection's reader, until there is credit to announce.
type inbox struct {
	fin     bool // the peer has ended its side; under conn.mu
	expired bool // the read deadline passed before it did; under conn.mu

	mu          sync.Mutex
	first, last *chunk
	small       chunk // the first, of a body that comes in small pieces
	size        int   // octets
	room        int   // what the chunks can hold, those that are given back not
	late        int   // those of them that came after the read deadline: none is read
	spent       int   // octets that were read, and whose credit has not been given back
	free        int   // octets that may be read before conn.mu is needed
	ends        bool  // nothing comes behind those that are there: conn.mu is needed for the last
	closed      bool  // nobody reads any more
}

// chunk is a piece of an inbox.
type chunk struct {
	next *chunk
	b    []byte // octets, with room behind them; those before off have been read
	off  int
}

// chunks are those of chunkSize.
var chunks = sync.Pool{New: func() any { return &chunk{b: make([]byte, 0, chunkSize)} }}

// chunk makes one for n octets.
func (in *inbox) chunk(n int) *chunk {
	if in.last != nil || n > smallChunk {
		return chunks.Get().(*chunk)
	}
	if cap(in.small.b) < n {
		in.small.b = make([]byte, 0, n)
	}
	return &in.small
}

// len is how many octets can be read.
func (in *inbox) len() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.size - in.late
}

// held is how many octets there are whose credit has not been given back, and the memory that the
// chunks take.
func (in *inbox) held() (size, room int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.size + in.spent, in.room
}

// whole says that nothing can come behind them; conn.mu is held.
func (in *inbox) whole() bool { return in.fin && !in.expired }

// expire says that the deadline has passed, or no more: then what came since can be read. conn.mu
// is held.
func (in *inbox) expire(on bool) {
	if in.expired = on && (in.expired || !in.fin); !in.expired {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.late = 0
	}
}

// put copies octets behind those that are there; conn.mu is held.
func (in *inbox) put(p []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.size += len(p)
	if in.expired {
		in.late += len(p)
	}
	for len(p) > 0 {
		k := in.last
		if k == nil || len(k.b) == cap(k.b) {
			k = in.chunk(len(p))
			if in.last == nil {
				in.first = k
			} else {
				in.last.next = k
			}
			in.last = k
			in.room += cap(k.b)
		}
		n := copy(k.b[len(k.b):cap(k.b)], p)
		k.b = k.b[:len(k.b)+n]
		p = p[n:]
	}
}

// take copies as many octets to p as there are and fit; mu is held.
func (in *inbox) take(p []byte) (n int) {
	p = p[:min(len(p), in.size-in.late)]
	for n < len(p) && in.first != nil {
		k := in.first
		m := copy(p[n:], k.b[k.off:])
		k.off += m
		if n += m; k.off == len(k.b) {
			in.next()
		}
	}
	in.size -= n
	in.spent += n
	return n
}

// next gives the first chunk back; mu is held.
func (in *inbox) next() {
	k := in.first
	if in.first = k.next; in.first == nil {
		in.last = nil
	}
	in.room -= cap(k.b)
	k.next, k.b, k.off = nil, k.b[:0], 0
	if k != &in.small {
		chunks.Put(k)
	}
}

// tryRead reads what may be read without conn.mu: 0 octets if there is more to do than that.
func (in *inbox) tryRead(p []byte) (n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = min(len(p), in.size-in.late)
	if in.closed || in.spent+n >= in.free || in.ends && n == in.size {
		return 0
	}
	return in.take(p)
}

// end says that nothing comes any more; conn.mu is held. empty: everything has been read.
func (in *inbox) end() (empty bool) {
	in.fin = true
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ends = true
	return in.size == 0
}

// reportNext has the next Read tell at once what was read: frames have come that count until they
// are.
func (in *inbox) reportNext() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.free = 0
}

// drop forgets everything, and says how many octets it is, and how many were read before whose
// credit has not been given back.
func (in *inbox) drop() (spent, left int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.first != nil {
		in.next()
	}
	spent, left = in.spent, in.size
	in.size, in.late, in.spent, in.closed = 0, 0, 0, true
	return spent, left
}

// all takes everything out, and leaves it to its new owner to give the credit back.
func (in *inbox) all() (b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.late = 0; in.size > 0 {
		b = make([]byte, in.size)
		in.take(b)
	}
	in.spent = 0
	return b
}

// giveCredit gives back the credit of what was read until now, and grants more at the first Read,
// or takes that back when all has been read that will ever come; conn.mu is held.
func (x *exchange) giveCredit() {
	c, in := x.c, &x.in
	in.mu.Lock()
	spent, empty := in.spent, in.size == 0
	in.spent = 0
	in.mu.Unlock()
	free := batch(x.s)      // more of it is not to count as if nobody had read it
	if in.fin || x.closed { // nobody waits for credit
		if c.core.release(x.s, spent); empty {
			c.core.readEnds(&x.growth)
		}
	} else {
		now := time.Now()
		c.core.readBegins(x.s, &x.growth, now)
		c.core.readBody(x.s, &x.growth, spent, now)
		free = c.core.untilUpdate(x.s)
	}
	in.mu.Lock()
	in.free = free
	in.mu.Unlock()
	x.countRoom()
	if !in.fin {
		c.after(true) // conn.mu may be given up in it
	}
}

// read is inbox.take and giveCredit.
func (x *exchange) read(p []byte) int {
	x.in.mu.Lock()
	n := x.in.take(p)
	x.in.mu.Unlock()
	x.giveCredit()
	return n
}
