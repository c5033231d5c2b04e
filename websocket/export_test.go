package websocket

import (
	"net/http"

	"weir/upgrade"
)

// Negotiated is the answer to what a client would have offered in Sec-WebSocket-Extensions.
func Negotiated(o *Options, offer string) string {
	hs, header := new(upgrade.Handshake), http.Header{}
	hs.Extensions, _ = upgrade.ParseExtensions([]string{offer})
	agree(hs, o, header)
	return header.Get("Sec-Websocket-Extensions")
}

// RaceEnabled is raceEnabled.
const RaceEnabled = raceEnabled

// Hosts is how many servers a Dialer remembers.
func (d *Dialer) Hosts() int { return len(d.known()) }
