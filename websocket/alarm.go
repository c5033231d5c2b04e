package websocket

import "time"

// alarm is the one timer of a session: the machine's deadline, or earlier to look whether a callback is slow. It is
// only ever set to fire earlier; where it fires too early it is set again. With turn held.
type alarm struct {
	t        *time.Timer
	at       instant // when it fires; 0: it is not set
	watching bool    // looking for a slow callback
	call     uint32  // which one
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
	a.at = by
	if a.t == nil {
		a.t = time.AfterFunc(time.Hour, s.onAlarm) // set below, so that onAlarm finds t
	}
	a.t.Reset(time.Until(at))
}

// watch has the output flushed if the callback about to run is slow (BEHAVIOUR 2). A look every 2 ms, at a session that
// has output waiting during callbacks, costs those that are not slow nothing.
func (s *Session) watch() {
	if a := &s.alarm; !a.watching {
		a.watching, a.call = true, s.calls
		s.armAlarm(time.Now().Add(slowCallback))
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
		if a.watching && s.pending() && a.call != s.calls {
			a.call = s.calls
			s.armAlarm(time.Now().Add(slowCallback))
		} else {
			if a.watching && s.pending() {
				s.flush()
			}
			a.watching = false
		}
		s.turn.Unlock()
		return
	}
	a.watching = false
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
