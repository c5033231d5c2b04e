package load

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// serverFrames are frames of a server, in the text form of h2test.
func serverFrames(t *testing.T, lines ...string) string {
	t.Helper()
	var enc h2test.Encoder
	var b []byte
	for _, l := range lines {
		var err error
		if b, err = enc.Append(b, l); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// data is a DATA frame.
func data(stream uint32, payload string) string {
	return string(h2test.AppendFrame(nil, http2.FrameData, 0, stream, []byte(payload)))
}

// frames parses what the client wrote.
func frames(t *testing.T, octets string) []http2.Frame {
	t.Helper()
	octets = strings.TrimPrefix(octets, http2.ClientPreface)
	var all []http2.Frame
	for r := bytes.NewReader([]byte(octets)); r.Len() > 0; {
		f, err := http2.NewFramer(nil, r).ReadFrame()
		if err != nil {
			t.Fatalf("%v after %d frames", err, len(all))
		}
		all = append(all, f)
	}
	return all
}

const serverSettings = "\x00\x00\x0c\x04\x00\x00\x00\x00\x00" + "\x00\x08\x00\x00\x00\x01" + "\x00\x04\x00\x01\x00\x00"

// status200 is a header block with :status 200, the eighth of the static table (RFC 7541, A).
func status200(stream uint32) string {
	return string(h2test.AppendFrame(nil, http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream, []byte{0x88}))
}

// openH2 opens all WebSockets of a scene over HTTP/2.
func (s *scene) openH2() {
	s.t.Helper()
	s.step(0)
	for _, l := range s.e.links {
		l.linkUp(s.now)
		if got := s.sent(l); !strings.HasPrefix(got, http2.ClientPreface) {
			s.t.Fatalf("the preface is %q", got)
		}
		s.feed(l, serverSettings)
		asked := 0
		dec := hpack.NewDecoder(4096, nil)
		for _, f := range frames(s.t, s.sent(l)) {
			h, ok := f.(*http2.HeadersFrame)
			if !ok {
				continue
			}
			fields, err := dec.DecodeFull(h.HeaderBlockFragment())
			if err != nil || fields[0].Value != "CONNECT" || fields[1] != (hpack.HeaderField{Name: ":protocol", Value: "websocket"}) {
				s.t.Fatalf("asked with %v, %v", fields, err)
			}
			asked++
			s.feed(l, status200(h.StreamID))
		}
		if asked != len(l.sockets) {
			s.t.Fatalf("%d streams were opened, want %d", asked, len(l.sockets))
		}
	}
	s.begin()
}

// What many streams have to say leaves together, a DATA frame each, and is built before.
func TestH2Batch(t *testing.T) {
	s := newScene(t, Config{HTTP2: true, Streams: 20, Duration: time.Second})
	s.openH2()
	l := s.e.links[0]
	s.sent(l)
	var all strings.Builder
	for i := range 20 {
		all.WriteString(data(uint32(2*i+1), answer(0x81, string(s.e.messages[0].plain))))
	}
	s.feed(l, all.String())
	l.pump()
	if len(l.out.segs) != 1 {
		t.Errorf("the messages of 20 streams are in %d pieces, want 1", len(l.out.segs))
	}
	var streams []uint32
	for _, f := range frames(t, s.sent(l)) {
		d, ok := f.(*http2.DataFrame)
		if !ok || string(d.Data()) != string(s.e.messages[0].wire) {
			t.Fatalf("%v among them", f)
		}
		streams = append(streams, d.StreamID)
	}
	if slices.Sort(streams); len(slices.Compact(streams)) != 20 {
		t.Errorf("streams %v", streams)
	}
}

// RFC 9113, 6.9: credit goes back once half a window is used, not frame by frame; and nothing of it is lost.
func TestH2Credit(t *testing.T) {
	const window = 100_000
	s := newScene(t, Config{HTTP2: true, Streams: 2, Duration: time.Second, Window: window, Payloads: Text(1000)})
	s.openH2()
	l := s.e.links[0]
	s.feed(l, serverFrames(t, "WINDOW_UPDATE 0 100000000", "WINDOW_UPDATE 1 100000000")) // it is not what holds us back
	var charged, given, updates int
	for range 1000 {
		octets := answer(0x81, string(s.e.messages[0].plain))
		charged += len(octets)
		s.sent(l)
		s.feed(l, data(1, octets))
		for _, f := range frames(t, s.sent(l)) {
			if w, ok := f.(*http2.WindowUpdateFrame); ok && w.StreamID == 1 {
				updates++
				given += int(w.Increment)
			} else if ok {
				t.Errorf("WINDOW_UPDATE of stream %d after %d octets", w.StreamID, charged)
			}
		}
		if charged-given > window {
			t.Fatalf("%d octets are outstanding", charged-given)
		}
	}
	if want := charged / (window / 2); updates > want || updates < want-2 {
		t.Errorf("%d WINDOW_UPDATE frames for %d octets, want %d", updates, charged, want)
	}
	s.wantErrors(nil)
}

// RFC 9113, 6.9.2: a message waits for the server's windows, and goes on where it stopped.
func TestH2Windows(t *testing.T) {
	s := newScene(t, Config{HTTP2: true, Duration: time.Second, Payloads: Text(200_000)})
	s.openH2() // the server's SETTINGS give a stream 65 536 octets, and the connection has 65 535
	l, whole := s.e.links[0], ""
	take := func() {
		for _, f := range frames(t, s.sent(l)) {
			d := f.(*http2.DataFrame)
			if len(d.Data()) > 16384 {
				t.Errorf("a frame of %d octets (RFC 9113, 4.2)", len(d.Data()))
			}
			whole += string(d.Data())
		}
	}
	take()
	if len(whole) != 65535 {
		t.Errorf("%d octets were sent, want the connection's window", len(whole))
	}
	s.feed(l, serverFrames(t, "WINDOW_UPDATE 0 1000000"))
	take()
	if len(whole) != 65536 {
		t.Errorf("%d octets were sent, want the stream's window", len(whole))
	}
	s.feed(l, serverFrames(t, "WINDOW_UPDATE 1 1000000"))
	take()
	if whole != string(s.e.messages[0].wire) {
		t.Errorf("%d octets were sent, want the frame of %d", len(whole), len(s.e.messages[0].wire))
	}
}

// A stream that reads slowly gets its credit by the kibibyte, and the connection's at once.
func TestH2Slow(t *testing.T) {
	s := newScene(t, Config{HTTP2: true, SlowReaders: 1, Duration: time.Hour})
	s.openH2()
	l := s.e.links[0]
	if !l.hasSlow || len(s.e.slow) != 1 || !s.e.sockets[1].slow {
		t.Fatal("no stream is slow")
	}
	s.sent(l)
	octets := strings.Repeat(answer(0x81, string(s.e.messages[0].plain)), 500)
	s.feed(l, data(s.e.sockets[1].h2.id, octets))
	s.sent(l)
	l.h2.trickle(1 << 10)
	got := frames(t, s.sent(l))
	if w, ok := got[0].(*http2.WindowUpdateFrame); !ok || w.StreamID != 3 || w.Increment != 1<<10 {
		t.Errorf("%v, want 1 KiB of credit for stream 3", got[0])
	}
}

// What a server does to streams and connections is counted by its name, and hits no others.
func TestH2Ends(t *testing.T) {
	reset := func(code string) string { return "RST_STREAM 1 " + code }
	for _, c := range []struct {
		name, frames string
		want         map[string]int64
	}{
		{"9113-6.4/reset", serverFrames(t, reset("REFUSED_STREAM")), map[string]int64{"stream reset by the server: REFUSED_STREAM": 1}},
		{"9113-8.1/end", string(h2test.AppendFrame(nil, http2.FrameData, http2.FlagDataEndStream, 1, nil)), map[string]int64{errStreamEnd.Error(): 1}},
		{"6455-5.5.1/close", data(1, answer(0x88, "\x03\xe9")), map[string]int64{"closed by the server: 1001": 1}},
		{"9113-6.8/goaway", "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x01" + "\x00\x00\x00\x0b", map[string]int64{"connection ended by the server: GOAWAY ENHANCE_YOUR_CALM": 1}},
		{"9113-6.1/padding", "\x00\x00\x16\x00\x08\x00\x00\x00\x01" + "\x03" + answer(0x81, string(Text(16)[0])) + "\x00\x00\x00", nil},
		{"9113-6.7/ping", "\x00\x00\x08\x06\x00\x00\x00\x00\x00" + "12345678", nil},
		{"9113-4.1/unknown type", "\x00\x00\x02\x77\x00\x00\x00\x00\x01" + "ab", nil},
		{"9113-4.2/too long", "\x00\x40\x01\x00\x00\x00\x00\x00\x01", map[string]int64{"HTTP/2: frame of type 0 and 16385 octets (RFC 9113, 4.2)": 2}},
	} {
		for _, cut := range []int{1, 4, 9, 1000} {
			s := newScene(t, Config{HTTP2: true, Streams: 2, Duration: time.Second})
			s.openH2()
			s.sent(s.e.links[0])
			for part := range slices.Chunk([]byte(c.frames), cut) {
				s.e.links[0].feed(part, s.now)
			}
			if s.wantErrors(c.want); t.Failed() {
				t.Fatalf("%s, cut to %d", c.name, cut)
			}
			if c.name == "9113-6.7/ping" && !strings.Contains(s.sent(s.e.links[0]), "\x06\x01\x00\x00\x00\x0012345678") {
				t.Error("no answer to a ping")
			}
			if c.name == "9113-6.1/padding" && s.e.answers != 1 {
				t.Error("an answer in padded DATA is not seen")
			}
		}
	}
}

// RFC 8441, 3: without the setting nothing is asked.
func TestH2NoConnect(t *testing.T) {
	s := newScene(t, Config{HTTP2: true, Header: header("X-One", "1")})
	s.step(0)
	l := s.e.links[0]
	l.linkUp(s.now)
	s.sent(l)
	s.feed(l, "\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	s.wantErrors(map[string]int64{errNoConnect.Error(): 1})
}
