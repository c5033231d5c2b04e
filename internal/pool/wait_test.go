package pool_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/internal/pool"
	"weir/stream"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

// A dial that was called off and takes its time to end is nobody's: who comes before it has ended
// has one of its own, and does not get its error.
func TestCalledOffAndSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := memnet.Listen()
		defer ln.Close()
		s := &server{t: t}
		s.pool = pool.New(func(ctx context.Context) (net.Conn, error) {
			if s.conns.Add(1) == 1 {
				<-ctx.Done()
				time.Sleep(time.Second) // it takes its time to end
				return nil, ctx.Err()
			}
			return ln.Dial(ctx)
		}, nil)
		go func() { // ends with the listener
			if nc, err := ln.Accept(); err == nil {
				s.good(nc)
			}
		}()
		if _, err := s.open(100 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		began := time.Now()
		if _, err := s.open(10 * time.Second); err != nil || time.Since(began) > 0 {
			t.Errorf("who came next: %v, after %v", err, time.Since(began))
		}
		s.wantConns(2)
		for _, c := range s.pool.Leave(net.ErrClosed) {
			c.Close()
		}
		time.Sleep(time.Minute)
	})
}

// whose is the key of a context's value: the number of who opens.
type whose struct{}

// byWaiter is a pool whose dials each do what a script says of whom they were begun for.
func byWaiter(t *testing.T, plays func(n int, nc net.Conn),
	test func(s *server, open func(n int, timeout time.Duration) error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{t: t}
		s.pool = pool.New(func(ctx context.Context) (net.Conn, error) {
			s.conns.Add(1)
			near, far := memnet.Pair(0)
			n, _ := ctx.Value(whose{}).(int)
			go func() { // ends with the script, which ends with the connection
				defer far.Close()
				plays(n, far)
			}()
			return near, nil
		}, nil)
		test(s, func(n int, timeout time.Duration) error {
			ctx, stop := context.WithTimeout(context.WithValue(t.Context(), whose{}, n), timeout)
			defer stop()
			_, err := s.openIn(ctx)
			return err
		})
		for _, c := range s.pool.Leave(net.ErrClosed) {
			c.Close()
		}
		time.Sleep(time.Minute)
	})
}

// Whose dial has served somebody else has another one.
func TestOwnDialServesAnother(t *testing.T) {
	var s *server
	byWaiter(t, func(n int, nc net.Conn) {
		time.Sleep([]time.Duration{0, 20, 10, 30}[n] * time.Millisecond)
		if n != 1 || s.conns.Load() > 4 {
			s.good(nc, streams(1))
		}
	}, func(on *server, open func(int, time.Duration) error) {
		s = on
		if err := open(0, time.Second); err != nil { // so many streams the server allows
			t.Fatal(err)
		}
		errs := make(chan error, 3)
		for n := range 3 {
			go func() { errs <- open(n+1, 10*time.Second) }() // ends with its time
			synctest.Wait()
		}
		for range 3 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		s.wantConns(5)
	})
}

// Each time a dial hangs the next begins, whoever has left meanwhile.
func TestHangsWhoeverLeaves(t *testing.T) {
	s := &server{t: t}
	byWaiter(t, func(n int, nc net.Conn) {
		if n < 3 {
			hangs(nc)
		} else {
			s.good(nc)
		}
	}, func(_ *server, open func(int, time.Duration) error) {
		for _, timeout := range []time.Duration{300, 600} {
			go open(int(timeout)/300, timeout*time.Millisecond) // ends with its time
			synctest.Wait()
		}
		time.Sleep(400 * time.Millisecond)
		began := time.Now()
		if err := open(3, 5*time.Second); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
	})
}

// A server that hung and has come back is found, though somebody waits all the time; and one that
// has not is not dialled more often than it takes.
func TestHungDialsGiveWay(t *testing.T) {
	for hung, most := range map[int32]int32{5: 7, 1000: 13} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{t: t}
			s.pool = pool.New(func(ctx context.Context) (net.Conn, error) {
				if s.conns.Add(1) <= hung { // in its TLS, say
					<-ctx.Done()
					return nil, ctx.Err()
				}
				near, far := memnet.Pair(0)
				go s.good(far) // ends with the connection
				return near, nil
			}, nil)
			var opened atomic.Int32
			for range 60 {
				go func() { // ends with its time
					if _, err := s.open(2 * time.Second); err == nil {
						opened.Add(1)
					}
				}()
				time.Sleep(500 * time.Millisecond)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if hung == 5 && opened.Load() < 30 || s.conns.Load() > most {
				t.Errorf("%d hang: %d of 60 opened, %d dials", hung, opened.Load(), s.conns.Load())
			}
			for _, c := range s.pool.Leave(net.ErrClosed) {
				c.Close()
			}
			time.Sleep(time.Minute)
		})
	}
}

