package h2

import "golang.org/x/net/http2/hpack"

// event is something that happened on the connection.
type event struct {
	kind   eventKind
	s      *coreStream
	req    request             // evRequest; its fields are lent until the next call of next
	tail   []hpack.HeaderField // evTrailers, evResponse: the fields; lent until the next call of next
	status int                 // evResponse
	data   []byte              // evData; lent until the next call of next
	fin    bool                // evData, evRequest, evResponse: the peer has ended its side
	err    error               // evClosed: nil if both sides ended; evGoAway: the peer's *ConnError, nil for NO_ERROR
}

type eventKind uint8

const (
	evRequest  eventKind = iota + 1 // a stream was opened
	evData                          // a piece of the payload of a DATA frame; nil for an empty frame
	evTrailers                      // the peer ended its side with a field block
	evDrained                       // the send queue fell to the low mark
	evClosed                        // the stream is over, last for each stream
	evGoAway                        // the peer is leaving

	// Of the client's side.
	evResponse // an informational response, or the final one
	evSettings // the server's first SETTINGS
)

// queue holds events that came of anything but parsing, and what one parsed frame had to say.
type queue struct {
	q    []event
	head int
}

func (q *queue) push(ev event) { q.q = append(q.q, ev) }

func (q *queue) pop() (event, bool) {
	if q.head == len(q.q) {
		return event{}, false
	}
	ev := q.q[q.head]
	q.q[q.head] = event{} // nothing lent is kept
	q.head++
	if q.head == len(q.q) {
		q.q, q.head = q.q[:0], 0
		if cap(q.q) > 64 {
			q.q = nil
		}
	}
	return ev, true
}
