package load

import (
	"math"
	"time"
)

// atOnce is how many WebSockets may be opening at a time.
const atOnce = 256

// poll is how often an engine looks whether the others are ready, in nanoseconds.
const poll = 2e6

// second in nanoseconds.
const second = int64(1e9)

// step does what is due at now, and says when it wants to be called again at the latest.
func (e *engine) step(now int64) int64 {
	if now >= e.nextShown {
		e.show()
		e.nextShown = now + second/10
	}
	switch e.phase {
	case connecting:
		return e.stepOpen(now)
	case waiting:
		t0 := e.run.t0.Load()
		switch {
		case e.run.bye.Load():
			return e.leave(now)
		case t0 == 0:
			return now + poll
		case now < t0:
			return t0
		}
		e.begin(now)
		return now
	case running:
		return e.stepRun(now)
	case resting:
		if e.run.bye.Load() {
			return e.leave(now)
		}
		return now + poll
	case closing:
		return e.stepClose(now)
	}
	return now
}

// stepOpen opens what may be opened.
func (e *engine) stepOpen(now int64) int64 {
	if e.nextOpen == 0 {
		e.nextOpen, e.deadline = now, math.MaxInt64
	}
	if e.run.stop.Load() && e.dialled < len(e.sockets) {
		e.settled += len(e.sockets) - e.dialled
		e.dialled = len(e.sockets)
	}
	for e.dialled < len(e.sockets) && e.opening < atOnce && now >= e.nextOpen {
		s := e.sockets[e.dialled]
		e.dialled++
		e.opening++
		if e.cfg.ConnectRate > 0 {
			e.nextOpen += int64(float64(second) / (e.cfg.ConnectRate * e.run.part(e)))
		}
		e.deadline = now + int64(e.cfg.Timeout)
		s.link.open(s, now)
	}
	if e.dialled == len(e.sockets) && e.opening > 0 && (now >= e.deadline || e.run.stop.Load()) {
		for _, s := range e.sockets {
			if s.state == opening {
				s.fail(errNoAnswer)
			}
		}
	}
	if e.settled == len(e.sockets) {
		e.phase = waiting
		e.show()
		e.run.settled <- struct{}{}
		return now + poll
	}
	wake := min(now+second/20, e.deadline)
	if e.dialled < len(e.sockets) && e.opening < atOnce {
		wake = min(wake, e.nextOpen)
	}
	return wake
}

// stepRun keeps the schedule and sees the end.
func (e *engine) stepRun(now int64) int64 {
	if !e.measuring && now >= e.measureFrom {
		e.measure(now)
	}
	e.series.turn(now)
	wake := now + second/20
	if !e.measuring {
		wake = min(wake, e.measureFrom)
	}
	if e.slow != nil {
		if now >= e.nextTrickle {
			e.nextTrickle = now + second
			e.shell.trickle(e.slow)
		}
		wake = min(wake, e.nextTrickle)
	}
	if e.issuing {
		wake = min(wake, e.issueDue(now), e.measureTo)
		over := e.run.stop.Load() || now >= e.measureTo || e.openNow == 0 || e.cfg.Mode == Broadcast && e.speaker.state != open
		if e.cfg.Mode != Idle && e.cfg.Rate == 0 && e.budget <= 0 || e.cfg.Rate > 0 && e.measuring && e.cfg.Messages > 0 && e.schedule.issued >= e.schedule.last {
			over = true
		}
		if over {
			e.issuing = false
			e.measureTo = min(e.measureTo, max(now, e.measureFrom))
			e.deadline = now + int64(e.cfg.Timeout)
		}
	}
	if e.issuing {
		return wake
	}
	if e.inflight > 0 && now < e.deadline && e.openNow > 0 && !e.run.stop.Load() {
		return min(wake, e.deadline)
	}
	if e.inflight > 0 && !e.run.stop.Load() {
		e.errors[errLate.Error()] += e.inflight
		e.gone += e.inflight
	}
	e.series.finish(min(now, max(e.lastAnswer, e.measureFrom)))
	e.phase = resting
	e.show()
	e.run.rested <- struct{}{}
	return now + poll
}

