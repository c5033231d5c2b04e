//go:build unix

package h1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// raw makes attempts on a plain TCP connection.
type raw struct {
	c   syscall.RawConn
	in  attempt // the reader's
	out attempt // guarded by mu
}

// attempt is one system call on the connection's descriptor. Its func is made once, so that an attempt allocates
// nothing.
type attempt struct {
	call func(fd uintptr) bool
	buf  *[large]byte // the reader's, filled
	b    []byte       // to write
	n    int          // octets read or written; before a read, how many may be
	err  error
}

// arm finds out whether the connection takes attempts: a *net.TCPConn and nothing that wraps one.
func (t *tunnel) arm() {
	c, ok := t.c.(*net.TCPConn)
	if !ok {
		return
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	t.raw = &raw{c: rc}
	t.raw.in.call, t.raw.out.call = t.raw.in.read, t.raw.out.write
}

// tryWrite writes what the socket takes of b at once.
func (t *tunnel) tryWrite(b []byte) (int, error) {
	if t.sock != nil {
		return t.sock.try(b)
	}
	a := &t.raw.out
	a.b, a.n, a.err = b, 0, nil
	err := t.raw.c.Write(a.call)
	a.b = nil
	if err == nil {
		err = a.err
	}
	return a.n, err
}

// write never asks to be called again: it does not wait.
func (a *attempt) write(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), a.b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
		case err != nil:
			a.err = os.NewSyscallError("write", err)
		default:
			a.n = n
		}
		return true
	}
}

// readRaw waits until something is there and reads it. The buffer belongs to it only from then until Data returns.
func (t *tunnel) readRaw(max int) error {
	a := &t.raw.in
	a.n, a.err = min(max, large), nil
	err := t.raw.c.Read(a.call)
	if err == nil {
		err = a.err
	}
	if buf := a.buf; buf != nil {
		a.buf = nil
		t.tell(buf[:a.n])
		larges.Put(buf)
	}
	return err
}

// read asks to be called again while there is nothing.
func (a *attempt) read(fd uintptr) bool {
	buf := larges.Get().(*[large]byte)
	for {
		n, err := syscall.Read(int(fd), buf[:a.n])
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			a.buf, a.n = buf, n
			return true
		case err == nil:
			a.err = io.EOF
		case err != syscall.EAGAIN:
			a.err = os.NewSyscallError("read", err)
		}
		larges.Put(buf)
		return err != syscall.EAGAIN
	}
}
