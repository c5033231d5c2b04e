package h2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// rawPeer is a client that says the same requests in frames of random shape: padding, CONTINUATION
// at random places, frames and octets cut anywhere, windows opened in pieces, settings changed
// midway. It keeps the books of flow control, and holds the server to them.
type rawPeer struct {
	run *trafficRun
	nc  net.Conn

	mu      sync.Mutex
	changed sync.Cond
	rand    *rand.Rand
	cut     int // octets of a piece that is written at once, at most; 0: all
	out     []byte
	writing bool
	hbuf    bytes.Buffer
	henc    *hpack.Encoder
	hdec    *hpack.Decoder
	last    uint32
	streams map[uint32]*rawStream
	err     error

	window, initial int // what the server lets us send: on the connection, and on a new stream
	target          int // of the connection's window, as far as we know it
	announced       bool

	credit    int // what we let the server send on the connection
	due       int // consumed and not given back
	mine      int // our SETTINGS_INITIAL_WINDOW_SIZE, as the server has acknowledged it
	maxFrame  int
	settings  [][]http2.Setting // sent and not acknowledged
	pings     map[[8]byte]bool
	pinged    uint64
	breach    string
	goAway    string
	greetings int // SETTINGS of the server
}

type rawStream struct {
	p   *rawPeer
	s   *trafficScript
	rec *trafficRecord
	id  uint32

	rand *rand.Rand // how the body is cut: the same for both servers

	window    int // what we may send
	credit    int // what the server may send
	unread    int // received, and no credit given back
	eager     bool
	body      tally
	status    string
	fin       bool // the server's END_STREAM
	finSent   bool
	continues bool   // 100 has come, or we do not wait any longer
	reset     string // RST_STREAM of the server
	given     bool   // we have reset it
}

// newRawPeer greets the server.
func newRawPeer(run *trafficRun, nc net.Conn, r *rand.Rand) *rawPeer {
	p := &rawPeer{run: run, nc: nc, rand: r, streams: map[uint32]*rawStream{}, window: 65535,
		target: 65535, initial: 65535, credit: 65535, mine: 65535, maxFrame: 16384,
		pings: map[[8]byte]bool{}}
	p.changed.L = &p.mu
	p.henc = hpack.NewEncoder(&p.hbuf)
	p.hdec = hpack.NewDecoder(4096, nil)
	p.cut = []int{0, 0, 0, 1, 9, 100, 5000}[r.IntN(7)]
	p.mu.Lock()
	p.write([]byte(http2.ClientPreface))
	p.set(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize,
		Val: uint32(run.answerWindow)})
	p.grant(0, 1<<24)
	p.mu.Unlock()
	go p.reads() // ends with the connection
	return p
}

// set sends SETTINGS. What lets the server send more counts at once, what lets it send less from
// its ACK on (RFC 9113, 6.5.3); mu is held.
func (p *rawPeer) set(ss ...http2.Setting) {
	b := []byte{}
	for _, s := range ss {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Val)
		if s.ID == http2.SettingInitialWindowSize && int(s.Val) > p.mine {
			p.shift(int(s.Val))
		}
		if s.ID == http2.SettingHeaderTableSize {
			p.hdec.SetAllowedMaxDynamicTableSize(max(4096, s.Val))
		}
		if s.ID == http2.SettingMaxFrameSize {
			p.maxFrame = max(p.maxFrame, int(s.Val))
		}
	}
	p.settings = append(p.settings, ss)
	p.frame(http2.FrameSettings, 0, 0, b)
}

func (p *rawPeer) shift(to int) {
	for _, s := range p.streams {
		s.credit += to - p.mine
	}
	p.mine = to
}

func (p *rawPeer) acked() {
	if len(p.settings) == 0 {
		p.breaks("an ACK of SETTINGS that were not sent")
		return
	}
	for _, s := range p.settings[0] {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			p.shift(int(s.Val))
		case http2.SettingMaxFrameSize:
			p.maxFrame = int(s.Val)
		}
	}
	p.settings = p.settings[1:]
}

func (p *rawPeer) breaks(format string, args ...any) {
	if p.breach == "" {
		p.breach = fmt.Sprintf(format, args...)
	}
}

func (p *rawPeer) frame(t http2.FrameType, flags http2.Flags, id uint32, payload []byte) {
	p.write(h2test.AppendFrame(nil, t, flags, id, payload))
}

