package load

import (
	"math"
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// phase of an engine, in this order.
type phase uint8

const (
	connecting phase = iota
	waiting          // for the other engines
	running          // warm-up and measurement
	resting          // all answers are there; the figures are being taken
	closing
	finished
)

// shell is what moves an engine's octets.
type shell interface {
	dial(l *link)          // linkUp or linkDown follows
	kick(l *link)          // the link has something to write, or will have once it is pumped
	drop(l *link)          // close it; linkDown was called, or is not wanted
	trickle(links []*link) // a second has passed for those that read slowly
}

// engine holds the WebSockets of one thread. It is not for concurrent use.
type engine struct {
	cfg      *Config
	run      *run
	shell    shell
	messages []message
	first    byte // of a frame with a whole message, not compressed

	links    []*link
	quic     QUIC      // of HTTP/3, at the end
	sockets  []*socket // those that count, then the slow ones
	counted  int
	speaker  *socket // of Broadcast
	slow     []*link // read by trickle
	dialled  int     // sockets whose turn to open has come
	nextOpen int64
	opening  int
	settled  int // opened or failed
	openNow  int
	everOpen int
	lost     int   // were open, and ended before the end
	firstErr error // why the first that failed did

	phase       phase
	issuing     bool
	measuring   bool
	budget      int64 // of all sockets that live
	share       int64 // messages to measure, with Config.Messages
	inflight    int64 // issued, not answered; of Broadcast deliveries
	schedule    schedule
	measureFrom int64
	measureTo   int64
	lastAnswer  int64
	deadline    int64 // of the phase
	nextTrickle int64

	pending []int64 // of Broadcast in a closed loop: deliveries missing of message i, at i modulo its length

	latency, handshake, lag *hdrhistogram.Histogram
	measured                int64 // answers in the time measured
	wireIn, wireOut         int64 // payload octets of answers; octets of frames sent
	answers, written        int64 // all
	errors                  map[string]int64
	series                  series
	inflater                inflater

	shown     struct{ open, messages, errors atomic.Int64 } // for who asks from outside
	gone      int64                                         // errors
	nextShown int64
}

// Bounds of the histograms, in nanoseconds: latencies of over five minutes count as five minutes.
const (
	lowest  = 1000
	highest = int64(300e9)
)

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, 3) }

func newEngine(r *run, cfg *Config) *engine {
	e := &engine{cfg: cfg, run: r, messages: r.messages, first: fin | opText, latency: histogram(), handshake: histogram(), lag: histogram(),
		errors: map[string]int64{}}
	if cfg.Binary {
		e.first = fin | opBinary
	}
	return e
}

// addLinks makes n links, with streams sockets on each.
func (e *engine) addLinks(n, streams int) {
	if e.cfg.HTTP3 { // there a stream is a link
		for i := range n * streams {
			l := newLink(e)
			l.group = i / streams
			e.links = append(e.links, l)
			e.addSocket(l, false)
		}
		n = 0
	}
	for range n {
		l := newLink(e)
		e.links = append(e.links, l)
		for range streams {
			e.addSocket(l, false)
		}
	}
	e.counted = len(e.sockets)
}

// addSlow makes n sockets more that read slowly: over HTTP/1.1 on links of their own.
func (e *engine) addSlow(n int) {
	for i := range n {
		l := e.links[i%max(1, len(e.links))]
		if !e.cfg.HTTP2 {
			l = newLink(e)
			l.slow = true
			l.group = -1 - i
			e.links = append(e.links, l)
			e.slow = append(e.slow, l)
		} else if l.h2 != nil && !l.hasSlow {
			l.hasSlow = true
			e.slow = append(e.slow, l)
		}
		e.addSocket(l, true)
	}
}

func (e *engine) addSocket(l *link, slow bool) {
	s := &socket{e: e, link: l, index: len(e.sockets), slow: slow}
	l.sockets = append(l.sockets, s)
	e.sockets = append(e.sockets, s)
}

