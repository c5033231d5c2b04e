package h2

import (
	"net"
	"syscall"
)

// tcpNotSentLowAt is TCP_NOTSENT_LOWAT of linux/tcp.h.
const tcpNotSentLowAt = 25

// limitUnsent has the socket below nc take no more while n octets in it have not been sent. What has
// been sent and not acknowledged is not counted: the connection is as fast as without. So the
// order of streams is decided late, and not megabytes ahead of what the peer reads.
func limitUnsent(nc net.Conn, n int) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok { // TLS
		nc = t.NetConn()
	}
	c, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // if it fails, the socket is none of TCP's
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, n)
	})
}
