package h2

import (
	"testing"

	"weir/flow"
)

// What is as wide as 32 bits does not fit an int where that has 32 bits: these tests failed there,
// and some of them nowhere else.

// TestWideCode: a peer may send any code (RFC 9113, 7).
func TestWideCode(t *testing.T) {
	for code, want := range map[Code]string{
		HTTP11Required:     "HTTP_1_1_REQUIRED",
		HTTP11Required + 1: "code 0xe",
		1<<31 - 1:          "code 0x7fffffff",
		1 << 31:            "code 0x80000000",
		1<<32 - 1:          "code 0xffffffff",
	} {
		if got := code.String(); got != want {
			t.Errorf("%d: %s, want %s", uint32(code), got, want)
		}
		if i := codeIndex(code); i < 0 || i >= codes {
			t.Errorf("%s is counted at %d of %d", code, i, codes)
		}
	}
}

// TestWideIDs: a client that has opened no stream has 2^30 of them to open (RFC 9113, 5.1.1).
func TestWideIDs(t *testing.T) {
	p := newClientPlayer(clientTestConfig(), 0)
	p.send("SETTINGS MAX_CONCURRENT_STREAMS=4294967295 ENABLE_CONNECT_PROTOCOL=1")
	if got := p.c.room(); got != 1<<30 {
		t.Errorf("room for %d streams, want 2^30", got)
	}
	p.c.maxID = maxStreamID - 2
	if got := p.c.room(); got != 1 {
		t.Errorf("room for %d streams, want the last one", got)
	}
}

// TestWideWindows: what is to come of a large message may go over the largest window
// (RFC 9113, 6.9.1).
func TestWideWindows(t *testing.T) {
	cfg := testConfig()
	cfg.initialWindow = flow.MaxWindow
	p := newPlayer(cfg, 0)
	p.greet()
	p.send("HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a")
	s := p.streams[1]
	p.c.expect(s, 0, 1<<20)
	if s.credit.Target() != flow.MaxWindow || s.credit.Outstanding() != flow.MaxWindow {
		t.Errorf("target %d, outstanding %d, want 2^31-1", s.credit.Target(), s.credit.Outstanding())
	}
	p.c.trip.rtt = 1e9 - 1 // octets of the way times its rate are nearly 2^31
	p.c.cfg.maxConnWindow, p.c.granted = flow.MaxWindow, flow.MaxWindow-p.c.cfg.connWindow
	if got := p.c.connTarget(); got != flow.MaxWindow-2 {
		t.Errorf("the connection's window is to be %d", got)
	}
}
