package websocket

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"
)

// Group is a set of sessions that come to their end together. The zero value is ready.
// ConfigureServer makes one for its server; under any other server, Options.Group names one.
type Group struct {
	mu       sync.Mutex
	head     *Session
	n        int
	draining bool
	empty    chan struct{} // closed when n falls to 0 while draining
}

// links are a session's place in its group.
type links struct{ prev, next *Session }

// join adds s. In a group that drains it comes to its end at once.
func (g *Group) join(s *Session) {
	if g == nil {
		return
	}
	g.mu.Lock()
	s.links.next = g.head
	if g.head != nil {
		g.head.links.prev = s
	}
	g.head = s
	g.n++
	draining := g.draining
	g.mu.Unlock()
	if draining {
		s.drain()
	}
}

// leave takes s out, once.
func (g *Group) leave(s *Session) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := &s.links
	if l.prev != nil {
		l.prev.links.next = l.next
	} else {
		g.head = l.next
	}
	if l.next != nil {
		l.next.links.prev = l.prev
	}
	*l = links{}
	if g.n--; g.n == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// Len is how many sessions are open, or have ended and wait for their peer's end.
func (g *Group) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// Sessions are those that Len counts, at the time of the call: to post to all of them, say, or to
// close those of one user with a code by Session.Send.
func (g *Group) Sessions() iter.Seq[*Session] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Values(g.all())
}

// Shutdown brings every session to its end: each gets Drain if its handler has it, else close 1001,
// spread over the first half of the time that ctx leaves; where ctx leaves more than 5.5 s the last
// is asked 5.5 s before the deadline at the latest, so that a peer that never answers has its 5 s.
// What is open when ctx ends is cut; then its error is returned. A session that has ended, and
// merely waits for its peer's end, is no loss unless its close frame could not be sent. Sessions
// that begin later are ended as they begin. Shutdown may be called more than once, also at the same
// time.
func (g *Group) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.draining = true
	all := g.all()
	if g.n > 0 && g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()

	var spread time.Duration
	if d, ok := ctx.Deadline(); ok && len(all) > 0 {
		spread = spreadOf(time.Until(d)) / time.Duration(len(all))
	}
	for i, s := range all {
		if i == 0 && ctx.Err() != nil || i > 0 && !sleep(ctx, spread) {
			break
		}
		s.drain()
	}
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	return g.cut(ctx)
}

// lastLinger is how long before the deadline of a drain the last session is asked: its linger time
// fits.
const lastLinger = lingerTime + 500*time.Millisecond

// spreadOf is over how much of the time that is left sessions are asked to end.
func spreadOf(left time.Duration) time.Duration {
	if most := left - lastLinger; most > 0 {
		return min(left/2, most)
	}
	return left / 2
}

// cut gives up what is still open. Sessions that have ended and merely wait for their peer are no
// loss.
func (g *Group) cut(ctx context.Context) error {
	g.mu.Lock()
	all := g.all()
	g.mu.Unlock()
	var err error
	for _, s := range all {
		if s.over() && !s.unsent() {
			s.leave()
			continue
		}
		err = ctx.Err()
		s.cut()
	}
	return err
}

func (g *Group) all() []*Session {
	all := make([]*Session, 0, g.n)
	for s := g.head; s != nil; s = s.links.next {
		all = append(all, s)
	}
	return all
}

// sleep waits for d, or says false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
