package wsframe

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMask compares with the loop of RFC 6455, 5.3 for every length, place in the key and place in memory.
func TestMask(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	src := make([]byte, 256)
	for i := range src {
		src[i] = byte(i * 7)
	}
	for n := range 201 {
		for pos := range 9 {
			for off := range 8 {
				got, want := bytes.Clone(src), bytes.Clone(src)
				next := Mask(got[off:off+n], key, pos)
				for i := range n {
					want[off+i] ^= key[(pos+i)%4]
				}
				if !bytes.Equal(got, want) || next != (pos+n)%4 {
					t.Fatalf("6455-5.3: %d octets at %d of the payload: % x, next %d", n, pos, got[off:off+n], next)
				}
			}
		}
	}
}

func TestMaskZeroKey(t *testing.T) {
	b := []byte("unchanged")
	if next := Mask(b, [4]byte{}, 2); string(b) != "unchanged" || next != 3 {
		t.Fatal(b, next)
	}
}

// TestMaskPieces masks in pieces, each going on where the last ended.
func TestMaskPieces(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	key := [4]byte{1, 2, 3, 200}
	for range 500 {
		whole := make([]byte, rnd.IntN(600))
		cut := bytes.Clone(whole)
		Mask(whole, key, 0)
		pos := 0
		for rest := cut; len(rest) > 0; {
			n := 1 + rnd.IntN(len(rest))
			pos = Mask(rest[:n], key, pos)
			rest = rest[n:]
		}
		if !bytes.Equal(whole, cut) {
			t.Fatalf("%d octets", len(whole))
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, n := range []int{16, 125, 1024, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(int64(n))
			pos := 0
			for b.Loop() {
				pos = Mask(p, [4]byte{1, 2, 3, 4}, pos)
			}
		})
	}
}
