package h2

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestPriorityField: which fields are Dictionaries, and what they say of a priority.
func TestPriorityField(t *testing.T) {
	const none = -1
	for _, tt := range []struct {
		section, field string
		u, i           int8
		bad            bool
	}{
		{section: "9218-4.1", field: "u=0", u: 0, i: none},
		{section: "9218-4.1", field: "u=7", u: 7, i: none},
		{section: "9218-4.1/out of range", field: "u=8, i", u: none, i: 1},
		{section: "9218-4.1/out of range", field: "u=-1", u: none, i: none},
		{section: "9218-4.1/another type", field: "u=3.0, i=?0", u: none, i: 0},
		{section: "9218-4.1/another type", field: `u="3"`, u: none, i: none},
		{section: "9218-4.1/another type", field: "u", u: none, i: none},
		{section: "9218-4.1/another type", field: "u=(1 2)", u: none, i: none},
		{section: "9218-4.2", field: "i", u: none, i: 1},
		{section: "9218-4.2", field: "i=?1", u: none, i: 1},
		{section: "9218-4.2", field: "i=?0", u: none, i: 0},
		{section: "9218-4.2/another type", field: "i=1, u=2", u: 2, i: none},
		{section: "9218-4/unknown members", field: `a, u=1, bikeshed="x"; y=1, i;z`, u: 1, i: 1},
		{section: "9218-5/none", field: "", u: none, i: none},
		{section: "9218-5/none", field: "   ", u: none, i: none},

		{section: "9651-4.2/spaces around", field: "  u=1  ", u: 1, i: none},
		{section: "9651-4.2.2/the last counts", field: "u=1, u=2, i, i=?0", u: 2, i: 0},
		{section: "9651-4.2.2/the last counts", field: "u=1, u=9", u: none, i: none},
		{section: "9651-4.2.2/tabs between", field: "u=1\t,\t i", u: 1, i: 1},
		{section: "9651-4.2.2/a comma at the end", field: "u=1,", bad: true},
		{section: "9651-4.2.2/a comma at the end", field: "u=1, ", bad: true},
		{section: "9651-4.2.2/a comma in front", field: ",u=1", bad: true},
		{section: "9651-4.2.2/two commas", field: "u=1,,i", bad: true},
		{section: "9651-4.2.2/no comma", field: "u=1 i", bad: true},
		{section: "9651-4.2.2/a tab in front", field: "\tu=1", bad: true},
		{section: "9651-4.2.2/a space before =", field: "u =1", bad: true},
		{section: "9651-4.2.2/a space behind =", field: "u= 1", bad: true},
		{section: "9651-4.2.2/nothing behind =", field: "u=", bad: true},
		{section: "9651-4.2.2/another character", field: "u=1\x00", bad: true},
		{section: "9651-4.2.2/another character", field: "u=1, i=?1\u00e9", bad: true},
		{section: "9651-4.2.3.3/keys", field: "*=1, a_-.*9=2, u=4", u: 4, i: none},
		{section: "9651-4.2.3.3/upper case", field: "U=1", bad: true},
		{section: "9651-4.2.3.3/upper case", field: "u=1, aB", bad: true},
		{section: "9651-4.2.3.3/a digit first", field: "9=1", bad: true},
		{section: "9651-4.2.3.2/parameters", field: "u=2;a;b=1.5; c=tok;  *d=?0", u: 2, i: none},
		{section: "9651-4.2.3.2/parameters of a key alone", field: "i;a=1", u: none, i: 1},
		{section: "9651-4.2.3.2/no key", field: "u=2;", bad: true},
		{section: "9651-4.2.3.2/no value", field: "u=2;a=", bad: true},
		{section: "9651-4.2.3.2/a list", field: "u=2;a=(1)", bad: true},
		{section: "9651-4.2.1.2/inner lists", field: `a=(), b=( 1  "x" tok;p=1 );q, u=6`, u: 6, i: none},
		{section: "9651-4.2.1.2/not ended", field: "u=6, a=(1 2", bad: true},
		{section: "9651-4.2.1.2/not ended", field: "u=6, a=(", bad: true},
		{section: "9651-4.2.1.2/no space", field: `a=(1"x"), u=6`, bad: true},
		{section: "9651-4.2.1.2/a list in one", field: "a=((1)), u=6", bad: true},
		{section: "9651-4.2.4/numbers", field: "a=-1, b=999999999999999, c=-0.5, d=123456789012.123, u=05", u: 5, i: none},
		{section: "9651-4.2.4/16 digits", field: "a=1234567890123456", bad: true},
		{section: "9651-4.2.4/13 digits before the point", field: "a=1234567890123.1", bad: true},
		{section: "9651-4.2.4/4 digits behind the point", field: "a=1.2345", bad: true},
		{section: "9651-4.2.4/none behind the point", field: "a=1.", bad: true},
		{section: "9651-4.2.4/none", field: "a=-", bad: true},
		{section: "9651-4.2.4/two signs", field: "u=--1", bad: true},
		{section: "9651-4.2.4/plus", field: "u=+1", bad: true},
		{section: "9651-4.2.5/strings", field: `a="", b="x\"\\,u=1", u=2`, u: 2, i: none},
		{section: "9651-4.2.5/not ended", field: `a="x`, bad: true},
		{section: "9651-4.2.5/not ended", field: `a="x\`, bad: true},
		{section: "9651-4.2.5/another escape", field: `a="\n"`, bad: true},
		{section: "9651-4.2.5/another character", field: "a=\"\u00e9\"", bad: true},
		{section: "9651-4.2.5/another character", field: "a=\"\x7f\"", bad: true},
		{section: "9651-4.2.6/tokens", field: "a=*, b=A/b:c!#$%&'*+-.^_`|~9, u=1", u: 1, i: none},
		{section: "9651-4.2.6/a character that is none", field: "a=b{", bad: true},
		{section: "9651-4.2.7/octets", field: "a=::, b=:aGk=:, u=1", u: 1, i: none},
		{section: "9651-4.2.7/not ended", field: "a=:aGk=", bad: true},
		{section: "9651-4.2.7/another character", field: "a=:a-b:", bad: true},
		{section: "9651-4.2.8/booleans", field: "i=?2", bad: true},
		{section: "9651-4.2.8/booleans", field: "i=?", bad: true},
		{section: "9651-4.2.8/booleans", field: "i=true", u: none, i: none},
		{section: "9651-4.2.9/dates", field: "a=@1659578233, b=@-1, u=1", u: 1, i: none},
		{section: "9651-4.2.9/no whole number", field: "a=@1.5", bad: true},
		{section: "9651-4.2.9/none", field: "a=@", bad: true},
		{section: "9651-4.2.10/display strings", field: `a=%"", b=%"f%c3%bc%c3%bc %e2%82%ac %f0%9f%98%80", u=1`, u: 1, i: none},
		{section: "9651-4.2.10/upper case", field: `a=%"%C3%BC"`, bad: true},
		{section: "9651-4.2.10/no UTF-8", field: `a=%"%c3"`, bad: true},
		{section: "9651-4.2.10/no UTF-8", field: `a=%"%ff"`, bad: true},
		{section: "9651-4.2.10/no UTF-8", field: `a=%"%c3x"`, bad: true},
		{section: "9651-4.2.10/cut short", field: `a=%"%c`, bad: true},
		{section: "9651-4.2.10/cut short", field: `a=%"%`, bad: true},
		{section: "9651-4.2.10/cut short", field: `a=%`, bad: true},
		{section: "9651-4.2.10/not ended", field: `a=%"x`, bad: true},
		{section: "9651-4.2.10/another character", field: "a=%\"\u00e9\"", bad: true},
		{section: "9651-4.2.3.1/no type begins so", field: "u=#1", bad: true},
	} {
		t.Run(tt.section, func(t *testing.T) {
			n := unnamed
			ok := n.read(tt.field)
			if ok == tt.bad {
				t.Fatalf("%q: ok %v", tt.field, ok)
			}
			if ok && (n != named{tt.u, tt.i}) {
				t.Errorf("%q says %+v, want u %d, i %d", tt.field, n, tt.u, tt.i)
			}
		})
	}
}

// TestPriorityLines: the lines of a field are one Dictionary (RFC 9651, 4.2), of a request and of an
// answer.
func TestPriorityLines(t *testing.T) {
	for _, tt := range []struct {
		lines   string
		request priority
		answer  priority // of a request without any
	}{
		{"u=1|i", 1 | incremental, 1 | incremental | ownUrgency | ownIncremental},
		{"u=1|u=5", 5, 5 | incremental | ownUrgency},
		{"u=1|u=a", defaultPriority, silentPriority},
		{"u=1|=", silentPriority, silentPriority},
		{"=|u=1", silentPriority, silentPriority},
		{"", defaultPriority, silentPriority},
	} {
		var fields []hpack.HeaderField
		for _, l := range strings.Split(tt.lines, "|") {
			fields = append(fields, hpack.HeaderField{Name: "priority", Value: l}, hpack.HeaderField{Name: "x", Value: "u=7"})
		}
		p := newPlayer(testConfig(), 0)
		s := &coreStream{id: 1}
		if p.c.firstPriority(s, fields); s.prio != tt.request {
			t.Errorf("RFC 9218, 5: request with %q: %b, want %b", tt.lines, s.prio, tt.request)
		}
		p.c.firstPriority(s, nil)
		if p.c.answerPriority(s, fields); s.prio != tt.answer {
			t.Errorf("RFC 9218, 8: answer with %q: %b, want %b", tt.lines, s.prio, tt.answer)
		}
	}
}

// TestEarlyPrioritiesAreBounded: those kept for streams that are not open yet (RFC 9218, 7).
func TestEarlyPrioritiesAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.maxStreams = 1 << 20
	p := newPlayer(cfg, 0)
	p.greet()
	for i := range uint32(1000) {
		p.raw(http2.FramePriorityUpdate, 0, 0, 0, 0, byte(i>>7), byte(2*i+1), 'u', '=', '1')
	}
	if n := len(p.c.sched.early); n != mostEarly || p.c.err != nil {
		t.Fatalf("%d are kept, %v", n, p.c.err)
	}
	p.send("HEADERS 401 END_STREAM :method=GET :scheme=http :path=/ :authority=a")
	if n := len(p.c.sched.early); n != mostEarly-201 || p.streams[401].prio != 1 {
		t.Errorf("then %d, and the stream has %b", n, p.streams[401].prio)
	}
	p.send("PRIORITY_UPDATE 2001 " + strings.Repeat("a", longestPriority) + ",u=1")
	p.send("HEADERS 2001 END_STREAM :method=GET :scheme=http :path=/ :authority=a")
	if p.c.err != nil || p.c.sched.early != nil || p.streams[2001].prio != silentPriority {
		t.Errorf("a value that is too long: %v, %d kept, the stream has %b", p.c.err, len(p.c.sched.early), p.streams[2001].prio)
	}
}

