package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// run is one measurement: what its engines share, and where they wait for each other.
type run struct {
	cfg      *Config
	messages []message
	request  []byte // of HTTP/1.1
	accept   string
	base     time.Time // of all clocks

	engines    []*engine
	extensions atomic.Pointer[string] // agreed on first
	t0         atomic.Int64           // when the load begins; 0: not known
	bye        atomic.Bool            // the figures are taken: close
	stop       atomic.Bool            // end early
	settled    chan struct{}          // one from each engine whose handshakes are over
	rested     chan struct{}          // one from each engine whose answers are there
}

// OpenError says why no WebSocket could be opened.
type OpenError struct {
	Err     error
	Status  int  // of an answer that refused
	Connect bool // there was no connection
	Timeout bool // nobody answered in time
}

func (e *OpenError) Error() string { return e.Err.Error() }
func (e *OpenError) Unwrap() error { return e.Err }

// Run makes one measurement. It ends when that is done, or soon after ctx; then Report.Interrupted
// is set. What goes wrong with some of the WebSockets is counted in the report; an error is that
// none could be opened (*OpenError), or that cfg or its process cannot be measured.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	c, err := cfg.defaults()
	if err != nil {
		return nil, err
	}
	r := &run{cfg: &c, messages: messages(&c), base: time.Now()}
	r.request, r.accept = requestH1(&c)
	r.settled, r.rested = make(chan struct{}, c.Loops), make(chan struct{}, c.Loops)
	var server *process
	if c.Pid != 0 {
		if server, err = newProcess(c.Pid); err != nil {
			return nil, err
		}
	}
	shells, err := r.build()
	if err != nil {
		return nil, err
	}
	rep := &Report{}
	if err := r.settle(); err != nil {
		return nil, err
	}
	if err := server.memory(&rep.server.before); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	for _, run := range shells {
		wg.Go(run)
	}
	if c.Progress != nil {
		quit := make(chan struct{})
		watcher := sync.WaitGroup{}
		watcher.Go(func() { r.watch(quit) })
		defer func() { close(quit); watcher.Wait() }()
	}
	err = r.conduct(ctx, server, rep)
	r.bye.Store(true)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	return rep, r.report(rep)
}

// now is the clock of the engines, in nanoseconds from the beginning.
func (r *run) now() int64 { return int64(time.Since(r.base)) }

// part is which part of all WebSockets an engine has.
func (r *run) part(e *engine) float64 {
	if len(r.engines) == 1 {
		return 1
	}
	return float64(e.counted) / float64(r.cfg.Connections*r.cfg.Streams)
}

// build makes the engines, and what runs each until it is finished.
func (r *run) build() ([]func(), error) {
	c := r.cfg
	var shells []func()
	left, messages, slow := c.Connections, c.Messages, c.SlowReaders
	for i := range c.Loops {
		e := newEngine(r, c)
		n := left / (c.Loops - i)
		e.addLinks(n, c.Streams)
		e.share = messages * int64(n) / int64(left)
		e.addSlow(slow * n / left)
		slow -= slow * n / left
		messages -= e.share
		left -= n
		if c.Mode == Broadcast {
			e.speaker = e.sockets[0]
		}
		run, err := newShell(e)
		if err != nil {
			return nil, err
		}
		r.engines = append(r.engines, e)
		shells = append(shells, run)
	}
	return shells, nil
}

var errInterrupted = errors.New("interrupted")

