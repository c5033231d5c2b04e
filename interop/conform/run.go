package conform

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"weir/stream"
)

// Result is one case as it went with one target.
type Result struct {
	Case      Case
	Agent     string
	Transport stream.Transport
	Outcome
	Duration time.Duration
	Log      []Entry
	Dropped  int // lines that the log did not keep
}

// Run is cases against one target.
type Run struct {
	Cases  []Case
	Target *Target
	Jobs   int // cases at a time; 0: 8. Then come those that are Busy, at most two at a time, then those that are Heavy, one at a time

	// Began is told of each case that begins, and Progress of each result, one at a time, in the
	// order in which they come. Both may be nil.
	Began    func(Case)
	Progress func(Result)
}

// Do runs the cases, those left out that make no sense on the transport, and gives the results in
// the order of the cases. When ctx ends, what has not run is left out, and so is what did not pass
// because it was cut short.
func (r *Run) Do(ctx context.Context) []Result {
	var light, busy, heavy []int
	for i := range r.Cases {
		switch c := &r.Cases[i]; {
		case !c.RunsOver(r.Target.Transport):
		case c.Heavy:
			heavy = append(heavy, i)
		case c.Busy:
			busy = append(busy, i)
		default:
			light = append(light, i)
		}
	}
	jobs := r.Jobs
	if jobs <= 0 {
		jobs = 8
	}
	results := make([]*Result, len(r.Cases))
	paced, target := *r, *r.Target
	if paced.Target, r = &target, &paced; target.Pace == nil {
		target.Pace = new(Pace)
	}
	defer target.Pace.Watch()()
	r.all(ctx, light, jobs, results)
	r.all(ctx, busy, min(jobs, 2), results)
	r.all(ctx, heavy, 1, results)
	var ran []Result
	for _, res := range results {
		if res != nil {
			ran = append(ran, *res)
		}
	}
	return ran
}

// all runs the cases with these indices, so many at a time.
func (r *Run) all(ctx context.Context, indices []int, jobs int, results []*Result) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(jobs, len(indices)) {
		wg.Go(func() { // ends when no case is left
			for i := range next {
				if r.Began != nil {
					mu.Lock()
					r.Began(r.Cases[i])
					mu.Unlock()
				}
				res := r.one(ctx, r.Cases[i])
				if ctx.Err() != nil && res.Bad() {
					continue
				}
				mu.Lock()
				results[i] = &res
				if r.Progress != nil {
					r.Progress(res)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for _, i := range indices {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
}

// one runs one case. A case that panics has found a fault of its own, and says so.
func (r *Run) one(ctx context.Context, c Case) (res Result) {
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	cctx, cancel := r.Target.Pace.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	log := NewLog(func() time.Duration { return time.Since(start) })
	res = Result{Case: c, Agent: r.Target.Agent, Transport: r.Target.Transport}
	defer func() {
		if v := recover(); v != nil {
			res.Outcome = Fail(fmt.Sprintf("conform: BUG: %v", v))
			log.Notef("%s", debug.Stack())
		}
		res.Duration = time.Since(start)
		res.Log, res.Dropped = log.Entries()
	}()
	res.Outcome = c.Run(cctx, r.Target, log)
	if cctx.Err() != nil && ctx.Err() == nil && !res.Bad() {
		res.Outcome = Fail(fmt.Sprintf("not done after %v", r.Target.Pace.Scale(limit)))
	}
	return res
}
