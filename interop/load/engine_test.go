package load

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/wsframe"
)

// RFC 6455, 5.2 and 5.3: the frames that are built once are frames.
func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		for _, c := range []Config{{Payloads: Text(size)}, {Payloads: Noise(size), Binary: true}, {Payloads: Documents(3, size), Compress: true}} {
			for _, m := range messages(&c) {
				h, n := wsframe.ParseHeader(m.wire)
				if n == 0 || !h.Fin || !h.Masked || h.RSV1 != c.Compress || (h.Op == wsframe.Text) == c.Binary || int(h.Length) != len(m.wire)-n {
					t.Fatalf("size %d, %+v: a frame with %+v, %d octets of it the header", size, c.Binary, h, n)
				}
				body := slices.Clone(m.wire[n:])
				for i := range body {
					body[i] ^= maskKey[i&3]
				}
				if c.Compress {
					e := &engine{cfg: &c, messages: []message{m}}
					if err := e.inflate(&socket{e: e}, body); err != nil {
						t.Errorf("size %d: compressed: %v", size, err)
					}
				} else if string(body) != string(m.plain) || len(body) != size {
					t.Errorf("size %d: the payload of the frame is another", size)
				}
			}
		}
	}
}

// An open loop charges a server that stalls with every message that it kept waiting, from the time
// it was due.
func TestOpenLoop(t *testing.T) {
	s := newScene(t, Config{Rate: 100, Messages: 100, Connections: 2})
	s.open()
	// Nothing is answered for a second, in which 100 messages become due, 10 ms after one another.
	s.step(time.Second)
	s.step(0)
	for _, l := range s.e.links {
		frame := string(s.e.messages[0].wire)
		if got := strings.Count(s.sent(l), frame); got != 50 {
			t.Errorf("%d messages were sent, want 50", got)
		}
		s.feed(l, strings.Repeat(answer(0x81, string(s.e.messages[0].plain)), 50))
	}
	s.step(0)
	if s.e.phase != resting {
		t.Fatalf("phase %d, %d in flight; errors %v", s.e.phase, s.e.inflight, s.e.errors)
	}
	h := s.e.latency
	near := func(name string, got int64, want time.Duration) {
		if d := got - int64(want); d > int64(want)/500+1 || -d > int64(want)/500+1 {
			t.Errorf("%s is %v, want %v", name, time.Duration(got), want)
		}
	}
	if h.TotalCount() != 100 {
		t.Errorf("%d latencies", h.TotalCount())
	}
	near("the longest latency", h.Max(), time.Second)
	near("the shortest", h.Min(), 10*time.Millisecond)
	near("the median", h.ValueAtPercentile(50), 500*time.Millisecond)
	near("how late the generator was at worst", s.e.lag.Max(), 990*time.Millisecond)
	s.wantErrors(nil)
}

// With a bound on what is in flight, what an open loop may not send yet counts from when it was due
// all the same.
func TestOpenLoopInFlight(t *testing.T) {
	s := newScene(t, Config{Rate: 1000, Messages: 4, InFlight: 1})
	s.open()
	s.step(10 * time.Millisecond)
	l, frame := s.e.links[0], string(s.e.messages[0].wire)
	for i := range 4 {
		if got := s.sent(l); got != frame {
			t.Fatalf("message %d: sent %d octets, want one frame of %d", i, len(got), len(frame))
		}
		s.feed(l, answer(0x81, string(s.e.messages[0].plain)))
		s.now += int64(10 * time.Millisecond)
	}
	if got, want := s.e.latency.Max(), int64(37*time.Millisecond); got < want-want/500 || got > want+want/500 {
		t.Errorf("the last waited %v, want %v", time.Duration(got), time.Duration(want))
	}
}

// A closed loop keeps its number in flight, and deals the messages out.
func TestClosedLoop(t *testing.T) {
	s := newScene(t, Config{Messages: 10, InFlight: 2, Connections: 3})
	s.open()
	total := 0
	for round := 0; s.e.phase == running; round++ {
		if round > 20 {
			t.Fatal("it does not end")
		}
		for _, l := range s.e.links {
			n := strings.Count(s.sent(l), string(s.e.messages[0].wire))
			if n > 2 || round == 0 && n != 2 {
				t.Errorf("%d messages were sent at once, want 2", n)
			}
			total += n
			s.now += int64(time.Millisecond)
			s.feed(l, strings.Repeat(answer(0x81, string(s.e.messages[0].plain)), n))
		}
		s.step(0)
	}
	if total != 10 || s.e.measured != 10 || s.e.latency.TotalCount() != 10 {
		t.Errorf("%d sent, %d measured, %d latencies; want 10", total, s.e.measured, s.e.latency.TotalCount())
	}
}

