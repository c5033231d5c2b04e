package websocket

import (
	"bytes"
	"compress/flate"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"weir/wsframe"
	"weir/wsframe/deflate"
)

// packed compresses with the standard library, as RFC 7692, 7.2.1 asks: each message behind the
// other ones.
func packed(messages ...string) (payloads []string) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is one of its own
	for _, m := range messages {
		b.Reset()
		_, _ = w.Write([]byte(m)) // into memory
		_ = w.Flush()
		payloads = append(payloads, strings.TrimSuffix(b.String(), "\x00\x00\xff\xff"))
	}
	return payloads
}

func zipped(h wsframe.Header, payload string) []byte {
	h.RSV1 = true
	return masked(h, payload)
}

// compressing is a machine that agreed on permessage-deflate.
func compressing(o *Options, p deflate.Params) machine {
	m := newMachine(o, epoch)
	if p.ServerMaxWindowBits == 0 {
		p.ServerMaxWindowBits, p.ClientMaxWindowBits = 15, 15
	}
	m.compress(o, p)
	return m
}

// zippedInputs are octets that a peer may send where compression was agreed on; FuzzMachineDeflate
// starts from them.
func zippedInputs() map[string][]byte {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	hello := packed("hello hello", "hello hello again", "")
	bad := packed("bad \xff")[0]
	bomb := packed(strings.Repeat("x", 30_000))[0]
	return map[string][]byte{
		"7692-6.2/takeover":          join(zipped(fin(wsframe.Text), hello[0]), zipped(fin(wsframe.Text), hello[1]), zipped(fin(wsframe.Text), hello[2])),
		"7692-6.2/fragments":         join(zipped(begun(wsframe.Text), hello[0][:3]), masked(fin(wsframe.Ping), "p"), masked(fin(wsframe.Continuation), hello[0][3:])),
		"7692-6.2/uncompressed":      join(masked(fin(wsframe.Text), "plain"), zipped(fin(wsframe.Text), hello[0])),
		"7692-6.1/rsv1_continuation": join(zipped(begun(wsframe.Text), hello[0][:3]), zipped(fin(wsframe.Continuation), hello[0][3:])),
		"7692-6.1/rsv1_ping":         zipped(fin(wsframe.Ping), "p"),
		"7692-7.2.2/corrupt":         join(zipped(fin(wsframe.Text), hello[0]), zipped(fin(wsframe.Text), "\x06\x00"), masked(fin(wsframe.Text), "x")),
		"7692-7.2.2/cut_short":       join(zipped(begun(wsframe.Binary), hello[0][:5]), masked(fin(wsframe.Continuation), "")),
		"7692-7.2.2/behind_bad_utf8": zipped(fin(wsframe.Text), bad+"\x00\x00\xff\xff\x06xxxxxxxxxx"),
		"7692-7.2.3.4/final_block":   join(zipped(fin(wsframe.Text), "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), zipped(fin(wsframe.Text), "\xf2\x00\x11\x00\x00")),
		"6455-8.1/bad_utf8":          join(zipped(fin(wsframe.Text), bad), masked(fin(wsframe.Text), "x")),
		"6455-10.4/bomb":             join(zipped(begun(wsframe.Binary), bomb[:10]), masked(fin(wsframe.Continuation), bomb[10:])),
	}
}

// TestMachineDeflateCutAnywhere: compressed input cut anywhere gives the same frames, output and
// end (BEHAVIOUR 6).
func TestMachineDeflateCutAnywhere(t *testing.T) {
	o := &Options{MaxFrameSize: 300}
	for name, in := range zippedInputs() {
		t.Run(name, func(t *testing.T) {
			run := func(pieces ...[]byte) string {
				m := compressing(o, deflate.Params{})
				return tell(&m, pieces, true)
			}
			want := run(in)
			var octets [][]byte
			for i := range in {
				octets = append(octets, in[i:i+1])
				if got := run(in[:i], in[i:]); got != want {
					t.Fatalf("cut at %d:\n%s\nwhole:\n%s", i, got, want)
				}
			}
			if got := run(octets...); got != want {
				t.Fatalf("octet by octet:\n%s\nwhole:\n%s", got, want)
			}
		})
	}
}

// wholeOf runs octets, cut as pieces, through a Conn's machine, and tells the messages that came
// whole, and the end.
func wholeOf(m *machine, pieces [][]byte) string {
	m.role.pieces = true
	m.furnish()
	var b strings.Builder
	var msg []byte
	for _, p := range pieces {
		m.feed(bytes.Clone(p), false, epoch)
		for f, ok := m.next(); ok; f, ok = m.next() {
			if !f.IsData() {
				continue
			}
			if m.input.piece.first {
				msg = msg[:0]
			}
			if msg = append(msg, f.Payload...); m.input.piece.last {
				fmt.Fprintf(&b, "%s %x\n", f.Type, msg)
			}
		}
		m.settle()
	}
	out, half := m.output()
	fmt.Fprintf(&b, "ended %v %s %d %q fin %v consumed %d\nout %x", m.ended, m.reason, m.reason.Code, m.reason.Text, half, m.takeConsumed(), out)
	return b.String()
}

// TestMachinePiecesDeflateCutAnywhere: the same of a Conn's machine, which inflates as octets come
// and has no limit.
func TestMachinePiecesDeflateCutAnywhere(t *testing.T) {
	inputs := zippedInputs()
	large := packed(strings.Repeat("large ", 20_000) + "x")[0]
	inputs["large"] = zipped(fin(wsframe.Text), large)
	for name, in := range inputs {
		t.Run(name, func(t *testing.T) {
			run := func(pieces ...[]byte) string {
				m := compressing(&Options{MaxFrameSize: 300}, deflate.Params{})
				return wholeOf(&m, pieces)
			}
			want := run(in)
			if name == "6455-10.4/bomb" != strings.Contains(want, strings.Repeat("78", 30_000)) {
				t.Fatalf("the message is not whole:\n%.200s", want)
			}
			var octets [][]byte
			for i := range in {
				octets = append(octets, in[i:i+1])
				if got := run(in[:i], in[i:]); got != want {
					t.Fatalf("cut at %d:\n%s\nwhole:\n%s", i, got, want)
				}
			}
			if got := run(octets...); got != want {
				t.Fatalf("octet by octet:\n%s\nwhole:\n%s", got, want)
			}
		})
	}
}

// FuzzMachinePieces: the same of any octets.
func FuzzMachinePieces(f *testing.F) {
	for _, in := range zippedInputs() {
		f.Add(in, uint16(3), uint16(7), false)
		f.Add(in, uint16(9), uint16(2), true)
	}
	f.Fuzz(func(t *testing.T, in []byte, i, j uint16, forget bool) {
		a := int(i) % (len(in) + 1)
		b := a + int(j)%(len(in)-a+1)
		run := func(pieces ...[]byte) string {
			m := compressing(&Options{}, deflate.Params{ServerMaxWindowBits: 9, ClientMaxWindowBits: 15, ClientNoContextTakeover: forget})
			return wholeOf(&m, pieces)
		}
		if got, want := run(in[:a], in[a:b], in[b:]), run(in); got != want {
			t.Fatalf("cut at %d and %d:\n%s\nwhole:\n%s", a, b, got, want)
		}
	})
}

func FuzzMachineDeflate(f *testing.F) {
	for _, in := range zippedInputs() {
		f.Add(in, uint16(3), uint16(7), false)
		f.Add(in, uint16(9), uint16(2), true)
	}
	o := &Options{MaxFrameSize: 300}
	f.Fuzz(func(t *testing.T, in []byte, i, j uint16, forget bool) {
		a := int(i) % (len(in) + 1)
		b := a + int(j)%(len(in)-a+1)
		run := func(pieces ...[]byte) string {
			m := compressing(o, deflate.Params{ServerMaxWindowBits: 9, ClientMaxWindowBits: 15, ClientNoContextTakeover: forget})
			return tell(&m, pieces, true)
		}
		if got, want := run(in[:a], in[a:b], in[b:]), run(in); got != want {
			t.Fatalf("cut at %d and %d:\n%s\nwhole:\n%s", a, b, got, want)
		}
	})
}

// TestBombHeap: a bomb ends with 1009 and badsize, and its session never has more than twice
// MaxFrameSize and 64 KiB of heap for it, whole, in fragments, cut anywhere, with and without
// takeover (BEHAVIOUR 6). What is in use at each step is what was live before it and everything
// allocated within it.
func TestBombHeap(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has allocations of its own")
	}
	const size = 1 << 20
	block := packed(strings.Repeat("\x00", size))[0] + "\x00\x00\xff\xff"
	most := strings.Repeat(block, size/len(block)) // as much of a bomb as one message can be
	if len(most) < size/2 || size/len(block) < 900 {
		t.Fatalf("the bomb has %d octets, each of them %d", len(most), size/len(block))
	}
	third := len(most) / 3
	inputs := map[string][]byte{
		"whole":      zipped(fin(wsframe.Text), most),
		"fragmented": bytes.Join([][]byte{zipped(begun(wsframe.Binary), most[:third]), masked(begun(wsframe.Continuation), most[third:2*third]), masked(fin(wsframe.Continuation), most[2*third:])}, nil),
	}
	for name, in := range inputs {
		for _, forget := range []bool{false, true} {
			for _, piece := range []int{len(in), 100_003, 16_384} {
				t.Run(fmt.Sprintf("%s/takeover_%v/pieces_of_%d", name, !forget, piece), func(t *testing.T) {
					o := &Options{MaxFrameSize: size}
					play := func() (peak int64) {
						m := compressing(o, deflate.Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15, ClientNoContextTakeover: forget})
						warm(&m)
						rest := bytes.Clone(in)
						start := live()
						for len(rest) > 0 {
							n := min(piece, len(rest))
							before := live()
							m.feed(rest[:n], false, epoch)
							m.next()
							m.settle()
							peak = max(peak, before.live-start.live+total()-before.total)
							rest = rest[n:]
						}
						if out, _ := m.output(); m.reason.Name != NameBadSize || !bytes.HasSuffix(out, []byte{0x88, 2, 1009 >> 8, 1009 & 0xff}) {
							t.Fatalf("reason %s, output ends %x", m.reason, out[max(0, len(out)-4):])
						}
						return peak
					}
					const limit = 2*size + 64<<10
					peak := play()
					for range 4 { // what other tests have left may allocate meanwhile
						if peak > limit {
							peak = play()
						}
					}
					if peak > limit {
						t.Errorf("%d octets of heap, want at most %d", peak, limit)
					}
				})
			}
		}
	}
}

