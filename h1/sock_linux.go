package h1

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"weir/stream"
)

// sock is the descriptor of a connection that the poller watches. It stands in the place of the
// net.Conn, which is gone, and is used with the tunnel's mu held, or by the reader between two of
// its locks.
type sock struct {
	t       *tunnel
	p       *poller
	fd      int32
	running bool // a worker is the reader, or one is on its way
	ready   bool // something may be there to be read
	hup     bool // the peer has ended: there is an end to be read
	broken  bool // the connection is in error, which is told though nothing may be read
	full    bool // the socket took no more, and has not said since that it does
	reading bool // a read is under way
	closed  bool // or is about to be, by who reads
}

// adopt puts a descriptor of our own in the place of a *net.TCPConn, and nothing that wraps one.
func (t *tunnel) adopt(c net.Conn) bool {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	p := thePoller()
	raw, err := tc.SyscallConn()
	if p == nil || err != nil {
		return false
	}
	fd := -1
	if raw.Control(func(own uintptr) { fd = dup(int(own)) }) != nil || fd < 0 {
		return false
	}
	t.sock = &sock{t: t, p: p, fd: int32(fd)}
	if p.add(fd, t) != nil {
		syscall.Close(fd)
		t.sock = nil
		return false
	}
	tc.Close()
	t.c = t.sock
	return true
}

func dup(fd int) int {
	n, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if e != 0 {
		return -1
	}
	return int(n)
}

// happened is told by the poller what became of the socket; no bits: the reader's turn has come, as
// claim said.
func (t *tunnel) happened(bits uint32) {
	s := t.sock
	if s == nil {
		t.noticed(bits)
		return
	}
	if bits != 0 {
		t.mu.Lock()
		s.ready = s.ready || bits&^syscall.EPOLLOUT != 0
		s.hup = s.hup || bits&pollEnds != 0
		s.broken = s.broken || bits&syscall.EPOLLERR != 0
		if s.full && bits&^syscall.EPOLLIN != 0 {
			s.full = false
			t.wake.ring()
		}
		claimed := t.claim()
		t.mu.Unlock()
		if !claimed {
			return
		}
	}
	t.serve()
}

// claim makes the caller the reader, if there is something to read or to tell and nobody is. With
// mu held.
func (t *tunnel) claim() bool {
	s := t.sock
	if s.running || t.sink == nil || !t.over && !s.broken && !(s.ready && t.room() > 0) {
		return false
	}
	s.running = true
	return true
}

// stir says that the reader may have something to do, with mu held.
func (t *tunnel) stir() {
	t.wake.ring()
	t.callReader()
	if t.sock != nil && t.claim() {
		t.sock.p.push(event{t: t})
	}
	if t.over {
		t.rouse()
	}
}

// begin lets the poller's workers tell the sink, with mu held.
func (t *tunnel) begin() {
	t.sock.running = true
	t.sock.p.push(event{t: t})
}

// enlist has a worker do u's turns.
func (s *sock) enlist(u stream.Turner) { s.p.push(event{turn: u}) }

// serve is the reader, on one worker or another: it reads and tells what is there.
func (t *tunnel) serve() {
	s := t.sock
	told := false
	defer func() {
		if !told { // a handler has ended this goroutine
			t.sock.p.push(event{t: t})
		}
	}()
	if t.first != nil {
		t.tellFirst()
	}
	filler, _ := t.sink.(stream.Filler)
	t.mu.Lock()
	for !t.over {
		n := t.room()
		if n <= 0 && s.broken {
			t.checkError()
			continue
		}
		if n <= 0 || !s.ready { // what was read to a large message may be more than the window
			s.running = false
			t.mu.Unlock()
			told = true
			return
		}
		s.ready, s.reading = false, true
		t.mu.Unlock()
		var own []byte
		if filler != nil {
			own = t.fill(filler) // which may be more than the window: it is the message's
		}
		buf := larges.Get().(*[large]byte)
		n = len(own) + min(max(n-len(own), 0), large)
		got, err := readFD(int(s.fd), own, buf[:n-len(own)])
		t.mu.Lock()
		s.reading = false
		if s.closed {
			s.shut()
		}
		drop := t.over || t.quiet
		if got > 0 {
			s.ready = s.ready || got == n || s.hup // a short read has emptied the socket
			if !drop {
				t.unreleased += got
			}
		}
		t.mu.Unlock()
		switch {
		case got > 0 && !drop:
			if m := min(got, len(own)); m > 0 {
				t.data(own[:m], false)
			}
			if m := got - len(own); m > 0 {
				t.data(buf[:m], false)
			}
		case err == io.EOF:
			t.peerEnds()
		case err != nil && err != syscall.EAGAIN:
			t.fail(os.NewSyscallError("read", err))
		}
		larges.Put(buf)
		t.mu.Lock()
	}
	t.mu.Unlock()
	told = true
	t.tellClosed()
}

