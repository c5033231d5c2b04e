package h2

import (
	"fmt"
	"testing"
	"time"

	"weir/flow"
	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// distance is a client that uploads to a core as fast as windows let it, with half a round trip
// each way between them, in virtual time. Nothing but the way takes any time.
type distance struct {
	t       *testing.T
	p       *player
	trip    time.Duration
	under   []delivery // in order of time
	windows map[uint32]int
	uploads []*upload
	next    uint32
	most    int // the most that the windows of all bodies had grown by at a time
	conn    int // the largest window of the connection
	frames  map[string]int
}

// delivery is a frame on its way: b to the server, or f to the client.
type delivery struct {
	at time.Time
	b  []byte
	f  h2test.Frame
}

// upload is a request, and the handler that reads its body.
type upload struct {
	id      uint32
	left    int           // octets to send
	got     int           // octets that the handler has read
	pace    int           // octets that the handler reads in a millisecond; 0: all that is there
	stops   int           // the handler stops when it has read so many; 0: never
	held    int           // the most that was received and not read
	ended   time.Duration // when all was read
	growth  growth
	stopped bool
	apart   bool // END_STREAM comes in a frame of its own, and into an open window only, as nghttp2 has it
	fin     bool // it was sent
}

func growConfig() coreConfig {
	cfg := testConfig()
	cfg.maxStreams, cfg.connWindow, cfg.maxWindow, cfg.maxConnWindow = 250, 1<<20, 4<<20, 16<<20
	return cfg
}

func newDistance(t *testing.T, cfg coreConfig, trip time.Duration) *distance {
	d := &distance{t: t, p: newPlayer(cfg, 0), trip: trip, next: 1,
		windows: map[uint32]int{0: flow.DefaultWindow}, frames: map[string]int{}}
	d.deliver()
	d.toServer([]byte(http2.ClientPreface))
	d.say("SETTINGS")
	return d
}

func (d *distance) say(line string) {
	b, err := d.p.enc.Append(nil, line)
	if err != nil {
		d.t.Fatal(err)
	}
	d.toServer(b)
}

func (d *distance) toServer(b []byte) {
	d.under = append(d.under, delivery{at: d.p.now.Add(d.trip / 2), b: b})
}

// post begins an upload of n octets; length: with a content-length.
func (d *distance) post(n int, length bool) *upload {
	u := &upload{id: d.next, left: n}
	d.next += 2
	d.begin(u, length)
	return u
}

func (d *distance) begin(u *upload, length bool) {
	d.uploads = append(d.uploads, u)
	d.windows[u.id] = flow.DefaultWindow
	line := fmt.Sprintf("HEADERS %d :method=POST :scheme=http :path=/ :authority=a", u.id)
	if length {
		line += fmt.Sprintf(" content-length=%d", u.left)
	}
	d.say(line)
	d.pump()
}

// pump sends what windows allow, a frame of each upload in turn.
func (d *distance) pump() {
	for sent := true; sent; {
		sent = false
		for _, u := range d.uploads {
			window := min(d.windows[u.id], d.windows[0])
			if u.fin || window <= 0 {
				continue
			}
			n := min(u.left, 16384, window)
			d.windows[u.id] -= n
			d.windows[0] -= n
			var flags http2.Flags
			if u.fin = n == u.left && (n == 0 || !u.apart); u.fin {
				flags = http2.FlagDataEndStream
			}
			u.left -= n
			d.toServer(h2test.AppendFrame(nil, http2.FrameData, flags, u.id, make([]byte, n)))
			sent = true
		}
	}
}

// deliver sends what the server has said on its way.
func (d *distance) deliver() {
	for _, f := range d.p.frames {
		d.under = append(d.under, delivery{at: d.p.now.Add(d.trip / 2), f: f})
		d.frames[fmt.Sprintf("%v %d", f.Type, f.Stream)]++
	}
	d.p.frames, d.p.events = nil, nil
}

// handlers read.
func (d *distance) handlers() {
	d.most = max(d.most, d.p.c.granted)
	d.conn = max(d.conn, d.p.c.credit.Target())
	for _, u := range d.uploads {
		s := d.p.streams[u.id]
		if s == nil || u.stopped {
			continue
		}
		if s.state != stateRemoteEnded {
			d.p.c.readBegins(s, &u.growth, d.p.now)
		}
		n := s.credit.Held()
		u.held = max(u.held, n)
		if u.pace > 0 {
			n = min(n, u.pace)
		}
		if u.stops > 0 && u.got+n >= u.stops {
			n, u.stopped = u.stops-u.got, true
		}
		d.p.c.readBody(s, &u.growth, n, d.p.now)
		u.got += n
		whole := s.state == stateRemoteEnded && s.credit.Held() == 0
		if whole && u.ended == 0 {
			u.ended = d.p.now.Sub(epoch)
			d.p.c.readEnds(&u.growth)
		}
		d.p.drain()
		d.deliver()
	}
	if err := d.p.c.check(); err != nil {
		d.t.Fatal(err)
	}
}

// run goes on until nothing is under way and no handler has anything to read, or for as long as
// limit.
func (d *distance) run(limit time.Duration) {
	d.t.Helper()
	for end := d.p.now.Add(limit); d.p.now.Before(end); {
		next := d.p.now.Add(time.Millisecond) // the handlers' clock
		idle := true
		for _, u := range d.uploads {
			if s := d.p.streams[u.id]; s != nil && !u.stopped && s.credit.Held() > 0 {
				idle = false
			}
		}
		if idle {
			if len(d.under) == 0 {
				return
			}
			next = d.under[0].at
		}
		d.p.now = next
		for len(d.under) > 0 && !d.under[0].at.After(d.p.now) {
			m := d.under[0]
			d.under = d.under[1:]
			if m.b != nil {
				d.p.feed(m.b)
				d.deliver()
				continue
			}
			switch m.f.Type {
			case http2.FrameSettings:
				if m.f.Flags&http2.FlagSettingsAck == 0 {
					d.say("SETTINGS ACK")
				}
			case http2.FramePing:
				d.say(fmt.Sprintf("PING ACK %x", m.f.Payload))
			case http2.FrameWindowUpdate:
				d.windows[m.f.Stream] += int(m.f.Inc)
				d.pump()
			case http2.FrameGoAway, http2.FrameRSTStream:
				d.t.Fatalf("%v", m.f)
			}
		}
		d.handlers()
	}
	d.t.Fatalf("not done after %v", limit)
}

// whole says how many octets of window each upload has at the end, and that the books agree.
func (d *distance) balance() {
	d.t.Helper()
	c := d.p.c
	granted := 0
	for _, u := range d.uploads {
		granted += u.growth.granted
		if s := d.p.streams[u.id]; s.state == stateOpen {
			got, want, target := d.windows[u.id], s.credit.Outstanding(), s.credit.Target()
			if got != want || got+s.credit.Held() > target || target != c.cfg.initialWindow+u.growth.granted {
				d.t.Errorf("stream %d: the client may send %d, the core thinks %d of %d, and granted %d",
					u.id, got, want, target, u.growth.granted)
			}
		}
	}
	if granted != c.granted {
		d.t.Errorf("granted %d, the core thinks %d", granted, c.granted)
	}
	got, want, target := d.windows[0], c.credit.Outstanding(), c.credit.Target()
	if got != want || target != c.connTarget() {
		d.t.Errorf("the client may send %d on the connection, the core thinks %d of %d", got, want, target)
	}
}

// TestUploadOverDistance (RFC 9113, 5.2): 5 MiB over a way of 100 ms take few round trips: half a
// one until the request is there, one more for what the window of 1 MiB brings, and then twice as
// much in each.
func TestUploadOverDistance(t *testing.T) {
	for _, length := range []bool{false, true} {
		d := newDistance(t, growConfig(), 100*time.Millisecond)
		u := d.post(5<<20, length)
		d.run(time.Minute)
		d.balance()
		if u.got != 5<<20 || u.ended == 0 {
			t.Fatalf("content-length %v: %d octets were read", length, u.got)
		}
		if trips := float64(u.ended) / float64(d.trip); trips > 4 {
			t.Errorf("content-length %v: %v round trips", length, trips)
		}
		if got := d.p.c.trip.rtt; got != d.trip {
			t.Errorf("the round trip is %v, measured %v", d.trip, got)
		}
	}
}

// TestLongUploadGrows: the window doubles until MaxWindow, and no further.
func TestLongUploadGrows(t *testing.T) {
	d := newDistance(t, growConfig(), 100*time.Millisecond)
	u := d.post(40<<20, false)
	d.run(time.Minute)
	s := d.p.streams[u.id]
	if got := s.credit.Target(); u.got != 40<<20 || got != 4<<20 {
		t.Errorf("%d octets were read, the window is %d", u.got, got)
	}
	if trips := float64(u.ended) / float64(d.trip); trips > 40.0/4+4 {
		t.Errorf("%v round trips", trips)
	}
}

// TestUploadOfKnownLength: no more is announced than content-length leaves to come, and so nothing for
// a short body. A client that ends the stream in a frame of its own, and sends none into a window of 0,
// has an octet of it left.
func TestUploadOfKnownLength(t *testing.T) {
	for _, tt := range []struct{ n, updates, target int }{
		{0, 0, 65535}, {1, 0, 65535}, {65534, 0, 65535}, {65535, 1, 65535}, {70000, 1, 65535},
		{100_000, 1, 100_001}, {1<<20 - 1, 1, 1 << 20}, {1 << 20, 2, 1 << 20}, {5 << 20, -1, -1},
	} {
		for _, apart := range []bool{false, true} {
			d := newDistance(t, growConfig(), 100*time.Millisecond)
			u := &upload{id: 1, left: tt.n, apart: apart}
			d.begin(u, true)
			d.run(time.Minute)
			s := d.p.streams[u.id]
			if u.got != tt.n || s.state != stateRemoteEnded {
				t.Fatalf("%d octets: %d were read, and the stream has not ended", tt.n, u.got)
			}
			got, target := d.frames["WINDOW_UPDATE 1"], s.credit.Target()
			if tt.updates >= 0 && (got > tt.updates || target != tt.target) {
				t.Errorf("%d octets: %d times WINDOW_UPDATE, want %d, the window is %d, want %d",
					tt.n, got, tt.updates, target, tt.target)
			}
		}
	}
}

// TestPausedUpload: what a handler does not read is kept, and it is no more than was granted: the
// initial window without a Read, 1 MiB after the first, whatever it is later, and nothing more
// comes.
func TestPausedUpload(t *testing.T) {
	d := newDistance(t, growConfig(), 100*time.Millisecond)
	never := d.post(10<<20, false)
	never.stopped = true
	once, later := d.post(10<<20, false), d.post(10<<20, false)
	once.stops, later.stops = 1000, 4<<20
	d.run(time.Minute)
	for _, tt := range []struct {
		u       *upload
		granted int
	}{{never, 65535}, {once, 1 << 20}, {later, 4 << 20}} {
		s := d.p.streams[tt.u.id]
		held, target := s.credit.Held(), s.credit.Target()
		if held > tt.granted || held < tt.granted/2 || target > tt.granted {
			t.Errorf("stream %d: %d octets are kept, the window is %d, want %d at most",
				tt.u.id, held, target, tt.granted)
		}
	}
	d.balance()
}

// TestSlowHandlerDoesNotGrow: a window grows by what is read, not by what is sent.
func TestSlowHandlerDoesNotGrow(t *testing.T) {
	d := newDistance(t, growConfig(), 100*time.Millisecond)
	u := d.post(10<<20, false)
	u.pace = 1250 // 10 Mbit/s
	d.run(time.Minute)
	if got := d.p.streams[u.id].credit.Target(); u.got != 10<<20 || got != 1<<20 || u.held > 1<<20 {
		t.Errorf("%d octets were read, the window is %d, %d were kept", u.got, got, u.held)
	}
}

// TestManyUploads: the windows of all bodies of a connection grow by MaxConnWindow and no more,
// each has something of it, and when the bodies are over nothing is left of it.
func TestManyUploads(t *testing.T) {
	d := newDistance(t, growConfig(), 100*time.Millisecond)
	const each = 600 << 10
	for range 100 {
		d.post(each, false)
	}
	d.run(10 * time.Minute)
	d.balance()
	if most := d.most; most > 16<<20 || most < 15<<20 || d.p.c.granted != 0 {
		t.Errorf("the windows had grown by %d, and by %d at the end", most, d.p.c.granted)
	}
	for _, u := range d.uploads {
		if u.got != each || u.held > each {
			t.Errorf("stream %d: %d octets were read, %d kept", u.id, u.got, u.held)
		}
	}
	if got := d.p.c.credit.Target(); got != 1<<20 {
		t.Errorf("the connection's window is %d", got)
	}
}

// TestConnWindowFillsTheWay: the connection's window is no more than the way takes in a round trip,
// whatever its bodies were granted: what is beyond waits in our socket.
func TestConnWindowFillsTheWay(t *testing.T) {
	for _, tt := range []struct {
		trip time.Duration
		want int
	}{
		{100 * time.Microsecond, 1 << 20},
		{2 * time.Millisecond, 2 * fillRate / 1000},
		{100 * time.Millisecond, 16 << 20},
	} {
		d := newDistance(t, growConfig(), tt.trip)
		d.run(time.Minute) // until the round trip is known
		for range 40 {
			d.post(1<<20, false)
		}
		d.run(time.Minute)
		if d.conn > tt.want+tt.want/100 || d.conn < tt.want-tt.want/4 {
			t.Errorf("over %v the connection's window was %d, want %d", tt.trip, d.conn, tt.want)
		}
	}
}

// TestWindowsThatDoNotGrow: those of streams that nobody reads, of tunnels, and all where Config
// says so.
func TestWindowsThatDoNotGrow(t *testing.T) {
	for name, change := range map[string]func(*coreConfig){
		"MaxWindow":     func(cfg *coreConfig) { cfg.maxWindow = -1 },
		"MaxConnWindow": func(cfg *coreConfig) { cfg.maxConnWindow = -1 },
	} {
		cfg := growConfig()
		change(&cfg)
		d := newDistance(t, cfg, 100*time.Millisecond)
		u := d.post(1<<20, false)
		d.run(time.Minute)
		got, conn := d.p.streams[u.id].credit.Target(), d.p.c.credit.Target()
		if u.got != 1<<20 || got != 65535 || conn != 1<<20 {
			t.Errorf("%s: %d octets were read, the window is %d, the connection's %d", name, u.got, got, conn)
		}
	}
	d := newDistance(t, growConfig(), 100*time.Millisecond)
	d.say("HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a")
	d.next = 3
	unread, read := d.post(1<<20, false), d.post(1<<20, false)
	unread.stopped = true
	d.run(time.Minute)
	for _, id := range []uint32{1, unread.id} {
		n, got := d.frames[fmt.Sprintf("WINDOW_UPDATE %d", id)], d.p.streams[id].credit.Target()
		if n != 0 || got != 65535 {
			t.Errorf("stream %d: %d times WINDOW_UPDATE, the window is %d", id, n, got)
		}
	}
	if read.got != 1<<20 {
		t.Errorf("%d octets were read beside them", read.got)
	}
}

// TestRoundTrip: the shortest measure counts, one PING is on its way at a time (RFC 9113, 6.7), and
// an answer to a PING that was not ours says nothing.
func TestRoundTrip(t *testing.T) {
	p := newPlayer(growConfig(), 0)
	p.feed([]byte(http2.ClientPreface))
	p.send("SETTINGS")
	p.now = p.now.Add(300 * time.Millisecond)
	p.send("SETTINGS ACK")
	want := func(rtt time.Duration) {
		t.Helper()
		if got := p.c.trip.rtt.Round(time.Millisecond); got != rtt {
			t.Errorf("the round trip is %v, want %v", got, rtt)
		}
	}
	want(300 * time.Millisecond)
	ack := fmt.Sprintf("PING ACK %x", tripPing)
	p.frames = nil
	for _, tt := range []struct{ took, rtt time.Duration }{{200, 200}, {400, 200}, {50, 50}} {
		p.send(ack) // nobody asked
		p.c.trip.measure(p.c, p.now)
		p.c.trip.measure(p.c, p.now)
		p.drain()
		if len(p.frames) != 1 || p.frames[0].Type != http2.FramePing {
			t.Fatalf("%v", p.frames)
		}
		p.frames = nil
		p.now = p.now.Add(tt.took * time.Millisecond)
		p.send("PING ACK 0102030405060708")
		p.send(ack)
		want(tt.rtt * time.Millisecond)
	}
}
