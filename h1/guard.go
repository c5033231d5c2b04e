package h1

import (
	"fmt"
	"io"
	"log"
	"net"
	"runtime/debug"
)

// guard calls f, which is a user's code: a method of a net.Conn that is no socket, or of a Sink. If
// f does not return, crashed is called: with the panic's value, or with nil where f called
// runtime.Goexit. Then this goroutine ends, and behind crashed only deferred functions run.
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
func (t *tunnel) outside(f func()) {
	t.mu.Unlock()
	defer t.mu.Lock()
	f()
}

// crashed ends the stream, whose net.Conn or Sink crashed in what. mu is not held.
func (t *tunnel) crashed(what string, v any) error {
	err := fmt.Errorf("h1: %s called runtime.Goexit", what)
	if v != nil {
		err = fmt.Errorf("h1: %s panicked: %v", what, v)
	}
	stack := debug.Stack()
	go func() { // ends when it is logged
		defer func() { _ = recover() }() // what the log writes to is a user's, too
		log.Printf("%v\n%s", err, stack)
	}()
	t.fail(err)
	return err
}

// readSome is Read of the connection.
func (t *tunnel) readSome(b []byte) (n int, err error) {
	guard(func() { n, err = t.c.Read(b) }, func(v any) { n, err = 0, t.crashed("net.Conn.Read", v) })
	return n, err
}

// data tells the sink.
func (t *tunnel) data(b []byte, fin bool) {
	guard(func() { t.sink.Data(b, fin) }, func(v any) {
		if v != nil { // a handler that calls Goexit in a session's Data is the session's business
			_ = t.crashed("Sink.Data", v)
		}
	})
}

// close closes the connection.
func (t *tunnel) close() {
	guard(func() { t.c.Close() }, func(any) {}) // there is nothing else to be done
}

// cut closes the connection by a TCP reset, where it can. The innermost connection goes first: a
// TLS connection would write to the peer before it closes.
func (t *tunnel) cut() { guard(t.cutConn, func(any) {}) }

func (t *tunnel) cutConn() {
	defer t.c.Close() // last, and also when something before it panics
	inner := io.Closer(t.c)
	for {
		n, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = n.NetConn()
	}
	if inner != io.Closer(t.c) {
		defer inner.Close()
	}
	if l, ok := inner.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0) // of a dead connection: closing it is all that is left
	}
}
