package flow

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// receive takes n octets that must be allowed.
func receive(t *testing.T, c *Credit, n int) {
	t.Helper()
	if err := c.Receive(n); err != nil {
		t.Fatalf("Receive(%d) with %d outstanding: %v", n, c.Outstanding(), err)
	}
}

func wantUpdate(t *testing.T, why string, got, want uint32) {
	t.Helper()
	if got != want {
		t.Errorf("%s: announced %d, want %d", why, got, want)
	}
}

func TestCreditReceive(t *testing.T) {
	t.Run("9113-6.9.1/exceeded", func(t *testing.T) {
		c := NewCredit(10)
		receive(t, &c, 4)
		if err := c.Receive(7); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
		if c.Held() != 4 || c.Outstanding() != 6 {
			t.Error("the refused octets were counted")
		}
		receive(t, &c, 6)
		receive(t, &c, 0)
		if err := c.Receive(1); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
	})
	t.Run("9113-6.9.1/release_is_not_yet_announced", func(t *testing.T) {
		c := NewCredit(10)
		receive(t, &c, 10)
		c.Release(10)
		if err := c.Receive(1); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
		wantUpdate(t, "all is due", c.Update(), 10)
		receive(t, &c, 10)
	})
	t.Run("9113-6.9/zero_window", func(t *testing.T) {
		c := NewCredit(0)
		receive(t, &c, 0)
		wantUpdate(t, "nothing is due", c.Update(), 0)
		if err := c.Receive(1); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
	})
}

func TestCreditUpdate(t *testing.T) {
	for _, tt := range []struct{ target, below int }{{1, 0}, {2, 0}, {3, 0}, {10, 4}, {65535, 32766}, {MaxWindow, 1<<30 - 2}} {
		c := NewCredit(tt.target)
		receive(t, &c, tt.target)
		wantUpdate(t, "all is held", c.Update(), 0)
		c.Release(tt.below)
		wantUpdate(t, "less than half is due", c.Update(), 0)
		c.Release(1)
		wantUpdate(t, "half is due", c.Update(), uint32(tt.below+1))
		wantUpdate(t, "announced once", c.Update(), 0)
		if c.Held()+c.Outstanding() != tt.target {
			t.Errorf("%d held, %d outstanding of %d", c.Held(), c.Outstanding(), tt.target)
		}
	}
}

// TestCreditWholeWindow: a peer that fills a window of 65 535 octets with frames of 16 384, of
// which all is read, has all of it again (RFC 9113, 6.9.1): nothing stays withheld for want of half
// an octet.
func TestCreditWholeWindow(t *testing.T) {
	c := NewCredit(DefaultWindow)
	granted := 0
	for _, n := range []int{16384, 16384, 16384, 16383} {
		receive(t, &c, n)
		c.Release(n)
		granted += int(c.Update())
	}
	if granted != DefaultWindow || c.Outstanding() != DefaultWindow {
		t.Errorf("%d of %d octets came back, the peer may send %d", granted, DefaultWindow, c.Outstanding())
	}
}

func TestCreditResize(t *testing.T) {
	c := NewCredit(100)
	receive(t, &c, 60)
	c.Release(10)
	wantUpdate(t, "growing announces what is due too", c.Resize(150), 60)
	if c.Outstanding() != 100 || c.Target() != 150 {
		t.Error(c)
	}
	wantUpdate(t, "the same size", c.Resize(150), 0)
	wantUpdate(t, "shrinking announces nothing", c.Resize(20), 0)
	receive(t, &c, 100) // what was announced stays
	c.Release(130)
	wantUpdate(t, "20 are held, as many as the target", c.Update(), 0)
	wantUpdate(t, "growing under what is held and outstanding", c.Resize(20), 0)
	c.Release(10)
	wantUpdate(t, "half the smaller target is due", c.Update(), 10)
	c.Release(10)
	wantUpdate(t, "all of it", c.Update(), 10)
	if c.Outstanding() != 20 || c.Held() != 0 {
		t.Error(c)
	}
	wantUpdate(t, "to the top", c.Resize(1<<31-1), MaxWindow-20)
	wantUpdate(t, "negative is none", c.Resize(-1), 0)
	if c.Target() != 0 {
		t.Error(c)
	}
}

