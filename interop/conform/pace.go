package conform

import (
	"context"
	"sync"
	"time"
)

const (
	tick = 10 * time.Millisecond // between two looks at the machine
	slop = time.Millisecond      // of a timer, on a machine that has nothing else to do

	// hops is how often somebody waits for a turn until an answer is there: the suite, the server,
	// the suite again.
	hops = 3

	// A wait grows by so many times its length at most, and by no more than that time: servers have
	// limits of their own.
	growth     = 9
	growthMost = 20 * time.Second
)

// Pace says how long a peer is waited for. A machine that has much else to do lets timers fire
// while the peer had no turn, and a peer that is right would fail. So the times of the cases can be
// multiplied, and they grow by themselves: while a case runs, a timer of 10 ms looks how late it
// fires, and all waits last longer by three times that, up to ten times their length and by 20 s at
// most.
//
// A nil *Pace multiplies nothing, and does not look. Its methods may be called from any goroutine.
type Pace struct {
	// Patience is what each time that a peer has is multiplied with. 0: 1.
	Patience int

	mu    sync.Mutex
	late  time.Duration // in all
	since time.Time     // when the timer that is under way was set; zero: nobody looks
	users int
	stop  chan struct{}
	gone  chan struct{}
}

// Scale is a time of a case, multiplied.
func (p *Pace) Scale(d time.Duration) time.Duration {
	if p == nil {
		return d
	}
	return d * time.Duration(max(p.Patience, 1))
}

// Watch looks at the machine until the function that it gives is called.
func (p *Pace) Watch() (end func()) {
	if p == nil {
		return func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users++; p.users == 1 {
		p.stop, p.gone, p.since = make(chan struct{}), make(chan struct{}), time.Now()
		go p.look(p.stop, p.gone) // ends with the last user
	}
	return sync.OnceFunc(p.leave)
}

func (p *Pace) leave() {
	p.mu.Lock()
	var gone chan struct{}
	if p.users--; p.users == 0 {
		close(p.stop)
		gone, p.since = p.gone, time.Time{}
	}
	p.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// look sets a timer again and again.
func (p *Pace) look(stop, gone chan struct{}) {
	defer close(gone)
	every := time.NewTimer(tick)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			p.fired(time.Now())
			every.Reset(tick)
		case <-stop:
			return
		}
	}
}

// fired takes the time at which the timer fired.
func (p *Pace) fired(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.since.IsZero() {
		p.late += lateness(p.since, now)
		p.since = now
	}
}

// lateness is by how much a timer that was set at one time, and has not fired before the other, is
// late.
func lateness(set, now time.Time) time.Duration {
	if d := now.Sub(set) - tick; d > slop {
		return d
	}
	return 0
}

// behind is how late timers have been, in all.
func (p *Pace) behind(now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return p.late
	}
	return p.late + lateness(p.since, now)
}

// Deadline is the end of a wait, which comes later the later the machine is.
type Deadline struct {
	pace   *Pace
	length time.Duration
	at     time.Time
	behind time.Duration // the pace's, when the wait began
}

// Deadline begins a wait of a time of a case.
func (p *Pace) Deadline(d time.Duration) Deadline {
	now := time.Now()
	d = p.Scale(d)
	return Deadline{pace: p, length: d, at: now.Add(d), behind: p.behind(now)}
}

// At is when the wait ends on a machine that is never late.
func (d *Deadline) At() time.Time { return d.at }

// Left is how long it lasts still; 0 or less: it is over.
func (d *Deadline) Left() time.Duration {
	now := time.Now()
	return d.at.Sub(now) + min(hops*(d.pace.behind(now)-d.behind), growth*d.length, growthMost)
}

// WithTimeout is context.WithTimeout for a time of a case. The context's Deadline is that of a
// machine that is never late.
func (p *Pace) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	due := p.Deadline(d)
	inner, cancel := context.WithCancelCause(ctx)
	var mu sync.Mutex
	var timer *time.Timer
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(due.Left(), func() {
		mu.Lock()
		defer mu.Unlock()
		if left := due.Left(); left > 0 && inner.Err() == nil {
			timer.Reset(left)
			return
		}
		cancel(context.DeadlineExceeded)
	})
	return &waiting{inner, due.At()}, func() { timer.Stop(); cancel(context.Canceled) }
}

// waiting is the context of a Pace.
type waiting struct {
	context.Context
	at time.Time
}

// Deadline is that of the wait, or the parent's if that comes earlier.
func (w *waiting) Deadline() (time.Time, bool) {
	if at, ok := w.Context.Deadline(); ok && at.Before(w.at) {
		return at, true
	}
	return w.at, true
}

// Err says whether the time was over.
func (w *waiting) Err() error {
	err := w.Context.Err()
	if err != nil && context.Cause(w.Context) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return err
}
