package stream

import (
	"net"
	"sync"
	"sync/atomic"
)

// Pipe gives the two ends of a stream in memory. Each obeys the whole contract: octets beyond the
// window of the other end wait in the queue of the one that sent them, and before the other end is
// attached all of them do. Data gets a copy of its own. An end has a goroutine only while there is
// something to tell its sink.
func Pipe() (a, b Stream) {
	mu := new(sync.Mutex)
	x, y := &pipeEnd{mu: mu}, &pipeEnd{mu: mu}
	x.peer, y.peer = y, x
	x.box.Claim() // Attach starts the first runner
	y.box.Claim()
	return x, y
}

// pipeEnd is one end. Its fields are guarded by mu, which both ends share; box is filled with mu
// held and emptied without.
type pipeEnd struct {
	mu   *sync.Mutex
	peer *pipeEnd
	sink Sink // set before the first runner starts
	box  Mailbox[pipeBox]
	cut  atomic.Bool // given up: octets in the box are no longer told

	limits   Limits
	attached bool

	queue  [][]byte // what waits for the peer's window
	queued int      // octets in queue
	above  bool     // queued was over Low and Drained has not been told since
	fin    bool     // our side ends behind the queue
	passed bool     // our end has reached the peer's box
	quiet  bool     // Reset(NoError): give up once the queue has left

	held int   // octets put in the box and not released
	over bool  // Closed is in the box
	gone error // what Send gives
}

type pipeBox struct{ told []pipeEvent }

type pipeEvent struct {
	kind   pipeKind
	octets []byte
	fin    bool
	err    error
}

type pipeKind uint8

const (
	pipeData pipeKind = iota
	pipeDrained
	pipeClosed
)

func (e *pipeEnd) Attach(s Sink, l Limits) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attached {
		panic("stream: BUG: attached twice")
	}
	e.attached, e.sink, e.limits = true, s, l.WithDefaults()
	e.above = e.queued > e.limits.Low
	e.peer.pump()
	go e.run() // ends when the box is empty; put starts the next
}

func (e *pipeEnd) Send(v [][]byte, fin bool) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone != nil {
		return e.queued, e.gone
	}
	n := 0
	for _, b := range v {
		n += len(b)
	}
	if n > 0 {
		c := make([]byte, 0, n)
		for _, b := range v {
			c = append(c, b...)
		}
		e.queue = append(e.queue, c)
		e.queued += n
	}
	if fin {
		e.fin, e.gone = true, ErrClosed
	}
	e.pump()
	if e.attached && e.queued > e.limits.Low {
		e.above = true
	}
	return e.queued, nil
}

func (e *pipeEnd) Release(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over || e.quiet {
		return
	}
	if n > e.held {
		panic("stream: BUG: released more than was received")
	}
	e.held -= n
	e.peer.pump()
}

func (e *pipeEnd) Reset(c Code) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if c == NoError {
		e.quiet = true
		e.gone = &ResetError{Code: NoError}
		e.cut.Store(true)
		e.peer.pump() // what it still sends is dropped
		e.pump()
		return
	}
	e.giveUp(c)
}

func (e *pipeEnd) Info() Info {
	return Info{Transport: Mem, Local: pipeAddr{}, Remote: pipeAddr{}, Own: true}
}

// giveUp ends both sides. A fault also cuts what the peer has not been told yet.
func (e *pipeEnd) giveUp(c Code) {
	e.cut.Store(true)
	if c != NoError {
		e.peer.cut.Store(true)
	}
	e.end(&ResetError{Code: c})
	e.peer.end(&ResetError{Code: c, Remote: true})
}

// end drops what is queued and tells Closed, once, behind what is in the box.
func (e *pipeEnd) end(err error) {
	if e.over {
		return
	}
	e.over = true
	e.queue, e.queued, e.gone = nil, 0, ErrClosed
	if err != nil {
		e.gone = err
	}
	e.put(pipeEvent{kind: pipeClosed, err: err})
}

// pump passes on what the peer's window allows.
func (e *pipeEnd) pump() {
	p := e.peer
	if e.over || !p.attached && !p.quiet {
		return
	}
	for len(e.queue) > 0 {
		b := e.queue[0]
		n := len(b)
		if !p.quiet {
			if n = min(n, p.limits.Window-p.held); n == 0 {
				break
			}
			p.held += n
			p.put(pipeEvent{octets: b[:n:n], fin: e.fin && n == e.queued})
		}
		e.queued -= n
		if n < len(b) {
			e.queue[0] = b[n:]
			break
		}
		e.passed = e.fin && e.queued == 0
		e.queue[0] = nil
		e.queue = e.queue[1:]
	}
	if e.above && e.queued <= e.limits.Low {
		e.above = false
		e.put(pipeEvent{kind: pipeDrained})
	}
	if len(e.queue) > 0 {
		return
	}
	e.queue = nil
	if e.fin && !e.passed {
		e.passed = true
		p.put(pipeEvent{fin: true})
	}
	switch {
	case e.passed && p.passed:
		e.end(nil)
		p.end(nil)
	case e.quiet && p.passed:
		e.passed = true
		p.put(pipeEvent{fin: true})
		e.end(nil)
		p.end(nil)
	case e.quiet:
		e.giveUp(NoError)
	}
}

// put tells the sink ev, in order with what is in the box.
func (e *pipeEnd) put(ev pipeEvent) {
	box := e.box.Lock()
	box.told = append(box.told, ev)
	if e.box.Unlock() {
		go e.run() // ends when the box is empty; put starts the next
	}
}

func (e *pipeEnd) run() { e.tell(new(pipeBox), 0) }

// tell tells the sink what is in the box, after what has been taken of it from done on. A handler
// that runs inside Data may end the goroutine (runtime.Goexit): then another one goes on.
func (e *pipeEnd) tell(in *pipeBox, done int) {
	returned := false
	defer func() {
		if !returned {
			go e.tell(in, done) // ends as run does
		}
	}()
	for {
		for done < len(in.told) {
			ev := in.told[done]
			done++
			switch {
			case ev.kind == pipeClosed:
				e.sink.Closed(ev.err)
			case e.cut.Load():
			case ev.kind == pipeDrained:
				e.sink.Drained()
			default:
				e.sink.Data(ev.octets, ev.fin)
			}
		}
		clear(in.told)
		in.told, done = in.told[:0], 0
		if !e.box.Take(in) {
			break
		}
	}
	returned = true
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

var _ net.Addr = pipeAddr{}
