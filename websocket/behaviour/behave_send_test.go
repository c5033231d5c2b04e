package behaviour_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 6: a peer that does not read.

// SendHigh: nothing is lost, and the session takes no more than fits. What the socket and the peer
// hold is not the session's.
func TestSendHigh(t *testing.T) {
	row(t, "6.send_high", all, func(h *house) {
		for _, r := range []struct{ high, most int }{{0, 1}, {300 << 10, 2}, {-1, 20}} {
			const size, n = 200 << 10, 20
			a := new(actor)
			c := h.open(a, &websocket.Options{SendTimeout: -1, SendHigh: r.high})
			c.withhold()
			s := a.session()
			for range n {
				s.Post(fromInfo{websocket.Binary(strings.Repeat("x", size))})
			}
			time.Sleep(time.Second) // a Send waits for a moment where a Write may block
			first := strings.Count(a.told(), "info")
			if most := r.most + beyond(size); first > most {
				h.Fatalf("%d messages were taken with nobody reading, want at most %d", first, most)
			}
			if r.high < 0 && first != n {
				h.Fatalf("%d messages were taken though there is no limit, want %d", first, n)
			}
			c.allow()
			for range n {
				c.want("all arrive", wsframe.Binary, strings.Repeat("x", size))
			}
		}
	})
}

// beyond is how many messages of size leave the session without being read: into sockets, or the
// peer's window.
func beyond(size int) int { return (sockets + size - 1) / size }

// A session whose peer does not read stays within Window, MaxFrameSize, SendHigh and one turn's
// output, whatever its handler and its posters do: what it takes in is counted, and what it queues.
func TestPeerThatDoesNotRead(t *testing.T) {
	row(t, "6.not_read", all, func(h *house) {
		const answer = 40 << 10
		var mu sync.Mutex
		queued, taken := 0, 0
		a := &actor{onHandle: func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			mu.Lock()
			defer mu.Unlock()
			taken++
			return append(out, websocket.Binary(strings.Repeat("x", answer)))
		}}
		a.onInfo = func(any, websocket.Commands) websocket.Commands {
			mu.Lock()
			defer mu.Unlock()
			taken++
			return websocket.Commands{websocket.Binary(strings.Repeat("x", answer))}
		}
		o := &websocket.Options{SendTimeout: -1, IdleTimeout: -1, Trace: func(e websocket.Event) {
			if e.Kind == websocket.EventQueue {
				mu.Lock()
				defer mu.Unlock()
				queued = max(queued, e.Bytes)
			}
		}}
		c := h.open(a, o)
		c.withhold()
		s := a.session()
		sent := c.flood(8 << 20) // messages of 1 KiB, each with an answer of 40
		refused := 0
		for range 5000 {
			if s.Post("x") != nil {
				refused++
			}
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if most := 2*websocket.DefaultSendHigh + answer; queued > most {
			h.Errorf("%d octets were queued, want at most %d", queued, most)
		}
		if most := (2*websocket.DefaultSendHigh+answer)/answer + beyond(answer) + 1; taken > most {
			h.Errorf("%d messages were taken, want at most %d", taken, most)
		}
		if most := taken<<10 + 65535 + 2*sockets; sent() > most {
			h.Errorf("the peer could send %d octets, want at most %d", sent(), most)
		}
		if refused < 5000-websocket.DefaultBacklog-taken {
			h.Errorf("%d posts were refused", refused)
		}
		c.reset()
	})
}
