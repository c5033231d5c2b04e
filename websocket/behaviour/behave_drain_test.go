package behaviour_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"weir/h2/h2test"
	"weir/h3/h3test"
	"weir/stream"
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
	row(t, "8.spread", overHTTP, func(h *house) {
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
				c.wantCloseFrame("drained", 1001, "")
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

// Where ctx leaves more than 5.5 s, the last session is asked 5.5 s before the deadline at the
// latest.
func TestDrainSpreadLeavesLastLinger(t *testing.T) {
	for _, r := range []struct{ ctx, last time.Duration }{
		{12 * time.Second, 4500 * time.Millisecond}, // three quarters of the half
		{10 * time.Second, 3375 * time.Millisecond}, // of 4.5 s
		{6 * time.Second, 375 * time.Millisecond},
		{4 * time.Second, 1500 * time.Millisecond}, // no linger fits: the half
	} {
		row(t, "8.spread", overHTTP, func(h *house) {
			var clients []*client
			for range 4 {
				clients = append(clients, h.open(new(actor), nil))
			}
			synctest.Wait()
			start := time.Now()
			done := h.shutdown(r.ctx)
			asked := make(chan time.Duration, 4)
			for _, c := range clients {
				go func() { // ends with the client's stream
					c.wantCloseFrame("drained", 1001, "")
					asked <- time.Since(start)
					c.wire.CloseWrite()
				}()
			}
			var last time.Duration
			for range 4 {
				last = max(last, <-asked)
			}
			if err := <-done; err != nil || last != r.last {
				h.Errorf("of %v: the last was asked after %v, want %v; %v", r.ctx, last, r.last, err)
			}
		})
	}
}

// staying is a connection whose client does not close it when the server has ended its side.
type staying struct {
	net.Conn
	over chan struct{}
}

func (s *staying) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if err != nil {
		<-s.over
	}
	return n, err
}

// Many peers that answer nothing and end nothing: every session ends by itself, nothing is cut, in
// time.
func TestDrainOfMutePeers(t *testing.T) {
	for _, ctx := range []time.Duration{10 * time.Second, 7 * time.Second, 3 * time.Second, 1500 * time.Millisecond} {
		row(t, "8.mute", overHTTP, func(h *house) {
			var actors []*actor
			var clients []*client
			over := make(chan struct{})
			h.close = append(h.close, func() { close(over) })
			for i := range 60 {
				if h.http2() && i%20 == 0 { // another connection
					p, err := h2test.Dial(&staying{h.dial(), over})
					if err != nil {
						h.Fatal(err)
					}
					h.shared = p
				}
				a := new(actor)
				clients = append(clients, h.open(a, nil))
				actors = append(actors, a)
			}
			synctest.Wait()
			start := time.Now()
			done := h.shutdown(ctx)
			time.Sleep(ctx/2 + 100*time.Millisecond) // they have been asked; QUIC drops what is unread at the connection's end
			for _, c := range clients {
				c.wantCloseFrame("asked", 1001, "")
			}
			if err := <-done; err != nil {
				h.Errorf("of %v: %v after %v", ctx, err, time.Since(start))
			}
			if d := time.Since(start); d > ctx+100*time.Millisecond {
				h.Errorf("it took %v of %v", d, ctx)
			}
			for i, a := range actors {
				h.wantReason(a, "stop")
				err := clients[i].more()
				if code, ok := resetCode(err); err != io.EOF && (!ok || code != stream.NoError) {
					h.Fatalf("of %v: behind the close frame came %v", ctx, err)
				}
			}
		})
	}
}

// A session whose close frame waits for a peer that does not read is cut at the deadline, though it
// has ended.
func TestDrainCutsUnsent(t *testing.T) {
	row(t, "8.unsent", overHTTP, func(h *house) {
		for _, ends := range []bool{false, true} {
			g := new(websocket.Group)
			a := new(actor)
			c := h.open(a, &websocket.Options{Group: g, SendTimeout: -1})
			c.withhold()
			a.session().Post(fromInfo{websocket.Binary(strings.Repeat("x", 900_000))})
			settle()
			if ends { // then ours is handed over, and waits, too
				c.wire.CloseWrite()
			}
			ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
			if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				h.Errorf("its peer has ended: %v; %v", ends, err)
			}
			stop()
			c.allow()
			c.wantReset("it is cut")
		}
	})
}

