package h2

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"weir/flow"
)

// Config is how the HTTP/2 of a server behaves. Zero means the default, negative off. Where a field is zero, the fields of
// http.Server and of its HTTP2 that mean the same count.
type Config struct {
	MaxConcurrentStreams int // streams, and running handlers, of one connection; 0: 250
	MaxHeaderListSize    int // octets as RFC 9113, 6.5.2 counts; 0: http.Server.MaxHeaderBytes, else 64 KiB
	MaxHeaderFields      int // fields of one request; 0: 500
	MaxFrameSize         int // octets a peer's frame may have, 16 384 to 2^24-1; 0: 16 384
	InitialWindow        int // octets a peer may send ahead on a stream; 0: 65 535
	ConnWindow           int // octets a peer may send ahead on the connection, at least 65 535; 0: 1 MiB

	NoExtendedConnect bool // do not offer RFC 8441
	NoCleartext       bool // ConfigureServer leaves cleartext HTTP/2 out where http.Server.Protocols is nil
	PlainConnect      bool // CONNECT without :protocol goes to the handler; otherwise it is answered 501

	IdleTimeout      time.Duration // a connection without streams leaves after it; 0: http.Server.IdleTimeout, else its ReadTimeout, else none
	WriteTimeout     time.Duration // one write to the socket may take so long, then the connection ends; 0: 30 s
	HandshakeTimeout time.Duration // for the preface, the first SETTINGS, the ACK of ours, and each field block; 0: 10 s

	Logger *slog.Logger // connections that end for a fault, at level Debug; nil: none
}

// with fills in what cfg leaves open from srv, and then the defaults.
func (cfg Config) with(srv *http.Server) Config {
	var h http.HTTP2Config
	if srv.HTTP2 != nil {
		h = *srv.HTTP2
	}
	cfg.MaxConcurrentStreams = bound(cmp.Or(cfg.MaxConcurrentStreams, h.MaxConcurrentStreams, 250), 1, 1<<31-1)
	cfg.MaxHeaderListSize = bound(cmp.Or(cfg.MaxHeaderListSize, srv.MaxHeaderBytes, 64<<10), 1024, 1<<24)
	cfg.MaxHeaderFields = bound(cmp.Or(cfg.MaxHeaderFields, 500), 8, 1<<20)
	cfg.MaxFrameSize = bound(cmp.Or(cfg.MaxFrameSize, h.MaxReadFrameSize), 16384, 1<<24-1)
	cfg.InitialWindow = bound(cmp.Or(cfg.InitialWindow, h.MaxReceiveBufferPerStream, flow.DefaultWindow), 1, flow.MaxWindow)
	cfg.ConnWindow = bound(cmp.Or(cfg.ConnWindow, h.MaxReceiveBufferPerConnection, 1<<20), flow.DefaultWindow, flow.MaxWindow)
	cfg.IdleTimeout = max(cmp.Or(cfg.IdleTimeout, srv.IdleTimeout, srv.ReadTimeout), 0)
	cfg.WriteTimeout = max(cmp.Or(cfg.WriteTimeout, h.WriteByteTimeout, 30*time.Second), 0)
	cfg.HandshakeTimeout = max(cmp.Or(cfg.HandshakeTimeout, 10*time.Second), 0)
	return cfg
}

// bound brings n into a range; negative means off, which for a limit is the largest.
func bound(n, lo, hi int) int {
	if n < 0 {
		return hi
	}
	return min(max(n, lo), hi)
}

func (cfg Config) core() coreConfig {
	return coreConfig{
		connect: !cfg.NoExtendedConnect, plainConnect: cfg.PlainConnect, maxStreams: cfg.MaxConcurrentStreams,
		maxHeaderList: cfg.MaxHeaderListSize, maxHeaderFields: cfg.MaxHeaderFields, maxFrame: cfg.MaxFrameSize,
		initialWindow: cfg.InitialWindow, connWindow: cfg.ConnWindow, idle: cfg.IdleTimeout, handshake: cfg.HandshakeTimeout,
	}
}