func (p *rawPeer) write(b []byte) {
	p.out = append(p.out, b...)
	if !p.writing {
		p.writing = true
		go p.flush() // ends when nothing waits
	}
}

// flush writes in pieces, a nanosecond apart, so that each is a read of its own.
func (p *rawPeer) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.out) > 0 && p.err == nil {
		n := len(p.out)
		if p.cut > 0 && n < 100*p.cut {
			n = min(n, 1+p.rand.IntN(p.cut))
		}
		b := p.out[:n]
		p.out = p.out[n:]
		p.mu.Unlock()
		_, err := p.nc.Write(b)
		if p.cut > 0 {
			time.Sleep(1 * time.Nanosecond)
		}
		p.mu.Lock()
		if err != nil {
			p.fail(err)
		}
	}
	p.writing = false
	p.changed.Broadcast()
}

func (p *rawPeer) fail(err error) {
	if p.err == nil {
		p.err = err
		p.changed.Broadcast()
	}
}

// grant gives credit, in one WINDOW_UPDATE or a few; id 0 is the connection.
func (p *rawPeer) grant(id uint32, n int) {
	for n > 0 {
		inc := n
		if n > 400 && p.rand.IntN(3) == 0 {
			inc = 200 + p.rand.IntN(n-399)
		}
		n -= inc
		if id == 0 {
			p.credit += inc
		} else if s := p.streams[id]; s != nil {
			s.credit += inc
		}
		p.frame(http2.FrameWindowUpdate, 0, id, binary.BigEndian.AppendUint32(nil, uint32(inc)))
	}
}

// noise says something that changes nothing.
func (p *rawPeer) noise(id uint32) {
	if p.rand.IntN(8) != 0 {
		return
	}
	switch p.rand.IntN(4) {
	case 0:
		b := binary.BigEndian.AppendUint32(nil, p.last+2+uint32(p.rand.IntN(1000))*2)
		p.frame(http2.FramePriority, 0, id, append(b, byte(p.rand.Uint32())))
	case 1:
		p.frame(http2.FrameType(0x42+p.rand.IntN(100)), http2.Flags(p.rand.Uint32()), id, make([]byte,
			p.rand.IntN(50)))
	default:
		p.ping()
	}
}

func (p *rawPeer) ping() {
	var b [8]byte
	p.pinged++
	binary.BigEndian.PutUint64(b[:], p.pinged)
	p.pings[b] = true
	p.frame(http2.FramePing, 0, 0, b[:])
}

// pad gives the flags and the octets around a payload that is padded, or not.
func pad(r *rand.Rand, b []byte, flag http2.Flags, room int) (http2.Flags, []byte) {
	if r.IntN(4) != 0 || room < 1 {
		return 0, b
	}
	n := r.IntN(min(256, room))
	padded := append([]byte{byte(n)}, b...)
	return flag, append(padded, make([]byte, n)...)
}

// block sends fields as HEADERS and some CONTINUATIONs; whole: only what is needed of them.
func (p *rawPeer) block(id uint32, fields [][2]string, fin, whole bool) {
	p.hbuf.Reset()
	if p.rand.IntN(20) == 0 {
		p.henc.SetMaxDynamicTableSize(uint32(p.rand.IntN(4097)))
	}
	for _, f := range fields {
		_ = p.henc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1],
			Sensitive: p.rand.IntN(8) == 0}) // into memory
	}
	b := bytes.Clone(p.hbuf.Bytes())
	var pieces [][]byte
	for len(b) > 16000 || !whole && len(pieces) < 4 && p.rand.IntN(3) == 0 {
		n := p.rand.IntN(min(len(b), 16000) + 1)
		if len(b) > 16000 {
			n = 16000
		}
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	pieces = append(pieces, b)
	for i, piece := range pieces {
		var flags http2.Flags
		t := http2.FrameContinuation
		if i == len(pieces)-1 {
			flags |= http2.FlagHeadersEndHeaders
		}
		if i == 0 {
			t = http2.FrameHeaders
			if fin {
				flags |= http2.FlagHeadersEndStream
			}
			if p.rand.IntN(5) == 0 {
				flags |= http2.FlagHeadersPriority
				dep := uint32(p.rand.IntN(20))*2 + id + 2
				piece = append(append(binary.BigEndian.AppendUint32(nil, dep), byte(p.rand.Uint32())), piece...)
			}
			var f http2.Flags
			f, piece = pad(p.rand, piece, http2.FlagHeadersPadded, 16384-6-len(piece))
			flags |= f
		}
		p.frame(t, flags, id, piece)
	}
}

