package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"weir/h2"
	"weir/stream"
)

const (
	// tries is how often a request is made that the server has not looked at.
	tries = 5
	// pause is the time before it is made again; each time it is four times as long.
	pause = 10 * time.Millisecond

	// quietTime is how long a connection may say nothing before it is asked by a PING whether the
	// server is still there.
	quietTime = 500 * time.Millisecond
	// answerTime is how long the PING may take. Then new streams are opened elsewhere; the
	// connection has ClientConfig.PingTimeout until it is lost.
	answerTime = 750 * time.Millisecond
	// maxWait bounds the silence behind a request that is asked about: first it is quietTime, and
	// twice as long each time that the server has answered.
	maxWait = 8 * time.Second

	// soonQuiet and soonAnswer are quietTime and answerTime where there is another way to the
	// server, which is not likely to be as bad.
	soonQuiet  = 200 * time.Millisecond
	soonAnswer = 300 * time.Millisecond
)

// waits say when a request is made beside another, and how; a beside of nil: never.
type waits struct {
	quiet, answer time.Duration
	beside        func(context.Context) answer
}

// quiet says that nothing has come on a connection for some time.
func quiet(c stream.Mux, now time.Time) bool { return now.Sub(c.Heard()) >= quietTime }

// silent says that a connection does not answer.
func silent(c stream.Mux, now time.Time) bool {
	asked := c.Asked()
	return !asked.IsZero() && now.Sub(asked) >= answerTime
}

// answers says that the server is there: something came a moment ago, or comes now. If not, the
// room is released.
func answers(ctx context.Context, c stream.Mux) bool {
	if !quiet(c, time.Now()) {
		return true
	}
	ok := false
	defer func() { // also when ctx panics
		if !ok {
			c.Release()
		}
	}()
	ctx, stop := context.WithTimeout(ctx, answerTime)
	defer stop()
	ok = c.Probe(ctx) == nil
	return ok
}

// Open opens a stream as h2.Client.Open does, on a connection that has room, or on a new one. A
// request that the server has not looked at (RFC 9113, 8.7) is made again, up to four times, with
// pauses; it is not where the server says what is wrong with the connection.
//
// Where a connection falls silent before it answers, the request is made on another beside it, and
// what answers first counts: the other one is reset.
func (p *Pool) Open(ctx context.Context, r *http.Request) (stream.Stream, *http.Response, error) {
	return p.OpenOr(ctx, r, nil)
}

// Opens opens a stream some other way.
type Opens func(context.Context) (stream.Stream, *http.Response, error)

// OpenOr is Open, and where a connection falls silent before it answers the request is made by
// beside, sooner than Open makes it on another connection. A beside of nil is Open.
func (p *Pool) OpenOr(ctx context.Context, r *http.Request, beside Opens) (stream.Stream, *http.Response, error) {
	w := waits{quietTime, answerTime, func(ctx context.Context) answer { return p.try(ctx, r, waits{}) }}
	if beside != nil {
		w = waits{soonQuiet, soonAnswer, func(ctx context.Context) (a answer) {
			a.st, a.res, a.err = beside(ctx)
			return a
		}}
	}
	wait := pause
	for n := 1; ; n++ {
		a := p.try(ctx, r, w)
		if n == tries || !again(a.err) || !sleep(ctx, wait) {
			return a.st, a.res, a.err
		}
		wait *= 4
	}
}

// again says that a request may be made again, and that this makes sense.
func again(err error) bool {
	if ce, ok := errors.AsType[*h2.ConnError](err); ok && ce.Code != h2.NoError {
		return false
	}
	if errors.Is(err, stream.ErrFault) {
		return false
	}
	if _, ok := errors.AsType[*lostError](err); ok {
		return true
	}
	return (h2.Unprocessed(err) || errors.Is(err, stream.ErrUnprocessed)) && !errors.Is(err, errNone)
}

// sleep waits. False: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer is what comes of a request.
type answer struct {
	st  stream.Stream
	res *http.Response
	err error
}

// try makes a request, once, and as w says another beside it.
func (p *Pool) try(ctx context.Context, r *http.Request, w waits) answer {
	c, err := p.take(ctx)
	if err != nil {
		return answer{err: err}
	}
	opening := false
	defer func() { // when ctx panics
		if !opening {
			c.Release()
		}
	}()
	open, stop := context.WithCancel(ctx)
	opening = true // from here on that is Open's
	x := race{got: make(chan answer, 2)}
	defer x.end(stop)
	began := time.Now()
	x.run(func() answer { return on(open, c, r) })
	w.quiet, w.answer = cmp.Or(w.quiet, quietTime), cmp.Or(w.answer, answerTime)
	for wait := w.quiet; ; {
		if left := wait - time.Since(latest(began, c.Heard())); left > 0 {
			if a, ok := x.within(left); ok {
				return a
			}
			continue
		}
		c.Ping()
		if a, ok := x.within(w.answer); ok {
			return a
		}
		if asked := c.Asked(); w.beside != nil && !asked.IsZero() && time.Since(asked) >= w.answer {
			x.run(func() answer { return w.beside(open) })
			return x.wait()
		}
		wait = min(2*wait, maxWait)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// on makes a request on a connection.
func on(ctx context.Context, c stream.Mux, r *http.Request) (a answer) {
	began := time.Now()
	a.st, a.res, a.err = c.Open(ctx, r)
	if ctx.Err() != nil && !c.Heard().After(began) {
		c.Ping() // who comes next learns whether the server is still there
	}
	return a
}

// race is a request that is made twice; the first answer counts, of errors each.
type race struct {
	got     chan answer // has room for both
	running int
	errs    []error

	mu   sync.Mutex
	over bool
}

func (x *race) run(request func() answer) {
	x.running++
	go func() { // ends with the request, whose context ends with the race
		a := answer{err: errGoexit}
		defer func() { // also when it crashes
			x.mu.Lock()
			defer x.mu.Unlock()
			if x.over {
				a.drop()
				return
			}
			x.got <- a
		}()
		a.err = crashed("a hook of the request", func() error {
			a = request()
			return a.err
		})
	}()
}

// within gives what counts, if it is there within a time.
func (x *race) within(d time.Duration) (answer, bool) {
	late := time.NewTimer(d)
	defer late.Stop()
	for {
		select {
		case a := <-x.got:
			if a, ok := x.take(a); ok {
				return a, true
			}
		case <-late.C:
			return answer{}, false
		}
	}
}

// wait gives what counts.
func (x *race) wait() answer {
	for {
		if a, ok := x.take(<-x.got); ok {
			return a
		}
	}
}

// take says whether an answer counts.
func (x *race) take(a answer) (answer, bool) {
	x.running--
	if a.err == nil {
		return a, true
	}
	x.errs = append(x.errs, a.err)
	if len(x.errs) == 2 && x.errs[0].Error() != a.err.Error() {
		a.err = fmt.Errorf("%w; and beside it: %w", x.errs[0], x.errs[1])
	}
	return a, x.running == 0
}

// end calls off what still runs.
func (x *race) end(stop func()) {
	stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	select {
	case a := <-x.got:
		a.drop()
	default:
	}
}

// drop gives a stream up that nobody wants.
func (a answer) drop() {
	if a.st != nil {
		a.st.Reset(stream.Cancel)
	}
}
