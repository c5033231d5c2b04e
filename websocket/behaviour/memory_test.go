package behaviour_test

import (
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/websocket"

	"golang.org/x/net/http2"
)

// pushing sends one message, large or not, when it opens; paused reads nothing; both do nothing else.
type pushing struct{ message []byte }

func (p pushing) Init(_ *websocket.Session, out websocket.Commands) websocket.Commands {
	if p.message == nil {
		return append(out, websocket.Active(false))
	}
	return append(out, websocket.Binary(p.message))
}

func (pushing) Handle(_ websocket.Frame, out websocket.Commands) websocket.Commands { return out }

// TestMaxMemoryOfSessions: h2.Config.MaxMemory bounds what the WebSockets of one connection hold, by measure: messages for
// a peer that opens no window, and what it sends to those that are paused. Those that are left are not harmed.
func TestMaxMemoryOfSessions(t *testing.T) {
	const most = 8 << 20
	for _, tt := range []struct {
		name    string
		message []byte
		send    int // octets that the peer sends to each
	}{
		{"messages of 900 KB without a window", make([]byte, 900_000), 0},
		{"messages of 40 KB without a window", make([]byte, 40_000), 0},
		{"what is sent to the paused", nil, 65_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bound := func(_ *http.Server, cfg *websocket.Config) { cfg.HTTP2.MaxMemory = most }
			eachWith(t, overHTTP2, bound, func(h *house) {
				h.handler, h.opts = pushing{tt.message}, &websocket.Options{IdleTimeout: -1, SendTimeout: -1}
				nc := h.dial()
				p := h2test.New(nc, h2test.Options{Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}})
				if _, err := p.Settings(); err != nil {
					h.Fatal(err)
				}
				h.close = append(h.close, func() { p.Close() })
				before := settledHeap()
				const n = 250
				for range n {
					tun, err := p.Connect("/", "sec-websocket-version", "13")
					if err != nil || tun.Status != 200 {
						h.Fatal(tun.Status, err)
					}
					for left := tt.send; left > 0; left -= 5000 {
						if _, err := tun.Write(maskedFrame(5000 - 8)); err != nil {
							break // it was given up
						}
					}
					synctest.Wait()
				}
				time.Sleep(time.Second)
				grown := settledHeap() - before
				h.Logf("%.3f of MaxMemory", float64(grown)/most)
				if grown > most*11/10 || grown < most/2 {
					h.Errorf("the WebSockets hold %d octets, and may hold %d", grown, most)
				}
				st := h.ws.HTTP2().Stats()
				if given := int(st.Limits[h2.LimitMemory]); given == 0 || given+st.Tunnels != n || st.Conns != 1 {
					h.Errorf("%d were given up, %d are left of %d, on %d connections", given, st.Tunnels, n, st.Conns)
				}
			})
		})
	}
}

// settledHeap is how much of the heap is in use after a collection.
func settledHeap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// maskedFrame is a binary message of n octets as a client sends it; n is 126 or more.
func maskedFrame(n int) []byte {
	b := make([]byte, 8+n)
	b[0], b[1], b[2], b[3] = 0x82, 0x80|126, byte(n>>8), byte(n)
	return b
}