// play is a script played in frames.
func (p *rawPeer) play(s *trafficScript, rec *trafficRecord) {
	p.mu.Lock()
	p.last += 2
	cuts := rand.New(rand.NewPCG(*trafficSeed, uint64(p.run.batch)<<32|uint64(s.I)))
	t := &rawStream{p: p, s: s, rec: rec, rand: cuts, id: p.last - 1, window: p.initial,
		credit: p.mine,
		eager:  len(s.Reads) == 0 && s.ReadEnd == readAllOf, body: tally{key: s.answerKey()}}
	p.streams[t.id] = t
	fields := [][2]string{{":method", s.Method}, {":scheme", p.run.scheme()}, {":authority",
		"example.test"}, {":path", s.Target}}
	p.rand.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	rest := append([][2]string{{strings.ToLower(trafficField), itoa(s.I)}}, s.Fields...)
	if s.Length >= 0 {
		rest = append(rest, [2]string{"content-length", strconv.FormatInt(s.Length, 10)})
	}
	if s.Expect {
		rest = append(rest, [2]string{"expect", "100-continue"})
	}
	if s.Announce && len(s.Trailers) > 0 {
		var names []string
		for _, f := range s.Trailers {
			names = append(names, f[0])
		}
		rest = append(rest, [2]string{"trailer", strings.Join(names, ",")})
	}
	switch s.Odd {
	case "name":
		rest = append(rest, [2]string{"X-Upper", "v"})
	case "connection":
		rest = append(rest, [2]string{"connection", "close"})
	case "te":
		rest = append(rest, [2]string{"te", "gzip"})
	case "space":
		fields = append(fields[:0], [2]string{":method", s.Method}, [2]string{":scheme", p.run.scheme()},
			[2]string{":authority", "example.test"}, [2]string{":path", "/a b"})
	case "method":
		fields = append(fields[:0], [2]string{":method", "GET POST"}, [2]string{":scheme",
			p.run.scheme()}, [2]string{":authority", "example.test"}, [2]string{":path", "/"})
	case "length":
		rest = append(rest, [2]string{"content-length", "1"}, [2]string{"content-length", "2"})
	case "pseudo":
		rest = append(rest, [2]string{":path", "/"})
	case "control":
		rest = append(rest, [2]string{"x-control", "a\x00b"})
	}
	p.noise(t.id)
	p.block(t.id, append(fields, rest...), s.NoBody,
		s.Odd != "") // net/http ends the connection when a CONTINUATION has the fault
	t.finSent = s.NoBody
	p.mu.Unlock()

	guard := time.AfterFunc(trafficGuard, func() {
		rec.set("STUCK", "the client")
		t.giveUp(http2.ErrCodeCancel)
	})
	defer guard.Stop()
	if s.Cancel > 0 {
		defer time.AfterFunc(p.run.clock.in(s.Cancel, s.cancelPhase()),
			func() { t.giveUp(http2.ErrCode(s.Code)) }).Stop()
	}
	sent := make(chan struct{})
	go func() { // ends with the stream
		defer close(sent)
		if !s.NoBody {
			t.upload()
		}
	}()
	t.download()
	<-sent
}

// over says that nothing more is to be said on the stream, or heard; mu is held.
func (t *rawStream) over() bool { return t.reset != "" || t.given || t.p.err != nil }

// giveUp resets the stream.
func (t *rawStream) giveUp(code http2.ErrCode) {
	p := t.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.over() || t.fin && t.finSent {
		return
	}
	t.given = true
	p.frame(http2.FrameRSTStream, 0, t.id, binary.BigEndian.AppendUint32(nil, uint32(code)))
	p.changed.Broadcast()
}

