package h2

import (
	"fmt"
	"strings"
	"testing"
)

// written is the DATA frames of the next write, "stream:octets", with what is lent to it in place.
func (m *mix) written(t *testing.T) string {
	t.Helper()
	out := m.c.swap(nil, m.now)
	var whole []byte
	from := 0
	for _, l := range m.c.lent {
		whole = append(append(whole, out[from:l.at]...), l.p...)
		from = l.at
	}
	m.c.lent = m.c.lent[:0]
	whole = append(whole, out[from:]...)
	var frames []string
	for len(whole) > 0 {
		h := headOf(whole)
		if n := 9 + int(h.Length); n > len(whole) {
			t.Fatalf("a frame of %d octets, and %d are there", n, len(whole))
		}
		for _, b := range whole[9 : 9+h.Length] {
			if b != byte(h.StreamID) {
				t.Fatalf("octets %d in a frame of stream %d", b, h.StreamID)
			}
		}
		frames = append(frames, fmt.Sprintf("%d:%d", h.StreamID, h.Length))
		whole = whole[9+h.Length:]
	}
	for _, ok := m.c.pop(); ok; _, ok = m.c.pop() {
	}
	if err := m.c.check(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(frames, " ")
}

// TestLoansTakeTurns: octets that are sent from where they stand are sent in the stream's turns, and
// only those that are alone have a large write.
func TestLoansTakeTurns(t *testing.T) {
	m := newMix(t, []priority{tunnelPriority, tunnelPriority, silentPriority, tunnelPriority})
	octets := func(id uint32, n int) []byte { return []byte(strings.Repeat(string(rune(id)), n)) }
	send := func(id uint32, n int) {
		if _, err := m.c.send(m.streams[id], [][]byte{octets(id, n)}, false); err != nil {
			t.Fatal(err)
		}
	}
	want := func(why, frames string) {
		t.Helper()
		if got := m.written(t); got != frames {
			t.Errorf("%s:\n got %s\nwant %s", why, got, frames)
		}
	}
	m.c.portion = 100_000
	m.c.lend(m.streams[1], [][]byte{octets(1, 10), octets(1, 199_990)}, 200_000)
	want("alone", strings.TrimSpace(strings.Repeat("1:16384 ", 7)))
	m.c.lend(m.streams[3], [][]byte{octets(3, 20_000), octets(3, 30_000)}, 50_000)
	send(1, 5) // behind what is lent
	want("two loans", "3:16384 1:16384 3:16384 1:16384")
	send(7, 100)
	send(5, 40_000)
	want("a message and a download beside them", "7:100 3:16384 1:16384 3:848 1:16384 1:16384")
	if m.c.lends(m.streams[3]) {
		t.Error("stream 3 has nothing left to lend")
	}
	m.c.lendDone(m.streams[3])
	want("then the rest of one, and the download", "1:3392 5:16384 5:16384 5:7232")
	m.c.lendDone(m.streams[1])
	want("then what was sent meanwhile", "1:5")
	if m.c.pending() || len(m.c.loans) != 0 {
		t.Error("something is left")
	}

	m.c.lend(m.streams[1], [][]byte{octets(1, 40_000)}, 40_000)
	m.streams[1].window.Spend(m.streams[1].window.Available() - 20_000)
	send(1, 5)
	m.c.portion = 1 << 20
	want("as far as the window goes", "1:16384 1:3616")
	if m.c.lends(m.streams[1]) {
		t.Error("there is no window")
	}
	m.c.lendDone(m.streams[1])
	if got := m.streams[1].queued(); got != 20_005 {
		t.Errorf("%d octets are queued", got)
	}
	if err := m.streams[1].window.Grow(100_000); err != nil {
		t.Fatal(err)
	}
	m.c.schedule(m.streams[1])
	want("the rest, copied, and what is behind it", "1:16384 1:3621")

	m.c.lend(m.streams[1], [][]byte{octets(1, 40_000)}, 40_000)
	m.c.reset(m.streams[1], Cancel)
	if m.c.lends(m.streams[1]) {
		t.Error("the stream is closed")
	}
	m.c.lendDone(m.streams[1])
}
