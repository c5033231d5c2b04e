package h2

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"weir/stream"
)

// conn is the shell round one core: the socket, the clock, the lock, the goroutines. Nothing of a
// user is called with mu held.
type conn struct {
	srv      *Server // nil: the client's side
	client   *Client // nil: the server's
	cfg      *Config
	log      *slog.Logger
	errorLog *log.Logger // of a client; nil: that of package log
	nc       net.Conn    // as net/http, or Dial, has it
	io       net.Conn    // what is used in its place, see guarded
	tls      *tls.ConnectionState
	handler  http.Handler
	base     context.Context // parent of ctx
	ctx      context.Context // parent of the requests'; nil: there is none, see requests
	cancel   context.CancelFunc
	remote   string

	id uint64 // of the server's connections

	mu       sync.Mutex
	core     *core
	flushing bool   // somebody writes, and writes on until nothing is left
	spare    []byte // the buffer of the last write
	// unyielded is the octets that were written one behind the other since others had the processor.
	unyielded int
	begun     []byte // of a write that has left a rest; nil: none has
	inSink    bool   // the reader is inside a sink: nobody may write to the socket on its goroutine
	hungUp    bool   // our side of the socket is closed, or about to be
	bounded   bool   // see boundWrite
	linger    lingering
	timer     *time.Timer
	armed     time.Time // when timer fires
	flusher   func()    // method values, so that go statements do not allocate
	notifier  func()
	crew      crew
	in        source // the reader's
	full      bool   // a plain socket takes no more of the write under way
	lowat     lowat
	wrote     sync.Cond // on mu: a write is done, for those who wait in large
	plain     plain     // nc, if it is a plain socket
	below     below     // what is below it, if it is none

	running int         // handlers
	crowd   bool        // there were several at a time, in the same ctx
	waiting []*exchange // requests whose handler has not been started
	ending  []answered  // answered streams whose request is still coming

	notices   []*tunnel        // those whose sink has something to be told
	states    []http.ConnState // for the hook of http.Server
	notifying bool
	idle      bool

	telling    bool      // somebody tells the hook states
	ended      bool      // it is told no more, see endStates
	toldStates sync.Cond // on mu: telling has become false
	journal    journal
}

func newConn(s *Server, nc net.Conn, state *tls.ConnectionState, h http.Handler, ctx context.Context) *conn {
	c := &conn{srv: s, cfg: &s.cfg, log: s.log, nc: nc, tls: state, handler: h, base: ctx}
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.crew.lookout = &s.lookout
	c.core = newCore(s.cfg.core(), state == nil, s.cfg.tracer(), time.Now())
	c.shell()
	return c
}

func (c *conn) shell() {
	c.flusher, c.notifier = c.flushOn, c.notify
	c.wrote.L, c.toldStates.L = &c.mu, &c.mu
	c.io = c.guarded(c.nc)
	if c.plain.open(c.io, c.socketFull); c.plain.raw != nil {
		c.core.portion = largeWrite
	} else {
		c.below.open(c.io)
	}
	c.crew.c, c.crew.work, c.crew.write, c.crew.reads, c.crew.bell.L = c, c.crew.turns, c.crew.flush, c.reads, &c.crew.mu
}

// serve reads until the connection has ended. It runs on the goroutine of net/http's hook.
func (c *conn) serve() {
	defer c.logged()
	defer c.ends()
	c.mu.Lock()
	c.state(http.StateActive)
	c.setIdle(true)
	if c.tls != nil && !secure(c.tls, c.srv.permit) {
		c.core.fail(InadequateSecurity, "RFC 9113, 9.2", "TLS below what HTTP/2 asks for")
	}
	c.after(false)
	c.mu.Unlock()
	c.read()
}

// ends cancels what requests are left, and sees to it that nothing is told of the connection any
// more.
func (c *conn) ends() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropContext()
	c.endStates()
}

// requests is the parent of the requests' contexts; mu is held.
func (c *conn) requests() context.Context {
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancel(c.base)
	}
	return c.ctx
}

