package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"weir/websocket"
)

// What a member of a room may have waiting, of messages that it does not take. Past either it is
// slow, and cut.
const (
	roomBacklog = 4096    // messages
	roomOctets  = 1 << 20 // of messages; one message may be longer
)

// What one message may cost a room, whose members may all be slow: each has what it does not take
// in a queue of its own.
const (
	roomAny  = 64 << 10 // octets of a message that any room passes on
	roomCopy = 64 << 20 // octets of a longer one, for all members together
)

// rooms are the rooms that have members, by name.
type rooms struct {
	mu     sync.Mutex
	byName map[string]*room
	slow   func() // told of each member that is cut
}

func newRooms(slow func()) *rooms { return &rooms{byName: make(map[string]*room), slow: slow} }

// room passes what a member says to all of them, in one order for all.
type room struct {
	all  *rooms
	name string

	mu      sync.Mutex
	members []*member
	feeds   []*feed // of /events
}

// roomMessage is one message on its way: encoded once, shared by all members.
type roomMessage struct {
	*websocket.Prepared
	size  int64
	gate  *gate  // of the last message of a portion
	event []byte // for the feeds, if there are any
}

// cost is what a waiting message holds: its octets, and the structs around them.
func (m *roomMessage) cost() int64 { return m.size + 128 }

// member is the handler of /rooms/NAME.
type member struct {
	rooms   *rooms
	name    string
	room    *room // nil until Init
	session *websocket.Session
	waiting atomic.Int64 // cost of the messages posted and not taken
	slow    atomic.Bool  // cut, because too many were

	behind atomic.Bool // speakers do not wait for it

	portion portion // of the session's callbacks
}

func (rs *rooms) endpoint(r *http.Request, _ *query) websocket.Handler {
	return &member{rooms: rs, name: r.PathValue("name")}
}

// Init joins the room.
func (m *member) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	m.session = s
	m.rooms.join(m)
	return out
}

// Handle passes a message on, to its sender too.
func (m *member) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if !f.IsData() {
		return out
	}
	if n := len(f.Payload); n > roomAny && n*m.room.size() > roomCopy {
		why := fmt.Sprintf("%d octets are too many for %d members", n, m.room.size())
		return append(out, websocket.Close(1009, why))
	}
	rm := &roomMessage{Prepared: websocket.Prepare(f.Type, f.Payload), size: int64(len(f.Payload))}
	if m.portion.add(rm.cost()) {
		rm.gate = m.portion.shut(m)
		out = append(out, websocket.Active(false))
	}
	m.room.say(rm, f)
	return out
}

// Info takes one message of the room, or learns that the others have taken its own.
func (m *member) Info(msg any, out websocket.Commands) websocket.Commands {
	switch msg := msg.(type) {
	case *roomMessage:
		if m.waiting.Add(-msg.cost()) == 0 {
			m.behind.Store(false)
		}
		out = append(out, websocket.SendPrepared(msg.Prepared))
		if msg.gate != nil {
			msg.gate.pass()
			out = m.portion.taken(msg.gate, out)
		}
	case opened:
		out = m.portion.opened(out)
	}
	return out
}

// Terminate leaves the room. It may come without an Init.
func (m *member) Terminate(websocket.Reason, *websocket.PartialRequest) {
	if m.room != nil {
		m.rooms.leave(m)
	}
}

// whyCut is what the terminate event says of a member that was cut.
func (m *member) whyCut() string {
	if m.slow.Load() {
		return "backlog"
	}
	return ""
}

// post hands one message over, or gives the member up: it cannot be told anything any more, so
// there is no close frame.
func (m *member) post(rm *roomMessage) {
	if m.slow.Load() {
		return
	}
	waiting := m.waiting.Add(rm.cost())
	if waiting > roomOctets && waiting > rm.cost() || m.session.Post(rm) == websocket.ErrBacklog {
		m.cut()
	}
}

func (m *member) cut() {
	if !m.slow.Swap(true) {
		m.rooms.slow()
		m.session.Cut()
	}
}

// say posts one message, f, to every member and every feed.
func (r *room) say(rm *roomMessage, f websocket.Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rm.gate != nil {
		rm.gate.expect(r)
	}
	if len(r.feeds) > 0 {
		rm.event = eventOf(f)
	}
	for _, m := range r.members {
		m.post(rm)
	}
	for _, f := range r.feeds {
		f.post(rm)
	}
}

// size is how many are told what is said.
func (r *room) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.members) + len(r.feeds)
}

// giveUp says who is not waited for until it has taken everything.
func (r *room) giveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.waiting.Load() > 0 {
			m.behind.Store(true)
		}
	}
	for _, f := range r.feeds {
		if f.waiting.Load() > 0 {
			f.behind.Store(true)
		}
	}
}

func (rs *rooms) join(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.named(m.name)
	m.room = r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, m)
}

// named is the room of a name, made if there is none; mu is held.
func (rs *rooms) named(name string) *room {
	r := rs.byName[name]
	if r == nil {
		r = &room{all: rs, name: name}
		rs.byName[name] = r
	}
	return r
}

// tidy forgets a room that nobody is in; mu and the room's are held.
func (rs *rooms) tidy(r *room) {
	if len(r.members) == 0 && len(r.feeds) == 0 {
		delete(rs.byName, r.name)
	}
}

// leave takes m out, and the room with it when m was the last.
func (rs *rooms) leave(m *member) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.members, m); i >= 0 {
		r.members = slices.Delete(r.members, i, i+1)
	}
	rs.tidy(r)
}
