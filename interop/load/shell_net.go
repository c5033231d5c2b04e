package load

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// netShell moves an engine's octets over net.Conn: two goroutines a connection, one lock for the engine.
type netShell struct {
	mu     sync.Mutex
	e      *engine
	wake   chan struct{} // the engine's next step may be earlier than it said
	wg     sync.WaitGroup
	ctx    context.Context // of dialling
	cancel context.CancelFunc
	spare  chan struct{} // bounds the TLS handshakes that run at a time
	h3     h3Conns
}

// netConn is a link's connection.
type netConn struct {
	c      net.Conn
	write  *sync.Cond // with the shell's lock; something to write, or the end
	closed bool
}

func newNetShell(e *engine) *netShell {
	s := &netShell{e: e, wake: make(chan struct{}, 1), spare: make(chan struct{}, handshakes)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	e.shell = s
	return s
}

// run steps the engine until it is finished.
func (s *netShell) run() {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		s.mu.Lock()
		now := s.e.run.now()
		next := s.e.step(now)
		over := s.e.phase == finished
		s.mu.Unlock()
		if over {
			break
		}
		if d := next - s.e.run.now(); d > 0 {
			t.Reset(time.Duration(d))
			select {
			case <-t.C:
			case <-s.wake:
			}
		}
	}
	s.cancel()
	s.wg.Wait()
	if s.e.cfg.HTTP3 {
		s.e.quic = s.h3.close()
	}
}

// hurry makes run step the engine again: an answer may have been what it waited for.
func (s *netShell) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *netShell) dial(l *link) {
	n := &netConn{write: sync.NewCond(&s.mu)}
	l.handle = n
	s.wg.Go(func() { // ends with the connection
		s.spare <- struct{}{}
		c, err := s.connect(l)
		<-s.spare
		s.mu.Lock()
		if n.closed && c != nil {
			c.Close()
			c, err = nil, net.ErrClosed
		}
		if err != nil {
			if _, ok := errors.AsType[*handshakeError](err); !ok {
				err = &connectError{describe("connect:", err)}
			}
			l.linkDown(err)
			s.mu.Unlock()
			s.hurry()
			return
		}
		n.c = c
		l.linkUp(s.e.run.now())
		s.mu.Unlock()
		s.wg.Go(func() { s.writeLoop(l, n) }) // ends with the connection
		s.readLoop(l, n)
	})
}

// connect opens what a link runs on.
func (s *netShell) connect(l *link) (net.Conn, error) {
	if s.e.cfg.HTTP3 {
		return s.h3.open(s.ctx, s.e.run, l.group)
	}
	return connect(s.ctx, s.e.cfg, func(c net.Conn) net.Conn { return c })
}

func (s *netShell) readLoop(l *link, n *netConn) {
	size := 64 << 10
	if l.slow {
		size = 1 << 10
	}
	b := make([]byte, size)
	for {
		k, err := n.c.Read(b)
		s.mu.Lock()
		l.feed(b[:k], s.e.run.now())
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errLost
			} else {
				err = describe("connection lost:", err)
			}
			l.linkDown(err)
		}
		down := l.state == linkIsDown
		slow := l.slow && l.h1.up
		idle := s.e.inflight == 0 || s.e.phase != running
		s.mu.Unlock()
		if idle || down {
			s.hurry()
		}
		if down {
			return
		}
		if slow {
			select {
			case <-time.After(time.Second):
			case <-s.ctx.Done():
				return
			}
		}
	}
}

func (s *netShell) writeLoop(l *link, n *netConn) {
	var segs net.Buffers
	var flat []byte
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		l.pump()
		for l.out.n == 0 && !n.closed {
			n.write.Wait()
			l.pump()
		}
		if n.closed {
			return
		}
		segs = segs[:0]
		if flat = flat[:0]; l.out.n <= 16<<10 { // one record of TLS
			for _, b := range l.out.segs {
				flat = append(flat, b...)
			}
			segs = append(segs, flat)
		} else {
			segs = append(segs, l.out.segs...)
			l.out.tail = nil // its octets are in segs
		}
		l.out.wrote(l.out.n)
		s.mu.Unlock()
		var err error
		for _, b := range segs {
			if _, err = n.c.Write(b); err != nil {
				break
			}
		}
		s.mu.Lock()
		if err != nil && l.state != linkIsDown {
			// What the server said before it ended is worth more: the reader finds out.
			if !errors.Is(err, net.ErrClosed) {
				n.closed = true
			}
			return
		}
	}
}

func (s *netShell) kick(l *link) {
	if n, ok := l.handle.(*netConn); ok {
		n.write.Signal()
	}
}

func (s *netShell) drop(l *link) {
	n, ok := l.handle.(*netConn)
	if !ok || n.closed && n.c == nil {
		return
	}
	n.closed = true
	n.write.Broadcast()
	if n.c != nil {
		n.c.Close()
	}
}

// trickle lets slow streams have another 1 KiB. Connections of HTTP/1.1 have a reader that waits by itself.
func (s *netShell) trickle(links []*link) {
	for _, l := range links {
		if l.h2 != nil && l.state == linkIsUp {
			l.h2.trickle(1 << 10)
		}
	}
}