// record counts an answer to a message that was due at start.
func (e *engine) record(start, now int64) {
	e.answers++
	e.lastAnswer = now
	if start < e.measureFrom || !e.measuring {
		if e.measuring && e.cfg.Messages == 0 && now < e.measureTo {
			e.measured++
			e.series.count++
		}
		return
	}
	if e.cfg.Messages > 0 || now < e.measureTo {
		e.measured++
		e.series.count++
	}
	if start < e.measureTo {
		_ = e.latency.RecordValue(min(max(now-start, lowest), highest))
	}
}

// delivered counts a message that reached a member of the room.
func (e *engine) delivered(s *socket, now int64) error {
	sp := e.speaker
	if s.received >= sp.sent {
		return errUnasked
	}
	var start int64
	if sp.starts != nil {
		i := s.received % int64(len(sp.starts))
		start = sp.starts[i]
		s.received++
		e.missing(i, now)
	} else {
		start = e.schedule.due(s.received)
		s.received++
	}
	e.inflight--
	e.record(start, now)
	return nil
}

// missing says that one delivery less of the message at i is missing; the speaker goes on when none is.
func (e *engine) missing(i, now int64) {
	if e.pending[i]--; e.pending[i] == 0 {
		e.speak(now)
	}
}

// speak makes the speaker's next message due, of a closed loop.
func (e *engine) speak(now int64) {
	sp := e.speaker
	if !e.issuing || sp.budget == 0 || sp.state != open {
		return
	}
	i := sp.issued % int64(len(sp.starts))
	sp.budget--
	e.budget--
	sp.starts[i] = now
	e.pending[i] = int64(e.openNow)
	sp.issued++
	e.inflight += e.pending[i]
	sp.link.ready(sp)
}

// begin starts the load, at now.
func (e *engine) begin(now int64) {
	c := e.cfg
	e.phase, e.issuing = running, true
	e.measureFrom = now + int64(c.Warmup)
	e.measureTo = math.MaxInt64
	if c.Messages == 0 {
		e.measureTo = e.measureFrom + int64(c.Duration)
	}
	if c.Warmup == 0 {
		e.measure(now)
	} else {
		e.setBudgets(math.MaxInt32)
	}
	for _, s := range e.sockets[e.counted:] {
		if s.state == open {
			s.link.ready(s)
		}
	}
	switch {
	case c.Rate > 0:
		n := e.counted
		if c.Mode == Broadcast {
			n = 1
		}
		e.schedule.start(now, c.Rate*e.run.part(e), n)
	case c.Mode == Broadcast:
		e.speaker.starts, e.pending = make([]int64, c.InFlight), make([]int64, c.InFlight)
		for range c.InFlight {
			e.speak(now)
		}
	default:
		for _, s := range e.sockets[:e.counted] {
			s.starts = make([]int64, c.InFlight)
			for range c.InFlight {
				s.issue(now)
			}
		}
	}
}

// measure begins the measurement.
func (e *engine) measure(now int64) {
	e.measuring = true
	e.measureFrom = now
	e.lastAnswer = now
	e.series.start(now, e.cfg.Duration)
	switch c := e.cfg; {
	case c.Mode == Idle:
		e.setBudgets(1)
	case c.Rate > 0: // the schedule has the number
	case c.Messages > 0:
		e.setBudgets(e.share)
	default:
		e.setBudgets(math.MaxInt32)
	}
}

// setBudgets deals messages out: n to each, or for a number to measure, n among all.
func (e *engine) setBudgets(n int64) {
	e.budget = 0
	who := e.sockets[:e.counted]
	if e.cfg.Mode == Broadcast {
		who = []*socket{e.speaker}
	}
	live := int64(0)
	for _, s := range who {
		if s.state == open {
			live++
		}
	}
	rest := n
	deal := e.cfg.Messages > 0 && e.measuring && e.cfg.Mode != Idle
	for _, s := range who {
		if s.state != open {
			continue
		}
		s.budget = n
		if deal {
			s.budget = rest / live
			rest -= s.budget
			live--
		}
		e.budget += s.budget
	}
}

// fail counts what went wrong with a WebSocket, by its name.
func (e *engine) fail(err error) {
	if e.firstErr == nil {
		e.firstErr = err
	}
	e.gone++
	e.errors[err.Error()]++
}
