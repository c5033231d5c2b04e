package streamtest

import (
	"errors"
	"net"
	"reflect"
	"testing"

	"weir/stream"
)

func testToldFirst(t *testing.T, open Open) {
	a, b := open(t)
	rb := attach(t, b, stream.Limits{}, releasing)
	all := pattern(3000)
	send(t, b, false, all[:1000])
	send(t, b, false, all[1000:2000])
	ra := attach(t, a, stream.Limits{Window: 700}, releasing)
	send(t, b, true, all[2000:])
	wantOctets(t, ra.finned(), all)
	check(t, ra, rb)
}

func testAttachLate(t *testing.T, open Open) {
	a, b := open(t)
	rb := attach(t, b, stream.Limits{}, releasing)
	send(t, a, true, []byte("ours"))
	send(t, b, true, []byte("theirs"))
	wantOctets(t, rb.finned(), []byte("ours"))
	ra := attach(t, a, stream.Limits{}, releasing)
	for _, r := range []*recorder{ra, rb} {
		if h := r.over(); h.err != nil || !h.fin {
			t.Errorf("Closed(%v), the peer's end seen: %v", h.err, h.fin)
		}
	}
	wantOctets(t, ra.over(), []byte("theirs"))
	check(t, ra, rb)
}

// testWindow holds octets back: the recorder notes what exceeds the window.
func testWindow(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{Window: 1000}, nil), attach(t, b, stream.Limits{}, releasing)
	all := pattern(10_000)
	send(t, b, false, all[:5000])
	send(t, b, true, all[5000:])
	n, released := 1000, 0 // the octets that must come, and those that may besides
	step := func(more int) {
		if h := ra.octets(n); h.n < n || h.n > n+released {
			t.Fatalf("got %d octets, want %d, and %d at most; Closed %d: %v", h.n, n, n+released, h.closed, h.err)
		}
		ra.release(more)
		if released += more; 2*released >= 1000 { // credit is gathered, up to half the window
			n, released = min(n+released, len(all)), 0
		}
	}
	for _, more := range []int{300, 1, 699, 1000, 500} {
		step(more)
	}
	for n < len(all) {
		step(200)
	}
	ra.octets(n)
	ra.release(200) // without credit HTTP/1.1 does not look for the end
	wantOctets(t, ra.finned(), all)
	check(t, ra, rb)
}

func testWindowOne(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{Window: 1}, releasing), attach(t, b, stream.Limits{}, releasing)
	all := pattern(300)
	send(t, b, true, all)
	wantOctets(t, ra.finned(), all)
	check(t, ra, rb)
}

// testInside echoes from inside Data and ends from inside Data.
func testInside(t *testing.T, open Open) {
	a, b := open(t)
	rb := attach(t, b, stream.Limits{}, releasing)
	ra := attach(t, a, stream.Limits{Window: 5000}, func(r *recorder) {
		r.auto = true
		r.data = func(p []byte, fin bool) {
			_ = a.Info()
			send(t, a, fin, p)
			a.Release(0)
		}
		r.end = func() {
			if _, err := a.Send(nil, false); err == nil {
				t.Error("Send inside Closed gave no error")
			}
			a.Reset(stream.Cancel)
			a.Release(1)
		}
	})
	all := pattern(100_000)
	send(t, b, false, all[:10])
	send(t, b, true, all[10:])
	wantOctets(t, rb.finned(), all)
	for _, r := range []*recorder{ra, rb} {
		if h := r.over(); h.err != nil {
			t.Errorf("Closed(%v)", h.err)
		}
	}
	check(t, ra, rb)
}

func testResetInside(t *testing.T, open Open) {
	a, b := open(t)
	rb := attach(t, b, stream.Limits{}, releasing)
	ra := attach(t, a, stream.Limits{Window: 10}, func(r *recorder) {
		r.auto = true
		r.data = func([]byte, bool) { a.Reset(stream.Cancel) }
	})
	if _, err := b.Send([][]byte{pattern(1000)}, false); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send: %v", err) // the reset may come before it returns
	}
	wantReset(t, ra.over())
	wantLost(t, rb.over())
	if h := ra.over(); h.n > 10 {
		t.Errorf("%d octets were told, most of them after Reset", h.n)
	}
	check(t, ra, rb)
}

func testFin(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, a, true, []byte("a"))
	send(t, b, true, []byte("b"))
	for _, r := range []*recorder{ra, rb} {
		if h := r.over(); h.err != nil || !h.fin || h.n != 1 {
			t.Errorf("Closed(%v), %d octets, the peer's end seen: %v", h.err, h.n, h.fin)
		}
	}
	check(t, ra, rb)
}

func testHalfOpen(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, a, true)
	rb.finned()
	all := pattern(50_000)
	send(t, b, false, all[:1])
	ra.octets(1)
	send(t, b, true, all[1:])
	wantOctets(t, ra.finned(), all)
	if h := ra.over(); h.err != nil {
		t.Errorf("Closed(%v)", h.err)
	}
	check(t, ra, rb)
}

// testFinWithheld: the end is seen behind the octets before it, however long they are held back.
func testFinWithheld(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{Window: 4}, nil), attach(t, b, stream.Limits{}, releasing)
	send(t, b, true, []byte("12345678"))
	if h := ra.octets(4); h.fin || h.n != 4 {
		t.Errorf("%d octets, the peer's end seen: %v", h.n, h.fin)
	}
	ra.release(4)
	ra.octets(8)
	ra.release(4)
	wantOctets(t, ra.finned(), []byte("12345678"))
	check(t, ra, rb)
}

func testInfo(t *testing.T, open Open) {
	a, b := open(t)
	before := a.Info()
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	if before.Transport == "" || before.Local == nil || before.Remote == nil {
		t.Errorf("Info: %+v", before)
	}
	check(t, ra, rb)
	if after := a.Info(); !reflect.DeepEqual(before, after) {
		t.Errorf("Info was %+v, is %+v", before, after)
	}
}
