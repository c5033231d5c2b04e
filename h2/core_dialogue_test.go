package h2

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func testConfig() coreConfig {
	return coreConfig{connect: true, maxStreams: 4, maxHeaderList: 16384, maxHeaderFields: 20, maxFrame: 16384,
		initialWindow: 65535, connWindow: 65535, idle: time.Minute, handshake: 10 * time.Second,
		decoderTable: initialTable, encoderTable: initialTable, stall: time.Minute, blockFrames: 10, unread: 64 << 10, rates: new(Config).with(new(http.Server)).core().rates}
}

// player drives a core with frames in text form and tells what came of them.
type player struct {
	c       *core
	now     time.Time
	enc     h2test.Encoder
	dec     h2test.Decoder
	cut     int    // feed in pieces of so many octets; 0: whole
	piece   []byte // of a DATA frame, so far
	streams map[uint32]*coreStream
	events  []string
	frames  []h2test.Frame
	octets  []byte
	err     error
}

func newPlayer(cfg coreConfig, cut int) *player {
	p := &player{c: newCore(cfg, false, nil, epoch), now: epoch, cut: cut, streams: map[uint32]*coreStream{}}
	p.drain()
	return p
}

// greet goes through the beginning of a connection and forgets it.
func (p *player) greet() {
	p.feed([]byte(http2.ClientPreface))
	p.send("SETTINGS")
	p.send("SETTINGS ACK")
	p.frames, p.events = nil, nil
}

func (p *player) send(line string) {
	b, err := p.enc.Append(nil, line)
	if err != nil {
		panic(err)
	}
	p.feed(b)
}

// feed gives octets to the core; each piece is poisoned when the core has said that it needs it no longer.
func (p *player) feed(b []byte) {
	n := p.cut
	if n <= 0 {
		n = len(b)
	}
	for len(b) > 0 {
		n = min(n, len(b))
		piece := bytes.Clone(b[:n])
		b = b[n:]
		p.c.feed(piece, p.now)
		p.drain()
		for i := range piece {
			piece[i] = 0xee
		}
	}
}

// drain takes all events and all output.
func (p *player) drain() {
	for {
		for ev, ok := p.c.next(); ok; ev, ok = p.c.next() {
			p.event(ev)
		}
		if !p.c.pending() {
			return
		}
		out := p.c.swap(nil, p.now)
		p.octets = append(p.octets, out...)
		fs, err := p.dec.Feed(out)
		p.frames = append(p.frames, fs...)
		if err != nil && p.err == nil {
			p.err = err
		}
	}
}

func (p *player) event(ev event) {
	var s string
	switch ev.kind {
	case evRequest:
		p.streams[ev.s.id] = ev.s
		s = strings.TrimSpace(fmt.Sprintf("request %d %s %s", ev.s.id, ev.req.method, ev.req.path))
		if ev.req.tooBig {
			s = fmt.Sprintf("request %d toobig", ev.s.id)
		}
		if ev.req.protocol != "" {
			s += " protocol=" + ev.req.protocol
		}
	case evData:
		p.piece = append(p.piece, ev.data...)
		if p.c.data.left > 0 && ev.s.state != stateClosed {
			return // pieces of one frame are one event, however the frame was cut
		}
		s = fmt.Sprintf("data %d %q", ev.s.id, p.piece)
		if len(p.piece) > 64 {
			s = fmt.Sprintf("data %d LEN=%d", ev.s.id, len(p.piece))
		}
		p.piece = p.piece[:0]
	case evTrailers:
		s = fmt.Sprintf("trailers %d", ev.s.id)
		for _, f := range ev.tail {
			s += " " + f.Name + "=" + f.Value
		}
	case evDrained:
		s = fmt.Sprintf("drained %d", ev.s.id)
	case evClosed:
		s = fmt.Sprintf("closed %d", ev.s.id)
		switch e := ev.err.(type) {
		case *StreamError:
			s += " " + e.Code.String()
			if e.Remote {
				s += " remote"
			}
		case *ConnError:
			s += " connection " + e.Code.String()
		}
	case evGoAway:
		s = "goaway"
		if e, ok := ev.err.(*ConnError); ok {
			s += " " + e.Code.String()
		}
	case evResponse:
		s = fmt.Sprintf("response %d %d", ev.s.id, ev.status)
		for _, f := range ev.tail {
			s += " " + f.Name + "=" + f.Value
		}
	case evSettings:
		s = "settings"
	}
	if ev.fin {
		s += " fin"
	}
	p.events = append(p.events, s)
}

