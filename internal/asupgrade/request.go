package asupgrade

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
)

// Request makes of an extended CONNECT (RFC 8441, 4) the request that HTTP/1.1 has for the same
// wish, if its token is one of tokens: a GET with Connection and Upgrade (RFC 9110, 7.8). So routes
// that name a method, middleware that looks at it and handlers that know HTTP/1.1 alone find what
// they look for. Any other keeps its method, and has :protocol in its header.
func Request(r *http.Request, protocol string, tokens []string) bool {
	for _, token := range tokens {
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
// and HTTP/3 nobody answers it (RFC 8441, 5), but handlers for HTTP/1.1 want one.
func newKey() string {
	var key [16]byte
	rand.Read(key[:]) // never fails
	return base64.StdEncoding.EncodeToString(key[:])
}
