package main

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"weir/upgrade"
	"weir/websocket"
)

// feed is the handler of /events: the messages of a room as server-sent events (WHATWG HTML, 9.2). It does not speak,
// is waited for as a member is, and ends as one does that does not read.
type feed struct {
	rooms   *rooms
	name    string
	room    *room // nil until LoopInit
	q       *upgrade.Queue
	rc      *http.ResponseController
	waiting atomic.Int64 // cost of the messages posted and not written
	slow    atomic.Bool  // given up, because too many were
	behind  atomic.Bool  // speakers do not wait for it
}

// serveEvents joins the room that the query names.
func (s *server) serveEvents(w http.ResponseWriter, r *http.Request) (*upgrade.Switch, error) {
	name := r.URL.Query().Get("room")
	if name == "" {
		http.Error(w, "/events?room=NAME: a room's name", http.StatusBadRequest)
		return nil, nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil, nil
	}
	f := &feed{rooms: s.rooms, name: name, rc: http.NewResponseController(w)}
	return upgrade.LoopSwitch(f, &upgrade.LoopOptions{Backlog: roomBacklog}), nil
}

// LoopInit sends the header, and an event that tells the client that it is in the room.
func (f *feed) LoopInit(q *upgrade.Queue, w http.ResponseWriter) upgrade.LoopResult {
	f.q = q
	f.rooms.follow(f)
	w.Write([]byte("event: open\ndata:\n\n")) // an error ends the request's context
	return upgrade.LoopHibernate
}

// LoopInfo writes one message of the room.
func (f *feed) LoopInfo(msg any, w http.ResponseWriter) upgrade.LoopResult {
	rm := msg.(*roomMessage)
	w.Write(rm.event) // an error ends the request's context
	if f.waiting.Add(-rm.cost()) == 0 {
		f.behind.Store(false)
	}
	if rm.gate != nil {
		rm.gate.pass()
	}
	if f.slow.Load() {
		return upgrade.LoopStop
	}
	return upgrade.LoopOK
}

// Terminate leaves the room.
func (f *feed) Terminate(upgrade.Reason, *upgrade.PartialRequest) {
	if f.room != nil {
		f.rooms.unfollow(f)
	}
}

// post hands one message over, or gives the feed up; the room's lock is held.
func (f *feed) post(rm *roomMessage) {
	if f.slow.Load() {
		return
	}
	waiting := f.waiting.Add(rm.cost())
	if (waiting > roomOctets && waiting > rm.cost() || f.q.Post(rm) == upgrade.ErrBacklog) && !f.slow.Swap(true) {
		f.rooms.slow()
		_ = f.rc.SetWriteDeadline(time.Unix(1, 0)) // ends a write that waits for the client; one that has gone needs none
	}
}

// eventOf tells a message: a text by its lines, a binary message in base64 as an event of type binary.
func eventOf(m websocket.Frame) []byte {
	if m.Type == websocket.BinaryFrame {
		b := base64.StdEncoding.AppendEncode([]byte("event: binary\ndata: "), m.Payload)
		return append(b, "\n\n"...)
	}
	var b []byte
	text := strings.ReplaceAll(string(m.Payload), "\r\n", "\n")
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		b = append(b, "data: "...)
		b = append(b, line...)
		b = append(b, '\n')
	}
	return append(b, '\n')
}

// follow has f told of what is said in its room.
func (rs *rooms) follow(f *feed) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	f.room = rs.named(f.name)
	f.room.mu.Lock()
	defer f.room.mu.Unlock()
	f.room.feeds = append(f.room.feeds, f)
}

// unfollow takes f out, and the room with it when f was the last.
func (rs *rooms) unfollow(f *feed) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := f.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.feeds, f); i >= 0 {
		r.feeds = slices.Delete(r.feeds, i, i+1)
	}
	rs.tidy(r)
}
