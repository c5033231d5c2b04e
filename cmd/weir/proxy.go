package main

import (
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyHeaderTimeout is how long a connection has for its PROXY header.
const proxyHeaderTimeout = 10 * time.Second

// proxyListener is a listener behind a proxy that begins each connection with a PROXY header,
// version 1 or 2. Whoever writes one can be any client it likes, so it is taken from proxies alone.
// Another's connection is closed, and so is one without a header: by a client that came past the
// proxy, or by a proxy that is set up otherwise.
type proxyListener struct {
	net.Listener
	from   trust
	strays *strays
}

// Accept does not wait for the header: whoever asks first for octets or for the address does.
func (l proxyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.proxy(c.RemoteAddr()) {
			l.strays.warn(c.RemoteAddr(), "--proxy-protocol-from does not name it")
			c.Close()
			continue
		}
		conn := proxyproto.NewConn(c, proxyproto.WithPolicy(proxyproto.REQUIRE),
			proxyproto.SetReadHeaderTimeout(proxyHeaderTimeout))
		return &proxiedConn{Conn: conn, strays: l.strays}, nil
	}
}

// proxy says whether a peer may be one. Who reaches a unix socket is on this machine, and its file
// has permissions.
func (l proxyListener) proxy(peer net.Addr) bool {
	if peer.Network() == "unix" {
		return true
	}
	a, ok := address4(peer.String())
	return ok && l.from.believes(a)
}

// straysMost is how many peers are warned of; the rest of them is one.
const straysMost = 256

// strays tells of connections that were dropped for their PROXY header, of each peer once.
type strays struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]bool
}

// warn is called for each connection that was dropped.
func (s *strays) warn(peer net.Addr, why string) {
	who := peer.String()
	if a, ok := address4(who); ok {
		who = a.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) >= straysMost {
		who = "others"
	}
	if !s.told[who] {
		s.told[who] = true
		s.log.Warn("weir: a connection was dropped; others of this peer are not told of",
			"peer", who, "reason", why)
	}
}

// proxiedConn has the addresses of its PROXY header. Nothing can be read or written before that has
// come.
type proxiedConn struct {
	*proxyproto.Conn
	strays *strays
	first  sync.Once
}

// Read tells of a header that is missing: net/http closes the connection then, and says nothing.
func (c *proxiedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.first.Do(func() {
		if err != nil && c.ProxyHeader() == nil {
			c.strays.warn(c.Raw().RemoteAddr(), "no PROXY header: "+err.Error())
		}
	})
	return n, err
}

// NetConn is the connection to the proxy, for whoever resets it.
func (c *proxiedConn) NetConn() net.Conn { return c.Raw() }

// SyscallConn is the socket's, for who waits for its error without reading.
func (c *proxiedConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Raw().(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, syscall.EINVAL
}

// CloseWrite ends our side.
func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
