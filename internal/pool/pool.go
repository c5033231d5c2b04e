// Package pool keeps a client's HTTP/2 or HTTP/3 connections to one server, and opens streams on
// them by extended CONNECT (RFC 8441, RFC 9220): as many streams share a connection as the server
// allows, then there is another. It says when a connection is opened, when one that has gone silent
// is left, and which requests are made again. How a connection is made is its user's.
package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"weir/h2"
	"weir/internal/reach"
	"weir/stream"
)

const (
	// patience is how long the opening of a connection may take before it is taken to hang: then
	// another may begin beside it. Each that hangs doubles it for the next, and where the last one
	// that came to be took more than half of it, it is twice that, up to maxPatience.
	patience    = 250 * time.Millisecond
	maxPatience = patience << maxHanging
	// maxHanging is how many may hang at a time while yet another is begun. When there is one more,
	// and somebody waits, the oldest one whose waiter has left is called off.
	maxHanging = 4
	// lookTime is how often it is looked whether there is room, or a dial to be begun, while
	// somebody waits.
	lookTime = 250 * time.Millisecond
	// maxOpening is how many are opened at once, where one would not have room for all who wait.
	maxOpening = 8
	// lastWords is how long a dial that has been called off may take to say what it was at.
	lastWords = 100 * time.Millisecond
)

// ErrLeft is what Open gives after Leave.
var ErrLeft = errors.New("no new streams are opened")

// errNone is of a server that lets nobody open a stream.
var errNone = fmt.Errorf("the server allows no stream,"+
	" its SETTINGS_MAX_CONCURRENT_STREAMS is 0: %w", h2.ErrNoRoom)

// notOffered3 is of a server without WebSockets over HTTP/3.
type notOffered3 struct{}

func (notOffered3) Error() string {
	return "the server does not offer extended CONNECT (RFC 9220, 3)"
}
func (notOffered3) Unwrap() error { return stream.ErrNotOffered }

// errNotOffered3 and errNone3 are of HTTP/3.
var (
	errNotOffered3 error = notOffered3{}
	errNone3             = errors.New("the server allows no stream, its initial_max_streams_bidi is 0" +
		" (RFC 9000, 4.6)")
)

// errGoexit is of a hook that ended its goroutine.
var errGoexit = errors.New("a hook called runtime.Goexit")

// PlainError says that a server does not speak HTTP/2. Conn is a connection on which it wants
// HTTP/1.1, and the caller's, or nil where somebody else has it.
type PlainError struct{ Conn net.Conn }

func (e *PlainError) Error() string { return "the server does not speak HTTP/2 (RFC 9113, 3.2)" }

// Pool is the connections to one server. Its methods may be called from any goroutine.
type Pool struct {
	dial func(context.Context) (net.Conn, error)
	cfg  *h2.ClientConfig
	mux  func(context.Context) (stream.Mux, error) // in place of both

	mu      sync.Mutex
	conns   []stream.Mux
	dials   []*dial // that have not ended, the oldest first
	waiting []*waiter
	look    *time.Timer   // calls looks; nil: nobody has waited yet
	took    time.Duration // how long the last connection took to open
	limit   int           // how many streams the server allowed on it; 0: there was none yet
	left    error         // nothing new is opened, and why
}

// waiter is somebody who wants a stream, and found no connection with room for it.
type waiter struct {
	ctx context.Context
	own *dial        // that was begun with ctx, and has not ended; nil: none
	got chan outcome // of one
}

// outcome is what comes of waiting.
type outcome struct {
	c   stream.Mux // with room reserved
	err error
}

// New makes a pool. dial opens a connection, with TLS and its handshake where it is wanted: if it
// has a method ConnectionState, ALPN must have chosen h2, else it is PlainError.Conn. dial's
// context has the values of the Open that wants the connection, and ends when nobody waits for it
// any more.
func New(dial func(context.Context) (net.Conn, error), cfg *h2.ClientConfig) *Pool {
	return &Pool{dial: dial, cfg: cfg}
}

// NewMux makes a pool of connections that dial has opened. Its context is as that of New's.
func NewMux(dial func(context.Context) (stream.Mux, error)) *Pool { return &Pool{mux: dial} }

