package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"

	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// tcp is a link over HTTP/1.1: the connection itself.
type tcp struct{ net.Conn }

func (l tcp) CloseWrite() error {
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return l.Conn.Close()
}

func (l tcp) Reset() {
	c := l.Conn
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // an error says that it is gone
	}
	c.Close()
}

// tunnel is a link over HTTP/2 of a client, which has a connection of its own.
type tunnel struct {
	*h2test.Tunnel
	peer *h2test.Peer
}

// Read tells the end of the stream from that of the connection.
func (l tunnel) Read(b []byte) (int, error) {
	n, err := l.Tunnel.Read(b)
	if errors.Is(err, io.EOF) && !l.Fin() {
		return n, errLost
	}
	return n, err
}

func (l tunnel) Reset() { l.Tunnel.Reset(http2.ErrCodeCancel) }

// Close resets the stream if it is open, and takes the connection down.
func (l tunnel) Close() error {
	_ = l.CloseWrite() // an error says that our side has ended
	return l.peer.Close()
}

// opened is a link over a stream of a server's.
type opened struct{ *stream.Conn }

func (l opened) Reset() { l.Conn.Reset(stream.Cancel) }
