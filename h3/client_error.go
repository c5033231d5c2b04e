package h3

import (
	"fmt"

	"weir/internal/reach"
	"weir/stream"
)

// StreamError ends a request. It unwraps to a *stream.ResetError, and so to net.ErrClosed.
type StreamError struct {
	ID     uint64 // the stream's
	Code   Code   // that it was reset with
	Rule   string // the section, as "RFC 9114, 4.3.2"
	Text   string // what was wrong, in a few words
	Remote bool   // the peer has reset the stream; otherwise we have
}

func (e *StreamError) Error() string {
	s := fmt.Sprintf("h3: stream %d", e.ID)
	if e.Remote {
		s += ": the peer says"
	}
	s += " " + e.Code.String()
	if e.Text != "" {
		s += ": " + reach.Line(e.Text)
	}
	if e.Rule != "" {
		s += " (" + e.Rule + ")"
	}
	return s
}

// Is finds what a peer's code says about another try.
func (e *StreamError) Is(target error) bool {
	switch target {
	case stream.ErrUnprocessed:
		return e.Remote && e.Code == RequestRejected
	case stream.ErrFallback:
		return e.Remote && e.Code == VersionFallback
	}
	return false
}

// Unwrap gives the same as a *stream.ResetError.
func (e *StreamError) Unwrap() error {
	return &stream.ResetError{Code: streamCode(e.Code), Remote: e.Remote}
}
