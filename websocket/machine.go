package websocket

import (
	"time"

	"weir/upgrade"
	"weir/wsframe"
)

// machine is the WebSocket state machine: pure, without socket, clock, lock or goroutine. Its verbs: feed what arrived,
// next for what a handler is to see, apply what the handler wants, output for what is to be sent, deadline and tick.
//
// Once it has ended (ended is true, reason says why) it eats what still arrives and produces nothing but what output
// still holds: the last frames, and fin.
type machine struct {
	set   settings
	input input
	out   output
	clock clock
	stats Stats

	deflate *deflation  // nil: not agreed on
	trace   func(Event) // nil: nobody listens

	active   bool // frames are handled (command Active)
	ended    bool
	fate     fate
	reason   *Reason // never nil
	shutdown *any    // what ShutdownReason set
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

// settings are Options with defaults filled in: zero means none.
type settings struct {
	idle, ping, send time.Duration
	utf8             bool
	keepOpen         bool  // our side ends after the peer's: a client on HTTP/1.1 (RFC 6455, 7.1.1)
	limit            int64 // of a compressed message where messages come in pieces
}

// newMachine gives a machine that starts at now.
func newMachine(o *Options, now time.Time) machine {
	m := machine{
		set: settings{
			idle: or(o.IdleTimeout, DefaultIdleTimeout, 0),
			ping: or(o.PingInterval, 0, 0),
			send: or(o.SendTimeout, DefaultSendTimeout, 0),
			utf8: !o.NoValidateUTF8,
		},
		active: true,
		reason: &noReason,
	}
	m.input.rd.MaxFrameSize = or(o.MaxFrameSize, DefaultMaxFrameSize, 0)
	m.set.limit = m.input.rd.MaxFrameSize
	m.clock.heard = now
	return m
}

// client makes the machine a client's: it masks what it sends, and refuses masked frames (RFC 6455, 5.1).
func (m *machine) client(keepOpen bool, key func() [4]byte) {
	m.input.rd.Client = true
	m.out.key = key
	m.set.keepOpen = keepOpen
}

// end makes r the reason; the first end counts. What was not looked at is dropped, and counts as consumed.
func (m *machine) end(r Reason, f fate) {
	if m.ended {
		return
	}
	if r.Kind != upgrade.Crash {
		if m.shutdown != nil {
			r.Shutdown = *m.shutdown
		}
	}
	m.ended, m.reason, m.fate = true, &r, f
	m.input.drop()
}

// fail ends with the close code and the reason of a broken frame (BEHAVIOUR 4).
func (m *machine) fail(e *wsframe.Error) {
	name := upgrade.BadFrame
	switch e.Code {
	case wsframe.InvalidPayload:
		name = upgrade.BadEncoding
	case wsframe.MessageTooBig, wsframe.PolicyViolation:
		name = upgrade.BadSize
	}
	m.sendClose(e.Code, "")
	m.end(Reason{Kind: upgrade.Error, Name: name, Err: e}, fateFin)
}

// crash ends with 1011: a callback panicked, called Goexit, or returned what cannot be sent.
func (m *machine) crash(c upgrade.Class, value any) {
	if m.ended {
		return
	}
	m.sendClose(wsframe.InternalError, "")
	m.end(Reason{Kind: upgrade.Crash, Class: c, Value: value}, fateFin)
}

// lost ends without a close frame: the stream has come to its end, or is given up (f says which).
func (m *machine) lost(name string, err error, f fate) {
	if m.ended {
		m.fate = f
		return
	}
	m.out.drop()
	m.end(Reason{Kind: upgrade.Error, Name: name, Err: err}, f)
}

// goingAway ends a session that has no Drain callback when the server shuts down (BEHAVIOUR 8).
func (m *machine) goingAway() {
	if m.ended {
		return
	}
	m.sendClose(wsframe.GoingAway, "")
	m.end(Reason{Kind: upgrade.Stop}, fateFin)
}
