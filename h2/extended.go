package h2

import (
	"net/http"

	"weir/internal/asupgrade"
)

// noteRefused warns, once a path, of an answer to a WebSocket over HTTP/2 that says its handler
// does not take it for one.
func (s *Server) noteRefused(c *conn, path string, status int) {
	if path, ok := s.refusals.New(path, status); ok {
		c.logf("h2: the handler of %q answers %d to a WebSocket over HTTP/2, which it sees as "+
			"a GET with Upgrade (h2.Config.UpgradeTokens, NoExtendedConnect)", path, status)
	}
}

// asUpgrade sees to what a handler sees of an extended CONNECT.
func (c *Config) asUpgrade(r *http.Request, protocol string) bool {
	return asupgrade.Request(r, protocol, c.UpgradeTokens)
}
