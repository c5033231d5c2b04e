package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// NetConn makes a net.Conn of c: what is written goes out as messages of type t, a Write each, and what is read are the
// messages one behind the other, of whatever type. Read gives io.EOF behind a close frame with 1000 or 1001, or without
// a code. Close sends 1000. Closing it, or c, closes both.
func (c *Conn) NetConn(t FrameType) net.Conn {
	n := &netConn{c: c, t: t}
	n.rctx, n.wctx = newDeadline(), newDeadline()
	return n
}

type netConn struct {
	c          *Conn
	t          FrameType
	rctx, wctx *deadline

	mu sync.Mutex // one Read at a time
	r  io.Reader  // of the message being read
}

func (n *netConn) Read(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if n.r == nil {
			_, r, err := n.c.Reader(n.rctx)
			if err != nil {
				return 0, n.ended(err)
			}
			n.r = r
		}
		k, err := n.r.Read(b)
		if k > 0 || err == nil {
			return k, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, n.ended(err)
		}
		n.r = nil
	}
}

// ended makes io.EOF of an ordinary close.
func (n *netConn) ended(err error) error {
	if code, ok := CloseStatus(err); ok && (code == 0 || code == 1000 || code == 1001) {
		return io.EOF
	}
	return err
}

func (n *netConn) Write(b []byte) (int, error) {
	if err := n.c.Write(n.wctx, n.t, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close has nothing to complain of where the peer has closed before.
func (n *netConn) Close() error {
	if err := n.ended(n.c.Close(1000, "")); err != io.EOF {
		return err
	}
	return nil
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.s.Info().Local }
func (n *netConn) RemoteAddr() net.Addr { return n.c.s.Info().Remote }

func (n *netConn) SetDeadline(t time.Time) error {
	n.rctx.set(t)
	n.wctx.set(t)
	return nil
}

func (n *netConn) SetReadDeadline(t time.Time) error  { n.rctx.set(t); return nil }
func (n *netConn) SetWriteDeadline(t time.Time) error { n.wctx.set(t); return nil }

// deadline is a context that ends at a time which may be moved, and is not over for good when it has passed.
type deadline struct {
	context.Context

	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func newDeadline() *deadline {
	return &deadline{Context: context.Background(), done: make(chan struct{})}
}

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done
}

func (d *deadline) Err() error {
	select {
	case <-d.Done():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	select {
	case <-d.done:
		d.done = make(chan struct{})
	default:
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(d.done)
	default:
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.timer == timer {
				close(d.done)
			}
		})
		d.timer = timer
	}
}