// warm makes the pools' contents, which no session owns.
func warm(m *machine) {
	for range 3 {
		m.feed(zipped(fin(wsframe.Binary), packed("warm")[0]), false, epoch)
		m.next()
		m.settle()
	}
}

type heap struct{ live, total int64 }

func live() heap {
	runtime.GC()
	runtime.GC() // what pools let go of
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return heap{int64(s.HeapAlloc), int64(s.TotalAlloc)}
}

func total() int64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.TotalAlloc)
}

// TestPreparedOnce: one encoding for each level and window, whoever sends it (BEHAVIOUR 6).
func TestPreparedOnce(t *testing.T) {
	p := Prepare(TextFrame, strings.Repeat("prepared ", 100))
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			m := compressing(&Options{}, deflate.Params{ServerMaxWindowBits: []int{9, 15}[i%2], ClientMaxWindowBits: 15, ServerNoContextTakeover: i%3 == 0})
			m.apply(Commands{SendPrepared(p), SendPrepared(p), Deflate(false), SendPrepared(p)}, epoch)
		})
	}
	group.Wait()
	if len(p.made) != 2 {
		t.Errorf("%d encodings, want one each window", len(p.made))
	}
	for k, b := range p.made {
		if got := p.deflated(k.level, k.bits); &got[0] != &b[0] {
			t.Errorf("%+v was encoded again", k)
		}
	}
}

// TestIdleDeflationHoldsNothing but the window, and that only with takeover (BEHAVIOUR 3,
// Hibernate).
func TestIdleDeflationHoldsNothing(t *testing.T) {
	for _, forget := range []bool{false, true} {
		f := &fakeStream{own: true}
		s := newSession(f, HandlerFunc(echo), &Options{}, nil, &PartialRequest{}, nil)
		s.m.compress(s.m.opt, deflate.Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15, ServerNoContextTakeover: forget, ClientNoContextTakeover: forget})
		s.open()
		messages := packed(strings.Repeat("message ", 1000), strings.Repeat("another ", 1000))
		for _, p := range messages {
			if forget {
				p = packed(strings.Repeat("message ", 1000))[0]
			}
			s.data(zipped(fin(wsframe.Text), p), false)
		}
		if s.m.stats.In.Messages != 2 || s.m.ended {
			t.Fatalf("%+v %s", s.m.stats, s.m.reason)
		}
		d := s.m.deflation()
		if d.plain != nil || d.text != nil || s.m.work != nil || s.sc != nil {
			t.Errorf("an idle session holds %+v, %+v, %v", d, s.m.work, s.sc)
		}
		s.streamClosed(nil)
	}
}
