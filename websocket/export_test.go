package websocket

import "weir/stream"

// Open starts a session on a stream that was opened without a handshake.
func Open(st stream.Stream, h Handler, o *Options, req *PartialRequest) *Session {
	if o == nil {
		o = new(Options)
	}
	s := newSession(st, h, o, req, nil)
	s.begin()
	return s
}
