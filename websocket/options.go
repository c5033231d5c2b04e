package websocket

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"weir/upgrade"
	"weir/wsframe/deflate"
)

// Options are the options of one WebSocket (Cowboy manual, cowboy_websocket, opts()). The zero
// value is the default; negative means none or off. Sessions keep them and may share them: they are
// not to be changed once a session has them.
type Options struct {
	IdleTimeout       time.Duration  // ends a session that received nothing for so long; 0: 60 s, for a client none
	PingInterval      time.Duration  // the stack pings after so long without receiving, and never later than half of IdleTimeout; 0: never
	SendTimeout       time.Duration  // ends a session that could write nothing for so long; 0: 30 s
	MaxFrameSize      int64          // octets of a frame and of a reassembled message; 0: 1 000 000. A Conn's Reader and NetConn have no limit
	NoValidateUTF8    bool           // text and close text are taken as they are (Cowboy: validate_utf8 => false)
	Window            int            // octets a peer may send ahead; 0 and negative: 65 535. In place of Cowboy's active_n. Over HTTP/2 the rest of a large frame may come besides
	SendHigh          int            // queued octets above which no new frame or post is taken until half is gone; 0: 64 KiB
	Backlog           int            // posted messages that may wait; 0: 1024
	Compress          bool           // agree to permessage-deflate (RFC 7692) where the client offers it
	Deflate           DeflateOptions // how (Cowboy: deflate_opts)
	CompressThreshold int            // smaller messages go uncompressed, octets; 0: none
	Subprotocols      []string       // the first of these that the client offers is chosen; none: no field
	Origins           []string       // patterns of origins that are allowed besides the request's own host, see upgrade.WebSocketConfig; "*": any
	OnlyOrigins       bool           // Origins alone: the request's own host is not allowed by itself
	// Context gives Session.Context its values, and not its end; nil: none.
	Context   context.Context
	Group     *Group                                   // whose Shutdown drains this session; nil: the server's, if ConfigureServer set one up
	ReqFilter func(r *http.Request, p *PartialRequest) // changes p, the default, into what Terminate gets
	// PoisonPayloads overwrites what a Frame lent when its callback has returned, so that a handler
	// that keeps a payload is seen to: see Frame. Under the race detector (go test -race) it is on.
	PoisonPayloads bool
	Trace          func(Event)  // told what happens, one event at a time; the session waits for it. nil: nobody
	Logger         *slog.Logger // nil: discard
}

// DeflateOptions are what this side wants of permessage-deflate (RFC 7692). The zero value is the
// default.
//
// Compressors work in buffers of a fixed size and choose their own block types, so there is nothing
// for zlib's memory level and strategy to act on.
type DeflateOptions struct {
	// Level is the compressor's, 1 (fastest) to 9 (smallest); 0: 6; negative: stored blocks, no
	// compression. In a window under 15 bits, messages over 16 KiB (4 without takeover) have one
	// level, close to 5.
	Level int

	ServerNoContextTakeover bool // the server forgets its window after each message
	ClientNoContextTakeover bool // the client forgets its window after each message

	ServerMaxWindowBits int // of what the server sends, 8 to 15; 0: 15
	ClientMaxWindowBits int // of what the client sends, 8 to 15; 0: 15
}

// Check says what is wrong with the values of o, nil if nothing is.
func (o *DeflateOptions) Check() error { return o.codec().Check() }

// codec is o as the codec knows it.
func (o *DeflateOptions) codec() *deflate.Options { return (*deflate.Options)(o) }

// Defaults of Options.
const (
	DefaultIdleTimeout  = 60 * time.Second
	DefaultSendTimeout  = 30 * time.Second
	DefaultMaxFrameSize = 1_000_000
	DefaultSendHigh     = 64 << 10
	DefaultBacklog      = 1024
)

// Check says what is wrong with o: an origin pattern that can match nothing, a subprotocol that no
// client can offer, parameters of Deflate that do not exist. A server answers each handshake 500
// then; a program that looks when it starts finds it earlier.
func (o *Options) Check() error {
	if o == nil {
		return nil // the defaults
	}
	if err := o.handshake().Check(); err != nil {
		return err
	}
	return o.Deflate.Check()
}

// handshake is what o says of opening handshakes.
func (o *Options) handshake() *upgrade.WebSocketConfig {
	return &upgrade.WebSocketConfig{Origins: o.Origins, OnlyOrigins: o.OnlyOrigins, Subprotocols: o.Subprotocols}
}

// or is v, or d where v is zero; none where v is negative.
func or[T int | int64 | time.Duration](v, d, none T) T {
	switch {
	case v == 0:
		return d
	case v < 0:
		return none
	}
	return v
}
