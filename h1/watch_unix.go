//go:build unix

package h1

import (
	"crypto/tls"
	"net"
	"os"
	"syscall"
)

// open finds the socket of c, or below c if c is TLS. What else wraps one is left alone: it may have
// a reader of its own.
func (w *watch) open(c any) {
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	switch c := c.(type) {
	case *net.TCPConn:
		w.raw, _ = c.SyscallConn() // nil with an error
		w.c = c
	case *net.UnixConn:
		w.raw, _ = c.SyscallConn() // as above
		w.c = c
	}
	w.look = w.ask
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
