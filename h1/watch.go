package h1

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// A reader without room does not read, and must see all the same that the connection is lost: who
// is paused is told of a reset at once (BEHAVIOUR 3). Who waits without room, and how it is told:
//
//   - a socket that the poller watches: by EPOLLERR (sock_linux.go);
//   - another connection that is a syscall.Conn, as a Unix socket is, TLS above it or not, on Unix:
//     the reader waits in the Go runtime's poller, and asks the socket for its error whenever
//     something happens (watch_unix.go);
//   - any other connection, and on other systems: the reader reads a little more than the window,
//     and is in a Read for what comes next. Only a peer that has sent still more goes unseen, until
//     something is sent to it or there is room.
//
// The peer's FIN is no loss: it is seen behind the octets before it.

// watch is what a reader without room waits with.
type watch struct {
	c interface {
		SetReadDeadline(time.Time) error
	}
	raw   syscall.RawConn       // of the socket; nil: none is known
	look  func(fd uintptr) bool // ask, made once
	err   error                 // of the socket
	waits bool                  // callReader is to end the wait; guarded by the tunnel's mu
}

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// awaitRoom waits until there may be room, or the stream is over. With mu held, which is given up
// meanwhile.
func (t *tunnel) awaitRoom() {
	if t.watch == nil {
		t.watch = &watch{c: t.c}
		t.watch.open(t.c)
	}
	switch {
	case t.watch.raw != nil:
		t.watchSocket()
	case !t.peerEnded && t.first.size() < small:
		t.lookAhead()
	default:
		t.wake.wait(&t.mu)
	}
}

// watchSocket waits until there is room or the stream is over. It ends the stream if the socket is
// in error, or has been closed by somebody else. With mu held, which is given up meanwhile.
func (t *tunnel) watchSocket() {
	w := t.watch
	w.waits, w.err = true, nil
	_ = w.c.SetReadDeadline(time.Time{}) // the next call says what is wrong with the connection
	t.mu.Unlock()
	err := w.raw.Read(w.look)
	t.mu.Lock()
	err = w.ended(err)
	if w.err != nil {
		err = w.err
	}
	if err != nil {
		t.mu.Unlock()
		t.fail(err)
		t.mu.Lock()
	} else if t.nap != nil {
		t.stayAwake()
	}
}

// lookAhead reads what there is no room for: it is told when there is. With mu held, which is given
// up meanwhile.
func (t *tunnel) lookAhead() {
	w := t.watch
	w.waits = t.first != nil
	have := t.first.size()
	t.mu.Unlock()
	buf := smalls.Get().(*[small]byte)
	n, err := t.c.Read(buf[have:])
	if n > 0 {
		if t.first == nil {
			t.first = new(block)
		}
		t.first.b = append(t.first.b, buf[have:have+n]...)
	}
	smalls.Put(buf)
	t.mu.Lock()
	err = w.ended(err)
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		t.mu.Unlock()
		t.fail(err)
		t.mu.Lock()
	case n == 0 && have == 0:
		t.mu.Unlock()
		t.peerEnds()
		t.mu.Lock()
	default: // a Read says it again, once what is before the end has been told
		for !t.over && t.room() <= 0 {
			t.wake.wait(&t.mu)
		}
	}
}

// ended is the error of a wait, with the tunnel's mu held. That callReader has ended it is none.
func (w *watch) ended(err error) error {
	called := !w.waits
	w.waits = false
	if called {
		_ = w.c.SetReadDeadline(time.Time{}) // the next call says what is wrong with the connection
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
	}
	return err
}

// callReader ends the wait of a reader that has something to do, with mu held.
func (t *tunnel) callReader() {
	if w := t.watch; w != nil && w.waits && (t.over || t.room() > 0) {
		w.waits = false
		_ = w.c.SetReadDeadline(past) // if it fails the wait has ended
	}
}
