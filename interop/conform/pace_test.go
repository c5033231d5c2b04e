package conform

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// fall makes a Pace behind by d more, as its timer would that fires so late.
func (p *Pace) fall(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late += d
}

func TestPaceScale(t *testing.T) {
	for _, test := range []struct {
		p    *Pace
		want time.Duration
	}{{nil, time.Second}, {new(Pace), time.Second}, {&Pace{Patience: 3}, 3 * time.Second}, {&Pace{Patience: -1}, time.Second}} {
		if got := test.p.Scale(time.Second); got != test.want {
			t.Errorf("%+v: %v, want %v", test.p, got, test.want)
		}
	}
}

// A wait grows by what timers are late while it lasts, and not without end.
func TestPaceDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pace{Patience: 2}
		p.fall(time.Hour) // before it begins
		d := p.Deadline(time.Second)
		left := func(want time.Duration) {
			t.Helper()
			if got := d.Left(); got != want {
				t.Errorf("%v left, want %v", got, want)
			}
		}
		left(2 * time.Second)
		time.Sleep(1500 * time.Millisecond)
		p.fall(200 * time.Millisecond)
		left(1100 * time.Millisecond)
		time.Sleep(1100 * time.Millisecond)
		left(0)
		p.fall(time.Hour)
		left(20*time.Second - 2600*time.Millisecond)
		d = p.Deadline(5 * time.Second)
		p.fall(time.Hour)
		left(30 * time.Second)
		if late := (*Pace)(nil).Deadline(time.Second); late.Left() != time.Second {
			t.Errorf("without a pace: %v", late.Left())
		}
	})
}

// The timer's lateness counts, when it fires and while it does not. One that is in time does not,
// however long it is looked at.
func TestPaceWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(Pace)
		first, second := p.Watch(), p.Watch()
		time.Sleep(time.Minute + 3*time.Millisecond)
		if got := p.behind(time.Now()); got != 0 {
			t.Errorf("a machine that is in time is behind by %v", got)
		}
		set := p.since
		for _, test := range []struct{ fires, want time.Duration }{
			{tick, 0}, {tick + slop, 0}, {tick + 5*time.Millisecond, 5 * time.Millisecond}, {2 * time.Second, 2*time.Second - tick},
		} {
			if got := p.behind(set.Add(test.fires)); got != test.want {
				t.Errorf("a timer that has not fired for %v: behind by %v, want %v", test.fires, got, test.want)
			}
		}
		p.fired(set.Add(tick + time.Second))
		p.fired(p.since.Add(tick))
		if got := p.behind(p.since); got != time.Second {
			t.Errorf("behind by %v, want 1s", got)
		}
		first()
		first() // no second user's
		if p.since.IsZero() {
			t.Error("nobody looks, and somebody wants to know")
		}
		second()
		if got := p.behind(time.Now().Add(time.Hour)); got != time.Second {
			t.Errorf("behind by %v when nobody looks", got)
		}
		p.Watch()()
	})
}

func TestPaceWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := new(Pace), time.Now()
		ctx, cancel := p.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if at, ok := ctx.Deadline(); !ok || at != began.Add(time.Second) {
			t.Errorf("deadline %v, %t", at, ok)
		}
		time.Sleep(500 * time.Millisecond)
		p.fall(3 * time.Second / hops)
		<-ctx.Done()
		if took := time.Since(began); took != 4*time.Second || ctx.Err() != context.DeadlineExceeded {
			t.Errorf("it ended after %v: %v", took, ctx.Err())
		}
		ctx, cancel = p.WithTimeout(t.Context(), time.Second)
		cancel()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Error(ctx.Err())
		}
		parent, end := context.WithTimeout(t.Context(), time.Millisecond)
		defer end()
		ctx, cancel = p.WithTimeout(parent, time.Second)
		defer cancel()
		if at, _ := ctx.Deadline(); at != time.Now().Add(time.Millisecond) {
			t.Errorf("deadline %v", at)
		}
		<-ctx.Done()
		if ctx.Err() != context.DeadlineExceeded {
			t.Error(ctx.Err())
		}
	})
}

// A run looks at the machine, and its limits are times of its pace.
func TestRunPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := target()
		to.Pace = &Pace{Patience: 3}
		wait := Case{ID: "1.1", Limit: time.Minute, Run: func(ctx context.Context, to *Target, _ *Log) Outcome {
			if to.Pace.since.IsZero() {
				t.Error("nobody looks at the machine")
			}
			to.Pace.fall(time.Minute / hops)
			<-ctx.Done()
			return Pass()
		}}
		res := (&Run{Target: to, Cases: []Case{wait}}).Do(t.Context())[0]
		if res.Duration != 3*time.Minute+growthMost || res.Why != "not done after 3m0s" {
			t.Errorf("%v: %s", res.Duration, res.Why)
		}
		if !to.Pace.since.IsZero() {
			t.Error("somebody looks still")
		}
		without := Case{ID: "1.1", Run: func(_ context.Context, to *Target, _ *Log) Outcome {
			if to.Pace == nil || to.Pace.since.IsZero() {
				t.Error("no pace")
			}
			return Pass()
		}}
		(&Run{Target: target(), Cases: []Case{without}}).Do(t.Context())
	})
}
