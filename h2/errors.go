package h2

import (
	"fmt"
	"net"

	"weir/internal/reach"
	"weir/stream"
)

// Code is an error code of HTTP/2 (RFC 9113, 7). The numbers of stream.Code are the same.
type Code uint32

// The codes of RFC 9113, 7.
const (
	NoError            Code = 0x0
	ProtocolError      Code = 0x1
	InternalError      Code = 0x2
	FlowControlError   Code = 0x3
	SettingsTimeout    Code = 0x4
	StreamClosed       Code = 0x5
	FrameSizeError     Code = 0x6
	RefusedStream      Code = 0x7
	Cancel             Code = 0x8
	CompressionError   Code = 0x9
	ConnectError       Code = 0xa
	EnhanceYourCalm    Code = 0xb
	InadequateSecurity Code = 0xc
	HTTP11Required     Code = 0xd
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
	"REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String is the code's name in RFC 9113, 7.
func (c Code) String() string {
	if c < Code(len(codeNames)) {
		return codeNames[c]
	}
	return fmt.Sprintf("code 0x%x", uint32(c))
}

// ConnError ends a connection: GOAWAY with Code. It unwraps to net.ErrClosed.
type ConnError struct {
	Code   Code   // of the GOAWAY
	Rule   string // the section, as "RFC 9113, 6.9.1"
	Msg    string // what was wrong, in a few words
	Limit  Limit  // the limit that the peer ran into, 0: none
	Remote bool   // the peer sent the GOAWAY; otherwise we did
}

func (e *ConnError) Error() string { return text("connection", e.Code, e.Rule, e.Msg, e.Remote) }

// Unwrap gives net.ErrClosed.
func (e *ConnError) Unwrap() error { return net.ErrClosed }

// StreamError ends a stream: RST_STREAM with Code. It unwraps to a *stream.ResetError, and so to
// net.ErrClosed.
type StreamError struct {
	ID     uint32 // the stream's
	Code   Code   // of the RST_STREAM
	Rule   string // the section, as "RFC 9113, 8.3"
	Msg    string // what was wrong, in a few words
	Remote bool   // the peer sent the RST_STREAM; otherwise we did
	Err    error  // the *ConnError of the GOAWAY that ended the stream, where it names a fault; or nil
}

func (e *StreamError) Error() string {
	s := text(fmt.Sprintf("stream %d", e.ID), e.Code, e.Rule, e.Msg, e.Remote)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the same as a *stream.ResetError, and Err.
func (e *StreamError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.reset()}
	}
	return []error{e.reset(), e.Err}
}

func (e *StreamError) reset() *stream.ResetError {
	return &stream.ResetError{Code: stream.Code(e.Code), Remote: e.Remote}
}

func text(what string, code Code, rule, msg string, remote bool) string {
	s := "h2: " + what
	if remote {
		s += ": the peer says"
	}
	s += " " + code.String()
	if msg != "" {
		s += ": " + reach.Line(msg) // it may be the peer's
	}
	if rule != "" {
		s += " (" + rule + ")"
	}
	return s
}