// checkError ends the stream if its socket is in error. With mu held, which is given up meanwhile.
func (t *tunnel) checkError() {
	s := t.sock
	s.broken = false
	if err := socketError(int(s.fd)); err != nil {
		t.mu.Unlock()
		t.fail(err)
		t.mu.Lock()
	}
}

// fill asks the sink where to read to. While it does, a read is under way.
func (t *tunnel) fill(f stream.Filler) (own []byte) {
	guard(func() { own = f.Fill() }, func(v any) {
		_ = t.crashed("Filler.Fill", v)
		if v != nil {
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.sock.reading = false // nobody reads any more: this goroutine ends
		t.sock.shut()
	})
	return own
}

// readFD reads to a, and to b what does not fit.
func readFD(fd int, a, b []byte) (n int, err error) {
	switch {
	case len(a) == 0:
		n, err = sysRead(fd, b)
	case len(b) == 0:
		n, err = sysRead(fd, a)
	default:
		v := [2]syscall.Iovec{{Base: &a[0]}, {Base: &b[0]}}
		v[0].SetLen(len(a))
		v[1].SetLen(len(b))
		n, err = sysReadv(fd, v[:], len(a)+len(b))
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// try writes what the socket takes of b at once, with mu held.
func (s *sock) try(b []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	n, err := sysWrite(int(s.fd), b)
	return n, s.judge("write", err)
}

// judge is the error of a write; that the socket is full is none.
func (s *sock) judge(call string, err error) error {
	switch err {
	case nil:
		return nil
	case syscall.EAGAIN:
		s.full = true
		return nil
	}
	return os.NewSyscallError(call, err)
}

// tryAll is try for the first slices of v; it ends with the first call that is cut short.
func (s *sock) tryAll(v [][]byte) (done int, err error) {
	var few [8]syscall.Iovec
	for len(v) > 0 {
		io, want := few[:0], 0
		for len(v) > 0 && len(io) < cap(io) {
			if b := v[0]; len(b) > 0 {
				io = append(io, syscall.Iovec{Base: &b[0]})
				io[len(io)-1].SetLen(len(b))
				want += len(b)
			}
			v = v[1:]
		}
		if want == 0 {
			continue
		}
		if s.closed {
			return done, net.ErrClosed
		}
		n, err := sysWritev(int(s.fd), io, want)
		if done += n; err != nil || n < want {
			return done, s.judge("writev", err)
		}
	}
	return done, nil
}

// SetWriteDeadline is for the next Write; the writer's.
func (s *sock) SetWriteDeadline(by time.Time) error {
	s.t.patient().writeBy = by
	return nil
}

// Write waits until the socket takes something of b, and says how much.
func (s *sock) Write(b []byte) (int, error) {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.patient()
	for {
		if n, err := s.try(b); n > 0 || err != nil {
			return n, err
		}
		forever := w.writeBy.IsZero()
		if w.until = w.writeBy; !forever {
			t.hurry(time.Until(w.writeBy))
		}
		for s.full && !s.closed && (forever || !w.until.IsZero()) {
			t.wake.wait(&t.mu)
		}
		if !forever && w.until.IsZero() && s.full {
			return 0, os.ErrDeadlineExceeded
		}
		w.disarm()
	}
}

// SetReadDeadline is the poller's business, as Read is.
func (s *sock) SetReadDeadline(time.Time) error { panic("h1: BUG: the poller reads") }

// Read is the poller's business.
func (s *sock) Read([]byte) (int, error) { panic("h1: BUG: the poller reads") }

// CloseWrite ends our side.
func (s *sock) CloseWrite() error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return os.NewSyscallError("shutdown", syscall.Shutdown(int(s.fd), syscall.SHUT_WR))
}

// SetLinger with 0 makes Close a reset.
func (s *sock) SetLinger(sec int) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return os.NewSyscallError("setsockopt", syscall.SetsockoptLinger(int(s.fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1, Linger: int32(sec)}))
}

// Close closes the descriptor, unless it is being read from: then the reader does.
func (s *sock) Close() error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	s.t.wake.ring()
	if !s.reading {
		s.shut()
	}
	return nil
}

func (s *sock) shut() {
	s.p.remove(int(s.fd), s.t)
	syscall.Close(int(s.fd))
}
