package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/net/http2"
)

// FuzzCore: whatever arrives, cut anywhere, gives the same events and the same octets, and no panic (habit 2 of the
// cores). The input is read as frames if its first octet is odd, else taken as it is.
func FuzzCore(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(randomFrames(rand.New(rand.NewPCG(seed, 1)), 30), byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		whole, pieces := newPlayer(testConfig(), 0), newPlayer(testConfig(), 1+int(cut))
		for _, p := range []*player{whole, pieces} {
			p.feed([]byte(http2.ClientPreface))
			p.feed(b)
			if p.err != nil {
				t.Fatalf("the output cannot be read: %v", p.err)
			}
			if err := p.c.check(); err != nil {
				t.Fatal(err)
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

// randomFrames are frames that get far: SETTINGS first, ids that make sense, now and then nonsense.
func randomFrames(r *rand.Rand, n int) []byte {
	p := player{}
	var b []byte
	add := func(format string, args ...any) {
		var err error
		if b, err = p.enc.Append(b, fmt.Sprintf(format, args...)); err != nil {
			panic(err)
		}
	}
	add("SETTINGS INITIAL_WINDOW_SIZE=%d", r.IntN(100000))
	next := 1
	for range n {
		id := 1 + 2*r.IntN(max(next/2, 1))
		fin := [2]string{"", "END_STREAM"}[r.IntN(4)/3]
		switch r.IntN(15) {
		case 0, 1, 2:
			add("HEADERS %d %s :method=POST :scheme=http :path=/%d :authority=a x-%d=y", next, fin, next, r.IntN(9))
			next += 2
		case 3:
			add("HEADERS %d :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a", next)
			next += 2
		case 4, 5, 6:
			add("DATA %d %s LEN=%d", id, fin, r.IntN(3000))
		case 7:
			add("DATA %d %s PAD=%d LEN=%d", id, fin, r.IntN(256), r.IntN(3))
		case 8:
			add("WINDOW_UPDATE %d %d", id*r.IntN(2), 1+r.IntN(1000))
		case 9:
			add("RST_STREAM %d CANCEL", id)
		case 10:
			add("PING")
		case 11:
			add("HEADERS %d NO_END_HEADERS :method=GET :scheme=http", next)
			add("CONTINUATION %d :path=/ :authority=a", next)
			next += 2
		case 12:
			add("RAW %d %d %d %x", r.IntN(12), r.IntN(256), r.IntN(5), []byte("abcdefgh")[:r.IntN(8)])
		case 13:
			add("SETTINGS INITIAL_WINDOW_SIZE=%d", r.IntN(100000))
		case 14:
			add("PRIORITY_UPDATE %d u=%d,i", id+2*r.IntN(4), r.IntN(9))
		}
	}
	return b
}

// check holds what is always true of a core between two calls.
func (c *core) check() error {
	if c.data.open || c.err != nil {
		return nil
	}
	if h := c.credit.Held(); h != 0 {
		return fmt.Errorf("%d octets of the connection's credit are held with no frame under way", h)
	}
	if c.credit.Outstanding() < c.cfg.connWindow/2 {
		return fmt.Errorf("the connection's credit has sunk to %d", c.credit.Outstanding())
	}
	n := 0
	for s := c.oldest; s != nil; s = s.younger {
		n++
		if c.streams[s.id] != s || s.state == stateClosed {
			return fmt.Errorf("stream %d is on the list and not known", s.id)
		}
		if s.in != nil && (s.held || !s.pending()) {
			return fmt.Errorf("stream %d has nothing to send and waits to", s.id)
		}
	}
	if n != len(c.streams) {
		return fmt.Errorf("%d streams on the list, %d known", n, len(c.streams))
	}
	return c.sched.check()
}

// check holds the order of what can send.
func (d *scheduler) check() error {
	if d == nil {
		return nil
	}
	for u := range d.levels {
		l := &d.levels[u]
		if (l.turns.first != nil || l.serial.first != nil) != (d.ready&(1<<u) != 0) {
			return fmt.Errorf("level %d: its bit is wrong", u)
		}
		fresh, round := l.fresh, l.round
		for s := l.turns.first; s != nil; s = s.succ {
			switch {
			case s.in != &l.turns || s.prio.urgency() != u || s.prio&incremental == 0:
				return fmt.Errorf("level %d: stream %d is in the wrong place", u, s.id)
			case s.round < round || s.round > nextRound(l.round) || s.left <= 0:
				return fmt.Errorf("level %d: stream %d has %d octets of round %d, in round %d", u, s.id, s.left, s.round, l.round)
			case fresh != nil && s.round != l.round:
				return fmt.Errorf("level %d: stream %d is of the next round, and goes before others", u, s.id)
			case fresh == s:
				fresh = nil
			}
			round = s.round
		}
		if fresh != nil {
			return fmt.Errorf("level %d: stream %d is not there", u, fresh.id)
		}
		id := uint32(0)
		for s := l.serial.first; s != nil; s = s.succ {
			if s.in != &l.serial || s.prio.urgency() != u || s.prio&incremental != 0 || s.id <= id {
				return fmt.Errorf("level %d: stream %d is in the wrong place", u, s.id)
			}
			id = s.id
		}
	}
	return nil
}
