package websocket

import "time"

// alarm is the one timer of a session: the machine's deadline, or earlier to look whether a
// callback is slow. It is only ever set to fire earlier; where it fires too early it is set again.
// With turn held.
type alarm struct {
	t  *time.Timer
	at instant // when it fires; 0: it is not set
}

// watch is the alarm's look at a runner's callbacks.
type watch struct {
	calls uint32 // made so far
	on    bool   // looking for a slow one
	call  uint32 // which one
}

// began is when the process did.
var began = time.Now()

// setAlarm arms the timer for the machine's deadline.
func (s *Session) setAlarm() {
	if d := s.m.deadline(); !d.IsZero() {
		s.armAlarm(d)
	}
}

func (s *Session) armAlarm(at time.Time) {
	a := &s.alarm
	by := instantOf(at)
	if s.done || a.at != 0 && a.at <= by {
		return
	}
	wait := time.Until(at)
	if wait < 0 { // a callback ran meanwhile: what arrived before it returned counts, and may not have been told yet
		wait = slowCallback
		by = instantOf(time.Now().Add(wait))
	}
	a.at = by
	if a.t == nil {
		a.t = time.AfterFunc(time.Hour, s.onAlarm) // set below, so that onAlarm finds t
	}
	a.t.Reset(wait)
}

// watch has the output flushed if the callback about to run is slow (BEHAVIOUR 2). A look every 2
// ms, at a session that has output waiting during callbacks, costs those that are not slow nothing.
func (s *Session) watch() {
	if w := &s.sc.watch; !w.on {
		w.on, w.call = true, w.calls
		at := time.Now().Add(slowCallback)
		s.armAlarm(at)
		if s.alarm.at < instantOf(at) { // it fires too early to say anything of this callback
			w.call--
		}
	}
}

// onAlarm runs on a goroutine of the timer's.
func (s *Session) onAlarm() {
	a := &s.alarm
	if !s.turn.TryLock() { // a turn is under way, perhaps in a Send that blocks: look again
		a.t.Reset(slowCallback)
		return
	}
	a.at = 0
	if s.calling {
		// The turn that waits for this callback sets the alarm anew when it ends.
		w := &s.sc.watch
		if w.on && s.pending() && w.call != w.calls {
			w.call = w.calls
			s.armAlarm(time.Now().Add(slowCallback))
		} else {
			if w.on && s.pending() {
				s.holder = holderAside
				s.flush()
				s.holder = holderRunner
			}
			w.on = false
		}
		s.turn.Unlock()
		return
	}
	s.turn.Unlock()
	s.mail.Lock().alarm = true
	if s.mail.Unlock() {
		s.work()
	}
}

func (a *alarm) stop() {
	if a.t != nil {
		a.t.Stop()
	}
}
