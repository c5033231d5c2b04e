package h2

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// ClientConfig is how a Client behaves. Zero means the default, negative off.
type ClientConfig struct {
	MaxStreams        int // streams at once, within what the server allows; 0: as many, or 1000 if it names no number
	MaxHeaderListSize int // octets of a response's header as RFC 9113, 6.5.2 counts; 0: 64 KiB
	MaxHeaderFields   int // fields of one response; 0: 500
	MaxFrameSize      int // octets a frame of the server may have, 16 384 to 2^24-1; 0: 16 384
	InitialWindow     int // octets the server may send ahead on a stream; 0: 65 535
	ConnWindow        int // octets the server may send ahead on the connection, at least 65 535; 0: 1 MiB

	MaxUnread int // octets of answers to PING, SETTINGS and faults that the server does not read; 0: 64 KiB

	MaxPings         int // PING. This and the next four are rates, as in Config: so many at once, and as many again every 10 s; 0: 5000
	MaxSettings      int // SETTINGS frames and the settings in them; 0: 1000
	MaxWindowUpdates int // WINDOW_UPDATE, see Config; 0: 10 000
	MaxTinyData      int // empty DATA frames, see Config; here frames of 2 to 6 octets lack nothing; 0: 10 000
	MaxIgnored       int // frames that change nothing, informational responses too; each request gives two back; 0: 2000

	HandshakeTimeout time.Duration // for the server's first SETTINGS, the ACK of ours, and each field block; 0: 10 s
	IdleTimeout      time.Duration // without a stream for so long the connection ends; 0: 90 s, as net/http's
	PingInterval     time.Duration // without an octet from the server for so long it is sent a PING; 0: never
	PingTimeout      time.Duration // without an octet for so long after it the connection is lost; 0: 15 s
	WriteTimeout     time.Duration // one write to the socket may take so long, then the connection ends; 0: 30 s

	Logger      *slog.Logger // limits that the server ran into, at Warn; connections that end for a fault, at Debug; panics of sinks, at Error; nil: the latter go to package log
	Trace       *slog.Logger // every frame in and out, at Debug; nil: none
	TraceValues bool         // the values of fields too, credentials among them; otherwise names only
}

// config is the same for the shell that both sides share.
func (cfg *ClientConfig) config() Config {
	full := Config{
		MaxConcurrentStreams: cmp.Or(cfg.MaxStreams, -1), MaxHeaderListSize: cfg.MaxHeaderListSize, MaxHeaderFields: cfg.MaxHeaderFields,
		MaxFrameSize: cfg.MaxFrameSize, InitialWindow: cfg.InitialWindow, ConnWindow: cfg.ConnWindow, MaxUnread: cfg.MaxUnread,
		MaxPings: cfg.MaxPings, MaxSettings: cfg.MaxSettings, MaxWindowUpdates: cfg.MaxWindowUpdates, MaxTinyData: cfg.MaxTinyData,
		MaxIgnored: cfg.MaxIgnored, HandshakeTimeout: cfg.HandshakeTimeout, WriteTimeout: cmp.Or(cfg.WriteTimeout, 30*time.Second),
		PingInterval: cfg.PingInterval, PingTimeout: cfg.PingTimeout,
		Logger: cfg.Logger, Trace: cfg.Trace, TraceValues: cfg.TraceValues,

		// Every stream is one that we opened: what the server does to it costs it nothing that it
		// could use up.
		MaxPeerResets: -1, MaxFaults: -1, MaxRefused: -1,
		MaxMemory: -1, MaxWindow: -1, MaxConnWindow: -1, // no body is read as it comes
		IdleTimeout: cmp.Or(cfg.IdleTimeout, 90*time.Second), StallTimeout: -1, // stream.Limits'
	}
	if full.Logger == nil {
		full.Logger = slog.New(slog.DiscardHandler)
	}
	return full.with(new(http.Server))
}

// core is what the core needs to know; full is what config gave.
func (cfg *ClientConfig) core(full Config) coreConfig {
	c := full.core()
	c.client = true
	return c
}
