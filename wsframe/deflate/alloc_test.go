//go:build !race

package deflate

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestAllocs is a steady session: no allocation for a message, in either direction. Under -race pools drop at random.
func TestAllocs(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for _, size := range []int{5, 100, 1024, 8192, 60000} {
		for _, bits := range []int{8, 15} {
			for _, level := range []int{-1, 1, 6, 9} {
				for _, takeover := range []bool{false, true} {
					p := Params{!takeover, !takeover, bits, bits}
					w, _ := p.Server(level)
					_, r := p.Client(level)
					m := jsonMessage(1, size)
					payload, got := make([]byte, 0, 2*size+100), make([]byte, 0, 2*size+slack)
					turn := func() {
						payload = w.Append(payload[:0], m[:size/2], m[size/2:])
						var err error
						if got, err = r.Append(got[:0], payload, int64(size)); err != nil {
							t.Fatal(err)
						}
					}
					for range 1 + (64<<10)/size { // until the windows are full
						turn()
					}
					if n := testing.AllocsPerRun(20, turn); n != 0 {
						t.Errorf("%d octets, %d bits, level %d, takeover %v: %v allocations a message", size, bits, level, takeover, n)
					}
				}
			}
		}
	}
}

// allocated is how many octets f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBomb is a message that inflates to a thousand times its size: it is given up without room for it, whether it
// would pass the limit at once or in the end, and one within the limit takes that much and no more.
func TestBomb(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const limit = 1 << 20
	w := NewWriter(9, 15, false)
	for _, size := range []int{limit + 1, 64 << 20} {
		payload := w.Append(nil, make([]byte, size))
		if size > 32<<20 && len(payload) > size/900 {
			t.Fatalf("the bomb has %d octets", len(payload))
		}
		for _, takeover := range []bool{false, true} {
			r := NewReader(15, takeover)
			if _, err := r.Append(nil, payload, limit); err != ErrTooBig {
				t.Fatal(err)
			}
			if n := allocated(func() {
				if _, err := r.Append(nil, payload, limit); err != ErrTooBig {
					t.Error(err)
				}
			}); n > 192<<10 {
				t.Errorf("a bomb of %d octets makes %d octets be allocated", size, n)
			}
		}
	}
	for _, m := range [][]byte{make([]byte, limit), []byte(strings.Repeat("<abc>", limit/5)), jsonMessage(1, limit)} {
		payload := w.Append(nil, m)
		r := NewReader(15, false)
		if _, err := r.Append(nil, payload, limit); err != nil {
			t.Fatal(err)
		}
		if n := allocated(func() {
			if got, err := r.Append(nil, payload, limit); err != nil || !bytes.Equal(got, m) {
				t.Errorf("%d octets, %v", len(got), err)
			}
		}); n > limit+192<<10 {
			t.Errorf("a message of %d octets makes %d octets be allocated", limit, n)
		}
	}
}

// TestIdle is what a session keeps between messages: nothing without takeover, what it has used with it.
func TestIdle(t *testing.T) {
	for _, c := range []struct {
		level, bits    int
		takeover       bool
		size, count    int
		writer, reader int
	}{
		{6, 15, false, 1000, 100, 0, 0},
		{6, 15, true, 100, 1, 100, 100},
		{6, 15, true, 1000, 100, 8 << 10, 32 << 10},
		{1, 15, true, 1000, 100, 4 << 10, 32 << 10},
		{9, 15, true, 1000, 100, 32 << 10, 32 << 10},
		{1, 15, true, 100000, 1, 32 << 10, 32 << 10},
		{6, 8, true, 1000, 100, 256, 256},
		{-1, 15, true, 1000, 100, 0, 32 << 10},
	} {
		w, r := NewWriter(c.level, c.bits, c.takeover), NewReader(c.bits, c.takeover)
		for i := range c.count {
			if _, err := r.Append(nil, w.Append(nil, jsonMessage(uint64(i), c.size)), -1); err != nil {
				t.Fatal(err)
			}
		}
		if cap(w.win.buf) > c.writer || cap(r.win.buf) > c.reader {
			t.Errorf("%+v: keeps %d and %d octets", c, cap(w.win.buf), cap(r.win.buf))
		}
	}
}
