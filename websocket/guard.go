package websocket

import (
	"runtime/debug"
)

// guard calls f, which is a user's code. It says whether f returned. If f did not, crashed is
// called with the panic's value, or with nil where f called runtime.Goexit. Nothing stops a Goexit:
// behind crashed only deferred functions run.
func guard(f func(), crashed func(v any)) (returned bool) {
	defer func() {
		if !returned {
			crashed(recover())
		}
	}()
	f()
	return true
}

// note logs. What a slog.Handler does is its own business: it has a goroutine of its own, so a
// crash there costs the line, and nobody waits for one that is slow.
func (s *Session) note(msg string, attrs ...any) {
	if s.m.opt.Logger != nil {
		go s.writeNote(msg, attrs) // ends when it is logged
	}
}

func (s *Session) writeNote(msg string, attrs []any) {
	guard(func() {
		req := s.Request()
		s.m.opt.Logger.With("transport", string(s.st.Info().Transport), "stream", req.Stream,
			"path", req.Path).Error(msg, attrs...)
	}, func(any) {})
}

// trace tells Options.Trace of an event, with turn held. A panic there is logged, and nothing else
// comes of it. What happened while the transport's own goroutine looked at what it read is told
// before the next event: it must not wait.
func (s *Session) trace(e Event) {
	e.Session = s
	if e.Kind == EventMessage {
		s.m.few.told.set(s.m.stats)
	}
	if s.holder == holderTransport {
		r := s.needs()
		r.events = append(r.events, e)
		return
	}
	if r := s.rare; r != nil && len(r.events) > 0 {
		late := r.events
		r.events = nil
		for _, e := range late {
			s.callTrace(e)
		}
	}
	s.callTrace(e)
}

func (s *Session) callTrace(e Event) {
	if !s.m.traced() {
		return
	}
	guard(func() { s.m.opt.Trace(e) }, func(v any) {
		stack := string(debug.Stack())
		if v == nil {
			s.m.few.trace = nil          // once is enough
			go s.afterTraceGoexit(stack) // ends like any runner
			return
		}
		s.note("websocket: Trace panicked", "value", v, "stack", stack)
	})
}

// afterTraceGoexit goes on where Options.Trace has called runtime.Goexit. The goroutine that is
// gone had turn, and left it to this one. Nobody knows how far it had come, so the session ends
// without another word.
func (s *Session) afterTraceGoexit(stack string) {
	s.note("websocket: Trace called runtime.Goexit", "stack", stack)
	s.m.out.drop()
	s.m.end(Reason{Kind: ReasonCrash, Class: ClassExit}, fateCut)
	if s.m.fate != fateGone {
		s.m.fate = fateCut
	}
	if s.holder == holderRunner {
		s.resume()
		return
	}
	s.holder = holderRunner
	if !s.calling {
		s.dropScratch().free()
	}
	s.wakeWaiters()
	s.turn.Unlock()
	s.mail.Lock().touched = true
	s.start(s.mail.Unlock())
}