// What arrives before the warm-up is over is not measured.
func TestWarmup(t *testing.T) {
	s := newScene(t, Config{Warmup: time.Second, Duration: time.Second})
	s.open()
	for range 20 { // an answer each 100 ms
		s.sent(s.e.links[0])
		s.step(100 * time.Millisecond)
		s.feed(s.e.links[0], answer(0x81, string(s.e.messages[0].plain)))
		s.step(0)
	}
	if s.e.phase != resting || s.e.answers != 20 || s.e.measured != 10 { // the one at 1 s is in it, the one at 2 s is not
		t.Errorf("phase %d, %d answers, %d measured", s.e.phase, s.e.answers, s.e.measured)
	}
}

// Answers are checked, whatever they are cut into.
func TestAnswers(t *testing.T) {
	plain := string(Text(300)[0])
	good := answer(0x81, plain)
	for _, c := range []struct {
		name, octets string
		want         string // "": a good answer
	}{
		{"whole", good, ""},
		{"6455-5.4/fragments", answer(0x01, plain[:100]) + answer(0x00, "") + answer(0x80, plain[100:]), ""},
		{"6455-5.5.2/ping", answer(0x89, "are you there") + good, ""},
		{"6455-5.5.2/ping between fragments", answer(0x01, plain[:100]) + answer(0x89, "") + answer(0x80, plain[100:]), ""},
		{"6455-5.5.1/close", answer(0x88, "\x03\xf1bye"), `closed by the server: 1009 "bye"`},
		{"6455-5.5.1/close without a code", answer(0x88, ""), "closed by the server without a code"},
		{"shorter", answer(0x81, plain[:299]), errLength.Error()},
		{"longer", answer(0x81, plain+"."), errLength.Error()},
		{"other content", answer(0x81, strings.ToUpper(plain)), errContent.Error()},
		{"other type", answer(0x82, plain), errType.Error()},
		{"too many", good + good, errUnasked.Error()},
		{"6455-5.1/masked", "\x81\x80abcd", errMasked.Error()},
		{"6455-5.2/reserved", answer(0xc1, plain), errRSV.Error()},
		{"6455-5.2/opcode", answer(0x83, ""), "bad frame: opcode 3 (RFC 6455, 5.2)"},
		{"6455-5.4/continuation of nothing", answer(0x80, plain), errFragment.Error()},
		{"6455-5.4/text in text", answer(0x01, plain[:9]) + good, errFragment.Error()},
		{"6455-5.5/ping cut", answer(0x09, ""), errControl.Error()},
	} {
		for _, cut := range []int{1, 2, 3, 7, 1000} {
			s := newScene(t, Config{Payloads: Text(300), Messages: 1})
			s.open()
			s.sent(s.e.links[0])
			for part := range slices.Chunk([]byte(c.octets), cut) {
				s.e.links[0].feed(part, s.now)
			}
			if c.want == "" {
				s.wantErrors(nil)
				if s.e.measured != 1 {
					t.Errorf("%s, cut to %d: %d answers", c.name, cut, s.e.measured)
				}
			} else {
				s.wantErrors(map[string]int64{c.want: 1})
			}
			if strings.Contains(c.name, "ping") && c.want == "" && !strings.Contains(s.sent(s.e.links[0]), "\x8a") {
				t.Errorf("%s: no pong", c.name)
			}
		}
	}
}

// Compressed answers are compared too, with what came before them where they may refer to it (RFC
// 7692, 7.2.3).
func TestCompressedAnswers(t *testing.T) {
	c := Config{Payloads: Documents(4, 1000), Compress: true, Takeover: true}
	e := &engine{cfg: &c, messages: messages(&c)}
	if got := len(e.history(nil, 100)); got != 32<<10 {
		t.Errorf("the window has %d octets", got)
	}
	if got := string(e.history(nil, 2)); got != string(c.Payloads[0])+string(c.Payloads[1]) {
		t.Error("the window of the third message is not the first two")
	}
	for _, bad := range []struct {
		payload []byte
		want    error
	}{{compress(c.Payloads[1]), errContent}, {compress(c.Payloads[0][:999]), errLength}, {compress(append(slices.Clone(c.Payloads[0]), '.')), errLength}, {[]byte{0xff, 0xff}, errContent},
		{compress(c.Payloads[0]), nil}} {
		if err := e.inflate(&socket{e: e}, bad.payload); !errors.Is(err, bad.want) {
			t.Errorf("%v, want %v", err, bad.want)
		}
	}
}

