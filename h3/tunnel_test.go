package h3

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream"

	"github.com/quic-go/quic-go"
)

// sink is a stream.Sink that keeps what it is told.
type sink struct {
	st   stream.Stream
	hold bool // release nothing

	mu      sync.Mutex
	got     int
	fin     bool
	drained int
	over    bool
	err     error
}

func (k *sink) Data(b []byte, fin bool) {
	k.mu.Lock()
	k.got += len(b)
	k.fin = k.fin || fin
	k.mu.Unlock()
	if !k.hold {
		k.st.Release(len(b))
	}
}

func (k *sink) Drained() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.drained++
}

func (k *sink) Closed(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over, k.err = true, err
}

// closed gives what Closed was told.
func (k *sink) closed() (over bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over, k.err
}

// sinks opens each CONNECT for a sink.
type sinks struct {
	limits stream.Limits
	hold   bool
	all    []*sink
}

func (ks *sinks) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	st, err := w.(stream.Opener).OpenStream(nil)
	if err != nil {
		panic(err)
	}
	k := &sink{st: st, hold: ks.hold}
	ks.all = append(ks.all, k)
	st.Attach(k, ks.limits)
	_, _ = st.Send(nil, false)
}

// open opens a stream, and gives both ends.
func (ks *sinks) open(s *site, p *peer) (*rawStream, *sink) {
	s.Helper()
	c := p.open(connect("/"))
	if fs, err := c.answer(); err != nil || fs[":status"] != "200" {
		s.Fatal(fs, err)
	}
	settle()
	return c, ks.all[len(ks.all)-1]
}

