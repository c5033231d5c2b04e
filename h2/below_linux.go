package h2

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// below is the TCP socket below a connection that is no plain socket: below TLS. It belongs to
// conn.mu.
type below struct {
	raw  syscall.RawConn // nil: there is none that can be asked
	call func(fd uintptr)
	poll [1]unix.PollFd
}

func (b *below) open(nc net.Conn) {
	if raw := rawOf(nc); raw != nil {
		b.raw, b.call = raw, b.ask
	}
}

// takes says that the socket has room for a small write, surely no more than smallWrite: a third of
// its buffer is free.
func (b *below) takes() bool {
	if b.raw == nil {
		return false
	}
	b.poll[0].Revents = 0
	return b.raw.Control(b.call) == nil && b.poll[0].Revents == unix.POLLOUT
}

func (b *below) ask(fd uintptr) {
	b.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
	_, _ = unix.Poll(b.poll[:], 0) // if it fails, nobody knows
}

// rawOf is the TCP socket of nc, also one below TLS; nil: there is none.
func rawOf(nc net.Conn) syscall.RawConn {
	if b, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = b.NetConn()
	}
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
