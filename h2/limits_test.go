package h2

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"weir/flow"
	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

const (
	aPost    = ":method=POST :scheme=http :path=/ :authority=a"
	aConnect = ":method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a"
)

// limitConfig is a core's with the defaults of Config.
func limitConfig(cfg Config) coreConfig { return cfg.with(new(http.Server)).core() }

// limitAttack is what an attacker does, step by step, to run into one limit.
type limitAttack struct {
	limit Limit
	name  string
	begin []string                  // "A …" is what the user does
	step  func(p *player, i uint32) // the frames of step i
	free  int                       // the steps that a burst may have
	pause time.Duration             // between the steps of an honest peer; 0: there is no such peer
}

func (a *limitAttack) start(cfg Config) *player {
	p := newPlayer(limitConfig(cfg), 0)
	p.greet()
	for _, l := range a.begin {
		if l[0] != 'A' {
			p.send(l)
		} else if err := p.do(l[2:]); err != nil {
			panic(err)
		}
	}
	p.forget()
	return p
}

func (p *player) forget() { p.frames, p.events, p.octets = nil, nil, nil }

// raw gives the core a frame without the encoder's detour.
func (p *player) raw(t http2.FrameType, flags http2.Flags, id uint32, payload ...byte) {
	p.feed(h2test.AppendFrame(nil, t, flags, id, payload))
}

func (p *player) open(i uint32, fields string) uint32 {
	id := 2*i + 3
	p.send(fmt.Sprintf("HEADERS %d %s", id, fields))
	return id
}

