package websocket

import (
	"strings"
	"testing"
	"testing/synctest"

	"weir/stream"
	"weir/wsframe"
)

// fakeStream takes what is sent and notes how much, in how many writes.
type fakeStream struct {
	own    bool
	writes int
	octets int
	given  int
	left   chan struct{} // a write was made
}

func (f *fakeStream) Attach(stream.Sink, stream.Limits) {}
func (f *fakeStream) Release(n int)                     { f.given += n }
func (f *fakeStream) Reset(stream.Code)                 {}
func (f *fakeStream) Info() stream.Info                 { return stream.Info{Transport: stream.Mem, Own: f.own} }

func (f *fakeStream) Send(v [][]byte, _ bool) (int, error) {
	f.writes++
	for _, b := range v {
		f.octets += len(b)
	}
	if f.left != nil {
		f.left <- struct{}{}
	}
	return 0, nil
}

func echo(f Frame, out Commands) Commands { return append(out, f.Reply()) }

// started is a session whose Init turn is over.
func started(f *fakeStream) *Session {
	s := newSession(f, HandlerFunc(echo), &Options{}, nil, &PartialRequest{}, nil)
	s.open()
	f.writes, f.octets = 0, 0
	return s
}

// TestEchoAllocatesNothing: a handler that appends its commands costs no allocation a message.
func TestEchoAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops things at random under the race detector")
	}
	for name, size := range map[string]int{"16": 16, "1Ki": 1 << 10, "16Ki": 16 << 10} {
		payload := strings.Repeat("x", size)
		one := masked(fin(wsframe.Text), payload)
		b := make([]byte, len(one))
		t.Run("own/"+name, func(t *testing.T) {
			f := &fakeStream{own: true}
			s := started(f)
			defer s.streamClosed(nil) // else it sends when it has been idle, if other tests take so long
			if n := testing.AllocsPerRun(100, func() { copy(b, one); s.data(b, false) }); n >= 1 {
				t.Errorf("%v allocations a message", n)
			}
		})
		t.Run("shared/"+name, func(t *testing.T) {
			f := &fakeStream{}
			s := started(f)
			f.left = make(chan struct{})
			defer s.streamClosed(nil)
			if n := testing.AllocsPerRun(100, func() { copy(b, one); s.data(b, false); <-f.left }); n >= 1 {
				t.Errorf("%v allocations a message", n)
			}
		})
	}
}

// TestOneWriteATurn: what sixteen messages of one read produce leaves in one write, and their
// credit is given back.
func TestOneWriteATurn(t *testing.T) { synctest.Test(t, oneWriteATurn) }

func oneWriteATurn(t *testing.T) {
	f := &fakeStream{own: true}
	s := started(f)
	var in []byte
	for range 16 {
		in = append(in, masked(fin(wsframe.Text), "hello")...)
	}
	s.data(in, false)
	if f.writes != 1 || f.octets != 16*7 {
		t.Errorf("%d octets in %d writes", f.octets, f.writes)
	}
	if f.given != len(in) {
		t.Errorf("released %d of %d", f.given, len(in))
	}
	s.streamClosed(nil) // the session lets go of its timer
	synctest.Wait()
}

// BenchmarkEcho is the cost of a session by itself: no socket.
func BenchmarkEcho(b *testing.B) {
	for name, n := range map[string]int{"1": 1, "16": 16} {
		b.Run("in_flight/"+name, func(b *testing.B) {
			s := started(&fakeStream{own: true})
			var one, buf []byte
			for range n {
				one = append(one, masked(fin(wsframe.Text), "0123456789abcdef")...)
			}
			buf = make([]byte, len(one))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, one)
				s.data(buf, false)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
		})
	}
}
