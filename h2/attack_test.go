package h2_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/streamtest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	connect = ":method=CONNECT :protocol=websocket :scheme=http :path=/echo :authority=a"
	post    = ":method=POST :scheme=http :authority=a :path="
	get     = ":method=GET :scheme=http :authority=a :path="
)

// each opens stream after stream and does something to it.
func each(n int, head string, then func(a *attacker, id uint32) bool) func(a *attacker) {
	return func(a *attacker) {
		for id := uint32(1); id < uint32(2*n); id += 2 {
			if !a.send(fmt.Sprintf("HEADERS %d %s", id, head)) || then != nil && !then(a, id) {
				return
			}
		}
	}
}

// flood opens stream 1, a tunnel that echoes, and sends a frame n times.
func flood(n int, t http2.FrameType, flags http2.Flags, id uint32, payload ...byte) func(a *attacker) {
	return floodOf(connect, n, t, flags, id, payload...)
}

// floodOf is flood with another request.
func floodOf(head string, n int, t http2.FrameType, flags http2.Flags, id uint32, payload ...byte) func(a *attacker) {
	return func(a *attacker) {
		a.send("HEADERS 1 " + head)
		for range n {
			if !a.frame(t, flags, id, payload...) {
				return
			}
		}
	}
}

// refs is a field block with n references to one entry of the tables (RFC 7541, 6.1).
func refs(begin []byte, index byte, n int) []byte {
	return append(begin, bytes.Repeat([]byte{0x80 | index}, n)...)
}

// literal is a field that enters the dynamic table, as its first entry, number 62 (RFC 7541,
// 6.2.1).
func literal(name, value string) []byte {
	var b bytes.Buffer
	_ = hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: name, Value: value}) // into memory
	return b.Bytes()
}

var closedWindow = []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 0}}