var limitAttacks = []limitAttack{
	{LimitPeerResets, "CVE-2023-44487", nil, func(p *player, i uint32) {
		p.raw(http2.FrameRSTStream, 0, p.open(i, aConnect), 0, 0, 0, 8)
	}, 500, 25 * time.Millisecond},

	{LimitFaults, "9113-6.9/WINDOW_UPDATE 0", nil, func(p *player, i uint32) {
		p.raw(http2.FrameWindowUpdate, 0, p.open(i, aConnect), 0, 0, 0, 0)
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-6.9.1/WINDOW_UPDATE overflow", nil, func(p *player, i uint32) {
		p.raw(http2.FrameWindowUpdate, 0, p.open(i, aConnect), 0x7f, 0xff, 0xff, 0xff)
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-5.1/DATA after END_STREAM", nil, func(p *player, i uint32) {
		p.raw(http2.FrameData, 0, p.open(i, "END_STREAM "+aPost), 'x')
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-6.3/PRIORITY of a wrong length", nil, func(p *player, i uint32) {
		p.raw(http2.FramePriority, 0, p.open(i, aConnect), 0, 0, 0, 0)
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-8.1/trailers without END_STREAM", nil, func(p *player, i uint32) {
		p.send(fmt.Sprintf("HEADERS %d a=b", p.open(i, aPost)))
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-8.1.1/content-length", nil, func(p *player, i uint32) {
		p.raw(http2.FrameData, 0, p.open(i, aPost+" content-length=1"), 'x', 'y')
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-8.3/malformed request", nil, func(p *player, i uint32) {
		p.open(i, "END_STREAM :method=GET x=y")
	}, 100, 110 * time.Millisecond},
	{LimitFaults, "9113-6.9.1/DATA over the window", nil, func(p *player, i uint32) {
		id := p.open(i, aConnect)
		for range 5 {
			p.raw(http2.FrameData, 0, id, make([]byte, 16384)...)
		}
	}, 100, 110 * time.Millisecond},

	{LimitRefused, "9113-5.1.2", []string{"HEADERS 1 " + aConnect, "A open 1"}, func(p *player, i uint32) {
		p.open(i, aConnect)
	}, 1000, 11 * time.Millisecond},
	{LimitPings, "CVE-2019-9512", nil, func(p *player, i uint32) {
		p.raw(http2.FramePing, 0, 0, make([]byte, 8)...)
	}, 5000, 3 * time.Millisecond},
	{LimitSettings, "CVE-2019-9515", nil, func(p *player, i uint32) {
		p.raw(http2.FrameSettings, 0, 0)
	}, 999, 11 * time.Millisecond},
	{LimitSettings, "9113-6.9.2/SETTINGS_INITIAL_WINDOW_SIZE", nil, func(p *player, i uint32) {
		p.raw(http2.FrameSettings, 0, 0, 0, 4, 0, 0, byte(i), 0)
	}, 499, 21 * time.Millisecond},
	{LimitSettings, "RFC 7541, 4.2/SETTINGS_HEADER_TABLE_SIZE", nil, func(p *player, i uint32) {
		p.raw(http2.FrameSettings, 0, 0, 0, 1, 0, 0, 16*byte(i%2), 0)
	}, 499, 21 * time.Millisecond},
	{LimitWindowUpdates, "9113-6.9/octet by octet", nil, func(p *player, i uint32) {
		p.raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 1)
	}, 10000, 2 * time.Millisecond},
	{LimitWindowUpdates, "CVE-2019-9511/octet by octet with octets waiting", []string{"SETTINGS INITIAL_WINDOW_SIZE=0", "HEADERS 1 " + aConnect,
		"A open 1", "A send 1 LEN=65536"}, func(p *player, i uint32) {
		p.raw(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 1)
	}, 10000, 2 * time.Millisecond},
	{LimitTinyData, "CVE-2019-9518/empty", []string{"HEADERS 1 " + aConnect, "A open 1"}, func(p *player, i uint32) {
		p.raw(http2.FrameData, 0, 1)
	}, 10000, 2 * time.Millisecond},
	{LimitTinyData, "9113-10.5/padding alone", []string{"HEADERS 1 " + aConnect, "A open 1"}, func(p *player, i uint32) {
		p.raw(http2.FrameData, http2.FlagDataPadded, 1, 3, 0, 0, 0)
	}, 10000, 2 * time.Millisecond},
	{LimitTinyData, "9113-10.5/an octet for a stream that we have reset", []string{"HEADERS 1 " + aConnect, "A reset 1 8"}, func(p *player, i uint32) {
		p.raw(http2.FrameData, 0, 1, 'x')
	}, 66000, 200 * time.Microsecond},
	{LimitTinyData, "9113-5.1/the end of a stream again and again", []string{"HEADERS 1 " + aConnect, "A reset 1 8"}, func(p *player, i uint32) {
		p.raw(http2.FrameData, http2.FlagDataEndStream, 1)
	}, 10000, 2 * time.Millisecond},
	{LimitIgnored, "9113-6.3/PRIORITY", nil, func(p *player, i uint32) {
		p.raw(http2.FramePriority, 0, 2*i+3, 0, 0, 0, 1, 15)
	}, 2000, 6 * time.Millisecond},
	{LimitIgnored, "9218-7.1/PRIORITY_UPDATE", nil, func(p *player, i uint32) {
		p.raw(http2.FramePriorityUpdate, 0, 0, 0, 0, 0, 1, 'u', '=', byte('0'+i%8))
	}, 2000, 6 * time.Millisecond},
	{LimitIgnored, "9113-5.5/unknown types", nil, func(p *player, i uint32) {
		p.raw(http2.FrameType(17+i%239), 0xff, i, 'x')
	}, 2000, 6 * time.Millisecond},
	{LimitIgnored, "9113-6.7/PING ACK", nil, func(p *player, i uint32) {
		p.raw(http2.FramePing, http2.FlagPingAck, 0, make([]byte, 8)...)
	}, 2000, 6 * time.Millisecond},
	{LimitIgnored, "9113-6.8/GOAWAY", []string{"HEADERS 1 " + aConnect, "A open 1"}, func(p *player, i uint32) {
		p.raw(http2.FrameGoAway, 0, 0, make([]byte, 8)...)
	}, 2001, 6 * time.Millisecond},
	{LimitIgnored, "9113-6.4/RST_STREAM of a stream that is gone", []string{"HEADERS 1 " + aConnect, "A reset 1 8"}, func(p *player, i uint32) {
		p.raw(http2.FrameRSTStream, 0, 1, 0, 0, 0, 8)
	}, 2000, 6 * time.Millisecond},
	{LimitIgnored, "9113-6.8/HEADERS beyond our GOAWAY", []string{"HEADERS 1 " + aConnect, "A open 1", "A goaway", "PING ACK 0077656972627965"}, func(p *player, i uint32) {
		p.open(i, aConnect)
	}, 1999, 6 * time.Millisecond},
	{LimitIgnored, "9113-5.1/DATA of a stream that the peer has reset", []string{"HEADERS 1 " + aConnect, "RST_STREAM 1 CANCEL"}, func(p *player, i uint32) {
		p.raw(http2.FrameData, 0, 1, []byte("abcdef")...)
	}, 2000, 6 * time.Millisecond},
}

