package h3

import "fmt"

// The types of unidirectional streams (RFC 9114, 6.2; RFC 9204, 4.2).
const (
	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3
)

// The settings that a client looks at (RFC 9114, 7.2.4.1; RFC 9220, 5; RFC 9297, 5.1).
const (
	settingMaxFieldSection = 0x6
	settingConnect         = 0x8
	settingDatagram        = 0x33
)

// maxControlFrame is how many octets of a frame on the control stream are kept.
const maxControlFrame = 4 << 10

// settings are those of a server.
type settings struct {
	maxFieldSection uint64 // octets as RFC 9114, 4.2.2 counts them; 0: it has not said
	connect         bool   // extended CONNECT (RFC 9220, 3)
}

// parseSettings reads the payload of a SETTINGS frame.
func parseSettings(b []byte) (s settings, fault *ConnError) {
	seen := map[uint64]bool{}
	for len(b) > 0 {
		id, n := varint(b)
		b = b[n:]
		v, m := varint(b)
		b = b[m:]
		if n == 0 || m == 0 {
			return s, &ConnError{Code: FrameError, Rule: "RFC 9114, 7.1",
				Text: "SETTINGS with half a setting"}
		}
		bad := func(rule, text string) (settings, *ConnError) {
			return s, &ConnError{Code: SettingsError, Rule: rule,
				Text: fmt.Sprintf("setting 0x%x %s", id, text)}
		}
		switch {
		case seen[id]:
			return bad("RFC 9114, 7.2.4", "twice")
		case id == 0 || id >= 2 && id <= 5:
			return bad("RFC 9114, 7.2.4.1", "is one of HTTP/2")
		case id == settingConnect && v > 1:
			return bad("RFC 8441, 3", "is neither 0 nor 1")
		case id == settingDatagram && v > 1:
			return bad("RFC 9297, 2.1.1", "is neither 0 nor 1")
		}
		seen[id] = true
		switch id {
		case settingMaxFieldSection:
			s.maxFieldSection = v
		case settingConnect:
			s.connect = v == 1
		}
	}
	return s, nil
}

// controlEvent is what a server's control stream says.
type controlEvent struct {
	settings *settings
	goAway   bool
	id       uint64 // of GOAWAY: requests from this one on are not processed
	ignored  bool   // a frame that changes nothing
}

// controlReader reads the control stream of a server (RFC 9114, 6.2.1). It is a pure core: any cut
// of the input gives the same events, and the same error.
type controlReader struct {
	buf     []byte // what has come of a frame
	skip    uint64 // octets of a frame that nobody reads
	greeted bool   // SETTINGS have come
	leaving bool
	last    uint64 // of the last GOAWAY
}

// feed tells what b brings.
func (r *controlReader) feed(b []byte, tell func(controlEvent)) *ConnError {
	for len(b) > 0 {
		if r.skip > 0 {
			n := min(r.skip, uint64(len(b)))
			r.skip -= n
			b = b[n:]
			continue
		}
		r.buf = append(r.buf, b[0])
		b = b[1:]
		kind, n := varint(r.buf)
		if n == 0 {
			continue
		}
		if fault := r.allowed(kind); fault != nil {
			return fault
		}
		length, m := varint(r.buf[n:])
		if m == 0 {
			continue
		}
		switch kind {
		case frameSettings, frameGoAway:
			if length > maxControlFrame {
				return &ConnError{Code: ExcessiveLoad, Rule: "RFC 9114, 10.5",
					Text: "a long frame on the control stream"}
			}
			have := min(length-uint64(len(r.buf)-n-m), uint64(len(b)))
			r.buf = append(r.buf, b[:have]...)
			b = b[have:]
			if uint64(len(r.buf)-n-m) < length {
				continue
			}
			if fault := r.frame(kind, r.buf[n+m:], tell); fault != nil {
				return fault
			}
		default:
			r.skip = length
			tell(controlEvent{ignored: true})
		}
		r.buf = r.buf[:0]
	}
	return nil
}