// dropContext ends the requests' contexts. Where no handler runs it gives the room back that a
// context keeps for as many children as it ever had. mu is held.
func (c *conn) dropContext() {
	if c.ctx != nil {
		c.cancel()
		c.ctx, c.cancel = nil, nil
	}
	c.crowd = false
}

// read brings what arrives to the core, and returns when the connection has ended.
func (c *conn) read() {
	c.in.open(c.io)
	defer c.crew.await() // another goroutine may have become the reader, and a turn may have ended this one (runtime.Goexit)
	c.reads()
}

// reads is the reader, until the connection has ended or another goroutine is the reader.
func (c *conn) reads() {
	lost := true
	defer func() {
		if lost { // runtime.Goexit of a net.Conn or of a sink
			c.in.done()
			c.crew.overTold()
			go c.reads() // ends as the one before it would have
		}
	}()
	for {
		b, err := c.in.read()
		if err != nil && len(b) == 0 && c.lingers(err) {
			c.in.done()
			continue
		}
		c.crew.arrives()
		more := c.arrived(b, err)
		c.in.done()
		if !more {
			break
		}
		lost = false // from here on the crew sees to it
		if !c.crew.told() {
			return
		}
		lost = true
		if c.in.yields() {
			runtime.Gosched()
		}
	}
	lost = false
	c.in.release()
	c.crew.overTold()
	c.mu.Lock()
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.crew.close()
}

// arrived takes what was read. False: the connection has ended.
func (c *conn) arrived(b []byte, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parse(b, err, len(b) > 0)
}

// parse feeds b, and does what comes of it and of what was fed before. mu is held.
func (c *conn) parse(b []byte, err error, fed bool) (more bool) {
	whole := false
	defer func() {
		if whole {
			return
		}
		if r := recover(); r != nil {
			c.fails(r)
			more = true // until the flusher has hung up
			return
		}
		more = c.parse(nil, err, fed) // a sink called runtime.Goexit: the rest is other streams'
	}()
	if len(b) > 0 {
		c.core.feed(b, time.Now())
		if c.client != nil {
			c.client.hears()
		}
	}
	if fed {
		for ev, ok := c.core.next(); ok; ev, ok = c.core.next() {
			c.dispatch(ev, true)
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if c.client != nil {
			err = c.client.lost(err)
		}
		c.core.lost(err)
	}
	c.events()
	switch {
	case err != nil || c.core.over():
		c.after(false)
	case !c.flushing && c.core.pending():
		c.crew.writes()
		fallthrough
	default:
		c.arm()
	}
	whole = true
	return err == nil
}

// crashed ends the connection, and no more, when the core or the shell panicked; mu is held.
func (c *conn) crashed(more *bool) {
	if r := recover(); r != nil {
		c.fails(r)
		*more = true // until the flusher has hung up
	}
}

// broken is crashed for a turn; mu is not held.
func (c *conn) broken() {
	if r := recover(); r != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.fails(r)
	}
}

func (c *conn) fails(panicked any) {
	c.sayText("h2: connection of %s: %v\n%s", c.remote, panicked, debug.Stack())
	c.core.events = queue{}
	c.core.fail(InternalError, "RFC 9113, 7", "")
	c.after(false)
}

// after is what everybody does who did something to the core: tell what came of it, see to the
// output and the timer. mu is held; it is let go while the caller writes, which happens only if
// inline, for one write at most, and without waiting for the socket: a user's deadline, and the end
// of its stream, count while the peer does not read. While the reader is inside a sink it is the
// one that sees to it, when it has done with what it read.
func (c *conn) after(inline bool) {
	c.events()
	if !c.flushing && !c.inSink && (c.core.pending() || c.core.over() && !c.hungUp) {
		c.flushing = true
		if inline {
			c.flushNow()
		} else {
			go c.flusher() // ends when there is nothing to write
		}
	}
	c.arm()
}

