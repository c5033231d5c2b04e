package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func clientTestConfig() coreConfig {
	cfg := testConfig()
	cfg.client, cfg.idle, cfg.stall, cfg.maxStreams = true, 0, 0, 1<<31-1
	cfg.rates[LimitPeerResets], cfg.rates[LimitFaults], cfg.rates[LimitRefused] = 0, 0, 0
	return cfg
}

// newClientPlayer drives a core in the client's role. Its preface is taken off.
func newClientPlayer(cfg coreConfig, cut int) *player {
	p := &player{c: newCore(cfg, false, nil, epoch), now: epoch, cut: cut, streams: map[uint32]*coreStream{}}
	p.c.out = bytes.TrimPrefix(p.c.out, []byte(http2.ClientPreface))
	p.drain()
	return p
}

// greetClient goes through the beginning of a connection whose server allows 4 streams.
func (p *player) greetClient() {
	p.send("SETTINGS MAX_CONCURRENT_STREAMS=4 ENABLE_CONNECT_PROTOCOL=1")
	p.send("SETTINGS ACK")
	p.forget()
}

// TestClientDialogues plays testdata/client.txt, whole and cut into pieces, as TestDialogues does:
// C is what the core says, S what the server does. Every dialogue but a raw one begins behind both
// SETTINGS.
func TestClientDialogues(t *testing.T) {
	b, err := os.ReadFile("testdata/client.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split("\n"+string(b), "\n== ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		title, raw := strings.CutPrefix(title, "raw ")
		title, keep := strings.CutPrefix(title, "ping ")
		for _, cut := range []int{0, 1, 7} {
			t.Run(fmt.Sprintf("%d_%s/cut%d", i, title, cut), func(t *testing.T) {
				cfg := clientTestConfig()
				if keep {
					cfg.pingInterval, cfg.pingTimeout = 30*time.Second, 5*time.Second
				}
				p := newClientPlayer(cfg, cut)
				if !raw {
					p.greetClient()
				}
				playClient(t, p, body)
			})
		}
	}
}