func (t *rawStream) upload() {
	p, s := t.p, t.s
	off := 0
	if s.Expect && s.I%4 != 0 { // the others do not wait for the 100
		p.mu.Lock()
		timeout := time.AfterFunc(p.run.clock.in(20, s.clientPhase()), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.continues = true
			p.changed.Broadcast()
		})
		for !t.continues && t.status == "" && !t.over() {
			p.changed.Wait()
		}
		timeout.Stop()
		p.mu.Unlock()
		p.run.clock.settle(s.clientPhase())
	}
	for _, step := range s.Body {
		if step.Wait > 0 {
			p.run.clock.sleep(step.Wait, s.clientPhase())
		}
		p.mu.Lock()
		for left := step.N; left > 0 && !t.over(); {
			room := min(t.window, p.window, 16384)
			if room <= 0 {
				p.changed.Wait()
				continue
			}
			n := min(left, room)
			if t.rand.IntN(3) == 0 {
				n = min(n, 100+t.rand.IntN(n))
			}
			flags, b := pad(t.rand, pattern(s.uploadKey(), off, n), http2.FlagDataPadded, room-n)
			if last := off+n == s.uploads(); last && s.End == endFin && len(s.Trailers) == 0 &&
				t.rand.IntN(2) == 0 {
				flags |= http2.FlagDataEndStream
				t.finSent = true
			}
			p.data(t, flags, b)
			off += n
			left -= n
		}
		p.noise(t.id)
		if t.rand.IntN(10) == 0 && !t.over() && !t.finSent {
			p.data(t, 0, nil)
		}
		p.mu.Unlock()
	}
	if s.End == endError {
		p.run.clock.sleep(1, s.clientPhase())
		t.giveUp(http2.ErrCode(s.Code))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s.End == endNever && !t.over() {
		p.changed.Wait()
	}
	if t.over() || t.finSent {
		return
	}
	t.finSent = true
	if len(s.Trailers) > 0 {
		p.block(t.id, s.Trailers, true, false)
		return
	}
	flags, b := pad(t.rand, nil, http2.FlagDataPadded, min(t.window, p.window))
	p.data(t, flags|http2.FlagDataEndStream, b)
}

func (p *rawPeer) data(t *rawStream, flags http2.Flags, b []byte) {
	t.window -= len(b)
	p.window -= len(b)
	p.frame(http2.FrameData, flags, t.id, b)
}

// download reads the answer at the pace of the script: credit is given back for what has been read.
func (t *rawStream) download() {
	p, s := t.p, t.s
	wait := func(done func() bool) {
		for !done() && !t.fin && !t.over() {
			p.changed.Wait()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	wait(func() bool { return t.status != "" })
	for _, step := range s.Reads {
		if t.over() {
			break
		}
		p.mu.Unlock()
		p.run.clock.sleep(step.Wait, s.readPhase())
		p.mu.Lock()
		for left := step.N; left > 0 && !t.over() && (!t.fin || t.unread > 0); {
			wait(func() bool { return t.unread > 0 })
			n := min(left, t.unread)
			t.unread -= n
			left -= n
			t.give(n)
		}
	}
	if !t.over() && s.ReadEnd != readAllOf {
		p.mu.Unlock()
		p.run.clock.settle(s.readPhase()) // what came last came at the handler's
		t.giveUp(http2.ErrCode(s.Code))
		p.mu.Lock()
	}
	t.eager = true
	t.give(t.unread)
	t.unread = 0
	wait(func() bool { return false })
}

func (t *rawStream) give(n int) {
	if !t.fin && !t.over() {
		t.p.grant(t.id, n)
	}
}

// reads takes what the server says.
func (p *rawPeer) reads() {
	fr := http2.NewFramer(io.Discard, p.nc)
	fr.ReadMetaHeaders = p.hdec
	fr.SetMaxReadFrameSize(1<<24 - 1)
	for {
		f, err := fr.ReadFrame()
		p.mu.Lock()
		if err != nil && !errors.As(err, new(http2.StreamError)) {
			p.fail(err)
			p.mu.Unlock()
			return
		}
		if err != nil {
			p.breaks("%v", err)
		} else {
			p.take(f)
		}
		p.changed.Broadcast()
		p.mu.Unlock()
	}
}

func (p *rawPeer) take(f http2.Frame) {
	s := p.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			p.acked()
			return
		}
		_ = f.ForeachSetting(func(v http2.Setting) error { // ends with nil
			if v.ID == http2.SettingInitialWindowSize {
				for _, s := range p.streams {
					s.window += int(v.Val) - p.initial
				}
				p.initial = int(v.Val)
			}
			return nil
		})
		p.greetings++
		p.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, nil)
	case *http2.PingFrame:
		if !f.IsAck() {
			p.frame(http2.FramePing, http2.FlagPingAck, 0, f.Data[:])
		} else if !p.pings[f.Data] {
			p.breaks("an answer to no PING")
		}
		delete(p.pings, f.Data)
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			if p.window += int(f.Increment); !p.announced {
				p.announced, p.target = true, p.window
			}
		} else if s != nil {
			s.window += int(f.Increment)
		}
	case *http2.GoAwayFrame:
		p.goAway = fmt.Sprintf("GOAWAY %v %s", f.ErrCode, f.DebugData())
	case *http2.DataFrame:
		n := int(f.Length)
		p.credit -= n
		if p.credit < 0 || n > p.maxFrame {
			p.breaks("DATA over the connection's window, or over SETTINGS_MAX_FRAME_SIZE")
		}
		if p.due += n; p.due > 1<<20 {
			p.grant(0, p.due)
			p.due = 0
		}
		if s == nil {
			p.breaks("DATA on a stream that is none")
			return
		}
		s.credit -= n
		if n > 0 && s.credit < 0 {
			p.breaks("DATA over the window of stream %d", s.id)
		}
		if s.given {
			return
		}
		if s.fin || s.reset != "" || s.status == "" {
			p.breaks("DATA on stream %d, which is in no state for it", s.id)
		}
		s.body.Write(f.Data())
		s.unread += n
		s.fin = s.fin || f.StreamEnded()
		if s.eager && !s.fin {
			p.grant(s.id, s.unread)
			s.unread = 0
		}
	case *http2.MetaHeadersFrame:
		if s == nil {
			p.breaks("HEADERS on a stream that is none")
			return
		}
		if !s.given {
			s.headers(f)
		}
	case *http2.RSTStreamFrame:
		if s == nil {
			p.breaks("RST_STREAM on a stream that is none")
		} else if s.reset == "" && !s.given {
			s.reset = f.ErrCode.String()
		}
	default:
		p.breaks("an odd frame: %v", f)
	}
}

