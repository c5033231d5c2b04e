package main

import (
	"io"
	"net"
	"net/http"

	"weir/upgrade"
)

// tunnelToken is the upgrade token of /tunnel.
const tunnelToken = "weir-echo"

// serveTunnel opens a tunnel that sends every octet back (RFC 9110, 7.8; RFC 8441, 4).
func (s *server) serveTunnel(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
	return &upgrade.Switch{
		Protocol: upgrade.Tunnel{Token: tunnelToken},
		Handler:  upgrade.TunnelFunc(echoOctets),
		Options:  &upgrade.TunnelOptions{Window: s.config.window},
	}, nil
}

// echoOctets reads no faster than the client takes what comes back. The client's end is answered by ours.
func echoOctets(c net.Conn, _ *upgrade.PartialRequest) {
	io.Copy(c, c) // an error says that the client has gone
}
