package stream_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"weir/stream"
)

type box struct{ items []int }

// TestMailbox has many put things in at once: one runner at a time, nothing lost, order kept for each sender.
func TestMailbox(t *testing.T) {
	const senders, each = 8, 2000
	var (
		m       stream.Mailbox[box]
		wg      sync.WaitGroup
		runners sync.WaitGroup
		about   atomic.Int32
		starts  atomic.Int32
		last    [senders]int // the runners' own: they come one after the other
		total   int
	)
	run := func() {
		starts.Add(1)
		if about.Add(1) != 1 {
			t.Error("two runners")
		}
		var in box
		for {
			for _, i := range in.items {
				sender, n := i%senders, i/senders
				if n != last[sender]+1 {
					t.Errorf("sender %d: %d behind %d", sender, n, last[sender])
				}
				last[sender] = n
				total++
			}
			in.items = in.items[:0]
			about.Add(-1) // Take ends the role before it returns
			if !m.Take(&in) {
				return
			}
			if about.Add(1) != 1 {
				t.Error("two runners")
			}
		}
	}
	for s := range senders {
		wg.Go(func() {
			for n := 1; n <= each; n++ {
				b := m.Lock()
				b.items = append(b.items, n*senders+s)
				if m.Unlock() {
					runners.Go(run) // ends when the mailbox is empty
				}
			}
		})
	}
	wg.Wait()
	runners.Wait()
	if total != senders*each {
		t.Errorf("%d of %d came through", total, senders*each)
	}
	if starts.Load() == 0 {
		t.Error("nobody ran")
	}
}

// TestMailboxRoles goes through the answers to the question who works.
func TestMailboxRoles(t *testing.T) {
	var m stream.Mailbox[box]
	var in box
	if !m.Claim() {
		t.Error("Claim of an empty mailbox that nobody works on")
	}
	if m.Claim() {
		t.Error("Claim while there is a runner")
	}
	m.Lock().items = []int{1}
	if m.Unlock() {
		t.Error("Unlock made a second runner")
	}
	if !m.Take(&in) || len(in.items) != 1 {
		t.Errorf("Take gave %v", in.items)
	}
	in.items = in.items[:0]
	if m.Take(&in) {
		t.Error("Take from an empty mailbox")
	}
	if n := len(m.Lock().items); n != 0 {
		t.Errorf("%d items left", n)
	}
	m.Leave()
	if !m.Claim() {
		t.Error("Leave made a runner")
	}
	m.Take(&in)
	m.Lock().items = []int{2}
	if !m.Unlock() {
		t.Error("Unlock of a mailbox that nobody works on starts no runner")
	}
	if m.Claim() {
		t.Error("Claim over a runner that has not begun")
	}
}

// TestMailboxReuses: a mailbox in use allocates nothing.
func TestMailboxReuses(t *testing.T) {
	var m stream.Mailbox[box]
	var in box
	turn := func() {
		b := m.Lock()
		b.items = append(b.items, 1, 2, 3)
		m.Unlock()
		for m.Take(&in) {
			in.items = in.items[:0]
		}
	}
	turn()
	turn()
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations a turn", n)
	}
}
