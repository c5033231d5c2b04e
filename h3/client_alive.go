package h3

import (
	"context"
	"fmt"
	"time"

	"weir/internal/reach"
)

// alive knows when something came from the server last. QUIC does not tell; it counts packets.
type alive struct {
	packets uint64    // when it was looked last
	looked  time.Time // when that was
	heard   time.Time // something came at this time, or later
	asked   time.Time // when a reserved frame was sent since which nothing has come
}

// greaseFrame is a frame of a type that is reserved to be ignored (RFC 9114, 7.2.8). QUIC has no
// call that sends a PING; this asks for an acknowledgment as well as one.
var greaseFrame = []byte{0x21, 0}

// countPackets looks whether something has come; conn.mu is held.
func (cl *Client) countPackets(now time.Time) {
	e := &cl.alive
	if n := cl.c.qc.ConnectionStats().PacketsReceived; n != e.packets {
		e.packets = n
		if e.looked.After(e.heard) {
			e.heard = e.looked // it came behind that look
		}
		if now.Sub(e.looked) < 20*time.Millisecond {
			e.heard = now
		}
		e.asked = time.Time{}
	}
	e.looked = now
}

// hears notes that something has come just now.
func (cl *Client) hears() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	now := time.Now()
	cl.countPackets(now)
	cl.alive.heard, cl.alive.asked = now, time.Time{}
}

// Heard is a time since which something has come. It is the last that is known of: nobody looks
// while no one asks.
func (cl *Client) Heard() time.Time {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.countPackets(time.Now())
	return cl.alive.heard
}

// Asked is when the server was asked whether it is there, if nothing has come since; the zero time:
// it was not.
func (cl *Client) Asked() time.Time {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.countPackets(time.Now())
	return cl.alive.asked
}

// Ping asks the server for an acknowledgment, unless it has been asked, and does not wait.
func (cl *Client) Ping() {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	cl.ping(time.Now())
}

// ping is Ping; conn.mu is held.
func (cl *Client) ping(now time.Time) {
	cl.countPackets(now)
	if !cl.alive.asked.IsZero() || cl.ctl == nil {
		return
	}
	if err := cl.ctl.TryWriteAll(greaseFrame); err == nil {
		cl.alive.asked = now
	}
}

// Probe is Ping, and waits until something comes. An error is why the connection has ended, or the
// cause of ctx.
func (cl *Client) Probe(ctx context.Context) error {
	cl.Ping()
	t := time.NewTimer(time.Millisecond)
	defer t.Stop()
	for wait := time.Millisecond; ; wait = min(2*wait, 16*time.Millisecond) {
		select {
		case <-t.C:
			if cl.Asked().IsZero() {
				cl.hears()
				return nil
			}
			t.Reset(wait)
		case <-cl.done:
			return cl.Err()
		case <-ctx.Done():
			return fmt.Errorf("h3: no acknowledgment: %w", reach.Ended(ctx))
		}
	}
}
