package h2

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"weir/flow"
)

// Config is how the HTTP/2 of a server behaves. Zero means the default, negative off. Where a field
// is zero, the fields of http.Server and of its HTTP2 that mean the same count.
type Config struct {
	MaxConcurrentStreams int // streams of one connection; 0: 250
	MaxHandlers          int // handlers of one connection that run at once, those of streams that were reset too; 0: MaxConcurrentStreams
	MaxQueued            int // requests, reset ones too, that wait for a handler; past it the connection ends; 0: 4 × MaxHandlers
	MaxHeaderListSize    int // octets as RFC 9113, 6.5.2 counts; 0: http.Server.MaxHeaderBytes + 320, else 64 KiB
	MaxHeaderFields      int // fields of one request; 0: 500. A request over one of the two is answered 431, one 16 times over ends the connection
	MaxContinuations     int // CONTINUATION frames of one field block, which has at most twice MaxHeaderListSize octets; 0: 7, and one for each 16 KiB of them
	MaxFrameSize         int // octets a peer's frame may have, 16 384 to 2^24-1; 0: 16 384
	InitialWindow        int // octets a peer may send ahead on a stream; 0: 65 535
	ConnWindow           int // octets a peer may send ahead on the connection, at least 65 535; 0: 1 MiB
	MaxUnread            int // octets of answers to PING, SETTINGS and faults that the peer does not read; 0: 64 KiB

	// MaxWindow is what a stream's window grows to. A stream begins with InitialWindow, and a
	// WebSocket has the window that it asks for. The window of another request grows while a
	// handler reads its body: to 1 MiB at the first Read, and twofold whenever a whole window is
	// read within four round trips. What is not read is kept in memory, up to the window.
	// 0: http.Server.HTTP2.MaxReceiveBufferPerStream, else 4 MiB; negative: it does not grow.
	MaxWindow int
	// MaxConnWindow bounds that growth: the windows of all bodies of a connection together have
	// never grown by more, and its own grows with them up to it. So at most MaxConnWindow octets
	// are kept, and InitialWindow for each stream. A body has its part until all of it has been
	// read, so about 20 that stay open, as gRPC's streams do, leave nothing for others to grow by.
	// 0: http.Server.HTTP2.MaxReceiveBufferPerConnection, else 16 MiB; negative: none grows.
	MaxConnWindow int
	// MaxMemory is how many octets may wait on all streams of a connection: answers and messages
	// that wait to be sent, and bodies and messages that nobody has read. Each stream has bounds of
	// its own: its window, 64 KiB of an answer, SendHigh and a message of a WebSocket. Where all of
	// a connection are more than this, the stream that holds most is reset (CANCEL), with a line in
	// the log. What a session keeps of a message that has not come whole is not counted. 0: 64 MiB.
	MaxMemory int

	// MaxDecoderHeaderTableSize is HPACK's table for what the peer sends (RFC 7541, 4.2), in
	// octets, at most 4 MiB. 0: that of http.Server.HTTP2, else 4096; negative: none.
	MaxDecoderHeaderTableSize int
	// MaxEncoderHeaderTableSize is the same for what the peer is sent, if it allows for so many.
	MaxEncoderHeaderTableSize int

	// MaxPeerResets is the first of the rates, from here to MaxIgnored: so many at once, and as
	// many again every 10 s, evenly. There is no count that a long-lived connection would reach in
	// the end. Past a rate the connection ends with ENHANCE_YOUR_CALM (RFC 9113, 10.5). This one is
	// of streams that the peer resets before they are 1 s old and their answer is whole
	// (CVE-2023-44487). 0: 500.
	MaxPeerResets int
	MaxFaults     int // streams and requests that we have to reset for a fault of the peer (CVE-2025-8671); 0: 100
	MaxRefused    int // requests over MaxConcurrentStreams; 0: 1000
	MaxPings      int // PING; a DATA frame of ours gives one back; 0: 5000
	MaxSettings   int // SETTINGS frames and the settings in them; 0: 1000
	// MaxWindowUpdates counts WINDOW_UPDATE. What we send earns the peer its updates, 2 for a DATA
	// frame that was all there was to send and 1 for each 32 octets. So a peer may answer each
	// small message with an update of the stream's window and the connection's, but not open a
	// window octet by octet. 0: 10 000.
	MaxWindowUpdates int
	// MaxTinyData counts DATA frames without octets, or with few that nobody reads. An empty one
	// that does not end its stream counts, and so do small ones that nobody consumes: 6 octets are
	// expected of a frame, what the smallest WebSocket frame of a client has (RFC 6455, 5.2). Those
	// with fewer cost what they lack, 33 such octets as much as an empty frame, if their stream
	// closes and neither handler nor WebSocket has read them; those with more give back what is
	// over. So messages and pieces may be as small and as many as the peer likes, but a flood of
	// frames with nothing in them ends, and so does one that nobody reads: at the latest when the
	// stream's window is full. 0: 10 000.
	MaxTinyData int
	MaxIgnored  int // frames that change nothing: PRIORITY, unknown types, PRIORITY_UPDATE, frames for streams that are gone; each request gives two back; 0: 2000

	NoExtendedConnect bool // do not offer RFC 8441
	// UpgradeTokens are the tokens of extended CONNECT (RFC 8441, 4) that handlers see as HTTP/1.1
	// has them: as a GET with Connection, Upgrade and, of a WebSocket, a Sec-WebSocket-Key, whose
	// http.ResponseWriter is an http.Hijacker. The others are a CONNECT with ":protocol" in Header,
	// as net/http has it. nil: "websocket"; empty and not nil: none.
	UpgradeTokens []string
	NoCleartext   bool // ConfigureServer leaves cleartext HTTP/2 out where http.Server.Protocols is nil
	PlainConnect  bool // CONNECT without :protocol goes to the handler; otherwise it is answered 501

	IdleTimeout time.Duration // a connection without streams leaves after it; 0: http.Server.IdleTimeout, else its ReadTimeout, else none
	// StallTimeout is after how long an answer of which nothing could be sent is reset: one waits
	// where the client opens no window, or does not read its socket. 0 lets a client pause for as
	// long as it likes (a video, a pager), but where more than 2 MiB of a connection's answers
	// wait, those that have waited for 5 minutes are reset until it is less. A handler that must
	// not wait sets a write deadline. A tunnel has its stream.Limits.
	StallTimeout     time.Duration
	WriteTimeout     time.Duration // one write to the socket may take so long, then the connection ends; 0: http.Server.HTTP2.WriteByteTimeout, else none
	HandshakeTimeout time.Duration // for the preface, the first SETTINGS, the ACK of ours, and each field block; 0: 10 s

	// PingInterval is how long nothing comes from the peer before it is sent a PING.
	// 0: http.Server.HTTP2.SendPingTimeout, else never.
	PingInterval time.Duration
	// PingTimeout is how long nothing comes after the PING before the connection is lost.
	// 0: http.Server.HTTP2.PingTimeout, else 15 s; negative: no PING.
	PingTimeout time.Duration

	Logger *slog.Logger // limits that a peer ran into, at Warn; connections that end for a fault, at Debug; nil: none

	// CountError is told of each fault of a peer that ends a stream or a connection: what ended,
	// the code, and the rule, as in "stream_PROTOCOL_ERROR_rfc9113_8_2_1". A PING without an answer
	// is "conn_close_lost_ping". Several goroutines may call it at once, and a connection does not
	// wait for it. nil: http.Server.HTTP2.CountError.
	CountError func(errType string)

	Trace       *slog.Logger // every frame in and out, at Debug; nil: none
	TraceValues bool         // the values of fields too, cookies and credentials among them; otherwise names only
}