func TestCreditShift(t *testing.T) {
	t.Run("9113-6.9.2/smaller_after_ack", func(t *testing.T) {
		c := NewCredit(DefaultWindow) // the peer may not know yet that we want 1000
		receive(t, &c, 5000)
		if err := c.Shift(1000 - DefaultWindow); err != nil {
			t.Fatal(err)
		}
		if c.Outstanding() != -4000 || c.Target() != 1000 {
			t.Error(c)
		}
		receive(t, &c, 0)
		if err := c.Receive(1); !errors.Is(err, ErrExceeded) {
			t.Error(err)
		}
		c.Release(4000)
		wantUpdate(t, "what is released pays the debt: 4000 are due, the peer's window comes to 0", c.Update(), 4000)
		c.Release(1000)
		wantUpdate(t, "then there is credit again", c.Update(), 1000)
		receive(t, &c, 1000)
	})
	t.Run("9113-6.9.2/overflow", func(t *testing.T) {
		c := NewCredit(MaxWindow)
		if err := c.Shift(1); !errors.Is(err, ErrSettings) || c.Outstanding() != MaxWindow {
			t.Error(err)
		}
	})
	t.Run("9113-6.9.2/overflow_of_an_int_of_32_bits", func(t *testing.T) {
		c := NewCredit(MaxWindow)
		if err := c.Shift(MaxWindow); !errors.Is(err, ErrSettings) || c.Outstanding() != MaxWindow || c.Target() != MaxWindow {
			t.Error(err, c)
		}
	})
}

// TestCreditModel makes random calls of a Credit and of plain integers: all octets ever announced,
// received and released.
func TestCreditModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		target := rnd.IntN(1000)
		c := NewCredit(target)
		announced, received, released := target, 0, 0
		for range 300 {
			n := rnd.IntN(400)
			switch rnd.IntN(9) {
			case 8:
				want := target + released - announced
				if want < n {
					want = 0
				}
				if got := c.Flush(n); int(got) != max(want, 0) {
					t.Fatalf("Flush(%d): %d, want %d", n, got, want)
				}
				announced += max(want, 0)
			case 0, 1:
				err := c.Receive(n)
				if ok := n == 0 || received+n <= announced; ok != (err == nil) {
					t.Fatalf("Receive(%d): %v with %d announced, %d received", n, err, announced, received)
				}
				if err == nil {
					received += n
				}
			case 2, 3:
				n = min(n, received-released)
				c.Release(n)
				released += n
			case 4, 5:
				want := target + released - announced // to let the peer be target octets ahead
				if want < target/2 || want < 0 {
					want = 0
				}
				if due := c.Due(); due != target+released-announced {
					t.Fatalf("Due: %d, want %d", due, target+released-announced)
				}
				if got := c.Update(); int(got) != want {
					t.Fatalf("Update: %d, want %d", got, want)
				}
				announced += want
			case 6:
				size := rnd.IntN(1000)
				want := 0
				if size > target {
					want = max(0, size+released-announced)
				}
				if got := c.Resize(size); int(got) != want {
					t.Fatalf("Resize(%d): %d, want %d", size, got, want)
				}
				target = size
				announced += want
			case 7:
				delta := rnd.IntN(target+1) - target/2 - 1
				if target+delta < 0 {
					continue
				}
				if err := c.Shift(delta); err != nil {
					t.Fatal(err)
				}
				announced += delta
				target += delta
			}
			if c.Held() != received-released || c.Outstanding() != announced-received || c.Target() != target {
				t.Fatalf("%+v, want %d held, %d outstanding, target %d", c, received-released, announced-received, target)
			}
		}
	}
}

// side is one end of a connection: one connection window and some streams, both ways.
type side struct {
	conn    Window
	streams []Window
	credit  Credit
	credits []Credit
	left    []int // octets still to send, a stream
	got     []int // octets received, a stream
}

