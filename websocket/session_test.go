package websocket

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/wsframe"
	"weir/wsframe/deflate"
)

// creditStream counts the credit that comes back, and queues what is sent as a peer does that reads
// now and then.
type creditStream struct {
	own  bool
	rand *rand.Rand

	mu     sync.Mutex
	given  int
	queued int
	ended  bool
	reset  bool
}

func (c *creditStream) Attach(stream.Sink, stream.Limits) {}

func (c *creditStream) Info() stream.Info { return stream.Info{Transport: stream.Mem, Own: c.own} }

func (c *creditStream) Release(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.given += n
}

func (c *creditStream) Reset(stream.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset = true
}

func (c *creditStream) Send(v [][]byte, fin bool) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.reset {
		return 0, stream.ErrClosed
	}
	c.ended = fin
	if c.rand.IntN(4) == 0 {
		c.queued += len(v[0])
	}
	return c.queued, nil
}

func (c *creditStream) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued = 0
}

func (c *creditStream) released() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.given
}

// wild is a handler that does anything.
type wild struct {
	rand *rand.Rand
	last bool // it may end the session
}

func (w *wild) any(out Commands) Commands {
	switch n := w.rand.IntN(40); {
	case n < 10:
		return append(out, Active(false))
	case n < 16:
		return append(out, Active(true))
	case n < 20:
		return append(out, Binary(make([]byte, w.rand.IntN(2000))), Deflate(n%2 == 0))
	case n < 22:
		return append(out, Hibernate(), SetOptions(Changes{MaxFrameSize: int64(1000 + w.rand.IntN(5000))}))
	case !w.last || n < 36:
		return out
	case n == 36:
		return append(out, Close(1000, ""))
	case n == 37:
		return append(out, Ping(make([]byte, 126)))
	case n == 38:
		panic("wild")
	}
	runtime.Goexit()
	return nil
}

func (w *wild) Handle(_ Frame, out Commands) Commands { return w.any(out) }
func (w *wild) Info(_ any, out Commands) Commands     { return w.any(out) }

func (w *wild) Terminate(Reason, *PartialRequest) {
	switch w.rand.IntN(4) {
	case 0:
		panic("wild")
	case 1:
		runtime.Goexit()
	}
}

// TestCreditBalances: whatever arrives, whatever the handler does and however it ends, every octet
// that came by Data is given back once, and never more than came (BEHAVIOUR 4 and 7).
func TestCreditBalances(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) { creditBalances(t, seed) })
	}
}

func creditBalances(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	st := &creditStream{own: seed%2 == 0, rand: rand.New(rand.NewPCG(seed, 2))}
	o := &Options{MaxFrameSize: 4000, SendHigh: 1500, IdleTimeout: time.Second}
	s := newSession(st, &wild{rand: rand.New(rand.NewPCG(seed, 3)), last: seed%3 != 0}, o, nil, &PartialRequest{}, nil)
	if seed%5 == 0 {
		s.m.compress(o, deflate.Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15})
	}
	go s.open() // ends when nothing is left to do
	synctest.Wait()
	came := 0
	data := func(b []byte, fin bool) {
		done := make(chan struct{})
		go func() { // ends with Data, which a handler's Goexit may end
			defer close(done)
			s.data(b, fin)
		}()
		<-done
	}
	fin := false
	var in []byte
	for range 60 {
		in = append(in, wildFrame(r)...)
		n := r.IntN(len(in) + 1)
		came += n
		fin = r.IntN(40) == 0
		data(in[:n:n], fin)
		in = in[n:]
		if r.IntN(3) == 0 {
			synctest.Wait()
		}
		switch r.IntN(8) {
		case 0:
			_ = s.Post("x") // the session may have ended
		case 1:
			st.drain()
			s.queueDrained()
		case 2:
			time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		case 3:
			if r.IntN(20) == 0 {
				s.cut()
			}
		case 4:
			if r.IntN(20) == 0 {
				s.drain()
			}
		}
		if n := st.released(); n > came {
			t.Fatalf("seed %d: %d octets given back of %d", seed, n, came)
		}
		if fin {
			break
		}
	}
	s.streamClosed([]error{nil, io.EOF, &stream.ResetError{Code: stream.Cancel, Remote: true}, errors.New("lost")}[r.IntN(4)])
	synctest.Wait()
	if n := st.released(); n != came {
		t.Fatalf("seed %d: %d octets given back of %d; %s", seed, n, came, s.m.reason)
	}
	if !s.done || !s.terminated {
		t.Fatalf("seed %d: not over", seed)
	}
	if err := s.Post("late"); err != ErrEnded {
		t.Fatalf("seed %d: Post gives %v", seed, err)
	}
}

// wildFrame is a frame, rarely a bad one.
func wildFrame(r *rand.Rand) []byte {
	payload := string(bytes.Repeat([]byte{'x'}, r.IntN(300)))
	switch n := r.IntN(60); {
	case n == 0:
		return masked(fin(wsframe.Close), closePayload(1000, ""))
	case n == 1:
		return []byte{0xff, 0xff}
	case n == 2:
		return masked(fin(wsframe.Text), "\xff")
	case n < 12:
		return masked(fin(wsframe.Ping), payload[:min(len(payload), 125)])
	case n < 20:
		return append(masked(begun(wsframe.Binary), payload), masked(fin(wsframe.Continuation), payload)...)
	}
	return masked(fin(wsframe.Binary), payload)
}

// TestOneTimer: a session has one timer, and it is not set again for each message.
func TestOneTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStream{own: true}
		s := started(f)
		look := func() (*time.Timer, instant, bool) {
			s.turn.Lock()
			defer s.turn.Unlock()
			return s.alarm.t, s.alarm.at, s.m.ended
		}
		timer, set, _ := look()
		if timer == nil || set == 0 {
			t.Fatal("the idle timeout needs a timer")
		}
		for range 1000 {
			s.data(masked(fin(wsframe.Text), "hello"), false)
			time.Sleep(time.Millisecond)
		}
		if now, at, _ := look(); now != timer || at != set {
			t.Errorf("the timer was set again: %v, then %v", set.time(), at.time())
		}
		if s.m.stats.In.Messages != 1000 {
			t.Fatal(s.m.stats)
		}
		time.Sleep(DefaultIdleTimeout - time.Second) // it fires once too early, and looks
		synctest.Wait()
		if _, _, ended := look(); ended {
			t.Fatal("a message less than the idle timeout ago")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if now, _, ended := look(); !ended || s.m.reason.String() != "timeout" || now != timer {
			t.Errorf("ended %v: %s", ended, s.m.reason)
		}
		s.streamClosed(nil)
		synctest.Wait()
	})
}
