package h3

import (
	"cmp"
	"log/slog"
	"math"
	"net/http"
	"time"
)

// Config is how the HTTP/3 of a server behaves. Zero means the default, negative off. Where a field
// is zero, the fields of http.Server that mean the same count.
type Config struct {
	// MaxConns is how many connections the server has, those in their handshake too; more are
	// refused (CONNECTION_REFUSED). 0: 10 000.
	MaxConns      int
	MaxHandshakes int // connections in their handshake; more are refused. 0: 1000
	// RetryHandshakes is how many handshakes may be in progress before a client has to show that it
	// gets what is sent to its address, by a Retry that costs it a round trip (RFC 9000, 8.1.2). So
	// a flood from addresses that are not its own has no connections. 0: 100; negative: never.
	RetryHandshakes int

	MaxStreams int // requests of one connection that are open at once; 0: 250
	// MaxHandlers is how many handlers of one connection run at once, those of streams that were
	// reset too. 0: MaxStreams.
	MaxHandlers int
	MaxQueued   int // requests that wait for a handler; more end the connection; 0: 4 × MaxHandlers
	// MaxHeaderBytes are octets of a request's fields as RFC 9114, 4.2.2 counts them, 32 more for
	// each. A request with more is answered 431. 0: http.Server.MaxHeaderBytes + 320, else 64 KiB.
	MaxHeaderBytes int

	// StreamWindow is how many octets a peer may send ahead on a stream, besides the window that a
	// WebSocket asks for. It does not grow. 0: 64 KiB.
	StreamWindow int
	// ConnWindow is how many octets a peer may send ahead on all streams of a connection. QUIC gives
	// its credit back when octets are read, so streams that are paused hold their share: with less
	// than the default they can starve the others.
	// 0: StreamWindow for each stream that MaxStreams allows, the control streams, and one more.
	ConnWindow int

	// MaxPeerResets is a rate: so many at once, and as many again every 10 s, evenly. Past it the
	// connection ends with H3_EXCESSIVE_LOAD. It counts requests that the peer resets while their
	// handler runs, and WebSockets that it resets before they are 1 s old (CVE-2023-44487).
	// 0: 500.
	MaxPeerResets int
	// MaxIgnored is the same for frames on a tunnel that bring no octets: unknown types, empty DATA.
	// 0: 2000.
	MaxIgnored int

	// UpgradeTokens are the tokens of extended CONNECT (RFC 9220) that handlers see as HTTP/1.1 has
	// them, as h2.Config.UpgradeTokens says. nil: "websocket"; empty and not nil: none.
	UpgradeTokens []string
	// NoExtendedConnect answers extended CONNECT with 501. The setting of RFC 9220 is sent all the
	// same: quic-go has no way to leave it out.
	NoExtendedConnect bool
	PlainConnect      bool // CONNECT without :protocol goes to the handler; otherwise it gets 501

	HandshakeTimeout time.Duration // how long a handshake may take; 0: 10 s
	// IdleTimeout is after what time a connection without requests leaves. 0:
	// http.Server.IdleTimeout, else its ReadTimeout, else 3 min; negative: never.
	IdleTimeout time.Duration
	// PathTimeout is how long nothing comes from the peer before the connection is lost (RFC 9000,
	// 10.1). 0: 30 s.
	PathTimeout time.Duration
	// KeepAlive is after what time without a packet a PING is sent, so that PathTimeout and the
	// routers on the way do not end WebSockets that are idle. At most half of the smaller of both
	// ends' timeouts counts. 0: 15 s; negative: never.
	KeepAlive time.Duration

	// AltSvc is the value of the Alt-Svc field (RFC 7838) in answers over HTTP/1.1 and HTTP/2 with
	// TLS. Empty: h3 at the port that Serve serves, for AltSvcAge.
	AltSvc    string
	AltSvcAge time.Duration // 0: 10 min; negative: no Alt-Svc

	// Logger gets limits that a peer ran into, at Warn, and connections that end for a fault, at
	// Debug. nil: none.
	Logger *slog.Logger
}

// uniStreams is how many streams of its own a peer may have: control, two of QPACK, and what it
// opens to see that others are ignored (RFC 9114, 6.2 and 6.2.3).
const uniStreams = 16

// mostWindow is the largest window of a connection. An int may have 32 bits.
const mostWindow = min(1<<40-1, math.MaxInt)

// with fills in what cfg leaves open from srv, and then the defaults.
func (cfg Config) with(srv *http.Server) Config {
	header := 0
	if srv.MaxHeaderBytes > 0 {
		header = srv.MaxHeaderBytes + 10*32 // which net/http does not count
	}
	cfg.MaxConns = bound(cmp.Or(cfg.MaxConns, 10_000), 1, 1<<31-1)
	cfg.MaxHandshakes = bound(cmp.Or(cfg.MaxHandshakes, 1000), 1, 1<<31-1)
	cfg.RetryHandshakes = bound(cmp.Or(cfg.RetryHandshakes, 100), 0, 1<<31-1)
	cfg.MaxStreams = bound(cmp.Or(cfg.MaxStreams, 250), 1, 1<<16)
	cfg.MaxHandlers = bound(cmp.Or(cfg.MaxHandlers, cfg.MaxStreams), 1, 1<<31-1)
	cfg.MaxQueued = bound(cmp.Or(cfg.MaxQueued, 4*min(cfg.MaxHandlers, 1<<28)), 0, 1<<31-1)
	cfg.MaxHeaderBytes = bound(cmp.Or(cfg.MaxHeaderBytes, header, 64<<10), 1024, 1<<24)
	cfg.StreamWindow = bound(cmp.Or(cfg.StreamWindow, 64<<10), 4096, 1<<30)
	all := int64(cfg.MaxStreams+uniStreams+1) * int64(min(cfg.StreamWindow, 1<<20))
	cfg.ConnWindow = cmp.Or(cfg.ConnWindow, int(min(all, mostWindow)))
	cfg.ConnWindow = bound(cfg.ConnWindow, cfg.StreamWindow, mostWindow)
	cfg.MaxPeerResets = cmp.Or(cfg.MaxPeerResets, 500)
	cfg.MaxIgnored = cmp.Or(cfg.MaxIgnored, 2000)
	if cfg.UpgradeTokens == nil {
		cfg.UpgradeTokens = []string{"websocket"}
	}
	cfg.HandshakeTimeout = cmp.Or(max(cfg.HandshakeTimeout, 0), 10*time.Second)
	idle := cmp.Or(cfg.IdleTimeout, srv.IdleTimeout, srv.ReadTimeout, 3*time.Minute)
	cfg.IdleTimeout = max(idle, 0)
	cfg.PathTimeout = cmp.Or(max(cfg.PathTimeout, 0), 30*time.Second)
	cfg.KeepAlive = max(cmp.Or(cfg.KeepAlive, 15*time.Second), 0)
	cfg.AltSvcAge = cmp.Or(cfg.AltSvcAge, 10*time.Minute)
	return cfg
}

// bound brings n into a range; negative means off, which for a limit is the largest.
func bound(n, lo, hi int) int {
	if n < 0 {
		return hi
	}
	return min(max(n, lo), hi)
}
