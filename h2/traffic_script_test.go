package h2_test

import (
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// trafficScript is one request of random shape: what the client does, and what the handler does.
// Both know it by the field trafficField. It comes of a seed alone.
//
// Client and handler act at instants of fake time that never meet: the client at whole
// milliseconds, the handler half a millisecond later, each script a few microseconds apart from
// every other. Fake time moves on when everybody waits, so what has been done at one instant has
// had its whole effect before the next. What client and handler see is then decided by the script
// and not by the scheduler, and two servers can be compared.
type trafficScript struct {
	I      int // in its batch
	Raw    bool
	Conn   int // of the batch
	Start  int // ms
	Window int // octets that the server lets a client send ahead

	Method, Target string
	Fields         [][2]string
	Length         int64 // of the content-length field; -1: none
	Body           []trafficStep
	NoBody         bool // END_STREAM comes with HEADERS
	Expect         bool
	Trailers       [][2]string
	Announce       bool // the trailers
	End            string
	Cancel         int // ms after Start; 0: never
	Code           uint32

	Reads   []trafficStep
	ReadEnd string

	Now  bool   // the handler begins at the client's instant
	Wild bool   // so does everything: nothing is compared but the request
	Odd  string // what is malformed

	Close bool // the answer says Connection: close; the connection is this request's alone
	Ops   []trafficOp
}

// trafficField carries the number of a script in its batch.
const trafficField = "X-Script"

// trafficHello is the path of a request that belongs to no script.
const trafficHello = "/hello"

// The ways a body ends.
const (
	endFin   = "fin"   // END_STREAM, or trailers
	endError = "error" // Go's client: Body.Read fails; raw: RST_STREAM
	endNever = "never" // it goes on until the request is cancelled
)

// The ways a client ends to read.
const (
	readAllOf  = "all"
	readClose  = "close"
	readCancel = "cancel"
)

// trafficStep is a wait in ms, and then so many octets.
type trafficStep struct{ Wait, N int }

// trafficOp is one thing a handler does.
type trafficOp struct {
	Kind        string
	N           int
	Name, Value string
}

func (s *trafficScript) String() string {
	short := *s
	short.Target = shortened(s.Target)
	short.Fields = nil
	for _, f := range s.Fields {
		short.Fields = append(short.Fields, [2]string{f[0], shortened(f[1])})
	}
	short.Ops = nil
	for _, op := range s.Ops {
		op.Value = shortened(op.Value)
		short.Ops = append(short.Ops, op)
	}
	type plain trafficScript
	return fmt.Sprintf("%#v", plain(short))
}

func shortened(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%s… (%d)", s[:40], len(s))
	}
	return s
}

// uploads is how many octets of a body the client means to send.
func (s *trafficScript) uploads() int { return sumSteps(s.Body) }

// answers is how many octets the handler means to write.
func (s *trafficScript) answers() int {
	n := 0
	for _, op := range s.Ops {
		switch op.Kind {
		case "write", "string", "copy":
			n += op.N
		case "duplex":
			n += op.N
		case "echo":
			n += s.uploads()
		}
	}
	return n
}

func sumSteps(steps []trafficStep) (n int) {
	for _, p := range steps {
		n += p.N
	}
	return n
}

func (s *trafficScript) has(kinds ...string) bool {
	for _, op := range s.Ops {
		for _, k := range kinds {
			if op.Kind == k {
				return true
			}
		}
	}
	return false
}

// hasField says whether the handler sets a field.
func (s *trafficScript) hasField(name string) bool {
	for _, op := range s.Ops {
		if (op.Kind == "set" || op.Kind == "add") && op.Name == name {
			return true
		}
	}
	return false
}

// readsFirst says that the handler reads all of the body before it answers.
func (s *trafficScript) readsFirst() bool {
	if s.passes("readby") || s.has("maxbytes") {
		return false
	}
	for _, op := range s.Ops {
		if sd := side(op.Kind); sd != "op" || op.Kind == "flush" {
			return op.Kind == "readall"
		}
	}
	return false
}

// sets is how often the handler sets a deadline.
func (s *trafficScript) sets(kind string) (n int) {
	for _, op := range s.Ops {
		if op.Kind == kind || op.Kind == "nodeadline" {
			n++
		}
	}
	return n
}

// passes says that a deadline may pass while the handler works.
func (s *trafficScript) passes(kind string) bool {
	for _, op := range s.Ops {
		if op.Kind == kind && op.N < 1000 {
			return true
		}
	}
	return false
}

