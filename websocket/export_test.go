package websocket

import (
	"net/http"

	"weir/stream"
	"weir/upgrade"
)

// Open starts a session on a stream that was opened without a handshake; offer is what one would
// have offered in Sec-WebSocket-Extensions.
func Open(st stream.Stream, h Handler, o *Options, req *PartialRequest, offer string) *Session {
	if o == nil {
		o = new(Options)
	}
	hs, header := new(upgrade.Handshake), http.Header{}
	if offer != "" {
		hs.Extensions, _ = upgrade.ParseExtensions([]string{offer})
	}
	params, agreed := agree(hs, o, header)
	s := newSession(st, h, o, o.Group, req, header)
	if agreed {
		s.m.compress(o, params)
	}
	s.begin()
	return s
}

// RaceEnabled is raceEnabled.
const RaceEnabled = raceEnabled

// Hosts is how many servers a Dialer remembers.
func (d *Dialer) Hosts() int { return len(d.known()) }
