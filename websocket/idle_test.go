package websocket

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"weir/stream"
	"weir/wsframe"
)

// crewStream is a fakeStream whose crew does each turn at once, on the caller's goroutine.
type crewStream struct{ fakeStream }

func (c *crewStream) Enlist(t stream.Turner) {
	for t.Turn(time.Now()) {
	}
}

func (c *crewStream) Hand(v [][]byte, fin bool, n int) (int, error) {
	c.Release(n)
	if len(v) == 0 && !fin {
		return 0, nil
	}
	return c.Send(v, fin)
}

func startedCrew(f *crewStream) *Session { return startedCrewWith(f, echo) }

func startedCrewWith(f *crewStream, h HandlerFunc) *Session {
	s := newSession(f, h, idleOptions, nil, &idleRequest, nil)
	s.open()
	f.writes, f.octets, f.given = 0, 0, 0
	return s
}

var (
	idleOptions = new(Options)
	idleRequest = new(request).make(new(crewStream).Info()) // one like many
)

// TestIdleSessionIsSmall: a session that has echoed a message and waits for the next is its struct
// and its timer. Hibernate has nothing to add to that.
func TestIdleSessionIsSmall(t *testing.T) {
	const n, most = 4000, 480 // octets, the fake stream's 80 among them
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools held is gone with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	message := masked(fin(wsframe.Text), strings.Repeat("x", 1000))
	b := make([]byte, len(message))
	for _, r := range []struct {
		name string
		h    HandlerFunc
	}{
		{"echo", echo},
		{"hibernate", func(f Frame, out Commands) Commands { return append(echo(f, out), Hibernate()) }},
	} {
		t.Run(r.name, func(t *testing.T) {
			goroutines := runtime.NumGoroutine()
			all := make([]*Session, n)
			before := heap()
			for i := range all {
				all[i] = startedCrewWith(new(crewStream), r.h)
				copy(b, message)
				all[i].data(b, false)
			}
			after := heap()
			each := (after - min(before, after)) / n
			if t.Logf("%d octets each", each); each > most {
				t.Errorf("%d octets each, want at most %d", each, most)
			}
			if now := runtime.NumGoroutine(); now > goroutines+1 {
				t.Errorf("%d goroutines more", now-goroutines)
			}
			for _, s := range all {
				if s.m.stats.Out.Messages != 1 {
					t.Fatal("no echo")
				}
				if s.m.work != nil || s.sc != nil || s.rare != nil || s.m.few != nil || s.m.clock.late != nil {
					t.Fatal("it holds more than itself")
				}
				s.streamClosed(nil) // stops the timer
			}
		})
	}
}

// TestEchoInPiecesAllocatesNothing: nor does a message that comes in DATA frames and is larger than a read.
func TestEchoInPiecesAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops things at random under the race detector")
	}
	for name, size := range map[string]int{"2Ki": 2 << 10, "64Ki": 64 << 10} {
		t.Run(name, func(t *testing.T) {
			one := masked(fin(wsframe.Binary), strings.Repeat("x", size))
			b := make([]byte, len(one))
			f := new(crewStream)
			s := startedCrew(f)
			round := func() {
				copy(b, one)
				for rest := b; len(rest) > 0; {
					n := min(len(rest), 1+len(one)/4)
					s.data(rest[:n], false)
					rest = rest[n:]
				}
			}
			if n := testing.AllocsPerRun(100, round); n >= 1 {
				t.Errorf("%v allocations a message", n)
			}
			if want := 101 * (len(one) - 4); f.octets != want || f.given != 101*len(one) {
				t.Errorf("%d octets of answers, want %d; %d released", f.octets, want, f.given)
			}
			s.streamClosed(nil)
		})
	}
}

// BenchmarkMachineEcho is the state machine by itself: a message in, its echo out.
func BenchmarkMachineEcho(b *testing.B) {
	for name, size := range map[string]int{"16": 16, "1Ki": 1 << 10, "64Ki": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			m := newMachine(&Options{}, epoch)
			one := masked(fin(wsframe.Binary), strings.Repeat("x", size))
			buf := make([]byte, len(one))
			cmds := make(Commands, 0, 1)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, one)
				m.feed(buf, false, epoch)
				for f, ok := m.next(); ok; f, ok = m.next() {
					m.apply(append(cmds[:0], f.Reply()), epoch)
				}
				m.sent(0, epoch)
				m.settle()
				m.takeConsumed()
			}
		})
	}
}

// BenchmarkCrewEcho is a session on a connection with a crew, without the connection.
func BenchmarkCrewEcho(b *testing.B) {
	for name, size := range map[string]int{"16": 16, "1Ki": 1 << 10, "64Ki": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			s := startedCrew(new(crewStream))
			one := masked(fin(wsframe.Binary), strings.Repeat("x", size))
			buf := make([]byte, len(one))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, one)
				for rest := buf; len(rest) > 0; {
					n := min(len(rest), 16<<10)
					s.data(rest[:n], false)
					rest = rest[n:]
				}
			}
			s.streamClosed(nil)
		})
	}
}
