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

// NetConn makes a net.Conn of c: what is written goes out as messages of type t, a Write each, and
// what is read are the messages one behind the other, of whatever type and size. Read gives io.EOF
// behind a close frame with 1000 or 1001, or without a code.
//
// Close sends 1000, and waits for the peer's end as that of a Conn does, 5 s at most. Closing it,
// or c, closes both: Read and Write give net.ErrClosed then, those that are under way too, and what
// was received and not read is dropped. Another Close does nothing. A deadline that passes is
// os.ErrDeadlineExceeded, and may be set anew.
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
		if n.c.closed.Load() {
			return 0, n.fault("read", net.ErrClosed)
		}
		if len(b) == 0 {
			return 0, nil
		}
		if n.r == nil {
			_, r, err := n.c.Reader(n.rctx)
			if err != nil {
				return 0, n.fault("read", err)
			}
			n.r = r
		}
		k, err := n.r.Read(b)
		if k > 0 {
			return k, nil
		}
		if !errors.Is(err, io.EOF) {
			return 0, n.fault("read", err)
		}
		n.r = nil
	}
}

func (n *netConn) Write(b []byte) (int, error) {
	if err := n.c.Write(n.wctx, n.t, b); err != nil {
		return 0, n.fault("write", err)
	}
	return len(b), nil
}

// fault makes io.EOF of an ordinary close, and net.ErrClosed of one that was ours.
func (n *netConn) fault(op string, err error) error {
	if code, ok := CloseStatus(err); ok && op == "read" && (code == 0 || code == 1000 || code == 1001) {
		return io.EOF
	}
	if e, ok := errors.AsType[*CloseError](err); ok && (n.c.closed.Load() || e.Reason.Kind == ReasonStop) {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: "websocket", Source: n.LocalAddr(), Addr: n.RemoteAddr(), Err: err}
}

// Close has nothing to complain of where the WebSocket has ended before.
func (n *netConn) Close() error {
	err := n.c.Close(1000, "")
	if _, over := errors.AsType[*CloseError](err); over {
		return nil
	}
	return err
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.s.StreamInfo().Local }
func (n *netConn) RemoteAddr() net.Addr { return n.c.s.StreamInfo().Remote }

func (n *netConn) SetDeadline(t time.Time) error      { return n.set(t, n.rctx, n.wctx) }
func (n *netConn) SetReadDeadline(t time.Time) error  { return n.set(t, n.rctx) }
func (n *netConn) SetWriteDeadline(t time.Time) error { return n.set(t, n.wctx) }

func (n *netConn) set(t time.Time, deadlines ...*deadline) error {
	if n.c.closed.Load() {
		return n.fault("set", net.ErrClosed)
	}
	for _, d := range deadlines {
		d.set(t)
	}
	return nil
}

// deadline is a context that ends at a time which may be moved, and is not over for good when it
// has passed.
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
