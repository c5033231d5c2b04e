package wsframe

import (
	"testing"
)

// TestReaderFragments proves the default of MaxFragments, and that a negative one is none.
func TestReaderFragments(t *testing.T) {
	for _, limit := range []int{0, -1} {
		r := Reader{Client: true, MaxFragments: limit}
		frame := []byte{0x01, 0x00}
		var err error
		n := 0
		for ; n <= DefaultMaxFragments && err == nil; n++ {
			_, _, err = r.Next(frame)
			frame = []byte{0x00, 0x00}
		}
		if limit < 0 && err != nil {
			t.Errorf("limit %d: %v after %d", limit, err, n)
		}
		if e, ok := err.(*Error); limit == 0 && (!ok || e.Code != PolicyViolation || n != DefaultMaxFragments+1) {
			t.Errorf("limit %d: %v after %d", limit, err, n)
		}
	}
}

// TestReaderLimitChanges: a new MaxFrameSize counts from the next header on, also inside a message.
func TestReaderLimitChanges(t *testing.T) {
	r := Reader{Client: true, MaxFrameSize: 5}
	ev, n, err := r.Next([]byte{0x02, 5, 'a', 'b'})
	if err != nil || n != 4 || !ev.Start || ev.End || string(ev.Payload) != "ab" {
		t.Fatal(ev, n, err)
	}
	r.MaxFrameSize = 1 // the open frame goes on
	if ev, n, err = r.Next([]byte("cde")); err != nil || n != 3 || !ev.End || ev.EndsMessage() {
		t.Fatal(ev, n, err)
	}
	r.MaxFrameSize = 6
	if ev, _, err = r.Next([]byte{0x80, 1, 'f'}); err != nil || !ev.EndsMessage() {
		t.Fatal(ev, err)
	}
	r.MaxFrameSize = 2
	if _, _, err = r.Next([]byte{0x02, 2, 'g', 'h'}); err != nil {
		t.Fatal(err)
	}
	r.MaxFrameSize = 1 // less than the message already has: no frame of it fits, an empty one neither
	if _, _, err = r.Next([]byte{0x80, 0}); err == nil || err.(*Error).Code != MessageTooBig {
		t.Fatal(err)
	}
	if r.Err() != err {
		t.Fatal(r.Err())
	}
}

// TestReaderState follows what the Reader says of itself through a message in pieces.
func TestReaderState(t *testing.T) {
	r := Reader{Client: true}
	steps := []struct {
		in                       []byte
		idle, inFrame, inMessage bool
	}{
		{nil, true, false, false},
		{[]byte{0x01}, false, true, false},          // half a header
		{[]byte{0x02}, false, true, true},           // the header, no payload yet
		{[]byte{'a'}, false, true, true},            //
		{[]byte{'b'}, false, false, true},           // a fragment is complete
		{[]byte{0x89}, false, true, true},           // a ping begins between
		{[]byte{0x00}, false, false, true},          //
		{[]byte{0x80, 1, 'c'}, true, false, false},  // the message ends
		{[]byte{0x89, 1}, false, true, false},       // a ping by itself
		{[]byte{'p'}, true, false, false},           //
		{[]byte{0x82, 0x7e, 0}, false, true, false}, // part of a length
		{[]byte{0x7e}, false, true, true},           //
		{make([]byte, 126), true, false, false},     //
	}
	for i, s := range steps {
		if len(s.in) > 0 {
			if _, n, err := r.Next(s.in); err != nil || n != len(s.in) {
				t.Fatal(i, n, err)
			}
		}
		if r.Idle() != s.idle || r.InFrame() != s.inFrame || r.InMessage() != s.inMessage {
			t.Errorf("step %d: idle %v, in frame %v, in message %v", i, r.Idle(), r.InFrame(), r.InMessage())
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
	}
	if ev, n, err := r.Next(nil); !ev.None() || n != 0 || err != nil {
		t.Error("no octets gave", ev, n, err)
	}
}

// TestReaderAliases: a payload is a part of what was given, and append to it cannot reach what follows.
func TestReaderAliases(t *testing.T) {
	b := []byte{0x82, 1, 'a', 0x82, 1, 'b'}
	r := Reader{Client: true}
	ev, n, err := r.Next(b)
	if err != nil || n != 3 || &ev.Payload[0] != &b[2] || cap(ev.Payload) != 1 {
		t.Fatal(ev, n, err)
	}
}

func TestReaderAllocs(t *testing.T) {
	in := AppendFrame(nil, Header{Fin: true, Op: Binary, Masked: true, Key: [4]byte{1, 2, 3, 4}}, make([]byte, 1000))
	out := make([]byte, 0, 2000)
	var r Reader
	if n := testing.AllocsPerRun(100, func() {
		for cut := 1; cut < 20; cut++ {
			for _, p := range [][]byte{in[:cut], in[cut:]} {
				for len(p) > 0 {
					ev, n, err := r.Next(p)
					if err != nil {
						t.Fatal(err)
					}
					if ev.EndsMessage() {
						out = AppendFrame(out[:0], Header{Fin: true, Op: Pong}, ev.Payload)
					}
					p = p[n:]
				}
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
