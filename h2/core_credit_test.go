package h2

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/flow"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestCreditConserved: random lives of connections, in which DATA is delivered, padded, dropped, reset, refused, held by
// paused readers, ended, and ignored behind a GOAWAY of either side, and in which settings and windows move all the
// while. A ledger that knows the wire alone agrees with the core after every step, nothing is sent over a window, nothing
// waits that could leave, and at the end every octet of credit is accounted for, both ways (RFC 9113, 5.2).
func TestCreditConserved(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(150) {
		l := newLife(t, seed)
		for range 300 {
			if l.p.c.over() {
				break
			}
			l.step(seen)
		}
		l.end(seen)
	}
	for _, what := range []string{"padding", "END_STREAM", "reset", "reset by the peer", "reset inside a frame", "pause", "grow", "expect", "window grown by reading", "settings", "refused",
		"GOAWAY", "GOAWAY of the peer", "beyond GOAWAY", "trailers", "dropped", "ended both ways", "left at the end"} {
		if seen[what] < 10 {
			t.Errorf("%s: seen %d times, the test has become empty", what, seen[what])
		}
	}
}

// life is one connection, and its ledger.
type life struct {
	t    *testing.T
	r    *rand.Rand
	seed uint64
	p    *player
	next uint32 // stream to open
	last uint32 // of our GOAWAY; 0: none that is final

	initial          int            // the peer's SETTINGS_INITIAL_WINDOW_SIZE
	granted, allowed map[uint32]int // what client and server may send
	wire             [2]int         // octets of flow control that client and server have sent
	updates          [2]int         // octets of connection credit that client and server have announced
	held             map[uint32]int // received and not released
	paused           map[uint32]bool
	growths          map[uint32]*growth // of bodies that a handler reads
	ended            map[uint32]bool    // the client has sent END_STREAM
	queued, got      map[uint32]int     // octets the user sent, and the client received
	fins             map[uint32]string  // END_STREAM that the client received
}

func newLife(t *testing.T, seed uint64) *life {
	l := &life{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 2)), next: 1, initial: flow.DefaultWindow,
		granted: map[uint32]int{0: flow.DefaultWindow}, allowed: map[uint32]int{0: flow.DefaultWindow},
		held: map[uint32]int{}, paused: map[uint32]bool{}, ended: map[uint32]bool{}, growths: map[uint32]*growth{},
		queued: map[uint32]int{}, got: map[uint32]int{}, fins: map[uint32]string{}}
	cfg := testConfig()
	cfg.rates, cfg.unread = [rates]int{}, 0
	cfg.connWindow += l.r.IntN(2) * 40000
	cfg.initialWindow += l.r.IntN(3) * 10000
	cfg.maxWindow, cfg.maxConnWindow = l.r.IntN(300_000), l.r.IntN(2_000_000)
	l.p = newPlayer(cfg, []int{0, 0, 1, 9, 1000}[l.r.IntN(5)])
	l.book()
	l.p.greet()
	return l
}

func (l *life) fatalf(format string, args ...any) {
	l.t.Helper()
	l.t.Fatalf("seed %d: %s", l.seed, fmt.Sprintf(format, args...))
}

// book enters the frames of the server.
func (l *life) book() {
	for _, f := range l.p.frames {
		if l.last > 0 && f.Stream > l.last {
			l.fatalf("%v behind GOAWAY %d", f, l.last)
		}
		switch f.Type {
		case http2.FrameWindowUpdate:
			l.granted[f.Stream] += int(f.Inc)
			if f.Stream == 0 {
				l.updates[1] += int(f.Inc)
			}
		case http2.FrameData:
			n := len(f.Payload)
			l.allowed[0] -= n
			l.allowed[f.Stream] -= n
			l.wire[1] += n
			l.got[f.Stream] += len(f.Data)
			if n > 0 && min(l.allowed[0], l.allowed[f.Stream]) < 0 {
				l.fatalf("%v is over the window", f)
			}
		case http2.FrameGoAway:
			if f.Code != http2.ErrCodeNo {
				l.fatalf("%v", f)
			}
			if f.Last != 1<<31-1 {
				l.last = f.Last
			}
		}
		if f.Fin() {
			l.fins[f.Stream] += "END_STREAM "
		}
	}
	l.p.frames, l.p.events = nil, nil
}