// cancels says that the client gives the request up at some time, one way or the other.
func (s *trafficScript) cancels() bool {
	return s.Cancel > 0 || s.End == endError || s.ReadEnd != readAllOf || s.lies()
}

// lies says that the body is not as long as its content-length says: Go's client gives up when it
// finds out, and a server resets the stream.
func (s *trafficScript) lies() bool {
	return !s.NoBody && s.Length >= 0 && s.Length != int64(s.uploads())
}

// generator makes the scripts of a batch.
type generator struct {
	*rand.Rand
	window int // octets the server lets a client send ahead on a stream
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// size is a number of octets, mostly a small one.
func (g *generator) size() int {
	switch k := g.IntN(200); {
	case k < 10:
		return 0
	case k < 80:
		return 1 + g.IntN(100)
	case k < 90:
		return pick(g, 4095, 4096, 4097, 8192, 16384, 16385, 65535, 65536)
	case k < 160:
		return 1 + g.IntN(5000)
	case k < 190:
		return 1 + g.IntN(20_000)
	case k < 198:
		return 1 + g.IntN(80_000)
	}
	return 1 + g.IntN(300_000)
}

// pieces cuts n octets into steps.
func (g *generator) pieces(n int) []trafficStep {
	var steps []trafficStep
	for n > 0 || len(steps) == 0 {
		p := n
		if g.chance(60) && n > 1 {
			p = 1 + g.IntN(n)
		}
		if len(steps) == 12 {
			p = n
		}
		wait := 0
		if g.chance(40) {
			wait = g.IntN(8)
		}
		steps = append(steps, trafficStep{wait, p})
		if n -= p; n == 0 {
			break
		}
	}
	return steps
}

// script makes one.
func (g *generator) script(i int, raw bool, conns int) *trafficScript {
	s := &trafficScript{I: i, Raw: raw, Conn: g.IntN(conns), Start: g.IntN(30), Window: g.window,
		Length: -1, End: endFin, ReadEnd: readAllOf}
	g.request(s)
	g.content(s)
	g.ending(s)
	g.reading(s)
	s.Now = s.NoBody && !s.cancels() && g.chance(30)
	g.handler(s)
	s.Wild = g.chance(8)
	if s.Wild || s.Method == "HEAD" || !s.readsFirst() {
		s.Trailers = nil // net/http ends the connection for trailers that cross a RST_STREAM of its own
	}
	if !s.Raw && g.chance(2) {
		s.Close = true
		s.Ops = slices.Insert(s.Ops, 0, trafficOp{"set", 0, "Connection", "close"})
	}
	if s.Raw && g.chance(2) {
		s.Odd = pick(g, "name", "connection", "te", "space", "method", "length", "pseudo", "control")
		// A server that has refused HEADERS may take what follows for frames of an idle stream.
		s.NoBody, s.Expect, s.Trailers, s.Length, s.End = true, false, nil, -1, endFin
	}
	return s
}

func (g *generator) request(s *trafficScript) {
	s.Method = pick(g, "GET", "GET", "GET", "HEAD", "POST", "POST", "POST", "PUT", "PUT", "PATCH",
		"DELETE", "OPTIONS", "TRACE", "BREW", "M-SEARCH")
	s.Target = pick(g, "/", "/", "/a/b", "//double", "/%41%2f", "/a/../b", "/./", "/a;p=1", "/*",
		"/~x", "/a+b", "/'()!$&,", "/%E4%BC%9A", "/a//b/",
		"/"+strings.Repeat("long/", g.IntN(100)))
	s.Target += pick(g, "", "", "", "?", "?a=1", "?a=1&a=2&b", "?a=%zz", "?a;b", "?a?b",
		"?q="+strings.Repeat("v", g.IntN(500)), "?a=b+c%20d")
	if g.chance(10) {
		s.Fields = append(s.Fields, [2]string{"te", "trailers"})
	}
	if s.Method == "OPTIONS" && s.Raw && g.chance(50) {
		s.Target = "*"
	}
	for range g.IntN(6) {
		s.Fields = append(s.Fields, pick(g,
			[2]string{"x-one", "1"}, [2]string{"x-many", "first"}, [2]string{"x-many",
				"second, third"}, [2]string{"x-empty", ""},
			[2]string{"cookie", "a=1"}, [2]string{"cookie", "b=2; c=3"}, [2]string{"cookie",
				"d"}, [2]string{"accept", "*/*;q=0.5"},
			[2]string{"accept-encoding", "br"}, [2]string{"user-agent",
				"traffic/1"}, [2]string{"authorization", "Basic eDp5"},
			[2]string{"content-type", "application/x-www-form-urlencoded"}, [2]string{"content-type",
				"text/plain"}, [2]string{"if-none-match", `W/"x", "y"`},
			[2]string{"range", "bytes=0-1,3-"}, [2]string{"x-latin", "caf\xe9 \x80"}, [2]string{"x-utf8",
				"äöü 会"}, [2]string{"x-punct", `"(),/:;<=>?@[\]{}`},
			[2]string{"x-space", "\tv "}, [2]string{"x-tab", "a\tb"}, [2]string{"priority",
				"u=3, i"}, [2]string{"forwarded", "for=1.2.3.4"},
			[2]string{"x-long", strings.Repeat("long value ",
				g.IntN(300)) + "."}, [2]string{"!#$%&'*+-.^_`|~", "token"},
			[2]string{"via", "1.1 proxy"}, [2]string{"x-forwarded-for",
				"1.2.3.4"}, [2]string{"content-language", "de"}, [2]string{"expect", "miracles"},
			[2]string{"proxy-authorization", "Basic eDp5"}, [2]string{"referer",
				"http://elsewhere/"}, [2]string{"upgrade-insecure-requests", "1"}))
	}
}

// content makes the body of the request.
func (g *generator) content(s *trafficScript) {
	likely := 15
	if strings.HasPrefix(s.Method, "P") || s.Method == "BREW" {
		likely = 85
	}
	if s.Target == "*" || s.Method == "TRACE" && !s.Raw ||
		!g.chance(likely) { // OPTIONS * is net/http's own to answer
		s.NoBody = true
		if s.Raw && g.chance(20) {
			s.Length = 0
		}
		return
	}
	s.Body = g.pieces(g.size())
	if n := s.uploads(); g.chance(50) {
		s.Length = int64(n)
	}
	s.Expect = g.chance(8) && s.uploads() > 0
	if g.chance(20) {
		for range 1 + g.IntN(3) {
			s.Trailers = append(s.Trailers, pick(g, [2]string{"x-sum", "abc"}, [2]string{"x-end", ""},
				[2]string{"x-end", "two, three"},
				[2]string{"grpc-status", "0"}, [2]string{"x-size", strconv.Itoa(s.uploads())}))
		}
		if s.Announce = !s.Raw || g.chance(70); !s.Raw {
			s.Length = -1 // Go's client sends trailers only with a body of unknown length
		}
	}
	if !s.Raw && s.Method == "TRACE" {
		s.Expect = false
	}
}

// ending decides how the request ends before its time. What the client has sent until then fits
// into the window, so that all of it has arrived.
func (g *generator) ending(s *trafficScript) {
	switch k := g.IntN(100); {
	case k < 8:
		s.Cancel = 1 + g.IntN(25)
	case k < 12 && !s.NoBody:
		s.End = endError
	case k < 15 && !s.NoBody:
		s.End, s.Cancel = endNever, 5+g.IntN(40)
	case k < 18 && !s.NoBody && s.Length >= 0: // a lie about the length
		if s.Length += int64(pick(g, 1, 7, 5000)); g.chance(50) && s.uploads() > 0 {
			s.Length = int64(g.IntN(s.uploads()))
		}
		if s.Length == 0 && !s.Raw {
			s.Length = 1
		}
		s.Trailers = nil // behind a reset net/http ends the connection for them
	}
	s.Code = pick[uint32](g, 8, 8, 8, 0, 2, 7, 5)
	if s.cancels() {
		g.small(s)
	}
}

// small makes the body fit into half of the window.
func (g *generator) small(s *trafficScript) {
	for s.uploads() > g.window/2 {
		n := s.uploads()
		for i := range s.Body {
			s.Body[i].N /= 2
		}
		if s.Length == int64(n) {
			s.Length = int64(s.uploads())
		}
	}
}

// reading makes the pace at which the client reads the answer.
func (g *generator) reading(s *trafficScript) {
	if g.chance(60) {
		return
	}
	for range 1 + g.IntN(6) {
		s.Reads = append(s.Reads, trafficStep{g.IntN(12), pick(g, 1, 100, 4096, 1+g.IntN(30_000))})
	}
	switch k := g.IntN(100); {
	case k < 15:
		s.ReadEnd = readClose
	case k < 30:
		s.ReadEnd = readCancel
	}
	if s.cancels() {
		g.small(s)
	}
}

// handler makes what the handler does.
func (g *generator) handler(s *trafficScript) {
	op := func(kind string, n int) { s.Ops = append(s.Ops, trafficOp{Kind: kind, N: n}) }
	if g.chance(4) {
		op("maxbytes", g.IntN(10_000))
	}
	if g.chance(10) {
		op(pick(g, "readby", "writeby"), 3_600_000)
	}
	if g.chance(4) {
		op("readby", pick(g, -1, 1, 5, 20))
	}
	fields := g.fields(s)
	respond := func() {
		s.Ops = append(s.Ops, fields...)
		fields = nil
		for range g.IntN(10) - 7 {
			s.Ops = append(s.Ops, trafficOp{"info", pick(g, 103, 103, 102), "Link", "</x.css>"})
		}
		if g.chance(50) {
			op("status", pick(g, 200, 200, 200, 201, 202, 204, 205, 206, 299, 301, 304, 400, 404, 418, 500,
				503, 599, 999))
		}
		for range g.IntN(5) {
			switch g.IntN(8) {
			case 0:
				op(pick(g, "flush", "rcflush"), 0)
			case 1:
				op("sleep", g.IntN(10))
			case 2:
				op("string", g.size())
			case 3:
				op("copy", g.size())
			case 4:
				op("context", 0)
			default:
				op("write", g.size())
			}
		}
	}
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		op("readall", 0)
		respond()
	case 4, 5:
		respond()
	case 6, 7:
		op("read", g.size())
		respond()
	case 8:
		if respond(); !s.NoBody {
			op("readall", 0)
		}
		if g.chance(50) {
			op("write", g.size())
		}
	case 9:
		s.Ops = append(s.Ops, fields...)
		op("echo", 0)
	case 10:
		s.Ops = append(s.Ops, fields...)
		op("duplex", g.size())
	default:
		s.Ops = append(s.Ops, fields...)
		for range g.IntN(8) {
			switch g.IntN(12) {
			case 0:
				op("readall", 0)
			case 1, 2:
				op("read", g.size())
			case 3:
				op("closebody", 0)
			case 4:
				op("sleep", g.IntN(30))
			case 5:
				op("info", pick(g, 102, 103))
			case 6:
				op("status", pick(g, 200, 204, 404))
			case 7:
				op(pick(g, "flush", "rcflush"), 0)
			case 8:
				op("context", 0)
			case 9:
				op(pick(g, "fullduplex", "hijack"), 0)
			default:
				op(pick(g, "write", "string", "copy"), g.size())
			}
		}
	}
	if !s.Raw && !s.NoBody {
		g.kind(s)
	}
	if len(s.Ops) > 0 && g.chance(8) {
		i := g.IntN(len(s.Ops))
		s.Ops = slices.Insert(s.Ops, i, trafficOp{Kind: pick(g, "readby", "writeby", "nodeadline"),
			N: pick(g, -1, 2, 8, 30, 3_600_000)})
	}
	if s.hasField("Trailer") {
		s.Ops = append(s.Ops, trafficOp{"set", 0, "X-Check", "sum"})
	}
	if g.chance(3) {
		s.Ops = append(s.Ops, trafficOp{"set", 0, "Trailer:X-Late", "unannounced"})
	}
	if g.chance(6) {
		i := g.IntN(len(s.Ops) + 1)
		s.Ops = append(s.Ops[:i:i], trafficOp{Kind: pick(g, "panic", "abort", "goexit")})
	}
	if s.cancels() && g.chance(50) {
		op("waitctx", 0)
	}
}

