package websocket

import (
	"context"
	"time"
)

// do applies commands from outside a callback, and sends what they make, on the caller's goroutine. The commands have
// been checked. It waits before that while more than SendHigh is queued, until ctx ends.
func (s *Session) do(ctx context.Context, cmds Commands) error {
	for {
		s.turn.Lock()
		if s.m.ended {
			err := s.ended()
			s.turn.Unlock()
			return err
		}
		if !s.stalled {
			break
		}
		room := s.room()
		s.turn.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			if err := ctx.Err(); err != nil { // else it is a deadline that was moved
				return err
			}
		}
	}
	borrowed := s.sc != nil // the runner is inside a callback, and lends its own
	if !borrowed {
		s.useScratch(takeScratch())
	}
	s.m.apply(cmds, time.Now())
	s.flush()
	if !borrowed {
		s.dropScratch().free()
	}
	s.setAlarm()
	ended := s.m.ended
	s.turn.Unlock()
	if ended { // the runner finishes it
		s.mail.Lock()
		s.start(s.mail.Unlock())
	}
	return nil
}

// room is closed when the queue is short again, or the session has ended. With turn held.
func (s *Session) room() <-chan struct{} {
	r := s.needs()
	if r.waiters == nil {
		r.waiters = make(chan struct{})
	}
	return r.waiters
}

// wakeWaiters wakes those who wait for room, if there is some. With turn held.
func (s *Session) wakeWaiters() {
	if r := s.rare; r != nil && r.waiters != nil && (!s.stalled || s.m.ended) {
		close(r.waiters)
		r.waiters = nil
	}
}

// ended is the error of an operation on a session that has ended. With turn held.
func (s *Session) ended() error { return &CloseError{Reason: *s.m.reason} }
