package h3

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
)

// ClientConfig is how a Client behaves. Zero means the default, negative off.
type ClientConfig struct {
	MaxStreams     int // streams at once, within what the server allows; 0: 250
	MaxHeaderBytes int // octets of a response's fields as RFC 9114, 4.2.2 counts them; 0: 64 KiB

	// StreamWindow is how many octets the server may send ahead on a stream, besides the window
	// that a WebSocket asks for. 0: 64 KiB.
	StreamWindow int
	// ConnWindow is the same for all streams of a connection. Streams that are paused hold their
	// share, so with less than the default they can starve the others. 0: StreamWindow for each
	// stream that MaxStreams allows, the server's own, and one more.
	ConnWindow int

	// MaxIgnored is a rate: so many at once, and as many again every 10 s, evenly, of frames and
	// instructions that change nothing, informational responses and streams of unknown types.
	// Past it the connection ends with H3_EXCESSIVE_LOAD. 0: 2000.
	MaxIgnored int

	HandshakeTimeout time.Duration // for the handshake, and again for the server's SETTINGS; 0: 10 s
	IdleTimeout      time.Duration // without a stream for so long the connection ends; 0: 90 s
	PathTimeout      time.Duration // without a packet for so long the connection is lost (RFC 9000, 10.1); 0: 30 s
	KeepAlive        time.Duration // after what time without a packet a PING is sent; at most half of PathTimeout counts; 0: 15 s

	Logger *slog.Logger // limits that the server ran into, at Warn; connections that end for a fault, at Debug; panics of sinks, at Error; nil: the latter go to package log
}

// config is the same for what both sides share.
func (cfg *ClientConfig) config() Config {
	c := Config{MaxStreams: cfg.MaxStreams, MaxHeaderBytes: cfg.MaxHeaderBytes,
		StreamWindow: cfg.StreamWindow, ConnWindow: cfg.ConnWindow,
		MaxIgnored: cfg.MaxIgnored, MaxPeerResets: -1, // every stream is one that we opened
		HandshakeTimeout: cfg.HandshakeTimeout,
		IdleTimeout:      cmp.Or(cfg.IdleTimeout, 90*time.Second),
		PathTimeout:      cfg.PathTimeout, KeepAlive: cfg.KeepAlive, Logger: cfg.Logger}
	return c.with(new(http.Server))
}

// side is what the connections of a client share with those of a server: buffers, counts, the log.
func (cfg *ClientConfig) side() *Server {
	hs := new(http.Server)
	s := &Server{hs: hs, cfg: cfg.config(), log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	} else {
		hs.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelError)
	}
	s.buffers.New = func() any { return new([readSize]byte) }
	return s
}

// QUIC is the configuration of the connections that NewClient is for.
func (cfg *ClientConfig) QUIC() *quic.Config {
	c := cfg.side().quic()
	c.MaxIncomingStreams = -1 // a server opens none (RFC 9114, 6.1)
	return c
}
