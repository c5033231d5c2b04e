package websocket

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"weir/stream"
)

// Session is one open WebSocket. A handler gets its session in Init; a Group knows all of its own.
// The methods may be called from any goroutine. A nil or zero Session is one that was never opened:
// Post and Send give an error that is ErrEnded, Context has ended, and the others say nothing.
//
// A session is an actor: what arrives, what is posted and what timers say waits in its mailbox, and
// a goroutine works it off in turns only while there is something. On HTTP/1.1 that is the
// goroutine that reads the connection.
type Session struct {
	st      stream.Stream
	mail    stream.Mailbox[inbox]
	phase   atomic.Int32 // of phase
	large   atomic.Bool  // what comes next is of a large message: worth a Fill, or more credit than the window
	backlog atomic.Int32 // posts that wait
	own     bool         // Data comes on a goroutine of our own: turns run there
	crewed  bool         // a crew does the turns
	informs bool         // the handler has Info

	// What follows belongs to the holder of turn.
	attached   bool
	headless   bool // the answer to the handshake waits for the first Send
	stalled    bool // more than SendHigh is queued: no new frame or post
	gone       bool // Closed was told
	terminated bool
	done       bool   // resources are given back, the group has let go
	calling    bool   // a callback runs; turn is not held
	handing    bool   // the turn is one of the crew's, which sees to the output
	holder     holder // who has turn
	turn       lock   // held by the runner, but not while a callback runs
	m          machine
	h          Handler
	sc         *scratch
	alarm      alarm
	rare       *rare // nil: nothing of it is needed

	req   atomic.Pointer[request]
	ctx   atomic.Pointer[sessionContext]
	links links // the group's
}

// The phases of a session.
const (
	phaseOpen = iota
	phaseOver // ended: posts are refused, what arrives is looked through for a close frame
	phaseDeaf // ended: what arrives is dropped where it arrives
)

// never says that s was never opened: it is nil, or the zero Session. A handler that embeds its
// session has that until Init.
func (s *Session) never() bool { return s == nil || s.st == nil }

// over says that the session has ended.
func (s *Session) over() bool { return s.phase.Load() != phaseOpen }

// holder is who has turn, for what must be known if a hook crashes.
type holder uint8

const (
	holderRunner    holder = iota
	holderAside            // somebody else, who applies commands or sends
	holderTransport        // the transport's goroutine, which must not wait
)

// rare is what few idle sessions have.
type rare struct {
	posts   []any // taken from the mailbox, not handled yet
	answers int   // of a Conn: octets that frames have added since it stalled
	goneErr error
	events  []Event       // that Options.Trace has not been told
	waiters chan struct{} // of a Conn: closed when there is room, see do
	failed  bool          // the stream takes nothing more, and Closed is about to be told
}

func (r *rare) empty() bool {
	return r == nil || len(r.posts) == 0 && r.answers == 0 && r.goneErr == nil && r.waiters == nil &&
		len(r.events) == 0 && !r.failed
}

// needs makes what is rare.
func (s *Session) needs() *rare {
	if s.rare == nil {
		s.rare = new(rare)
	}
	return s.rare
}

// failed says that the stream takes nothing more, and Closed is about to be told.
func (s *Session) failed() bool { return s.rare != nil && s.rare.failed }

// goneErr is what Closed was told.
func (s *Session) goneErr() error {
	if s.rare == nil {
		return nil
	}
	return s.rare.goneErr
}

// inbox is what waits for a session.
type inbox struct {
	data    *buffer // octets that arrived, posts, and the stream's error
	closed  bool    // the stream has come to its end
	touched bool    // something arrived, be it an empty DATA frame
	fin     bool    // the peer ended its side
	drained bool    // the send queue is short again
	alarm   bool    // the timer fired
	drain   bool    // the server shuts down
	cut     bool    // the session is to be given up
	resume  bool    // a Conn has been read far enough
}

// buffer is that of the box; the mailbox is locked.
func (box *inbox) buffer() *buffer {
	if box.data == nil {
		box.data = takeBuffer()
	}
	return box.data
}

// The errors of Post and Send.
var (
	ErrEnded   = errors.New("websocket: the session has ended")
	ErrBacklog = errors.New("websocket: too many posted messages wait")
	ErrNoInfo  = errors.New("websocket: the handler has no Info")
)

// errNever is what a Session that was never opened says.
var errNever = fmt.Errorf("%w: it was never opened", ErrEnded)

