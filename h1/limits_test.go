package h1

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"
	"weir/stream/memnet"
)

func TestWriteTimeout(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		want    time.Duration
	}{{"default", 0, 30 * time.Second}, {"set", time.Second, time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memnet.Pair(1000)
				s := newTunnel(a, stream.Info{}, nil, nil)
				k := attach(s, stream.Limits{WriteTimeout: c.timeout})
				start := time.Now()
				if _, err := s.Send([][]byte{make([]byte, 2000)}, false); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Send: %v", err)
				}
				if err := <-k.ends; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != c.want {
					t.Errorf("after %v Closed(%v)", time.Since(start), err)
				}
				b.Close()
			})
		})
	}
	t.Run("never", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pair(1000)
			s := newTunnel(a, stream.Info{}, nil, nil)
			k := attach(s, stream.Limits{WriteTimeout: -1})
			time.AfterFunc(1000*time.Hour, func() { io.CopyN(io.Discard, b, 2000) })
			if _, err := s.Send([][]byte{make([]byte, 2000)}, false); err != nil {
				t.Errorf("Send: %v", err)
			}
			s.Reset(stream.Cancel)
			<-k.ends
			b.Close()
		})
	})
	t.Run("progress_counts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := memnet.Pair(piece)
			s := newTunnel(a, stream.Info{}, nil, nil)
			k := attach(s, stream.Limits{WriteTimeout: time.Minute})
			const total = inline + 20*piece
			read := make(chan int64)
			go func() { // ends when all is read
				var n int64
				for n < total {
					if n >= inline {
						time.Sleep(50 * time.Second)
					}
					m, err := io.CopyN(io.Discard, b, piece)
					if n += m; err != nil {
						break
					}
				}
				read <- n
			}()
			if n, err := s.Send([][]byte{make([]byte, total)}, false); n != 20*piece || err != nil {
				t.Errorf("Send: queued %d, %v", n, err)
			}
			if n := <-read; n != total {
				t.Errorf("%d of %d octets arrived", n, total)
			}
			s.Reset(stream.Cancel)
			<-k.ends
			b.Close()
		})
	})
	t.Run("tcp", func(t *testing.T) {
		a, b := loopback(t)
		defer b.Close()
		s := newTunnel(a, stream.Info{}, nil, nil)
		k := attach(s, stream.Limits{WriteTimeout: time.Millisecond})
		for { // more than the buffers of any kernel take
			n, err := s.Send([][]byte{make([]byte, 1<<20)}, false)
			if n > 32<<20 || err != nil {
				break
			}
		}
		if err := <-k.ends; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Closed(%v)", err)
		}
	})
}

// wholeConn cannot end one side.
type wholeConn struct{ net.Conn }

func TestNoHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(0)
		s := newTunnel(wholeConn{a}, stream.Info{}, nil, nil)
		k := attach(s, stream.Limits{})
		if _, err := s.Send([][]byte{[]byte("bye")}, true); err != nil {
			t.Errorf("Send: %v", err)
		}
		if err := <-k.ends; err != nil {
			t.Errorf("Closed(%v)", err)
		}
		if got, err := io.ReadAll(b); string(got) != "bye" || err != nil {
			t.Errorf("the peer read %q, %v", got, err)
		}
		b.Close()
	})
}

// TestResetThroughTLS: the peer sees a TCP reset, not an alert.
func TestResetThroughTLS(t *testing.T) {
	certificate()
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(0)
		x, _ := secured(t, a, b)
		s := newTunnel(x, stream.Info{}, nil, nil)
		k := attach(s, stream.Limits{})
		s.Reset(stream.Cancel)
		<-k.ends
		if n, err := b.Read(make([]byte, 100)); n > 0 || err == nil || err == io.EOF {
			t.Errorf("the peer read %d octets, %v", n, err)
		}
		b.Close()
	})
}

// TestSendAllocates nothing while the peer keeps up.
func TestSendAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	a, b := loopback(t)
	s := newTunnel(a, stream.Info{}, nil, nil)
	done := make(chan struct{})
	go func() { // ends when s is reset
		defer close(done)
		io.Copy(io.Discard, b)
	}()
	head, payload := []byte{0x81, 100}, make([]byte, 100)
	v := [][]byte{head, payload}
	if n := testing.AllocsPerRun(200, func() {
		if _, err := s.Send(v, false); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a Send", n)
	}
	s.Reset(stream.Cancel)
	<-done
	b.Close()
}

// drains is a sink that waits for Drained.
type drains struct {
	keeper
	drained chan struct{}
}

func (d *drains) Drained() { d.drained <- struct{}{} }

// TestLow: Drained is told once, when the queue has fallen to Low, not when it is empty.
func TestLow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(piece)
		s := newTunnel(a, stream.Info{}, nil, nil)
		d := &drains{keeper{s, nil, make(chan error, 1)}, make(chan struct{}, 10)}
		s.Attach(d, stream.Limits{Low: 2 * piece, WriteTimeout: -1})
		go io.CopyN(io.Discard, b, inline) // ends when the Send has written what it writes itself
		if n, err := s.Send([][]byte{make([]byte, inline+6*piece)}, false); n != 6*piece || err != nil {
			t.Errorf("Send: queued %d, %v", n, err)
		}
		for i := range 6 {
			synctest.Wait()
			n, _ := s.Send(nil, false)
			if got, want := len(d.drained), n <= 2*piece; (got == 1) != want || got > 1 {
				t.Errorf("%d pieces read, %d octets queued: Drained %d times", i, n, got)
			}
			io.CopyN(io.Discard, b, piece)
		}
		s.Reset(stream.Cancel)
		<-d.ends
		b.Close()
	})
}