func playClient(t *testing.T, p *player, body string) {
	for n, line := range strings.Split(body, "\n") {
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(line, ": ")
		switch {
		case line == "" || line[0] == '#':
		case line == "over":
			if !p.c.over() {
				t.Fatalf("line %d: the connection is not over", n+1)
			}
		case kind == "ROOM":
			if got := fmt.Sprint(p.c.room()); got != rest {
				t.Fatalf("line %d: room for %s, want %s", n+1, got, rest)
			}
		case kind == "S":
			p.send(rest)
		case kind == "A":
			if err := p.do(rest); err != nil {
				t.Fatalf("line %d: %s: %v", n+1, line, err)
			}
		case line == "C: -":
			if len(p.frames) > 0 {
				t.Fatalf("line %d: unexpected %v", n+1, p.frames[0])
			}
		case kind == "C":
			if len(p.frames) == 0 {
				t.Fatalf("line %d: no frame, want %s; events %q", n+1, rest, p.events)
			}
			if !p.frames[0].Matches(rest) {
				t.Fatalf("line %d:\n got %v\nwant %s", n+1, p.frames[0], rest)
			}
			p.frames = p.frames[1:]
		case kind == "E":
			if len(p.events) == 0 || p.events[0] != rest {
				t.Fatalf("line %d: events %q, want %q; frames %v", n+1, p.events, rest, p.frames)
			}
			p.events = p.events[1:]
		default:
			t.Fatalf("line %d: cannot read %q", n+1, line)
		}
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	if len(p.frames) > 0 || len(p.events) > 0 {
		t.Errorf("left over: %v, %q", p.frames, p.events)
	}
}

// TestClientLateAnswers: answers to more streams than are remembered, all given up, end nothing
// (RFC 9113, 5.1).
func TestClientLateAnswers(t *testing.T) {
	p := newClientPlayer(clientTestConfig(), 0)
	p.greetClient()
	for id := uint32(1); id < 1000; id += 2 {
		if err := p.do("connect :method=CONNECT"); err != nil {
			t.Fatal(err)
		}
		p.c.reset(p.streams[id], Cancel)
	}
	p.drain()
	p.forget()
	for id := 1; id < 1000; id += 2 {
		p.send(fmt.Sprintf("HEADERS %d :status=200", id))
		p.send(fmt.Sprintf("DATA %d LEN=100", id))
		p.send(fmt.Sprintf("RST_STREAM %d NO_ERROR", id))
	}
	if p.c.err != nil || len(p.events) > 0 {
		t.Errorf("%v; %q", p.c.err, p.events)
	}
	for _, f := range p.frames {
		if !f.Matches("WINDOW_UPDATE 0") {
			t.Errorf("said %v", f)
		}
	}
	if err := p.c.check(); err != nil {
		t.Error(err)
	}
}

// TestClientTinyData: a server's smallest messages, unmasked, are no flood (RFC 6455, 5.2).
func TestClientTinyData(t *testing.T) {
	p := newClientPlayer(clientTestConfig(), 0)
	p.greetClient()
	if err := p.do("connect :method=CONNECT"); err != nil {
		t.Fatal(err)
	}
	p.send("HEADERS 1 :status=200")
	for range 100_000 {
		p.send("DATA 1 LEN=2")
		p.c.release(p.streams[1], 2)
		p.drain()
		p.forget()
	}
	if p.c.err != nil {
		t.Error(p.c.err)
	}
	for range 40_000 {
		p.send("DATA 1")
	}
	if ce, ok := p.c.err.(*ConnError); !ok || ce.Limit != LimitTinyData {
		t.Errorf("empty frames: %v", p.c.err)
	}
}

// TestClientLimits: a client's limits take what is set, and no more, also from a server that sends
// real messages between (RFC 9113, 10.5).
func TestClientLimits(t *testing.T) {
	const most = 60
	for _, c := range []struct {
		limit Limit
		lines string // one round
		costs int    // what is set, in rounds
	}{
		{LimitPings, "PING", most},
		{LimitSettings, "SETTINGS", most},
		{LimitSettings, "SETTINGS MAX_CONCURRENT_STREAMS=4", most / 2},
		{LimitWindowUpdates, "WINDOW_UPDATE 1 1", most},
		{LimitWindowUpdates, "WINDOW_UPDATE 0 1", most},
		{LimitIgnored, "HEADERS 3 :status=103", most},
		{LimitIgnored, "RAW 0x20 0 0 00", most},
		{LimitIgnored, "PRIORITY 1 0 1", most},
		{LimitTinyData, "DATA 1", most},
		{LimitTinyData, "DATA 1 PAD=5", most},
		{LimitTinyData, "DATA 1 / DATA 1 LEN=2", most},
		{LimitTinyData, "DATA 1 / DATA 1 LEN=6", most},
		{LimitTinyData, "DATA 5 x", most * emptyData / (tinyData - 1)}, // for a stream that has gone
	} {
		t.Run(fmt.Sprint(c.limit, "/", c.lines), func(t *testing.T) {
			cfg := clientTestConfig()
			for l := range cfg.rates {
				cfg.rates[l] = 0
			}
			cfg.rates[c.limit] = most
			if c.limit == LimitTinyData {
				cfg.rates[c.limit] = emptyData * most // as Config.core has it
			}
			p := newClientPlayer(cfg, 0)
			p.greetClient()
			for range 3 {
				if err := p.do("connect :method=CONNECT"); err != nil {
					t.Fatal(err)
				}
			}
			p.send("HEADERS 1 :status=200")
			p.send("RST_STREAM 5 CANCEL")
			p.c.budgets = [rates]budget{}
			rounds := 0
			for ; rounds < 100*most && p.c.err == nil; rounds++ {
				for line := range strings.SplitSeq(c.lines, " / ") {
					p.send(line)
				}
				p.forget()
			}
			ce, _ := p.c.err.(*ConnError)
			if ce == nil || ce.Limit != c.limit || rounds != c.costs+1 {
				t.Errorf("%d rounds, then %v; want the end in round %d", rounds, p.c.err, c.costs+1)
			}
		})
	}
}

// TestClientFloods: a server that floods us ends its connection (RFC 9113, 10.5), and one that
// resets or refuses all that we open does not.
func TestClientFloods(t *testing.T) {
	for _, c := range []struct {
		limit Limit // 0: the connection lives
		frame string
	}{
		{LimitPings, "PING"},
		{LimitSettings, "SETTINGS MAX_CONCURRENT_STREAMS=4"},
		{LimitWindowUpdates, "WINDOW_UPDATE 1 1"},
		{LimitTinyData, "DATA 3"},
		{LimitIgnored, "HEADERS 1 :status=103"},
		{LimitIgnored, "RAW 0x20 0 0 00"},
		{LimitIgnored, "RST_STREAM 5 CANCEL"},
		{LimitIgnored, "GOAWAY 5 NO_ERROR"},
		{0, "RST_STREAM %d CANCEL"},
		{0, "RST_STREAM %d REFUSED_STREAM"},
		{0, "HEADERS %d a=b"},
		{0, "DATA %d early"},
	} {
		t.Run(c.frame, func(t *testing.T) {
			p := newClientPlayer(clientTestConfig(), 0)
			p.greetClient()
			connect := func() {
				if err := p.do("connect :method=CONNECT"); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				connect()
			}
			p.send("HEADERS 3 :status=200")
			p.send("RST_STREAM 5 CANCEL")
			for i := 0; i < 50_000 && p.c.err == nil; i++ {
				if c.limit != 0 {
					p.send(c.frame)
				} else {
					connect()
					p.send(fmt.Sprintf(c.frame, p.c.maxID))
				}
				p.forget()
			}
			ce, _ := p.c.err.(*ConnError)
			if got := p.c.err; c.limit == 0 && got != nil || c.limit != 0 && (ce == nil || ce.Limit != c.limit || ce.Code != EnhanceYourCalm) {
				t.Errorf("the connection ended with %v, want %v", got, c.limit)
			}
		})
	}
}

// TestClientIDs: when the ids are used up the connection takes no new streams (RFC 9113, 5.1.1).
func TestClientIDs(t *testing.T) {
	p := newClientPlayer(clientTestConfig(), 0)
	p.greetClient()
	p.c.maxID = maxStreamID - 4
	for _, want := range []int{2, 1, 0} {
		if got := p.c.room(); got != want {
			t.Fatalf("room for %d, want %d", got, want)
		}
		if want > 0 {
			p.c.connect([]hpack.HeaderField{{Name: ":method", Value: "CONNECT"}}, epoch)
		}
	}
	p.drain()
	if f := p.frames[1]; f.Stream != maxStreamID || !p.c.leaves() {
		t.Errorf("the last stream is %d; leaves: %v", f.Stream, p.c.leaves())
	}
}

// FuzzClientCore: whatever a server says, cut anywhere, gives the same events and the same octets,
// and no panic.
func FuzzClientCore(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(randomAnswers(rand.New(rand.NewPCG(seed, 3)), 30), byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		whole, pieces := newClientPlayer(clientTestConfig(), 0), newClientPlayer(clientTestConfig(), 1+int(cut))
		for _, p := range []*player{whole, pieces} {
			p.greetClient()
			for range 4 {
				if err := p.do("connect :method=CONNECT :protocol=echo :scheme=http :authority=a :path=/"); err != nil {
					t.Fatal(err)
				}
			}
			p.feed(b)
			if p.err != nil {
				t.Fatalf("the output cannot be read: %v", p.err)
			}
			if err := p.c.check(); err != nil {
				t.Fatal(err)
			}
			if n := p.c.room(); p.c.err != nil && n > 0 || n < 0 {
				t.Fatalf("room for %d", n)
			}
			for _, s := range p.streams {
				if s.state != stateClosed && s.answered && !s.tunnel && s.length < -1 {
					t.Fatalf("stream %d lacks %d octets", s.id, s.length)
				}
			}
		}
		if !slices.Equal(whole.events, pieces.events) {
			t.Errorf("events differ:\n%q\n%q", whole.events, pieces.events)
		}
		if !bytes.Equal(whole.octets, pieces.octets) {
			t.Errorf("output differs:\n%v\n%v", whole.frames, pieces.frames)
		}
	})
}

