package h1

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// nap is for the reader of a TLS connection that leaves when nothing has arrived for a while: the
// poller watches the socket below meanwhile, so that an idle stream has neither a goroutine nor a
// buffer.
//
// It leaves when a Read has timed out. That is safe: the tls.Conn holds no octets that it could
// tell, for Read would have told them; the part of a record that it may hold stays there, as a
// time-out is a temporary error; and what the socket holds by then is the poller's first event.
type nap struct {
	c      *net.TCPConn // below TLS
	fd     int          // where the poller has it
	asleep bool         // guarded by mu: there is no reader
}

// quietTime is how long nothing arrives before the reader leaves; it may be twice that. Tests have
// a shorter one.
var quietTime = 250 * time.Millisecond

// mayNap finds out whether a Read of c may time out: not before or within a handshake, which it
// would break for good. A client of TLS 1.2 may be asked for one at any time.
func (t *tunnel) mayNap(c *tls.Conn, below *net.TCPConn) {
	s := t.about.info().TLS
	if s == nil {
		now := c.ConnectionState()
		s = &now
	}
	server := t.head != nil
	if s.HandshakeComplete && (server || s.Version >= tls.VersionTLS13) {
		t.nap = &nap{c: below}
	}
}

// stayAwake gives the next Reads their time.
func (t *tunnel) stayAwake() {
	t.heard = false
	_ = t.nap.c.SetReadDeadline(time.Now().Add(quietTime)) // the next Read says what is wrong with the connection
}

// readAwake is readConn until nothing has arrived for a while: then it is errAsleep.
func (t *tunnel) readAwake(max int) error {
	err := t.readConn(max)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if !t.heard && t.sleep() {
		return errAsleep
	}
	t.stayAwake()
	return nil
}

// sleep has the poller watch the socket. If that succeeds there is no reader, or another one
// already. If not, the reader stays, and tries again when nothing has arrived for another while.
func (t *tunnel) sleep() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nap
	if t.over {
		return false
	}
	p := thePoller()
	raw, err := n.c.SyscallConn()
	if p == nil || err != nil {
		return false
	}
	var watch error
	err = raw.Control(func(fd uintptr) {
		n.fd = int(fd)
		watch = p.add(n.fd, t)
	})
	n.asleep = err == nil && watch == nil
	return n.asleep
}

// noticed is told by the poller what became of the socket of a stream without a reader.
func (t *tunnel) noticed(bits uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if bits&^syscall.EPOLLOUT != 0 {
		t.rouse()
	}
}

// rouse starts the reader anew, if it sleeps, with mu held.
func (t *tunnel) rouse() {
	if n := t.nap; n != nil && n.asleep {
		n.asleep = false
		thePoller().remove(n.fd, t)
		go t.read() // ends as the one before it would have
	}
}