// with fills in what cfg leaves open from srv, and then the defaults.
func (cfg Config) with(srv *http.Server) Config {
	var h http.HTTP2Config
	if srv.HTTP2 != nil {
		h = *srv.HTTP2
	}
	valid := func(n int) int { return max(n, 0) } // what net/http has defaults for
	cfg.MaxConcurrentStreams = bound(cmp.Or(cfg.MaxConcurrentStreams, valid(h.MaxConcurrentStreams), 250), 1, 1<<31-1)
	cfg.MaxHandlers = bound(cmp.Or(cfg.MaxHandlers, cfg.MaxConcurrentStreams), 1, 1<<31-1)
	cfg.MaxQueued = bound(cmp.Or(cfg.MaxQueued, 4*min(cfg.MaxHandlers, 1<<28)), 0, 1<<31-1)
	cfg.MaxHeaderListSize = bound(cmp.Or(cfg.MaxHeaderListSize, headerBytes(srv.MaxHeaderBytes), 64<<10), 1024, 1<<24)
	cfg.MaxHeaderFields = bound(cmp.Or(cfg.MaxHeaderFields, 500), 8, 1<<20)
	cfg.MaxContinuations = bound(cmp.Or(cfg.MaxContinuations, 7+2*cfg.MaxHeaderListSize/16384), 1, 1<<31-2)
	cfg.MaxMemory = max(cmp.Or(cfg.MaxMemory, 64<<20), 0)
	cfg.MaxUnread = bound(cmp.Or(cfg.MaxUnread, 64<<10), 1, 1<<31-1)
	cfg.MaxPeerResets = cmp.Or(cfg.MaxPeerResets, 500)
	cfg.MaxFaults = cmp.Or(cfg.MaxFaults, 100)
	cfg.MaxRefused = cmp.Or(cfg.MaxRefused, 1000)
	cfg.MaxPings = cmp.Or(cfg.MaxPings, 5000)
	cfg.MaxSettings = cmp.Or(cfg.MaxSettings, 1000)
	cfg.MaxWindowUpdates = cmp.Or(cfg.MaxWindowUpdates, 10000)
	cfg.MaxTinyData = cmp.Or(cfg.MaxTinyData, 10000)
	cfg.MaxIgnored = cmp.Or(cfg.MaxIgnored, 2000)
	cfg.MaxFrameSize = bound(cmp.Or(cfg.MaxFrameSize, valid(h.MaxReadFrameSize)), 16384, 1<<24-1)
	cfg.InitialWindow = bound(cmp.Or(cfg.InitialWindow, valid(h.MaxReceiveBufferPerStream), flow.DefaultWindow), 1, flow.MaxWindow)
	cfg.ConnWindow = bound(cmp.Or(cfg.ConnWindow, valid(h.MaxReceiveBufferPerConnection), 1<<20), flow.DefaultWindow, flow.MaxWindow)
	cfg.MaxWindow = cmp.Or(cfg.MaxWindow, valid(h.MaxReceiveBufferPerStream),
		max(4<<20, cfg.InitialWindow))
	cfg.MaxConnWindow = cmp.Or(cfg.MaxConnWindow, valid(h.MaxReceiveBufferPerConnection),
		max(16<<20, cfg.ConnWindow))
	cfg.IdleTimeout = max(cmp.Or(cfg.IdleTimeout, srv.IdleTimeout, srv.ReadTimeout), 0)
	cfg.WriteTimeout = max(cmp.Or(cfg.WriteTimeout, h.WriteByteTimeout), 0)
	cfg.MaxDecoderHeaderTableSize = tableSize(cfg.MaxDecoderHeaderTableSize, h.MaxDecoderHeaderTableSize)
	cfg.MaxEncoderHeaderTableSize = tableSize(cfg.MaxEncoderHeaderTableSize, h.MaxEncoderHeaderTableSize)
	if cfg.CountError == nil {
		cfg.CountError = h.CountError
	}
	if cfg.UpgradeTokens == nil {
		cfg.UpgradeTokens = []string{"websocket"}
	}
	cfg.PingInterval = max(cmp.Or(cfg.PingInterval, h.SendPingTimeout), 0)
	cfg.PingTimeout = cmp.Or(cfg.PingTimeout, max(h.PingTimeout, 0), 15*time.Second)
	if cfg.PingTimeout < 0 {
		cfg.PingInterval = 0
	}
	cfg.HandshakeTimeout = max(cmp.Or(cfg.HandshakeTimeout, 10*time.Second), 0)
	return cfg
}

