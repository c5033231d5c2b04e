package deflate

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// inPieces inflates a message whose payload comes cut at random, to little room.
func inPieces(r *Reader, rng *rand.Rand, payload []byte, most int) (out []byte, err error) {
	buf := make([]byte, MinRoom)
	for last := false; !last; {
		n := min(rng.IntN(most+1), len(payload))
		last = n == len(payload) && rng.IntN(2) == 0
		r.Feed(payload[:n], last)
		payload = payload[n:]
		for more := true; more; {
			if n, more, err = r.Next(buf); err != nil {
				return nil, err
			}
			out = append(out, buf[:n]...)
		}
	}
	return out, nil
}

// TestPieces: messages that come in pieces inflate to what they are whole, with every window, with
// takeover and without, and may take turns with those that come whole.
func TestPieces(t *testing.T) {
	for _, bits := range []int{8, 9, 12, 15} {
		for _, level := range []int{-1, 1, 6, 9} {
			for _, takeover := range []bool{false, true} {
				rng := rand.New(rand.NewPCG(uint64(bits), uint64(level+1)))
				w, r := NewWriter(level, bits, takeover), NewReader(bits, takeover)
				for i, size := range append([]int{0, 0}, sizes...) {
					for kind, m := range [][]byte{jsonMessage(uint64(i), size), noise(uint64(i), size), make([]byte, size)} {
						payload := w.Append(nil, m)
						most := []int{1, 7, 700, MaxPiece}[(i+kind)%4]
						var got []byte
						var err error
						if i%5 == 4 {
							got, err = r.Append(nil, payload, -1)
						} else {
							got, err = inPieces(&r, rng, payload, most)
						}
						if err != nil || !bytes.Equal(got, m) {
							t.Fatalf("%d bits, level %d, takeover %v, kind %d of %d octets by %d: %d, %v",
								bits, level, takeover, kind, size, most, len(got), err)
						}
						if r.part != nil || !takeover && r.win.buf != nil {
							t.Fatal("something is kept behind the message")
						}
					}
				}
			}
		}
	}
}

// TestPiecesAtOnce: what a piece says is told with it, also where a sender flushes in the middle of
// a message (RFC 7692, 7.2.1 takes the flush's octets from the last piece alone).
func TestPiecesAtOnce(t *testing.T) {
	w, r := NewWriter(6, 15, true), NewReader(15, true)
	buf := make([]byte, MinRoom)
	for i := range 200 {
		m := jsonMessage(uint64(i), 1+i)
		r.Feed(append(w.Append(nil, m), tail...), false)
		if n, more, err := r.Next(buf); more || err != nil || !bytes.Equal(buf[:n], m) {
			t.Fatalf("piece %d: %q, %v, %v; want %q", i, buf[:n], more, err, m)
		}
	}
	r.Feed(w.Append(nil, []byte("end")), true)
	n, more, err := r.Next(make([]byte, MinRoom+3))
	if more || err != nil || n != 3 {
		t.Fatal(n, more, err)
	}
}

// TestPiecesOfABomb: Next gives no more than there is room for, and nothing is kept but the window.
func TestPiecesOfABomb(t *testing.T) {
	w := NewWriter(9, 15, false)
	payload := w.Append(nil, make([]byte, 4<<20))
	r := NewReader(15, true)
	buf := make([]byte, MinRoom)
	total := 0
	for last := false; !last; {
		n := min(MaxPiece, len(payload))
		last = n == len(payload)
		r.Feed(payload[:n], last)
		payload = payload[n:]
		for more := true; more; {
			k, again, err := r.Next(buf)
			if err != nil || k > len(buf) {
				t.Fatal(k, err)
			}
			total, more = total+k, again
		}
		if f := r.part; f != nil && cap(f.kept) > 2*MaxPiece || cap(r.win.buf) > 1<<15 {
			t.Fatalf("%d octets of the payload and %d of the window are kept", cap(f.kept), cap(r.win.buf))
		}
	}
	if total != 4<<20 {
		t.Fatal(total)
	}
}

// TestPiecesCorrupt: the octets before what is wrong are told with the error, the same however the
// payload is cut.
func TestPiecesCorrupt(t *testing.T) {
	for _, c := range []struct{ name, payload, want string }{
		{"7692-7.2.2/garbage_behind", "f248cdc9c907000600000000000000", "Hello"},
		{"7692-7.2.3.4/garbage_behind_final", "f348cdc9c907000600000000000000", "Hello"},
		{"1951-3.2.4/longer_than_data", "00ffff000048656c6c6f", "Hello"},
		{"1951-3.2.6/ends_inside_block", "f248cdc9", "Hel"},
	} {
		payload := unhex(t, c.payload)
		for cut := range payload {
			r := NewReader(15, true)
			buf := make([]byte, MinRoom)
			var out []byte
			var err error
			for i, p := range [][]byte{payload[:cut], payload[cut:]} {
				r.Feed(p, i == 1)
				for more := true; more && err == nil; {
					var n int
					n, more, err = r.Next(buf)
					out = append(out, buf[:n]...)
				}
				if err != nil {
					break
				}
			}
			if err != ErrCorrupt || string(out) != c.want || r.part != nil {
				t.Errorf("%s cut at %d: %q, %v", c.name, cut, out, err)
			}
		}
	}
}

// FuzzPieces holds Feed and Next against Append: the same octets, and an error for the same
// payloads.
func FuzzPieces(f *testing.F) {
	for _, s := range []string{"", "00", "f248cdc9c90700", "f200110000", "f348cdc9c9070000", "000500faff48656c6c6f00", "04", "0300", "07",
		"f248050000 00ffff cac9c90700", "f348cdc9c90700f348cdc9c9070000", "010500faff48656c6c6f", "f5ffffffffffffff"} {
		f.Add(unhex(f, strings.ReplaceAll(s, " ", "")), uint64(1), uint8(1), true)
	}
	for level := 1; level <= 9; level += 4 {
		w := NewWriter(level, 15, false)
		for _, size := range []int{50, 1000, 70000} {
			f.Add(w.Append(nil, jsonMessage(1, size)), uint64(2), uint8(3), false)
		}
		f.Add(w.Append(nil, noise(1, 500)), uint64(3), uint8(200), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, seed uint64, most uint8, takeover bool) {
		whole, pieces := NewReader(9, takeover), NewReader(9, takeover)
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 2 {
			want, err := whole.Append(nil, payload, 1<<20)
			if err == ErrTooBig {
				return
			}
			got, err2 := inPieces(&pieces, rng, payload, 1+int(most))
			if err2 != err || !bytes.Equal(got, want) {
				t.Fatalf("%d octets, %v; whole %d, %v", len(got), err2, len(want), err)
			}
			if err != nil {
				return
			}
		}
	})
}