// message is what one side says to the other, in order.
type message struct {
	stream int // -1: the connection
	data   int
	update uint32
	shift  int // of the initial window, for all streams
}

// TestConservation lets two sides send octets on several streams, under random pauses, resizes and
// changes of settings, with messages under way in both directions. Nobody breaks the other's
// credit, all octets arrive, and at the end every window agrees with the credit on the other side.
func TestConservation(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	const streams, each = 4, 20000
	for range 60 {
		initial := 1 + rnd.IntN(3000)
		ends := [2]*side{}
		for i := range ends {
			s := &side{conn: NewWindow(5000), credit: NewCredit(5000)}
			for range streams {
				s.streams = append(s.streams, NewWindow(initial))
				s.credits = append(s.credits, NewCredit(initial))
				s.left = append(s.left, each)
				s.got = append(s.got, 0)
			}
			ends[i] = s
		}
		var wire [2][]message // to each side
		say := func(from int, m message) { wire[1-from] = append(wire[1-from], m) }
		update := func(i, stream int, inc uint32) {
			if inc > 0 {
				say(i, message{stream: stream, update: inc})
			}
		}

		done := func() bool {
			for i, s := range ends {
				for k := range streams {
					if s.left[k] > 0 || s.got[k] < each || s.credits[k].Held() > 0 {
						return false
					}
				}
				if len(wire[i]) > 0 {
					return false
				}
			}
			return true
		}
		steps := 0
		for ; !done(); steps++ {
			if steps > 1_000_000 {
				t.Fatal("the sides wait for each other")
			}
			i := rnd.IntN(2)
			s, k := ends[i], rnd.IntN(streams)
			switch rnd.IntN(4) {
			case 0: // send
				n := min(rnd.IntN(2000), s.left[k], s.streams[k].Available(), s.conn.Available())
				if n == 0 {
					break
				}
				s.conn.Spend(n)
				s.streams[k].Spend(n)
				s.left[k] -= n
				say(i, message{stream: k, data: n})
			case 1: // take what comes
				if len(wire[i]) == 0 {
					break
				}
				m := wire[i][0]
				wire[i] = wire[i][1:]
				switch {
				case m.shift != 0:
					for k := range s.streams {
						if err := s.streams[k].Shift(m.shift); err != nil {
							t.Fatal(err)
						}
					}
				case m.update > 0 && m.stream < 0:
					if err := s.conn.Grow(m.update); err != nil {
						t.Fatal(err)
					}
				case m.update > 0:
					if err := s.streams[m.stream].Grow(m.update); err != nil {
						t.Fatal(err)
					}
				default:
					if err := errors.Join(s.credit.Receive(m.data), s.credits[m.stream].Receive(m.data)); err != nil {
						t.Fatal(err)
					}
					s.got[m.stream] += m.data
					s.credit.Release(m.data) // the connection's credit returns on receipt
					update(i, -1, s.credit.Update())
				}
			case 2: // consume
				c := &s.credits[k]
				c.Release(rnd.IntN(c.Held() + 1))
				update(i, k, c.Update())
			case 3: // another size, seldom
				switch rnd.IntN(40) {
				case 0:
					update(i, k, s.credits[k].Resize(1+rnd.IntN(5000)))
				case 1:
					// The larger value counts at once for us, the peer learns it in order with the
					// rest.
					delta := rnd.IntN(500)
					for k := range s.credits {
						if err := s.credits[k].Shift(delta); err != nil {
							t.Fatal(err)
						}
					}
					if delta > 0 {
						say(i, message{stream: -1, shift: delta})
					}
				}
			}
		}
		for i, s := range ends {
			peer := ends[1-i]
			if s.conn.Level() != int64(peer.credit.Outstanding()) {
				t.Fatalf("connection: window %d, credit %d", s.conn.Level(), peer.credit.Outstanding())
			}
			for k := range streams {
				if s.got[k] != each || s.streams[k].Level() != int64(peer.credits[k].Outstanding()) {
					t.Fatalf("stream %d: %d octets, window %d, credit %d", k, s.got[k], s.streams[k].Level(), peer.credits[k].Outstanding())
				}
			}
		}
	}
}