// TestLimits (RFC 9113, 10.5): each rate lets a burst through, to the frame, and ends the connection with the next.
func TestLimits(t *testing.T) {
	for _, a := range limitAttacks {
		t.Run(a.limit.String()+"/"+a.name, func(t *testing.T) {
			cfg := Config{}
			if a.limit == LimitRefused {
				cfg.MaxConcurrentStreams = 1
			}
			p := a.start(cfg)
			for i := range uint32(a.free) {
				if a.step(p, i); p.c.err != nil {
					t.Fatalf("step %d of %d: %v", i+1, a.free, p.c.err)
				}
				p.forget()
			}
			a.step(p, uint32(a.free))
			a.wantEnd(t, p)
		})
	}
}

func (a *limitAttack) wantEnd(t *testing.T, p *player) {
	t.Helper()
	var ce *ConnError
	if !errors.As(p.c.err, &ce) || ce.Limit != a.limit || ce.Code != EnhanceYourCalm || ce.Rule != "RFC 9113, 10.5" {
		t.Fatalf("ended by %v, want %v", p.c.err, a.limit)
	}
	if n := len(p.frames); n == 0 || p.frames[n-1].Type != http2.FrameGoAway || p.frames[n-1].Code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("frames %v, want GOAWAY ENHANCE_YOUR_CALM last", p.frames)
	}
	if p.c.counts.seldom().limits[a.limit] != 1 {
		t.Errorf("limits %v, want one hit of %v", p.c.counts.rare.limits, a.limit)
	}
}

// TestLimitsAreRates: a peer that does the same more slowly lives on, well past what a burst may have, and has a whole
// burst again when it has rested.
func TestLimitsAreRates(t *testing.T) {
	for _, a := range limitAttacks {
		t.Run(a.limit.String()+"/"+a.name, func(t *testing.T) {
			cfg := Config{}
			if a.limit == LimitRefused {
				cfg.MaxConcurrentStreams = 1
			}
			p := a.start(cfg)
			steps := uint32(a.free + a.free/2)
			for i := range steps {
				p.now = p.now.Add(a.pause)
				if a.step(p, i); p.c.err != nil {
					t.Fatalf("step %d: %v", i+1, p.c.err)
				}
				p.forget()
			}
			p.now = p.now.Add(rateWindow)
			for i := range uint32(a.free - 2) {
				if a.step(p, steps+i); p.c.err != nil {
					t.Fatalf("step %d of the second burst: %v", i+1, p.c.err)
				}
				p.forget()
			}
		})
	}
}

// TestTinyDataUnderWay (RFC 9113, 8.1): a request may be answered, and its stream ended, while as much as a window of its
// body is under way in DATA frames of one octet, wherever the end falls among them.
func TestTinyDataUnderWay(t *testing.T) {
	for _, before := range []int{0, 30_000, flow.DefaultWindow} {
		a := &limitAttack{begin: []string{"HEADERS 1 " + aPost}}
		p := a.start(Config{})
		octets := func(n int) {
			for range n {
				p.raw(http2.FrameData, 0, 1, 'x')
				p.forget()
			}
		}
		octets(before)
		if err := p.do("reset 1 0"); err != nil {
			t.Fatal(err)
		}
		octets(flow.DefaultWindow - before)
		if p.c.err != nil {
			t.Errorf("%d octets before the end: %v", before, p.c.err)
		}
	}
}

