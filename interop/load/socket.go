package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// state of a socket, in this order.
type state uint8

const (
	fresh   state = iota
	opening       // asked for
	open          // its handshake was answered
	leaving       // our close frame is out
	gone
)

// socket is one WebSocket: what it has to send, and what came back.
type socket struct {
	e     *engine
	link  *link
	index int // among the engine's
	slow  bool
	state state
	asked int64 // when its opening began

	budget   int64   // messages that it may still issue; closed loop
	issued   int64   // messages that were due
	sent     int64   // messages that were begun to be written
	received int64   // answers; of Broadcast deliveries
	starts   []int64 // of a closed loop: when message i was due, at i modulo its length

	read frameReader
	h2   h2Stream
}

// frameReader is where a socket is in the frames of the server.
type frameReader struct {
	head    [10]byte // of the frame that is being read, as far as it came
	n       int      // octets in head; 0: between two frames
	inside  bool     // the head is whole, left octets of the payload are to come
	left    int64
	op      byte // of the frame
	message byte // first octet of the message without FIN: RSV1 and opcode; 0: between two messages
	size    int64
	check   bool   // of the message: its content is compared
	gather  []byte // the payload of a control frame, or of a compressed message that is checked
}

// sampling: one message in so many is compared with what was sent. A prime, so that the messages take turns.
const sampling = 61

var (
	errMasked   = errors.New("bad frame: masked by the server (RFC 6455, 5.1)")
	errRSV      = errors.New("bad frame: reserved bits (RFC 6455, 5.2)")
	errControl  = errors.New("bad frame: control frame cut, or over 125 octets (RFC 6455, 5.5)")
	errFragment = errors.New("bad frame: fragments out of order (RFC 6455, 5.4)")
	errLength   = errors.New("wrong answer: length")
	errType     = errors.New("wrong answer: text for binary, or binary for text")
	errContent  = errors.New("wrong answer: content")
	errUnasked  = errors.New("wrong answer: more than was asked for")
)

// feed takes octets of the WebSocket. An error ends it.
func (s *socket) feed(b []byte, now int64) error {
	r := &s.read
	for len(b) > 0 {
		if r.inside {
			n := min(int64(len(b)), r.left)
			if err := s.payload(b[:n]); err != nil {
				return err
			}
			b = b[n:]
			if r.left -= n; r.left > 0 {
				return nil
			}
			if err := s.frameEnd(now); err != nil {
				return err
			}
			continue
		}
		// The frame that nearly all are: short, whole, not compressed, not looked into.
		if r.n == 0 && r.message == 0 && len(b) >= 2 && b[0] == s.e.first && b[1] < 126 && len(b) >= 2+int(b[1]) && !s.sampled() {
			if int(b[1]) != len(s.expected()) {
				return errLength
			}
			if err := s.answered(int64(b[1]), now); err != nil {
				return err
			}
			b = b[2+int(b[1]):]
			continue
		}
		need := 2
		if r.n >= 2 {
			need = headSize(r.head[1])
		}
		n := copy(r.head[r.n:need], b)
		r.n += n
		b = b[n:]
		if r.n < need || need == 2 && headSize(r.head[1]) > 2 {
			continue
		}
		if err := s.frameBegin(); err != nil {
			return err
		}
		if r.left == 0 {
			if err := s.frameEnd(now); err != nil {
				return err
			}
		}
	}
	return nil
}