// newSession makes the session of an open stream; begin starts it. o is not nil. g, which may be
// nil, is its group; answer are the fields of the 101 or 200.
func newSession(st stream.Stream, h Handler, o *Options, g *Group, req *PartialRequest, answer http.Header) *Session {
	info := st.Info()
	s := &Session{st: st, own: info.Own, h: h, headless: true}
	agreed := agreed{answer.Get("Sec-Websocket-Protocol"), answer.Get("Sec-Websocket-Extensions")}
	s.req.Store(requestOf(req, o.ReqFilter != nil, agreed, g, info))
	s.m = newMachine(o, time.Now())
	if o.Trace != nil {
		s.m.one().told = new(tracedStats)
		s.m.one().trace = s.trace
	}
	_, s.crewed = st.(stream.Crew)
	_, s.m.role.pieces = h.(*connHandler)
	_, s.informs = h.(Informer)
	s.m.furnish()
	s.mail.Claim()
	return s
}

// begin opens the session: Init, the handshake's answer, then the tap. It returns at once.
func (s *Session) begin() {
	s.group().join(s)
	go s.open() // ends when nothing is left to do; what arrives starts the next
}

func (s *Session) open() {
	sc := takeScratch()
	s.turn.Lock()
	s.useScratch(sc)
	sc.now = time.Now()
	s.m.tell(Event{Kind: EventOpen})
	if i, ok := s.h.(Initer); ok {
		s.call(call{kind: callInit, init: i})
	}
	s.finish()
	s.attach()
	s.dropScratch()
	s.turn.Unlock()
	s.takeTurns(sc)
}

// attach opens the tap, once. With turn held.
func (s *Session) attach() {
	if s.attached {
		return
	}
	s.attached = true
	s.st.Attach((*sink)(s), stream.Limits{Window: s.m.opt.Window, Low: s.sendHigh() / 2, WriteTimeout: or(s.m.opt.SendTimeout, DefaultSendTimeout, -1)})
}

func (s *Session) window() int { return or(s.m.opt.Window, stream.DefaultWindow, stream.DefaultWindow) }

// sendHigh is how many octets may be queued before the session takes no new frame or post.
func (s *Session) sendHigh() int { return or(s.m.opt.SendHigh, DefaultSendHigh, math.MaxInt) }

// mostOutput is how many octets a turn gathers before it sends them.
func (s *Session) mostOutput() int { return or(s.m.opt.SendHigh, DefaultSendHigh, DefaultSendHigh) }

// backlogLimit is how many posts may wait.
func (s *Session) backlogLimit() int {
	return min(or(s.m.opt.Backlog, DefaultBacklog, math.MaxInt32), math.MaxInt32)
}

// Post sends msg to the handler's Info callback. It never waits: ErrBacklog says that
// Options.Backlog messages wait already, ErrEnded that nobody will see it, ErrNoInfo that the
// handler is no Informer; that of a Conn is none. All leave msg unposted. What still waits when the
// session ends is dropped.
//
// To post a Command or Commands is to Send them: Info does not see them, and need not be there.
func (s *Session) Post(msg any) error {
	switch c := msg.(type) {
	case Command:
		return s.Send(c)
	case Commands:
		return s.Send(c...)
	}
	if s.never() {
		return errNever
	}
	if !s.informs {
		return ErrNoInfo
	}
	return s.post(msg)
}

// post puts msg into the mailbox: a message for Info, or what Send sends.
func (s *Session) post(msg any) error {
	if s.over() {
		return ErrEnded
	}
	if int(s.backlog.Add(1)) > s.backlogLimit() {
		s.backlog.Add(-1)
		return ErrBacklog
	}
	b := s.mail.Lock().buffer()
	b.posts = append(b.posts, msg)
	s.start(s.mail.Unlock())
	return nil
}

// StreamInfo says what the WebSocket runs on. It is the stream's Info, under a name that is no
// callback's: a handler may embed its *Session.
func (s *Session) StreamInfo() stream.Info {
	if s.never() {
		return stream.Info{}
	}
	return s.st.Info()
}