// tableSize is the size of a table of HPACK: ours, or that of http.HTTP2Config where it is valid,
// or what a connection begins with.
func tableSize(ours, theirs int) int {
	const most = 4<<20 - 1
	if theirs < 0 || theirs > most {
		theirs = 0
	}
	return min(max(cmp.Or(ours, theirs, initialTable), 0), most)
}

// headerBytes is http.Server.MaxHeaderBytes as a size of RFC 9113, 6.5.2, which counts 32 octets
// more for each field. net/http allows for 10 of them, and takes 0 and less for its default.
func headerBytes(n int) int {
	if n <= 0 {
		return 0
	}
	return n + 10*32
}

// bound brings n into a range; negative means off, which for a limit is the largest.
func bound(n, lo, hi int) int {
	if n < 0 {
		return hi
	}
	return min(max(n, lo), hi)
}

// holdTime is how long answers may wait that hold more than holdFree octets, where StallTimeout is
// zero.
const holdTime = 5 * time.Minute

func (cfg Config) core() coreConfig {
	hold := time.Duration(0)
	if cfg.StallTimeout == 0 {
		hold = holdTime
	}
	return coreConfig{
		connect: !cfg.NoExtendedConnect, plainConnect: cfg.PlainConnect, maxStreams: cfg.MaxConcurrentStreams,
		maxHeaderList: cfg.MaxHeaderListSize, maxHeaderFields: cfg.MaxHeaderFields, maxFrame: cfg.MaxFrameSize,
		initialWindow: cfg.InitialWindow, connWindow: cfg.ConnWindow,
		maxWindow:     min(cfg.MaxWindow, flow.MaxWindow),
		maxConnWindow: min(cfg.MaxConnWindow, flow.MaxWindow),
		idle:          cfg.IdleTimeout, handshake: cfg.HandshakeTimeout,
		pingInterval: cfg.PingInterval, pingTimeout: cfg.PingTimeout, kinds: cfg.CountError != nil,
		decoderTable: cfg.MaxDecoderHeaderTableSize, encoderTable: cfg.MaxEncoderHeaderTableSize,
		stall: max(cfg.StallTimeout, 0), hold: hold, blockFrames: 1 + cfg.MaxContinuations, unread: cfg.MaxUnread, memory: cfg.MaxMemory,
		rates: [rates]int{
			LimitPeerResets: cfg.MaxPeerResets, LimitFaults: cfg.MaxFaults, LimitRefused: cfg.MaxRefused, LimitPings: cfg.MaxPings,
			LimitSettings: cfg.MaxSettings, LimitWindowUpdates: cfg.MaxWindowUpdates, LimitTinyData: emptyData * cfg.MaxTinyData, LimitIgnored: cfg.MaxIgnored,
		},
	}
}
