package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/wsframe"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// masked encodes a frame as a client sends it.
func masked(h wsframe.Header, payload string) []byte {
	h.Masked, h.Key = true, [4]byte{1, 2, 3, 4}
	return wsframe.AppendFrame(nil, h, []byte(payload))
}

func fin(op wsframe.Opcode) wsframe.Header   { return wsframe.Header{Fin: true, Op: op} }
func begun(op wsframe.Opcode) wsframe.Header { return wsframe.Header{Op: op} }

func closePayload(code CloseCode, text string) string {
	return string(wsframe.AppendClose(nil, wsframe.CloseCode(code), text))
}

// transcript runs octets, cut as pieces, through a machine whose handler echoes, and closes at
// "bye". It tells what happened.
func transcript(o *Options, pieces [][]byte, end bool) string {
	m := newMachine(o, epoch)
	return tell(&m, pieces, end)
}

// tell is transcript for a machine that is there.
func tell(m *machine, pieces [][]byte, end bool) string {
	var b strings.Builder
	eat := func() {
		for {
			f, ok := m.next()
			if !ok {
				break
			}
			fmt.Fprintf(&b, "%s %x\n", f.Type, f.Payload)
			switch {
			case string(f.Payload) == "bye":
				m.apply(Commands{Close(1000, "")}, epoch)
			case f.IsData():
				m.apply(Commands{f.Reply()}, epoch)
			}
		}
		m.settle()
	}
	for _, p := range pieces {
		m.feed(bytes.Clone(p), false, epoch)
		eat()
	}
	if end {
		m.feed(nil, true, epoch)
		eat()
	}
	out, half := m.output()
	fmt.Fprintf(&b, "ended %v %s %d %q fin %v consumed %d\nout %x", m.ended, m.reason, m.reason.Code, m.reason.Text, half, m.takeConsumed(), out)
	return b.String()
}

