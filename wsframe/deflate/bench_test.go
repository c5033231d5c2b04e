package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"testing"
)

// messages are 64 of 1 KiB, alike and never the same.
func messages() [][]byte {
	m := make([][]byte, 64)
	for i := range m {
		m[i] = jsonMessage(uint64(i), 1024)
	}
	return m
}

// BenchmarkWrite compresses JSON of 1 KiB; octets is what a message becomes.
func BenchmarkWrite(b *testing.B) {
	ms := messages()
	for _, level := range []int{1, 6, 9} {
		for _, takeover := range []bool{false, true} {
			b.Run(fmt.Sprintf("level_%d/takeover_%v", level, takeover), func(b *testing.B) {
				w := NewWriter(level, 15, takeover)
				var out []byte
				i, octets := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					out = w.Append(out[:0], ms[i&63])
					octets += len(out)
					i++
				}
				b.ReportMetric(float64(octets)/float64(i), "octets")
			})
		}
	}
	b.Run("100_octets/takeover_true", func(b *testing.B) {
		w := NewWriter(0, 15, true)
		var out []byte
		i, octets := 0, 0
		b.ReportAllocs()
		for b.Loop() {
			out = w.Append(out[:0], ms[i&63][40:140])
			octets += len(out)
			i++
		}
		b.ReportMetric(float64(octets)/float64(i), "octets")
	})
}

// BenchmarkWriteStd is compress/flate with a writer of 0.6 to 1.2 MB for each session.
func BenchmarkWriteStd(b *testing.B) {
	ms := messages()
	for _, level := range []int{1, 6} {
		for _, takeover := range []bool{false, true} {
			b.Run(fmt.Sprintf("level_%d/takeover_%v", level, takeover), func(b *testing.B) {
				var out bytes.Buffer
				w, err := stdflate.NewWriter(&out, level)
				if err != nil {
					b.Fatal(err)
				}
				i, octets := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					out.Reset()
					if !takeover {
						w.Reset(&out)
					}
					if _, err := w.Write(ms[i&63]); err != nil {
						b.Fatal(err)
					}
					if err := w.Flush(); err != nil {
						b.Fatal(err)
					}
					octets += out.Len() - len(tail)
					i++
				}
				b.ReportMetric(float64(octets)/float64(i), "octets")
			})
		}
	}
}

// payloads are messages compressed by one Writer; with takeover they follow each other.
func payloads(takeover bool) [][]byte {
	w := NewWriter(6, 15, takeover)
	var ps [][]byte
	for _, m := range messages() {
		ps = append(ps, w.Append(nil, m))
	}
	return ps
}

// BenchmarkRead inflates JSON of 1 KiB.
func BenchmarkRead(b *testing.B) {
	for _, takeover := range []bool{false, true} {
		b.Run(fmt.Sprintf("takeover_%v", takeover), func(b *testing.B) {
			ps := payloads(takeover)
			r := NewReader(15, takeover)
			out := make([]byte, 0, 2048)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i&63 == 0 {
					r = Reader{bits: r.bits, takeover: r.takeover, win: window{buf: r.win.buf[:0]}}
				}
				if _, err := r.Append(out, ps[i&63], 2048); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
	b.Run("1_MiB", func(b *testing.B) {
		w, r := NewWriter(6, 15, false), NewReader(15, false)
		payload := w.Append(nil, jsonMessage(1, 1<<20))
		b.SetBytes(1 << 20)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Append(nil, payload, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadStd is compress/flate, reset for each message with the last 32 KiB as the dictionary.
func BenchmarkReadStd(b *testing.B) {
	for _, takeover := range []bool{false, true} {
		b.Run(fmt.Sprintf("takeover_%v", takeover), func(b *testing.B) {
			ps := payloads(takeover)
			var history []byte
			in := new(bytes.Reader)
			fr := stdflate.NewReader(in)
			out := make([]byte, 2048)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i&63 == 0 || !takeover {
					history = history[:0]
				}
				in.Reset(ps[i&63])
				if err := fr.(stdflate.Resetter).Reset(in, history); err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					k, err := fr.Read(out[n:])
					n += k
					if err == io.ErrUnexpectedEOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if n != 1024 {
					b.Fatal(n)
				}
				if history = append(history, out[:n]...); len(history) > 32<<10 {
					history = append(history[:0], history[len(history)-32<<10:]...)
				}
				i++
			}
		})
	}
}
