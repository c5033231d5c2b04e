// Package fields knows which fields of a message stay behind when it is passed on.
package fields

import (
	"net/http"
	"net/textproto"
	"strings"
)

// hop are the fields of one connection (RFC 9110, 7.6.1, and those that others have used so).
var hop = map[string]bool{
	"Connection": true, "Upgrade": true, "Keep-Alive": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Proxy-Connection": true, "Proxy-Authenticate": true,
	"Proxy-Authorization": true, "Http2-Settings": true,
}

// EndToEnd copies all fields but those of one connection, also those that Connection names, and
// pseudo fields.
func EndToEnd(dst, src http.Header) {
	named := map[string]bool{}
	for _, line := range src["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			named[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	for name, values := range src {
		if !hop[name] && !named[name] && !strings.HasPrefix(name, ":") {
			dst[name] = values
		}
	}
}
