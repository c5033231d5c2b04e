package h2

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// limitSocket has the socket below nc take no more while limit octets in it have not been sent.
// What has been sent and not acknowledged is not counted.
func (l *lowat) limitSocket(nc net.Conn) {
	raw := rawOf(nc)
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // if it fails, there is no socket any more
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return // none of TCP's
		}
		if l.adapt(time.Duration(info.Busy_time)*time.Microsecond, time.Duration(info.Sndbuf_limited)*time.Microsecond) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, l.limit)
		}
	})
}