// Await waits until there is a connection with room for a stream, and the server is there.
func (p *Pool) Await(ctx context.Context) error {
	c, err := p.take(ctx)
	if err != nil {
		return err
	}
	c.Release()
	return nil
}

// take gives a connection that has room for a stream, and reserves it.
func (p *Pool) take(ctx context.Context) (stream.Mux, error) {
	for {
		c, w, err := p.find(ctx)
		switch {
		case err != nil:
			return nil, err
		case w != nil:
			return p.wait(w)
		case answers(ctx, c):
			return c, nil
		case ctx.Err() != nil:
			return nil, ended(ctx, "no answer to PING")
		}
	}
}

// find gives a connection with room, or a place among those who wait for one.
func (p *Pool) find(ctx context.Context) (stream.Mux, *waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left != nil {
		return nil, nil, p.left
	}
	p.serve() // streams may have ended
	if c := p.room(); c != nil {
		return c, nil, nil
	}
	w := &waiter{ctx: ctx, got: make(chan outcome, 1)}
	p.waiting = append(p.waiting, w)
	p.begin()
	return nil, w, nil
}

// room reserves it for a stream: on a connection that was heard of late, or else on one whose
// silence is not known to be its end. p.mu is held.
func (p *Pool) room() stream.Mux {
	now := time.Now()
	p.forget()
	var found stream.Mux
	for _, c := range p.conns {
		if silent(c, now) || found != nil && (quiet(c, now) || !quiet(found, now)) || !c.Reserve() {
			continue
		}
		if found != nil {
			found.Release()
		}
		found = c
	}
	return found
}

// forget drops the connections that have ended, or do with their last stream, which has ended.
func (p *Pool) forget() {
	p.conns = slices.DeleteFunc(p.conns, func(c stream.Mux) bool {
		return c.Leaving() && c.Streams() == 0
	})
}

// wait waits for what comes of it.
func (p *Pool) wait(w *waiter) (stream.Mux, error) {
	waited := false
	defer func() { // when ctx panics
		if !waited {
			p.forsake(w)
		}
	}()
	done := w.ctx.Done()
	select {
	case o := <-w.got:
		waited = true
		return o.c, o.err
	case <-done:
	}
	err := w.ctx.Err()
	waited = true
	d := p.leaves(w, err)
	if d == nil {
		select {
		case o := <-w.got: // it came just now
			return o.c, o.err
		default:
			return nil, ended(w.ctx, "no connection yet")
		}
	}
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-d.over:
		if d.err != nil {
			return nil, d.err
		}
	case <-late.C:
	}
	return nil, ended(w.ctx, "no connection yet")
}

// forsake takes a waiter away who does not want what it gets.
func (p *Pool) forsake(w *waiter) {
	p.leaves(w, context.Canceled)
	select {
	case o := <-w.got: // it came before
		if o.c != nil {
			o.c.Release()
		}
		if plain, ok := errors.AsType[*PlainError](o.err); ok && plain.Conn != nil {
			plain.Conn.Close()
		}
	default:
	}
}

// leaves takes a waiter away, whose context ended with err. With the last one the dials are called
// off; then it gives the one that was the waiter's own, if there is one.
func (p *Pool) leaves(w *waiter, err error) *dial {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, w)
	if i < 0 {
		return nil
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	if len(p.waiting) > 0 {
		return nil
	}
	for _, d := range p.dials {
		d.end(err)
	}
	return w.own
}

// begin begins as many dials as those who wait need; p.mu is held.
func (p *Pool) begin() {
	now := time.Now()
	for p.wants(now) {
		i := p.owner(nil)
		if i < 0 {
			break // each has one of its own
		}
		d := &dial{
			Context: p.waiting[i].ctx, began: now, by: now.Add(p.patience()),
			done: make(chan struct{}), over: make(chan struct{}),
		}
		p.waiting[i].own = d
		p.dials = append(p.dials, d)
		go p.run(d) // ends with the dial
	}
	p.lookAgain(now)
}

