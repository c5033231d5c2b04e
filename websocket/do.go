package websocket

import (
	"context"
	"errors"
	"time"
)

// errOver says that a session has ended, or is about to: its reason is Terminate's.
var errOver = errors.New("websocket: over")

// do applies commands from outside a callback, and sends what they make, on the caller's goroutine.
// The commands have been checked. It waits before that while more than SendHigh is queued, until
// ctx ends.
func (s *Session) do(ctx context.Context, cmds Commands) error {
	return s.outside(ctx, true, func() { s.m.apply(cmds, time.Now()) })
}

// doNow is do for commands that make next to nothing to send: they wait for no room.
func (s *Session) doNow(cmds Commands) error {
	return s.outside(context.Background(), false, func() { s.m.apply(cmds, time.Now()) })
}

// outside changes the machine, with turn held, and sends what comes of it. With room it waits for
// some first, until ctx ends.
func (s *Session) outside(ctx context.Context, room bool, change func()) error {
	for {
		s.turn.Lock()
		if s.m.ended || s.failed() || isCancelled(&s.ctx) {
			s.turn.Unlock()
			return errOver
		}
		if !room || !s.stalled {
			break
		}
		made := s.room()
		s.turn.Unlock()
		select {
		case <-made:
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
	s.holder = holderAside // a hook that ends this goroutine is not to start another runner
	change()
	s.flush()
	s.holder = holderRunner
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
