package h2

import (
	"sync"
	"time"
)

const (
	// largeSend is what a send has at least that is written from where it stands.
	largeSend = 16 << 10
	// largeWrite is about what one write takes of it, to a plain socket, and largeCopy to others,
	// which may block; largeShare if there are other streams, for which something may come at any
	// time.
	largeWrite = 256 << 10
	largeCopy  = smallWrite
	largeShare = 128 << 10
	// smallWrite is what a socket surely takes that is below TLS and has room, see below.
	smallWrite = 16 << 10
	// outSize is the size of the buffers that come and go: frames of the connection, and of streams
	// up to maxOut.
	outSize = maxOut + 8<<10
	// outKeep is what an idle connection keeps.
	outKeep = 1 << 10
)

var outs = sync.Pool{New: func() any { return new([outSize]byte) }}

// need makes room for n octets more in out.
func (c *core) need(n int) {
	if len(c.out)+n <= cap(c.out) || len(c.out)+n > outSize || cap(c.out) < outKeep && len(c.out)+n <= outKeep {
		return
	}
	b := append(outs.Get().(*[outSize]byte)[:0], c.out...)
	freeOut(c.out)
	c.out = b
}

// freeOut gives a buffer back that need made.
func freeOut(b []byte) {
	if cap(b) == outSize {
		outs.Put((*[outSize]byte)(b[:outSize]))
	}
}

// large is send for many octets, n in all: as far as windows go, and as long as the socket takes
// them, they are written from where they stand, in the turns of the stream; the rest is copied. So
// it never waits for a peer that does not read. mu is held, but not during a write, nor while
// others write. v is used up. done is false if nothing was done, for the queue is the only way.
func (c *conn) large(s *coreStream, v [][]byte, n int, fin bool) (done bool) {
	if !c.core.lendable(s) {
		return false
	}
	s.fin = fin
	c.core.lend(s, v, n)
	for {
		switch {
		case c.flushing && c.core.borrows(s):
			c.wrote.Wait() // until it is written, or copied because the socket is full
		case !c.core.lends(s) || !c.keen():
			c.core.lendDone(s)
			return true
		case c.flushing:
			c.wrote.Wait() // whoever writes writes ours as well
		default:
			c.flushing = true
			if c.put(c.plain.raw == nil) {
				c.flushing = false
				continue
			}
			c.plain.own()
			c.copied(true)
			go c.flusher() // ends when there is nothing to write
		}
	}
}

// keen says that a large send goes on writing: nothing says that it would have to wait for the
// socket.
func (c *conn) keen() bool {
	if c.plain.raw != nil {
		return !c.full
	}
	return !c.flushing && c.below.takes()
}

// copied notes that nothing of the write under way is lent any more; mu is held.
func (c *conn) copied(full bool) {
	c.full = full
	c.core.copied = c.core.turn
	c.wrote.Broadcast()
}

func lentSize(lent []piece) (n int) {
	for _, l := range lent {
		n += len(l.p)
	}
	return n
}

// put writes what there is, and what is lent to it, in one write; mu is held, but not during the
// write. False: it was not to wait, and there is a rest, which the next put writes. After hangUp
// there is nobody to write to: what is said then is dropped.
func (c *conn) put(waits bool) (whole bool) {
	if c.hungUp && c.begun == nil {
		c.core.out = nil
		return true
	}
	now := time.Now()
	out := c.begun
	if out == nil {
		out = c.core.swap(c.spare, now)
		c.spare = nil
		c.events()
	}
	if len(out) > 0 {
		lent := c.core.lent
		size := len(out) + lentSize(lent)
		c.unyielded += size
		if len(c.core.streams) > 1 && c.lowat.due(size, now) {
			c.lowat.limitSocket(c.io)
		}
		if c.plain.raw == nil { // it may block, and nobody will know
			c.core.socketWaits(now)
			c.arm()
		}
		begun := c.begun != nil
		var rest bool
		var err error
		c.outside(func() { rest, err = c.write(out, lent, begun, waits) })
		if rest {
			c.begun = out
			return false
		}
		c.begun, c.full = nil, false
		if c.core.socketTook() {
			c.core.stir(time.Now())
		}
		c.finishes()
		clear(lent)
		c.core.lent = lent[:0]
		if err != nil {
			c.lose(err)
		}
	}
	c.wrote.Broadcast()
	if cap(out) > outKeep {
		freeOut(out)
		return true
	}
	c.spare = out[:0]
	return true
}

// write writes out and lent; begun: the rest of them. rest: it was not to wait, and did not write
// all.
func (c *conn) write(out []byte, lent []piece, begun, waits bool) (rest bool, err error) {
	if c.plain.raw == nil {
		return false, c.writeBlind(out, lent)
	}
	if !begun {
		c.addPlain(out, lent)
	}
	late, rest, err := c.plain.write(waits)
	if late && err == nil {
		err = c.io.SetWriteDeadline(time.Time{})
	}
	return rest, err
}

// writeBlind writes to what is no plain socket: it waits, and nobody knows whether.
func (c *conn) writeBlind(out []byte, lent []piece) error {
	if _, err := c.limit(); err != nil {
		return err
	}
	if len(lent) == 0 {
		_, err := c.io.Write(out)
		return err
	}
	b := outs.Get().(*[outSize]byte)
	defer outs.Put(b)
	joined, from := b[:0], 0
	for _, l := range lent {
		joined = append(append(joined, out[from:l.at]...), l.p...)
		from = l.at
	}
	joined = append(joined, out[from:]...)
	c.mu.Lock()
	c.copied(false)
	c.mu.Unlock()
	_, err := c.io.Write(joined)
	return err
}

// addPlain gives a plain socket's writer what is to be written. It has no deadline unless it has to
// wait: then WriteTimeout begins.
func (c *conn) addPlain(out []byte, lent []piece) {
	from := 0
	for _, l := range lent {
		c.plain.add(out[from:l.at])
		c.plain.add(l.p)
		c.plain.lent, from = true, l.at
	}
	c.plain.add(out[from:])
}

// socketFull is told that a plain socket takes no more, or not all, of what is being written. late:
// it has set a deadline.
func (c *conn) socketFull() (late bool, err error) {
	c.mu.Lock()
	c.copied(true)
	c.core.socketWaits(time.Now())
	c.arm()
	c.mu.Unlock()
	return c.limit()
}

// limit sets the deadline of a write, if there is one.
func (c *conn) limit() (bool, error) {
	d := c.cfg.WriteTimeout
	if d <= 0 {
		return false, nil
	}
	return true, c.io.SetWriteDeadline(time.Now().Add(d))
}
