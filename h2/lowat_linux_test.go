package h2

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"
)

// TestLimitUnsent: the socket below TLS is limited too, and what is no socket is let alone.
func TestLimitUnsent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []net.Conn{nc, tls.Client(nc, nil)} {
		limitUnsent(c, 40_000+i)
		var got int
		raw.Control(func(fd uintptr) { got, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt) })
		if err != nil || got != 40_000+i {
			t.Errorf("%T: %d, %v", c, got, err)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	limitUnsent(a, 1000)
}