// randomAnswers are frames of a server to the streams 1 to 7, now and then nonsense.
func randomAnswers(r *rand.Rand, n int) []byte {
	p := player{}
	var b []byte
	add := func(format string, args ...any) {
		var err error
		if b, err = p.enc.Append(b, fmt.Sprintf(format, args...)); err != nil {
			panic(err)
		}
	}
	for range n {
		id := 1 + 2*r.IntN(4)
		fin := [2]string{"", "END_STREAM"}[r.IntN(5)/4]
		switch r.IntN(16) {
		case 0, 1, 2:
			add("HEADERS %d %s :status=200 x-%d=y", id, fin, r.IntN(9))
		case 3:
			add("HEADERS %d %s :status=404 content-length=%d", id, fin, r.IntN(9))
		case 4:
			add("HEADERS %d :status=103 link=a", id)
		case 5, 6, 7:
			add("DATA %d %s LEN=%d", id, fin, r.IntN(3000))
		case 8:
			add("DATA %d %s PAD=%d LEN=%d", id, fin, r.IntN(256), r.IntN(3))
		case 9:
			add("WINDOW_UPDATE %d %d", id*r.IntN(2), 1+r.IntN(1000))
		case 10:
			add("RST_STREAM %d %s", id, [2]string{"CANCEL", "REFUSED_STREAM"}[r.IntN(2)])
		case 11:
			add("PING")
		case 12:
			add("HEADERS %d NO_END_HEADERS :status=200", id)
			add("CONTINUATION %d a=b", id)
		case 13:
			add("SETTINGS MAX_CONCURRENT_STREAMS=%d INITIAL_WINDOW_SIZE=%d", r.IntN(9), r.IntN(100000))
		case 14:
			add("GOAWAY %d NO_ERROR", r.IntN(9))
		case 15:
			add("RAW %d %d %d %x", r.IntN(12), r.IntN(256), r.IntN(9), []byte("abcdefgh")[:r.IntN(8)])
		}
	}
	return b
}
