package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// memConn is what a tls.Conn stands on: the socket during the handshake, and memory afterwards, so that the event loop can
// read and write for it and never waits.
type memConn struct {
	net.Conn
	memory bool
	in     []byte // arrived, not decrypted; lent
	out    []byte // encrypted, not written
}

// errAgain is an error after which a tls.Conn can be read again: a temporary one.
type errAgain struct{}

func (errAgain) Error() string   { return "nothing has arrived" }
func (errAgain) Timeout() bool   { return true }
func (errAgain) Temporary() bool { return true }

func (m *memConn) Read(b []byte) (int, error) {
	if !m.memory {
		return m.Conn.Read(b)
	}
	if len(m.in) == 0 {
		return 0, errAgain{}
	}
	n := copy(b, m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memConn) Write(b []byte) (int, error) {
	if !m.memory {
		return m.Conn.Write(b)
	}
	m.out = append(m.out, b...)
	return len(b), nil
}

// detach takes the socket from the runtime: from here on it is the event loop's.
func (m *memConn) detach() (fd int, err error) {
	f, err := m.Conn.(*net.TCPConn).File()
	if err != nil {
		return -1, err
	}
	defer f.Close()
	if fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, err
	}
	m.memory = true
	m.Conn.Close()
	return fd, unix.SetNonblock(fd, true)
}

// tlsDials are the handshakes that run, outside the event loop: crypto/tls cannot make them without waiting.
type tlsDials struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	spare  chan struct{}
	wake   int // an eventfd

	mu   sync.Mutex
	done []tlsDial
}

// tlsDial is a handshake that is over.
type tlsDial struct {
	l    *link
	fd   int
	conn *tls.Conn
	mem  *memConn
	err  error
}

func newTLSDials() (*tlsDials, error) {
	d := &tlsDials{spare: make(chan struct{}, handshakes)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	var err error
	d.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return d, err
}

func (d *tlsDials) dial(l *link) {
	d.wg.Go(func() { // ends with the handshake
		d.spare <- struct{}{}
		defer func() { <-d.spare }()
		x := tlsDial{l: l, fd: -1}
		c, err := connect(d.ctx, l.e.cfg, func(c net.Conn) net.Conn {
			x.mem = &memConn{Conn: c}
			return x.mem
		})
		if err == nil {
			x.conn = c.(*tls.Conn)
			x.fd, err = x.mem.detach()
		}
		x.err = err
		d.mu.Lock()
		d.done = append(d.done, x)
		d.mu.Unlock()
		_, _ = unix.Write(d.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it cannot be full
	})
}

// take gives the handshakes that are over.
func (d *tlsDials) take() []tlsDial {
	var b [8]byte
	_, _ = unix.Read(d.wake, b[:]) // somebody woke us
	d.mu.Lock()
	defer d.mu.Unlock()
	done := d.done
	d.done = nil
	return done
}

// end waits for the handshakes that run, and closes what came too late.
func (d *tlsDials) end() {
	d.cancel()
	d.wg.Wait()
	for _, x := range d.take() {
		if x.fd >= 0 {
			unix.Close(x.fd)
		}
	}
	unix.Close(d.wake)
}

// dialled takes over the connections whose handshakes are over.
func (p *poller) dialled() {
	for _, x := range p.tls.take() {
		c := x.l.handle.(*fdConn)
		if x.err == nil && x.l.state != linkDials {
			unix.Close(x.fd)
			continue
		}
		err := x.err
		if err == nil {
			c.fd, c.tls, c.mem, c.connected = x.fd, x.conn, x.mem, true
			err = p.watch(x.l, x.fd)
		}
		if err != nil {
			x.l.linkDown(&connectError{describe("connect:", err)})
			continue
		}
		x.l.linkUp(p.e.run.now())
	}
}

// decrypt hands on what came in b. eof and other ends of TLS are the link's.
func (p *poller) decrypt(l *link, b []byte) {
	c := l.handle.(*fdConn)
	c.mem.in = b
	for c.fd >= 0 {
		n, err := c.tls.Read(p.plain)
		if n > 0 {
			l.feed(p.plain[:n], p.e.run.now())
		}
		if _, ok := errors.AsType[errAgain](err); ok {
			return
		}
		if err != nil {
			l.linkDown(lostTLS(err))
			return
		}
	}
}

func lostTLS(err error) error {
	if err.Error() == "EOF" { // close_notify (RFC 8446, 6.1)
		return errLost
	}
	return fmt.Errorf("connection lost: %w", err)
}

// encrypt moves what there is to write into the socket, a record at a time. It says whether there may be more.
func (p *poller) encrypt(l *link) (more bool) {
	c := l.handle.(*fdConn)
	if len(c.mem.out) == 0 {
		l.pump()
		out := &l.out
		if out.n == 0 {
			return false
		}
		for k := 0; k < 4 && out.n > 0; k++ { // records of 16 KiB at most
			first := out.segs[0]
			if len(first) < tlsRecord && len(out.segs) > 1 {
				p.record = p.record[:0]
				for _, seg := range out.segs {
					p.record = append(p.record, seg[:min(len(seg), tlsRecord-len(p.record))]...)
					if len(p.record) == tlsRecord {
						break
					}
				}
				first = p.record
			}
			n, err := c.tls.Write(first[:min(len(first), tlsRecord)])
			if err != nil {
				l.linkDown(lostTLS(err))
				return false
			}
			out.wrote(n)
		}
	}
	n, err := unix.Write(c.fd, c.mem.out)
	switch {
	case err == unix.EINTR:
	case err == unix.EAGAIN:
		c.blocked = true
	case err != nil:
		p.lastWords(l, err)
	default:
		c.mem.out = c.mem.out[:copy(c.mem.out, c.mem.out[n:])]
	}
	return l.state == linkIsUp
}

// tlsRecord is how much plain text a record has at most (RFC 8446, 5.1).
const tlsRecord = 16 << 10
