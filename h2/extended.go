package h2

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
)

// asUpgrade makes of an extended CONNECT (RFC 8441, 4) the request that HTTP/1.1 has for the same
// wish, if its token is one of Config.UpgradeTokens: a GET with Connection and Upgrade (RFC 9110,
// 7.8). So routes that name a method, middleware that looks at it and handlers that know HTTP/1.1
// alone find what they look for. Any other keeps its method, and has :protocol in its header.
func (c *Config) asUpgrade(r *http.Request, protocol string) bool {
	for _, token := range c.UpgradeTokens {
		if !strings.EqualFold(token, protocol) {
			continue
		}
		v := []string{"Upgrade", token, ""}
		r.Method = http.MethodGet
		r.Header["Connection"], r.Header["Upgrade"] = v[0:1:1], v[1:2:2]
		if token == "websocket" && !hasKey(r.Header["Sec-Websocket-Key"]) {
			v[2] = newKey()
			r.Header["Sec-Websocket-Key"] = v[2:3:3]
		}
		return true
	}
	r.Header[":protocol"] = []string{protocol}
	return false
}

// hasKey says whether a client sent a key that handlers for HTTP/1.1 take (RFC 6455, 4.2.1).
func hasKey(keys []string) bool {
	if len(keys) != 1 || len(keys[0]) != 24 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(key) == 16
}

// newKey makes a Sec-WebSocket-Key (RFC 6455, 4.1) for a client that had no need to: over HTTP/2
// nobody answers it (RFC 8441, 5), but handlers for HTTP/1.1 want one.
func newKey() string {
	var key [16]byte
	rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}

// maxRefusals is how many paths a Server warns of.
const maxRefusals = 100

// noteRefused warns, once a path, of an answer to a WebSocket over HTTP/2 as handlers give it that
// do not take it for what it is, or that find no http.Hijacker because a wrapper of the
// http.ResponseWriter hides it. Over HTTP/1.1 they may work, and a browser does not say why.
func (s *Server) noteRefused(c *conn, path string, status int) {
	switch status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
	case http.StatusInternalServerError, http.StatusNotImplemented: // it found no Hijacker
	default:
		return
	}
	path = path[:min(len(path), 200)]
	s.mu.Lock()
	_, known := s.refusals[path]
	if known = known || len(s.refusals) == maxRefusals; !known {
		if s.refusals == nil {
			s.refusals = map[string]struct{}{}
		}
		s.refusals[path] = struct{}{}
	}
	s.mu.Unlock()
	if !known {
		c.logf("h2: the handler of %q answers %d to a WebSocket over HTTP/2, which it sees as "+
			"a GET with Upgrade (h2.Config.UpgradeTokens, NoExtendedConnect)", path, status)
	}
}
