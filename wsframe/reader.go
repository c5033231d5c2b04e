package wsframe

import "math"

// DefaultMaxFragments is how many frames a message may have when Reader.MaxFragments is 0.
const DefaultMaxFragments = 128 << 10

// Reader cuts what a peer sends into frames and judges their headers (RFC 6455, 5.2 to 5.5): all
// that can be said without looking into a payload. However the octets are cut, the events joined
// are the same, and so is the error: it is the one that the shortest run of octets decides.
//
// The exported fields are set before the first Next. MaxFrameSize may change later and counts from
// the next header on, and so may MaxFragments. Skip may be set later.
type Reader struct {
	Client       bool  // we are the client: frames must not be masked; otherwise they must be (RFC 6455, 5.1)
	Deflate      bool  // RSV1 is allowed on the first frame of a data message (RFC 7692, 6)
	Skip         bool  // payloads are passed over: they stay masked
	MaxFrameSize int64 // octets a frame, and all frames of one message, may announce; 0 or less: no limit
	MaxFragments int   // frames a message may have, empty ones too; 0: DefaultMaxFragments; negative: no limit

	err *Error // what ended it

	// The header being read: what came of it in earlier calls.
	part  [MaxHeaderLen]byte
	nPart uint8

	// The frame being read.
	frame Header
	left  int64 // octets of payload to come
	open  bool  // its header is complete, its payload is not
	pos   uint8 // where in the key its payload stands

	// The data message being read.
	msgOp      Opcode // of its first frame; Continuation: there is none
	compressed bool   // RSV1 of its first frame
	size       int64  // sum of the lengths its frames announced
	frames     int
}

// Event is a piece of one frame: its begin, some octets of payload, its end, or all of these at
// once.
type Event struct {
	Header     Header // of the frame
	Op         Opcode // Header.Op, but a continuation has that of its message
	Start      bool   // the header became complete with this piece
	End        bool   // the frame is complete with this piece
	Compressed bool   // RSV1 was set on the first frame of the message; never for a control frame
	Payload    []byte // unmasked; a part of the slice given to Next
}

// None says that nothing can be told yet: all there was is a part of a header.
func (e *Event) None() bool { return !e.Start && !e.End && len(e.Payload) == 0 }

// EndsMessage says that the piece is the last of a data message or of a control frame.
func (e *Event) EndsMessage() bool { return e.End && e.Header.Fin }

// Next takes n octets from the start of b and tells what they were: at most one piece of one frame,
// and no event if they are a part of a header, which the Reader keeps. Only the rest of b is given
// again, with what came after it. Payload is unmasked where it stands in b (unless Skip is set),
// and the caller's as b is.
//
// The error is an *Error. After it the Reader takes nothing more, and n has no meaning.
func (r *Reader) Next(b []byte) (ev Event, n int, err error) {
	if r.err == nil && !r.open {
		n = r.header(b)
		ev.Start = r.open
	}
	if r.err != nil {
		return Event{}, 0, r.err
	}
	if !r.open {
		return Event{}, n, nil
	}

	p := b[n:]
	if int64(len(p)) > r.left {
		p = p[:r.left:r.left]
	}
	if r.frame.Masked && !r.Skip {
		r.pos = uint8(Mask(p, r.frame.Key, int(r.pos)))
	}
	n += len(p)
	r.left -= int64(len(p))

	ev.Header = r.frame
	ev.Op = r.frame.Op
	ev.Payload = p
	if !ev.Op.IsControl() {
		ev.Op = r.msgOp
		ev.Compressed = r.compressed
	}
	if r.left == 0 {
		ev.End = true
		r.open = false
		if r.frame.Fin && !r.frame.Op.IsControl() {
			r.msgOp = Continuation
		}
	}
	return ev, n, nil
}

// header reads from b until the header is complete or bad, and opens the frame. It returns what it
// took.
func (r *Reader) header(b []byte) (n int) {
	if r.nPart == 0 {
		// Mostly the whole header is there, and judged at once.
		if n = r.begin(b); n > 0 || r.err != nil {
			return n
		}
		r.nPart = uint8(copy(r.part[:], b))
		return len(b)
	}
	for i, c := range b {
		r.part[r.nPart] = c
		r.nPart++
		if r.begin(r.part[:r.nPart]) > 0 || r.err != nil {
			r.nPart = 0
			return i + 1
		}
	}
	return len(b)
}

// begin judges the header at the start of b, as far as it is there, and opens the frame once it is
// complete.
func (r *Reader) begin(b []byte) (n int) {
	if r.err = r.judge(b); r.err != nil {
		return 0
	}
	h, n := ParseHeader(b)
	if n == 0 {
		return 0
	}
	r.frame, r.left, r.open, r.pos = h, h.Length, true, 0
	if h.Op.IsControl() {
		return n
	}
	if h.Op != Continuation {
		r.msgOp, r.compressed, r.size, r.frames = h.Op, h.RSV1, 0, 0
	}
	r.size += h.Length
	r.frames++
	return n
}

// Err is what ended the Reader, nil while it goes on.
func (r *Reader) Err() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// Idle says that nothing is unfinished: no header, no frame, no message.
func (r *Reader) Idle() bool { return r.nPart == 0 && !r.open && r.msgOp == Continuation }

// InFrame says that a frame has begun, if only with a part of its header, and is not complete.
func (r *Reader) InFrame() bool { return r.nPart > 0 || r.open }

// InControl says that the frame that is open is a control frame.
func (r *Reader) InControl() bool { return r.open && r.frame.Op.IsControl() }

// InMessage says that a data message has begun and is not complete. Between its frames others may
// come.
func (r *Reader) InMessage() bool { return r.msgOp != Continuation }

// Compressed says that the data message that has begun is a compressed one.
func (r *Reader) Compressed() bool { return r.InMessage() && r.compressed }

// Left is how many octets of the open frame's payload are still to come.
func (r *Reader) Left() int64 { return r.left }

// room is how many octets a frame of opcode op may announce.
func (r *Reader) room(op Opcode) int64 {
	limit := r.MaxFrameSize
	if limit <= 0 {
		limit = math.MaxInt64
	}
	if op == Continuation {
		limit -= r.size
	}
	return limit
}

// maxFragments is MaxFragments with its default and its off filled in.
func (r *Reader) maxFragments() int {
	switch {
	case r.MaxFragments == 0:
		return DefaultMaxFragments
	case r.MaxFragments < 0:
		return math.MaxInt
	}
	return r.MaxFragments
}
