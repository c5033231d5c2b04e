package websocket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"weir/upgrade"
)

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

// errorName is the name in a Reason of kind Error for what ended a stream; nil is both sides' ordinary end (BEHAVIOUR 4).
func errorName(err error) string {
	for _, closed := range []error{nil, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED} {
		if errors.Is(err, closed) {
			return upgrade.Closed
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return upgrade.TimedOut
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok && errnos[e] != "" {
		return errnos[e]
	}
	return "other"
}
