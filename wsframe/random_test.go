package wsframe

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestReaderRandom reads long runs of random good frames, cut anywhere, both ways.
func TestReaderRandom(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		client := rnd.IntN(2) == 0
		in := randomFrames(rnd, client, 1+rnd.IntN(20))
		r := Reader{Client: client, Deflate: true}
		want, failed := read(t, r, in)
		if failed {
			t.Fatalf("good frames refused: %s", want)
		}
		for range 10 {
			cuts := randomCuts(rnd, len(in))
			if got, _ := read(t, r, in, cuts...); got != want {
				t.Fatalf("cut at %v: got %s, want %s", cuts, got, want)
			}
		}
	}
}

// randomFrames are n frames that keep the rules, written for a client or a server to read.
func randomFrames(rnd *rand.Rand, client bool, n int) (out []byte) {
	inside := false
	for range n {
		h := Header{Fin: rnd.IntN(2) == 0, Op: Opcode(rnd.IntN(2)) + Text, Masked: !client}
		size := []int{0, 1, rnd.IntN(126), 125, 126, 127, rnd.IntN(1000)}[rnd.IntN(7)]
		switch {
		case rnd.IntN(4) == 0:
			h.Fin, h.Op, size = true, Opcode(rnd.IntN(2))+Ping, min(size, MaxControl)
		case inside:
			h.Op = Continuation
			inside = !h.Fin
		default:
			h.RSV1 = rnd.IntN(2) == 0
			inside = !h.Fin
		}
		if h.Masked {
			h.Key = [4]byte{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}
		}
		p := make([]byte, size)
		for i := range p {
			p[i] = byte(rnd.Uint32())
		}
		out = AppendFrame(out, h, p)
	}
	return out
}

func randomCuts(rnd *rand.Rand, n int) (cuts []int) {
	for i := 0; ; {
		i += 1 + rnd.IntN(1+rnd.IntN(200))
		if i >= n {
			return cuts
		}
		cuts = append(cuts, i)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, n := range []int{0, 16, 125, 1024, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := AppendFrame(nil, Header{Fin: true, Op: Binary, Masked: true, Key: [4]byte{1, 2, 3, 4}}, make([]byte, n))
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var r Reader
			for b.Loop() {
				ev, _, err := r.Next(in)
				if err != nil || !ev.End {
					b.Fatal(err)
				}
			}
		})
	}
}