func (t *rawStream) headers(f *http2.MetaHeadersFrame) {
	if t.fin || t.reset != "" {
		t.p.breaks("HEADERS on stream %d, which has ended", t.id)
	}
	fields := map[string]string{}
	for _, f := range f.RegularFields() {
		if f.Name == "date" {
			f.Value = "now"
		}
		fields[f.Name] = strings.TrimPrefix(fields[f.Name]+" "+strconv.Quote(f.Value), " ")
	}
	status := f.PseudoValue("status")
	switch {
	case status == "" && t.status == "":
		t.p.breaks("no :status on stream %d", t.id)
	case status == "":
		for k, v := range fields {
			t.rec.set("client trailer "+k, "%s", v)
		}
	case t.status != "":
		t.p.breaks("a second answer on stream %d", t.id)
	case strings.HasPrefix(status, "1"):
		t.rec.add("client informed", "%s", status)
		for k, v := range fields {
			t.rec.add("client informed "+k, "%s", v)
		}
		t.continues = t.continues || status == "100"
	default:
		t.status = status
		t.rec.set("client status", "%s", status)
		for k, v := range fields {
			t.rec.set("client field "+k, "%s", v)
		}
	}
	t.fin = t.fin || f.StreamEnded()
}

// settle writes down how a stream ended, when nothing more can come.
func (t *rawStream) settle() {
	switch {
	case t.given && t.fin:
		t.rec.set("client end", "whole, and given up")
	case t.given:
		t.rec.set("client end", "given up")
	case t.fin:
		t.rec.set("client end", "whole")
		t.rec.set("client reset behind it", "%s", t.reset)
	case t.reset != "":
		t.rec.set("client end", "RST_STREAM %s", t.reset)
	default:
		t.rec.set("client end", "none: %v %s", t.p.err, t.p.goAway)
	}
	if t.status != "" {
		t.rec.set("client body", "%v", &t.body)
	}
}

// finish looks at the connection when all is over, and closes it.
func (p *rawPeer) finish() (faults []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.streams {
		t.settle()
	}
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if p.breach != "" {
		bad("%s", p.breach)
	}
	if p.err != nil || p.goAway != "" {
		bad("the connection has ended: %v %s", p.err, p.goAway)
		return faults
	}
	if len(p.pings) > 0 || len(p.settings) > 0 || p.greetings != 1 {
		bad("%d PINGs and %d SETTINGS are not acknowledged, %d SETTINGS came", len(p.pings),
			len(p.settings), p.greetings)
	}
	if 2*p.window < p.target {
		bad("the connection's window has %d octets of %d left", p.window, p.target)
	}
	return faults
}

func itoa(n int) string { return strconv.Itoa(n) }

// change sends new settings, midway.
func (p *rawPeer) change(ss []http2.Setting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.set(ss...)
		p.ping()
	}
}