// flushNow is flush for one write, and without waiting for the socket; what is left is a
// goroutine's.
func (c *conn) flushNow() {
	if c.plain.raw != nil {
		c.flush(false, false)
		return
	}
	c.core.fill(time.Now()) // so that the caller knows what waits for windows
	c.events()
	if len(c.core.lent) == 0 && len(c.core.out) <= smallWrite && c.below.takes() {
		c.flush(false, true)
		return
	}
	go c.flusher() // ends when there is nothing to write
}

// afterTurns is after for a crew's hand: it is not the reader, whatever the reader is about. waits:
// it holds no session, and may wait for the socket.
func (c *conn) afterTurns(waits bool) {
	c.events()
	if !c.flushing && (c.core.pending() || c.core.over() && !c.hungUp) {
		c.flushing = true
		if waits {
			c.flush(false, true)
		} else {
			c.flushNow()
		}
	}
	c.arm()
}

// events takes what happened besides parsing; mu is held.
func (c *conn) events() {
	for ev, ok := c.core.pop(); ok; ev, ok = c.core.pop() {
		c.dispatch(ev, false)
	}
}

// lose ends the connection for an error of the socket; mu is held.
func (c *conn) lose(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if c.core.err == nil {
			c.core.counts.hit(LimitWrite)
			c.sayLimit(LimitWrite, err)
		}
		err = fmt.Errorf("h2: write: %w", os.ErrDeadlineExceeded)
	}
	c.core.lost(err)
	c.core.out = nil
	c.hungUp = true
	c.io.Close()
	c.events()
}

// cut ends the connection from outside. Its last words have a moment to leave.
func (c *conn) cut(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.abandon(time.Now(), err)
	c.bounded = true
	_ = c.io.SetWriteDeadline(time.Now().Add(lingerTime)) // for a write that is under way; if it fails, so will the write
	c.after(false)
}

func (c *conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.goAway(time.Now())
	c.after(false)
}

// arm sees to it that the timer fires no later than the core wants; it may fire early.
func (c *conn) arm() {
	if c.core.unstamped() {
		c.core.stamp(time.Now())
	}
	if c.core.trace != nil {
		c.sayTrace()
	}
	if c.core.err != nil {
		c.sayEnd()
		if c.client != nil {
			c.client.fails()
		}
	}
	c.boundWrite()
	if len(c.core.kinds) > 0 {
		c.sayKinds()
	}
	d := c.core.deadline()
	if d.IsZero() || !c.armed.IsZero() && !d.Before(c.armed) {
		return
	}
	c.armed = d
	if c.timer == nil {
		c.timer = time.AfterFunc(time.Until(d), c.fired)
		return
	}
	c.timer.Reset(time.Until(d))
}

func (c *conn) fired() {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := true
	defer c.crashed(&more)
	c.armed = time.Time{}
	now := time.Now()
	if c.core.idles(now) && c.takes() {
		c.core.stir(now)
	}
	c.core.tick(now)
	c.after(false)
}

// dispatch brings an event to where it belongs. Only the reader may deliver to sinks; mu is held,
// and let go meanwhile.
func (c *conn) dispatch(ev event, reader bool) {
	switch ev.kind {
	case evRequest:
		c.setIdle(false)
		c.begin(ev)
		return
	case evGoAway:
		if ev.err != nil {
			c.say(c.log, slog.LevelDebug, "h2: GOAWAY received", slog.Any("err", ev.err))
		}
		if c.client != nil {
			c.client.asked(ev.err)
		}
		return
	case evSettings:
		c.client.greeted()
		return
	case evClosed:
		if _, ok := ev.s.owner.(*tunnel); ok {
			c.core.counts.tunnelsNow--
		}
		c.setIdle(!c.serves())
		switch err := ev.err.(type) {
		case *stallError:
			c.sayLimit(LimitStall, err)
		case *memoryError:
			c.sayLimit(LimitMemory, err)
		}
	}
	switch o := ev.s.owner.(type) {
	case *exchange:
		o.event(ev)
	case *call:
		o.event(ev)
	case *tunnel:
		o.event(ev, reader)
	}
}

// transport names what the connection's streams run on.
func (c *conn) transport() stream.Transport {
	if c.tls != nil {
		return stream.H2
	}
	return stream.H2C
}