// A stream that ends makes room for one who waits while a dial hangs: at once where somebody else
// comes, who is second to it.
func TestRoomForWhoWaits(t *testing.T) {
	run(t, func(s *server, n int, nc net.Conn) {
		if n == 2 {
			hangs(nc)
		} else {
			s.good(nc, streams(1))
		}
	}, func(s *server) {
		st, err := s.open(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { st.Reset(stream.Cancel) })
		began := time.Now()
		if _, err := s.open(9 * time.Second); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
		s.wantConns(2)
	})
	run(t, func(s *server, n int, nc net.Conn) {
		if n == 2 {
			hangs(nc)
		} else {
			s.good(nc, streams(1))
		}
	}, func(s *server) {
		st, err := s.open(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		waits := make(chan error, 1)
		go func() { // ends with its time
			_, err := s.open(20 * time.Second)
			waits <- err
		}()
		synctest.Wait()
		st.Reset(stream.Cancel)
		synctest.Wait()
		go s.open(20 * time.Second) // ends with its time
		synctest.Wait()
		select {
		case err := <-waits:
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("who came first has no stream")
		}
	})
}

// One connection that took long does not make a later one that hangs hold everybody up.
func TestPatienceBounded(t *testing.T) {
	run(t, func(s *server, n int, nc net.Conn) {
		switch n {
		case 1:
			time.Sleep(9 * time.Second)
			p := h2test.New(nc, h2test.Options{Server: true, Settings: []http2.Setting{offer}})
			for f, err := p.Next(); err == nil; f, err = p.Next() {
				if f.Type == http2.FrameHeaders {
					opens(p, strings.Fields(f.String())[1])
					break
				}
			}
			time.Sleep(time.Second)
			p.Close()
		case 2:
			hangs(nc)
		default:
			s.good(nc)
		}
	}, func(s *server) {
		if _, err := s.open(20 * time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		began := time.Now()
		if n, errs := s.all(10, 9*time.Second); n != 10 || time.Since(began) > 5*time.Second {
			t.Errorf("%d opened after %v, %v", n, time.Since(began), errs)
		}
	})
}

// Who waits without a dial of its own, and is the last to give up, is told its own reason.
func TestReasonIsOnesOwn(t *testing.T) {
	run(t, func(_ *server, _ int, nc net.Conn) { hangs(nc) }, func(s *server) {
		first, second := errors.New("the first has left"), errors.New("the second has left")
		errs := make(chan error, 2)
		wait := func(d time.Duration, why error) {
			ctx, cancel := context.WithCancelCause(s.t.Context())
			time.AfterFunc(d, func() { cancel(why) })
			_, err := s.openIn(ctx)
			errs <- err
		}
		go wait(100*time.Millisecond, first)
		synctest.Wait()
		go wait(200*time.Millisecond, second)
		if err := <-errs; !errors.Is(err, first) || !errors.Is(err, context.Canceled) {
			t.Errorf("the first: %v", err)
		}
		if err := <-errs; !errors.Is(err, second) || errors.Is(err, first) || !errors.Is(err, context.Canceled) {
			t.Errorf("the second: %v", err)
		}
	})
}

// Leave gives the connections that the server has left, too, as long as they have streams.
func TestLeaveGivesAll(t *testing.T) {
	run(t, func(s *server, n int, nc net.Conn) {
		if n > 1 {
			s.good(nc)
			return
		}
		s.speaks(nc, []http2.Setting{offer}, func(p *h2test.Peer, id string) {
			opens(p, id)
			p.Send("GOAWAY " + id + " NO_ERROR")
		})
	}, func(s *server) {
		st, err := s.open(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := s.open(time.Second); err != nil {
			t.Fatal(err)
		}
		var cs []stream.Mux
		if cs = s.pool.Leave(pool.ErrLeft); len(cs) != 2 {
			t.Errorf("%d connections, and WebSockets are open on 2", len(cs))
		}
		st.Reset(stream.Cancel)
		for _, c := range cs {
			c.Close()
		}
	})
}

// ClientConfig.IdleTimeout is not the time that a server has for its SETTINGS.
func TestIdleBeforeSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{t: t}
		near, far := memnet.Pair(0)
		s.pool = pool.New(func(context.Context) (net.Conn, error) {
			s.conns.Add(1)
			return near, nil
		}, &h2.ClientConfig{IdleTimeout: time.Second})
		go func() { // ends with the connection
			time.Sleep(5 * time.Second)
			s.good(far)
		}()
		began := time.Now()
		if st, err := s.open(20 * time.Second); err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("%v, after %v", err, time.Since(began))
		} else {
			st.Reset(stream.Cancel)
		}
		s.wantConns(1)
		time.Sleep(5 * time.Second)
		if !s.pool.Unused() {
			t.Error("the connection is kept")
		}
	})
}