// A request that is cut is told of, a connection that merely waits for its peer's end is not.
func TestDrainCutsRequest(t *testing.T) {
	row(t, "8.cut", overHTTP2, func(h *house) {
		release := make(chan struct{})
		h.mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { <-release })
		if _, err := h.peer().Open(true, ":method", "GET", ":scheme", "http", ":authority", "example.test", ":path", "/slow"); err != nil {
			h.Fatal(err)
		}
		synctest.Wait()
		if err := <-h.shutdown(2 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			h.Error(err)
		}
		close(release)
	})
}

type drainer struct {
	actor
	onDrain websocket.Commands
	atDrain func()
}

func (d *drainer) Drain(websocket.Commands) websocket.Commands {
	defer d.enter("drain")()
	if d.atDrain != nil {
		d.atDrain()
	}
	return d.onDrain
}

func TestDrainCallback(t *testing.T) {
	row(t, "8.callback", overHTTP, func(h *house) {
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

// keeper is a handler that does nothing when asked to drain.
func (h *house) keeper() (*drainer, *client) {
	d := new(drainer)
	c := h.open(d, nil)
	synctest.Wait()
	return d, c
}

func TestDrainRefusesTheNew(t *testing.T) {
	row(t, "8.refuse", overHTTP, func(h *house) {
		_, c := h.keeper()
		if h.http3() {
			h.refuses3()
			c.send(text("alive"))
			c.wantText("those that are open go on", "alive")
			return
		}
		var h1conn, later net.Conn
		if h.http2() {
			h.peer()
		} else {
			h1conn = h.dial()
		}
		synctest.Wait()
		done := h.shutdown(10 * time.Second)
		synctest.Wait()
		later = h.dial() // the listeners are still open
		if h.http2() {
			if h.peer().GoAway() == nil {
				h.Error("no GOAWAY")
			}
			p, err := h2test.Dial(later)
			if err != nil {
				h.Fatal(err)
			}
			if r, err := p.Get("/plain"); err == nil && r.Status != 503 || p.GoAway() == nil {
				h.Errorf("a new connection: %+v, %v", r, err)
			}
			p.Close()
		} else {
			for _, nc := range []net.Conn{h1conn, later} {
				if resp, _ := h.upgrade(nc, "GET /plain HTTP/1.1\r\nHost: weir.test\r\n\r\n"); resp.StatusCode != 503 {
					h.Errorf("status %d while draining, want 503", resp.StatusCode)
				}
			}
		}
		c.send(text("alive"))
		c.wantText("those that are open go on", "alive")
		<-done
	})
}

// refuses3 begins to drain over HTTP/3: there is one GOAWAY, with the id of the next stream, and a
// new connection is refused at once.
func (h *house) refuses3() {
	h.Helper()
	h.shutdown(10 * time.Second)
	if last, err := h.shared3().GoAways(1); err != nil || last[0] != 4 {
		h.Errorf("GOAWAY %v, %v", last, err)
	}
	start := time.Now()
	if p, err := h.dial3(); err == nil {
		p.Close()
		h.Error("a new connection is taken")
	}
	if d := time.Since(start); d > time.Second {
		h.Errorf("it was refused after %v", d)
	}
	t, err := h.shared3().Begin("/", "sec-websocket-version", "13")
	if err == nil {
		err = t.Answer(time.Minute)
	}
	if code, ok := h3test.CloseCode(err); !ok || code != h3test.RequestRejected {
		h.Errorf("a new request: %v", err)
	}
}

// Streams between the two GOAWAY are refused by an answer, and not lost.
func TestDrainGoAway(t *testing.T) {
	row(t, "8.goaway", overHTTP2, func(h *house) {
		_, c := h.keeper()
		p := h2test.New(h.dial(), h2test.Options{Manual: true})
		defer p.Close()
		p.Send("SETTINGS ACK")
		synctest.Wait()
		done := h.shutdown(10 * time.Second)
		synctest.Wait()
		between, err := p.Open(true, ":method", "GET", ":scheme", "http", ":authority", "example.test", ":path", "/plain")
		if err != nil {
			h.Fatal(err)
		}
		synctest.Wait()
		var seen []string
		for {
			f, err := p.Next()
			if err != nil {
				break
			}
			switch {
			case f.Type == http2.FrameGoAway:
				seen = append(seen, fmt.Sprintf("GOAWAY %d %s", f.Last, f.Code))
			case f.Stream == between.ID && f.Field(":status") != "":
				seen = append(seen, "status "+f.Field(":status"))
			}
			if f.Type == http2.FramePing && !f.Flags.Has(http2.FlagPingAck) {
				p.Send(fmt.Sprintf("PING ACK %x", f.Payload))
			}
		}
		if want := "GOAWAY 2147483647 NO_ERROR; status 503; GOAWAY 1 NO_ERROR"; strings.Join(seen, "; ") != want {
			h.Errorf("seen %s, want %s", strings.Join(seen, "; "), want)
		}
		c.send(closing(1000, ""))
		<-done
	})
}

func TestDrainCuts(t *testing.T) {
	row(t, "8.cut", overHTTP, func(h *house) {
		d, c := h.keeper()
		start := time.Now()
		if err := <-h.shutdown(10 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
			h.Fatalf("Shutdown: %v, want the deadline: one was cut", err)
		}
		if d := time.Since(start); d > 10*time.Second {
			h.Fatalf("Shutdown outlived its context: %v", d)
		}
		c.wantReset("what is open at the deadline is cut")
		h.wantReason(&d.actor, "error:closed")
	})
}

// Without Drain it is 1001, and Shutdown is content. It may be called again, as
// http.Server.Shutdown may.
func TestDrainCloses(t *testing.T) {
	for _, id := range []string{"8.close", "8.again"} {
		row(t, id, overHTTP, func(h *house) {
			a := new(actor)
			c := h.open(a, nil)
			synctest.Wait()
			done, again := h.shutdown(10*time.Second), h.shutdown(10*time.Second)
			c.wantClose("drained", 1001, "")
			c.wire.CloseWrite()
			if err := errors.Join(<-done, <-again, <-h.shutdown(time.Second), h.srv.Shutdown(context.Background())); err != nil {
				h.Fatal(err)
			}
			h.wantReason(a, "stop")
		})
	}
}

func TestDrainCutsSlowCallback(t *testing.T) {
	row(t, "8.in_callback", overHTTP, func(h *house) {
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
	row(t, "6.group", all, func(h *house) {
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

// A plain http.Server.Shutdown drains, too.
func TestPlainShutdownDrains(t *testing.T) {
	row(t, "8.plain", overHTTP, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- h.srv.Shutdown(context.Background()) }() // ends when HTTP/2 connections have
		c.wantClose("drained", 1001, "")
		c.wire.CloseWrite()
		h.wantReason(a, "stop")
		if err := <-done; err != nil {
			h.Fatal(err)
		}
	})
}

// Config.Drain is the time a plain Shutdown leaves; what is open then is cut.
func TestPlainShutdownCuts(t *testing.T) {
	short := func(_ *http.Server, cfg *websocket.Config) { cfg.Drain = 3 * time.Second }
	rowWith(t, "8.plain", overHTTP, short, func(h *house) {
		d, c := h.keeper()
		start := time.Now()
		done := make(chan error, 1)
		go func() { done <- h.srv.Shutdown(context.Background()) }() // ends when HTTP/2 connections have
		c.wantReset("cut")
		if d := time.Since(start); d != 3*time.Second {
			h.Fatalf("after %v", d)
		}
		h.wantReason(&d.actor, "error:closed")
		if h.muxed() {
			h.lose()
		}
		<-done
	})
}

// The drain of a session by itself, whatever holds it.
func TestDrainOfOne(t *testing.T) {
	row(t, "4.drain", all, func(h *house) {
		for _, a := range []*actor{{}, inactive()} {
			g := new(websocket.Group)
			c := h.open(a, &websocket.Options{Group: g})
			synctest.Wait()
			done := make(chan error, 1)
			go func() { done <- g.Shutdown(context.Background()) }() // ends with the session
			c.wantClose("drained", 1001, "")
			c.wire.CloseWrite()
			if err := <-done; err != nil {
				h.Fatal(err)
			}
			h.wantReason(a, "stop")
		}
	})
}

// A negative Config.Drain leaves no time: all sessions are cut at once.
func TestPlainShutdownWithoutDrain(t *testing.T) {
	none := func(_ *http.Server, cfg *websocket.Config) { cfg.Drain = -1 }
	rowWith(t, "8.plain", overHTTP, none, func(h *house) {
		actors, clients := []*actor{{}, {}, {}}, []*client{}
		for _, a := range actors {
			clients = append(clients, h.open(a, nil))
		}
		synctest.Wait()
		start := time.Now()
		done := make(chan error, 1)
		go func() { done <- h.srv.Shutdown(context.Background()) }() // ends when HTTP/2 connections have
		for _, c := range clients {
			c.wantReset("cut")
		}
		if d := time.Since(start); d != 0 {
			h.Errorf("after %v", d)
		}
		for _, a := range actors {
			h.wantReason(a, "error:closed")
		}
		if h.muxed() {
			h.lose()
		}
		<-done
	})
}
