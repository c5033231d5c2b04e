package main

import (
	"net/http"
	"strings"
	"time"

	"weir/websocket"
)

// maxPayload is the largest message that /push and /source make.
const maxPayload = 64 << 20

// sourceBatch is how many octets /source hands over in one callback, so that its session stays open to the peer's
// pings and close frame.
const sourceBatch = 64 << 10

// payload is a message of size octets, readable in a dump.
func payload(size int64) string {
	const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"
	return strings.Repeat(line, int(size)/len(line)+1)[:size]
}

// sender is what /push and /source have in common: a message, and how often it goes.
type sender struct {
	discard
	kind    websocket.FrameType
	message string
	left    int64 // messages to go; negative: for ever
	session *websocket.Session
}

func newSender(q *query, size, count int64) sender {
	s := sender{
		kind: q.frameType(),
		left: q.number("count", count, 0, maxCount),
	}
	if s.left == 0 {
		s.left = -1
	}
	size = q.number("size", size, 0, maxPayload)
	if q.err == nil {
		s.message = payload(size)
	}
	return s
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

// push sends one message an interval. A peer that does not read holds the posts back, and so the next interval.
type push struct {
	sender
	interval time.Duration
	timer    *time.Timer
}

// tick is what the timer posts.
type tick struct{}

func pushEndpoint(_ *http.Request, q *query) websocket.Handler {
	return &push{interval: q.millis("interval", time.Second), sender: newSender(q, 16, 0)}
}

func (p *push) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	p.session = s
	// Post fails once the session has ended: then there is no next tick.
	p.timer = time.AfterFunc(p.interval, func() { _ = s.Post(tick{}) })
	return out
}

func (p *push) Info(_ any, out websocket.Commands) websocket.Commands {
	out = p.next(out)
	if p.left != 0 {
		p.timer.Reset(p.interval)
	}
	return out
}

// Terminate stops the timer. It may come without an Init.
func (p *push) Terminate(websocket.Reason, *websocket.PartialRequest) {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// source sends a batch a callback and posts itself the next: the session takes no post while its send queue is full.
type source struct{ sender }

func sourceEndpoint(_ *http.Request, q *query) websocket.Handler {
	return &source{newSender(q, 1024, 1000)}
}

func (s *source) Init(session *websocket.Session, out websocket.Commands) websocket.Commands {
	s.session = session
	return s.Info(nil, out)
}

func (s *source) Info(_ any, out websocket.Commands) websocket.Commands {
	for n := 0; s.left != 0 && n < sourceBatch; n += len(s.message) + 16 {
		out = s.next(out)
	}
	if s.left == 0 {
		return append(out, websocket.Close(1000, ""))
	}
	_ = s.session.Post(tick{}) // fails once the session has ended
	return out
}