// do is what a user of the core does: "answer 1 200 [name=value ...] [fin]", "send 1 text [fin]", "send 1 LEN=n", "trailers 1 a=b", "release 1 n",
// "grow 1 n", "reset 1 n", "finish 1", "goaway", "wait 10s", "write"; "later send 1 text" and the like: nothing is written yet.
func (p *player) do(line string) error {
	w, err := h2test.Words(line)
	if err != nil {
		return err
	}
	later := w[0] == "later"
	if later {
		w = w[1:]
	}
	fin := w[len(w)-1] == "fin"
	var s *coreStream
	var n int
	if len(w) > 1 {
		id, _ := strconv.Atoi(w[1]) // not every action has a stream
		s = p.streams[uint32(id)]
	}
	if len(w) > 2 {
		n, _ = strconv.Atoi(w[2]) // not every action has a number
	}
	switch w[0] {
	case "answer":
		fields := []hpack.HeaderField{statusField(n)}
		for _, f := range w[3:] {
			if k, v, ok := strings.Cut(f, "="); ok {
				fields = append(fields, hpack.HeaderField{Name: k, Value: v})
			}
		}
		err = p.c.answer(s, fields, fin, false)
	case "open":
		err = p.c.answer(s, []hpack.HeaderField{statusField(200)}, false, true)
	case "send":
		b := []byte(w[2])
		if l, ok := strings.CutPrefix(w[2], "LEN="); ok {
			k, _ := strconv.Atoi(l)
			b = bytes.Repeat([]byte{'x'}, k)
		} else if w[2] == "-" {
			b = nil
		}
		_, err = p.c.send(s, [][]byte{b}, fin)
	case "trailers":
		k, v, _ := strings.Cut(w[2], "=")
		err = p.c.finTrailers(s, []hpack.HeaderField{{Name: k, Value: v}})
	case "release":
		p.c.release(s, n)
	case "grow":
		p.c.grow(s, n)
	case "reset":
		p.c.reset(s, Code(n))
	case "finish":
		p.c.finish(s)
	case "goaway":
		p.c.goAway(p.now)
	case "wait":
		d, derr := time.ParseDuration(w[1])
		if derr != nil {
			return derr
		}
		for end := p.now.Add(d); ; {
			at := p.c.deadline()
			if at.IsZero() || at.After(end) {
				p.now = end
				break
			}
			p.now = at
			p.c.tick(at)
			p.drain()
			if !p.c.deadline().After(at) && !p.c.deadline().IsZero() {
				return fmt.Errorf("the deadline did not move on from %v", at)
			}
		}
		p.c.tick(p.now)
	case "write":
	case "connect":
		s := p.c.connect(fieldsOf(strings.Join(w[1:], "|")), p.now)
		p.streams[s.id] = s
	case "hush":
		p.c.hush(s)
	case "leave":
		p.c.leaveNow()
	case "abandon":
		p.c.abandon(p.now, net.ErrClosed)
	default:
		return fmt.Errorf("unknown action %q", line)
	}
	if !later {
		p.drain()
	}
	return err
}

