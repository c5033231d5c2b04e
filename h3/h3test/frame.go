package h3test

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Frame types (RFC 9114, 7.2).
const (
	FrameData           = 0x0
	FrameHeaders        = 0x1
	FrameCancelPush     = 0x3
	FrameSettings       = 0x4
	FramePushPromise    = 0x5
	FrameGoAway         = 0x7
	FrameMaxPushID      = 0xd
	FramePriorityUpdate = 0xf0700 // RFC 9218, 7.2
)

// Types of unidirectional streams (RFC 9114, 6.2, and RFC 9204, 4.2).
const (
	StreamControl      = 0x0
	StreamPush         = 0x1
	StreamQPACKEncoder = 0x2
	StreamQPACKDecoder = 0x3
)

// Settings (RFC 9114, 7.2.4.1, RFC 9204, 5 and RFC 9220, 5).
const (
	SettingQPACKMaxTableCapacity = 0x1
	SettingMaxFieldSectionSize   = 0x6
	SettingQPACKBlockedStreams   = 0x7
	SettingEnableConnectProtocol = 0x8
	SettingH3Datagram            = 0x33 // RFC 9297, 2.1.1
)

// Code is an error code of HTTP/3 (RFC 9114, 8.1) or of QPACK (RFC 9204, 6).
type Code uint64

// The codes.
const (
	NoError              Code = 0x100
	GeneralProtocolError Code = 0x101
	InternalError        Code = 0x102
	StreamCreationError  Code = 0x103
	ClosedCriticalStream Code = 0x104
	FrameUnexpected      Code = 0x105
	FrameError           Code = 0x106
	ExcessiveLoad        Code = 0x107
	IDError              Code = 0x108
	SettingsError        Code = 0x109
	MissingSettings      Code = 0x10a
	RequestRejected      Code = 0x10b
	RequestCancelled     Code = 0x10c
	RequestIncomplete    Code = 0x10d
	MessageError         Code = 0x10e
	ConnectError         Code = 0x10f
	VersionFallback      Code = 0x110
	DecompressionFailed  Code = 0x200
	EncoderStreamError   Code = 0x201
	DecoderStreamError   Code = 0x202
)

var codeNames = map[Code]string{
	NoError:              "H3_NO_ERROR",
	GeneralProtocolError: "H3_GENERAL_PROTOCOL_ERROR",
	InternalError:        "H3_INTERNAL_ERROR",
	StreamCreationError:  "H3_STREAM_CREATION_ERROR",
	ClosedCriticalStream: "H3_CLOSED_CRITICAL_STREAM",
	FrameUnexpected:      "H3_FRAME_UNEXPECTED",
	FrameError:           "H3_FRAME_ERROR",
	ExcessiveLoad:        "H3_EXCESSIVE_LOAD",
	IDError:              "H3_ID_ERROR",
	SettingsError:        "H3_SETTINGS_ERROR",
	MissingSettings:      "H3_MISSING_SETTINGS",
	RequestRejected:      "H3_REQUEST_REJECTED",
	RequestCancelled:     "H3_REQUEST_CANCELLED",
	RequestIncomplete:    "H3_REQUEST_INCOMPLETE",
	MessageError:         "H3_MESSAGE_ERROR",
	ConnectError:         "H3_CONNECT_ERROR",
	VersionFallback:      "H3_VERSION_FALLBACK",
	DecompressionFailed:  "QPACK_DECOMPRESSION_FAILED",
	EncoderStreamError:   "QPACK_ENCODER_STREAM_ERROR",
	DecoderStreamError:   "QPACK_DECODER_STREAM_ERROR",
}

// String is the code's name in its RFC.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("0x%x", uint64(c))
}

// AppendVarint appends an integer as RFC 9000, 16 has it, in as few octets as there can be.
func AppendVarint(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(dst, uint16(n)|1<<14)
	case n < 1<<30:
		return binary.BigEndian.AppendUint32(dst, uint32(n)|2<<30)
	}
	return binary.BigEndian.AppendUint64(dst, n|3<<62)
}

// AppendFrame appends a frame, whatever it is.
func AppendFrame(dst []byte, kind uint64, payload []byte) []byte {
	dst = AppendVarint(AppendVarint(dst, kind), uint64(len(payload)))
	return append(dst, payload...)
}

// AppendSettings appends a SETTINGS frame, of settings and values in turn.
func AppendSettings(dst []byte, pairs ...uint64) []byte {
	var p []byte
	for _, n := range pairs {
		p = AppendVarint(p, n)
	}
	return AppendFrame(dst, FrameSettings, p)
}

// varint reads an integer. io.EOF means that there was nothing.
func varint(r io.ByteReader) (uint64, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := uint64(first & 0x3f)
	for range 1<<(first>>6) - 1 {
		b, err := r.ReadByte()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		n = n<<8 | uint64(b)
	}
	return n, nil
}

// maxFrame bounds a frame other than DATA that a Peer takes.
const maxFrame = 1 << 20

// octets is what frames are read from.
type octets interface {
	io.Reader
	io.ByteReader
}

// frameHead reads a frame's type and length.
func frameHead(r io.ByteReader) (kind, length uint64, err error) {
	if kind, err = varint(r); err != nil {
		return 0, 0, err
	}
	length, err = varint(r)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return kind, length, err
}

// framePayload reads a frame's payload.
func framePayload(r octets, length uint64) ([]byte, error) {
	if length > maxFrame {
		return nil, fmt.Errorf("h3test: a frame of %d octets", length)
	}
	b := make([]byte, length)
	_, err := io.ReadFull(r, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
