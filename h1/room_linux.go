package h1

import (
	"crypto/tls"
	"net"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix" // package syscall has no SYS_GETSOCKOPT on 386
)

// room is what the socket below a TLS connection takes without blocking: TLS cannot be asked to
// write as much as fits, so the socket is asked before. It belongs to the writer.
type room struct {
	raw  syscall.RawConn
	ask  func(fd uintptr)
	left int       // octets of the kernel's memory; it may be more by now
	by   time.Time // the write deadline, if it is known
}

const (
	// roomTrusted is how much is written until the socket is asked again.
	roomTrusted = 256 << 10
	// A write of n octets takes up roomFactor times as much, and roomWrite, at most: the kernel
	// counts its headers, a packet each.
	roomFactor = 4
	roomWrite  = 4 << 10

	soMemInfo   = 55 // SO_MEMINFO, since Linux 4.12
	memSndBuf   = 3  // what may be queued
	memQueued   = 5  // what is
	memInfoVars = 9
)

// lookBelow finds out whether there is a socket that can be asked, and watched: that of TLS over a
// *net.TCPConn, and nothing that wraps one.
func (t *tunnel) lookBelow() {
	c, ok := t.c.(*tls.Conn)
	if !ok {
		return
	}
	inner, ok := c.NetConn().(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := inner.SyscallConn()
	if err != nil {
		return
	}
	t.known = &room{raw: raw}
	t.known.ask = t.known.look
	t.mayNap(c, inner)
}

// fits says that a Write of n octets does not block, and counts it. r may be nil: nobody knows.
func (r *room) fits(n int) bool {
	if r == nil {
		return false
	}
	cost := roomFactor*n + roomWrite
	if cost > r.left {
		r.left = 0
		if r.raw.Control(r.ask) != nil || cost > r.left {
			return false
		}
	}
	r.left -= cost
	return true
}

func (r *room) look(fd uintptr) {
	var info [memInfoVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, e := syscall.Syscall6(unix.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET, soMemInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if e == 0 && info[memSndBuf] > info[memQueued] {
		r.left = min(int(info[memSndBuf]-info[memQueued]), roomTrusted)
	}
}

// allow gives a Write that starts now until by, and up to a quarter more: setting a deadline costs
// more than much else of a small Write that fits, so one is for many.
func (r *room) allow(c conn, now, by time.Time) error {
	if !r.by.IsZero() && !by.IsZero() && !r.by.Before(by) {
		return nil
	}
	if r.by = by; !by.IsZero() {
		r.by = by.Add(by.Sub(now) / 4)
	}
	return c.SetWriteDeadline(r.by)
}

// forget is for others' writes: what they took, and their deadline, is not known.
func (r *room) forget() {
	if r != nil {
		r.left, r.by = 0, time.Time{}
	}
}