// TestLimitsOff: negative is off.
func TestLimitsOff(t *testing.T) {
	for _, a := range limitAttacks {
		t.Run(a.limit.String()+"/"+a.name, func(t *testing.T) {
			cfg := Config{MaxPeerResets: -1, MaxFaults: -1, MaxRefused: -1, MaxPings: -1, MaxSettings: -1, MaxWindowUpdates: -1, MaxTinyData: -1, MaxIgnored: -1}
			if a.limit == LimitRefused {
				cfg.MaxConcurrentStreams = 1
			}
			p := a.start(cfg)
			for i := range uint32(a.free + a.free/4) {
				if a.step(p, i); p.c.err != nil {
					t.Fatalf("step %d: %v", i+1, p.c.err)
				}
				p.forget()
			}
		})
	}
}

// TestHonest: what looks like a flood and is none.
func TestHonest(t *testing.T) {
	tunnel := func(p *player) {
		p.send("HEADERS 1 " + aConnect)
		p.must(p.do("open 1"))
		p.must(p.do("grow 1 1000000"))
	}
	for _, tt := range []struct {
		name string
		play func(p *player)
	}{
		{"20 000 smallest WebSocket messages a second, each echoed and paid for with two WINDOW_UPDATEs", func(p *player) {
			tunnel(p)
			for range 60_000 {
				p.now = p.now.Add(50 * time.Microsecond)
				p.raw(http2.FrameData, 0, 1, []byte("\x82\x80abcd")...)
				p.must(p.do("send 1 xx"))
				p.must(p.do("release 1 6"))
				p.raw(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 2)
				p.raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 2)
				p.forget()
			}
		}},
		{"a PING for each of 5 000 messages a second", func(p *player) {
			tunnel(p)
			for range 20_000 {
				p.now = p.now.Add(200 * time.Microsecond)
				p.must(p.do("send 1 x"))
				p.raw(http2.FramePing, 0, 0, make([]byte, 8)...)
				p.raw(http2.FrameWindowUpdate, 0, 1, 0, 0, 0, 1)
				p.raw(http2.FrameWindowUpdate, 0, 0, 0, 0, 0, 1)
				p.forget()
			}
		}},
		{"a message of 8 KiB octet by octet", func(p *player) {
			tunnel(p)
			for range 8192 {
				p.raw(http2.FrameData, 0, 1, 'x')
				p.forget()
			}
		}},
		{"a WebSocket a millisecond, closed by END_STREAM on both sides", func(p *player) {
			for i := range uint32(5000) {
				p.now = p.now.Add(time.Millisecond)
				id := p.open(i, aConnect)
				p.must(p.do(fmt.Sprintf("open %d", id)))
				p.must(p.do(fmt.Sprintf("send %d bye fin", id)))
				p.raw(http2.FrameData, http2.FlagDataEndStream, id)
				p.forget()
			}
		}},
		{"WebSockets that lived for a second, dropped by RST_STREAM", func(p *player) {
			for i := range uint32(20) {
				for j := range uint32(250) {
					p.must(p.do(fmt.Sprintf("open %d", p.open(250*i+j, aConnect))))
				}
				p.now = p.now.Add(time.Second)
				for j := range uint32(250) {
					p.raw(http2.FrameRSTStream, 0, 2*(250*i+j)+3, 0, 0, 0, 8)
				}
				p.forget()
			}
		}},
		{"whole answers, and RST_STREAM for the rest of the upload (RFC 9113, 8.1)", func(p *player) {
			for i := range uint32(5000) {
				id := p.open(i, aPost)
				p.must(p.do(fmt.Sprintf("answer %d 403 fin", id)))
				if i%2 == 0 {
					p.must(p.do(fmt.Sprintf("finish %d", id))) // RST_STREAM NO_ERROR, and what was under way
					for range 4 {
						p.raw(http2.FrameData, 0, id, make([]byte, 1000)...)
					}
				} else {
					p.raw(http2.FrameRSTStream, 0, id, 0, 0, 0, 0)
				}
				p.forget()
			}
		}},
		{"200 uploads given up early, with DATA under way for those that are no longer remembered", func(p *player) {
			for i := range uint32(200) {
				p.must(p.do(fmt.Sprintf("reset %d 8", p.open(i, aPost))))
			}
			for i := range uint32(200) {
				for range 4 {
					p.raw(http2.FrameData, 0, 2*i+3, make([]byte, 1000)...)
				}
			}
		}},
		{"a page given up: 100 streams reset, 4 times in 10 s", func(p *player) {
			for i := range uint32(400) {
				p.raw(http2.FrameRSTStream, 0, p.open(i, aPost), 0, 0, 0, 8)
			}
		}},
		{"a first flight of 300 requests where 250 are allowed", func(p *player) {
			for i := range uint32(300) {
				p.open(i, aPost)
			}
		}},
		{"PRIORITY and PRIORITY_UPDATE for each request (RFC 9218, 7.1)", func(p *player) {
			for i := range uint32(10_000) {
				id := p.open(i, "END_STREAM "+aPost)
				p.raw(http2.FramePriority, 0, id, 0, 0, 0, 0, 15)
				p.raw(0x10, 0, 0, 0, 0, 0, byte(id), 'u')
				p.must(p.do(fmt.Sprintf("answer %d 204 fin", id)))
				p.forget()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(limitConfig(Config{}), 0)
			p.greet()
			if tt.play(p); p.c.err != nil {
				t.Error(p.c.err)
			}
		})
	}
}