// wants says that another dial is to begin: who waits would not find room on those that are under
// way, or they hang. Those that have been called off and go on are as good as hanging.
func (p *Pool) wants(now time.Time) bool {
	hanging, off := 0, 0
	var gives *dial
	for _, d := range p.dials {
		switch {
		case d.Err() != nil:
			off++
		case now.Before(d.by):
			continue
		case gives == nil && p.owner(d) < 0:
			gives = d
		}
		hanging++
	}
	if hanging > maxHanging && off == 0 && gives != nil && p.owner(nil) >= 0 {
		gives.end(context.Canceled) // when it has ended another begins
	}
	need := 1
	if p.limit > 0 {
		need = (len(p.waiting) + p.limit - 1) / p.limit
	}
	working := len(p.dials) - hanging
	return len(p.waiting) > 0 && hanging <= maxHanging && working < min(need, maxOpening)
}

// wanted is how many dials are under way that have not been called off; p.mu is held.
func (p *Pool) wanted() (n int) {
	for _, d := range p.dials {
		if d.Err() == nil {
			n++
		}
	}
	return n
}

func (p *Pool) patience() time.Duration {
	return max(patience<<min(p.wanted(), maxHanging), min(2*p.took, maxPatience))
}

// lookAgain sees to it that somebody looks when the next dial begins to hang, and every now and
// then while somebody waits: streams end, and dials lose their waiters.
func (p *Pool) lookAgain(now time.Time) {
	if len(p.waiting) == 0 {
		return
	}
	next := now.Add(lookTime)
	for _, d := range p.dials {
		if now.Before(d.by) && d.Err() == nil && d.by.Before(next) {
			next = d.by
		}
	}
	if p.look == nil {
		p.look = time.AfterFunc(next.Sub(now), p.looks)
	} else {
		p.look.Reset(next.Sub(now))
	}
}

// looks looks whether a dial hangs, and whether streams have ended.
func (p *Pool) looks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve()
	p.begin()
}

// serve gives those who wait what room there is; p.mu is held.
func (p *Pool) serve() {
	for len(p.waiting) > 0 {
		c := p.room()
		if c == nil {
			return
		}
		p.tell(0, outcome{c: c})
	}
	for _, d := range p.dials {
		d.end(context.Canceled) // nobody waits
	}
}

// tell ends a wait; p.mu is held.
func (p *Pool) tell(i int, o outcome) {
	p.waiting[i].got <- o
	p.waiting = slices.Delete(p.waiting, i, i+1)
}

// tellAll ends all of them.
func (p *Pool) tellAll(err error) {
	for len(p.waiting) > 0 {
		p.tell(0, outcome{err: err})
	}
}

// dial is the opening of a connection. It is a context with the values of the one that it was begun
// for, and has an end of its own.
type dial struct {
	context.Context
	began, by time.Time     // at by it is taken to hang
	done      chan struct{} // closed: it is called off
	over      chan struct{} // closed: it has ended
	err       error         // then

	mu  sync.Mutex
	off error
}

// Deadline is none: who waits for it has one.
func (d *dial) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done is closed when the dial is called off.
func (d *dial) Done() <-chan struct{} { return d.done }

// Err is why it was.
func (d *dial) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

func (d *dial) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off == nil {
		d.off = err
		close(d.done)
	}
}

// run opens a connection, and tells those who wait.
func (p *Pool) run(d *dial) {
	var c stream.Mux
	err := error(nil)
	defer func() { p.dialled(d, c, err) }() // also when it crashes
	err = crashed("a hook of the dial", func() (err error) {
		c, err = p.connect(d)
		return err
	})
}

// crashed calls f, whose error it gives: it calls hooks of a user's. Where they were called from is
// another goroutine, so a panic is an error here. runtime.Goexit ends this goroutine.
func crashed(what string, f func() error) (err error) {
	returned := false
	defer func() {
		if v := recover(); !returned {
			err = fmt.Errorf("%s panicked: %v\n%s", what, v, debug.Stack())
		}
	}()
	err = f()
	returned = true
	return err
}