// Stats are what the session has received and sent so far.
func (s *Session) Stats() Stats {
	if s.never() {
		return Stats{}
	}
	if s.m.opt.Trace != nil { // which runs with turn held, and may ask
		return s.m.few.told.get() // few was made with the session, and stays
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.m.stats
}

// Context is cancelled when the stream ends or is cut. It carries the values of Options.Context.
func (s *Session) Context() context.Context {
	if s.never() {
		return endedContext()
	}
	return contextOf(&s.ctx, s.m.opt.Context)
}

// data takes what arrived, see stream.Sink.
func (s *Session) data(b []byte, fin bool) {
	if s.phase.Load() == phaseDeaf {
		s.st.Release(len(b))
		if !fin {
			return
		}
		b = nil // our end may wait for the peer's
	}
	if s.crewed && (len(b) >= swallowed || s.large.Load()) {
		if b = b[s.swallow(b):]; len(b) == 0 && !fin {
			return
		}
	}
	if s.own && s.mail.Claim() {
		sc := takeScratch()
		s.take(&inbox{touched: true, fin: fin}, b, sc, time.Now())
		s.takeTurns(sc)
		return
	}
	box := s.mail.Lock()
	box.touched = true
	box.fin = box.fin || fin
	if len(b) > 0 {
		have := box.buffer()
		have.b = append(have.b, b...)
	}
	start := s.mail.Unlock()
	if start && s.own {
		s.work()
		return
	}
	s.start(start)
}

// swallowed is the least that is worth a look whether it begins what can go where it belongs at
// once.
const swallowed = 1 << 10

// swallow takes, on the transport's goroutine, what is a part of a large message and asks for no
// callback: so its octets are copied once. It says how many it took, and never waits.
func (s *Session) swallow(b []byte) (n int) {
	if !s.mail.Claim() {
		return 0 // what came before waits, or is being looked at
	}
	if s.turn.TryLock() {
		if s.m.work == nil {
			s.m.takeUp(takeWork())
		}
		s.holder = holderTransport
		if n = s.m.swallows(b); n > 0 && !s.stalled {
			s.m.feed(b[:n], false, time.Now())
			if _, ok := s.m.next(); ok {
				panic("websocket: BUG: a part of a message was a whole one")
			}
			s.m.settle()
			if s.m.ended { // the next turn says so
				s.mail.Lock().touched = true
				s.mail.Unlock()
			}
			s.credit(s.m.takeConsumed())
		} else {
			n = 0
		}
		s.m.layDown().free()
		s.holder = holderRunner
		s.turn.Unlock()
	}
	s.start(s.mail.Rest())
	return n
}

// credit gives back what n octets took, and lets the peer send what is to come of a large message.
// With turn held.
func (s *Session) credit(n int) {
	if s.crewed {
		if more := s.m.expects(); more > 0 || s.large.Load() {
			s.large.Store(more > 0)
			if e, ok := s.st.(stream.Expecter); ok {
				e.Expect(n, more)
				return
			}
		}
	}
	if n > 0 {
		s.st.Release(n)
	}
}

// fill is where what comes next belongs, see stream.Filler. While somebody works for the session,
// or something waits for it, what comes next cannot be known.
func (s *Session) fill() (b []byte) {
	if !s.large.Load() || !s.mail.Claim() {
		return nil
	}
	if s.turn.TryLock() {
		b = s.m.fill()
		s.turn.Unlock()
	}
	s.start(s.mail.Rest())
	return b
}

// queueDrained is told when the send queue is short again.
func (s *Session) queueDrained() {
	s.mail.Lock().drained = true
	s.start(s.mail.Unlock())
}

// streamClosed is told, once and last, when the stream has come to its end.
func (s *Session) streamClosed(err error) {
	cancelContext(&s.ctx)
	box := s.mail.Lock()
	box.closed = true
	if err != nil {
		box.buffer().err = err
	}
	s.start(s.mail.Unlock())
}

func (s *Session) crew() stream.Crew { return s.st.(stream.Crew) }

func (s *Session) start(start bool) {
	if !start {
		return
	}
	if r, ok := s.st.(stream.Runner); ok {
		r.Enlist((*sink)(s))
	} else {
		go takeRunner(s).run() // ends when the mailbox is empty; whoever fills it starts the next
	}
}

// drain asks the session to come to an end, cut gives it up.
func (s *Session) drain() {
	s.mail.Lock().drain = true
	s.start(s.mail.Unlock())
}

func (s *Session) cut() {
	cancelContext(&s.ctx)
	s.st.Reset(stream.Cancel)
	s.mail.Lock().cut = true
	s.start(s.mail.Unlock())
}

// unsent says that octets of a session wait for its peer.
func (s *Session) unsent() bool {
	queued, _ := s.st.Send(nil, false) // an error says no more than that our end has left
	return queued > 0
}

// leave ends the stream of a session that has ended and waits for its peer, which need not miss
// anything.
func (s *Session) leave() {
	cancelContext(&s.ctx)
	s.st.Reset(stream.NoError)
}

// Cut gives the session up, at once and without a close frame: RST_STREAM(CANCEL) or a TCP reset.
// What waits to be sent is dropped, and the handler is told error closed. It is for a peer that
// does not read; others are closed with a command.
func (s *Session) Cut() {
	if !s.never() {
		s.cut()
	}
}
