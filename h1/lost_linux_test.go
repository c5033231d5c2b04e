package h1

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"testing"

	"weir/stream"
)

// TestLostNetwork (BEHAVIOUR 3): what the kernel finds out about the network is told at once,
// though the window is full. Here it gives up a peer whose window has been closed for too long
// (TCP_USER_TIMEOUT), as it does one that does not answer any more.
func TestLostNetwork(t *testing.T) {
	const tcpUserTimeout = 18
	for _, kind := range watchKinds {
		if !kind.deep || kind.name == "unix" {
			continue // no network is below it, or nothing is known of it
		}
		t.Run(kind.name, func(t *testing.T) {
			s, peer := kind.open(t)
			defer peer.Close()
			below := peer
			if tc, ok := below.(*tls.Conn); ok {
				below = tc.NetConn()
			}
			if err := below.(*net.TCPConn).SetReadBuffer(1); err != nil {
				t.Fatal(err)
			}
			fd, ok := socketOf(t, s)
			if !ok {
				t.Fatal("no socket")
			}
			k := &held{told: make(chan int, 1000), ended: make(chan error, 1)}
			s.Attach(k, stream.Limits{Window: 10, WriteTimeout: -1})
			if _, err := peer.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			<-k.told
			err := fd(func(fd uintptr) {
				for _, err := range []error{
					syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 1),
					syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1<<20),
				} {
					if err != nil {
						t.Error(err)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			// More than the peer's socket holds, and less than ours: no writer waits that would be
			// told.
			if _, err := s.Send([][]byte{make([]byte, 150_000)}, false); err != nil {
				t.Fatal(err)
			}
			if err := <-k.ended; !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("Closed(%v)", err)
			}
		})
	}
}

// socketOf gives what calls f with the descriptor of s.
func socketOf(t *testing.T, s *tunnel) (call func(f func(fd uintptr)) error, ok bool) {
	t.Helper()
	if s.sock != nil {
		return func(f func(fd uintptr)) error { f(uintptr(s.sock.fd)); return nil }, true
	}
	var c any = s.c
	if tc, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = tc.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := sc.SyscallConn()
	return raw.Control, err == nil
}
