package behaviour_test

import (
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
)

// What arrived while a callback ran counts from when it is taken: a turn behind a slow one knows what time it is.
func TestIdleTimeoutBehindASlowCallback(t *testing.T) {
	row(t, "6.idle.restarts", all, func(h *house) {
		a := new(actor)
		a.onHandle = func(f websocket.Frame, out websocket.Commands) websocket.Commands {
			if string(f.Payload) == "slow" {
				time.Sleep(50 * time.Second)
			}
			return out
		}
		c := h.open(a, nil)
		c.send(text("slow"))
		time.Sleep(49 * time.Second)
		c.send(text("next"))
		time.Sleep(55 * time.Second)
		synctest.Wait()
		if got := a.told(); got != "init; text slow; text next" {
			h.Fatalf("after 104 s: %s", got)
		}
		time.Sleep(10 * time.Second)
		c.wantClose("60 s after the second message", 1000, "")
		h.wantReason(a, "timeout")
	})
}