// kind keeps a handler from waiting for a body behind an answer of 300 and more: Go's client stops
// sending for one.
func (g *generator) kind(s *trafficScript) {
	for i, op := range s.Ops {
		if op.Kind == "status" && op.N > 299 {
			s.Ops[i].N = pick(g, 200, 202, 299)
		}
	}
}

// fields are those of the answer.
func (g *generator) fields(s *trafficScript) (ops []trafficOp) {
	for range g.IntN(5) {
		kv := pick(g, [2]string{"X-A", "1"}, [2]string{"X-A", "two, three"}, [2]string{"X-Empty", ""},
			[2]string{"Set-Cookie", "a=1; Path=/"},
			[2]string{"Set-Cookie", "b=2"}, [2]string{"Content-Type",
				"text/x-traffic"}, [2]string{"Content-Encoding", "br"}, [2]string{"Etag", `"x"`},
			[2]string{"Server", "traffic"}, [2]string{"Location", "/elsewhere"}, [2]string{"Vary",
				"*"}, [2]string{"X-Bad\x00", "v"}, [2]string{"X-Line", "a\nb"},
			[2]string{"Connection", "keep-alive"}, [2]string{"Transfer-Encoding",
				"chunked"}, [2]string{"x-lower", "1"}, [2]string{"X-Latin", "caf\xe9"},
			[2]string{"Keep-Alive", "timeout=5"}, [2]string{"Upgrade", "h2c"}, [2]string{"X-Space",
				" v "}, [2]string{"X-Long", strings.Repeat("v", g.IntN(3000))})
		ops = append(ops, trafficOp{pick(g, "set", "add"), 0, kv[0], kv[1]})
	}
	if g.chance(10) {
		ops = append(ops, trafficOp{"set", 0, "Trailer", pick(g, "X-Check", "X-Check, X-Other")})
	}
	if g.chance(12) {
		ops = append(ops, trafficOp{Kind: "length", N: pick(g, 0, 0, 0, 0, 0, 1, -1, 1000)})
	}
	if g.chance(3) {
		ops = append(ops, trafficOp{Kind: "nodate"})
	}
	return ops
}