func (p *player) must(err error) {
	if err != nil {
		panic(err)
	}
}

// TestUnread (RFC 9113, 10.5): answers that the peer provokes and does not read are bounded, whatever the rates allow.
func TestUnread(t *testing.T) {
	p := newPlayer(limitConfig(Config{MaxPings: -1, MaxUnread: 1700}), 0)
	p.greet()
	ping := h2test.AppendFrame(nil, http2.FramePing, 0, 0, make([]byte, 8))
	for i := range 101 {
		p.c.feed(ping, p.now)
		p.c.next() // nothing is written meanwhile
		if over := p.c.err != nil; over != (i == 100) {
			t.Fatalf("PING %d: %v", i+1, p.c.err)
		}
	}
	p.drain()
	if f := p.frames[len(p.frames)-1]; len(p.frames) != 102 || !f.Matches("GOAWAY 0 ENHANCE_YOUR_CALM") || p.c.counts.rare.limits[LimitUnread] != 1 {
		t.Errorf("%d frames, last %v", len(p.frames), f)
	}
}

// TestStall: a stream that nothing can be sent on for its patience fails with os.ErrDeadlineExceeded, by whichever
// window; what gets through begins the time anew.
func TestStall(t *testing.T) {
	for _, tt := range []struct {
		name       string
		wait       []string // what happens before the end
		want       time.Duration
		conn, each time.Duration // blocked
	}{
		{"stream window", []string{"SETTINGS INITIAL_WINDOW_SIZE=0", "A answer 1 200", "A send 1 LEN=10"}, 60 * time.Second, 0, 60 * time.Second},
		{"progress", []string{"SETTINGS INITIAL_WINDOW_SIZE=0", "A answer 1 200", "A send 1 LEN=10", "A wait 50s", "WINDOW_UPDATE 1 1"}, 110 * time.Second, 0, 110 * time.Second},
		{"a window that stays negative is no progress", []string{"A answer 1 200", "A send 1 LEN=65535", "SETTINGS INITIAL_WINDOW_SIZE=0", "A send 1 x",
			"A wait 50s", "WINDOW_UPDATE 1 1"}, 60 * time.Second, 0, 60 * time.Second},
		{"connection window", []string{"SETTINGS INITIAL_WINDOW_SIZE=70000", "A answer 1 200", "A send 1 LEN=70000", "A wait 50s", "WINDOW_UPDATE 0 1"},
			110 * time.Second, 50 * time.Second, 110 * time.Second},
		{"nothing to send", []string{"SETTINGS INITIAL_WINDOW_SIZE=0", "A answer 1 200"}, 0, 0, 0},
		{"held", []string{"SETTINGS INITIAL_WINDOW_SIZE=0", "A open 1"}, 0, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(limitConfig(Config{IdleTimeout: -1, StallTimeout: time.Minute}), 0)
			p.greet()
			p.send("HEADERS 1 " + aPost)
			for _, w := range tt.wait {
				if p.c.stamp(p.now); w[0] == 'A' {
					p.must(p.do(w[2:]))
				} else {
					p.send(w)
				}
			}
			p.c.stamp(p.now)
			p.forget()
			p.must(p.do("wait 300s"))
			if tt.want == 0 {
				if len(p.frames) > 0 || len(p.events) > 0 {
					t.Fatalf("%v, %q", p.frames, p.events)
				}
				return
			}
			s := p.streams[1]
			if len(p.frames) != 1 || !p.frames[0].Matches("RST_STREAM 1 CANCEL") || !errors.Is(s.why(), os.ErrDeadlineExceeded) {
				t.Fatalf("%v, %v", p.frames, s.why())
			}
			if d := p.c.counts.streamsBlocked; d != tt.each {
				t.Errorf("the stream was blocked for %v, want %v", d, tt.each)
			}
			if d := p.c.counts.connBlocked; d != tt.conn {
				t.Errorf("the connection was blocked for %v, want %v", d, tt.conn)
			}
			if p.c.counts.rare.limits[LimitStall] != 1 || p.c.err != nil {
				t.Errorf("limits %v, err %v", p.c.counts.rare.limits, p.c.err)
			}
		})
	}
}

