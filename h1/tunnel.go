package h1

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"weir/stream"
)

// tunnel is the stream over one connection.
//
// Two roles share it. The reader, one goroutine from Attach on, reads while there is credit and
// tells the sink everything but Drained; it ends by telling Closed. The writer is whoever set
// writing: a Send, for its own octets, or a goroutine that works off the queue. While nobody is the
// writer, the queue is empty.
type tunnel struct {
	c     conn
	sock  *sock // c, if the poller watches it: then the reader is a worker of the poller's
	raw   *raw  // c, if it is another plain TCP connection
	known *room // the writer's; nil: nothing is known
	about about

	mu     sync.Mutex
	wake   bell // what the reader, or a Send, waits for changed
	sink   stream.Sink
	limits *stream.Limits // shared
	first  *block         // octets that came with the request, the reader's; nil: none any more
	head   *block         // the answer, until the first Send
	queue  *block         // what waits for the writer; nil: nothing
	queued int            // octets in queue, and those a goroutine took from it and has not written
	wait   *patience      // of those that wait for the writer; nil: nobody has

	unreleased int   // octets told and not released
	telling    int32 // calls of Drained that have not returned
	tries      bool  // plain TCP, to which Send may write without blocking
	above      bool  // queued was over Low and Drained has not been told since
	writing    bool
	fin        bool // our side ends behind the queue
	ended      bool // our side has ended
	peerEnded  bool
	heard      bool     // something has arrived since this was cleared; the reader's
	quiet      bool     // Reset(NoError): over once the queue has left
	over       bool     // the connection is closed, or is about to be by whoever set it
	outcome    *outcome // nil: Send may send
	nap        *nap     // nil: the reader does not leave before the stream is over
	watch      *watch   // the reader's, while the window is full; nil: it has not been
}

// outcome is what an end is told as.
type outcome struct {
	err  error // by Closed
	gone error // by Send
}

// conn is what the tunnel needs of a net.Conn.
type conn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

func newTunnel(c net.Conn, info stream.Info, head, first []byte) *tunnel {
	t := bareTunnel(c, info, head, first)
	if !t.adopt(c) {
		t.arm()
		t.lookBelow()
	}
	t.tries = t.sock != nil || t.raw != nil
	return t
}

// newSharedTunnel is newTunnel for a connection that others may hold, too. If they close it, the
// stream has to end. The net.Conn tells only who is in a Read of it, so there is a reader as long
// as there is a stream.
func newSharedTunnel(c net.Conn, info stream.Info, head, first []byte) *tunnel {
	t := bareTunnel(c, info, head, first)
	t.arm()
	t.lookBelow()
	t.nap = nil
	t.tries = t.raw != nil
	return t
}

func bareTunnel(c net.Conn, info stream.Info, head, first []byte) *tunnel {
	t := &tunnel{c: c, about: aboutOf(info), first: blockOf(first), limits: &defaultLimits}
	if head != nil { // else it is a client's
		t.head = &block{head}
	}
	return t
}

// blockOf is b, nil where there is nothing in it.
func blockOf(b []byte) *block {
	if len(b) == 0 {
		return nil
	}
	return &block{b}
}

var defaultLimits = stream.Limits{}.WithDefaults()

// lastLimits are those of the stream that was attached last: those of the next are most likely the
// same.
var lastLimits atomic.Pointer[stream.Limits]

// sharedLimits are l with defaults, one struct for many streams.
func sharedLimits(l stream.Limits) *stream.Limits {
	l = l.WithDefaults()
	if last := lastLimits.Load(); last != nil && *last == l {
		return last
	}
	lastLimits.Store(&l)
	return &l
}

func (t *tunnel) Info() stream.Info { return t.about.info() }

func (t *tunnel) Attach(s stream.Sink, l stream.Limits) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sink != nil {
		panic("h1: BUG: attached twice")
	}
	t.sink, t.limits = s, sharedLimits(l)
	t.above = t.queued > t.limits.Low
	if t.sock == nil {
		go t.read() // ends when the stream is over, with Closed
		return
	}
	t.begin()
}

func (t *tunnel) Release(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.quiet {
		return
	}
	if n > t.unreleased {
		panic("h1: BUG: released more than was received")
	}
	t.unreleased -= n
	t.stir()
}

func (t *tunnel) Reset(c stream.Code) {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	if c != stream.NoError {
		t.end(&stream.ResetError{Code: c})
		t.mu.Unlock()
		if t.tries || t.known != nil {
			t.cut()
		} else {
			go t.cut() // ends when the net.Conn is closed: it may be a user's, and take its time
		}
		return
	}
	t.quiet = true
	t.outcome = &outcome{gone: &stream.ResetError{Code: c}}
	t.stir()
	switch {
	case t.writing: // who is the writer sees to it
		t.mu.Unlock()
	case t.head != nil || !t.tries: // TLS has words of its own when it closes
		var v [][]byte
		if t.head != nil {
			v = [][]byte{t.head.b}
			t.head = nil
		}
		t.writing = true
		t.handOver(v, 0)
		t.mu.Unlock()
	default:
		t.end(t.quietly())
		t.mu.Unlock()
		t.close()
	}
}

// quietly is what Closed says after Reset(NoError).
func (t *tunnel) quietly() error {
	if t.peerEnded {
		return nil
	}
	return &stream.ResetError{Code: stream.NoError}
}

// end says that the stream is over, with mu held. Whoever calls it closes the connection, without
// mu.
func (t *tunnel) end(err error) {
	t.over = true
	t.head, t.queue, t.queued = nil, nil, 0
	t.outcome = &outcome{err, stream.ErrClosed}
	if reset, ok := err.(*stream.ResetError); ok {
		t.outcome.gone = reset
	}
	t.stir()
}

// fail ends the stream with the connection's error, unless it is over.
func (t *tunnel) fail(err error) {
	t.mu.Lock()
	if t.over {
		t.mu.Unlock()
		return
	}
	if t.quiet {
		err = t.quietly()
	}
	t.end(err)
	t.mu.Unlock()
	t.cut()
}
