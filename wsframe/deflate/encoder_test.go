package deflate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/flate"
)

// proseMessage is n octets of words, the frequent ones more often.
func proseMessage(seed uint64, n int) []byte {
	dict := rand.New(rand.NewPCG(1, 3))
	words := make([][]byte, 600)
	for i := range words {
		for range 2 + dict.IntN(8) {
			words[i] = append(words[i], "eeeettaaooiinnsshrrdlucmfwygpbvk"[dict.IntN(32)])
		}
	}
	r := rand.New(rand.NewPCG(seed, 4))
	var b []byte
	for len(b) < n {
		b = append(append(b, words[int(600*r.Float64()*r.Float64()*r.Float64())]...), " ,. "[r.IntN(4)])
	}
	return b[:n]
}

// fibonacci is octets of which each occurs as often as the two before it together: their best codes are longer than
// is allowed.
func fibonacci(n int) (b []byte) {
	x, y := 1, 1
	for i := range n {
		b = append(b, bytes.Repeat([]byte{byte('A' + i)}, x)...)
		x, y = y, x+y
	}
	rand.New(rand.NewPCG(1, 5)).Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
	return b[:min(len(b), maxMessage)]
}

var kinds = []struct {
	name string
	make func(seed uint64, n int) []byte
}{
	{"json", jsonMessage},
	{"prose", proseMessage},
	{"mixed", func(seed uint64, n int) []byte {
		if seed%3 == 0 {
			return proseMessage(seed, n)
		}
		return jsonMessage(seed, n)
	}},
}

// TestLevels: a level makes messages no larger than the one before does, nor than the general compressor at that level
// and with the same history does. Two per cent are left to chance.
func TestLevels(t *testing.T) {
	for _, kind := range kinds {
		for _, size := range []int{100, 300, 1024, 4096} {
			for _, takeover := range []bool{false, true} {
				var before int
				for level := 1; level <= maxLevel; level++ {
					w := NewWriter(level, 15, takeover)
					var history []byte
					var general bytes.Buffer
					fw, err := flate.NewWriter(&general, level)
					if err != nil {
						t.Fatal(err)
					}
					var ours, theirs int
					for i := range uint64(24) {
						m := kind.make(i, size)
						ours += len(w.Append(nil, m))
						general.Reset()
						fw.ResetDict(&general, history[max(0, len(history)-w.history(size)):])
						if _, err := fw.Write(m); err != nil {
							t.Fatal(err)
						}
						if err := fw.Flush(); err != nil {
							t.Fatal(err)
						}
						theirs += general.Len() - len(tail)
						if takeover {
							history = append(history, m...)
						}
					}
					name := fmt.Sprintf("%s, %d octets, takeover %v, level %d", kind.name, size, takeover, level)
					if ours > theirs+theirs/50 {
						t.Errorf("%s: %d octets, %d by the general compressor", name, ours, theirs)
					}
					if before != 0 && ours > before+before/50 {
						t.Errorf("%s: %d octets, %d at the level before", name, ours, before)
					}
					before = ours
				}
			}
		}
	}
}

// TestBlocks: what is counted out is what is written, with codes of either kind, and the shorter kind is taken.
func TestBlocks(t *testing.T) {
	e := new(encoder)
	seen := map[bool]bool{}
	for _, kind := range kinds {
		for size := 1; size < maxMessage; size += 1 + size/5 {
			m := kind.make(uint64(size), size)
			end := 1 + copy(e.text[1:], m)
			e.prime(1, 1)
			e.parse(1, end, 1<<15, &efforts[6])
			size, dynamic := e.choose()
			seen[dynamic] = true
			for _, other := range []bool{false, true} {
				if other && e.count <= fewTokens {
					continue
				}
				out := e.write(nil, size+2*len(m)+200, other)
				if other == dynamic && len(out) != size || len(out) < size {
					t.Errorf("%s of %d octets: %d octets with codes of its own %v; chosen %v for %d", kind.name, len(m), len(out), other, dynamic, size)
				}
				if got := stdInflate(t, out, nil, 15); !bytes.Equal(got, m) {
					t.Errorf("%s of %d octets does not come back", kind.name, len(m))
				}
			}
		}
	}
	if len(seen) != 2 {
		t.Error("only one kind of codes was taken")
	}
}

// TestCodes: codes are a complete set, in the order of RFC 1951, 3.2.2; as short as any where the limit leaves them.
func TestCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	var freqs [][]uint16
	for range 300 {
		f := make([]uint16, 1+r.IntN(literals))
		for i := range f {
			if r.IntN(3) > 0 {
				f[i] = uint16(1 << r.IntN(1+r.IntN(12)) * r.IntN(3))
			}
		}
		freqs = append(freqs, f)
	}
	fib := []uint16{1, 1}
	for len(fib) < 23 {
		fib = append(fib, fib[len(fib)-1]+fib[len(fib)-2])
	}
	freqs = append(freqs, fib, []uint16{0, 5}, []uint16{1, 1}, []uint16{7, 0, 0, 65535})
	for _, f := range freqs {
		for _, limit := range []int{lengthBits, maxCodeBits} {
			var a alphabet
			copy(a.freq[:], f)
			if a.list(len(f)); a.n > 1<<limit || a.n == 0 {
				continue
			}
			for i := range a.codes {
				a.codes[i] = 31<<16 | 0xffff // of the block before
			}
			a.assign(limit)
			var codes []coded
			for _, s := range a.used[:a.n] {
				codes = append(codes, coded{s, uint8(a.codes[s].length())})
				if int(a.codes[s].length()) > limit {
					t.Errorf("1951-3.2.7: %v: a code of %d bits, limit %d", f, a.codes[s].length(), limit)
				}
			}
			table := make([]uint32, 1<<maxCodeBits)
			meaning := make([]uint32, 288)
			for i := range meaning {
				meaning[i] = uint32(i)<<16 | kindLiteral
			}
			if !build(table, maxCodeBits, codes, meaning) {
				t.Errorf("1951-3.2.2: %v, limit %d: no complete set: %v", f, limit, codes)
				continue
			}
			for _, s := range a.used[:a.n] {
				if got := table[a.codes[s].bits()]; got != meaning[s]|uint32(a.codes[s].length()) {
					t.Errorf("1951-3.2.2: %v, limit %d: symbol %d reads as %#x", f, limit, s, got)
				}
			}
			if best, deepest := huffman(f); deepest <= limit && a.cost(&a.codes) != best {
				t.Errorf("%v, limit %d: %d bits, best are %d", f, limit, a.cost(&a.codes), best)
			}
		}
	}
}

// huffman is the bits of the best codes, and those of the longest: the two rarest are joined until one is left.
func huffman(freq []uint16) (cost, deepest int) {
	type tree struct{ weight, depth int }
	var trees []tree
	for _, f := range freq {
		if f > 0 {
			trees = append(trees, tree{int(f), 0})
		}
	}
	if len(trees) == 1 {
		return trees[0].weight, 1
	}
	for len(trees) > 1 {
		for k := range 2 {
			for i := range trees[k:] {
				if trees[k+i].weight < trees[k].weight || trees[k+i].weight == trees[k].weight && trees[k+i].depth < trees[k].depth {
					trees[k], trees[k+i] = trees[k+i], trees[k]
				}
			}
		}
		joined := tree{trees[0].weight + trees[1].weight, max(trees[0].depth, trees[1].depth) + 1}
		cost += joined.weight
		trees = append(trees[2:], joined)
	}
	return cost, trees[0].depth
}
