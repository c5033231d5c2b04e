package upgrade

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"weir/stream"
)

// Loop is Cowboy's loop handler: a request that is held open, and fed by messages that others post.
// It serves server-sent events and long polls over every version of HTTP. The init of Handle names
// it in the Switch that it returns. Its handlers are of type LoopHandler, its options *LoopOptions
// or LoopOptions.
var Loop Protocol = loop{}

// LoopHandler answers a request piece by piece. Its callbacks come one at a time, on the request's
// own goroutine. What one of them wrote to w is flushed when it returns; as long as none has
// written anything, nothing has been answered: status, fields and the request's body are there for
// a later one. Where the client is to get the header before there is anything to send, LoopInit
// calls WriteHeader. Over HTTP/1.1 net/http does not notice that a client has gone before the body
// has been read, and drops what is left of it when the answer begins.
//
// A callback that panics before anything was written is answered with 500, later it cuts the answer
// off; http.ErrAbortHandler does so at any time, and is not logged.
//
// A handler may also have LoopDrain, and Terminate (Terminator), which is called once, last: with
// Stop after LoopStop, Timeout, {error, closed} if the client has gone, or Crash. No other method
// has the name of a WebSocket's callback: one type may serve WebSockets, and those that cannot have
// one.
type LoopHandler interface {
	// LoopInit is called first. q is where messages for LoopInfo are posted, from any goroutine,
	// until Terminate.
	LoopInit(q *Queue, w http.ResponseWriter) LoopResult
	// LoopInfo gets what was posted (Cowboy: info/3).
	LoopInfo(msg any, w http.ResponseWriter) LoopResult
}

// LoopDrainer is asked to come to an end when the server shuts down. Without it the request ends,
// with Stop.
type LoopDrainer interface {
	LoopDrain(w http.ResponseWriter) LoopResult
}

// LoopResult is what a callback wants next.
type LoopResult uint8

// The results.
const (
	LoopOK        LoopResult = iota // wait for the next message
	LoopHibernate                   // as LoopOK, and give back what can be given back until then
	LoopStop                        // the answer is complete
)

// LoopOptions are the options of Loop.
type LoopOptions struct {
	IdleTimeout time.Duration                            // ends a request to which nothing was posted for so long; 0 and negative: none
	Backlog     int                                      // messages that may wait; 0: 1024; negative: any number
	ReqFilter   func(r *http.Request, p *PartialRequest) // changes p, the default, into what Terminate gets
}

// FilterRequest implements Filter by ReqFilter.
func (o LoopOptions) FilterRequest(r *http.Request, p *PartialRequest) {
	if o.ReqFilter != nil {
		o.ReqFilter(r, p)
	}
}

func (o *LoopOptions) backlog() int32 {
	switch {
	case o.Backlog == 0:
		return DefaultBacklog
	case o.Backlog < 0:
		return math.MaxInt32
	}
	return int32(min(o.Backlog, math.MaxInt32))
}

// DefaultBacklog is LoopOptions.Backlog when none is given.
const DefaultBacklog = 1024

// The errors of Queue.Post.
var (
	ErrEnded   = errors.New("upgrade: the request has ended")
	ErrBacklog = errors.New("upgrade: too many posted messages wait")
)

// Queue is where messages for a held request are posted.
type Queue struct {
	mail    stream.Mailbox[[]any]
	wake    chan struct{}
	waiting atomic.Int32
	backlog int32
	over    atomic.Bool
	ctx     context.Context
}

// Post sends msg to LoopInfo. It never waits: ErrBacklog says that LoopOptions.Backlog messages
// wait already, ErrEnded that nobody will see it.
func (q *Queue) Post(msg any) error {
	if q.over.Load() {
		return ErrEnded
	}
	if q.waiting.Add(1) > q.backlog {
		q.waiting.Add(-1)
		return ErrBacklog
	}
	box := q.mail.Lock()
	*box = append(*box, msg)
	if q.mail.Unlock() {
		q.wake <- struct{}{} // has room: the loop takes it before anybody can be told to start again
	}
	return nil
}

// Context is the request's.
func (q *Queue) Context() context.Context { return q.ctx }

type loop struct{}

func (loop) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) (err error) {
	h, ok := handler.(LoopHandler)
	if !ok {
		return fmt.Errorf("upgrade: a %T is no LoopHandler", handler)
	}
	if err := checkTerminate(handler); err != nil {
		return err
	}
	o, err := OptionsOf[LoopOptions](opts)
	if err != nil {
		return err
	}
	if o == nil {
		o = new(LoopOptions)
	}
	watched := watch(w)
	req, err := Filtered(w, r, o)
	if err != nil {
		return err
	}
	run := &looping{w: watched, r: r, h: h, o: o}
	run.q = &Queue{wake: make(chan struct{}, 1), backlog: o.backlog(), ctx: r.Context()}
	run.q.mail.Claim()
	var reason Reason
	defer func() {
		run.q.over.Store(true)
		terminate(r, reason, req, h)
	}()
	guard(func() { reason = run.loop() }, func(v any) {
		reason = Crashed(v)
		answered := watched.Answered()
		if answered && v != nil && v != http.ErrAbortHandler {
			logf(r, "upgrade: %s %s: %v", r.Method, r.URL.Path, crashError("a callback", v))
			v = http.ErrAbortHandler // the client must not take a part for the whole
		}
		crashedRequest(watched, r, "a callback", v)
	})
	return nil
}

// looping is one request that is held open.
type looping struct {
	w    *Watcher
	r    *http.Request
	h    LoopHandler
	o    *LoopOptions
	q    *Queue
	msgs []any
}

// loop runs callbacks until the request has come to its end.
func (l *looping) loop() Reason {
	stop := Reason{Kind: Stop}
	if l.done(l.h.LoopInit(l.q, l.w)) {
		return stop
	}
	draining := Draining(l.r.Context())
	for {
		for l.q.mail.Take(&l.msgs) {
			for i, msg := range l.msgs {
				l.q.waiting.Add(-1)
				l.msgs[i] = nil
				if l.done(l.h.LoopInfo(msg, l.w)) {
					return stop
				}
				if err := l.r.Context().Err(); err != nil {
					return Reason{Kind: Error, Name: Closed, Err: err}
				}
			}
			l.msgs = l.msgs[:0]
		}
		switch event := l.wait(draining); event {
		case loopIdle:
			return Reason{Kind: Timeout}
		case loopGone:
			return Reason{Kind: Error, Name: Closed, Err: context.Cause(l.r.Context())}
		case loopDraining:
			draining = nil
			if d, ok := l.h.(LoopDrainer); !ok || l.done(d.LoopDrain(l.w)) {
				return stop
			}
		}
	}
}

type loopEvent uint8

const (
	loopWoken loopEvent = iota
	loopIdle
	loopGone
	loopDraining
)

// wait waits for something to do.
func (l *looping) wait(draining <-chan struct{}) loopEvent {
	var idle <-chan time.Time
	if l.o.IdleTimeout > 0 {
		t := time.NewTimer(l.o.IdleTimeout)
		defer t.Stop()
		idle = t.C
	}
	select {
	case <-l.q.wake:
		return loopWoken
	case <-idle:
		return loopIdle
	case <-l.r.Context().Done():
		return loopGone
	case <-draining:
		return loopDraining
	}
}

// done flushes what a callback wrote, and does what it wants.
func (l *looping) done(r LoopResult) bool {
	if r == LoopStop {
		return true
	}
	l.w.flush()
	if r == LoopHibernate {
		l.msgs = nil
	}
	return false
}
