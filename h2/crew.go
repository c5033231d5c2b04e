package h2

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"weir/stream"
)

// crew does the turns of a connection's sinks, on one goroutine for as long as no turn is slow: the reader's, for what it has
// read. So what one read brought for many streams costs no other goroutine, and leaves in one write. A look every millisecond, while
// there is somebody who would have to wait, finds the hand that does not come on. It is left alone with its turn, what the others
// said is written, and another hand does what waits. A reader that two looks find at turns is not the reader any more: another
// goroutine is.
//
// mu is taken with conn.mu held, never the other way round.
type crew struct {
	c *conn

	mu       sync.Mutex
	queue    []stream.Turner // from head on
	head     int
	hands    []*hand   // those that work, but for those that were left alone
	working  int       // len(hands), and those about to start
	resting  *hand     // a hand that has nothing to do, until the next look at it: its goroutine is worth keeping so long
	bell     sync.Cond // on mu: resting has been called, or sent home
	idle     *hand     // one to use again
	asked    bool      // somebody has left octets for a hand to write
	closed   bool      // the connection is over: nobody rests
	watching bool
	lookout  *lookout
	arriving bool   // the reader tells sinks what it has read, and does their turns next
	reader   *hand  // the reader while it does turns
	work     func() // method values, so that go statements do not allocate
	write    func()
	reads    func()
	full     atomic.Bool
}

// hand is one goroutine of a crew.
type hand struct {
	steps uint64 // turns and writes it has begun
	seen  uint64 // steps at the last look
	left  bool   // it was left alone
	late  bool   // of the reader: a look has seen it
	home  bool   // it was sent home while it rested
}

const (
	// crewLook is how often somebody looks. A hand is slow when two looks find it at the same step.
	crewLook = time.Millisecond
	// crewSlow is the number of steps between two looks below which another processor is worth a hand.
	crewSlow = 32
	// crewClock is the number of turns for which one look at the clock is good.
	crewClock = 8
	// crewFew is how many turns a crew with nothing to do has room for.
	crewFew = 16
	// crewDelay is about how long octets wait for other turns that are not slow.
	crewDelay = 300 * time.Microsecond
)

// Enlist implements stream.Crew.
func (w *crew) Enlist(t stream.Turner) {
	w.mu.Lock()
	w.queue = append(w.queue, t)
	w.start()
	w.mu.Unlock()
}

// start sees to it that a hand is at work; mu is held.
func (w *crew) start() {
	switch {
	case w.working > 0:
		w.look()
	case !w.arriving:
		w.call()
	}
}

// call calls one more hand; mu is held.
func (w *crew) call() {
	w.working++
	if h := w.resting; h != nil {
		w.resting = nil
		w.hands = append(w.hands, h)
		w.bell.Broadcast() // another hand may wait to rest as well
		return
	}
	go w.work() // ends when nothing is enlisted; whoever enlists starts the next
}

// look has somebody look after the hands; mu is held.
func (w *crew) look() {
	if w.watching {
		return
	}
	w.watching = true
	for _, h := range w.hands {
		h.seen = h.steps
	}
	w.lookout.add(w)
}

// waits is the number of turns to do; mu is held.
func (w *crew) waits() int { return len(w.queue) - w.head }

func (w *crew) next() stream.Turner {
	t := w.queue[w.head]
	w.queue[w.head] = nil
	if w.head++; w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
		if cap(w.queue) > 256 {
			w.queue = nil
		}
	} else if w.head >= 256 {
		n := copy(w.queue, w.queue[w.head:])
		clear(w.queue[n:])
		w.queue, w.head = w.queue[:n], 0
	}
	return t
}

// arrives says that the reader is about to tell sinks something.
func (w *crew) arrives() {
	w.mu.Lock()
	w.arriving = true
	w.mu.Unlock()
}

// told says that the reader has done so. It does the turns that came of it, unless a hand is at work. False: it is not the reader any
// more.
func (w *crew) told() (reader bool) {
	w.mu.Lock()
	w.arriving = false
	if w.working > 0 || w.waits() == 0 && !w.asked {
		w.mu.Unlock()
		return true
	}
	w.working++
	h := w.join()
	w.reader = h
	w.look()
	w.mu.Unlock()
	defer w.c.broken()
	return w.do(h)
}

// overTold is told for what the reader told last.
func (w *crew) overTold() {
	w.mu.Lock()
	w.arriving = false
	w.refill()
	w.mu.Unlock()
}

// relieve makes another goroutine the reader; mu is held.
func (w *crew) relieve() {
	w.reader = nil
	go w.reads() // ends with the connection, or when it is relieved
}

// turns is what a hand does that is not the reader.
func (w *crew) turns() {
	w.mu.Lock()
	h := w.join()
	w.mu.Unlock()
	defer w.c.broken()
	w.do(h)
}

