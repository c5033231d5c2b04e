package websocket

import (
	"errors"
	"fmt"
)

// CloseError says that a WebSocket has ended, and why. It is what the methods of a Conn give from then on.
type CloseError struct {
	Reason Reason // who ended it, and why
}

func (e *CloseError) Error() string {
	r := &e.Reason
	switch {
	case r.Kind == ReasonRemote && r.Code == 0:
		return "websocket: closed by the peer"
	case r.Kind == ReasonRemote:
		return fmt.Sprintf("websocket: closed by the peer: %d %q", r.Code, r.Text)
	case r.Err != nil:
		return fmt.Sprintf("websocket: ended: %s: %v", r, r.Err)
	}
	return "websocket: ended: " + r.String()
}

// Unwrap gives what was behind it, and ErrEnded.
func (e *CloseError) Unwrap() []error {
	if e.Reason.Err == nil {
		return []error{ErrEnded}
	}
	return []error{ErrEnded, e.Reason.Err}
}

// CloseStatus is the code of the peer's close frame if err is a CloseError of one, 0 for an empty close frame; ok is
// false for any other end.
func CloseStatus(err error) (code CloseCode, ok bool) {
	e, is := errors.AsType[*CloseError](err)
	if !is || e.Reason.Kind != ReasonRemote {
		return 0, false
	}
	return e.Reason.Code, true
}
