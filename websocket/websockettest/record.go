package websockettest

import (
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"weir/websocket"
	"weir/websocket/internal/hook"
)

// record is what is known of the handler's side of a WebSocket. The wire's mu guards it.
type record struct {
	path, remote string // of a Server's
	w            *wire
	hooked       bool // the WebSocket is one of package websocket
	begun        bool // and Init is over
	handled      bool // there is a websocket.Handler, and not a Conn
	session      *websocket.Session
	commands     []websocket.Command
	reason       *websocket.Reason
	crash        string // the stack of a callback that panicked or called runtime.Goexit
	excused      bool   // a test wanted it
}

// hook has the WebSocket of a request recorded.
func (r *record) hook() *hook.Hook {
	return &hook.Hook{
		Handler: func(h any) any { return r.around(h.(websocket.Handler)) },
		Options: func(o any) any { return r.options(o.(*websocket.Options)) },
	}
}

// options are o, and tell of the session.
func (r *record) options(o *websocket.Options) *websocket.Options {
	r.w.mu.Lock()
	r.hooked = true
	r.w.mu.Unlock()
	own := websocket.Options{}
	if o != nil {
		own = *o
	}
	trace := own.Trace
	own.PoisonPayloads = true
	own.Trace = func(e websocket.Event) {
		r.event(e)
		if trace != nil {
			trace(e)
		}
	}
	return &own
}

func (r *record) event(e websocket.Event) {
	switch e.Kind {
	case websocket.EventOpen, websocket.EventTerminate:
	default:
		return
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.session, r.begun = e.Session, r.begun || !r.handled
	if e.Kind == websocket.EventTerminate && !r.handled {
		r.ended(e.Reason)
	}
	r.w.change()
}

// ended notes why the session ended; mu is held.
func (r *record) ended(reason websocket.Reason) {
	r.reason = &reason
	r.w.note("                              ended: %s", reason)
	r.w.change()
}

// around is h, and what it does is recorded. It has those optional callbacks of h whose presence
// makes a difference.
func (r *record) around(h websocket.Handler) websocket.Handler {
	r.w.mu.Lock()
	r.handled = true
	r.w.mu.Unlock()
	o := &observer{h, r}
	_, informs := h.(websocket.Informer)
	_, drains := h.(websocket.Drainer)
	switch {
	case informs && drains:
		return struct {
			*observer
			informer
			drainer
		}{o, informer{o}, drainer{o}}
	case informs:
		return struct {
			*observer
			informer
		}{o, informer{o}}
	case drains:
		return struct {
			*observer
			drainer
		}{o, drainer{o}}
	}
	return o
}

// observer is a handler that is recorded.
type observer struct {
	h websocket.Handler
	r *record
}

type informer struct{ o *observer }
type drainer struct{ o *observer }

func (o *observer) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	defer o.r.began()
	i, ok := o.h.(websocket.Initer)
	if !ok {
		return out
	}
	return o.call("init", func() websocket.Commands { return i.Init(s, out) })
}

func (o *observer) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	what := "handle " + Frame{Type: f.Type, Payload: string(f.Payload)}.String()
	return o.call(what, func() websocket.Commands { return o.h.Handle(f, out) })
}

func (i informer) Info(msg any, out websocket.Commands) websocket.Commands {
	what := fmt.Sprintf("info %T", msg) // and not what it says: somebody else may be about to change it
	if s, ok := msg.(string); ok {
		what = fmt.Sprintf("info %q", s)
	}
	return i.o.call(what, func() websocket.Commands { return i.o.h.(websocket.Informer).Info(msg, out) })
}

func (d drainer) Drain(out websocket.Commands) websocket.Commands {
	return d.o.call("drain", func() websocket.Commands { return d.o.h.(websocket.Drainer).Drain(out) })
}

func (o *observer) Terminate(reason websocket.Reason, req *websocket.PartialRequest) {
	defer func() { // also of one that panics
		o.r.w.mu.Lock()
		defer o.r.w.mu.Unlock()
		o.r.ended(reason)
	}()
	if t, ok := o.h.(websocket.Terminator); ok {
		o.call("terminate", func() websocket.Commands { t.Terminate(reason, req); return nil })
	}
}

// call makes a callback. What it panics with goes on to the session, which ends for it.
func (o *observer) call(what string, f func() websocket.Commands) (cmds websocket.Commands) {
	returned := false
	defer func() {
		if !returned {
			o.crashed(what, string(debug.Stack()))
		}
	}()
	cmds = f()
	returned = true
	o.r.returned(what, cmds)
	return cmds
}