// do does turns until none waits. reader: h is the reader still, and reads on.
func (w *crew) do(h *hand) (reader bool) {
	normal := false
	defer func() {
		if !normal { // a turn ended the goroutine (runtime.Goexit)
			w.lost(h)
		}
	}()
	now := time.Now()
	said := now // since when octets may wait
	dirty, alone := false, false
	for n := 1; ; n++ {
		w.mu.Lock()
		for w.waits() == 0 && !dirty && !w.asked && !h.left {
			if reader = w.reader == h; reader || !w.rest(h) {
				if reader {
					w.drop(h)
					w.reader, w.idle = nil, h
				}
				w.mu.Unlock()
				normal = true
				return reader
			}
			now = time.Now()
		}
		if h.left {
			w.refill()
			w.mu.Unlock()
			w.flush()
			normal = true
			return false
		}
		h.steps++
		if w.waits() == 0 || dirty && (w.full.Load() || now.Sub(said) > crewDelay) {
			w.asked = false
			w.look()
			w.mu.Unlock()
			w.flush()
			said, dirty = now, false
			continue
		}
		t := w.next()
		if dirty || w.waits() > 0 {
			w.look()
		}
		late := alone // nobody looked while the turn before ran: it may have taken any time
		alone = !w.watching
		w.mu.Unlock()
		if late || n%crewClock == 0 {
			now = time.Now()
		}
		if !dirty {
			said, dirty = now, true
		}
		if t.Turn(now) {
			w.Enlist(t)
		}
	}
}

// join makes a hand, of those that work; mu is held.
func (w *crew) join() *hand {
	h := w.idle
	if w.idle = nil; h == nil {
		h = new(hand)
	}
	*h = hand{}
	w.hands = append(w.hands, h)
	return h
}

// rest ends the work of a hand, for good or until it is called. False: for good. mu is held.
func (w *crew) rest(h *hand) (called bool) {
	w.drop(h)
	if w.resting != nil || !w.watching || w.closed {
		w.idle = h
		return false
	}
	h.seen = h.steps
	w.resting = h
	for w.resting == h {
		w.bell.Wait()
	}
	if h.home {
		w.idle = h
	}
	return !h.home
}

// sendHome ends the goroutine of a hand that rests; mu is held.
func (w *crew) sendHome() {
	if h := w.resting; h != nil {
		h.home = true
		w.resting = nil
		w.bell.Broadcast() // another hand may wait to rest as well
	}
}

// close says that the connection is over.
func (w *crew) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.sendHome()
	w.bell.Broadcast()
}

// await waits for close.
func (w *crew) await() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.closed {
		w.bell.Wait()
	}
}

// lost ends a hand whose goroutine is gone.
func (w *crew) lost(h *hand) {
	w.mu.Lock()
	if !h.left {
		w.drop(h)
	}
	if w.reader == h {
		w.relieve()
	}
	w.refill()
	w.mu.Unlock()
	w.flush()
}

// drop takes a hand out; mu is held.
func (w *crew) drop(h *hand) {
	for i, have := range w.hands {
		if have == h {
			last := len(w.hands) - 1
			w.hands[i], w.hands[last] = w.hands[last], nil
			w.hands = w.hands[:last]
		}
	}
	w.working--
}

// refill calls a hand if there is something to do and nobody does it; mu is held.
func (w *crew) refill() {
	if w.waits() > 0 && w.working == 0 {
		w.call()
	}
}

// looks looks after the hands. False: there is no need for another look.
func (w *crew) looks() (again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slow := false
	done := uint64(0)
	for i := len(w.hands) - 1; i >= 0; i-- {
		h := w.hands[i]
		if done += h.steps - h.seen; h.steps == h.seen {
			h.left, slow = true, true
			w.drop(h)
		}
		h.seen = h.steps
	}
	if h := w.reader; h != nil && (h.left || h.late) {
		w.relieve()
	} else if h != nil {
		h.late = true
	}
	if h := w.resting; h != nil {
		if h.steps == h.seen {
			w.sendHome()
		} else {
			h.seen = h.steps
		}
	}
	w.refill()
	if n := w.working; n > 0 && w.waits() > 0 && done < crewSlow && n < runtime.GOMAXPROCS(0) {
		w.call()
	}
	if slow { // what it said before, or somebody left to it
		go w.write() // ends when it is written
	}
	if w.watching = w.working > 0 || w.resting != nil; !w.watching && w.waits() == 0 && cap(w.queue) > crewFew {
		w.queue = nil
	}
	return w.watching
}

// flush writes what was said.
func (w *crew) flush() {
	c := w.c
	c.mu.Lock()
	defer c.mu.Unlock()
	more := true
	defer c.crashed(&more)
	w.full.Store(false)
	c.afterTurns(true)
}

// writes has a hand see to the output before long; c.mu is held. So whoever has much to send finds nobody writing.
func (w *crew) writes() {
	w.mu.Lock()
	w.asked = true
	w.start()
	w.mu.Unlock()
}

// Enlist implements stream.Crew.
func (t *tunnel) Enlist(s stream.Turner) { t.c.crew.Enlist(s) }

// Hand implements stream.Crew.
func (t *tunnel) Hand(v [][]byte, fin bool, n int) (queued int, err error) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.core.release(t.s, n)
	}
	size := 0
	for _, p := range v {
		size += len(p)
	}
	if size >= largeSend {
		var lent [4][]byte // v is not ours to change
		if c.large(t.s, append(lent[:0], v...), size, fin) {
			c.afterTurns(false)
			if t.s.state == stateClosed {
				return 0, told(t.s.sendable())
			}
			return t.s.queued(), nil
		}
	}
	if size > 0 || fin {
		if queued, err := c.core.send(t.s, v, fin); err != nil {
			return queued, told(err)
		}
	}
	switch {
	case size >= largeSend:
		c.afterTurns(false)
	case len(c.core.out) >= maxOut/2 || c.core.anyReady():
		c.crew.full.Store(true)
	}
	return t.s.queued(), nil
}
