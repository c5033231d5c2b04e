package h2_test

import (
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

// shift is a sink that enlists with its stream's crew for what arrives, and answers it in its turn.
type shift struct {
	st    stream.Stream
	crew  stream.Crew
	turn  func(s *shift, got []byte) (again bool)
	mail  stream.Mailbox[[]byte]
	turns int
	heard *atomic.Int32 // calls of Data, of all
	over  chan struct{}
}

func (s *shift) Data(b []byte, _ bool) {
	box := s.mail.Lock()
	*box = append(*box, b...)
	if s.mail.Unlock() {
		s.crew.Enlist(s)
	}
	if s.heard != nil {
		s.heard.Add(1)
	}
}

func (s *shift) Drained()     {}
func (s *shift) Closed(error) { close(s.over) }

func (s *shift) Turn(time.Time) bool {
	var got []byte
	s.mail.Take(&got)
	s.turns++
	more := s.turn(s, got)
	if more {
		s.mail.Lock()
		s.mail.Unlock()
	}
	return s.mail.Rest()
}

// answer hands back what came, and its credit.
func (s *shift) answer(got []byte) bool {
	_, _ = s.crew.Hand([][]byte{got}, false, len(got))
	return false
}

// shifts opens a stream for each CONNECT; turn has the path.
func shifts(heard *atomic.Int32, turn func(path string, s *shift, got []byte) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		path := r.URL.Path
		s := &shift{st: st, heard: heard, crew: st.(stream.Crew), over: make(chan struct{})}
		s.turn = func(s *shift, got []byte) bool { return turn(path, s, got) }
		st.Attach(s, stream.Limits{})
		st.Send(nil, false)
	}
}

// say sends one DATA frame on each of ts, in one write.
func say(p *h2test.Peer, ts []*h2test.Tunnel, text string) {
	var b []byte
	for _, tn := range ts {
		b = h2test.AppendFrame(b, http2.FrameData, 0, tn.ID, []byte(text))
	}
	p.WriteRaw(b)
}

// TestCrewAnswersInOneWrite: what one read brought for twenty streams is answered in one write.
func TestCrewAnswersInOneWrite(t *testing.T) {
	var heard atomic.Int32
	bubble(t, nil, shifts(&heard, func(path string, s *shift, got []byte) bool {
		for path == "/first" && heard.Load() < 20 { // no wait in fake time
			runtime.Gosched()
		}
		return s.answer(got)
	}), func(s *site) {
		p := s.dial()
		ts := []*h2test.Tunnel{s.connect(p, "/first")}
		for range 19 {
			ts = append(ts, s.connect(p, "/"))
		}
		synctest.Wait()
		before := s.writes.Load()
		say(p, ts, "hello")
		for _, tn := range ts {
			if got := readN(t, tn, 5); got != "hello" {
				t.Errorf("stream %d: %q", tn.ID, got)
			}
		}
		if n := s.writes.Load() - before; n != 1 {
			t.Errorf("%d writes for 20 answers", n)
		}
	})
}

// TestSlowTurnHoldsNobody: one turn that does not come to its end keeps neither what was handed over before it, nor the turns
// that wait behind it, nor what is read later.
func TestSlowTurnHoldsNobody(t *testing.T) {
	release := make(chan struct{})
	var blocked func()
	bubble(t, nil, shifts(nil, func(path string, s *shift, got []byte) bool {
		if path == "/slow" {
			blocked()
		}
		return s.answer(got)
	}), func(s *site) {
		release = make(chan struct{})
		blocked = func() { <-release }
		p := s.dial()
		ts := []*h2test.Tunnel{s.connect(p, "/before"), s.connect(p, "/slow"), s.connect(p, "/behind"), s.connect(p, "/slow"), s.connect(p, "/last")}
		start := time.Now()
		say(p, ts, "one")
		for _, i := range []int{0, 2, 4} {
			readN(t, ts[i], 3)
		}
		if d := time.Since(start); d > 5*time.Millisecond { // fake time: two slow turns, each seen at the second look
			t.Errorf("it took %v", d)
		}
		say(p, []*h2test.Tunnel{ts[0], ts[1], ts[2]}, "two")
		readN(t, ts[0], 3)
		readN(t, ts[2], 3)
		synctest.Wait()
		close(release)
		readN(t, ts[3], 3)
		if got := readN(t, ts[1], 6); got != "onetwo" {
			t.Errorf("the slow one answered %q", got)
		}
	})
}

// TestPingIsAnsweredBesideASlowTurn: the reader's own answers do not wait for a turn either.
func TestPingIsAnsweredBesideASlowTurn(t *testing.T) {
	var release chan struct{}
	bubble(t, nil, shifts(nil, func(_ string, s *shift, got []byte) bool {
		<-release
		return s.answer(got)
	}), func(s *site) {
		release = make(chan struct{})
		p := s.dial()
		a := s.connect(p, "/")
		say(p, []*h2test.Tunnel{a}, "x")
		synctest.Wait()
		before := s.writes.Load()
		p.Send("PING 0102030405060708")
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		if s.writes.Load() == before {
			t.Error("no answer to PING while a turn is slow")
		}
		close(release)
		readN(t, a, 1)
	})
}