// inputs are octets a peer may send, good and bad; FuzzMachine starts from them.
func inputs() map[string][]byte {
	join := func(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
	text := func(s string) []byte { return masked(fin(wsframe.Text), s) }
	return map[string][]byte{
		"6455-5.6/text":                 text("hello"),
		"6455-5.6/empty":                text(""),
		"6455-5.6/binary_126":           masked(fin(wsframe.Binary), strings.Repeat("b", 126)),
		"6455-5.4/fragments":            join(masked(begun(wsframe.Text), "Gr\xc3"), masked(begun(wsframe.Continuation), "\xbc\xc3\x9f"), masked(fin(wsframe.Continuation), "e")),
		"6455-5.4/ping_between":         join(masked(begun(wsframe.Text), "a"), masked(fin(wsframe.Ping), "p"), masked(fin(wsframe.Continuation), "b")),
		"6455-5.5.1/close_between":      join(masked(begun(wsframe.Text), "a"), masked(fin(wsframe.Close), ""), masked(fin(wsframe.Continuation), "b")),
		"6455-5.5.1/close_code_text":    join(text("x"), masked(fin(wsframe.Close), closePayload(4001, "bye")), text("y")),
		"6455-5.5.1/close_one_octet":    join(text("x"), masked(fin(wsframe.Close), "a")),
		"6455-5.5.1/close_bad_utf8":     masked(fin(wsframe.Close), closePayload(1000, "ok\xff")),
		"6455-7.4.1/close_1005":         masked(fin(wsframe.Close), closePayload(1005, "")),
		"6455-8.1/bad_utf8_in_2nd":      join(masked(begun(wsframe.Text), "ok"), masked(fin(wsframe.Continuation), "\xed\xa0\x80")),
		"6455-8.1/ends_in_character":    text("\xe2\x82"),
		"6455-5.5/long_ping":            masked(fin(wsframe.Ping), strings.Repeat("p", 126)),
		"6455-5.1/unmasked":             join(text("x"), wsframe.AppendFrame(nil, fin(wsframe.Text), []byte("y"))),
		"6455-5.2/rsv2":                 join(text("x"), masked(wsframe.Header{Fin: true, RSV2: true, Op: wsframe.Text}, "y")),
		"6455-5.2/opcode_3":             join(text("x"), masked(fin(3), "y")),
		"6455-5.4/lone_continuation":    join(text("x"), masked(fin(wsframe.Continuation), "y")),
		"6455-5.4/text_inside":          join(masked(begun(wsframe.Text), "x"), text("y")),
		"6455-10.4/over_max_frame_size": join(text("x"), masked(fin(wsframe.Text), strings.Repeat("x", 301))),
		"6455-7.1.1/closed_first":       join(text("bye"), text("\xff"), masked(begun(wsframe.Text), strings.Repeat("x", 301)), masked(fin(wsframe.Close), "")),
		"6455-7.1.1/bad_behind_close":   join(text("bye"), text("x"), []byte{0xff, 0xff}, text("y")),
		"6455-7.1.1/mute_behind_close":  join(text("bye"), text("x"), masked(fin(wsframe.Close), "")[:5]),
		"6455-10.4/over_in_fragments":   join(masked(begun(wsframe.Text), strings.Repeat("x", 200)), masked(fin(wsframe.Continuation), strings.Repeat("x", 101))),
	}
}

func TestMachineCutAnywhere(t *testing.T) {
	o := &Options{MaxFrameSize: 300}
	for name, in := range inputs() {
		t.Run(name, func(t *testing.T) {
			for _, end := range []bool{false, true} {
				want := transcript(o, [][]byte{in}, end)
				var octets [][]byte
				for i := range in {
					octets = append(octets, in[i:i+1])
					if got := transcript(o, [][]byte{in[:i], in[i:]}, end); got != want {
						t.Fatalf("cut at %d:\n%s\nwhole:\n%s", i, got, want)
					}
				}
				if got := transcript(o, octets, end); got != want {
					t.Fatalf("octet by octet:\n%s\nwhole:\n%s", got, want)
				}
			}
		})
	}
}

func FuzzMachine(f *testing.F) {
	for _, in := range inputs() {
		f.Add(in, uint16(3), uint16(7))
	}
	o := &Options{MaxFrameSize: 300}
	f.Fuzz(func(t *testing.T, in []byte, i, j uint16) {
		a := int(i) % (len(in) + 1)
		b := a + int(j)%(len(in)-a+1)
		want := transcript(o, [][]byte{in}, true)
		if got := transcript(o, [][]byte{in[:a], in[a:b], in[b:]}, true); got != want {
			t.Fatalf("cut at %d and %d:\n%s\nwhole:\n%s", a, b, got, want)
		}
	})
}

func TestMachineReasons(t *testing.T) {
	want := map[string]string{
		"6455-7.1.1/closed_first":       "stop",
		"6455-7.1.1/bad_behind_close":   "stop",
		"6455-7.1.1/mute_behind_close":  "stop",
		"6455-5.5.1/close_between":      "remote",
		"6455-5.5.1/close_code_text":    "remote",
		"6455-5.5.1/close_one_octet":    "error:badframe",
		"6455-5.5.1/close_bad_utf8":     "error:badencoding",
		"6455-7.4.1/close_1005":         "error:badframe",
		"6455-8.1/bad_utf8_in_2nd":      "error:badencoding",
		"6455-8.1/ends_in_character":    "error:badencoding",
		"6455-5.5/long_ping":            "error:badframe",
		"6455-5.1/unmasked":             "error:badframe",
		"6455-5.2/rsv2":                 "error:badframe",
		"6455-5.2/opcode_3":             "error:badframe",
		"6455-5.4/lone_continuation":    "error:badframe",
		"6455-5.4/text_inside":          "error:badframe",
		"6455-10.4/over_max_frame_size": "error:badsize",
		"6455-10.4/over_in_fragments":   "error:badsize",
	}
	for name, in := range inputs() {
		reason := want[name]
		if reason == "" {
			reason = "error:closed" // the input ends without a close frame
		}
		if got := transcript(&Options{MaxFrameSize: 300}, [][]byte{in}, true); !strings.Contains(got, "ended true "+reason+" ") {
			t.Errorf("%s: want %s:\n%s", name, reason, got)
		}
	}
}

// TestFailFastUTF8: the first bad octet ends it, before its frame is whole (BEHAVIOUR 5; RFC 6455,
// 8.1).
func TestFailFastUTF8(t *testing.T) {
	m := newMachine(&Options{}, epoch)
	in := masked(fin(wsframe.Text), "ok\xf4\x90 and much more")
	m.feed(in[:6+3], false, epoch)
	if m.next(); m.ended {
		t.Fatal("ended before the bad octet")
	}
	m.feed(in[6+3:6+4], false, epoch)
	if m.next(); !m.ended || m.reason.String() != "error:badencoding" {
		t.Fatalf("the bad octet did not end it: %v %s", m.ended, m.reason)
	}
}

func TestApplyRefusesWhatCannotBeSent(t *testing.T) {
	long := strings.Repeat("x", 126)
	for name, c := range map[string]Command{
		"ping_126":           Ping(long),
		"pong_126":           Pong(long),
		"close_999":          Close(999, ""),
		"close_1004":         Close(1004, ""),
		"close_1005":         Close(1005, ""),
		"close_1006":         Close(1006, ""),
		"close_1015":         Close(1015, ""),
		"close_2999":         Close(2999, ""),
		"close_5000":         Close(5000, ""),
		"close_text_124":     Close(1000, long[:124]),
		"close_text_no_utf8": Close(1000, "\xff"),
		"close_text_no_code": Close(0, "x"),
	} {
		m := newMachine(&Options{}, epoch)
		m.one().shutdown = new(any("never told on a crash"))
		m.apply(Commands{Text("not sent"), c}, epoch)
		out, half := m.output()
		if want := wsframe.AppendFrame(nil, fin(wsframe.Close), []byte(closePayload(1011, ""))); !bytes.Equal(out, want) || half {
			t.Errorf("%s: out %x fin %v, want only close 1011", name, out, half)
		}
		if m.reason.String() != "crash:error" || m.reason.Shutdown != nil {
			t.Errorf("%s: reason %s, shutdown %v", name, m.reason, m.reason.Shutdown)
		}
		var fe *wsframe.Error
		if err, _ := m.reason.Value.(error); !errors.As(err, &fe) {
			t.Errorf("%s: crash value %v is no *wsframe.Error", name, m.reason.Value)
		}
	}
}

func TestBorrowedPayloadIsCopied(t *testing.T) {
	m := newMachine(&Options{}, epoch)
	p := []byte("hello")
	m.apply(Commands{Text(p)}, epoch)
	copy(p, "XXXXX")
	if out, _ := m.output(); !bytes.Equal(out, wsframe.AppendFrame(nil, fin(wsframe.Text), []byte("hello"))) {
		t.Fatalf("out %x", out)
	}
}

func TestClock(t *testing.T) {
	after := func(d time.Duration) time.Time { return epoch.Add(d) }
	t.Run("idle", func(t *testing.T) {
		m := newMachine(&Options{IdleTimeout: time.Second}, epoch)
		m.tick(after(999 * time.Millisecond)) // early
		if m.ended || !m.deadline().Equal(after(time.Second)) {
			t.Fatal("early tick counted")
		}
		m.feed(nil, false, after(900*time.Millisecond)) // an empty DATA frame restarts it
		m.tick(after(time.Second))
		if m.ended {
			t.Fatal("the timer did not restart")
		}
		m.tick(after(1900 * time.Millisecond))
		if m.reason.Kind != ReasonTimeout {
			t.Fatal(m.reason)
		}
		m.tick(after(2 * time.Second)) // twice
		out, half := m.output()
		if want := wsframe.AppendFrame(nil, fin(wsframe.Close), []byte(closePayload(1000, ""))); !bytes.Equal(out, want) || half {
			t.Fatalf("out %x fin %v", out, half)
		}
	})
	t.Run("ping", func(t *testing.T) {
		m := newMachine(&Options{IdleTimeout: -1, PingInterval: time.Second}, epoch)
		m.tick(after(time.Second))
		m.tick(after(time.Second))
		out, _ := m.output()
		if !bytes.Equal(out, []byte{0x89, 0}) {
			t.Fatalf("out %x, want one ping", out)
		}
		m.sent(0, after(time.Second))
		if !m.deadline().Equal(after(2 * time.Second)) {
			t.Fatal(m.deadline())
		}
	})
	t.Run("send", func(t *testing.T) {
		m := newMachine(&Options{IdleTimeout: -1, SendTimeout: time.Second}, epoch)
		m.apply(Commands{Text(strings.Repeat("x", 100))}, epoch)
		m.sent(50, epoch)
		m.apply(Commands{Text(strings.Repeat("x", 98))}, epoch)
		m.sent(140, after(500*time.Millisecond)) // 100 more were queued, ten of the old ones left
		m.sent(140, after(1100*time.Millisecond))
		m.tick(after(1499 * time.Millisecond))
		if m.ended {
			t.Fatal("progress did not count")
		}
		m.tick(after(1500 * time.Millisecond))
		if m.reason.String() != "error:timeout" || m.fate != fateCut {
			t.Fatal(m.reason)
		}
	})
	t.Run("linger", func(t *testing.T) {
		m := newMachine(&Options{}, epoch)
		m.apply(Commands{Close(0, "")}, epoch)
		if !m.deadline().IsZero() {
			t.Fatal("lingers before its end was handed over")
		}
		m.sent(0, epoch)
		m.tick(after(time.Second)) // our end leaves
		m.sent(0, after(time.Second))
		if !m.deadline().Equal(after(5 * time.Second)) {
			t.Fatal(m.deadline())
		}
		m.tick(after(5 * time.Second))
		if m.fate != fateQuiet {
			t.Fatal("no quiet reset")
		}
	})
}

// TestBuffersGrowWithWhatArrives, never with what a header announces (BEHAVIOUR 5; RFC 6455, 10.4).
func TestBuffersGrowWithWhatArrives(t *testing.T) {
	m := newMachine(&Options{MaxFrameSize: 1 << 40}, epoch)
	whole := masked(fin(wsframe.Binary), strings.Repeat("x", 1<<20))
	m.feed(bytes.Clone(whole[:1000]), false, epoch)
	m.next()
	m.settle()
	if n := cap(m.input.msg.octets()); n > 2000 {
		t.Fatalf("%d octets of buffer for 1000 that arrived", n)
	}
}

// TestIdleMachineHoldsNothing: between turns no buffer is held (DESIGN: nothing held by the idle).
func TestIdleMachineHoldsNothing(t *testing.T) {
	m := newMachine(&Options{}, epoch)
	for _, in := range inputs() {
		m := m
		m.feed(bytes.Clone(in), false, epoch)
		for {
			if _, ok := m.next(); !ok {
				break
			}
		}
		m.settle()
		if m.input.rd.Idle() && (m.input.rest != nil || m.input.held != nil || m.input.msg != nil || m.input.ctl != nil) {
			t.Fatalf("%+v", m.input)
		}
	}
}
