package stream

import (
	"errors"
	"fmt"
	"net"
)

// Code says why a stream is given up. The numbers are those of RFC 9113, 7; other transports
// translate them. HTTP/1.1 knows two: NoError closes, all others reset the connection.
type Code uint32

// The codes a sink has a use for (RFC 9113, 7).
const (
	NoError          Code = 0x0
	ProtocolError    Code = 0x1
	InternalError    Code = 0x2
	FlowControlError Code = 0x3
	StreamClosed     Code = 0x5
	RefusedStream    Code = 0x7
	Cancel           Code = 0x8
	EnhanceYourCalm  Code = 0xb
)

var codeNames = map[Code]string{
	NoError: "NO_ERROR", ProtocolError: "PROTOCOL_ERROR", InternalError: "INTERNAL_ERROR", FlowControlError: "FLOW_CONTROL_ERROR",
	StreamClosed: "STREAM_CLOSED", RefusedStream: "REFUSED_STREAM", Cancel: "CANCEL", EnhanceYourCalm: "ENHANCE_YOUR_CALM",
}

// String is the code's name in RFC 9113, 7.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("code 0x%x", uint32(c))
}

// ErrAnswered is the error of an Opener whose request has been answered, be it in part, or taken
// over: there is nothing left to open.
var ErrAnswered = errors.New("stream: the request has been answered or taken over already")

type closedError struct{}

func (closedError) Error() string { return "stream: closed" }
func (closedError) Unwrap() error { return net.ErrClosed }

// ErrClosed is what Send gives once our side has ended. It unwraps to net.ErrClosed.
var ErrClosed error = closedError{}

// ErrHalfClosed is what opens no stream: the peer has ended its side with the request, or with the
// answer to it. A tunnel cannot be half closed at birth.
var ErrHalfClosed = errors.New("stream: the peer has already ended its side")

// ResetError says that a stream was given up, and by whom. It unwraps to net.ErrClosed.
type ResetError struct {
	Code   Code // why, as RST_STREAM says it
	Remote bool // the peer did it
}

func (e *ResetError) Error() string {
	if e.Remote {
		return "stream: reset by the peer: " + e.Code.String()
	}
	return "stream: reset: " + e.Code.String()
}

// Unwrap gives net.ErrClosed.
func (e *ResetError) Unwrap() error { return net.ErrClosed }
