package flow

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWindow(t *testing.T) {
	tests := []struct {
		name  string
		start int
		do    func(w *Window) error
		err   error
		level int64
	}{
		{"9113-6.9/zero_increment", 10, func(w *Window) error { return w.Grow(0) }, ErrZero, 10},
		{"9113-6.9/grow", 10, func(w *Window) error { return w.Grow(5) }, nil, 15},
		{"9113-6.9.1/grow_to_the_top", 0, func(w *Window) error { return w.Grow(MaxWindow) }, nil, MaxWindow},
		{"9113-6.9.1/grow_over", 1, func(w *Window) error { return w.Grow(MaxWindow) }, ErrOverflow, 1},
		{"9113-6.9.1/grow_by_32_bits", 0, func(w *Window) error { return w.Grow(1<<32 - 1) }, ErrOverflow, 0},
		{"9113-6.9.2/shift_up", 10, func(w *Window) error { return w.Shift(90) }, nil, 100},
		{"9113-6.9.2/shift_over", 10, func(w *Window) error { return w.Shift(MaxWindow - 9) }, ErrSettings, 10},
		{"9113-6.9.2/shift_negative", 10, func(w *Window) error { w.Spend(10); return w.Shift(-MaxWindow) }, nil, -MaxWindow},
		{"9113-6.9.2/grow_from_negative", 10, func(w *Window) error { return errors.Join(w.Shift(-30), w.Grow(25)) }, nil, 5},
		{"9113-6.9.2/grow_from_negative_by_all", 0, func(w *Window) error { return errors.Join(w.Shift(-1), w.Grow(MaxWindow)) }, nil, MaxWindow - 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := NewWindow(tt.start)
			if err := tt.do(&w); !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if w.Level() != tt.level || w.Available() != int(max(0, tt.level)) {
				t.Errorf("level %d, available %d, want %d", w.Level(), w.Available(), tt.level)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, err := range []*Error{ErrZero, ErrOverflow, ErrExceeded, ErrSettings} {
		if !strings.HasPrefix(err.Error(), "flow: ") || !strings.HasSuffix(err.Error(), "("+err.Rule+")") || !strings.HasPrefix(err.Rule, "RFC 9113, 6.9") {
			t.Error(err)
		}
	}
}

// mustPanic proves that a fault of our own is not taken for the peer's.
func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if s, ok := recover().(string); !ok || !strings.HasPrefix(s, "flow: BUG: ") {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func TestBugs(t *testing.T) {
	w := NewWindow(5)
	mustPanic(t, "spend over", func() { w.Spend(6) })
	mustPanic(t, "spend negative", func() { w.Spend(-1) })
	if err := w.Shift(-6); err != nil {
		t.Fatal(err)
	}
	mustPanic(t, "spend from a negative window", func() { w.Spend(1) })
	w.Spend(0)
	mustPanic(t, "window negative", func() { NewWindow(-1) })
	over := int64(MaxWindow) + 1 // negative where an int has 32 bits
	mustPanic(t, "window over", func() { NewWindow(int(over)) })
	mustPanic(t, "credit negative", func() { NewCredit(-1) })
	mustPanic(t, "credit over", func() { NewCredit(int(over)) })
	c := NewCredit(5)
	mustPanic(t, "release over", func() { c.Release(1) })
	mustPanic(t, "release negative", func() { c.Release(-1) })
	mustPanic(t, "receive negative", func() { _ = c.Receive(-1) })
}

// TestWindowModel makes random calls of a Window and of plain integers.
func TestWindowModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	sizes := []int64{0, 1, 2, 100, 16384, DefaultWindow, 1 << 20, 1 << 30, MaxWindow - 1, MaxWindow}
	for range 200 {
		initial := sizes[rnd.IntN(len(sizes))]
		w, model := NewWindow(int(initial)), initial
		for range 200 {
			switch n := sizes[rnd.IntN(len(sizes))]; rnd.IntN(3) {
			case 0:
				var want error
				switch {
				case n == 0:
					want = ErrZero
				case model+n > 2147483647:
					want = ErrOverflow
				default:
					model += n
				}
				if err := w.Grow(uint32(n)); !errors.Is(err, want) {
					t.Fatalf("Grow(%d) at %d: %v, want %v", n, model, err, want)
				}
			case 1:
				var want error
				if model+n-initial > 2147483647 {
					want = ErrSettings
				} else {
					model += n - initial
				}
				if err := w.Shift(int(n - initial)); !errors.Is(err, want) {
					t.Fatalf("Shift(%d) at %d: %v, want %v", n-initial, model, err, want)
				}
				if want == nil {
					initial = n
				}
			case 2:
				n = min(n, int64(w.Available()))
				w.Spend(int(n))
				model -= n
			}
			if w.Level() != model || int64(w.Available()) != max(model, 0) {
				t.Fatalf("level %d, available %d, want %d", w.Level(), w.Available(), model)
			}
		}
	}
}