// issueDue makes due what the schedule has, and says when the next is.
func (e *engine) issueDue(now int64) int64 {
	if e.cfg.Rate == 0 {
		return math.MaxInt64
	}
	sc := &e.schedule
	if e.measuring && e.cfg.Messages > 0 && sc.last == math.MaxInt64 {
		sc.last = sc.issued + e.share
	}
	for range 4096 { // then the sockets have a turn
		t := sc.due(sc.issued)
		if t > now || sc.issued >= sc.last {
			if sc.issued >= sc.last {
				return math.MaxInt64
			}
			return t
		}
		if t >= e.measureTo {
			return math.MaxInt64
		}
		s := e.speaker
		if s == nil {
			s = e.sockets[sc.issued%sc.stride]
		}
		sc.issued++
		if s.state != open {
			continue
		}
		if e.measuring {
			_ = e.lag.RecordValue(min(max(now-t, lowest), highest))
		}
		s.issued++
		e.inflight++
		if e.cfg.Mode == Broadcast {
			e.inflight += int64(e.openCounted()) - 1
		}
		s.link.ready(s)
	}
	return now
}

// leave closes every WebSocket with 1000.
func (e *engine) leave(now int64) int64 {
	e.phase = closing
	e.issuing = false
	e.deadline = now + second
	for _, s := range e.sockets {
		s.goodbye()
	}
	return e.stepClose(now)
}

// stepClose waits for the server's end, a second at most.
func (e *engine) stepClose(now int64) int64 {
	up := false
	for _, l := range e.links {
		if l.state == linkIsUp && !l.over() && !l.slow {
			up = true
			break
		}
	}
	if up && now < e.deadline {
		return min(e.deadline, now+second/50)
	}
	for _, l := range e.links {
		l.close()
	}
	e.phase = finished
	e.show()
	return now
}

// show tells who asks from outside.
func (e *engine) show() {
	e.shown.open.Store(int64(e.openNow))
	e.shown.messages.Store(e.measured)
	e.shown.errors.Store(e.gone)
}

// schedule is when the messages of an open loop are due: message j at base and j periods.
type schedule struct {
	base   int64
	period float64
	stride int64 // sockets
	issued int64
	last   int64 // messages to issue in all
}

func (s *schedule) start(now int64, rate float64, sockets int) {
	*s = schedule{base: now, period: float64(second) / rate, stride: int64(sockets), last: math.MaxInt64}
}

func (s *schedule) due(j int64) int64 { return s.base + int64(float64(j)*s.period) }

// series counts answers over time, in slices that are made longer when there are too many of them.
type series struct {
	from   int64
	slice  int64
	end    int64
	count  int64
	counts []int64
}

const maxSlices = 600

func (s *series) start(now int64, planned time.Duration) {
	s.from, s.slice = now, max(int64(planned)/100, second/10)
	s.end = now + s.slice
	s.count = 0
}

// turn ends the slices that are over.
func (s *series) turn(now int64) {
	for s.slice > 0 && now >= s.end {
		s.counts = append(s.counts, s.count)
		s.count = 0
		s.end += s.slice
		if len(s.counts) == maxSlices {
			for i := range maxSlices / 2 {
				s.counts[i] = s.counts[2*i] + s.counts[2*i+1]
			}
			s.counts = s.counts[:maxSlices/2]
			s.slice *= 2
			s.end = s.from + int64(len(s.counts)+1)*s.slice
		}
	}
}

// finish drops what is behind the last answer; a slice that is not whole is not shown.
func (s *series) finish(last int64) {
	if s.slice > 0 {
		s.counts = s.counts[:min(int64(len(s.counts)), max(0, (last-s.from)/s.slice))]
	}
}