func headSize(second byte) int {
	switch second & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// frameBegin looks at a head.
func (s *socket) frameBegin() error {
	r := &s.read
	first, second := r.head[0], r.head[1]
	r.n, r.inside = 0, true
	switch second & 0x7f {
	case 126:
		r.left = int64(binary.BigEndian.Uint16(r.head[2:]))
	case 127:
		r.left = int64(binary.BigEndian.Uint64(r.head[2:]) &^ (1 << 63))
	default:
		r.left = int64(second & 0x7f)
	}
	r.op = first & 0xf
	switch {
	case second&0x80 != 0:
		return errMasked
	case first&0x30 != 0 || first&rsv1 != 0 && (!s.e.cfg.Compress || r.op != opText && r.op != opBinary):
		return errRSV
	case r.op >= opClose:
		if first&fin == 0 || r.left > 125 {
			return errControl
		}
		r.gather = r.gather[:0]
		if r.op > opPong {
			return fmt.Errorf("bad frame: opcode %d (RFC 6455, 5.2)", r.op)
		}
		if r.message != 0 && r.check { // its content cannot be gathered beside the control frame's
			r.check = false
		}
		return nil
	case r.op == opContinuation && r.message == 0, r.op != opContinuation && r.message != 0:
		return errFragment
	case r.op > opBinary:
		return fmt.Errorf("bad frame: opcode %d (RFC 6455, 5.2)", r.op)
	}
	if r.message == 0 {
		r.message, r.size, r.check, r.gather = first&^fin, 0, s.sampled(), r.gather[:0]
		if r.op != s.e.first&0xf {
			return errType
		}
		if s.state == open && !s.due() {
			return errUnasked
		}
	}
	return nil
}

// due says whether an answer may come.
func (s *socket) due() bool {
	return s.e.cfg.Mode == Broadcast || s.received < s.sent
}

// sampled says whether the content of the next answer is compared.
func (s *socket) sampled() bool {
	return s.received%sampling == int64(s.index)%sampling || s.received == 0
}

// expected is what the next answer has to be.
func (s *socket) expected() []byte {
	m := s.e.messages
	return m[s.received%int64(len(m))].plain
}

// payload takes a part of a frame's.
func (s *socket) payload(b []byte) error {
	r := &s.read
	if r.op >= opClose {
		r.gather = append(r.gather, b...)
		return nil
	}
	if s.state != open {
		return nil
	}
	if r.message&rsv1 != 0 {
		if r.check {
			r.gather = append(r.gather, b...)
		}
		r.size += int64(len(b))
		return nil
	}
	want := s.expected()
	if r.size+int64(len(b)) > int64(len(want)) {
		return errLength
	}
	if r.check && !bytes.Equal(b, want[r.size:r.size+int64(len(b))]) {
		return errContent
	}
	r.size += int64(len(b))
	return nil
}

// frameEnd follows the last octet of a frame.
func (s *socket) frameEnd(now int64) error {
	r := &s.read
	r.inside = false
	if r.op >= opClose {
		return s.control()
	}
	if r.head[0]&fin == 0 {
		return nil
	}
	compressed := r.message&rsv1 != 0
	r.message = 0
	if s.state != open {
		return nil // an answer that came after the end
	}
	if !compressed && r.size != int64(len(s.expected())) {
		return errLength
	}
	if compressed && r.check {
		if err := s.e.inflate(s, r.gather); err != nil {
			return err
		}
	}
	return s.answered(r.size, now)
}

// closeError is a close frame that nobody asked for.
type closeError struct {
	code int // 0: none
	text string
}

func (e *closeError) Error() string {
	switch {
	case e.code == 0:
		return "closed by the server without a code"
	case e.text == "":
		return fmt.Sprintf("closed by the server: %d", e.code)
	}
	return fmt.Sprintf("closed by the server: %d %q", e.code, e.text)
}

// control obeys a control frame.
func (s *socket) control() error {
	r := &s.read
	switch r.op {
	case opPing:
		s.link.control(s, appendFrame(nil, fin|opPong, r.gather))
	case opClose:
		if s.state == leaving {
			return nil
		}
		e := new(closeError)
		if len(r.gather) >= 2 {
			e.code = int(binary.BigEndian.Uint16(r.gather))
			if e.text = string(r.gather[2:]); !utf8.ValidString(e.text) {
				e.text = ""
			}
		}
		return e
	}
	return nil
}

// answered counts an answer whose payload had size octets on the wire.
func (s *socket) answered(size, now int64) error {
	e := s.e
	if s.state != open {
		return nil
	}
	if !s.due() {
		return errUnasked
	}
	e.wireIn += size
	if s.slow {
		s.received++
		return nil
	}
	if e.cfg.Mode == Broadcast {
		return e.delivered(s, now)
	}
	var start int64
	if s.starts != nil {
		start = s.starts[s.received%int64(len(s.starts))]
	} else {
		start = e.schedule.due(int64(s.index) + s.received*e.schedule.stride)
	}
	s.received++
	e.inflight--
	e.record(start, now)
	if s.starts != nil {
		s.issue(now)
	} else if e.cfg.InFlight > 0 {
		s.link.ready(s)
	}
	return nil
}

// issue makes one more message of a closed loop due.
func (s *socket) issue(now int64) {
	e := s.e
	if !e.issuing || s.budget == 0 || s.state != open {
		return
	}
	s.budget--
	e.budget--
	s.starts[s.issued%int64(len(s.starts))] = now
	s.issued++
	e.inflight++
	s.link.ready(s)
}

// sendable says whether a message may be written now.
func (s *socket) sendable() bool {
	if s.state != open {
		return false
	}
	if s.slow {
		return s.e.issuing && s.e.cfg.Mode == Echo
	}
	return s.sent < s.issued && (s.starts != nil || s.e.cfg.InFlight == 0 || s.sent-s.received < int64(s.e.cfg.InFlight))
}

// next is the frame to write.
func (s *socket) next() []byte {
	m := s.e.messages
	f := m[s.sent%int64(len(m))].wire
	s.sent++
	s.e.written++
	s.e.wireOut += int64(len(f))
	return f
}

// skippable is how many octets follow that are counted and no more.
func (l *link) skippable() int64 {
	r := &l.sockets[0].read
	if !l.h1.up || !r.inside || r.op >= opClose || r.check {
		return 0
	}
	return r.left
}
