package websocket

import (
	"math"
	"strconv"
	"sync"

	"weir/wsframe"
)

// Event is something that happened to a session, for Options.Trace. Which fields count depends on
// Kind.
type Event struct {
	Kind       EventKind // what happened
	Session    *Session  // to whom
	Sent       bool      // Frame, Message, Close: by us
	Type       FrameType // Frame: the opcode, Continuation and Close among them; Message: text or binary
	Fin        bool      // Frame: it ends its message
	Compressed bool      // Frame, Message
	Bytes      int       // Message: octets of its payload; Frame: of its payload on the wire; Queue: octets that wait for the peer. math.MaxInt where it is more
	Code       CloseCode // Close: 0 for an empty close frame
	Text       string    // Close
	Reason     Reason    // Terminate
}

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of Event.
const (
	EventOpen      EventKind = iota // the session has begun, Init comes next
	EventFrame                      // a frame's header arrived, or a frame was made
	EventMessage                    // a text or binary message was received whole, or made
	EventPause                      // Active(false)
	EventResume                     // Active(true)
	EventClose                      // a close frame
	EventQueue                      // what waits in the transport became more than nothing, or nothing again
	EventTerminate                  // the session has ended, Terminate comes next
)

var eventNames = [...]string{"open", "frame", "message", "pause", "resume", "close", "queue", "terminate"}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "event " + strconv.Itoa(int(k))
}

// tracedStats are the Stats of a session with a Trace, for Session.Stats: no user code runs with mu
// held, so a Trace may have locks of its own that others hold when they ask.
type tracedStats struct {
	mu    sync.Mutex
	stats Stats
}

func (t *tracedStats) set(s Stats) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats = s
}

func (t *tracedStats) get() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// traced says that somebody listens.
func (m *machine) traced() bool { return m.few != nil && m.few.trace != nil }

// tell passes an event on. Nobody listens mostly, and then nothing is made of it.
func (m *machine) tell(e Event) {
	if m.traced() {
		m.few.trace(e)
	}
}

// tellFrame tells of a frame and, of a data frame that we made, of its message.
func (m *machine) tellFrame(sent bool, h wsframe.Header) {
	if m.traced() {
		m.few.trace(Event{Kind: EventFrame, Sent: sent, Type: FrameType(h.Op), Fin: h.Fin, Compressed: h.RSV1, Bytes: whole(h.Length)})
	}
}

func (m *machine) tellMessage(sent bool, t FrameType, compressed bool, n int64) {
	if m.traced() {
		m.few.trace(Event{Kind: EventMessage, Sent: sent, Type: t, Compressed: compressed, Bytes: whole(n)})
	}
}

// whole is n as an int. A frame of 2^31 octets, or a message, is told as the most that an int of 32
// bits can say, and not as a negative number.
func whole(n int64) int { return int(min(n, math.MaxInt)) }

func (m *machine) tellClose(sent bool, code CloseCode, text string) {
	if m.traced() {
		m.few.trace(Event{Kind: EventClose, Sent: sent, Code: code, Text: text})
	}
}