// data is a DATA frame of the client, entered in the ledger.
func (l *life) data(id uint32, n, pad int, fin bool) []byte {
	line := fmt.Sprintf("DATA %d LEN=%d", id, n)
	size := n
	if pad >= 0 {
		line += fmt.Sprintf(" PAD=%d", pad)
		size += pad + 1
	}
	if fin {
		line += " END_STREAM"
	}
	b, err := l.p.enc.Append(nil, line)
	if err != nil {
		l.fatalf("%v", err)
	}
	l.granted[0] -= size
	l.granted[id] -= size
	l.wire[0] += size
	l.ended[id] = l.ended[id] || fin
	return b
}

// live is a stream that is not over, or nil.
func (l *life) live(id uint32) *coreStream {
	if s := l.p.streams[id]; s != nil && s.state != stateClosed {
		return s
	}
	return nil
}

// mayData says that DATA on a stream breaks no rule: it is open, or went by our doing alone.
func (l *life) mayData(id uint32) bool {
	s := l.p.streams[id]
	if id >= l.next || l.ended[id] {
		return false
	}
	var remote *StreamError
	return s == nil || s.state != stateClosed || errors.As(s.why(), &remote) && !remote.Remote
}

func (l *life) step(seen map[string]int) {
	r, p := l.r, l.p
	id := uint32(1 + 2*r.IntN(int(l.next+1)/2))
	s := l.live(id)
	switch r.IntN(16) {
	case 0, 1:
		if l.p.c.leave.peer && r.IntN(4) > 0 {
			break
		}
		l.openStream(seen)
	case 2, 3, 4, 5, 6:
		pad, n := r.IntN(300)-44, r.IntN(8000)*r.IntN(2)
		if !l.mayData(id) || n+max(pad+1, 0) > min(l.granted[id], l.granted[0]) || pad > 255 {
			break
		}
		fin := r.IntN(8) == 0
		if pad >= 0 {
			seen["padding"]++
		}
		if s == nil {
			seen["dropped"]++
		}
		b := l.data(id, n, pad, fin)
		if s != nil {
			l.held[id] += n
		}
		if s != nil && r.IntN(8) == 0 {
			k := r.IntN(len(b))
			p.feed(b[:k])
			p.c.reset(s, Cancel)
			seen["reset inside a frame"]++
			b = b[k:]
		}
		p.feed(b)
	case 7, 8:
		if s == nil || l.held[id] == 0 || l.paused[id] {
			break
		}
		n := 1 + r.IntN(l.held[id])
		if g := l.growths[id]; g != nil {
			target := s.credit.Target()
			p.c.readBegins(s, g, p.now)
			p.c.readBody(s, g, n, p.now)
			if s.credit.Target() > target {
				seen["window grown by reading"]++
			}
		} else {
			p.c.release(s, n)
		}
		l.held[id] -= n
	case 9:
		if s == nil {
			break
		}
		if l.paused[id] = !l.paused[id]; l.paused[id] {
			seen["pause"]++
		} else {
			p.c.release(s, l.held[id])
			l.held[id] = 0
		}
	case 10:
		if s != nil && r.IntN(3) == 0 {
			p.c.reset(s, []Code{Cancel, NoError}[r.IntN(2)])
			seen["reset"]++
		}
	case 11:
		if s != nil && r.IntN(3) == 0 {
			p.send(fmt.Sprintf("RST_STREAM %d CANCEL", id))
			seen["reset by the peer"]++
		}
	case 12:
		if s == nil || s.fin {
			break
		}
		n, fin := r.IntN(30000), r.IntN(6) == 0
		l.queued[id] += n
		if _, err := p.c.send(s, [][]byte{make([]byte, n/2), make([]byte, n-n/2)}, fin); err != nil {
			l.fatalf("%v", err)
		}
		if !fin && r.IntN(6) == 0 && s.state != stateClosed {
			if err := p.c.finTrailers(s, []hpack.HeaderField{{Name: "x-sum", Value: "1"}}); err != nil {
				l.fatalf("%v", err)
			}
			seen["trailers"]++
		}
		if s.fin && r.IntN(3) == 0 {
			p.c.finish(s)
		}
	case 13:
		l.windows(id, 1+r.IntN(20000))
	case 14:
		if s != nil && r.IntN(2) == 0 {
			p.c.grow(s, r.IntN(200000))
			seen["grow"]++
		} else if s != nil {
			n := r.IntN(l.held[id] + 1)
			p.c.expect(s, n, r.IntN(2)*r.IntN(200000))
			l.held[id] -= n
			seen["expect"]++
		}
	case 15:
		l.rare(seen)
	}
	p.drain()
	l.book()
	l.check()
}

