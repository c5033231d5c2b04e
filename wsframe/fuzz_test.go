package wsframe

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// FuzzReader: octets cut anywhere give the same frames and the same error as the whole.
func FuzzReader(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 8 {
		f.Add(randomFrames(rnd, i&1 != 0, 5), uint64(i), byte(i), int64(0), 0)
	}
	f.Add([]byte{0x01, 0x01, 'a', 0x80, 0x7e, 0x00, 0x7d}, uint64(1), byte(1), int64(10), 1)
	f.Add([]byte{0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, uint64(2), byte(1), int64(1000), 0)
	f.Add([]byte{0x88, 0x82, 1, 2, 3, 4, 2, 0xea}, uint64(3), byte(0), int64(0), 0)
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, mode byte, limit int64, fragments int) {
		r := Reader{Client: mode&1 != 0, Deflate: mode&2 != 0, MaxFrameSize: limit, MaxFragments: fragments}
		want, _ := read(t, r, in)
		var all []int
		for i := 1; i < len(in); i++ {
			all = append(all, i)
		}
		cut := randomCuts(rand.New(rand.NewPCG(seed, 0)), len(in))
		for _, cuts := range [][]int{all, cut} {
			if got, _ := read(t, r, in, cuts...); got != want {
				t.Fatalf("cut at %v: got %s, want %s", cuts, got, want)
			}
		}
	})
}

// FuzzUTF8: a text in two pieces is judged like the whole, and as unicode/utf8 does.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte("aé漢😀"), 3)
	f.Add([]byte("0123456789012345678901234567890123456789\xf4\x90"), 41)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		i, complete := firstBad(b)
		if complete != utf8.Valid(b) {
			t.Fatalf("% x: %v", b, complete)
		}
		cut = min(max(cut, 0), len(b))
		var u UTF8
		if u.Write(b[:cut]) != (cut <= i) || u.Write(b[cut:]) != (i == len(b)) || u.Complete() != complete {
			t.Fatalf("% x cut at %d", b, cut)
		}
	})
}

// FuzzHeader: a header that is written is read as it was, and one that is read and in the shortest form is written as
// it was.
func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4})
	f.Add([]byte{0x82, 0x7f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00})
	f.Add([]byte{0xff, 0x7d})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n := ParseHeader(b)
		if n == 0 || h.Length < 0 {
			return
		}
		out := AppendHeader(nil, h)
		back, m := ParseHeader(out)
		if back != h || m != len(out) || m != h.Len() || m > n {
			t.Fatalf("%+v came back as %+v", h, back)
		}
		if m == n && !bytes.Equal(out, b[:n]) {
			t.Fatalf("% x was written as % x", b[:n], out)
		}
	})
}
