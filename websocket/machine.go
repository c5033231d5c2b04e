package websocket

import (
	"time"

	"weir/wsframe"
)

// machine is the WebSocket state machine: pure, without socket, clock, lock or goroutine. Its
// verbs: feed what arrived, next for what a handler is to see, apply what the handler wants, output
// for what is to be sent, deadline and tick.
//
// Once it has ended (ended is true, reason says why) it eats what still arrives, looking for a
// close frame at most, and produces nothing but what output still holds: the last frames, and fin.
//
// Between messages a machine is at rest, and needs no more than this struct: work is lent while
// something is under way.
type machine struct {
	opt    *Options // not nil
	*work           // nil: at rest
	clock  clock
	stats  Stats
	few    *few    // nil: the machine is like most
	reason *Reason // never nil

	active bool // frames are handled (command Active)
	ended  bool
	fate   fate
	wait   wait // what our end waits for; fateFin
	role   role
}

// work is what arrived and is not done with, and what is to be sent.
type work struct {
	input input
	out   output
}

// few is what few machines have.
type few struct {
	deflate  *deflation     // nil: not agreed on
	trace    func(Event)    // nil: nobody listens
	told     *tracedStats   // the session's; nil: nobody listens
	shutdown *any           // what ShutdownReason set
	drain    bool           // it was asked to end, for the server shuts down
	changed  *settings      // what SetOptions set
	key      func() [4]byte // a client's masking keys (RFC 6455, 5.3); nil: a server masks nothing
	kind     wsframe.Opcode // of the message being sent in fragments
	size     int64          // octets of it so far
	still    instant        // since when a Conn's window is full
}

// role is how the input is read, and our side ended.
type role struct {
	client   bool // it masks what it sends, and refuses masked frames (RFC 6455, 5.1)
	keepOpen bool // our end waits for the peer's: a client on HTTP/1.1 (RFC 6455, 7.1.1)
	deflated bool // compressed messages may come
	pieces   bool // a message is given in pieces, as it arrives (Conn)
}

// noReason is that of a machine that has not ended.
var noReason Reason

// fate is what becomes of the stream.
type fate uint8

const (
	fateOpen  fate = iota
	fateFin        // our side ends behind the last octets of output
	fateCut        // the stream is to be reset
	fateGone       // the stream is over: nothing can be sent
	fateQuiet      // the peer did not end its side in time: the quiet reset
)

// settings are those Options, with defaults filled in, that may change: zero means none.
type settings struct {
	idle  time.Duration
	limit int64 // of a frame and of a message
}

func (m *machine) settings() settings {
	if m.few != nil && m.few.changed != nil {
		return *m.few.changed
	}
	return settings{idle: or(m.opt.IdleTimeout, DefaultIdleTimeout, 0), limit: or(m.opt.MaxFrameSize, DefaultMaxFrameSize, 0)}
}

// newMachine gives a machine that starts at now.
func newMachine(o *Options, now time.Time) machine {
	m := machine{opt: o, active: true, reason: &noReason}
	m.clock.heard = instantOf(now)
	m.takeUp(takeWork())
	return m
}

// client makes the machine a client's.
func (m *machine) client(keepOpen bool, key func() [4]byte) {
	m.role.client, m.role.keepOpen = true, keepOpen
	m.one().key = key
	m.furnish()
}

// one makes the machine one of the few.
func (m *machine) one() *few {
	if m.few == nil {
		m.few = new(few)
	}
	return m.few
}

// takeUp lends w, which is as new, to a machine at rest.
func (m *machine) takeUp(w *work) {
	m.work = w
	m.furnish()
}

// furnish makes work what the machine's role and settings ask for.
func (m *machine) furnish() {
	in := &m.input
	in.pieces = m.role.pieces
	in.rd.Client, in.rd.Deflate = m.role.client, m.role.deflated
	in.rd.MaxFrameSize, in.rd.MaxFragments, in.rd.Skip = 0, 0, m.ended
	switch {
	case m.ended: // frames are passed over, whatever their size
		in.rd.MaxFragments = -1
	case !in.pieces:
		in.rd.MaxFrameSize = m.settings().limit
	}
	if m.few != nil {
		m.out.key = m.few.key
	}
}

// layDown ends the loan of work, which is as new, if nothing is under way; else it gives nil.
func (m *machine) layDown() *work {
	w := m.work
	if w == nil || !w.input.idle() || m.out.octets() > 0 {
		return nil
	}
	w.out.key, m.work = nil, nil
	return w
}

// end makes r the reason; the first end counts. What was not looked at is dropped, and counts as
// consumed.
func (m *machine) end(r Reason, f fate) {
	if m.ended {
		return
	}
	if few := m.few; few != nil {
		r.Drain = few.drain
		if r.Kind != ReasonCrash && few.shutdown != nil {
			r.Shutdown = *few.shutdown
		}
	}
	m.ended, m.reason, m.fate = true, &r, f
	if f == fateFin {
		m.wait = m.waitOf(&r)
	}
	m.furnish()
	m.skip(m.input.rest)
	m.input.drop()
	if d := m.deflation(); d != nil {
		d.r.Drop()
	}
}

// fail ends with the close code and the reason of a broken frame (BEHAVIOUR 4).
func (m *machine) fail(e *wsframe.Error) {
	name := NameBadFrame
	switch e.Code {
	case wsframe.InvalidPayload:
		name = NameBadEncoding
	case wsframe.MessageTooBig, wsframe.PolicyViolation:
		name = NameBadSize
	}
	m.end(Reason{Kind: ReasonError, Name: name, Err: e, Sent: m.sendClose(CloseCode(e.Code), "")}, fateFin)
}

// crash ends with 1011: a callback panicked, called Goexit, or returned what cannot be sent.
func (m *machine) crash(c CrashClass, value any) {
	if m.ended {
		return
	}
	m.end(Reason{Kind: ReasonCrash, Class: c, Value: value, Sent: m.sendClose(CloseInternalError, "")}, fateFin)
}

// lost ends without a close frame: the stream has come to its end, or is given up (f says which).
func (m *machine) lost(name string, err error, f fate) {
	if m.ended {
		m.fate = f
		m.unsaid()
		return
	}
	m.out.drop()
	m.end(Reason{Kind: ReasonError, Name: name, Err: err}, f)
}

// unsaid says that output will not be sent, be it with our close frame.
func (m *machine) unsaid() {
	if m.ended && (m.clock.late == nil || !m.clock.said) {
		m.reason.Sent = SentClose{}
	}
}

// goingAway ends a session that has no Drain callback when the server shuts down (BEHAVIOUR 8).
func (m *machine) goingAway() {
	if m.ended {
		return
	}
	m.end(Reason{Kind: ReasonStop, Sent: m.sendClose(CloseGoingAway, "")}, fateFin)
}