var attacks = []attack{
	{name: "S1 open and reset (CVE-2023-44487)", run: each(10_000, connect, func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameRSTStream, 0, id, 0, 0, 0, 8)
	}), limit: "MaxPeerResets", frames: 1010, handlers: 1002, paced: true},
	{name: "S1 open and reset, handlers that hang", run: each(10_000, "END_STREAM "+get+"/stuck", func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameRSTStream, 0, id, 0, 0, 0, 8)
	}), limit: "MaxPeerResets", frames: 1010, handlers: 250},
	{name: "S1 open and reset, no rate, handlers that hang", cfg: h2.Config{MaxPeerResets: -1},
		run: each(10_000, "END_STREAM "+get+"/stuck x="+strings.Repeat("x", 4000), func(a *attacker, id uint32) bool {
			return a.frame(http2.FrameRSTStream, 0, id, 0, 0, 0, 8)
		}), limit: "MaxQueued", frames: 2 * 1260, handlers: 250},
	{name: "S1 requests over the limit of streams", run: each(10_000, "END_STREAM "+get+"/block", nil),
		limit: "MaxRefused", frames: 250 + 1010, handlers: 250},

	{name: "S2 WINDOW_UPDATE of 0 (CVE-2025-8671)", run: each(2000, connect, func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameWindowUpdate, 0, id, 0, 0, 0, 0)
	}), limit: "MaxFaults", frames: 210, handlers: 202, paced: true},
	{name: "S2 WINDOW_UPDATE that overflows", run: each(2000, connect, func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameWindowUpdate, 0, id, 0x7f, 0xff, 0xff, 0xff)
	}), limit: "MaxFaults", frames: 210, handlers: 202, paced: true},
	{name: "S2 DATA after END_STREAM", run: each(2000, "END_STREAM "+get+"/block", func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameData, 0, id, 'x')
	}), limit: "MaxFaults", frames: 210, handlers: 202, paced: true},
	{name: "S2 PRIORITY of a wrong length", run: each(2000, connect, func(a *attacker, id uint32) bool {
		return a.frame(http2.FramePriority, 0, id, 0, 0, 0, 1)
	}), limit: "MaxFaults", frames: 210, handlers: 202, paced: true},
	{name: "S2 malformed requests", run: each(2000, "END_STREAM "+get+"/ connection=close", nil),
		limit: "MaxFaults", frames: 110, handlers: 0},
	{name: "S2 more DATA than content-length", run: each(2000, post+"/block content-length=1", func(a *attacker, id uint32) bool {
		return a.frame(http2.FrameData, 0, id, 'x', 'y')
	}), limit: "MaxFaults", frames: 210, handlers: 202, paced: true},
	{name: "S2 WINDOW_UPDATE of 0 behind our GOAWAY", run: func(a *attacker) {
		for id := uint32(1); id < 2*120; id += 2 {
			a.send(fmt.Sprintf("HEADERS %d %s", id, connect))
		}
		a.await("HEADERS 200", 120)
		a.send("HEADERS 241 END_STREAM " + get + "/leave")
		a.await("PING", 1)
		a.frame(http2.FramePing, http2.FlagPingAck, 0, []byte("\x00weirbye")...)
		a.await("GOAWAY", 2)
		for id := uint32(1); id < 2*120; id += 2 {
			a.frame(http2.FrameWindowUpdate, 0, id, 0, 0, 0, 0)
		}
	}, limit: "MaxFaults", frames: 121 + 101 + 10, handlers: 121},

	{name: "S3 CONTINUATION of 1 KiB (CVE-2023-45288)", run: func(a *attacker) {
		a.frame(http2.FrameHeaders, 0, 1, 0x82)
		for range 1000 {
			if !a.frame(http2.FrameContinuation, 0, 1, refs(nil, 7, 1024)[:1024]...) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 16},
	{name: "S3 CONTINUATION of 1 KiB of one long value", run: func(a *attacker) {
		a.frame(http2.FrameHeaders, 0, 1, 0x40, 1, 'x', 0x7f, 0x81, 0xff, 3) // a value of 65 664 octets follows
		for range 1000 {
			if !a.frame(http2.FrameContinuation, 0, 1, bytes.Repeat([]byte{'v'}, 1024)...) {
				return
			}
		}
	}, limit: "MaxContinuations", frames: 20},
	{name: "S3 empty CONTINUATION", run: func(a *attacker) {
		a.frame(http2.FrameHeaders, 0, 1, 0x82)
		for range 100_000 {
			if !a.frame(http2.FrameContinuation, 0, 1) {
				return
			}
		}
	}, limit: "MaxContinuations", frames: 20},

	{name: "S4 30 000 references to a field (CVE-2026-49975)", settings: closedWindow, run: func(a *attacker) {
		for id := uint32(1); id < 200; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, refs(nil, 2, 30_000)) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 6},
	{name: "S4 30 000 cookies", settings: closedWindow, run: func(a *attacker) {
		head := a.enc.Block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/")
		for id := uint32(1); id < 200; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, refs(append(bytes.Clone(head), literal("cookie", "a=b")...), 62, 30_000)) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 6},
	{name: "S4 30 000 trailers", settings: closedWindow, run: func(a *attacker) {
		for id := uint32(1); id < 200; id += 2 {
			a.send(fmt.Sprintf("HEADERS %d %s/block", id, post))
			if !a.block(id, http2.FlagHeadersEndStream, refs(literal("x", "y"), 62, 30_000)) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 8, handlers: 1},
	{name: "S4 references to a field of 4 000 octets", settings: closedWindow, run: func(a *attacker) {
		for id := uint32(1); id < 200; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, refs(literal("x", strings.Repeat("v", 4000)), 62, 16_000)) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 6},
	{name: "S4 lists somewhat over the limits, nobody reads the answers", settings: closedWindow, run: func(a *attacker) {
		head := a.enc.Block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/block")
		for id := uint32(1); id < 200; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, refs(append(bytes.Clone(head), literal("x", "y")...), 62, 7_500)) {
				return
			}
		}
		a.await("HEADERS 431", 100)
	}},
	{name: "S4 lists just under the limits", settings: closedWindow, run: func(a *attacker) {
		head := a.enc.Block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/block")
		for id := uint32(1); id < 200; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, refs(append(bytes.Clone(head), literal("x", strings.Repeat("v", 90))...), 62, 494)) {
				return
			}
		}
	}, handlers: 100},

	{name: "S5 a Huffman value of 1 MiB (CVE-2022-41723)", run: func(a *attacker) {
		head := append([]byte{0x40, 1, 'x'}, 0xff, 0x81, 0xff, 0x3f) // Huffman, 1 MiB
		a.frame(http2.FrameHeaders, 0, 1, head...)
		for range 64 {
			if !a.frame(http2.FrameContinuation, 0, 1, make([]byte, 16384)...) {
				return
			}
		}
	}, limit: "MaxHeaderListSize", frames: 4},
	{name: "S5 SETTINGS_HEADER_TABLE_SIZE to and fro", run: func(a *attacker) {
		for i := range 10_000 {
			if !a.frame(http2.FrameSettings, 0, 0, 0, 1, 0, 0, byte(16*(i%2)), 0) {
				return
			}
		}
	}, limit: "MaxSettings", frames: 510},
	{name: "S6 100 000 names of fields (CVE-2021-44716)", run: func(a *attacker) {
		head := a.enc.Block(":method", "GET", ":scheme", "http", ":authority", "a", ":path", "/")
		for i := range 250 {
			b := bytes.Clone(head)
			for j := range 400 {
				b = append(append(b, 0, 8), fmt.Sprintf("x%07d", 400*i+j)...)
				b = append(b, 0)
			}
			if !a.block(uint32(2*i+1), http2.FlagHeadersEndStream, b) {
				return
			}
			if i%10 == 9 && !a.await("HEADERS 200", i+1) {
				return
			}
		}
	}, handlers: 250},

	{name: "S7 PING, nobody reads the answers (CVE-2019-9512)", deaf: true,
		run: flood(50_000, http2.FramePing, 0, 0, make([]byte, 8)...), limit: "MaxUnread or MaxPings", frames: 5010, handlers: 1},
	{name: "S8 SETTINGS (CVE-2019-9515)", run: flood(20_000, http2.FrameSettings, 0, 0), limit: "MaxSettings", frames: 1010, handlers: 1},
	{name: "S8 one SETTINGS with 2 700 settings", run: func(a *attacker) {
		a.frame(http2.FrameSettings, 0, 0, bytes.Repeat([]byte{0, 4, 0, 0, 0, 1}, 2700)...)
	}, limit: "MaxSettings", frames: 4},
	{name: "S8 empty DATA (CVE-2019-9518)", run: flood(50_000, http2.FrameData, 0, 1), limit: "MaxTinyData", frames: 10_010, handlers: 1},
	{name: "S8 DATA of an octet at streams that nobody reads", run: func(a *attacker) {
		for id := uint32(1); id < 10; id += 2 {
			a.send(fmt.Sprintf("HEADERS %d %s/block", id, post))
			for range 66_000 {
				if !a.frame(http2.FrameData, 0, id, 'x') {
					return
				}
			}
		}
	}, limit: "MaxTinyData", frames: 2 * 66_000, handlers: 2},
	{name: "9113-6.1 DATA of an octet at a tunnel that reads is no attack", run: flood(30_000, http2.FrameData, 0, 1, 'x'), handlers: 1},
	{name: "S8 fields without a name (CVE-2019-9516)", run: func(a *attacker) {
		for id := uint32(1); id < 4000; id += 2 {
			if !a.block(id, http2.FlagHeadersEndStream, bytes.Repeat([]byte{0, 0, 0}, 400)) {
				return
			}
		}
	}, limit: "MaxFaults", frames: 110},
	{name: "S8 resets provoked (CVE-2019-9514)", deaf: true, run: func(a *attacker) {
		a.send("HEADERS 1 " + connect)
		a.frame(http2.FrameRSTStream, 0, 1, 0, 0, 0, 8)
		for range 20_000 {
			if !a.frame(http2.FrameData, 0, 1, []byte("abcdefgh")...) {
				return
			}
		}
	}, limit: "MaxIgnored", frames: 2010, handlers: 1},

	{name: "S9 100 downloads, no window", settings: closedWindow,
		run: func(a *attacker) {
			each(100, "END_STREAM "+get+"/big", nil)(a)
			a.flush()
			for i := 0; a.tg.pieces.Load() < 400 && i < 10_000; i++ { // of 16 KiB: 64 KiB wait for each
				time.Sleep(time.Millisecond)
			}
		}, handlers: 100},
	{name: "S9 a window opened octet by octet (CVE-2019-9511)", settings: closedWindow, run: func(a *attacker) {
		a.send("HEADERS 1 END_STREAM " + get + "/big")
		for range 30_000 {
			if !a.frame(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 1) {
				return
			}
		}
	}, limit: "MaxWindowUpdates", frames: 10_010, handlers: 1},
	{name: "S9 the connection's window opened octet by octet", run: flood(30_000, http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 1),
		limit: "MaxWindowUpdates", frames: 10_010, handlers: 1},

	{name: "S10 SETTINGS_INITIAL_WINDOW_SIZE with 250 streams", run: func(a *attacker) {
		for id := uint32(1); id < 500; id += 2 {
			a.send(fmt.Sprintf("HEADERS %d %s", id, connect))
		}
		for i := range 100_000 {
			if !a.frame(http2.FrameSettings, 0, 0, 0, 4, 0, 0, byte(i), 0) {
				return
			}
		}
	}, limit: "MaxSettings", frames: 250 + 510, handlers: 250},

	{name: "S11 SETTINGS_MAX_FRAME_SIZE of 0 (CVE-2026-33814)", run: func(a *attacker) {
		a.send("HEADERS 1 END_STREAM " + get + "/big")
		a.frame(http2.FrameSettings, 0, 0, 0, 5, 0, 0, 0, 0)
	}, code: http2.ErrCodeProtocol, frames: 5, handlers: 1},
	{name: "S11 all types of frames that are not known (CVE-2026-27141)", run: func(a *attacker) {
		for t := 10; t < 256; t++ {
			if http2.FrameType(t) == http2.FramePriorityUpdate {
				continue
			}
			a.frame(http2.FrameType(t), http2.Flags(t), uint32(t), []byte("whatever")...)
		}
	}},
	{name: "S11 frames of a type that is not known", run: flood(20_000, 0x42, 0xff, 3), limit: "MaxIgnored", frames: 2010, handlers: 1},
	{name: "S11 PRIORITY", run: flood(20_000, http2.FramePriority, 0, 7, 0, 0, 0, 1, 9), limit: "MaxIgnored", frames: 2010, handlers: 1},
	{name: "S11 PRIORITY_UPDATE", run: flood(20_000, http2.FramePriorityUpdate, 0, 0, 0, 0, 0, 9, 'u', '=', '1'), limit: "MaxIgnored", frames: 2010, handlers: 1},
	{name: "S11 PING ACK", run: flood(20_000, http2.FramePing, http2.FlagPingAck, 0, make([]byte, 8)...), limit: "MaxIgnored", frames: 2010, handlers: 1},
	{name: "S11 PUSH_PROMISE", run: func(a *attacker) { a.frame(http2.FramePushPromise, http2.FlagHeadersEndHeaders, 1, 0, 0, 0, 2) },
		code: http2.ErrCodeProtocol, frames: 4},

	{name: "S24 300 silent tunnels", run: func(a *attacker) {
		each(300, connect, nil)(a)
		a.await("RST_STREAM REFUSED_STREAM", 50)
		a.await("HEADERS 200", 250)
	}, handlers: 250},
}

