package load

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// event obeys one event of a link.
func (p *poller) event(l *link, what uint32) {
	c := l.handle.(*fdConn)
	if !c.connected {
		code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			l.linkDown(&connectError{fmt.Errorf("connect: %w", err)})
			return
		}
		if what&unix.EPOLLOUT == 0 {
			return
		}
		c.connected = true
		l.linkUp(p.e.run.now())
	}
	if what&unix.EPOLLOUT != 0 && c.blocked {
		c.blocked = false
		p.kick(l)
	}
	if what&^uint32(unix.EPOLLOUT) != 0 && (!l.slow || !l.h1.up) {
		p.read(l)
	}
}

// read takes what has arrived, as much as the buffer holds.
func (p *poller) read(l *link) {
	c := l.handle.(*fdConn)
	if c.fd < 0 {
		return
	}
	buf, flags := p.buf, 0
	if l.slow {
		buf = buf[:1<<10]
	} else if l.h1 != nil && c.tls == nil {
		// The payload of an answer that nobody looks into is not even copied out of the kernel.
		if n := l.skippable(); n >= 16<<10 {
			buf, flags = buf[:min(int64(len(buf)), n)], unix.MSG_TRUNC
		}
	}
	n, err := p.receive(c.fd, buf, flags)
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil:
		l.linkDown(fmt.Errorf("connection lost: %w", err))
		return
	case n == 0:
		l.linkDown(errLost)
		return
	}
	p.arrived(l, buf[:n])
	if n == len(buf) && c.fd >= 0 && !c.again && (!l.slow || !l.h1.up) {
		c.again = true
		p.more = append(p.more, l)
	}
}

// arrived hands on what was read.
func (p *poller) arrived(l *link, b []byte) {
	if l.handle.(*fdConn).tls != nil {
		p.decrypt(l, b)
	} else {
		l.feed(b, p.e.run.now())
	}
}

func (p *poller) receive(fd int, b []byte, flags int) (int, error) {
	for {
		var n int
		var err error
		if flags == 0 {
			n, err = unix.Read(fd, b)
		} else {
			n, _, err = unix.Recvfrom(fd, b, flags)
		}
		if err != unix.EINTR {
			return n, err
		}
	}
}

// soon writes what there is to write, unless it is to wait for more.
func (p *poller) soon() {
	if p.e.cfg.Gather == 0 {
		p.flush()
	}
}

// gathered writes what has waited for its time, and says when to come again.
func (p *poller) gathered(now, wake int64) int64 {
	gather := int64(p.e.cfg.Gather)
	switch {
	case gather == 0 || p.e.phase != running:
		p.flush()
	case len(p.kicked) == 0:
	case p.burst == 0:
		p.burst = now + gather
		return min(wake, p.burst)
	case now < p.burst:
		return min(wake, p.burst)
	default:
		p.flush()
		p.burst = 0
	}
	return wake
}

// flush writes what there is to write.
func (p *poller) flush() {
	for i := 0; i < len(p.kicked); i++ { // it may grow
		l := p.kicked[i]
		l.kicked = false
		p.write(l)
	}
	p.kicked = p.kicked[:0]
}

// maxTurns is how often a link is written before the others have their turn: one that floods would never end.
const maxTurns = 16

func (p *poller) write(l *link) {
	c := l.handle.(*fdConn)
	for turns := 0; c.connected && !c.blocked && c.fd >= 0; turns++ {
		if turns == maxTurns {
			p.later = append(p.later, l)
			return
		}
		if c.tls != nil {
			if !p.encrypt(l) {
				return
			}
			continue
		}
		l.pump()
		out := &l.out
		if out.n == 0 {
			return
		}
		var n int
		var err error
		if len(out.segs) == 1 {
			n, err = unix.Write(c.fd, out.segs[0])
		} else {
			n, err = unix.Writev(c.fd, out.segs[:min(len(out.segs), 64)])
		}
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			c.blocked = true
		case err != nil:
			p.lastWords(l, err)
		case n > 0:
			out.wrote(n)
		}
	}
}

// lastWords reads what the server said before it ended: a close frame is worth more than the error of a write.
func (p *poller) lastWords(l *link, why error) {
	c := l.handle.(*fdConn)
	for l.state == linkIsUp && !l.slow {
		n, err := p.receive(c.fd, p.buf, 0)
		if n <= 0 || err != nil {
			break
		}
		p.arrived(l, p.buf[:n])
	}
	l.linkDown(fmt.Errorf("connection lost: %w", why))
}
