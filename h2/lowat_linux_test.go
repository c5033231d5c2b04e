package h2

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLimitSocket: the socket below TLS is limited too, and what is no socket is let alone.
func TestLimitSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"TCP": func(nc net.Conn) net.Conn { return nc },
		"TLS": func(nc net.Conn) net.Conn { return tls.Client(nc, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			var w lowat
			w.limitSocket(wrap(nc))
			raw, err := nc.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			var got int
			raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT) })
			if err != nil || got != lowatFirst {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	var w lowat
	if w.limitSocket(a); w.limit != 0 {
		t.Errorf("a pipe is limited to %d", w.limit)
	}
}
