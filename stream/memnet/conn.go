package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of a connection.
type Conn struct {
	in, out       *half
	local, remote net.Addr

	mu     sync.Mutex
	linger int // as in SetLinger; negative: the default
}

// Pair gives the two ends of a connection whose directions hold buffer octets each; 0: DefaultBuffer.
func Pair(buffer int) (a, b *Conn) {
	if buffer <= 0 {
		buffer = DefaultBuffer
	}
	x, y := newHalf(buffer), newHalf(buffer)
	addr := listenAddr
	return &Conn{in: x, out: y, local: &addr, remote: &addr, linger: -1}, &Conn{in: y, out: x, local: &addr, remote: &addr, linger: -1}
}

// LocalAddr is a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.wrap("read", err)
}

func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.wrap("write", err)
}

// wrap dresses err as package net does.
func (c *Conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if no, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, no)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// CloseWrite ends our direction: the peer reads io.EOF behind what was written.
func (c *Conn) CloseWrite() error {
	return c.wrap("close", c.out.endWrite())
}

// SetLinger with 0 makes Close a reset; with another value it does nothing.
func (c *Conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = sec
	return nil
}

// Close ends both directions. As with TCP it is a reset if octets were left unread, or SetLinger(0) said so.
func (c *Conn) Close() error {
	c.mu.Lock()
	linger := c.linger
	c.mu.Unlock()
	if linger == 0 {
		return c.wrap("close", c.reset())
	}
	unread, err := c.in.endRead()
	if err != nil {
		return c.wrap("close", err)
	}
	c.out.leave(unread)
	return nil
}

func (c *Conn) reset() error {
	_, err := c.in.endRead()
	if err == nil {
		c.out.leave(true)
	}
	return err
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

// SetReadDeadline is that of Read.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline is that of Write.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}