func (o *observer) crashed(what, stack string) {
	o.r.w.mu.Lock()
	defer o.r.w.mu.Unlock()
	o.r.crash = what + " did not return: it panicked, or called runtime.Goexit (t.Fatal does)\n" + stack
	o.r.w.note("                              %s did not return", what)
	o.r.w.change()
}

// began notes that Init is over.
func (r *record) began() {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.begun = true
	r.w.change()
}

// awaitInit waits until Init is over, or blocks: in fake time nothing moves then. Where time is
// real it is waited for a second.
func (r *record) awaitInit(fake bool) {
	d := time.Second
	if fake {
		d = 1
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.hooked {
		r.w.await(d, func() bool { return r.begun })
	}
}

// awaitEnds waits until the sessions of records have ended, for d at most.
func awaitEnds(records []*record, d time.Duration) {
	end := time.Now().Add(d)
	for _, r := range records {
		r.w.mu.Lock()
		if r.session != nil {
			r.w.await(time.Until(end), func() bool { return r.reason != nil })
		}
		r.w.mu.Unlock()
	}
}

// returned notes what a callback returned. The payloads are lent for a moment only.
func (r *record) returned(what string, cmds websocket.Commands) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if r.w.note("                              %s → %v", what, cmds); len(cmds) == 0 {
		return
	}
	for _, c := range cmds {
		r.commands = append(r.commands, clone(c))
	}
	r.w.change()
}

// story is what has happened, for messages.
func (r *record) story() string {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	return r.w.story()
}

// clone is c, with a payload of its own.
func clone(c websocket.Command) websocket.Command {
	if c.Kind() != websocket.CommandFrame {
		return c
	}
	p := string(c.Payload())
	switch c.Type() {
	case websocket.TextFrame:
		return websocket.Text(p)
	case websocket.BinaryFrame:
		return websocket.Binary(p)
	case websocket.PingFrame:
		return websocket.Ping(p)
	}
	return websocket.Pong(p)
}

// crashText is for messages; mu is held.
func (r *record) crashText() string {
	if r.crash == "" {
		return ""
	}
	r.excused = true // it is told here
	return "\n" + r.crash
}

// report fails the test for a crash that nobody wanted.
func (r *record) report(t testing.TB) {
	t.Helper()
	r.w.mu.Lock()
	crash, excused := r.crash, r.excused
	r.w.mu.Unlock()
	if crash != "" && !excused {
		t.Errorf("websockettest: %s", crash)
	}
}

// observed fails the test of a peer that is the server; mu is held.
func (p *Peer) observed() {
	p.t.Helper()
	if p.host == nil {
		p.failf("this peer is the server, and nothing is known of the client's handler")
	}
	if !p.record.hooked {
		p.failf("the WebSocket was not opened by package websocket, and nothing is known of its handler")
	}
}

// Commands are the commands that the handler's callbacks have returned since the last call of
// Commands or WantCommands, in order. What they send has been copied. What Session.Send was given
// is not among them.
func (p *Peer) Commands() []websocket.Command {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	cmds := p.record.commands
	p.record.commands = nil
	return cmds
}

// WantCommands waits for commands of the handler's callbacks, and wants those that were returned
// since the last call of Commands or WantCommands to be these, in order.
func (p *Peer) WantCommands(want ...websocket.Command) {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.observed()
	r := p.record
	p.await(func() bool { return len(r.commands) >= len(want) || r.reason != nil })
	if got := r.commands; !slices.EqualFunc(got, want, websocket.Command.Equal) {
		p.failf("the callbacks returned %v, want %v", got, want)
	}
	r.commands = nil
}

// WantReason waits until the handler's session has ended, its Terminate too, and wants it to have
// ended for this reason, as Reason.String spells it: stop, timeout, remote, error:badframe,
// crash:throw. A test that wants a crash does not fail for the panic.
func (p *Peer) WantReason(want string) websocket.Reason {
	p.t.Helper()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.observed()
	r := p.record
	if !p.await(func() bool { return r.reason != nil }) {
		p.failf("the session has not ended, want %s", want)
	}
	if got := r.reason.String(); got != want {
		p.failf("the session ended for %s (%+v), want %s", got, *r.reason, want)
	}
	if r.reason.Kind == websocket.ReasonCrash {
		r.excused = true
	}
	return *r.reason
}
