package main

import (
	"net"
	"net/http"

	"weir/upgrade"
)

// tunnelToken is the upgrade token of /tunnel.
const tunnelToken = "weir-echo"

// serveTunnel opens a tunnel that sends every octet back (RFC 9110, 7.8; RFC 8441, 4).
func (s *server) serveTunnel(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
	tunnel := upgrade.Tunnel{Token: tunnelToken}
	return tunnel.Switch(upgrade.TunnelFunc(echoOctets), &upgrade.TunnelOptions{Window: s.config.window}), nil
}

// The buffer of a tunnel grows with what its client sends at a time.
const (
	tunnelSmall = 1 << 10
	tunnelLarge = 32 << 10
)

// echoOctets reads no faster than the client takes what comes back. The client's end is answered by
// ours.
func echoOctets(c net.Conn, _ *upgrade.PartialRequest) {
	b := make([]byte, tunnelSmall)
	for {
		n, err := c.Read(b)
		if n > 0 {
			if _, err := c.Write(b[:n]); err != nil {
				return // the client has gone
			}
		}
		if err != nil {
			return // the client has ended its side, or has gone
		}
		if n == len(b) && n < tunnelLarge {
			b = make([]byte, 2*n)
		}
	}
}