// TestStallTime holds the instant: not before, not after.
func TestStallTime(t *testing.T) {
	p := newPlayer(limitConfig(Config{StallTimeout: 5 * time.Second}), 0)
	p.greet()
	p.send("SETTINGS INITIAL_WINDOW_SIZE=0")
	p.send("HEADERS 1 " + aPost)
	p.send("HEADERS 3 " + aPost)
	p.now = p.now.Add(time.Hour) // the core hears of it late
	p.must(p.do("answer 1 200"))
	p.must(p.do("answer 3 200"))
	p.must(p.do("send 1 x"))
	p.must(p.do("send 3 x"))
	p.c.setPatience(p.streams[3], 0)
	p.c.stamp(p.now)
	p.forget()
	p.must(p.do("wait 4999ms"))
	if len(p.frames) > 0 {
		t.Fatalf("too early: %v", p.frames)
	}
	p.must(p.do("wait 1ms"))
	if len(p.frames) != 1 || !p.frames[0].Matches("RST_STREAM 1 CANCEL") {
		t.Fatalf("%v", p.frames)
	}
	p.c.setPatience(p.streams[3], 10*time.Second) // counts from when it began
	p.must(p.do("wait 4999ms"))
	if len(p.frames) != 1 {
		t.Fatalf("too early: %v", p.frames)
	}
	p.must(p.do("wait 1ms"))
	if len(p.frames) != 2 || !p.frames[1].Matches("RST_STREAM 3 CANCEL") {
		t.Fatalf("%v", p.frames)
	}
}

