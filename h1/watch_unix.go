//go:build unix

package h1

import (
	"crypto/tls"
	"os"
	"syscall"
	"time"
)

// open finds the socket of c, or below c if c is TLS. What wraps one has it if it is a
// syscall.Conn, too: any other wrapper may have a reader of its own, which would be in the way.
func (w *watch) open(c any) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	w.look = w.ask
	below, ok := c.(interface {
		syscall.Conn
		SetReadDeadline(time.Time) error
	})
	if !ok {
		return
	}
	if raw, err := below.SyscallConn(); err == nil {
		w.raw, w.c = raw, below
	}
}

// ask says whether the socket is in error. Go's poller calls it again when something has happened.
func (w *watch) ask(fd uintptr) bool {
	w.err = socketError(int(fd))
	return w.err != nil
}

// socketError is what has become of a connection, though octets may wait before it.
func socketError(fd int) error {
	n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err == nil && n != 0 {
		err = syscall.Errno(n)
	}
	return os.NewSyscallError("read", err)
}
