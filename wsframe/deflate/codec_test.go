package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// jsonMessage is n octets of JSON, of one shape and different for each seed.
func jsonMessage(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	b := fmt.Appendf(nil, `{"type":"update","seq":%d,"items":[`, seed)
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"user":"%s","price":%.2f,"active":%v},`,
			r.IntN(1e6), names[r.IntN(len(names))], r.Float64()*1000, r.IntN(2) == 0)
	}
	return b[:n]
}

func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// stdInflate is payload by compress/flate, with the history that the window still holds.
func stdInflate(t testing.TB, payload, history []byte, bits int) []byte {
	t.Helper()
	history = history[max(0, len(history)-1<<bits):]
	in := io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail+"\x01\x00\x00\xff\xff"))
	out, err := io.ReadAll(stdflate.NewReaderDict(in, history))
	if err != nil {
		t.Fatalf("compress/flate: %v", err)
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExamples is RFC 7692, 7.2.3, read; and written where the result is ours to choose.
func TestExamples(t *testing.T) {
	hello := "Hello"
	for _, c := range []struct{ name, payloads, want string }{
		{"7692-7.2.3.1/one_block", "f248cdc9c90700", hello},
		{"7692-7.2.3.2/takeover_repeats", "f248cdc9c90700,f248cdc9c90700", hello + hello},
		{"7692-7.2.3.2/takeover_refers_back", "f248cdc9c90700,f200110000", hello + hello},
		{"7692-7.2.3.3/stored", "000500faff48656c6c6f00", hello},
		{"7692-7.2.3.4/final", "f348cdc9c9070000", hello},
		{"7692-7.2.3.4/final_without_octet", "f348cdc9c90700", hello},
		{"7692-7.2.3.4/final_twice", "f348cdc9c90700f348cdc9c9070000", hello + hello},
		{"7692-7.2.3.4/final_then_takeover", "f348cdc9c9070000,f200110000", hello + hello},
		{"7692-7.2.3.5/two_blocks", "f248050000 00ffff cac9c90700", hello},
		{"7692-7.2.3.6/empty", "00", ""},
		{"7692-7.2.3.6/empty_final", "0300", ""},
		{"7692-7.2.3.6/no_octet", "", ""},
		{"1951-3.2.4/final_stored", "010500faff48656c6c6f", hello},
		{"1951-3.2.4/stored_that_ends_in_the_tail", "000500faff48", "H\x00\x00\xff\xff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReader(15, true)
			var got []byte
			for p := range strings.SplitSeq(c.payloads, ",") {
				var err error
				if got, err = r.Append(got, unhex(t, p), int64(2*len(hello))); err != nil {
					t.Fatal(err)
				}
			}
			if string(got) != c.want {
				t.Errorf("inflates to %q, want %q", got, c.want)
			}
		})
	}
	w := NewWriter(0, 15, true)
	for i, want := range []string{"f248cdc9c90700", "02130000"} {
		if got := w.Append(nil, []byte("Hel"), nil, []byte("lo")); hex.EncodeToString(got) != want {
			t.Errorf("7692-7.2.3.2: message %d is %x, want %s", i, got, want)
		}
	}
	if got := w.Append([]byte("x")); string(got) != "x\x00" {
		t.Errorf("7692-7.2.3.6: an empty message is %x", got)
	}
}

// TestCorrupt is what RFC 1951 does not allow. Each is the same whether a session is fresh or has history.
func TestCorrupt(t *testing.T) {
	for _, c := range []struct{ name, payload string }{
		{"1951-3.2.3/reserved_type", "06"},
		{"1951-3.2.3/reserved_type_final", "07"},
		{"1951-3.2.4/length_differs", "000500fafe48656c6c6f00"},
		{"1951-3.2.4/no_length", "000500"},
		{"1951-3.2.4/longer_than_data", "00ffff000048656c6c6f"},
		{"1951-3.2.5/no_history", "f200110000"},
		{"1951-3.2.6/ends_inside_block", "f248cdc9"},
		{"1951-3.2.6/length_286", "1b 03"},
		{"1951-3.2.7/too_many_literals", "f5ffffffffffffff"},
		{"1951-3.2.7/ends_in_header", "04"},
		{"1951-3.2.7/no_codes", "0400000000000000000000000000000000"},
		{"7692-7.2.1/tail_not_cut", "f248cdc9c907000000ffff"},
		{"7692-7.2.2/garbage_behind", "f248cdc9c90700abcdef"},
		{"7692-7.2.3.4/garbage_behind_final", "f348cdc9c90700ff"},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload := unhex(t, c.payload)
			for _, max := range []int64{-1, 1 << 20} {
				for _, room := range []int{0, 1 << 10} {
					r := NewReader(15, false)
					dst := append(make([]byte, 0, room+3), "abc"...)
					got, err := r.Append(dst, payload, max)
					if err != ErrCorrupt || string(got) != "abc" {
						t.Errorf("max %d: %q, %v", max, got, err)
					}
				}
			}
		})
	}
}

var sizes = []int{1, 2, 3, 4, 12, 13, 32, 33, 100, 127, 128, 129, 250, 256, 257, 1000, 4095, 4096, 4097, 8192, 8193, 16384, 16385, 20000, 65535, 65536, 70000, 150000}

// TestRoundTrip sends sequences of messages over every window, takeover and level, through a Reader that refuses
// distances over the window and through compress/flate with no more history than the window has.
func TestRoundTrip(t *testing.T) {
	for bits := 8; bits <= 15; bits++ {
		levels := []int{-1, 1, 6, 9}
		if bits == 15 && !testing.Short() {
			levels = []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		}
		for _, level := range levels {
			for _, takeover := range []bool{false, true} {
				t.Run(fmt.Sprintf("bits_%d/level_%d/takeover_%v", bits, level, takeover), func(t *testing.T) {
					t.Parallel()
					w, r := NewWriter(level, bits, takeover), NewReader(bits, takeover)
					var history, payload, got []byte
					for i, size := range append(sizes, 10, 200, 900, 900, 60) {
						for kind, m := range [][]byte{jsonMessage(uint64(i), size), noise(uint64(i), size), make([]byte, size)} {
							cut := size / 3
							payload = w.Append(payload[:0], m[:cut], m[cut:])
							var err error
							got, err = r.Append(got[:0], payload, int64(size))
							if err != nil || !bytes.Equal(got, m) {
								t.Fatalf("kind %d of %d octets comes back as %d: %v", kind, size, len(got), err)
							}
							if !takeover {
								history = nil
							}
							if std := stdInflate(t, payload, history, bits); !bytes.Equal(std, m) {
								t.Fatalf("kind %d of %d octets: compress/flate disagrees", kind, size)
							}
							history = append(history, m...)
							history = history[max(0, len(history)-1<<15):]
							if over := len(payload) - size; over > 11+5*(size/(30<<10)) {
								t.Errorf("kind %d of %d octets grows by %d", kind, size, over)
							}
						}
					}
				})
			}
		}
	}
}

// TestWindow says the same twice, further apart and less far than the window, in one message and in two. What is in the
// window is referred to, as far as the level uses it; what is not is not: the Reader would refuse it.
func TestWindow(t *testing.T) {
	for _, level := range []int{1, 6, 9} {
		for bits := 8; bits <= 15; bits++ {
			window := 1 << bits
			half := noise(7, 100)
			inside := min(window, efforts[level].history) - 220
			for gap, hits := range map[int]bool{inside: true, window: false, window + 1000: false} {
				w, r := NewWriter(level, bits, true), NewReader(bits, true)
				first := append(half[:len(half):len(half)], noise(8, gap)...)
				second := append(half[:len(half):len(half)], noise(9, 40)...)
				for _, m := range [][]byte{append(first[:len(first):len(first)], half...), first} {
					if _, err := r.Append(nil, w.Append(nil, m), -1); err != nil {
						t.Fatalf("7692-7.1.2: level %d, window of %d bits, %d octets between: %v", level, bits, gap, err)
					}
				}
				payload := w.Append(nil, second)
				if _, err := r.Append(nil, payload, -1); err != nil {
					t.Fatalf("7692-7.1.2: level %d, window of %d bits, %d octets between: %v", level, bits, gap, err)
				}
				if hit := len(payload) < len(second)-50; hit != hits {
					t.Errorf("7692-7.1.2: level %d, window of %d bits, %d octets between: %d octets become %d", level, bits, gap, len(second), len(payload))
				}
			}
		}
	}
	// The Reader's own judgement, an octet on both sides: a copy of three octets from 256 and from 257 back.
	for distance, want := range map[int]error{256: nil, 257: ErrCorrupt} {
		for _, two := range []bool{false, true} {
			before := noise(3, 257)
			copying := copyBlock(distance)
			r := NewReader(8, true)
			var err error
			if two {
				if _, err = r.Append(nil, appendStored(nil, [][]byte{before}), -1); err == nil {
					_, err = r.Append(nil, copying, -1)
				}
			} else {
				stored := appendStored(nil, [][]byte{before})
				_, err = r.Append(nil, append(stored[:len(stored)-1], copying...), -1)
			}
			if err != want {
				t.Errorf("7692-7.1.2: distance %d in a window of 256, two messages %v: %v", distance, two, err)
			}
		}
	}
}

// copyBlock is a message of one match, four octets from a distance.
func copyBlock(distance int) []byte {
	e := new(encoder)
	e.match(minMatch, distance)
	size, dynamic := e.choose()
	return e.write(nil, size, dynamic)
}

// TestLearn is a prepared message: compressed without context, and part of the context afterwards.
func TestLearn(t *testing.T) {
	for _, bits := range []int{9, 15} {
		shared, w, r := NewWriter(0, bits, false), NewWriter(0, bits, true), NewReader(bits, true)
		m := noise(5, 400)
		prepared := shared.Append(nil, m)
		for i := range 6 {
			own := append(jsonMessage(uint64(i), 20*i), m[50:350]...)
			got, err := r.Append(nil, w.Append(nil, own), -1)
			if err != nil || !bytes.Equal(got, own) {
				t.Fatalf("own message %d: %v", i, err)
			}
			got, err = r.Append(nil, prepared, -1)
			if err != nil || !bytes.Equal(got, m) {
				t.Fatalf("prepared message %d: %v", i, err)
			}
			w.Learn(m[:100], m[100:])
		}
		if n := len(w.Append(nil, m[50:350])); n > 60 {
			t.Errorf("a part of what was learned takes %d octets", n)
		}
		if shared.win.buf != nil {
			t.Error("a Writer without takeover keeps something")
		}
	}
}

// TestRing is the window against a plain slice.
func TestRing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var w window
		var plain []byte
		size := 1 + r.IntN(40)
		for range 30 {
			if r.IntN(8) == 0 {
				size += r.IntN(20)
			}
			p := noise(r.Uint64(), r.IntN(50))
			had := len(w.buf)
			w.add(p, size)
			plain = append(plain, p...)
			if len(w.buf) > size || len(w.buf) < had || cap(w.buf) > size {
				t.Fatalf("%d octets kept, room for %d, of %d", len(w.buf), cap(w.buf), size)
			}
			plain = plain[len(plain)-len(w.buf):]
			n := r.IntN(size + 5)
			a, b := w.last(n)
			if got := string(a) + string(b); got != string(plain[len(plain)-min(n, len(plain)):]) {
				t.Fatalf("last %d of %q are %q", n, plain, got)
			}
		}
	}
}

// TestTooBig is the limit, exact to the octet, with room in dst and without.
func TestTooBig(t *testing.T) {
	for _, size := range []int{1, 5, 100, 300, 1000, 65000, 70000, 300000} {
		for kind, m := range [][]byte{make([]byte, size), jsonMessage(1, size), noise(1, size)} {
			w := NewWriter(6, 15, false)
			payload := w.Append(nil, m)
			for _, room := range []int{0, 10, 1 << 20} {
				r := NewReader(15, false)
				if got, err := r.Append(make([]byte, 0, room), payload, int64(size)); err != nil || !bytes.Equal(got, m) {
					t.Errorf("kind %d, %d octets, limit as many: %d, %v", kind, size, len(got), err)
				}
				for _, max := range []int{size - 1, size / 2, 0} {
					dst := append(make([]byte, 0, room), "abc"...)
					got, err := r.Append(dst, payload, int64(max))
					if !errors.Is(err, ErrTooBig) || string(got) != "abc" {
						t.Errorf("kind %d, %d octets, limit %d: %d, %v", kind, size, max, len(got), err)
					}
					broken := append(append([]byte{}, payload...), 0xfe, 0x01)
					if _, err = r.Append(nil, broken, int64(max)); err != ErrTooBig {
						t.Errorf("kind %d, %d octets, limit %d, corrupt behind it: %v", kind, size, max, err)
					}
				}
				if _, err := r.Append(nil, append(payload[:len(payload):len(payload)], 0xfe, 0x01), int64(size)); err != ErrCorrupt {
					t.Errorf("kind %d, %d octets, corrupt: %v", kind, size, err)
				}
			}
		}
	}
}