// TestAttacks: an attacker gets its answer before a stated number of its frames, memory and
// handlers are bounded, and a second connection is served all along. With -v it says what was
// measured, the time too.
func TestAttacks(t *testing.T) {
	for _, at := range attacks {
		t.Run(at.name, func(t *testing.T) { at.play(t) })
	}
}

func (at *attack) play(t *testing.T) {
	tg := newTarget(t, at.cfg)
	served := tg.healthy()
	grown := heap()
	start := time.Now()
	a := tg.attack(at.settings, at.deaf)
	at.run(a)
	a.flush()
	if at.deaf {
		close(a.hear)
	}
	ends := at.limit != "" || at.code != 0
	if ends {
		streamtest.Within(t, "the connection ends", a.end)
	} else {
		a.alive(t)
	}
	n := served()
	peak, stays := grown()
	limit, frames := tg.logged(at.limit != "")
	code := at.code
	if code == 0 {
		code = http2.ErrCodeEnhanceYourCalm
	}
	// Limits are for 10 s. Where the attack takes longer, more frames are within them.
	most := int64(2 * float64(at.frames) * (1 + time.Since(start).Seconds()/10))
	switch {
	case !slices.Contains(strings.Split(at.limit, " or "), limit):
		t.Errorf("ran into %q, want %q", limit, at.limit)
	case ends && (!a.gone || a.code != code):
		t.Errorf("GOAWAY %v %v, want %v", a.gone, a.code, code)
	case frames >= most && at.frames > 0:
		t.Errorf("the answer came after %d frames, want it before %d", frames, most)
	}
	mostHandlers := at.handlers
	if at.paced {
		mostHandlers += int64(float64(at.handlers) * max(time.Since(start).Seconds()/10-1, 0))
	}
	if s := tg.started.Load(); s > mostHandlers {
		t.Errorf("%d handlers were started, want at most %d", s, mostHandlers)
	}
	if n == 0 {
		t.Error("the second connection was not served")
	}
	const mostHeap = 20 << 20
	if peak >= mostHeap || stays >= mostHeap/4 && ends {
		t.Errorf("the heap grew by %d KiB, %d KiB stay", peak>>10, stays>>10)
	}
	took := "-"
	if a.gone {
		took = a.at.Sub(start).Round(100 * time.Microsecond).String()
	}
	t.Logf("| %s | %s | %d | %s | %.1f MiB | %d | %d |", at.name, limit, frames, took, float64(peak)/(1<<20), tg.started.Load(), n)
}

// alive fails the test unless the attacker's own connection still answers.
func (a *attacker) alive(t *testing.T) {
	t.Helper()
	before := a.count("PING")
	a.frame(http2.FramePing, 0, 0, []byte("alive?!?")...)
	if !a.await("PING", before+1) {
		t.Errorf("the connection has ended, with %v", a.code)
	}
	a.nc.Close()
	<-a.end
}

// TestNoH2CUpgrade (RFC 9113, 3.1): Upgrade: h2c never switches, whatever stands beside it.
func TestNoH2CUpgrade(t *testing.T) {
	tg := newTarget(t, h2.Config{})
	for _, up := range []string{"h2c", "websocket, h2c", "H2C"} {
		nc := tg.dial()
		io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "+up+"\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
		b := make([]byte, 12)
		if _, err := io.ReadFull(nc, b); err != nil || string(b) != "HTTP/1.1 200" {
			t.Errorf("Upgrade: %s: %q, %v", up, b, err)
		}
		nc.Close()
	}
	p, err := h2test.Dial(tg.dial())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if st := tg.h2.Stats(); st.ConnsTotal != 1 {
		t.Errorf("%d connections of HTTP/2, want the one with prior knowledge", st.ConnsTotal)
	}
}
