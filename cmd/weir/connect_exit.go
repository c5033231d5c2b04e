package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"weir/h2"
	"weir/internal/reach"
	"weir/stream"
	"weir/websocket"
)

// Exit codes of `weir connect`, beside exitOK and exitUsage.
const (
	exitConnect  = 3 // no connection, or no TLS, or it was lost before the answer
	exitRefused  = 4 // the handshake was refused
	exitProtocol = 5 // the server broke the protocol
	exitTimeout  = 6 // nothing came in time
	exitAbnormal = 7 // closed with another code than 1000 and 1001, or without a close frame
)

const exitHelp = `Exit codes:
  0  closed cleanly: by either side, with 1000, 1001 or no code
  1  a fault of weir itself, or standard output that cannot be written
  2  the command line, or a line of standard input, cannot be obeyed
  3  no connection, or no TLS, or it was lost before the server answered
  4  the server refused the handshake; its status is told, the first line of its answer, and Location
  5  the server broke the protocol: a wrong answer to the handshake, a bad frame
  6  timeout: of the handshake, of -1, or of a server that does not answer pings
  7  the server closed with another code, or without a close frame, or a second SIGINT cut it`

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, format string, args ...any) error {
	return &exitError{code, fmt.Errorf(format, args...)}
}

var errInterrupted = errors.New("interrupted")

// dialExit judges why no WebSocket was opened. connected: there was a connection, with TLS where
// the URL wants it.
func dialExit(err error, connected bool) error {
	de, ok := errors.AsType[*websocket.DialError](err)
	if !ok {
		return &exitError{exitFail, err}
	}
	code := dialCode(err, de, connected)
	what := strings.TrimPrefix(de.Error(), "websocket: dial "+de.URL+": ")
	switch {
	case code == exitTimeout:
		what = "no answer in time: " + what
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		what = "interrupted"
	case code == exitRefused && de.Response != nil:
		what = "refused: " + de.Response.Status
	}
	return exitWith(code, "%s: %s", de.URL, reach.Line(what))
}

// dialCode is the exit code for it.
func dialCode(err error, de *websocket.DialError, connected bool) int {
	ours, faulty := errors.AsType[*h2.ConnError](err)
	switch {
	case errors.Is(err, websocket.ErrRequest):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitConnect
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		faulty && ours.Limit == h2.LimitHandshake:
		return exitTimeout
	case de.Proxy != "":
		return exitConnect
	case de.Response != nil && de.Rule == "" && !opens(de.Response),
		errors.Is(err, h2.ErrNoExtendedConnect), errors.Is(err, stream.ErrNotOffered):
		return exitRefused
	case de.Response != nil, broken3(err):
		return exitProtocol
	case !connected || lost(err):
		return exitConnect
	}
	return exitProtocol
}

// opens says that an answer is one that opens a WebSocket. What HTTP it is of says the request.
func opens(res *http.Response) bool {
	if res.Request != nil && res.Request.ProtoMajor >= 2 {
		return res.StatusCode/100 == 2
	}
	return res.StatusCode == http.StatusSwitchingProtocols
}

// lost says that the connection is what failed, and not for a fault that we found.
func lost(err error) bool {
	if e, ok := errors.AsType[*h2.ConnError](err); ok && !e.Remote {
		return false
	}
	if e, ok := errors.AsType[*h2.StreamError](err); ok && !e.Remote {
		return false
	}
	for _, e := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// endExit judges how a WebSocket ended; nil is a clean end.
func endExit(r websocket.Reason) error {
	switch r.Kind {
	case websocket.ReasonStop:
		return nil
	case websocket.ReasonRemote:
		if r.Code == 0 || r.Code == 1000 || r.Code == 1001 {
			return nil
		}
		return exitWith(exitAbnormal, "closed by the server: %s", closeWords(r))
	case websocket.ReasonTimeout:
		return exitWith(exitTimeout, "the server does not answer pings")
	case websocket.ReasonCrash:
		return exitWith(exitFail, "BUG: %v", r.Value)
	}
	switch r.Name {
	case websocket.NameBadFrame, websocket.NameBadEncoding, websocket.NameBadSize:
		return exitWith(exitProtocol, "the server broke the protocol: %v", r.Err)
	case websocket.NameTimedOut:
		return exitWith(exitTimeout, "the server does not read")
	}
	if r.Err != nil {
		return exitWith(exitAbnormal, "ended without a close frame: %w", r.Err)
	}
	return exitWith(exitAbnormal, "ended without a close frame")
}

func closeWords(r websocket.Reason) string {
	switch {
	case r.Code == 0:
		return "no code"
	case r.Text == "":
		return fmt.Sprint(int(r.Code))
	}
	return fmt.Sprintf("%d %q", r.Code, r.Text)
}
