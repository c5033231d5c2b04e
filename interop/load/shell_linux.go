package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// newShell gives what runs an engine until it is finished: an event loop.
func newShell(e *engine) (func(), error) {
	if e.cfg.Portable || e.cfg.HTTP3 {
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
	burst  int64   // when what is kicked leaves, with Config.Gather; 0: nothing is

	tls    *tlsDials // nil in cleartext
	plain  []byte    // of TLS
	record []byte
}

// fdConn is a link's connection.
type fdConn struct {
	fd        int
	connected bool
	blocked   bool // the socket took no more
	again     bool // in more
	tls       *tls.Conn
	mem       *memConn // under it
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
	if e.cfg.secure() {
		if p.tls, err = newTLSDials(); err == nil {
			err = unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, p.tls.wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.tls.wake)})
		}
		if err != nil {
			unix.Close(p.epfd)
			return nil, os.NewSyscallError("eventfd", err)
		}
		p.plain = make([]byte, 64<<10)
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
		wake := p.gathered(now, p.e.step(now))
		if p.e.phase == finished {
			if p.tls != nil {
				p.tls.end()
			}
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
			p.soon()
		}
		for _, ev := range events[:n] {
			if p.tls != nil && int(ev.Fd) == p.tls.wake {
				p.dialled()
				p.soon()
			} else if l := p.byFD[ev.Fd]; l != nil {
				p.event(l, ev.Events)
				p.soon()
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

func (p *poller) dial(l *link) {
	c := &fdConn{fd: -1}
	l.handle = c
	if p.tls != nil {
		p.tls.dial(l)
		return
	}
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
		err = p.watch(l, fd)
	}
	if err != nil {
		l.linkDown(&connectError{fmt.Errorf("connect: %w", err)})
	}
}

// watch asks for the events of a descriptor.
func (p *poller) watch(l *link, fd int) error {
	for len(p.byFD) <= fd {
		p.byFD = append(p.byFD, nil)
	}
	p.byFD[fd] = l
	return unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | edge, Fd: int32(fd)})
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
