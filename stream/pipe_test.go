package stream_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"weir/stream"
	"weir/stream/streamtest"
)

func TestPipe(t *testing.T) {
	streamtest.RunFake(t, func(*testing.T) (a, b stream.Stream) { return stream.Pipe() })
}

// fakeSink counts.
type fakeSink struct {
	n, drained int
	fin        bool
	closed     []error
}

func (f *fakeSink) Data(b []byte, fin bool) { f.n, f.fin = f.n+len(b), f.fin || fin }
func (f *fakeSink) Drained()                { f.drained++ }
func (f *fakeSink) Closed(err error)        { f.closed = append(f.closed, err) }

// TestPipeQueue counts what waits for the other end's window, octet by octet.
func TestPipeQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		var x, y fakeSink
		queued := func(what string, want, told, drained int) {
			t.Helper()
			synctest.Wait()
			if n, err := a.Send(nil, false); n != want || err != nil || y.n != told || x.drained != drained {
				t.Errorf("%s: queued %d, %v, want %d; told %d, want %d; Drained %d, want %d", what, n, err, want, y.n, told, x.drained, drained)
			}
		}
		if n, err := a.Send([][]byte{make([]byte, 1500), make([]byte, 1000)}, false); n != 2500 || err != nil {
			t.Errorf("Send: %d, %v", n, err)
		}
		a.Attach(&x, stream.Limits{Low: 1000})
		queued("nobody is attached", 2500, 0, 0)
		b.Attach(&y, stream.Limits{Window: 1000})
		queued("the window is 1000", 1500, 1000, 0)
		b.Release(499)
		queued("above Low", 1001, 1499, 0)
		b.Release(1)
		queued("at Low", 1000, 1500, 1)
		b.Release(900)
		queued("told once", 100, 2400, 1)
		a.Send([][]byte{make([]byte, 1000)}, false)
		b.Release(1000)
		queued("told again", 100, 3400, 2)
		a.Reset(stream.NoError)
		synctest.Wait()
		if len(x.closed) != 0 {
			t.Error("the quiet form did not wait for the queue")
		}
		a.Reset(stream.Cancel)
		synctest.Wait()
		want := stream.ResetError{Code: stream.Cancel}
		if re, ok := x.closed[0].(*stream.ResetError); len(x.closed) != 1 || !ok || *re != want {
			t.Errorf("Closed(%v)", x.closed)
		}
		want.Remote = true
		if re, ok := y.closed[0].(*stream.ResetError); len(y.closed) != 1 || !ok || *re != want || y.n != 3400 {
			t.Errorf("the peer's Closed(%v) behind %d octets", y.closed, y.n)
		}
	})
}

// TestPipeQuietAfterTheirEnd: with the peer's side ended, the quiet form is an end and no reset.
func TestPipeQuietAfterTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		var x, y fakeSink
		a.Attach(&x, stream.Limits{})
		b.Attach(&y, stream.Limits{})
		b.Send(nil, true)
		a.Send([][]byte{{1, 2, 3}}, false)
		a.Reset(stream.NoError)
		synctest.Wait()
		if len(x.closed) != 1 || x.closed[0] != nil || len(y.closed) != 1 || y.closed[0] != nil || y.n != 3 || !y.fin {
			t.Errorf("%+v, the peer %+v", x, y)
		}
	})
}

// leaver is a sink whose Data ends its goroutine, as a handler that runs inside it may.
type leaver struct {
	fakeSink
	more func() // what happens meanwhile
}

func (l *leaver) Data(b []byte, fin bool) {
	l.fakeSink.Data(b, fin)
	l.more()
	runtime.Goexit()
}

// TestPipeGoexit: the other events are told all the same, once each: those that came before, those
// that come meanwhile, and those that come when nobody is at it.
func TestPipeGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream.Pipe()
		send := func(n int, fin bool) { a.Send([][]byte{make([]byte, n)}, fin) }
		var x fakeSink
		y := leaver{more: func() {}}
		send(1, false)
		send(10, false)
		a.Attach(&x, stream.Limits{})
		b.Attach(&y, stream.Limits{})
		synctest.Wait()
		y.more = func() { y.more = func() {}; send(100, false) }
		send(1000, false)
		synctest.Wait()
		y.more = func() { b.Reset(stream.Cancel) }
		send(10000, true)
		synctest.Wait()
		if y.n != 11111 || !y.fin || len(y.closed) != 1 {
			t.Errorf("told %d octets of 11111, fin %v, Closed %d times", y.n, y.fin, len(y.closed))
		}
	})
}
