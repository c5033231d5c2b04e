package autobahn

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// The tester's own timers.
const (
	replyWait = time.Second // for the peer's close frame after ours
	dropWait  = time.Second // for a server's drop after both close frames
)

// maxMessage bounds a message of the peer's, as received and inflated.
const maxMessage = 64 << 20

// state of the tester's side of the WebSocket.
type state byte

// The states.
const (
	opened state = iota
	closingState
	lost
)

// tester plays one case over one connection. All of it runs on one goroutine.
type tester struct {
	ctx    context.Context
	c      *wire.Conn
	spec   *spec
	log    *conform.Log
	pace   *conform.Pace // of the peer's time limits
	state  state
	timers []timer
	out    []byte // frames that wait for flush

	received []seen
	verdict  conform.Verdict // set by a message callback
	why      string          // with it, or when the tester failed the connection

	closedByMe  bool // we sent the first close frame
	failedByMe  bool
	droppedByMe bool
	replied     bool // both close frames have gone
	clean       bool
	code        *int // of the peer's last close frame, whatever it is; nil: none

	in       input
	agreed   *params // nil without permessage-deflate, as are the next two
	packer   *packer
	unpacker *unpacker
	looked   int // messages of which it was looked how far back they refer
	thousand thousand
	got      int      // messages that a callback took
	asked    []string // pings
}

// timer is something due.
type timer struct {
	due conform.Deadline
	do  func()
}

// message is one that the peer sent.
type message struct {
	binary  bool
	payload []byte
	packed  []byte // as it came, if it came compressed
}

// run plays the case until the connection is lost.
func (t *tester) run() {
	defer t.c.Close()
	if t.spec.play != nil {
		t.spec.play(t)
	} else {
		t.script()
	}
	t.flush()
	wait := time.NewTimer(time.Hour)
	defer wait.Stop()
	for t.state != lost {
		if e, ok := t.c.Take(); ok {
			t.take(e)
			t.flush()
			continue
		}
		next := time.Hour
		if len(t.timers) > 0 {
			next = t.timers[0].due.Left()
		}
		if next <= 0 {
			do := t.timers[0].do
			t.timers = t.timers[1:]
			do()
			t.flush()
			continue
		}
		wait.Reset(next)
		select {
		case <-t.c.Ready():
		case <-wait.C:
		case <-t.ctx.Done():
			t.why = "not done in time"
			t.failedByMe, t.state = true, lost
		}
	}
}

// script is the play of a case that is data alone.
func (t *tester) script() {
	s := t.spec
	for _, f := range s.frames {
		t.send(s.style, f)
	}
	if s.end != nil {
		t.end(*s.end)
	}
	t.put(s.after...)
	t.flush()
	if s.kill > 0 {
		t.kill(s.kill)
	}
	if s.shut > 0 {
		t.shut(s.shut)
	}
}

// after does something later. What is due at the same time comes in the order of the calls.
func (t *tester) after(d time.Duration, do func()) { t.set((*conform.Pace)(nil).Deadline(d), do) }

// unless does something when the peer has had so much time, by its pace.
func (t *tester) unless(d time.Duration, do func()) { t.set(t.pace.Deadline(d), do) }

// set sets a timer. They fire in the order in which they would on a machine that is never late.
func (t *tester) set(due conform.Deadline, do func()) {
	i := len(t.timers)
	for i > 0 && t.timers[i-1].due.At().After(due.At()) {
		i--
	}
	t.timers = slices.Insert(t.timers, i, timer{due, do})
}

// kill fails the connection if it is still there after d.
func (t *tester) kill(d time.Duration) {
	t.unless(d, func() { t.fail(1001, "Going Away", "the peer let the time of the case pass") })
}

// shut closes the connection if it is still open after d.
func (t *tester) shut(d time.Duration) {
	t.unless(d, func() {
		if t.state == opened {
			const why = "the time of the case has passed"
			t.log.Notef(why)
			t.why = cmp.Or(t.why, why)
			t.end(nil)
		}
	})
}

// put writes frames back to back with what else is put before the next flush.
func (t *tester) put(fs ...wire.Frame) {
	if t.state == lost {
		return
	}
	t.out = t.c.Append(t.out, fs...)
}

// flush writes what was put.
func (t *tester) flush() {
	if len(t.out) == 0 || t.state == lost {
		return
	}
	if err := t.c.Pass(t.out); err != nil {
		t.log.Notef("write: %v", err) // the end of the connection comes as an event
	}
	t.out = t.out[:0]
	if cap(t.out) > 1<<20 {
		t.out = nil
	}
}

// send sends a frame in a style.
func (t *tester) send(s style, f wire.Frame) {
	if s == plain {
		t.put(f)
		return
	}
	t.flush()
	t.put(f)
	if s == synced {
		t.flush()
		runtime.Gosched()
		return
	}
	b := t.out
	t.out = nil
	for part := range slices.Chunk(b, int(s)) {
		if t.c.Pass(part) != nil {
			return // the end of the connection comes as an event
		}
		runtime.Gosched()
	}
}

// end sends a close frame, the first one unless the peer's has come.
func (t *tester) end(body []byte) {
	if t.state != opened {
		return
	}
	t.put(frame(wire.Close, body))
	t.state, t.closedByMe = closingState, true
	t.unless(replyWait, func() {
		if !t.replied {
			t.drop("the peer sent no close frame")
		}
	})
}

// bye is the close of a case that went well.
func (t *tester) bye() { t.end(*closing(1000, "")) }

// fail fails the connection (RFC 6455, 7.1.7): messages are not looked at from here on.
func (t *tester) fail(code int, reason, why string) {
	if t.state == lost {
		return
	}
	t.log.Notef("%s", why)
	if t.why == "" {
		t.why = why
	}
	t.failedByMe = true
	if t.state == opened {
		t.end(*closing(code, reason))
		return
	}
	t.drop(why)
}

// drop drops the connection.
func (t *tester) drop(why string) {
	if t.state == lost {
		return
	}
	t.log.Notef("the tester drops the connection: %s", why)
	if t.why == "" {
		t.why = why
	}
	t.flush()
	t.droppedByMe, t.state = true, lost
}

// record notes what was received, and closes when the list is complete.
func (t *tester) record(s seen) {
	t.received = append(t.received, s)
	if e := t.spec; e.lax == nil && e.close.byMe && !e.quiet && same(t.received, e.ok) {
		t.bye()
	}
}
