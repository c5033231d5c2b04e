package h3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"weir/internal/reach"
	"weir/stream"

	"github.com/quic-go/quic-go"
)

// Code is an error code of HTTP/3 (RFC 9114, 8.1).
type Code uint64

// The codes that are used here.
const (
	NoError             Code = 0x100
	GeneralProtocol     Code = 0x101
	InternalError       Code = 0x102
	StreamCreationError Code = 0x103
	ClosedCritical      Code = 0x104
	FrameUnexpected     Code = 0x105
	FrameError          Code = 0x106
	ExcessiveLoad       Code = 0x107
	IDError             Code = 0x108
	SettingsError       Code = 0x109
	MissingSettings     Code = 0x10a
	RequestRejected     Code = 0x10b
	RequestCancelled    Code = 0x10c
	RequestIncomplete   Code = 0x10d
	MessageError        Code = 0x10e
	VersionFallback     Code = 0x110
	QPACKDecompression  Code = 0x200 // RFC 9204, 6, and the next two
	QPACKEncoderError   Code = 0x201
	QPACKDecoderError   Code = 0x202
)

var codeNames = map[Code]string{
	NoError: "H3_NO_ERROR", GeneralProtocol: "H3_GENERAL_PROTOCOL_ERROR",
	InternalError: "H3_INTERNAL_ERROR", StreamCreationError: "H3_STREAM_CREATION_ERROR",
	ClosedCritical: "H3_CLOSED_CRITICAL_STREAM", FrameUnexpected: "H3_FRAME_UNEXPECTED",
	FrameError: "H3_FRAME_ERROR", ExcessiveLoad: "H3_EXCESSIVE_LOAD", IDError: "H3_ID_ERROR",
	SettingsError: "H3_SETTINGS_ERROR", MissingSettings: "H3_MISSING_SETTINGS",
	RequestRejected: "H3_REQUEST_REJECTED", RequestCancelled: "H3_REQUEST_CANCELLED",
	RequestIncomplete: "H3_REQUEST_INCOMPLETE", MessageError: "H3_MESSAGE_ERROR",
	VersionFallback: "H3_VERSION_FALLBACK", QPACKDecompression: "QPACK_DECOMPRESSION_FAILED",
	QPACKEncoderError: "QPACK_ENCODER_STREAM_ERROR", QPACKDecoderError: "QPACK_DECODER_STREAM_ERROR",
}

// String is the code's name in RFC 9114, 8.1.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("code 0x%x", uint64(c))
}

// codeOf is the code of HTTP/3 for one of a stream.Stream, whose numbers are those of HTTP/2.
func codeOf(c stream.Code) Code {
	switch c {
	case stream.NoError:
		return NoError
	case stream.ProtocolError:
		return MessageError
	case stream.InternalError:
		return InternalError
	case stream.RefusedStream:
		return RequestRejected
	case stream.Cancel:
		return RequestCancelled
	case stream.EnhanceYourCalm:
		return ExcessiveLoad
	}
	return GeneralProtocol
}

// streamCode is the way back.
func streamCode(c Code) stream.Code {
	switch c {
	case NoError:
		return stream.NoError
	case InternalError:
		return stream.InternalError
	case RequestRejected:
		return stream.RefusedStream
	case RequestCancelled:
		return stream.Cancel
	case ExcessiveLoad:
		return stream.EnhanceYourCalm
	}
	return stream.ProtocolError
}

// told is an error of QUIC as a stream's user gets it: that of a stream is a *stream.ResetError,
// that of a connection unwraps to net.ErrClosed.
func told(err error) error {
	if se, ok := errors.AsType[*quic.StreamError](err); ok {
		return &stream.ResetError{Code: streamCode(Code(se.ErrorCode)), Remote: se.Remote}
	}
	if ae, ok := errors.AsType[*quic.ApplicationError](err); ok && ae.Remote && Code(ae.ErrorCode) != NoError {
		return &ConnError{Code: Code(ae.ErrorCode), Text: reach.Line(ae.ErrorMessage), Remote: true}
	}
	switch {
	case err == nil, errors.Is(err, quic.ErrStreamClosed):
		return stream.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
		return err
	case errors.Is(err, context.Canceled):
		return net.ErrClosed
	}
	return err
}

// A ConnError is a fault of a peer's that ends its connection.
type ConnError struct {
	Code   Code   // that the connection was closed with
	Rule   string // the section it broke
	Text   string // what was wrong, in a few words
	Remote bool   // the peer found the fault, and said Code and Text
}

func (e *ConnError) Error() string {
	if e.Remote {
		s := "h3: the peer ended the connection: " + e.Code.String()
		if e.Text != "" {
			s += ": " + e.Text
		}
		return s
	}
	return fmt.Sprintf("h3: %s: %s (%s)", e.Code, e.Text, e.Rule)
}

// Is finds that a fault is one (stream.ErrFault).
func (e *ConnError) Is(target error) bool {
	return target == stream.ErrFault && e.Code != NoError
}

// Unwrap gives net.ErrClosed.
func (e *ConnError) Unwrap() error { return net.ErrClosed }