// dialled tells what came of a dial.
func (p *Pool) dialled(d *dial, c stream.Mux, err error) {
	if c == nil && err == nil {
		err = errGoexit
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	d.err = err
	close(d.over)
	p.dials = slices.DeleteFunc(p.dials, func(o *dial) bool { return o == d })
	plain, isPlain := errors.AsType[*PlainError](err)
	switch {
	case err == nil && (p.left != nil || d.Err() != nil && len(p.waiting) == 0):
		c.Leave()
	case err == nil:
		p.conns = append(p.conns, c)
		p.took, p.limit = time.Since(d.began), c.Room()
	case isPlain && len(p.waiting) > 0:
		p.tell(max(p.owner(d), 0), outcome{err: err})
		p.tellAll(&PlainError{})
	case isPlain:
		go crashed("net.Conn.Close", plain.Conn.Close) // ends when it is closed
	case d.Err() == nil:
		p.failed(d, err)
	}
	p.serve()
	if err == nil && c.Cause() != nil { // since connect looked
		p.failed(d, &lostError{c.Cause()})
	}
	if i := p.owner(d); i >= 0 { // others came first
		p.waiting[i].own = nil
	}
	p.begin()
}

// failed tells those whom a dial has failed. p.mu is held.
func (p *Pool) failed(d *dial, err error) {
	if p.wanted() == 0 {
		p.tellAll(err)
	} else if i := p.owner(d); i >= 0 { // another may fare better
		p.tell(i, outcome{err: err})
	}
}

// owner is the place of the waiter that a dial was begun for, or -1. With nil it is that of the
// first who has none.
func (p *Pool) owner(d *dial) int {
	return slices.IndexFunc(p.waiting, func(w *waiter) bool { return w.own == d })
}

// connect opens a connection on which there is room for a stream.
func (p *Pool) connect(d *dial) (c stream.Mux, err error) {
	notOffered, none := h2.ErrNoExtendedConnect, errNone
	if p.mux != nil {
		notOffered, none = errNotOffered3, errNone3
		c, err = p.mux(d)
	} else {
		c, err = p.overHTTP2(d)
	}
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() { // also when d panics
		if !kept {
			c.Close()
		}
	}()
	offered, err := c.ExtendedConnect(d)
	room := c.Room() // before Cause: one that has ended has none
	switch {
	case err != nil:
	case !offered:
		err = notOffered
	case c.Cause() != nil:
		err = &lostError{c.Cause()}
	case room == 0: // on another connection it would not be otherwise
		err = none
	}
	kept = true
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// overHTTP2 opens a connection of HTTP/2.
func (p *Pool) overHTTP2(d *dial) (stream.Mux, error) {
	nc, err := p.dial(d)
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() { // also when a method of nc panics
		if !kept {
			nc.Close()
		}
	}()
	t, ok := nc.(interface{ ConnectionState() tls.ConnectionState })
	if ok && t.ConnectionState().NegotiatedProtocol != "h2" {
		kept = true
		return nil, &PlainError{nc}
	}
	c := h2.NewClient(nc, p.cfg)
	kept = true
	return c, nil
}

// lostError is of a connection that ended before a stream could be opened on it.
type lostError struct{ err error }

func (e *lostError) Error() string {
	return "the connection ended behind its SETTINGS: " + e.err.Error()
}
func (e *lostError) Unwrap() error { return e.err }

// CloseIdle ends the connections that have no stream.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if c.Streams() == 0 {
			c.Leave()
		}
	}
}

// Leave ends each connection with its last stream, and gives them. Who waits gets why, and so does
// everybody who comes.
func (p *Pool) Leave(why error) []stream.Mux {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = why
	p.tellAll(why)
	for _, d := range p.dials {
		d.end(context.Canceled)
	}
	for _, c := range p.conns {
		c.Leave()
	}
	return slices.Clone(p.conns)
}

// Unused says that there is no connection and nobody who wants one.
func (p *Pool) Unused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	return len(p.conns) == 0 && len(p.dials) == 0 && len(p.waiting) == 0
}

// ended is the error of one whose context has ended.
func ended(ctx context.Context, at string) error {
	return fmt.Errorf("%s: %w", at, reach.Ended(ctx))
}
