package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"weir/upgrade"
)

// Reason is why a session ended: what Terminate gets, and what a CloseError has (Cowboy manual,
// cowboy_websocket, terminate/3).
//
// Kind says who ended it: Remote the peer, with Code and Text; all others this side, or nobody.
// What this side said is in Sent, in any case.
type Reason struct {
	Kind ReasonKind // who ended it, or what

	Code CloseCode // Remote: that of the peer's close frame, 0 if it was empty
	Text string    // Remote: the text of the peer's close frame

	// Sent is the close frame that we sent, if we did.
	Sent SentClose

	// Drain says that the server was shutting down, and had asked this session to end; whoever
	// ended it.
	Drain bool

	// Name, of Error, is NameBadFrame, NameBadEncoding, NameBadSize, NameClosed, NameTimedOut, the
	// errno's name in lower case, or "other".
	Name string
	Err  error // Error: what was behind it, for logs; nil for an end without a close frame

	Class CrashClass // Crash: of what kind
	Value any        // Crash: the panic's value; nil for runtime.Goexit

	// Shutdown is what the command ShutdownReason set; nil if nothing did, and for a crash.
	Shutdown any
}

// SentClose is a close frame that was sent. Whether it arrived nobody knows: the peer may not have
// read it.
type SentClose struct {
	Frame bool      // there was one; without it the rest is zero
	Code  CloseCode // 0 for an empty close frame
	Text  string    // its text
}

// ReasonKind is the first word of a Reason.
type ReasonKind uint8

// The kinds of Reason.
const (
	ReasonNormal  ReasonKind = iota // init answered the request itself: there was no WebSocket
	ReasonStop                      // the handler closed (Close, Stop), or the server shut down
	ReasonTimeout                   // nothing was received for Options.IdleTimeout
	ReasonRemote                    // the peer sent a close frame
	ReasonError                     // Name says what, a lost connection for one
	ReasonCrash                     // a callback panicked, or its commands cannot be sent
)

// String is the kind in a word: normal, stop, timeout, remote, error, crash.
func (k ReasonKind) String() string { return upgrade.Kind(k).String() }

// CrashClass is what kind of crash a Reason tells of (Erlang's classes).
type CrashClass uint8

// The classes of a crash.
const (
	ClassNone  CrashClass = iota // no crash
	ClassError                   // a panic with an error value, runtime errors among them
	ClassExit                    // runtime.Goexit
	ClassThrow                   // a panic with any other value
)

// String is the class in a word: error, exit, throw; none is empty.
func (c CrashClass) String() string { return upgrade.Class(c).String() }

// What Reason.Name may be, beside the name of an errno.
const (
	NameBadFrame    = "badframe"    // the peer broke RFC 6455; 1002 was sent
	NameBadEncoding = "badencoding" // text or close text was not UTF-8; 1007
	NameBadSize     = "badsize"     // a message over MaxFrameSize, 1009, or of too many fragments, 1008
	NameClosed      = "closed"      // the connection ended without a close frame
	NameTimedOut    = "timeout"     // nothing could be sent for Options.SendTimeout
)

// String is the reason in a word or two: normal, stop, timeout, remote, error:badframe,
// crash:throw.
func (r Reason) String() string {
	switch r.Kind {
	case ReasonError:
		return "error:" + r.Name
	case ReasonCrash:
		return "crash:" + r.Class.String()
	}
	return r.Kind.String()
}

// reasonOf is a reason of package upgrade's, for a handler that never had a session.
func reasonOf(r upgrade.Reason) Reason {
	return Reason{Kind: ReasonKind(r.Kind), Name: r.Name, Err: r.Err, Class: CrashClass(r.Class),
		Value: r.Value}
}

// errnos are the names of socket errors that a stream may end with, as a Reason has them.
var errnos = map[syscall.Errno]string{
	syscall.ECONNREFUSED: "econnrefused",
	syscall.EHOSTDOWN:    "ehostdown",
	syscall.EHOSTUNREACH: "ehostunreach",
	syscall.EIO:          "eio",
	syscall.ENETDOWN:     "enetdown",
	syscall.ENETRESET:    "enetreset",
	syscall.ENETUNREACH:  "enetunreach",
	syscall.ENOBUFS:      "enobufs",
	syscall.ENOMEM:       "enomem",
	syscall.ENOTCONN:     "enotconn",
	syscall.ETIMEDOUT:    "etimedout",
}

// errorName is the name in a Reason of kind Error for what ended a stream; nil is both sides'
// ordinary end (BEHAVIOUR 4).
func errorName(err error) string {
	for _, closed := range []error{nil, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, closed) {
			return NameClosed
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return NameTimedOut
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok && errnos[e] != "" {
		return errnos[e]
	}
	return "other"
}
