package h2

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// rawMost is how much one call may move that the scheduler is not told of: a large write and what
// stands before it, some 100 µs. What is told costs more than a small call itself: the runtime
// takes the processor away from a goroutine in it, and wakes a thread for others.
const rawMost = largeWrite + maxOut

// maxPieces is what writev takes at once.
const maxPieces = 1024

// readFD is one read that does not wait, of rawMost octets at most.
func readFD(fd uintptr, b []byte) (int, error) {
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	raceRead(int(fd))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// plain writes to a plain socket. It tries before it waits, and only then asks for a deadline.
type plain struct {
	raw   syscall.RawConn // nil: it is no plain socket
	call  func(fd uintptr) bool
	limit func() (bool, error) // sets a deadline, if there is to be one
	iov   []syscall.Iovec      // what is left to write, from next on
	next  int
	size  int
	late  bool // limit has set one
	lent  bool // others' octets are among them
	waits bool // for a socket that takes no more; if not, write leaves the rest
	err   error
}

// open finds out whether nc is a plain socket: a *net.TCPConn and nothing that wraps one.
func (p *plain) open(nc net.Conn, limit func() (bool, error)) {
	if c, ok := nc.(*net.TCPConn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			p.raw, p.call, p.limit = raw, p.try, limit
		}
	}
}

func (p *plain) add(b []byte) {
	if len(b) == 0 {
		return
	}
	p.iov = append(p.iov, syscall.Iovec{Base: &b[0]})
	p.iov[len(p.iov)-1].SetLen(len(b))
	p.size += len(b)
}

// write writes what was added: all of it if waits, else what the socket takes now; then it says
// that there is a rest, which the next call writes. late: there is a deadline to be cleared.
func (p *plain) write(waits bool) (late, rest bool, err error) {
	p.late, p.waits, p.err = false, waits, nil
	if err = p.raw.Write(p.call); err == nil {
		err = p.err
	}
	if err == nil && p.size > 0 {
		return false, true, nil
	}
	clear(p.iov)
	p.iov, p.next, p.size, p.lent = p.iov[:0], 0, 0, false
	return p.late, false, err
}

// own copies what is left: it may be others' octets, who are not to wait for the socket.
func (p *plain) own() {
	if !p.lent {
		return
	}
	b := make([]byte, 0, p.size)
	for _, v := range p.iov[p.next:] {
		b = append(b, unsafe.Slice(v.Base, int(v.Len))...)
	}
	clear(p.iov)
	p.iov, p.next, p.size, p.lent = p.iov[:0], 0, 0, false
	p.add(b)
}

// try asks to be called again when the socket takes more.
func (p *plain) try(fd uintptr) bool {
	for p.size > 0 {
		n, e := p.put(fd)
		switch {
		case e == 0:
			p.took(n)
		case e == syscall.EINTR:
		case e != syscall.EAGAIN:
			p.err = os.NewSyscallError("write", e)
			return true
		case !p.waits:
			return true
		case p.late:
			return false
		default:
			p.own()
			p.late, p.err = p.limit()
			return p.err != nil
		}
	}
	return true
}

func (p *plain) put(fd uintptr) (int, syscall.Errno) {
	v := p.iov[p.next:min(len(p.iov), p.next+maxPieces)]
	raceWrites(int(fd))
	if p.size <= rawMost {
		n, _, e := syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
		return int(n), e
	}
	n, _, e := syscall.Syscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)))
	return int(n), e
}

// took takes n octets off what is left.
func (p *plain) took(n int) {
	p.size -= n
	for n > 0 {
		v := &p.iov[p.next]
		if k := int(v.Len); n >= k {
			n -= k
			p.next++
			continue
		}
		v.Base = (*byte)(unsafe.Add(unsafe.Pointer(v.Base), n))
		v.SetLen(int(v.Len) - n)
		return
	}
}