// trafficText are the octets of bodies: something that looks like text, like HTML, and like
// nothing.
var trafficText = func() (kinds [3][]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for k := range kinds {
		b := make([]byte, 64<<10)
		for i := range b {
			b[i] = "abcdefghijklmno pqrstuvwxyz\n"[r.IntN(28)]
			if k == 2 {
				b[i] = byte(r.Uint32())
			}
		}
		kinds[k] = b
	}
	for i := 0; i < 64<<10; i += 16 {
		copy(kinds[1][i:], "<html>")
	}
	return kinds
}()

// fill writes the octets from off on of the body that key names.
func fill(p []byte, key, off int) {
	text := trafficText[key%3]
	for i := (key/3*16 + off) % len(text); len(p) > 0; i = 0 {
		p = p[copy(p, text[i:]):]
	}
}

// pattern is the body that key names, n octets from off on.
func pattern(key, off, n int) []byte {
	b := make([]byte, n)
	fill(b, key, off)
	return b
}

// tally counts the octets of a body, and holds them against what was sent.
type tally struct {
	key, n int
	wrong  int // the first octet that differs, from 1; 0: none
	buf    []byte
}

func (t *tally) Write(p []byte) (int, error) {
	if len(t.buf) < len(p) {
		t.buf = make([]byte, len(p))
	}
	want := t.buf[:len(p)]
	fill(want, t.key, t.n)
	if t.wrong == 0 && crc32.ChecksumIEEE(want) != crc32.ChecksumIEEE(p) {
		for i := range p {
			if p[i] != want[i] {
				t.wrong = t.n + i + 1
				break
			}
		}
	}
	t.n += len(p)
	return len(p), nil
}