// mix is a core with streams that always have octets to send.
type mix struct {
	*player
	sent  map[uint32]int // octets of DATA frames with their headers, by stream
	total int
}

func newMix(t *testing.T, prios []priority) *mix {
	cfg := testConfig()
	cfg.maxStreams = len(prios)
	m := &mix{player: newPlayer(cfg, 0), sent: map[uint32]int{}}
	m.greet()
	m.send("SETTINGS INITIAL_WINDOW_SIZE=0x7fffffff")
	m.send("WINDOW_UPDATE 0 0x7fff0000")
	for i, p := range prios {
		id := uint32(2*i + 1)
		m.send(fmt.Sprintf("HEADERS %d END_STREAM :method=GET :scheme=http :path=/ :authority=a", id))
		m.streams[id].prio = p
		if err := m.do(fmt.Sprintf("answer %d 200", id)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// write does one write of the connection, and counts what streams sent.
func (m *mix) write() {
	out := m.c.swap(nil, m.now)
	for len(out) > 0 {
		h := headOf(out)
		n := 9 + int(h.Length)
		if h.Type == http2.FrameData {
			m.sent[h.StreamID] += n
			m.total += n
		}
		out = out[n:]
	}
	for _, ok := m.c.pop(); ok; _, ok = m.c.pop() {
	}
}

// fill sees to it that a stream does not run out of octets in one write.
func (m *mix) fill(t *testing.T, s *coreStream, n int) {
	if n -= s.queued(); n <= 0 {
		return
	}
	if _, err := m.c.send(s, [][]byte{make([]byte, n)}, false); err != nil {
		t.Fatal(err)
	}
}

// TestFairByOctets: RFC 9218, 10. Whatever the urgencies, all streams that always have octets to send
// get the shares that scheduler promises.
func TestFairByOctets(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9218))
		prios := make([]priority, 1+r.IntN(12))
		for i := range prios {
			prios[i] = priority(r.IntN(urgencies)) | incremental*priority(r.IntN(2))
			if seed%3 == 0 {
				prios[i] = priority(r.IntN(2)) | incremental*priority(r.IntN(2))
			}
		}
		m := newMix(t, prios)
		for range 150 {
			for _, s := range m.streams {
				m.fill(t, s, 2*maxOut)
			}
			m.write()
			if err := m.c.check(); err != nil {
				t.Fatal(err)
			}
		}
		top := urgencies
		levels := map[int]bool{}
		kinds := map[priority]int{}
		for _, p := range prios {
			levels[p.urgency()] = true
			top = min(top, p.urgency())
			kinds[p]++
		}
		serials, first := kinds[priority(top)], 0
		least, most, serial, turns, lower := m.total, 0, 0, 0, 0
		for i, p := range prios {
			n := m.sent[uint32(2*i+1)]
			switch {
			case p.urgency() != top:
				lower += n
			case p&incremental != 0:
				turns, least, most = turns+n, min(least, n), max(most, n)
			default:
				if serial == 0 {
					first = n
				}
				serial += n
			}
			// Nobody starves.
			if want := m.total / (1 + favour) / (len(levels) + 1) / len(prios); n < want-2*quantum {
				t.Errorf("%b: stream %d (%b) got %d of %d octets, want %d", prios, 2*i+1, p, n, m.total, want)
			}
		}
		slack := 8 * quantum
		if turns > 0 && serials == 0 && most-least > 2*quantum {
			t.Errorf("%b: streams as urgent got between %d and %d octets", prios, least, most)
		}
		if turns > 0 && serials == 1 && abs(turns-serial) > slack+m.total/8 {
			t.Errorf("%b: the incremental streams got %d octets, the other one %d", prios, turns, serial)
		}
		if (len(levels) > 1 || serials > 1) && abs(m.total/(1+favour)-(lower+serial-first)) > slack && turns == 0 {
			t.Errorf("%b: those that wait got %d octets of %d", prios, lower+serial-first, m.total)
		}
		if len(levels) > 1 && serials <= 1 && abs(m.total/(1+favour)-lower) > slack {
			t.Errorf("%b: the lower urgencies got %d octets of %d", prios, lower, m.total)
		}
	}
}