// conduct leads the engines through the measurement.
func (r *run) conduct(ctx context.Context, server *process, rep *Report) error {
	interrupted := ctx.Done()
	wait := func(c <-chan struct{}, until <-chan time.Time) (all bool) {
		for n := 0; n < len(r.engines); {
			select {
			case <-c:
				n++
			case <-until:
				return false
			case <-interrupted:
				r.stop.Store(true)
				rep.Interrupted = true
				interrupted = nil
			}
		}
		return true
	}
	wait(r.settled, nil)
	rep.opening = time.Since(r.base)
	opened := 0
	for _, e := range r.engines {
		opened += e.everOpen
	}
	if opened == 0 {
		if rep.Interrupted {
			return errInterrupted
		}
		return r.openError()
	}
	c := r.cfg
	if c.Mode == Broadcast && r.engines[0].speaker.state != open {
		return fmt.Errorf("load: the speaker: %w", r.openError())
	}
	if c.Mode == Idle && c.Pid == 0 && rep.Interrupted {
		return errInterrupted
	}
	if err := server.memory(&rep.server.open); err != nil {
		return err
	}
	if c.Warmup == 0 {
		if err := server.cpu(&rep.server.cpuBefore); err != nil {
			return err
		}
	}
	rep.client.cpuBefore = ownCPU()
	t0 := r.now() + int64(time.Millisecond)
	r.t0.Store(t0)
	rested := false
	if c.Warmup > 0 {
		rested = wait(r.rested, time.After(time.Duration(t0-r.now())+c.Warmup))
		rep.client.cpuBefore = ownCPU()
		if err := server.cpu(&rep.server.cpuBefore); err != nil {
			return err
		}
	}
	if c.Messages == 0 && !rested {
		if rested = wait(r.rested, time.After(time.Duration(t0-r.now())+c.Warmup+c.Duration)); !rested {
			rep.client.cpuAfter = ownCPU()
			_ = server.cpu(&rep.server.cpuAfter) // it may have ended; the WebSockets tell
			wait(r.rested, nil)
			if err := r.settle(); err != nil {
				return err
			}
			_ = server.memory(&rep.server.after)
			return nil
		}
	}
	if !rested {
		wait(r.rested, nil)
	}
	rep.client.cpuAfter = ownCPU()
	_ = server.cpu(&rep.server.cpuAfter)
	if err := r.settle(); err != nil {
		return err
	}
	_ = server.memory(&rep.server.after)
	return nil
}

func (r *run) settle() error {
	if r.cfg.Settle == nil {
		return nil
	}
	return r.cfg.Settle()
}

// openError is why nothing could be opened: what happened first.
func (r *run) openError() error {
	var first error
	for _, e := range r.engines {
		if e.firstErr != nil {
			first = e.firstErr
			break
		}
	}
	oe := &OpenError{Err: first}
	if he, ok := errors.AsType[*handshakeError](first); ok {
		oe.Status = he.status
	} else if _, ok := errors.AsType[*connectError](first); ok {
		oe.Connect = true
	} else if first == errNoAnswer {
		oe.Timeout = true
	}
	return oe
}

// connectError says that there was no connection, or no TLS.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// watch tells Config.Progress how far the engines are.
func (r *run) watch(quit <-chan struct{}) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		r.cfg.Progress(r.progress())
	}
}

func (r *run) progress() Progress {
	p := Progress{Phase: "opening", Elapsed: time.Since(r.base), Want: r.cfg.Connections * r.cfg.Streams}
	for _, e := range r.engines {
		p.Open += int(e.shown.open.Load())
		p.Messages += e.shown.messages.Load()
		p.Errors += e.shown.errors.Load()
	}
	t0 := r.t0.Load()
	switch now := r.now(); {
	case r.bye.Load():
		p.Phase = "closing"
	case t0 == 0:
	case now < t0+int64(r.cfg.Warmup):
		p.Phase = "warm-up"
	case r.cfg.Mode == Idle:
		p.Phase = "holding"
	default:
		p.Phase = "measuring"
	}
	return p
}

// sum adds up what the engines counted.
func (r *run) sum(of func(*engine) int64) int64 {
	var n int64
	for _, e := range r.engines {
		n += of(e)
	}
	return n
}

// errors are all that went wrong, by name.
func (r *run) errors() map[string]int64 {
	all := map[string]int64{}
	for _, e := range r.engines {
		for name, n := range e.errors {
			all[name] += n
		}
	}
	return all
}

// series adds up the engines' slices, which are equally long unless one of them ran far longer.
func (r *run) series() (slice time.Duration, counts []int64) {
	for _, e := range r.engines {
		slice = max(slice, time.Duration(e.series.slice))
	}
	for _, e := range r.engines {
		for i, n := range e.series.counts {
			if at := int(int64(i) * e.series.slice / max(1, int64(slice))); at < len(counts) {
				counts[at] += n
			} else {
				counts = append(counts, slices.Repeat([]int64{0}, at-len(counts))...)
				counts = append(counts, n)
			}
		}
	}
	return slice, counts
}
