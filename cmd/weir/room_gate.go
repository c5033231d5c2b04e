package main

import (
	"sync/atomic"
	"time"

	"weir/websocket"
)

// A member speaks in portions. Behind each it is not read until the others have taken what it said, so that a flood makes
// nobody slow who merely waits for a processor. Who does not take it in time is not waited for any more.
const (
	portionMessages = 64
	portionOctets   = roomOctets / 8
	roomPatience    = 100 * time.Millisecond
)

// portion is what a member has said since it was last stopped. It belongs to the session's callbacks.
type portion struct {
	messages int
	octets   int64
	gate     *gate // it is stopped until this opens and it has taken its own message
	open     bool
	own      bool // the message was taken
}

// add says whether the portion is complete with one more message.
func (p *portion) add(cost int64) bool {
	p.messages++
	p.octets += cost
	return p.gate == nil && (p.messages >= portionMessages || p.octets >= portionOctets)
}

// shut makes the gate that goes with the last message.
func (p *portion) shut(m *member) *gate {
	*p = portion{gate: &gate{speaker: m}}
	return p.gate
}

// taken notes that the session has come to a gate's message.
func (p *portion) taken(g *gate, out websocket.Commands) websocket.Commands {
	p.own = p.own || g == p.gate
	return p.resume(out)
}

// opened notes that the others have.
func (p *portion) opened(out websocket.Commands) websocket.Commands {
	p.open = true
	return p.resume(out)
}

func (p *portion) resume(out websocket.Commands) websocket.Commands {
	if p.gate == nil || !p.open || !p.own {
		return out
	}
	*p = portion{}
	return append(out, websocket.Active(true))
}

// gate counts who has still to take a message.
type gate struct {
	speaker *member
	left    atomic.Int32
	timer   *time.Timer
	done    atomic.Bool
}

// opened is what the speaker's session is told.
type opened struct{}

// expect is called with the room's lock held, before the message is posted to anybody.
func (g *gate) expect(r *room) {
	n := int32(0)
	for _, m := range r.members {
		if !m.behind.Load() {
			n++
		}
	}
	for _, f := range r.feeds {
		if !f.behind.Load() {
			n++
		}
	}
	g.left.Store(n)
	g.timer = time.AfterFunc(roomPatience, func() {
		g.speaker.room.giveUp()
		g.open()
	})
	if n == 0 {
		g.open()
	}
}

// pass is called by each member that takes the message. Those that were not expected open the gate a little early.
func (g *gate) pass() {
	if g.left.Add(-1) == 0 {
		g.open()
	}
}

func (g *gate) open() {
	g.timer.Stop()
	if !g.done.Swap(true) && g.speaker.session.Post(opened{}) == websocket.ErrBacklog {
		g.speaker.cut()
	}
}
