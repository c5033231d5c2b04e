package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
)

// BenchmarkWrite compresses messages of 1 KiB; octets is what one becomes. Beside weir's way stand those of servers
// written elsewhere: klauspost_pooled is a compressor that gets the last 4 KiB as its dictionary for each message,
// klauspost_kept and std_kept are compressors of 0.6 to 1.2 MB for each session.
func BenchmarkWrite(b *testing.B) {
	for _, kind := range kinds {
		ms := make([][]byte, 64)
		for i := range ms {
			ms[i] = kind.make(uint64(i), 1024)
		}
		for _, level := range []int{1, 3, 6, 9} {
			for _, takeover := range []bool{false, true} {
				w := NewWriter(level, 15, takeover)
				var out bytes.Buffer
				fw, err := flate.NewWriter(&out, level)
				if takeover {
					fw, err = flate.NewWriterWindow(&out, 4<<10)
				}
				if err != nil {
					b.Fatal(err)
				}
				kept, err := flate.NewWriter(&out, level)
				if err != nil {
					b.Fatal(err)
				}
				std, err := stdflate.NewWriter(&out, level)
				if err != nil {
					b.Fatal(err)
				}
				var dst, history []byte
				for _, way := range []struct {
					name  string
					write func(m []byte) (int, error)
				}{
					{"weir", func(m []byte) (int, error) {
						dst = w.Append(dst[:0], m)
						return len(dst), nil
					}},
					{"klauspost_pooled", func(m []byte) (int, error) {
						out.Reset()
						fw.ResetDict(&out, history)
						if takeover {
							history = append(history, m...)
							history = append(history[:0], history[max(0, len(history)-4<<10):]...)
						}
						return finish(fw, &out, m)
					}},
					{"klauspost_kept", func(m []byte) (int, error) {
						if out.Reset(); !takeover {
							kept.Reset(&out)
						}
						return finish(kept, &out, m)
					}},
					{"std_kept", func(m []byte) (int, error) {
						if out.Reset(); !takeover {
							std.Reset(&out)
						}
						return finish(std, &out, m)
					}},
				} {
					b.Run(fmt.Sprintf("%s/level_%d/takeover_%v/%s", kind.name, level, takeover, way.name), func(b *testing.B) {
						i, octets := 0, 0
						b.ReportAllocs()
						for b.Loop() {
							n, err := way.write(ms[i&63])
							if err != nil {
								b.Fatal(err)
							}
							octets += n
							i++
						}
						b.ReportMetric(float64(octets)/float64(i), "octets")
					})
				}
			}
		}
	}
}

// finish compresses m and gives what has come out, without the tail.
func finish(w interface {
	io.Writer
	Flush() error
}, out *bytes.Buffer, m []byte) (int, error) {
	if _, err := w.Write(m); err != nil {
		return 0, err
	}
	err := w.Flush()
	return out.Len() - len(tail), err
}

// BenchmarkWriteSizes has the sizes at which one way of compressing gives way to another.
func BenchmarkWriteSizes(b *testing.B) {
	for _, level := range []int{1, 6} {
		for _, takeover := range []bool{false, true} {
			for _, size := range []int{32, 128, 512, 2 << 10, 4 << 10, 4<<10 + 1, 8 << 10, 8<<10 + 1, 16 << 10, 16<<10 + 1} {
				b.Run(fmt.Sprintf("level_%d/takeover_%v/%d", level, takeover, size), func(b *testing.B) {
					ms := make([][]byte, 64)
					for i := range ms {
						ms[i] = jsonMessage(uint64(i), size)
					}
					w := NewWriter(level, 15, takeover)
					var out []byte
					i, octets := 0, 0
					b.SetBytes(int64(size))
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
	}
}

// payloads are messages compressed by one Writer; with takeover they follow each other.
func payloads(takeover bool) [][]byte {
	w := NewWriter(6, 15, takeover)
	var ps [][]byte
	for i := range uint64(64) {
		ps = append(ps, w.Append(nil, jsonMessage(i, 1024)))
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