func (t *tally) String() string {
	if t.wrong > 0 {
		return fmt.Sprintf("%d octets, WRONG from %d on", t.n, t.wrong)
	}
	return strconv.Itoa(t.n)
}

// patternReader is a body as an io.Reader.
type patternReader struct{ key, off, left int }

func (r *patternReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	fill(p[:n], r.key, r.off)
	r.off += n
	r.left -= n
	return n, nil
}

// trafficClock is the fake time of a batch.
type trafficClock struct{ base time.Time }

// The instants of client and handler.
func (s *trafficScript) clientPhase() time.Duration { return time.Duration(s.I) * 4 * time.Microsecond }
func (s *trafficScript) readPhase() time.Duration   { return s.clientPhase() + time.Microsecond }
func (s *trafficScript) cancelPhase() time.Duration { return s.clientPhase() + 2*time.Microsecond }
func (s *trafficScript) handlerPhase() time.Duration {
	if s.Wild {
		return s.clientPhase()
	}
	return s.clientPhase() + 500*time.Microsecond
}

// in is how long it is until an instant of phase that is at least ms away.
func (c trafficClock) in(ms int, phase time.Duration) time.Duration {
	now := time.Since(c.base)
	at := now.Truncate(time.Millisecond) + time.Duration(ms)*time.Millisecond + phase
	if at <= now {
		at += time.Millisecond
	}
	return at - now
}

func (c trafficClock) sleep(ms int, phase time.Duration) { time.Sleep(c.in(ms, phase)) }

// settle goes on to the next instant of phase, unless this is one: octets that were cut take some
// nanoseconds.
func (c trafficClock) settle(phase time.Duration) {
	if off := time.Since(c.base)%time.Millisecond - phase; off < 0 || off > 20*time.Microsecond {
		c.sleep(0, phase)
	}
}

// until sleeps until an instant that is ms after the beginning of the batch.
func (c trafficClock) until(ms int, phase time.Duration) {
	time.Sleep(time.Duration(ms)*time.Millisecond + phase - time.Since(c.base))
}
