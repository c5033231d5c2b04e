package websocket

import (
	"errors"
	"runtime"
	"slices"
	"time"

	"weir/stream"
)

// work is the runner of a session: turns until the mailbox is empty.
func (s *Session) work() { s.takeTurns(takeScratch()) }

func (s *Session) takeTurns(sc *scratch) {
	for {
		var box inbox
		if !s.mail.Take(&box) {
			sc.free()
			return
		}
		s.take(&box, nil, sc, time.Now())
	}
}

// turnFor is one turn of the crew's, or of another stream.Runner's.
func (s *Session) turnFor(now time.Time) (again bool) {
	var box inbox
	if s.mail.Take(&box) {
		sc := takeScratch()
		s.handing = s.crewed // nobody's turn is done twice at a time
		s.take(&box, nil, sc, now)
		sc.free()
		s.handing = false
	}
	return s.mail.Rest()
}

// take is one turn: what arrived is handled frame by frame, then what was posted, then what is due;
// what all of it produced leaves in one write (more if a callback is slow, or produces much). lent
// are octets that arrived, lent by the transport; others are in the box.
func (s *Session) take(box *inbox, lent []byte, sc *scratch, now time.Time) {
	s.turn.Lock()
	s.useScratch(sc)
	sc.now = now
	if box.data != nil {
		lent = box.data.b
	} else if len(lent) > 0 {
		s.m.filled()
	}
	if box.cut {
		s.m.lost(NameClosed, &stream.ResetError{Code: stream.Cancel}, fateGone)
	}
	if box.closed {
		s.gone = true
		if box.data != nil && box.data.err != nil {
			s.needs().goneErr = box.data.err
		}
	}
	if box.touched {
		s.m.feed(lent, box.fin, now)
	}
	if r := s.rare; r != nil {
		sc.posts, r.posts = r.posts, nil
	}
	if d := box.data; d != nil && len(d.posts) > 0 {
		if len(sc.posts) == 0 {
			sc.posts = d.posts // until the end of the turn
		} else {
			sc.posts = append(sc.posts, d.posts...)
		}
	}
	if s.stalled {
		s.flush()
	}
	if box.resume {
		s.m.goOn(now)
	}
	s.frames()
	if s.gone {
		s.m.lost(errorName(s.goneErr()), s.goneErr(), fateGone)
	}
	s.infos()
	if box.alarm {
		if s.m.clock.unsent() > 0 {
			s.flush() // the machine learns how much is still queued
		}
		s.m.tick(time.Now())
	}
	if box.drain && !s.m.ended {
		s.askDrain()
		s.frames() // Drain may have said Active(true)
	}
	s.finish()
	s.dropScratch()
	if len(sc.posts) > 0 {
		s.needs().posts = slices.Clone(sc.posts)
	}
	sc.posts = nil
	if s.rare.empty() {
		s.rare = nil
	}
	box.data.free()
	s.turn.Unlock()
}

// turnBound is how many callbacks a session makes before it lets others have the core, and sends
// what it has.
const turnBound = 256

// frames handles every frame that is there, and that the send queue has room for.
func (s *Session) frames() {
	for n := 1; !s.blocked(); n++ {
		before := len(s.m.out.b)
		f, ok := s.m.next()
		if s.stalled {
			s.needs().answers += len(s.m.out.b) - before
		}
		if !ok {
			return
		}
		if p := &s.m.input.piece; s.m.role.pieces && f.IsData() {
			if s.h.(*connHandler).part(part{f.Type, f.Payload, p.last}, s.window()) {
				s.m.standStill(s.sc.now)
			}
		} else {
			s.call(call{kind: callHandle, frame: f})
		}
		s.relieve(n)
	}
}

// blocked says that the send queue has no room for what a frame may bring about. A Conn reads on,
// for two that send much to each other would both wait otherwise; all that its frames can add are
// pongs, and these are bounded.
func (s *Session) blocked() bool {
	return s.stalled && (!s.m.role.pieces || s.needs().answers > s.sendHigh())
}

// relieve sends in the middle of a turn what has become much, after the nth callback of a kind.
func (s *Session) relieve(n int) {
	yield := n%turnBound == 0
	if len(s.m.out.b) >= s.mostOutput() || yield && s.pending() {
		s.flush()
	}
	if yield {
		runtime.Gosched()
	}
}

