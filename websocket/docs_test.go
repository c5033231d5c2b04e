package websocket_test

import (
	"testing"

	"weir/internal/pages"
)

// TestDocsCowboy: what docs/cowboy.md shows compiles.
func TestDocsCowboy(t *testing.T) {
	page := &pages.Go{
		Imports: map[string]string{
			"context": "context", "http": "net/http", "io": "io", "time": "time", "upgrade": "weir/upgrade", "websocket": "weir/websocket",
		},
		Declare: `
var (
	w          http.ResponseWriter
	r          *http.Request
	s          *websocket.Session
	out        websocket.Commands
	f, frame   websocket.Frame
	handler    websocket.Handler
	initer     websocket.Initer
	informer   websocket.Informer
	drainer    websocket.Drainer
	terminator websocket.Terminator
	options    websocket.Options
	prepared   *websocket.Prepared
	code       websocket.CloseCode
	reason     websocket.Reason
	req        *websocket.PartialRequest
	data       []byte
	text       string
	msg, v     any
	d          time.Duration
	n          int64
	on         bool
)
`,
	}
	page.Check(t, "../docs/cowboy.md")
}
