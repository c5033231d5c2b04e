package load

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// newShell gives what runs an engine until it is finished: an event loop in cleartext.
func newShell(e *engine) (func(), error) {
	if e.cfg.secure() || e.cfg.Portable {
		return newNetShell(e).run, nil
	}
	return newPoller(e)
}

// poller moves an engine's octets by itself: one thread, one epoll, one buffer for all connections.
type poller struct {
	e      *engine
	epfd   int
	addr   unix.Sockaddr
	family int
	buf    []byte
	byFD   []*link // where the events' descriptors lead
	kicked []*link // to be pumped and written
	more   []*link // to be read again: the buffer was full
	back   []*link // more of the turn before
	later  []*link // to be written again: they had enough of this turn
}

// fdConn is a link's connection.
type fdConn struct {
	fd        int
	connected bool
	blocked   bool // the socket took no more
	again     bool // in more
}

const readSize = 256 << 10

func newPoller(e *engine) (func(), error) {
	address, err := net.ResolveTCPAddr("tcp", e.cfg.address())
	if err != nil {
		return nil, &OpenError{Err: describe("connect:", err), Connect: true}
	}
	p := &poller{e: e, buf: make([]byte, readSize), family: unix.AF_INET}
	if ip := address.IP.To4(); ip != nil {
		p.addr = &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte(ip)}
	} else if ip := address.IP.To16(); ip != nil {
		p.family = unix.AF_INET6
		p.addr = &unix.SockaddrInet6{Port: address.Port, Addr: [16]byte(ip)}
	} else {
		p.addr = &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte{127, 0, 0, 1}}
	}
	if p.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	e.shell = p
	return p.run, nil
}

// run steps the engine until it is finished.
func (p *poller) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer unix.Close(p.epfd)
	const timerSlack = 29 // PR_SET_TIMERSLACK: waits of an open loop are exact to the microsecond
	_ = unix.Prctl(timerSlack, 1000, 0, 0, 0)
	events := make([]unix.EpollEvent, 512)
	for {
		now := p.e.run.now()
		wake := p.e.step(now)
		p.flush()
		if p.e.phase == finished {
			return
		}
		n := p.wait(events, wake)
		for _, l := range p.later {
			p.kick(l)
		}
		p.later = p.later[:0]
		p.more, p.back = p.back[:0], p.more
		for _, l := range p.back {
			l.handle.(*fdConn).again = false
			p.read(l)
			p.flush()
		}
		for _, ev := range events[:n] {
			if l := p.byFD[ev.Fd]; l != nil {
				p.event(l, ev.Events)
				p.flush()
			}
		}
	}
}

// wait waits for events until wake, to the microsecond.
func (p *poller) wait(events []unix.EpollEvent, wake int64) int {
	timeout := 0
	if len(p.more)+len(p.later) == 0 {
		d := wake - p.e.run.now()
		timeout = int(min(max(0, d/int64(time.Millisecond)), math.MaxInt32))
		if d > 0 && timeout == 0 {
			ts := unix.NsecToTimespec(d)
			if n, _ := unix.Ppoll([]unix.PollFd{{Fd: int32(p.epfd), Events: unix.POLLIN}}, &ts, nil); n == 0 {
				return 0
			}
		}
	}
	n, err := unix.EpollWait(p.epfd, events, timeout)
	if err != nil { // EINTR
		return 0
	}
	return n
}

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
	} else if l.h1 != nil {
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
	l.feed(buf[:n], p.e.run.now())
	if n == len(buf) && c.fd >= 0 && !c.again && (!l.slow || !l.h1.up) {
		c.again = true
		p.more = append(p.more, l)
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
		l.feed(p.buf[:n], p.e.run.now())
	}
	l.linkDown(fmt.Errorf("connection lost: %w", why))
}

func (p *poller) dial(l *link) {
	c := &fdConn{fd: -1}
	l.handle = c
	fd, err := unix.Socket(p.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		c.fd = fd
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // slower without
		if l.slow {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) // or the kernel would read for it
		}
		if err = unix.Connect(fd, p.addr); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err == nil {
		for len(p.byFD) <= fd {
			p.byFD = append(p.byFD, nil)
		}
		p.byFD[fd] = l
		err = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edge, Fd: int32(fd)})
	}
	if err != nil {
		l.linkDown(&connectError{fmt.Errorf("connect: %w", err)})
	}
}

// edge is EPOLLET, which unix has as a negative number.
const edge = 1 << 31

func (p *poller) kick(l *link) {
	if !l.kicked && l.handle != nil {
		l.kicked = true
		p.kicked = append(p.kicked, l)
	}
}

func (p *poller) drop(l *link) {
	c, ok := l.handle.(*fdConn)
	if !ok || c.fd < 0 {
		return
	}
	p.byFD[c.fd] = nil
	unix.Close(c.fd)
	c.fd = -1
}

// trickle reads 1 KiB of those that read slowly.
func (p *poller) trickle(links []*link) {
	for _, l := range links {
		switch {
		case l.state != linkIsUp:
		case l.h2 != nil:
			l.h2.trickle(1 << 10)
		default:
			p.read(l)
		}
	}
}