// TestUnsentCounts: what a peer does not get is counted and bounded, though QUIC would take as much
// at once as the peer's window allows, and Send does not wait for it.
func TestUnsentCounts(t *testing.T) {
	ks := &sinks{limits: stream.Limits{Low: 1000, WriteTimeout: -1}}
	bubble(t, &options{cfg: Config{PathTimeout: time.Hour}}, ks.ServeHTTP, func(s *site) {
		_, k := ks.open(s, s.dialWith(&quic.Config{MaxIdleTimeout: time.Hour,
			InitialStreamReceiveWindow: 6 << 20, InitialConnectionReceiveWindow: 15 << 20}))
		s.cut()
		const each, n = 10_000, 200
		start := time.Now()
		for range n {
			if _, err := k.st.Send([][]byte{make([]byte, each)}, false); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > 0 {
			t.Errorf("Send waited for %v", d)
		}
		settle()
		const flight = 64 << 10 // the congestion window
		if queued, _ := k.st.Send(nil, false); queued < each*n-flight-hiddenMost || queued > each*n {
			t.Errorf("%d octets are queued of %d", queued, each*n)
		}
		if k.drained > 0 {
			t.Error("Drained")
		}
		k.st.Reset(stream.Cancel)
	})
}

// TestDrainedAgain: it is told each time the queue has been long.
func TestDrainedAgain(t *testing.T) {
	ks := &sinks{limits: stream.Limits{Low: 1000}}
	bubble(t, nil, ks.ServeHTTP, func(s *site) {
		c, k := ks.open(s, s.dial())
		for i := range 3 {
			k.st.Send([][]byte{make([]byte, 900_000)}, false)
			readN(t, c, 900_000)
			settle()
			if queued, err := k.st.Send(nil, false); queued != 0 || err != nil || k.drained != i+1 {
				t.Fatalf("%d octets are queued, %v; Drained %d times, want %d", queued, err, k.drained, i+1)
			}
		}
	})
}

// TestWriteTimeout: a peer that takes nothing for so long has the stream given up.
func TestWriteTimeout(t *testing.T) {
	ks := &sinks{limits: stream.Limits{WriteTimeout: 3 * time.Second}}
	bubble(t, nil, ks.ServeHTTP, func(s *site) {
		c, k := ks.open(s, s.dialWith(&quic.Config{MaxIdleTimeout: time.Hour, InitialStreamReceiveWindow: 64 << 10, MaxStreamReceiveWindow: 64 << 10}))
		k.st.Send([][]byte{make([]byte, 500_000)}, false)
		time.Sleep(2 * time.Second)
		readN(t, c, 50_000) // one that takes a little lives
		time.Sleep(2 * time.Second)
		if over, err := k.closed(); over {
			t.Fatalf("Closed(%v) though octets moved", err)
		}
		time.Sleep(7 * time.Second) // the write that has moved something has begun anew
		if _, err := k.closed(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Closed(%v)", err)
		}
	})
}

// TestDeadPath (RFC 9000, 10.1): what is idle lives as long as its path does, and ends with an
// error that is net.ErrClosed PathTimeout after it; paused streams too.
func TestDeadPath(t *testing.T) {
	for _, hold := range []bool{false, true} {
		ks := &sinks{hold: hold, limits: stream.Limits{Window: 1000}}
		bubble(t, nil, ks.ServeHTTP, func(s *site) {
			c, k := ks.open(s, s.dialWith(&quic.Config{}))
			c.SetWriteDeadline(time.Now().Add(time.Second))
			c.Write(data(string(make([]byte, 5000))))
			time.Sleep(time.Hour) // both ends' timeouts are 30 s
			if over, err := k.closed(); over {
				t.Fatalf("Closed(%v) after an idle hour", err)
			}
			s.cut()
			start := time.Now()
			for over := false; !over; over, _ = k.closed() {
				if time.Since(start) > 46*time.Second {
					t.Fatal("the stream outlives its path")
				}
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			if _, err := k.closed(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Closed(%v)", err)
			}
			if d := time.Since(start); d < 14*time.Second {
				t.Errorf("after %v", d)
			}
		})
	}
}

// TestConnectionClosed: CONNECTION_CLOSE of the peer ends every stream, those too that are paused
// or have ended their side.
func TestConnectionClosed(t *testing.T) {
	ks := &sinks{hold: true, limits: stream.Limits{Window: 100}}
	bubble(t, nil, ks.ServeHTTP, func(s *site) {
		p := s.dial()
		var all []*sink
		for i := range 3 {
			c, k := ks.open(s, p)
			c.Write(data(string(make([]byte, 1000))))
			if i == 1 {
				k.st.Send(nil, true)
			}
			if i == 2 {
				c.Close()
			}
			all = append(all, k)
		}
		settle()
		p.qc.CloseWithError(0x100, "")
		settle()
		for i, k := range all {
			if over, err := k.closed(); !over || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%d: over %v, Closed(%v)", i, over, err)
			}
		}
		if st := s.srv.Stats(); st.Conns != 0 || st.Tunnels != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestWindowBound: a stream that is paused holds its Limits.Window and StreamWindow, and all of a
// connection ConnWindow besides.
func TestWindowBound(t *testing.T) {
	ks := &sinks{hold: true, limits: stream.Limits{Window: 10_000}}
	cfg := Config{MaxStreams: 20, StreamWindow: 20_000}
	bubble(t, &options{cfg: cfg}, ks.ServeHTTP, func(s *site) {
		p := s.dial()
		var sent []int
		for i := range 19 {
			c, _ := ks.open(s, p)
			sent = append(sent, 0)
			go func() { // ends with the connection
				for {
					if _, err := c.Write(data(string(make([]byte, 95)))); err != nil {
						return
					}
					sent[i] += 97
				}
			}()
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		const most = 10_000 + 20_000 + 2_000 // and what the client's QUIC takes of one packet
		for i, n := range sent {
			if n > most || n < 24_000 { // credit goes back a quarter of a window at a time
				t.Errorf("stream %d: %d octets could be sent", i, n)
			}
		}
		c, k := ks.open(s, p) // the next is opened, and has its window
		c.Write(data("alive"))
		settle()
		if k.got != 5 {
			t.Errorf("it got %d octets", k.got)
		}
	})
}

// TestConfig: zero is the default, negative off, and http.Server's fields count.
func TestConfig(t *testing.T) {
	d := Config{}.with(new(http.Server))
	if d.MaxConns != 10_000 || d.MaxHandshakes != 1000 || d.RetryHandshakes != 100 || d.MaxStreams != 250 ||
		d.MaxHandlers != 250 || d.MaxQueued != 1000 || d.MaxHeaderBytes != 64<<10 || d.StreamWindow != 64<<10 ||
		d.ConnWindow != 267*64<<10 || d.MaxPeerResets != 500 || d.MaxIgnored != 2000 || d.HandshakeTimeout != 10*time.Second ||
		d.IdleTimeout != 3*time.Minute || d.PathTimeout != 30*time.Second || d.KeepAlive != 15*time.Second || d.AltSvcAge != 10*time.Minute {
		t.Errorf("defaults: %+v", d)
	}
	n := Config{MaxConns: -1, MaxHandshakes: -1, RetryHandshakes: -1, MaxHandlers: -1, MaxQueued: -1, MaxPeerResets: -1,
		MaxIgnored: -1, IdleTimeout: -1, KeepAlive: -1, AltSvcAge: -1}.with(new(http.Server))
	if n.MaxConns < 1<<30 || n.MaxHandshakes < 1<<30 || n.RetryHandshakes < 1<<30 || n.MaxHandlers < 1<<30 || n.MaxQueued < 1<<30 ||
		n.MaxPeerResets != -1 || n.MaxIgnored != -1 || n.IdleTimeout != 0 || n.KeepAlive != 0 || n.AltSvcAge != -1 {
		t.Errorf("off: %+v", n)
	}
	s := Config{}.with(&http.Server{IdleTimeout: time.Minute, MaxHeaderBytes: 10_000})
	if s.IdleTimeout != time.Minute || s.MaxHeaderBytes != 10_320 {
		t.Errorf("of http.Server: %+v", s)
	}
}