// infos handles what was posted; frames that were held come first as soon as they may. On a stream
// that has failed nothing is: what Send has posted would be an end of its own.
func (s *Session) infos() {
	n, posts := 0, s.sc.posts
	for ; n < len(posts) && !s.stalled && !s.failed() && !s.m.ended; n++ {
		s.backlog.Add(-1)
		if of, ok := posts[n].(*sent); ok {
			s.applySent(of.cmds)
		} else if i, ok := s.h.(Informer); ok {
			s.call(call{kind: callInfo, informer: i, msg: posts[n]})
		}
		posts[n] = nil
		s.relieve(n + 1)
		if s.m.waiting() {
			s.frames()
		}
	}
	s.sc.posts = posts[n:]
}

func (s *Session) askDrain() {
	s.m.one().drain = true
	if d, ok := s.h.(Drainer); ok {
		s.call(call{kind: callDrain, drainer: d})
		return
	}
	s.m.goingAway()
}

// flush hands the output to the transport, in one write.
func (s *Session) flush() {
	if s.m.fate > fateFin {
		s.m.out.drop()
		return
	}
	_, fin := s.m.output()
	v, at := s.m.out.pieces(s.sc.vec[:0]), s.handTime()
	var queued int
	var err error // an end of the stream is told by Closed
	if s.m.out.lent != nil && s.crewed {
		queued, err = s.crew().Hand(v, fin, 0)
	} else {
		queued, err = s.st.Send(v, fin)
	}
	clear(v)
	s.handed(queued, at, err)
}

// hand is flush for a turn of the crew's, with credit for n octets. The crew writes.
func (s *Session) hand(n int) {
	if !s.pending() || s.m.fate > fateFin {
		if n > 0 {
			_, _ = s.crew().Hand(nil, false, n)
		}
		return
	}
	_, fin := s.m.output()
	v, at := s.m.out.pieces(s.sc.vec[:0]), s.handTime()
	queued, err := s.crew().Hand(v, fin, n)
	clear(v)
	s.handed(queued, at, err)
}

// handTime is the time to measure from, before the output is handed over, which may take a while:
// where our end goes with it, the linger time begins.
func (s *Session) handTime() time.Time {
	if s.m.fate == fateFin {
		return time.Now()
	}
	return s.sc.now
}

// handed notes that the transport has had the output since at, unless err says that it has not
// taken it, and has queued octets left.
func (s *Session) handed(queued int, at time.Time, err error) {
	s.headless = false
	if err != nil {
		s.m.unsaid()
		if !s.m.ended && !isQuiet(err) {
			s.needs().failed = true
		}
	}
	if queued > 0 && s.m.fate != fateFin {
		at = time.Now()
	}
	s.m.sent(queued, at)
	if s.stalled = queued > s.sendHigh(); !s.stalled && s.rare != nil {
		s.rare.answers = 0
	}
	s.wakeWaiters()
}

// isQuiet says that err may be the end of our side alone: over HTTP/3 a peer may go on sending.
func isQuiet(err error) bool {
	e, ok := errors.AsType[*stream.ResetError](err)
	return ok && e.Code == stream.NoError
}

// pending says that something waits for a flush.
func (s *Session) pending() bool {
	_, fin := s.m.output()
	return s.m.out.octets() > 0 || fin || s.headless
}

// finish ends a turn: one write, the end if it has come, credit, the timer.
func (s *Session) finish() {
	if s.handing && !s.m.ended {
		s.hand(s.m.takeConsumed())
	} else if s.pending() {
		s.flush()
	}
	if s.m.ended {
		s.phase.Store(s.m.phase())
		s.wakeWaiters()
		s.sc.posts = nil
		s.terminate()
		s.settleFate()
	}
	s.m.settle()
	if s.own {
		if large := s.m.wantsFill(); large != s.large.Load() {
			s.large.Store(large)
		}
	}
	s.credit(s.m.takeConsumed())
	s.setAlarm()
}

// settleFate does to the stream what the machine decided.
func (s *Session) settleFate() {
	switch s.m.fate {
	case fateCut:
		s.st.Reset(stream.Cancel)
		cancelContext(&s.ctx)
	case fateQuiet:
		s.st.Reset(stream.NoError)
		s.st.Reset(stream.Cancel) // it is over by now, unless something still waits for the peer
	}
	if s.gone && !s.done {
		s.done = true
		s.alarm.stop()
		s.group().leave(s)
	}
}

// terminate tells the handler why, once, behind the close frame.
func (s *Session) terminate() {
	if s.terminated {
		return
	}
	s.terminated = true
	s.m.tell(Event{Kind: EventTerminate, Reason: *s.m.reason})
	if t, ok := s.h.(Terminator); ok {
		s.call(call{kind: callTerminate, terminator: t})
	}
	s.h = nil
}
