package wsframe

import (
	"encoding/binary"
	"unicode/utf8"
)

// CloseCode is the status code of a close frame (RFC 6455, 7.4). 0 stands for a close frame without one.
type CloseCode uint16

// The codes of RFC 6455, 7.4.1 and of the registry it set up (RFC 6455, 11.7).
const (
	NormalClosure      CloseCode = 1000
	GoingAway          CloseCode = 1001
	ProtocolError      CloseCode = 1002
	UnsupportedData    CloseCode = 1003
	NoStatus           CloseCode = 1005 // never on the wire: the close frame had no code
	Abnormal           CloseCode = 1006 // never on the wire: there was no close frame
	InvalidPayload     CloseCode = 1007 // text that is not UTF-8
	PolicyViolation    CloseCode = 1008
	MessageTooBig      CloseCode = 1009
	MandatoryExtension CloseCode = 1010
	InternalError      CloseCode = 1011
	ServiceRestart     CloseCode = 1012
	TryAgainLater      CloseCode = 1013
	BadGateway         CloseCode = 1014
	TLSHandshake       CloseCode = 1015 // never on the wire
)

// Receivable says whether a peer's close frame may carry c: a registered code that is meant for the wire, or one of
// 3000 to 4999 (RFC 6455, 7.4).
func (c CloseCode) Receivable() bool {
	return c >= NormalClosure && c <= UnsupportedData || c >= InvalidPayload && c <= BadGateway || c >= 3000 && c <= 4999
}

// Sendable says whether our close frame may carry c: the same codes.
func (c CloseCode) Sendable() bool { return c.Receivable() }

// MaxCloseText is the longest text of a close frame, in octets: MaxControl less the code.
const MaxCloseText = MaxControl - 2

// ParseClose reads the payload of a close frame (RFC 6455, 5.5.1). An empty one is code 0. validate: text must be
// UTF-8. text aliases p. The error is an *Error.
func ParseClose(p []byte, validate bool) (code CloseCode, text []byte, err error) {
	if len(p) == 0 {
		return 0, nil, nil
	}
	if len(p) == 1 {
		return 0, nil, &Error{ProtocolError, "RFC 6455, 5.5.1", "close frame with one octet of payload"}
	}
	u, err := checkClose(p, validate)
	if err != nil {
		return 0, nil, err
	}
	if !u.Complete() {
		return 0, nil, &Error{InvalidPayload, "RFC 6455, 8.1", "close text ends inside a character"}
	}
	return CloseCode(binary.BigEndian.Uint16(p)), p[2:], nil
}

// CheckClosePrefix judges the payload of a close frame that is still arriving: p is what is there of it, from its
// first octet on. The error is the one ParseClose would give whatever follows, once that is certain.
func CheckClosePrefix(p []byte, validate bool) error {
	if len(p) < 2 {
		return nil
	}
	_, err := checkClose(p, validate)
	return err
}

// checkClose judges the code and the text there is of it; u stands behind that text.
func checkClose(p []byte, validate bool) (u UTF8, err error) {
	if !CloseCode(binary.BigEndian.Uint16(p)).Receivable() {
		return u, &Error{ProtocolError, "RFC 6455, 7.4", "close code that is not for the wire"}
	}
	if validate && !u.Write(p[2:]) {
		return u, &Error{InvalidPayload, "RFC 6455, 8.1", "close text is not UTF-8"}
	}
	return u, nil
}

// AppendClose appends the payload of a close frame: nothing for code 0, else code and text. It judges nothing.
func AppendClose(dst []byte, code CloseCode, text string) []byte {
	if code == 0 {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, text...)
}

// CheckClose says what is wrong with a close frame of ours, nil if it may be sent. Code 0 without text is the empty
// close frame. The error is an *Error of code InternalError: the fault is ours.
func CheckClose(code CloseCode, text string) error {
	switch {
	case code == 0 && text == "":
		return nil
	case code == 0:
		return &Error{InternalError, "RFC 6455, 5.5.1", "close text without a code"}
	case !code.Sendable():
		return &Error{InternalError, "RFC 6455, 7.4", "close code that is not for the wire"}
	case len(text) > MaxCloseText:
		return &Error{InternalError, "RFC 6455, 5.5", "close text over 123 octets"}
	case !utf8.ValidString(text):
		return &Error{InternalError, "RFC 6455, 5.5.1", "close text is not UTF-8"}
	}
	return nil
}
