package wsframe

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// firstBad is the index of the first octet after which no text can be valid, len(b) if there is none: b is given octet
// by octet.
func firstBad(b []byte) (int, bool) {
	var u UTF8
	for i := range b {
		if !u.Write(b[i : i+1]) {
			return i, false
		}
	}
	return len(b), u.Complete()
}

// TestUTF8Catalogue has the strings of section 6 of the Autobahn testsuite, with the octet that must end each.
func TestUTF8Catalogue(t *testing.T) {
	cases := lines(t, "utf8.txt")
	if len(cases) < 130 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, l := range cases {
		f := strings.Fields(l)
		t.Run(f[0], func(t *testing.T) {
			b, err := hex.DecodeString(f[2])
			if err != nil {
				t.Fatal(err)
			}
			i, complete := firstBad(b)
			got := fmt.Sprint(i)
			switch {
			case complete:
				got = "valid"
			case i == len(b):
				got = "short"
			}
			if got != f[1] {
				t.Fatalf("got %s, want %s", got, f[1])
			}
			if utf8.Valid(b) != complete {
				t.Fatal("unicode/utf8 disagrees")
			}
			eachCut(len(b), func(cuts ...int) {
				var u UTF8
				from, bad := 0, len(b)
				for _, to := range append(append([]int{}, cuts...), len(b)) {
					if !u.Write(b[from:to]) {
						bad = from
						break
					}
					from = to
				}
				if u.Complete() != complete || bad > i {
					t.Fatalf("cut at %v: complete %v, bad at %d", cuts, u.Complete(), bad)
				}
			})
		})
	}
}

func TestUTF8FailsAtOnce(t *testing.T) {
	for _, s := range []string{"f490", "eda0", "e080", "f080", "c0", "c1", "f5", "f8", "fe", "ff", "80", "ce7a", "e1bd7a", "f0a4ad7a", "efbfc0"} {
		t.Run("3629-4/"+s, func(t *testing.T) {
			b, _ := hex.DecodeString(s)
			if i, _ := firstBad(b); i != len(b)-1 {
				t.Errorf("bad at octet %d", i)
			}
		})
	}
}

// possible says by unicode/utf8 whether b begins a valid text.
func possible(b []byte) bool {
	for len(b) > 0 {
		c, n := utf8.DecodeRune(b)
		if c == utf8.RuneError && n <= 1 {
			break
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return true
	}
	// What is left must be made good by some continuation: the candidates of RFC 3629, 4 are at the bounds.
	if len(b) > 3 {
		return false
	}
	for _, next := range []string{"\x80", "\xa0", "\x90", "\x80\x80", "\xa0\x80", "\x90\x80", "\x80\x80\x80", "\x90\x80\x80"} {
		if c, n := utf8.DecodeRune(append(append([]byte{}, b...), next...)); n == len(b)+len(next) && c != utf8.RuneError {
			return true
		}
	}
	return false
}

// TestUTF8Exhaustive has all texts of one and two octets, all of three that are not decided by two, and those of four
// about the bounds; each by itself, and within a text that is long enough for vectors.
func TestUTF8Exhaustive(t *testing.T) {
	long := []byte(strings.Repeat("z", 3*bulk))
	check := func(b []byte) {
		at := bulk - 2
		text := append(append(long[:at:at], b...), long[at:]...)
		var v UTF8
		if got, want := v.Write(text), utf8.Valid(text); got != want {
			t.Fatalf("% x within a text: %v, want %v", b, got, want)
		}
		var u UTF8
		ok := u.Write(b)
		if want := possible(b); ok != want {
			t.Fatalf("% x: Write %v, want %v", b, ok, want)
		}
		if want := utf8.Valid(b); u.Complete() != want {
			t.Fatalf("% x: Complete %v, want %v", b, u.Complete(), want)
		}
	}
	edges := []byte{0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	for i := range 256 {
		check([]byte{byte(i)})
		for j := range 256 {
			check([]byte{byte(i), byte(j)})
			third := edges
			if i >= 0x80 && possible([]byte{byte(i), byte(j)}) {
				third = all // elsewhere a third octet adds nothing to the two
			}
			for _, k := range third {
				check([]byte{byte(i), byte(j), k})
			}
			for _, k := range edges {
				for _, l := range edges {
					if i >= 0xef {
						check([]byte{byte(i), byte(j), k, l})
					}
				}
			}
		}
	}
}

// TestUTF8Random has longer texts, mostly good, with every cut.
func TestUTF8Random(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		b := randomText(rnd, rnd.IntN(200))
		if rnd.IntN(2) == 0 && len(b) > 0 {
			b[rnd.IntN(len(b))] = byte(rnd.Uint32())
		}
		want := utf8.Valid(b)
		i, complete := firstBad(b)
		if complete != want {
			t.Fatalf("% x: %v", b, complete)
		}
		for cut := range len(b) + 1 {
			var u UTF8
			ok := u.Write(b[:cut])
			if ok != (cut <= i) {
				t.Fatalf("% x, bad at %d: %d octets are %v", b, i, cut, ok)
			}
			if again := u.Write(b[cut:]); again != (i == len(b)) || u.Complete() != want {
				t.Fatalf("% x cut at %d: %v, %v", b, cut, again, u.Complete())
			}
			u.Reset()
			if !u.Complete() || !u.Write([]byte("a")) {
				t.Fatal("Reset did not")
			}
		}
	}
}

func randomText(rnd *rand.Rand, n int) (b []byte) {
	for range n {
		limit := []int32{0x7f, 0x7f, 0x7f, 0x7ff, 0xffff, utf8.MaxRune}[rnd.IntN(6)]
		b = utf8.AppendRune(b, rnd.Int32N(limit+1))
	}
	return b
}

func TestUTF8Allocs(t *testing.T) {
	b := []byte(strings.Repeat("aé漢😀", 30))
	if n := testing.AllocsPerRun(100, func() {
		var u UTF8
		if !u.Write(b) || !u.Complete() {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestUTF8Bulk has texts that are long enough to be judged by vectors, wrong or cut in each place about their ends.
func TestUTF8Bulk(t *testing.T) {
	for _, c := range []string{"é", "漢", "😀", "a"} {
		text := []byte(strings.Repeat("z", 2*bulk) + c + c + strings.Repeat("z", 2*bulk))
		for from := range 2*bulk + 8 {
			for to := len(text) - 2*bulk - 8; to <= len(text); to++ {
				for bad := max(from, 2*bulk-4); bad < min(to, 2*bulk+8); bad++ {
					b := append([]byte{}, text[from:to]...)
					b[bad-from] ^= 0x80
					var u UTF8
					if got, want := u.Write(b), possible(b); got != want || u.Complete() != utf8.Valid(b) {
						t.Fatalf("% x: %v, complete %v", b, got, u.Complete())
					}
				}
			}
		}
	}
}

func BenchmarkUTF8(b *testing.B) {
	for _, tt := range []struct{ name, unit string }{{"ascii", "abcdefgh"}, {"latin", "schön wär's, à peu près "}, {"cjk", "漢字仮名交じり文"}} {
		b.Run(tt.name, func(b *testing.B) {
			p := []byte(strings.Repeat(tt.unit, 4096/len(tt.unit)))
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				var u UTF8
				if !u.Write(p) {
					b.Fatal("refused")
				}
			}
		})
	}
}