func (l *life) openStream(seen map[string]int) {
	id, m := l.next, ":method=POST"
	if l.r.IntN(2) == 0 {
		m = ":method=CONNECT :protocol=websocket"
	}
	l.p.send(fmt.Sprintf("HEADERS %d %s :scheme=http :path=/ :authority=a", id, m))
	l.next += 2
	l.granted[id] += l.p.c.cfg.initialWindow
	l.allowed[id] = l.initial
	s := l.p.streams[id]
	if s != nil && m == ":method=POST" {
		l.growths[id] = new(growth)
	}
	if s == nil {
		if l.last > 0 && id > l.last {
			seen["beyond GOAWAY"]++
		} else {
			seen["refused"]++
		}
		return
	}
	if err := l.p.c.answer(s, fieldsOf(":status=200"), false, l.r.IntN(2) == 0); err != nil {
		l.fatalf("%v", err)
	}
}

// windows is credit of the client, for a stream and the connection.
func (l *life) windows(id uint32, n int) {
	if id < l.next {
		l.p.send(fmt.Sprintf("WINDOW_UPDATE %d %d", id, n))
		l.allowed[id] += n
	}
	l.p.send(fmt.Sprintf("WINDOW_UPDATE 0 %d", n))
	l.allowed[0] += n
	l.updates[0] += n
}

// rare is what happens to a connection now and then.
func (l *life) rare(seen map[string]int) {
	p := l.p
	switch l.r.IntN(24) {
	default:
		l.setInitial(l.r.IntN(100000))
		seen["settings"]++
	case 0:
		if p.c.leave.step == leaveNot && l.next > 1 {
			p.c.goAway(p.now)
			seen["GOAWAY"]++
		}
	case 1, 2, 3, 4, 5, 6:
		if p.c.leave.step == leaveAsked {
			p.send("PING ACK 0077656972627965")
		}
	case 7:
		p.send("GOAWAY 0 NO_ERROR")
		seen["GOAWAY of the peer"]++
	}
}

// setInitial moves the window of every stream that is there (RFC 9113, 6.9.2).
func (l *life) setInitial(n int) {
	l.p.send(fmt.Sprintf("SETTINGS INITIAL_WINDOW_SIZE=%d", n))
	for id := uint32(1); id < l.next; id += 2 {
		l.allowed[id] += n - l.initial
	}
	l.initial = n
}

