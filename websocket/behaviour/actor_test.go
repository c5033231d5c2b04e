package behaviour_test

import (
	"fmt"
	"strings"
	"sync"
	"testing/synctest"

	"weir/websocket"
)

// fromInfo is posted to an actor, whose Info returns it.
type fromInfo websocket.Commands

// actor is a handler that a test drives by functions, and that notes what it was told.
type actor struct {
	onInit   func(s *websocket.Session, out websocket.Commands) websocket.Commands
	onHandle func(f websocket.Frame, out websocket.Commands) websocket.Commands
	onInfo   func(msg any, out websocket.Commands) websocket.Commands

	mu      sync.Mutex
	s       *websocket.Session
	log     []string
	reasons []websocket.Reason
	reqs    []*websocket.PartialRequest
	running int
}

func (a *actor) enter(format string, args ...any) func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprintf(format, args...))
	if a.running++; a.running > 1 {
		panic("two callbacks at once")
	}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running--
	}
}

func (a *actor) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	a.s = s
	defer a.enter("init")()
	if a.onInit != nil {
		return a.onInit(s, out)
	}
	return out
}

func (a *actor) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	p := string(f.Payload)
	if len(p) > 40 {
		p = fmt.Sprintf("%d octets", len(p))
	}
	defer a.enter("%s %s", f.Type, p)()
	if a.onHandle != nil {
		return a.onHandle(f, out)
	}
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func (a *actor) Info(msg any, out websocket.Commands) websocket.Commands {
	if cmds, ok := msg.(fromInfo); ok {
		defer a.enter("info")()
		return websocket.Commands(cmds)
	}
	defer a.enter("info %v", msg)()
	if a.onInfo != nil {
		return a.onInfo(msg, out)
	}
	return out
}

func (a *actor) Terminate(r websocket.Reason, p *websocket.PartialRequest) {
	defer a.enter("terminate %s", r)()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reasons = append(a.reasons, r)
	a.reqs = append(a.reqs, p)
}

// session is the actor's session, once it is there.
func (a *actor) session() *websocket.Session {
	synctest.Wait()
	return a.s
}

// told is what the actor has been told, once everything has come to rest.
func (a *actor) told() string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.log, "; ")
}

// wantReason wants that Terminate ran once, with this reason, as the last callback.
func (h *house) wantReason(a *actor, want string) websocket.Reason {
	h.Helper()
	told := a.told()
	if len(a.reasons) != 1 {
		h.Fatalf("Terminate ran %d times; told: %s", len(a.reasons), told)
	}
	if got := a.reasons[0].String(); got != want {
		h.Fatalf("reason %s (%v), want %s", got, a.reasons[0].Err, want)
	}
	if !strings.HasSuffix(told, "terminate "+want) {
		h.Fatalf("Terminate was not the last: %s", told)
	}
	return a.reasons[0]
}

var _ websocket.Terminator = (*actor)(nil)
