package websocket

import (
	"runtime/debug"
	"time"
)

// call is one callback to be made.
type call struct {
	kind       callKind
	frame      Frame
	msg        any
	init       Initer
	informer   Informer
	drainer    Drainer
	terminator Terminator
}

type callKind uint8

const (
	callHandle callKind = iota
	callInit
	callInfo
	callDrain
	callTerminate
)

// slowCallback is how long a callback may hold up what earlier ones of the turn produced (BEHAVIOUR
// 2).
const slowCallback = 2 * time.Millisecond

// call makes a callback and applies its commands. With turn held; it is not held while the callback
// runs, so that the alarm can send what earlier callbacks produced.
func (s *Session) call(c call) {
	s.sc.watch.calls++
	if s.pending() && c.kind != callTerminate {
		s.watch()
	}
	s.calling = true
	s.turn.Unlock()
	cmds := s.invoke(&c)
	s.turn.Lock()
	s.calling = false
	ended := s.m.ended
	s.m.apply(cmds, s.after(cmds))
	if s.m.out.lent != nil {
		s.flush()
	}
	if c.kind == callHandle && s.poisons() {
		poison(c.frame.Payload)
	}
	if r := s.m.reason; !ended && r.Kind == ReasonCrash {
		s.note("websocket: callback returned what cannot be sent", "callback", c.kind.String(), "value", r.Value)
	}
	s.sc.keep(cmds)
}

// after is when a callback has returned, to the turn's beginning where none of its commands starts
// a timer.
func (s *Session) after(cmds Commands) time.Time {
	for i := range cmds {
		if cmds[i].kind == CommandSetOptions {
			return time.Now()
		}
	}
	return s.sc.now
}

// invoke calls out. If the callback panics, that is noted and nothing is returned. If it calls
// Goexit, this goroutine ends, and another one takes the turn over.
func (s *Session) invoke(c *call) (cmds Commands) {
	out := s.sc.cmds[:0]
	guard(func() {
		switch c.kind {
		case callHandle:
			cmds = s.h.Handle(c.frame, out)
		case callInit:
			cmds = c.init.Init(s, out)
		case callInfo:
			cmds = c.informer.Info(c.msg, out)
		case callDrain:
			cmds = c.drainer.Drain(out)
		case callTerminate:
			c.terminator.Terminate(*s.m.reason, s.Request())
		}
	}, func(v any) {
		if v == nil {
			go s.afterGoexit(c.kind, string(debug.Stack())) // ends like any runner
			return
		}
		s.turn.Lock()
		s.crashed(c.kind, v)
		s.turn.Unlock()
		cmds = nil
	})
	return cmds
}

// crashed notes a panic, with turn held.
func (s *Session) crashed(k callKind, v any) {
	class := ClassThrow
	if _, ok := v.(error); ok {
		class = ClassError
	}
	s.note("websocket: callback panicked", "callback", k.String(), "value", v, "stack", string(debug.Stack()))
	s.m.crash(class, v)
}

// afterGoexit goes on with the turn whose goroutine a callback ended, with its stack for the log.
func (s *Session) afterGoexit(k callKind, stack string) {
	s.turn.Lock()
	s.note("websocket: callback called runtime.Goexit", "callback", k.String(), "stack", stack)
	s.m.crash(ClassExit, nil)
	s.resume()
}

// resume ends a turn whose goroutine is gone, and goes on with the next. With turn held.
func (s *Session) resume() {
	s.calling, s.handing = false, false
	if s.gone {
		s.m.lost(NameClosed, s.goneErr(), fateGone)
	}
	s.finish()
	s.attach()
	sc := s.dropScratch()
	s.turn.Unlock()
	s.takeTurns(sc)
}

func (k callKind) String() string {
	return [...]string{"Handle", "Init", "Info", "Drain", "Terminate"}[k]
}