// check holds the ledger against the core.
func (l *life) check() {
	l.t.Helper()
	c := l.p.c
	if err := c.check(); err != nil {
		l.fatalf("%v", err)
	}
	if c.err != nil {
		l.fatalf("%v", c.err)
	}
	if l.p.err != nil {
		l.fatalf("%v", l.p.err)
	}
	if got := c.credit.Outstanding(); l.granted[0] != got || c.credit.Held() != 0 || c.credit.Target()-got >= c.credit.Target()/2 {
		l.fatalf("the client may send %d, the core thinks %d and holds %d", l.granted[0], got, c.credit.Held())
	}
	if got := c.window.Available(); l.allowed[0] != got {
		l.fatalf("the server may send %d, the core thinks %d", l.allowed[0], got)
	}
	granted := 0
	for id, g := range l.growths {
		if l.live(id) == nil { // the handler returns
			c.readEnds(g)
		}
		granted += g.granted
	}
	if granted != c.granted || granted > max(c.cfg.maxConnWindow, 0) {
		l.fatalf("bodies were granted %d, the core thinks %d, of %d", granted, c.granted, c.cfg.maxConnWindow)
	}
	for id, s := range l.p.streams {
		if s.state == stateClosed {
			continue
		}
		if s.credit.Held() != l.held[id] || !l.ended[id] && s.credit.Outstanding() != l.granted[id] {
			l.fatalf("stream %d: the core holds %d and grants %d, want %d and %d", id, s.credit.Held(), s.credit.Outstanding(), l.held[id], l.granted[id])
		}
		if due := s.credit.Target() - s.credit.Held() - s.credit.Outstanding(); s.state != stateRemoteEnded && due > 0 && due >= s.credit.Target()/2 {
			l.fatalf("stream %d: %d octets of %d are due and not announced", id, due, s.credit.Target())
		}
		if got := s.window.Available(); got != max(l.allowed[id], 0) {
			l.fatalf("stream %d: the server may send %d, the core thinks %d", id, l.allowed[id], got)
		}
		if s.queued() > 0 && min(l.allowed[id], l.allowed[0]) > 0 {
			l.fatalf("stream %d: %d octets wait under open windows", id, s.queued())
		}
	}
}

// end brings every stream to its end, and closes the books.
func (l *life) end(seen map[string]int) {
	l.t.Helper()
	p := l.p
	l.setInitial(1 << 20)
	l.windows(l.next, 1<<28)
	p.drain()
	l.book()
	l.check()
	for id := uint32(1); id < l.next; id += 2 {
		s := l.live(id)
		if s == nil {
			continue
		}
		seen["left at the end"]++
		p.c.release(s, l.held[id])
		l.held[id] = 0
		p.drain()
		l.book()
		l.check()
		if !l.ended[id] {
			p.feed(l.data(id, 0, -1, true))
		}
		if !s.fin {
			if _, err := p.c.send(s, nil, true); err != nil {
				l.fatalf("%v", err)
			}
		}
		p.drain()
		l.book()
		if l.live(id) != nil {
			l.fatalf("stream %d does not end: state %d, %d octets wait", id, s.state, s.queued())
		}
	}
	l.check()
	for id, s := range p.streams {
		if s.why() != nil {
			continue
		}
		seen["ended both ways"]++
		if l.got[id] != l.queued[id] || l.fins[id] != "END_STREAM " {
			l.fatalf("stream %d: the client received %d octets and %q, %d were sent", id, l.got[id], l.fins[id], l.queued[id])
		}
	}
	seen["END_STREAM"] += len(l.ended)
	if got, want := p.c.credit.Outstanding(), flow.DefaultWindow+l.updates[1]-l.wire[0]; got != want {
		l.fatalf("in all the client sent %d and got %d: the window must be %d, and is %d", l.wire[0], l.updates[1], want, got)
	}
	if got, want := p.c.window.Available(), flow.DefaultWindow+l.updates[0]-l.wire[1]; got != want {
		l.fatalf("in all the server sent %d and got %d: the window must be %d, and is %d", l.wire[1], l.updates[0], want, got)
	}
	if p.c.granted != 0 || p.c.credit.Target() != p.c.cfg.connWindow {
		l.fatalf("%d octets of window are left of bodies that are over, the connection's is %d", p.c.granted, p.c.credit.Target())
	}
	if len(p.c.streams) > 0 || p.c.anyReady() || p.c.blocked.first != nil || slices.ContainsFunc(p.c.stalls.fresh, func(s *coreStream) bool { return s.stalled }) {
		l.fatalf("something is left of streams that are over")
	}
}
