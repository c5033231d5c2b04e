package h2

import (
	"fmt"
	"net/http"
	"weak"

	"weir/stream"
)

// OpenBeside is OpenStream at its worst moment: behind the look that a handler's return takes at w,
// and before w has noted it.
func OpenBeside(w http.ResponseWriter) (stream.Stream, error) {
	x := w.(upgradeWriter).x
	t, err := x.c.openTunnel(x, nil)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Watch gives a function that says whether w's request is still held by anybody: by a connection, a
// timer, a goroutine.
func Watch(w http.ResponseWriter) func() bool {
	if u, ok := w.(upgradeWriter); ok {
		w = u.responseWriter
	}
	p := weak.Make(w.(*responseWriter).x)
	return func() bool { return p.Value() != nil }
}

// Counted is what the connections count for their streams: octets that they hold, and by which the
// windows of bodies have grown.
func (s *Server) Counted() (held, granted int) {
	for _, c := range s.all() {
		c.mu.Lock()
		held += c.core.held
		granted += c.core.granted
		c.mu.Unlock()
	}
	return held, granted
}

// Rest looks at every connection and says what each still holds of requests that are over: streams,
// handlers, octets, credit, timers. Without faults the connections are at rest. windows are what
// each peer lets its connection send, by the peer's address.
func (s *Server) Rest() (windows map[string]int, faults []string) {
	windows = map[string]int{}
	s.lookout.mu.Lock()
	if s.lookout.running {
		faults = append(faults, "the lookout's timer runs")
	}
	s.lookout.mu.Unlock()
	for _, c := range s.all() {
		c.mu.Lock()
		k := c.core
		bad := func(format string, args ...any) {
			faults = append(faults, fmt.Sprintf("connection of %s: ", c.remote)+fmt.Sprintf(format, args...))
		}
		if n := len(k.streams); n != 0 || k.oldest != nil || k.newest != nil {
			bad("%d streams", n)
		}
		if c.running != 0 || len(c.waiting) != 0 {
			bad("%d handlers run, %d requests wait", c.running, len(c.waiting))
		}
		if n := k.credit.Held(); n != 0 {
			bad("%d octets received and not given back", n)
		}
		if k.held != 0 {
			bad("%d octets are held for streams", k.held)
		}
		if k.granted != 0 {
			bad("%d octets of windows are granted to bodies", k.granted)
		}
		if n := k.counts.tunnelsNow; n != 0 {
			bad("%d tunnels", n)
		}
		if k.stalls.n != 0 || len(k.loans) != 0 || len(c.ending) != 0 || len(c.notices) != 0 {
			bad("%d stalled, %d loans, %d to finish, %d to be told", k.stalls.n, len(k.loans), len(c.ending),
				len(c.notices))
		}
		if k.pending() || len(k.lent) != 0 {
			bad("%d octets to write", len(k.out))
		}
		if k.anyReady() || k.blocked.first != nil {
			bad("streams wait for their turn to send")
		}
		if k.unstamped() {
			bad("%d streams have stalled", len(k.stalls.fresh))
		}
		if k.data.open || k.block.open || k.framed {
			bad("a frame is not complete")
		}
		if t := &k.timers; !t.hello.IsZero() || !t.ack.IsZero() || !t.field.IsZero() ||
			!t.stall.IsZero() {
			bad("a timer is left: %+v", *t)
		}
		if c.flushing {
			bad("somebody writes")
		}
		windows[c.remote] = k.window.Available()
		c.mu.Unlock()
	}
	return windows, faults
}