// TestDialogues plays the dialogues of testdata/h2, whole and cut into pieces. Lines are
//
//	== section, what it shows; begins a connection that has got over its SETTINGS
//	== raw section, what it shows; begins before the preface; PREFACE sends it
//	CONFIG no-connect | initial-window=n | decoder-table=n    ours is other than testConfig
//	> a frame of the client      < the next frame of the server, at least its beginning
//	E: the next event            <= the next frame of the server, all of it
//	A: what the user does        < -  no frame has been left
//	over     the connection is to be closed
//
// The first of all is the example of RFC 8441, 5.1.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("../testdata/h2/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogues", err)
	}
	count := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split("\n"+string(b), "\n== ")[1:] {
			title, body, _ := strings.Cut(part, "\n")
			title, raw := strings.TrimPrefix(title, "raw "), strings.HasPrefix(title, "raw ")
			if count++; !sectioned.MatchString(title) {
				t.Errorf("%s: %q names no section", f, title)
			}
			if count == 1 && !strings.HasPrefix(title, "8441-5.1,") {
				t.Errorf("the first is %q", title)
			}
			for _, cut := range []int{0, 1, 7} {
				t.Run(fmt.Sprintf("%s/%d_%s/cut%d", strings.TrimSuffix(filepath.Base(f), ".txt"), i, title, cut), func(t *testing.T) {
					playDialogue(t, body, raw, cut)
				})
			}
		}
	}
	if count < 60 {
		t.Errorf("only %d dialogues", count)
	}
}

// sectioned is a title that begins with the number of an RFC and a section of it.
var sectioned = regexp.MustCompile(`^\d{4}-\d+(\.\d+)*, \S`)

// dialogueConfig is testConfig, but for what a dialogue's CONFIG line says.
func dialogueConfig(t *testing.T, body string) coreConfig {
	cfg := testConfig()
	for _, line := range strings.Split(body, "\n") {
		set, ok := strings.CutPrefix(line, "CONFIG ")
		if !ok {
			continue
		}
		k, v, _ := strings.Cut(set, "=")
		n, err := strconv.Atoi(v)
		switch {
		case k == "no-connect":
			cfg.connect = false
		case k == "initial-window" && err == nil:
			cfg.initialWindow = n
		case k == "decoder-table" && err == nil:
			cfg.decoderTable = n
		default:
			t.Fatalf("cannot read %q", line)
		}
	}
	return cfg
}

func playDialogue(t *testing.T, body string, raw bool, cut int) {
	p := newPlayer(dialogueConfig(t, body), cut)
	if !raw {
		p.greet()
	}
	for n, line := range strings.Split(body, "\n") {
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || line[0] == '#' || strings.HasPrefix(line, "CONFIG "):
		case line == "PREFACE":
			p.feed([]byte(http2.ClientPreface))
		case kind == "OCTETS:":
			p.feed([]byte(rest))
		case line == "over":
			if !p.c.over() {
				t.Fatalf("line %d: the connection is not over", n+1)
			}
		case kind == ">":
			p.send(rest)
		case kind == "A:":
			if err := p.do(rest); err != nil {
				t.Fatalf("line %d: %s: %v", n+1, line, err)
			}
		case line == "< -":
			if len(p.frames) > 0 {
				t.Fatalf("line %d: unexpected %v", n+1, p.frames[0])
			}
		case kind == "<", kind == "<=":
			if len(p.frames) == 0 {
				t.Fatalf("line %d: no frame, want %s; events %q", n+1, rest, p.events)
			}
			if kind == "<=" && p.frames[0].String() != rest || !p.frames[0].Matches(rest) {
				t.Fatalf("line %d:\n got %v\nwant %s", n+1, p.frames[0], rest)
			}
			p.frames = p.frames[1:]
		case kind == "E:":
			if len(p.events) == 0 || p.events[0] != rest {
				t.Fatalf("line %d: events %q, want %q; frames %v", n+1, p.events, rest, p.frames)
			}
			p.events = p.events[1:]
		default:
			t.Fatalf("line %d: cannot read %q", n+1, line)
		}
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	if len(p.frames) > 0 || len(p.events) > 0 {
		t.Errorf("left over: %v, %q", p.frames, p.events)
	}
}
