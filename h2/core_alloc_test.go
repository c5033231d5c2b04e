package h2

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// TestNoAllocations: a message in and a message out on an open tunnel cost no allocation.
func TestNoAllocations(t *testing.T) {
	p := newPlayer(testConfig(), 0)
	p.greet()
	p.send("HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a")
	s := p.streams[1]
	if err := p.c.answer(s, fieldsOf(":status=200"), false, false); err != nil {
		t.Fatal(err)
	}
	p.drain()
	in := h2test.AppendFrame(nil, http2.FrameData, 0, 1, make([]byte, 100))
	in = h2test.AppendFrame(in, http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 100})
	in = h2test.AppendFrame(in, http2.FrameWindowUpdate, 0, 1, []byte{0, 0, 0, 100})
	spare := make([]byte, 0, 1024)
	p.c.out = make([]byte, 0, 1024)
	v := [][]byte{make([]byte, 4), make([]byte, 96)}
	n := 0
	round := func() {
		p.c.feed(in, p.now)
		for ev, ok := p.c.next(); ok; ev, ok = p.c.next() {
			p.c.release(ev.s, len(ev.data))
			n += len(ev.data)
		}
		if _, err := p.c.send(s, v, false); err != nil {
			t.Fatal(err)
		}
		spare = p.c.swap(spare, p.now)
	}
	round()
	// The Framer makes a struct of each WINDOW_UPDATE; DATA, which is what a message is made of, makes none. One more is
	// what the race detector takes out of a pool of http2's.
	if got := testing.AllocsPerRun(1000, round); got > 3 {
		t.Errorf("%v allocations a round, want the 2 of WINDOW_UPDATE", got)
	}
	if n == 0 {
		t.Error("nothing arrived")
	}
}

// TestIdleTunnelIsSmall: what a stream without traffic is, beside its session.
func TestIdleTunnelIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(coreStream{}); n > 176 {
		t.Errorf("a stream of the core is %d octets", n)
	}
	if n := unsafe.Sizeof(tunnel{}); n > 64 {
		t.Errorf("a tunnel is %d octets", n)
	}
}

// BenchmarkCoreEcho is the core by itself: twenty DATA frames in, as many out, in one swap.
func BenchmarkCoreEcho(b *testing.B) {
	for name, size := range map[string]int{"22": 22, "1Ki": 1 << 10} {
		b.Run(name, func(b *testing.B) {
			cfg := testConfig()
			cfg.maxStreams = 20
			p := newPlayer(cfg, 0)
			p.greet()
			var in, window []byte
			for i := range 20 {
				id := uint32(2*i + 1)
				p.send(fmt.Sprintf("HEADERS %d :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a", id))
				if err := p.c.answer(p.streams[id], fieldsOf(":status=200"), false, false); err != nil {
					b.Fatal(err)
				}
				in = h2test.AppendFrame(in, http2.FrameData, 0, id, make([]byte, size))
				window = h2test.AppendFrame(window, http2.FrameWindowUpdate, 0, id, binary.BigEndian.AppendUint32(nil, uint32(size)))
			}
			window = h2test.AppendFrame(window, http2.FrameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, uint32(20*size)))
			p.drain()
			out := make([]byte, 0, 1024)
			v := make([][]byte, 1)
			b.ReportAllocs()
			for b.Loop() {
				p.c.feed(in, p.now)
				for ev, ok := p.c.next(); ok; ev, ok = p.c.next() {
					p.c.release(ev.s, len(ev.data))
					v[0] = ev.data
					if _, err := p.c.send(ev.s, v, false); err != nil {
						b.Fatal(err)
					}
				}
				out = p.c.swap(out, p.now)
				b.StopTimer()
				p.c.feed(window, p.now)
				p.c.next()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(20*b.N), "ns/message")
		})
	}
}

// BenchmarkFrameHeader is what each frame costs before its type is looked at.
func BenchmarkFrameHeader(b *testing.B) {
	h := h2test.AppendFrame(nil, http2.FrameData, 0, 7, make([]byte, 22))
	n := 0
	for b.Loop() {
		n += int(headOf(h).Length)
	}
	if n == 0 {
		b.Fatal("no frame")
	}
}
