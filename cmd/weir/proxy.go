package main

import (
	"net"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeaderTimeout is how long a connection has for its PROXY header.
const proxyHeaderTimeout = 10 * time.Second

// proxyListener is a listener behind a proxy that begins each connection with a PROXY header, version 1 or 2. One without
// is closed without a word: by a client that came past the proxy, or by a proxy that is set up otherwise.
type proxyListener struct{ net.Listener }

// Accept does not wait for the header: whoever asks first for octets or for the address does.
func (l proxyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return proxiedConn{proxyproto.NewConn(c, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(proxyHeaderTimeout))}, nil
}

// proxiedConn has the addresses of its PROXY header. Nothing can be read or written before that has come.
type proxiedConn struct{ *proxyproto.Conn }

// NetConn is the connection to the proxy, for whoever resets it.
func (c proxiedConn) NetConn() net.Conn { return c.Raw() }

// SyscallConn is the socket's, for who waits for its error without reading.
func (c proxiedConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Raw().(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, syscall.EINVAL
}

// CloseWrite ends our side.
func (c proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
