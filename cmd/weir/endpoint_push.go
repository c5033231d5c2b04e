package main

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"weir/websocket"
)

// maxPayload is the largest message that /push and /source make.
const maxPayload = 64 << 20

// sourceBatch is how many octets /source hands over in one callback, so that its session stays open
// to the peer's pings and close frame.
const sourceBatch = 64 << 10

// payloads makes messages that are readable in a dump. All of them are the beginning of one text,
// which is made in a few lengths: what sessions send, they do not hold.
type payloads struct {
	mu   sync.Mutex
	text string
}

// of is a message of size octets.
func (p *payloads) of(size int64) string {
	const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := int64(len(p.text)); n < size {
		for n = max(n, 32<<10); n < size; n *= 2 {
		}
		p.text = strings.Repeat(line, int(n)/len(line))
	}
	return p.text[:size]
}

// sender is what /push and /source have in common: a message, and how often it goes.
type sender struct {
	discard
	turn
	kind    websocket.FrameType
	message string
	left    int64 // messages to go; negative: for ever
	session *websocket.Session
}

func (s *server) newSender(q *query, size, count int64) sender {
	out := sender{
		kind: q.frameType(),
		left: q.number("count", count, 0, maxCount),
	}
	if out.left == 0 {
		out.left = -1
	}
	size = q.number("size", size, 0, maxPayload)
	if q.err == nil {
		out.message = s.payloads.of(size)
	}
	if size > sourceBatch {
		out.turn = turn{all: &s.allowance, size: size}
	}
	return out
}

// next appends one message. The caller sees to it that one is left.
func (s *sender) next(out websocket.Commands) websocket.Commands {
	if s.left > 0 {
		s.left--
	}
	if s.kind == websocket.BinaryFrame {
		return append(out, websocket.Binary(s.message))
	}
	return append(out, websocket.Text(s.message))
}

// push sends one message an interval. A peer that does not read holds the posts back, and so the
// next interval.
type push struct {
	sender
	interval time.Duration
	timer    *time.Timer
}

// What is posted to a sender: that it is time for a message, and that the last one has left.
type (
	tick struct{}
	sent struct{}
)

func (s *server) pushEndpoint(_ *http.Request, q *query) websocket.Handler {
	return &push{interval: q.millis("interval", time.Second), sender: s.newSender(q, 16, 0)}
}

// Init begins with an interval.
func (p *push) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	p.session = s
	// Post fails once the session has ended: then there is no next tick.
	p.timer = time.AfterFunc(p.interval, func() { _ = s.Post(tick{}) })
	return out
}

// Info sends, and sets the timer when what was sent is no burden any more.
func (p *push) Info(msg any, out websocket.Commands) websocket.Commands {
	if _, ok := msg.(sent); ok {
		p.give()
	} else if !p.take(p.session) {
		return out
	} else if out = p.next(out); p.large() {
		_ = p.session.Post(sent{}) // fails once the session has ended
		return out
	}
	if p.left != 0 {
		p.timer.Reset(p.interval)
	}
	return out
}

// Terminate stops the timer. It may come without an Init.
func (p *push) Terminate(websocket.Reason, *websocket.PartialRequest) {
	p.leave()
	if p.timer != nil {
		p.timer.Stop()
	}
}

// source sends a batch a callback and posts itself the next: the session takes no post while its
// send queue is full.
type source struct{ sender }

func (s *server) sourceEndpoint(_ *http.Request, q *query) websocket.Handler {
	return &source{s.newSender(q, 1024, 1000)}
}

// Init sends the first batch.
func (s *source) Init(session *websocket.Session, out websocket.Commands) websocket.Commands {
	s.session = session
	return s.Info(tick{}, out)
}

// Info sends a batch.
func (s *source) Info(msg any, out websocket.Commands) websocket.Commands {
	if _, ok := msg.(sent); ok {
		s.give()
	}
	for n := 0; s.left != 0 && n < sourceBatch; n += len(s.message) + 16 {
		if !s.take(s.session) {
			return out
		}
		out = s.next(out)
	}
	if s.left == 0 {
		return append(out, websocket.Close(1000, ""))
	}
	_ = s.session.Post(sent{}) // fails once the session has ended
	return out
}

// Terminate leaves room for others.
func (s *source) Terminate(websocket.Reason, *websocket.PartialRequest) { s.leave() }
