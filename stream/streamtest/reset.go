package streamtest

import (
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"weir/stream"
)

// wantReset checks the end of a stream that we gave up.
func wantReset(t *testing.T, h heard) {
	t.Helper()
	re, ok := errors.AsType[*stream.ResetError](h.err)
	if !ok || re.Remote || re.Code != stream.Cancel {
		t.Errorf("Closed(%v), want our own reset", h.err)
	}
}

// wantLost checks the end of a stream that its peer gave up; HTTP/1.1 knows no more than that the connection is lost.
func wantLost(t *testing.T, h heard) {
	t.Helper()
	if re, ok := errors.AsType[*stream.ResetError](h.err); ok {
		if !re.Remote || re.Code != stream.Cancel {
			t.Errorf("Closed(%v), want the peer's reset", h.err)
		}
		return
	}
	for _, err := range []error{syscall.ECONNRESET, syscall.EPIPE, io.ErrUnexpectedEOF} {
		if errors.Is(h.err, err) {
			return
		}
	}
	t.Errorf("Closed(%v), want the peer's reset", h.err)
}

func wantClosed(t *testing.T, s stream.Stream) {
	t.Helper()
	if _, err := s.Send([][]byte{{1}}, false); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after the end: %v", err)
	}
}

func testResetOurs(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, a, false, []byte("x"))
	rb.octets(1)
	a.Reset(stream.Cancel)
	a.Reset(stream.InternalError) // the first counts
	wantClosed(t, a)
	wantReset(t, ra.over())
	wantLost(t, rb.over())
	wantClosed(t, b)
	check(t, ra, rb)
}

func testResetTheirs(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, b, false, []byte("x"))
	ra.octets(1)
	b.Reset(stream.Cancel)
	wantLost(t, ra.over())
	wantReset(t, rb.over())
	wantClosed(t, a)
	check(t, ra, rb)
}

// testResetNoCredit: who holds all the credit back can still give up.
func testResetNoCredit(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{Window: 1}, nil), attach(t, b, stream.Limits{}, releasing)
	send(t, b, false, []byte("xyz"))
	ra.octets(1)
	a.Reset(stream.Cancel)
	wantReset(t, ra.over())
	check(t, ra, rb)
}

// testResetSending: a Send that blocks ends, and so does the queue.
func testResetSending(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{Window: 1000}, nil)
	done := make(chan error)
	go func() {
		v := [][]byte{make([]byte, 100_000)}
		for queued := 0; ; runtime.Gosched() {
			next := v
			if queued > 1<<20 {
				next = nil
				time.Sleep(time.Millisecond) // fake time moves a network that takes some
			}
			var err error
			if queued, err = a.Send(next, false); err != nil {
				done <- err
				return
			}
		}
	}()
	rb.octets(1000)
	a.Reset(stream.Cancel)
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send gave %v", err)
	}
	wantReset(t, ra.over())
	check(t, ra, rb)
}

func testResetEarly(t *testing.T, open Open) {
	a, b := open(t)
	rb := attach(t, b, stream.Limits{}, releasing)
	a.Reset(stream.Cancel)
	wantClosed(t, a)
	wantLost(t, rb.over())
	ra := attach(t, a, stream.Limits{}, releasing)
	wantReset(t, ra.over())
	check(t, ra, rb)
}

// testQuiet: what was queued leaves before the quiet end.
func testQuiet(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{Window: 5000}, releasing)
	all := pattern(300_000)
	send(t, a, false, all)
	a.Reset(stream.NoError)
	wantClosed(t, a)
	wantOctets(t, rb.until(func(h *heard) bool { return h.n >= len(all) || h.fin }), all)
	h := ra.over()
	if re, ok := errors.AsType[*stream.ResetError](h.err); !ok || re.Remote || re.Code != stream.NoError {
		t.Errorf("Closed(%v), want our own NO_ERROR", h.err)
	}
	h = rb.finned()
	re, ok := errors.AsType[*stream.ResetError](h.err)
	if !h.fin && (!ok || !re.Remote || re.Code != stream.NoError) {
		t.Errorf("the peer saw Closed(%v), want an end or NO_ERROR", h.err)
	}
	check(t, ra, rb)
}

func testQuietLate(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, b, true)
	ra.finned()
	send(t, a, true)
	a.Reset(stream.NoError)
	for _, r := range []*recorder{ra, rb} {
		if h := r.over(); h.err != nil || !h.fin {
			t.Errorf("Closed(%v), the peer's end seen: %v", h.err, h.fin)
		}
	}
	check(t, ra, rb)
}
