package upgrade

import (
	"net/http"
	"testing"
)

// TestAsks: what a request asks for is judged by its form alone, and by one form for each version
// of HTTP (RFC 9110, 7.8; RFC 8441, 4).
func TestAsks(t *testing.T) {
	for name, row := range map[string]struct {
		r     *http.Request
		token string
		want  bool
	}{
		"h1":                  {h1Request(), "websocket", true},
		"h1 lists":            {h1Request("=Connection: keep-alive, upgrade", "=Upgrade: x, WebSocket"), "websocket", true},
		"h1 no version, POST": {method(h1Request("Sec-WebSocket-Version:"), "POST"), "websocket", true},
		"h1 no Connection":    {h1Request("Connection:"), "websocket", false},
		"h1 no Upgrade":       {h1Request("Upgrade:"), "websocket", false},
		"h1 another":          {h1Request(), "other", false},
		"h1.0":                {proto(h1Request(), 1, 0), "websocket", false},
		"h2":                  {h2Request(), "WebSocket", true},
		"h2 CONNECT":          {connectRequest("other"), "other", true},
		"h2 another":          {connectRequest("other"), "websocket", false},
		"h2 a GET":            {proto(h1Request(), 2, 0), "websocket", false},
	} {
		if got := Asks(row.r, row.token); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
