package main

import (
	"net"

	"golang.org/x/sys/unix"
)

// lowat keeps few octets of uploads in the client's socket: they are not what is measured.
func lowat(nc net.Conn) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // without it the echoes of a slow link wait in the client
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 32<<10)
	})
}