// seq is the numbers from one to before another.
func seq(from, to int) (ns []int) {
	for n := from; n < to; n++ {
		ns = append(ns, n)
	}
	return ns
}

func abs(n int) int { return max(n, -n) }

// TestNobodyStarves: whatever streams send, however windows open and priorities change, a stream that
// could send does so before others have sent a number of octets that depends on their number alone.
func TestNobodyStarves(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		prios := make([]priority, 2+r.IntN(10))
		for i := range prios {
			prios[i] = priority(r.IntN(urgencies)) | incremental*priority(r.IntN(2))
		}
		m := newMix(t, prios)
		since := map[uint32]int{} // m.total when the stream sent last, or could not send
		limit := 2 * (1 + favour) * quantum * urgencies * (len(prios) + 1)
		for range 1000 {
			for id, s := range m.streams {
				switch r.IntN(12) {
				case 0:
					m.fill(t, s, 1+r.IntN(100))
				case 1, 2:
					m.fill(t, s, 1+r.IntN(50_000))
				case 3, 4, 5, 6:
					m.fill(t, s, maxOut)
				case 7:
					if r.IntN(200) == 0 {
						m.c.prioritize(s, priority(r.IntN(urgencies))|incremental*priority(r.IntN(2)))
						since[id] = m.total
					}
				}
				if m.c.place(s) != isReady {
					since[id] = m.total
				}
			}
			before := m.total
			had := map[uint32]int{}
			for id := range m.streams {
				had[id] = m.sent[id]
			}
			m.write()
			if err := m.c.check(); err != nil {
				t.Fatal(err)
			}
			for id := range m.streams {
				if m.sent[id] != had[id] {
					since[id] = before
				} else if n := m.total - since[id]; n > limit {
					t.Fatalf("seed %d: stream %d has waited for %d octets of others, %d are allowed", seed, id, n, limit)
				}
			}
		}
	}
}

