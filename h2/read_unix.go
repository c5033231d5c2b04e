//go:build unix

package h2

import (
	"io"
	"net"
	"os"
	"syscall"
)

// open finds out whether nc is a plain socket: a *net.TCPConn and nothing that wraps one.
func (s *source) open(nc net.Conn) {
	s.nc = nc
	if c, ok := nc.(*net.TCPConn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			s.raw, s.call = raw, s.try
		}
	}
}

// try asks to be called again when something is there.
func (s *source) try(fd uintptr) bool {
	buf := largeReads.Get().(*[largeRead]byte)
	for {
		n, err := readFD(fd, buf[:])
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			s.large, s.n = buf, n
			return true
		case err == nil:
			s.err = io.EOF
		case err != syscall.EAGAIN:
			s.err = os.NewSyscallError("read", err)
		}
		largeReads.Put(buf)
		if err != syscall.EAGAIN {
			return true
		}
		s.fair = 0
		return false
	}
}
