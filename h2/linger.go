package h2

import (
	"errors"
	"os"
	"time"
)

// A connection ends in two steps: our side of the socket is closed behind the last octets (hangUp),
// and the reader goes on until the peer has closed its side. If the socket were closed at once,
// octets that still arrive would be answered with a TCP reset, which takes from the peer what it
// has not read. The wait is bounded by the times below.
const (
	// lingerTime is how long it lasts where nothing is known to be on its way to the peer, and
	// after an error.
	lingerTime = time.Second
	// lingerHeard is how long it lasts after the peer has sent something, where nobody knows what
	// the socket holds.
	lingerHeard = 5 * time.Second
	// lingerTaken is how long it lasts after the peer has taken octets that the socket holds.
	lingerTaken = time.Minute
	// lingerMost bounds all of it.
	lingerMost = 5 * time.Minute
)

// lingering is the state of that wait. Under conn.mu.
type lingering struct {
	since time.Time // when hangUp was called; zero: it was not
	moved time.Time // when the peer has taken or sent octets last
	left  int       // octets the socket held when it was asked last
}

// hangUp ends our side of the socket. A net.Conn that has no CloseWrite, as one that wraps another,
// is closed when the wait is over: GOAWAY has told the peer.
func (c *conn) hangUp() {
	cw, ok := c.io.(interface{ CloseWrite() error })
	if ok && cw.CloseWrite() != nil || c.io.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		c.io.Close()
	}
}

// lingers says whether the reader goes on after err: the connection has ended, and the peer still
// takes or sends.
func (c *conn) lingers(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hungUp || c.core.err != nil {
		return false
	}
	now := time.Now()
	l := &c.linger
	if l.since.IsZero() {
		l.since, l.moved = now, now
	}
	patience := lingerHeard
	if heard := c.core.keep.heard; heard.After(l.moved) {
		l.moved = heard
	}
	if left, known := unsent(c.io); known {
		if left == 0 {
			return false
		}
		if left < l.left {
			l.moved = now
		}
		l.left, patience = left, lingerTaken
	}
	if now.Sub(l.moved) >= patience || now.Sub(l.since) >= lingerMost {
		return false
	}
	return c.io.SetReadDeadline(now.Add(lingerTime)) == nil
}

// boundWrite bounds a write that is under way when the connection has ended: nothing else would end
// one to a socket that takes nothing. mu is held.
func (c *conn) boundWrite() {
	if c.bounded || !c.flushing || !c.core.over() {
		return
	}
	c.bounded = true
	d := lingerTaken
	if c.core.err != nil {
		d = lingerTime
	}
	_ = c.io.SetWriteDeadline(time.Now().Add(d)) // if it fails, so will the write
}

// takes says that the socket holds fewer octets for the peer than when it was asked last: what was
// sent is still on its way, and the connection is not idle. mu is held.
func (c *conn) takes() bool {
	left, known := unsent(c.io)
	before := c.linger.left
	c.linger.left = left
	return known && left > 0 && (before == 0 || left < before)
}

// CloseEnded closes the sockets of connections that have said everything and merely wait for their
// peer's end. Those without a stream are asked to end. It says how many connections are left.
func (s *Server) CloseEnded() (left int) {
	for _, c := range s.all() {
		if !c.closeEnded() {
			left++
		}
	}
	return left
}

func (c *conn) closeEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.hungUp && !c.flushing:
		c.nc.Close()
		return true
	case len(c.core.streams) == 0:
		c.core.leaveNow()
		c.after(false)
	}
	return false
}
