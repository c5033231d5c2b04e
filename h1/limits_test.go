package h1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
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
				if n, err := s.Send([][]byte{make([]byte, 2000)}, false); n != 2000 || err != nil {
					t.Errorf("Send: queued %d, %v", n, err)
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
			if n, err := s.Send([][]byte{make([]byte, 2000)}, false); n != 2000 || err != nil {
				t.Errorf("Send: queued %d, %v", n, err)
			}
			time.Sleep(1000 * time.Hour)
			io.CopyN(io.Discard, b, 2000)
			synctest.Wait()
			if n, err := s.Send(nil, false); n != 0 || err != nil {
				t.Errorf("then: queued %d, %v", n, err)
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
			if n, err := s.Send([][]byte{make([]byte, total)}, false); n != 19*piece || err != nil {
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

// TestSendAllocates nothing while the peer keeps up, whoever writes.
func TestSendAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for name, wrap := range map[string]func(a, b net.Conn) (x, y net.Conn){
		"tcp":     func(a, b net.Conn) (x, y net.Conn) { return a, b },
		"tls":     func(a, b net.Conn) (x, y net.Conn) { x, _ = secured(t, a, b); return x, b }, // reading TLS allocates
		"wrapped": func(a, b net.Conn) (x, y net.Conn) { return wholeConn{a}, b },
	} {
		for _, size := range []int{100, 60_000} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				a, b := wrap(loopback(t))
				s := newTunnel(a, stream.Info{}, nil, nil)
				done := make(chan struct{})
				go func() { // ends when s is reset
					defer close(done)
					io.Copy(io.Discard, b)
				}()
				head, payload := []byte{0x81, 100}, make([]byte, size)
				v := [][]byte{head, payload}
				if n := testing.AllocsPerRun(200, func() {
					if _, err := s.Send(v, false); err != nil {
						t.Fatal(err)
					}
				}); n >= 1 {
					t.Errorf("%v allocations a Send", n)
				}
				s.Reset(stream.Cancel)
				<-done
				b.Close()
			})
		}
	}
}

// TestSendBlocksForAMoment, where a Write blocks: the first time, and not while it is known to.
func TestSendBlocksForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(1000)
		s := newTunnel(a, stream.Info{}, nil, nil)
		k := attach(s, stream.Limits{})
		for i, want := range []time.Duration{moment, 0, 0} {
			start := time.Now()
			n, err := s.Send([][]byte{make([]byte, 2000)}, false)
			if d := time.Since(start); n != 2000*(i+1) || err != nil || d != want {
				t.Errorf("Send %d: queued %d after %v, %v", i, n, d, err)
			}
		}
		io.CopyN(io.Discard, b, 6000)
		synctest.Wait()
		if n, err := s.Send([][]byte{make([]byte, 1000)}, false); n != 0 || err != nil {
			t.Errorf("once the peer reads: queued %d, %v", n, err)
		}
		s.Reset(stream.Cancel)
		<-k.ends
		b.Close()
	})
}

const flood = 24 << 20 // more than the buffers of any kernel hold

// TestBothSendMuch: two that send each other more than their sockets hold, on the goroutines that read, do not wait for
// each other.
func TestBothSendMuch(t *testing.T) {
	for name, wrap := range map[string]func(a, b net.Conn) (x, y net.Conn){
		"tcp":     func(a, b net.Conn) (x, y net.Conn) { return a, b },
		"tls":     func(a, b net.Conn) (x, y net.Conn) { return secured(t, a, b) },
		"wrapped": func(a, b net.Conn) (x, y net.Conn) { return wholeConn{a}, wholeConn{b} },
	} {
		t.Run(name, func(t *testing.T) {
			x, y := streams(wrap(loopback(t)))
			sinks := []*flooder{{s: x, left: flood}, {s: y, left: flood}}
			var wg sync.WaitGroup
			for _, f := range sinks {
				f.wg = &wg
				wg.Add(1)
				f.s.Attach(f, stream.Limits{WriteTimeout: -1})
			}
			for _, f := range sinks {
				f.s.Send([][]byte{make([]byte, 1000)}, false)
			}
			wg.Wait()
			for _, f := range sinks {
				f.s.Reset(stream.Cancel)
			}
		})
	}
}

func streams(a, b net.Conn) (x, y stream.Stream) { return ends(a, b, stream.H1) }

// flooder sends 128 KiB whenever something arrives, as long as there is some of it left, and reads as much.
type flooder struct {
	s         stream.Stream
	left, got int
	wg        *sync.WaitGroup
}

func (f *flooder) Data(b []byte, _ bool) {
	if f.left > 0 {
		f.left -= 128 << 10
		f.s.Send([][]byte{make([]byte, 128<<10)}, false)
	}
	before := f.got
	f.got += len(b)
	f.s.Release(len(b))
	if before < flood && f.got >= flood {
		f.wg.Done()
	}
}

func (f *flooder) Drained()     {}
func (f *flooder) Closed(error) {}

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
		go io.CopyN(io.Discard, b, inline) // ends when so much has been written; the socket holds another piece
		if n, err := s.Send([][]byte{make([]byte, inline+6*piece)}, false); n != 5*piece || err != nil {
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