// Broadcast: the speaker goes on when all have its message, and does not wait for those that are
// gone.
func TestBroadcast(t *testing.T) {
	s := newScene(t, Config{Mode: Broadcast, Connections: 3, Messages: 3})
	s.open()
	said := answer(0x81, string(s.e.messages[0].plain))
	speaker, frame := s.e.links[0], string(s.e.messages[0].wire)
	if got := s.sent(speaker); got != frame {
		t.Fatalf("the speaker sent %d octets", len(got))
	}
	s.feed(speaker, said)
	s.feed(s.e.links[1], said)
	if s.sent(speaker) != "" {
		t.Error("the speaker goes on before all were told")
	}
	s.feed(s.e.links[2], said)
	if s.sent(speaker) != frame {
		t.Error("the speaker does not go on")
	}
	s.feed(speaker, said)
	s.feed(s.e.links[1], said)
	s.e.links[2].linkDown(errLost)
	if s.sent(speaker) != frame {
		t.Error("the speaker waits for one that is gone")
	}
	s.feed(speaker, said)
	s.feed(s.e.links[1], said)
	s.step(0)
	if s.e.phase != resting || s.e.measured != 7 {
		t.Errorf("phase %d, %d deliveries, %d in flight", s.e.phase, s.e.measured, s.e.inflight)
	}
	s.wantErrors(map[string]int64{errLost.Error(): 1})
}

// Handshakes that open nothing have a name (RFC 6455, 4.1).
func TestHandshakes(t *testing.T) {
	for _, c := range []struct {
		cfg          Config
		answer, want string
	}{
		{Config{}, "HTTP/1.1 404 Not Found\r\n\r\n", "handshake: refused: 404 Not Found"},
		{Config{}, "HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: wrong\r\n\r\n", "handshake: wrong Sec-WebSocket-Accept (RFC 6455, 4.1)"},
		{Config{}, "SSH-2.0-OpenSSH\r\n\r\n", "handshake: no HTTP/1.1"},
		{Config{}, "HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
			"handshake: an extension that was not offered: permessage-deflate"},
		{Config{Compress: true}, "HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n", "handshake: the server does not compress"},
		{Config{Compress: true}, "HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
			"handshake: the server keeps its context, against the offer (RFC 7692, 7.1.1.1)"},
		{Config{}, strings.Repeat("x", maxHead+1), "handshake: an answer without end"},
	} {
		s := newScene(t, c.cfg)
		s.step(0)
		l := s.e.links[0]
		l.linkUp(s.now)
		s.feed(l, strings.Replace(c.answer, "ACCEPT", s.e.run.accept, 1))
		s.wantErrors(map[string]int64{c.want: 1})
	}
	s := newScene(t, Config{Timeout: time.Second})
	s.step(0)
	s.e.links[0].linkUp(s.now)
	s.step(time.Second)
	s.wantErrors(map[string]int64{errNoAnswer.Error(): 1})
	if oe, ok := errors.AsType[*OpenError](s.e.run.openError()); !ok || !oe.Timeout {
		t.Error("a handshake without an answer is no timeout")
	}
}

// Connections are opened at the pace that was asked for.
func TestConnectRate(t *testing.T) {
	s := newScene(t, Config{Connections: 10, ConnectRate: 100})
	for want := 1; want <= 10; want++ {
		s.step(0)
		if s.e.dialled != want {
			t.Errorf("%d connections, want %d", s.e.dialled, want)
		}
		s.step(10 * time.Millisecond)
	}
}

// The outbox copies what is small into one piece, and refers to what is large.
func TestOutbox(t *testing.T) {
	var o outbox
	large := []byte(strings.Repeat("L", copied))
	o.add([]byte("one "))
	o.add([]byte("two "))
	o.add(large)
	o.add([]byte("three"))
	if len(o.segs) != 3 || &o.segs[1][0] != &large[0] || string(o.segs[0]) != "one two " {
		t.Fatalf("%d segments", len(o.segs))
	}
	o.wrote(3)
	o.wrote(5 + copied)
	o.add([]byte(" four"))
	o.wrote(2)
	if len(o.segs) != 1 || string(o.segs[0]) != "ree four" || o.n != 8 {
		t.Errorf("%q is left, %d octets", o.segs, o.n)
	}
	o.add([]byte("!"))
	if string(o.segs[0]) != "ree four!" {
		t.Errorf("%q is left", o.segs)
	}
	o.wrote(9)
	if o.n != 0 || len(o.segs) != 0 {
		t.Errorf("%q is left", o.segs)
	}
}

// A run of configurations that cannot be obeyed.
func TestConfig(t *testing.T) {
	s := newScene(t, Config{})
	u := s.e.cfg.URL
	over := int64(1) << 31 // negative where an int has 32 bits
	for _, c := range []Config{{}, {URL: u, Streams: 2}, {URL: u, Connections: -1}, {URL: u, InFlight: maxInFlight + 1}, {URL: u, Connections: maxSockets + 1},
		{URL: u, Messages: 1, Duration: 1}, {URL: u, HTTP2: true, Window: int(over)}, {URL: u, Payloads: [][]byte{make([]byte, MaxSize+1)}}} {
		if _, err := c.defaults(); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
