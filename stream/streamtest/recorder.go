package streamtest

import (
	"fmt"
	"sync"
	"testing"

	"weir/stream"
)

// recorder is a sink that keeps what it is told and notes what breaks the contract.
type recorder struct {
	s      stream.Stream
	window int
	auto   bool               // release at once
	count  bool               // keep the number of octets, not the octets
	data   func([]byte, bool) // called inside Data, behind the recording; nil: nothing
	end    func()             // called inside Closed

	mu      sync.Mutex
	changed sync.Cond
	heard
	busy  bool
	wrong []string
}

// heard is what a recorder was told.
type heard struct {
	got     []byte
	n       int // octets of Data
	charged int // not released
	fin     bool
	drained int
	closed  int
	err     error
}

// attach makes a recorder the sink of s. Its stream is given up when the test ends, and has to say so.
func attach(t *testing.T, s stream.Stream, l stream.Limits, set func(*recorder)) *recorder {
	t.Helper()
	r := &recorder{s: s, window: l.WithDefaults().Window}
	r.changed.L = &r.mu
	if set != nil {
		set(r)
	}
	s.Attach(r, l)
	return r
}

// releasing is a recorder that gives credit back at once.
func releasing(r *recorder) { r.auto = true }

// counting is releasing, for more octets than one wants to keep.
func counting(r *recorder) { r.auto, r.count = true, true }

func (r *recorder) enter(what string) {
	if r.busy {
		r.wrong = append(r.wrong, what+" while another call was in progress")
	}
	if r.closed > 0 {
		r.wrong = append(r.wrong, what+" after Closed")
	}
	r.busy = true
}

func (r *recorder) Data(b []byte, fin bool) {
	r.mu.Lock()
	r.enter("Data")
	if r.fin {
		r.wrong = append(r.wrong, "Data after the peer's end")
	}
	if !r.count {
		r.got = append(r.got, b...)
	}
	n := len(b)
	r.n += n
	if r.charged += n; r.charged > r.window {
		r.wrong = append(r.wrong, fmt.Sprintf("%d octets not released, the window is %d", r.charged, r.window))
	}
	r.fin = r.fin || fin
	if r.auto {
		r.charged -= n
	}
	r.mu.Unlock()
	if r.data != nil {
		r.data(b, fin)
	}
	for i := range b {
		b[i] = 0xaa // lent: whoever still looks at it sees this
	}
	if r.auto {
		r.s.Release(n)
	}
	r.mu.Lock()
	r.busy = false
	r.mu.Unlock()
	r.changed.Broadcast()
}

func (r *recorder) Drained() {
	r.mu.Lock()
	if r.closed > 0 {
		r.wrong = append(r.wrong, "Drained after Closed")
	}
	r.drained++
	r.mu.Unlock()
	r.changed.Broadcast()
}

func (r *recorder) Closed(err error) {
	r.mu.Lock()
	r.enter("Closed")
	r.mu.Unlock()
	if r.end != nil {
		r.end()
	}
	r.mu.Lock()
	r.busy = false
	r.closed++
	r.err = err
	r.mu.Unlock()
	r.changed.Broadcast()
}

// release gives n octets back.
func (r *recorder) release(n int) {
	r.mu.Lock()
	r.charged -= n
	r.mu.Unlock()
	r.s.Release(n)
}

// until waits for ok, or for the end of the stream. What it waited for is the test's to check.
func (r *recorder) until(ok func(*heard) bool) heard {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !ok(&r.heard) && r.closed == 0 {
		r.changed.Wait()
	}
	return r.heard
}

// octets waits for n octets in all.
func (r *recorder) octets(n int) heard { return r.until(func(h *heard) bool { return h.n >= n }) }

// finned waits for the peer's end.
func (r *recorder) finned() heard { return r.until(func(h *heard) bool { return h.fin }) }

// over waits for Closed.
func (r *recorder) over() heard { return r.until(func(*heard) bool { return false }) }

// check gives the streams up and reports what broke the contract.
func check(t *testing.T, rs ...*recorder) {
	t.Helper()
	for _, r := range rs {
		r.s.Reset(stream.Cancel)
	}
	for _, r := range rs {
		r.over()
		r.mu.Lock()
		for _, w := range r.wrong {
			t.Errorf("contract: %s", w)
		}
		if r.closed != 1 {
			t.Errorf("Closed was told %d times", r.closed)
		}
		r.mu.Unlock()
		r.s.Release(1) // after the end it does nothing
	}
}
