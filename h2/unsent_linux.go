package h2

import (
	"net"
	"syscall"
	"unsafe"
)

// unsent is how many octets the socket below nc holds that the peer has not acknowledged, and false
// if nobody knows: only TCP, also below TLS, can be asked.
func unsent(nc net.Conn) (n int, known bool) {
	raw := rawOf(nc)
	if raw == nil {
		return 0, false
	}
	var left int32
	err := raw.Control(func(fd uintptr) {
		_, _, e := syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&left)))
		known = e == 0
	})
	return int(left), known && err == nil
}