// TestManyTurnsHoldNobody: where many turns wait, none of them slow, others than the hand that does them read on.
func TestManyTurnsHoldNobody(t *testing.T) {
	const turn = 400 * time.Microsecond
	bubble(t, nil, shifts(nil, func(_ string, s *shift, got []byte) bool {
		time.Sleep(turn)
		return s.answer(got)
	}), func(s *site) {
		p := s.dial()
		var ts []*h2test.Tunnel
		for range 100 {
			ts = append(ts, s.connect(p, "/"))
		}
		synctest.Wait()
		start := time.Now()
		say(p, ts, "hello")
		time.Sleep(turn / 4)
		p.Send("RST_STREAM " + strconv.Itoa(int(ts[99].ID)) + " CANCEL")
		for s.h2.Stats().Tunnels == 100 {
			time.Sleep(turn / 4)
		}
		if d := time.Since(start); d > 4*time.Millisecond {
			t.Errorf("RST_STREAM was read after %v", d)
		}
		for _, tn := range ts[:99] {
			readN(t, tn, 5)
		}
		time.Sleep(2 * turn) // the last turn
	})
}

// TestPanicInATurn ends the connection, and no more.
func TestPanicInATurn(t *testing.T) {
	bubble(t, nil, shifts(nil, func(path string, s *shift, got []byte) bool {
		if path == "/panic" {
			panic("a turn broke")
		}
		return s.answer(got)
	}), func(s *site) {
		p, other := s.dial(), s.dial()
		a, b := s.connect(p, "/panic"), s.connect(other, "/")
		say(p, []*h2test.Tunnel{a}, "hello")
		synctest.Wait()
		if p.Err() == nil || !strings.Contains(s.logged.String(), "a turn broke") {
			t.Errorf("the connection lives: %v, log %q", p.Err(), s.logged.String())
		}
		say(other, []*h2test.Tunnel{b}, "hello")
		readN(t, b, 5)
	})
}

// TestTurnAgain: a turn that asks for it comes again, behind those that wait.
func TestTurnAgain(t *testing.T) {
	var order strings.Builder
	var mu sync.Mutex
	bubble(t, nil, shifts(nil, func(path string, s *shift, got []byte) bool {
		mu.Lock()
		order.WriteString(path)
		mu.Unlock()
		if len(got) > 0 {
			s.answer(got)
		}
		return path == "/thrice" && s.turns < 3
	}), func(s *site) {
		p := s.dial()
		a := s.connect(p, "/thrice")
		say(p, []*h2test.Tunnel{a}, "x")
		readN(t, a, 1)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if order.String() != "/thrice/thrice/thrice" {
			t.Error(order.String())
		}
	})
}

// TestGoexitInATurn ends the hand, and nothing else.
func TestGoexitInATurn(t *testing.T) {
	bubble(t, nil, shifts(nil, func(path string, s *shift, got []byte) bool {
		if path == "/exit" {
			runtime.Goexit()
		}
		return s.answer(got)
	}), func(s *site) {
		p := s.dial()
		a, b, c := s.connect(p, "/"), s.connect(p, "/exit"), s.connect(p, "/")
		for range 3 {
			say(p, []*h2test.Tunnel{a, b, c}, "hello")
			readN(t, a, 5)
			readN(t, c, 5)
		}
	})
}

// TestLargeHand: what a turn hands over in large pieces arrives whole and in order, through windows that are too small for
// it, over sockets that take many pieces in one write and over TLS, which does not; others send on the same stream behind it.
func TestLargeHand(t *testing.T) {
	pieces := [][]byte{[]byte("head"), []byte(strings.Repeat("0123456789abcdef", 15_000)), []byte("tail")}
	want := "head" + string(pieces[1]) + "tail"
	overLoopback(t, nil, shifts(nil, func(path string, s *shift, got []byte) bool {
		for range 3 {
			_, _ = s.crew.Hand(pieces, false, len(got))
			_, _ = s.st.Send([][]byte{[]byte("behind")}, false)
			got = nil
		}
		return false
	}), func(t *testing.T, w *world) {
		p, err := h2test.Dial(w.dial(t))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var ts []*h2test.Tunnel
		for range 4 {
			tn, err := p.Connect("/")
			if err != nil || tn.Status != 200 {
				t.Fatal(tn, err)
			}
			ts = append(ts, tn)
		}
		say(p, ts, "go")
		var wg sync.WaitGroup
		for _, tn := range ts {
			wg.Go(func() {
				b := make([]byte, 3*(len(want)+6))
				if _, err := io.ReadFull(tn, b); err != nil {
					t.Errorf("stream %d: %v", tn.ID, err)
				} else if string(b) != strings.Repeat(want+"behind", 3) {
					t.Errorf("stream %d: something else arrived", tn.ID)
				}
			})
		}
		wg.Wait()
		if s := w.h2.Stats(); s.Limits.Total() != 0 {
			t.Errorf("limits were run into: %v", s.Limits)
		}
	})
}
