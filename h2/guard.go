package h2

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// guard calls f, which is a user's code. If f does not return, crashed is called: with the panic's
// value, or with nil where f called runtime.Goexit. Then this goroutine ends, and behind crashed
// only deferred functions run.
func guard(f func(), crashed func(v any)) {
	returned := false
	defer func() {
		if !returned {
			crashed(recover())
		}
	}()
	f()
	returned = true
}

// outside calls f, a user's code, without mu, which is held. It is held again whatever f did.
func (c *conn) outside(f func()) {
	c.mu.Unlock()
	defer c.mu.Lock()
	f()
}

// crash is what is logged of a crash.
func crash(v any) any {
	if v == nil {
		return "runtime.Goexit"
	}
	return v
}

// userConn is a net.Conn that may be a user's code: it is no socket, and no TLS over one. What
// panics there, or calls runtime.Goexit, is an error of the connection, and the last: nothing more
// is asked of it but to close.
type userConn struct {
	net.Conn
	c      *conn
	broken atomic.Pointer[error]
}

// guarded gives what the connection uses in the place of nc.
func (c *conn) guarded(nc net.Conn) net.Conn {
	below := nc
	if tc, ok := nc.(*tls.Conn); ok {
		below = tc.NetConn()
	}
	switch below.(type) {
	case *net.TCPConn, *net.UnixConn:
		return nc
	}
	return &userConn{Conn: nc, c: c}
}

func (u *userConn) call(what string, f func() error) (err error) {
	if err := u.broken.Load(); err != nil {
		return *err
	}
	guard(func() { err = f() }, func(v any) {
		err = fmt.Errorf("h2: net.Conn.%s panicked: %v", what, crash(v))
		u.broken.Store(&err)
		stack := debug.Stack()
		go u.c.gone(err, stack) // ends when the connection is lost; mu may be held here
	})
	return err
}

// gone ends a connection whose net.Conn has crashed.
func (c *conn) gone(err error, stack []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayText("h2: connection of %s: %v\n%s", c.remote, err, stack)
	c.lose(err)
	c.after(false)
}

func (u *userConn) Read(b []byte) (n int, err error) {
	err = u.call("Read", func() error {
		var err error
		n, err = u.Conn.Read(b)
		return err
	})
	return n, err
}

func (u *userConn) Write(b []byte) (n int, err error) {
	err = u.call("Write", func() error {
		var err error
		n, err = u.Conn.Write(b)
		return err
	})
	return n, err
}

// SetReadDeadline and the methods below are those of net.Conn.
func (u *userConn) SetReadDeadline(t time.Time) error {
	return u.call("SetReadDeadline", func() error { return u.Conn.SetReadDeadline(t) })
}

func (u *userConn) SetWriteDeadline(t time.Time) error {
	return u.call("SetWriteDeadline", func() error { return u.Conn.SetWriteDeadline(t) })
}

// CloseWrite ends our side, if that can be done.
func (u *userConn) CloseWrite() error {
	cw, ok := u.Conn.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	return u.call("CloseWrite", cw.CloseWrite)
}

// Close does not wait: it may be called with mu held.
func (u *userConn) Close() error {
	go guard(func() { u.Conn.Close() }, func(any) {}) // ends when it is closed
	return nil
}