// TestShortGoesFirst: what has had nothing of the round does not wait for the turns of others, however
// many and however long: not a WebSocket's message among downloads as urgent, either.
func TestShortGoesFirst(t *testing.T) {
	prios := make([]priority, 200)
	for i := range prios {
		prios[i] = tunnelPriority
	}
	m := newMix(t, prios)
	downloads := func() {
		for id, s := range m.streams {
			if id != 1 {
				m.fill(t, s, 2*quantum)
			}
		}
		m.write()
	}
	for m.sent[3] < 3*quantum {
		downloads()
	}
	for n := range 300 {
		downloads()
		had := m.sent[1]
		m.fill(t, m.streams[1], 100)
		if m.write(); m.sent[1] == had {
			t.Fatalf("in write %d the message did not leave at once", n)
		}
	}
}

// TestRoundsBeginAnew: the number of a round is small, and is used again. A stream that has been away
// for any number of rounds is not taken for one that has had its turn.
func TestRoundsBeginAnew(t *testing.T) {
	prios := make([]priority, 10)
	for i := range prios {
		prios[i] = silentPriority
	}
	for _, rounds := range slices.Concat(seq(1, 10), seq(240, 262), seq(495, 516)) {
		m := newMix(t, prios)
		l := &m.c.sched.levels[silentPriority.urgency()]
		was := m.streams[1]
		m.fill(t, was, quantum+1)
		m.fill(t, m.streams[3], quantum+1)
		m.write() // both have had their quantum of the round
		for n, last := 0, l.round; n < rounds; m.write() {
			m.fill(t, m.streams[5], quantum+1)
			if l.round != last {
				n, last = n+1, l.round
			}
		}
		for range 5 { // the others have had theirs of this one
			for id, s := range m.streams {
				if s != was {
					m.fill(t, m.streams[id], 2*maxOut)
				}
			}
			m.write()
		}
		had := m.sent[1]
		m.fill(t, was, 10)
		if m.write(); m.sent[1] == had {
			t.Fatalf("after %d rounds the stream has to wait", rounds)
		}
		if err := m.c.check(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPriorityAllocates: choosing the next stream costs no allocation.
func TestPriorityAllocates(t *testing.T) {
	m := newMix(t, []priority{1, 1, silentPriority, silentPriority, tunnelPriority, tunnelPriority})
	for _, s := range m.streams {
		m.fill(t, s, 4<<20)
	}
	out := make([]byte, 0, 2*maxOut)
	write := func() { out = m.c.swap(out, m.now) }
	write()
	if got := testing.AllocsPerRun(100, write); got > 0 {
		t.Errorf("%v allocations a write", got)
	}
}
