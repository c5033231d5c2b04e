package websocket_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
)

// BEHAVIOUR 8: drain.

// shutdown starts a drain that has d, and gives its result later.
func (h *house) shutdown(d time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() { // ends with the drain
		ctx, stop := context.WithTimeout(context.Background(), d)
		defer stop()
		done <- h.ws.Shutdown(ctx)
	}()
	return done
}

func TestDrainClosesSpread(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		var actors []*actor
		var clients []*client
		for range 4 {
			a := new(actor)
			clients = append(clients, h.open(a, nil))
			actors = append(actors, a)
		}
		synctest.Wait()
		start := time.Now()
		done := h.shutdown(16 * time.Second)
		times := make(chan time.Duration, 4)
		for _, c := range clients {
			go func() { // ends with the client's stream
				c.wantClose("drained", 1001, "")
				times <- time.Since(start)
				c.wire.CloseWrite()
			}()
		}
		seen := map[time.Duration]int{}
		for range 4 {
			seen[(<-times).Round(time.Second)]++
		}
		for _, want := range []time.Duration{0, 2 * time.Second, 4 * time.Second, 6 * time.Second} {
			if seen[want] != 1 {
				h.Errorf("closed at %v, want one each 2 s", seen)
			}
		}
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		for _, a := range actors {
			h.wantReason(a, "stop")
		}
	})
}

type drainer struct {
	actor
	onDrain websocket.Commands
}

func (d *drainer) Drain(websocket.Commands) websocket.Commands {
	defer d.enter("drain")()
	return d.onDrain
}

func TestDrainCallback(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		d := &drainer{onDrain: websocket.Commands{websocket.Text("last words"), websocket.Close(1012, "restart")}}
		c := h.open(d, nil)
		synctest.Wait()
		done := h.shutdown(10 * time.Second)
		c.wantText("what Drain returns is sent", "last words")
		c.wantClose("as Drain says", 1012, "restart")
		c.wire.CloseWrite()
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		h.wantReason(&d.actor, "stop")
	})
}

func TestDrainRefusesTheNew(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		d := new(drainer) // does nothing when asked to drain
		c := h.open(d, nil)
		var h1conn *h1wire
		if !h.http2() {
			h1conn = &h1wire{Conn: h.dial()}
		}
		synctest.Wait()
		done := h.shutdown(10 * time.Second)
		synctest.Wait()
		if h.http2() {
			if f := h.peer().GoAway(); f == nil {
				h.Error("no GOAWAY")
			}
		} else if resp, _ := h.upgrade(h1conn.Conn, "GET /plain HTTP/1.1\r\nHost: weir.test\r\n\r\n"); resp.StatusCode != 503 {
			h.Errorf("status %d while draining, want 503", resp.StatusCode)
		}
		c.send(text("alive"))
		c.wantText("those that are open go on", "alive")
		start := time.Now()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			h.Fatalf("Shutdown: %v, want the deadline: one was cut", err)
		}
		if d := time.Since(start); d > 10*time.Second {
			h.Fatalf("Shutdown outlived its context: %v", d)
		}
		c.wantReset("what is open at the deadline is cut")
		h.wantReason(&d.actor, "error:closed")
	})
}

func TestDrainCutsSlowCallback(t *testing.T) {
	each(t, overHTTP, func(h *house) {
		release := make(chan struct{})
		a := &actor{onHandle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands { <-release; return out }}
		c := h.open(a, nil)
		c.send(text("block"))
		synctest.Wait()
		if err := <-h.shutdown(2 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatal(err)
		}
		if got := a.told(); got != "init; text block" {
			h.Fatal(got)
		}
		close(release)
		h.wantReason(a, "error:closed")
	})
}

// A Group of one's own does the same under any server.
func TestGroup(t *testing.T) {
	each(t, modes, func(h *house) {
		g := new(websocket.Group)
		a := new(actor)
		c := h.open(a, &websocket.Options{Group: g})
		synctest.Wait()
		if g.Len() != 1 {
			h.Fatal(g.Len())
		}
		done := make(chan error, 1)
		go func() { done <- g.Shutdown(context.Background()) }() // ends with the last session
		c.wantClose("drained", 1001, "")
		c.wire.CloseWrite()
		if err := <-done; err != nil {
			h.Fatal(err)
		}
		h.wantReason(a, "stop")
		late := new(actor)
		c = h.open(late, &websocket.Options{Group: g})
		c.wantClose("a late one is ended as it begins", 1001, "")
		h.wantReason(late, "stop")
		if err := g.Shutdown(context.Background()); err != nil && g.Len() == 0 {
			h.Fatal("a second call:", err)
		}
	})
}