// TestHandshakeTimes: the deadlines of a connection's beginning and of a field block, also when the octets drip.
func TestHandshakeTimes(t *testing.T) {
	hello := []byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	request := h2test.AppendFrame(nil, http2.FrameHeaders, 0, 1, new(h2test.Encoder).Block(":method", "GET", "x", "0123456789"))
	more := h2test.AppendFrame(nil, http2.FrameContinuation, 0, 1, new(h2test.Encoder).Block("x", "0123456789"))
	ack := h2test.AppendFrame(nil, http2.FrameSettings, http2.FlagSettingsAck, 0, nil)
	for _, tt := range []struct {
		name   string
		before []byte
		drip   []byte // an octet a second
		rule   string
		code   Code
		after  time.Duration
	}{
		{"preface", nil, hello, "RFC 9113, 3.4", ProtocolError, 10 * time.Second},
		{"no SETTINGS", []byte(http2.ClientPreface), nil, "RFC 9113, 3.4", ProtocolError, 10 * time.Second},
		{"no ACK", hello, nil, "RFC 9113, 6.5.3", SettingsTimeout, 10 * time.Second},
		{"HEADERS", append(append([]byte(nil), hello...), ack...), request, "RFC 9113, 10.5.1", EnhanceYourCalm, 18 * time.Second},
		{"CONTINUATION", append(append(append([]byte(nil), hello...), ack...), request...), more, "RFC 9113, 10.5.1", EnhanceYourCalm, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(limitConfig(Config{}), 0)
			p.feed(tt.before)
			start := p.now
			for i := 0; p.c.err == nil; i++ {
				if i > 60 {
					t.Fatal("lives on")
				}
				if i < len(tt.drip) {
					p.feed(tt.drip[i : i+1])
				}
				p.must(p.do("wait 1s"))
			}
			var ce *ConnError
			if !errors.As(p.c.err, &ce) || ce.Rule != tt.rule || ce.Code != tt.code || ce.Limit != LimitHandshake {
				t.Errorf("ended by %v", p.c.err)
			}
			if d := p.now.Sub(start); d != tt.after {
				t.Errorf("after %v, want %v", d, tt.after)
			}
		})
	}
}

// TestBadSettings (RFC 9113, 6.5.2): values that would upset the writer (CVE-2026-33814).
func TestBadSettings(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"SETTINGS MAX_FRAME_SIZE=0", "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS MAX_FRAME_SIZE=16383", "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS MAX_FRAME_SIZE=16777216", "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS MAX_FRAME_SIZE=4294967295", "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS MAX_FRAME_SIZE=16777215", "SETTINGS ACK"},
		{"SETTINGS ENABLE_PUSH=2", "GOAWAY 0 PROTOCOL_ERROR"},
		{"SETTINGS INITIAL_WINDOW_SIZE=2147483648", "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"SETTINGS HEADER_TABLE_SIZE=4294967295", "SETTINGS ACK"},
		{"SETTINGS 65535=4294967295", "SETTINGS ACK"},
	} {
		p := newPlayer(limitConfig(Config{}), 0)
		p.greet()
		p.send(tt.line)
		if len(p.frames) != 1 || !p.frames[0].Matches(tt.want) {
			t.Errorf("%s: %v, want %s", tt.line, p.frames, tt.want)
		}
	}
}

// TestOverflowBySettings (RFC 9113, 6.9.2): a window that a SETTINGS takes over 2^31-1 ends the connection.
func TestOverflowBySettings(t *testing.T) {
	p := newPlayer(limitConfig(Config{}), 0)
	p.greet()
	p.send("HEADERS 1 " + aPost)
	p.send("WINDOW_UPDATE 1 2147418112")
	p.send("SETTINGS INITIAL_WINDOW_SIZE=65536")
	if f := p.frames[len(p.frames)-1]; !f.Matches("GOAWAY 1 FLOW_CONTROL_ERROR") {
		t.Errorf("%v", p.frames)
	}
}

// TestConfigLimits: zero is the default, negative off, and what a field is called is what the log says.
func TestConfigLimits(t *testing.T) {
	def, off := limitConfig(Config{}), limitConfig(Config{MaxPings: -1, MaxTinyData: -1, MaxHandlers: -1, MaxContinuations: -1, MaxUnread: -1, StallTimeout: -1})
	if def.rates[LimitPings] != 5000 || def.rates[LimitTinyData] != 330_000 || def.blockFrames != 16 || def.unread != 64<<10 || def.stall != 0 || def.hold != holdTime {
		t.Errorf("%+v", def)
	}
	if off.rates[LimitPings] > 0 || off.rates[LimitTinyData] > 0 || off.blockFrames < 1<<30 || off.unread < 1<<30 || off.stall != 0 || off.hold != 0 {
		t.Errorf("%+v", off)
	}
	for l := Limit(1); l < limits; l++ {
		if l.String() == "none" || limitTexts[l].msg == "" {
			t.Errorf("limit %d has no name", l)
		}
	}
	if Limit(0).String() != "none" || Limit(200).String() != "none" {
		t.Error("none")
	}
}