// allowed says whether a frame of this type may come now.
func (r *controlReader) allowed(kind uint64) *ConnError {
	unexpected := func(rule, text string) *ConnError {
		return &ConnError{Code: FrameUnexpected, Rule: rule, Text: text + " on the control stream"}
	}
	switch {
	case !r.greeted && kind != frameSettings:
		return &ConnError{Code: MissingSettings, Rule: "RFC 9114, 6.2.1",
			Text: "the control stream does not begin with SETTINGS"}
	case r.greeted && kind == frameSettings:
		return unexpected("RFC 9114, 7.2.4", "SETTINGS twice")
	}
	switch kind {
	case frameData:
		return unexpected("RFC 9114, 7.2.1", "DATA")
	case frameHeaders:
		return unexpected("RFC 9114, 7.2.2", "HEADERS")
	case framePushPromise:
		return unexpected("RFC 9114, 7.2.5", "PUSH_PROMISE")
	case frameMaxPushID:
		return unexpected("RFC 9114, 7.2.7", "MAX_PUSH_ID of a server")
	case framePriorityUpdate, framePriorityPush:
		return unexpected("RFC 9218, 7.2", "PRIORITY_UPDATE of a server")
	case 0x2, 0x6, 0x8, 0x9:
		return unexpected("RFC 9114, 7.2.8", "a frame of HTTP/2")
	case frameCancelPush: // no push has been allowed, so there is none to cancel
		return &ConnError{Code: IDError, Rule: "RFC 9114, 7.2.3",
			Text: "CANCEL_PUSH of a push that was not allowed"}
	}
	return nil
}

// frame takes a whole frame.
func (r *controlReader) frame(kind uint64, b []byte, tell func(controlEvent)) *ConnError {
	if kind == frameSettings {
		s, fault := parseSettings(b)
		if fault != nil {
			return fault
		}
		r.greeted = true
		tell(controlEvent{settings: &s})
		return nil
	}
	id, n := varint(b)
	switch {
	case n == 0 || n != len(b):
		return &ConnError{Code: FrameError, Rule: "RFC 9114, 7.1",
			Text: "GOAWAY that is not one integer"}
	case id%4 != 0:
		return &ConnError{Code: IDError, Rule: "RFC 9114, 7.2.6",
			Text: "GOAWAY with an id that is no request's"}
	case r.leaving && id > r.last:
		return &ConnError{Code: IDError, Rule: "RFC 9114, 5.2",
			Text: "GOAWAY with a larger id than the one before"}
	}
	r.leaving, r.last = true, id
	tell(controlEvent{goAway: true, id: id})
	return nil
}

// qpackReader reads the instructions of a server's QPACK streams. There is no dynamic table in
// either direction, so next to nothing may come. It is a pure core.
type qpackReader struct {
	decoder bool // of the stream of a decoder, else of an encoder
	long    bool // in the octets behind the first of an integer (RFC 7541, 5.1)
	n       int  // how many of them have come
}

// feed looks at b, and gives the number of instructions that change nothing.
func (r *qpackReader) feed(b []byte) (ignored int, fault *ConnError) {
	for _, o := range b {
		switch {
		case r.long:
			if r.n++; r.n > 9 { // RFC 9204, 4.1.1
				return ignored, r.fault("RFC 9204, 4.1.1", "an integer that is too long")
			}
			r.long = o&0x80 != 0
		case r.decoder && o&0xc0 == 0x40: // Stream Cancellation
			r.long, r.n = o&0x3f == 0x3f, 0
			ignored++
		case r.decoder && o&0x80 != 0:
			return ignored, r.fault("RFC 9204, 4.4.1",
				"Section Acknowledgment without a dynamic table")
		case r.decoder:
			return ignored, r.fault("RFC 9204, 4.4.3",
				"Insert Count Increment without a dynamic table")
		case o == 0x20: // a capacity of 0
			ignored++
		case o&0xe0 == 0x20:
			return ignored, r.fault("RFC 9204, 4.3.1", "a capacity over that of our setting, 0")
		default:
			return ignored, r.fault("RFC 9204, 3.2.2", "an entry that does not fit a capacity of 0")
		}
	}
	return ignored, nil
}

func (r *qpackReader) fault(rule, text string) *ConnError {
	code := QPACKEncoderError
	if r.decoder {
		code = QPACKDecoderError
	}
	return &ConnError{Code: code, Rule: rule, Text: text}
}
