package websocket

import (
	"errors"
	"fmt"

	"weir/upgrade"
)

// Handler gets every message, ping and pong of one session (Cowboy's websocket_handle/2). The
// payload of f is lent until Handle returns, see Frame; out is empty and may be appended to and
// returned.
//
// A handler may also have the optional callbacks Initer, Informer, Drainer and Terminator. One with
// other parameters is none, and nobody says so; the compiler does, where the handler's file has
//
//	var _ websocket.Informer = (*chat)(nil)
//
// A callback that panics or calls runtime.Goexit ends its session with close code 1011 and reason
// Crash; nothing else notices.
type Handler interface {
	Handle(f Frame, out Commands) Commands
}

// HandlerFunc is a Handler that is a function.
type HandlerFunc func(f Frame, out Commands) Commands

// Handle calls h.
func (h HandlerFunc) Handle(f Frame, out Commands) Commands { return h(f, out) }

// Initer is called once the WebSocket is open, before anything is read (websocket_init/1).
type Initer interface {
	Init(s *Session, out Commands) Commands
}

// Informer gets what Session.Post sent (websocket_info/2).
type Informer interface {
	Info(msg any, out Commands) Commands
}

// Drainer is asked to come to an end when the server shuts down. Without it the session is closed
// with 1001.
type Drainer interface {
	Drain(out Commands) Commands
}

// Terminator is told why the session ended: once, last (terminate/3). The session has sent what it
// had to say by then, and sends nothing more.
type Terminator interface {
	Terminate(reason Reason, req *PartialRequest)
}

// checkHandler says what is wrong with a handler: there is none, or it has a Terminate that nobody
// would call.
func checkHandler(h Handler) error {
	if h == nil {
		return errors.New("websocket: a session without a Handler")
	}
	if _, ok := h.(upgrade.Terminator); ok {
		return fmt.Errorf("websocket: Terminate of a %T takes a Reason of package upgrade, not of this one", h)
	}
	return nil
}
