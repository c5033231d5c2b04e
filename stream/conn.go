package stream

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	connHigh = 64 << 10        // queued octets above which Write waits
	connWait = 5 * time.Second // how long after Close the peer has for its end
	// connStall is how long then, while something is queued, the peer may take nothing of it.
	connStall = DefaultWriteTimeout
)

// Conn is a stream as a net.Conn, with CloseWrite. Reads give credit back as they take octets; a
// peer that is not read stops at the window. Write waits while much is queued.
type Conn struct {
	st   Stream
	info Info

	mu      sync.Mutex
	changed sync.Cond
	in      []byte // received, not read
	fin     bool   // the peer has ended its side
	over    bool   // Closed was told
	err     error  // with it
	closed  bool   // Close was called
	queued  int
	writing bool        // a Write is under way
	late    *time.Timer // gives the stream up after Close
	left    int         // octets that were queued when it fired last
	rd, wd  connDeadline
}

// NewConn attaches a Conn to a stream that has no sink yet.
func NewConn(s Stream, window int) *Conn {
	c := &Conn{st: s, info: s.Info()}
	c.changed.L = &c.mu
	s.Attach((*connSink)(c), Limits{Window: window, Low: connHigh / 2})
	return c
}

// connSink is the sink of a Conn, apart from its methods for users.
type connSink Conn

func (s *connSink) Data(b []byte, fin bool) {
	c := (*Conn)(s)
	c.mu.Lock()
	drop := c.closed
	if !drop {
		c.in = append(c.in, b...)
	}
	c.fin = c.fin || fin
	c.changed.Broadcast()
	c.mu.Unlock()
	if drop {
		c.st.Release(len(b))
	}
}

func (s *connSink) Drained() {
	c := (*Conn)(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = 0 // low enough; the next Send says how much it is
	c.changed.Broadcast()
}

func (s *connSink) Closed(err error) {
	c := (*Conn)(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over, c.err = true, err
	if c.late != nil {
		c.late.Stop()
	}
	c.changed.Broadcast()
}

// Read gives io.EOF once the peer has ended its side.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	for len(c.in) == 0 || c.closed || c.rd.passed {
		if err := c.readError(); err != nil || len(b) == 0 {
			c.mu.Unlock()
			return 0, err
		}
		c.changed.Wait()
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	if len(c.in) == 0 {
		c.in = nil
	}
	c.mu.Unlock()
	c.st.Release(n)
	return n, nil
}

func (c *Conn) readError() error {
	switch {
	case c.closed:
		return c.wrap("read", net.ErrClosed)
	case c.rd.passed:
		return c.wrap("read", os.ErrDeadlineExceeded)
	case len(c.in) > 0:
		return nil
	case c.fin, c.over && c.err == nil:
		return io.EOF
	case c.over:
		return c.wrap("read", c.err)
	}
	return nil
}

// Write queues b, and waits until little enough is queued to go on. Another Write waits until it is
// done: the octets of one are never between those of another. An error after the octets were queued
// is told by the next Write.
func (c *Conn) Write(b []byte) (done int, err error) {
	if err := c.writable(true); err != nil {
		return 0, err
	}
	defer c.wrote()
	for {
		n := min(len(b)-done, connHigh)
		queued, err := c.st.Send([][]byte{b[done : done+n]}, false)
		if err != nil {
			return done, c.wrap("write", err)
		}
		c.mu.Lock()
		c.queued = queued
		c.mu.Unlock()
		if done += n; done == len(b) {
			return done, nil
		}
		if err := c.writable(false); err != nil {
			return done, err
		}
	}
}

// wrote ends a Write.
func (c *Conn) wrote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	c.changed.Broadcast()
}

// writable waits until there is room in the queue, and first until no other Write is under way.
func (c *Conn) writable(first bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return c.wrap("write", net.ErrClosed)
		case c.wd.passed:
			return c.wrap("write", os.ErrDeadlineExceeded)
		case c.over && c.err != nil:
			return c.wrap("write", c.err)
		case c.over:
			return c.wrap("write", ErrClosed)
		case first && c.writing:
			c.changed.Wait()
			continue
		case c.queued <= connHigh:
			c.writing = true
			return nil
		}
		c.queued, _ = c.st.Send(nil, false) // Drained may have come before queued was noted
		if c.queued > connHigh {
			c.changed.Wait()
		}
	}
}

// CloseWrite ends our side behind what was written.
func (c *Conn) CloseWrite() error {
	_, err := c.st.Send(nil, true)
	return c.wrap("close", err)
}

// Close ends our side behind what was written, and drops what still arrives. A peer that does not
// end its side within 5 s is given up, but not before it has got what was written; then one that
// takes nothing of that for 30 s.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return c.wrap("close", net.ErrClosed)
	}
	c.closed = true
	held := len(c.in)
	c.in = nil
	if !c.over {
		c.late = time.AfterFunc(connWait, c.expire)
	}
	c.rd.stop()
	c.wd.stop()
	c.changed.Broadcast()
	c.mu.Unlock()
	c.st.Release(held)
	_, _ = c.st.Send(nil, true) // an error says that our side has ended already
	return nil
}

// expire gives the stream up: at first behind what is queued, and then without it.
func (c *Conn) expire() {
	c.st.Reset(NoError)
	queued, _ := c.st.Send(nil, false) // only asked
	c.mu.Lock()
	stalled := queued > 0 && queued == c.left
	c.left = queued
	if !c.over && queued > 0 && !stalled {
		c.late.Reset(connStall)
	}
	c.mu.Unlock()
	if stalled {
		c.st.Reset(Cancel)
	}
}

// Reset gives the stream up: RST_STREAM, or a TCP reset.
func (c *Conn) Reset(code Code) { c.st.Reset(code) }

// LocalAddr is the connection's.
func (c *Conn) LocalAddr() net.Addr { return c.info.Local }

// RemoteAddr is the connection's.
func (c *Conn) RemoteAddr() net.Addr { return c.info.Remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline ends a Read that waits at t, and all later ones until it is set anew; zero:
// never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.rd, t) }

// SetWriteDeadline is SetReadDeadline for Write.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.wd, t) }

func (c *Conn) setDeadline(d *connDeadline, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	d.stop()
	d.passed = !t.IsZero() && time.Until(t) <= 0
	if !t.IsZero() && !d.passed {
		var timer *time.Timer
		timer = time.AfterFunc(time.Until(t), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if d.timer == timer {
				d.passed = true
				c.changed.Broadcast()
			}
		})
		d.timer = timer
	}
	c.changed.Broadcast()
	return nil
}

// connDeadline is one deadline; passed counts until it is set anew.
type connDeadline struct {
	timer  *time.Timer
	passed bool
}

func (d *connDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (c *Conn) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: string(c.info.Transport), Source: c.info.Local, Addr: c.info.Remote, Err: err}
}

// Buffered is how many octets were received that nobody has read.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in)
}

// Err is what cut the stream, nil if nothing has.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
