package h1

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"weir/stream"
	"weir/stream/streamtest"
)

// sink is one of functions; nil ones do nothing.
type sink struct {
	s      stream.Stream
	data   func(b []byte, fin bool)
	fill   func() []byte
	closed chan error
}

func (k *sink) Data(b []byte, fin bool) {
	if k.data != nil {
		k.data(b, fin)
	}
	k.s.Release(len(b))
}

func (k *sink) Fill() []byte {
	if k.fill == nil {
		return nil
	}
	return k.fill()
}

func (k *sink) Drained() {}

func (k *sink) Closed(err error) { k.closed <- err }

// watched is a stream that the poller watches, and its peer.
func watched(t *testing.T, k *sink) net.Conn {
	t.Helper()
	a, b := loopback(t)
	tun := newTunnel(a, stream.Info{}, nil, nil)
	if tun.sock == nil {
		t.Fatal("the poller does not watch it")
	}
	k.s, k.closed = tun, make(chan error, 1)
	tun.Attach(k, stream.Limits{})
	t.Cleanup(func() {
		k.s.Reset(stream.Cancel)
		<-k.closed
		b.Close()
	})
	return b
}

func heap() int {
	for range 3 { // pools give up what they hold in two
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestIdle: a stream that nothing happens on costs no goroutine, and 600 octets more than the
// net.Conn it came from.
func TestIdle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	const n = 1000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var own, peers []net.Conn
	for range n {
		b, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		own, peers = append(own, a), append(peers, b)
	}
	sinks := make([]sink, n)
	var heard sync.WaitGroup
	for i := range sinks {
		heard.Add(1)
		sinks[i].closed = make(chan error, 1)
		sinks[i].data = func(b []byte, _ bool) {
			if len(b) > 0 {
				heard.Done()
			}
		}
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	for i := range sinks {
		k := &sinks[i]
		k.s = newTunnel(own[i], stream.Info{}, nil, nil)
		own[i] = nil
		k.s.Attach(k, stream.Limits{})
	}
	for _, b := range peers { // each has been active
		if _, err := b.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	heard.Wait()
	streamtest.Until(t, "an idle stream costs 600 octets more than its net.Conn did, or less", func() bool { // the workers put their buffers back
		each := (heap() - before) / n
		t.Logf("%d octets a stream more than its net.Conn had", each)
		return each <= 600
	})
	streamtest.Until(t, "streams have no goroutines", func() bool {
		return runtime.NumGoroutine()-goroutines <= 2*runtime.GOMAXPROCS(0)+4
	})
	for i := range sinks {
		sinks[i].s.Reset(stream.Cancel)
		<-sinks[i].closed
		peers[i].Close()
	}
}

// TestBlockedSinks: sinks that wait inside Data, more of them than there are workers, hold up
// nobody else.
func TestBlockedSinks(t *testing.T) {
	const n = 50
	release := make(chan struct{})
	var inside sync.WaitGroup
	inside.Add(n)
	for range n {
		var once sync.Once
		b := watched(t, &sink{data: func([]byte, bool) {
			once.Do(inside.Done)
			<-release
		}})
		if _, err := b.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	inside.Wait() // all at once
	b := watched(t, &sink{data: func(_ []byte, fin bool) {
		if !fin {
			close(release)
		}
	}})
	if _, err := b.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-release
}

// TestWorkersWanted: one worker is alone as long as it has rests, and gets help for many events
// when it has none.
func TestWorkersWanted(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("nobody can help on one processor")
	}
	start := time.Now()
	p := &poller{workers: 1, rested: start}
	for _, c := range []struct {
		after  time.Duration
		events int
		want   int
	}{
		{after: unrest, events: batch, want: 0},
		{after: 2 * unrest, events: batch, want: min(batch/share, runtime.GOMAXPROCS(0)-1)},
		{after: 2 * unrest, events: share - 1, want: 0},
		{after: 2 * unrest, events: share, want: 1},
	} {
		p.queue = make([]event, c.events)
		if got := p.wanted(start.Add(c.after)); got != c.want {
			t.Errorf("%v: %d events: %d more, want %d", c.after, c.events, got, c.want)
		}
	}
}

// TestQueue: events are taken in order, and those that were taken do not stay, be the queue ever
// empty or not.
func TestQueue(t *testing.T) {
	p := new(poller)
	in, out := uint32(0), uint32(0)
	put := func(n int) {
		for range n {
			p.queue = append(p.queue, event{bits: in})
			in++
		}
	}
	take := func(n int) {
		for range n {
			if e := p.pop(); e.bits != out {
				t.Fatalf("event %d in the place of %d", e.bits, out)
			}
			out++
		}
	}
	put(100_000) // a message to many
	take(100_000 - 10)
	for range 10_000 {
		put(3)
		take(3)
	}
	if cap(p.queue) > 8*crowd {
		t.Errorf("room for %d events, of which %d wait", cap(p.queue), len(p.queue)-p.next)
	}
	take(10)
	if p.next != 0 || len(p.queue) != 0 {
		t.Errorf("%d of %d", p.next, len(p.queue))
	}
}

// TestEndWithOctets: an end that comes with octets is seen behind them, however short the read was.
func TestEndWithOctets(t *testing.T) {
	for range 100 {
		end := make(chan int, 1)
		n := 0
		b := watched(t, &sink{data: func(p []byte, fin bool) {
			if n += len(p); fin {
				end <- n
			}
		}})
		if _, err := b.Write([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		b.(*net.TCPConn).CloseWrite()
		if got := <-end; got != 10 {
			t.Fatalf("%d octets before the end", got)
		}
	}
}

// TestGoexitInData: a sink that ends its goroutine hears what comes next on another.
func TestGoexitInData(t *testing.T) {
	second := make(chan string, 1)
	first := make(chan struct{})
	calls := 0
	b := watched(t, &sink{data: func(p []byte, fin bool) {
		if calls++; calls == 1 {
			close(first)
			runtime.Goexit()
		} else if !fin {
			second <- string(p)
		}
	}})
	for i, s := range []string{"one", "two"} {
		if _, err := b.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-first
		}
	}
	if got := <-second; got != "two" {
		t.Errorf("then %q", got)
	}
}

// TestFillBeyondTheWindow: a large message may be read whole, though it is more than the window;
// then nothing is until it has been released.
func TestFillBeyondTheWindow(t *testing.T) {
	a, b := loopback(t)
	defer b.Close()
	const window, size = 10_000, 50_000
	k := &held{place: make([]byte, size), told: make(chan int, 100), ended: make(chan error, 1)}
	tun := newTunnel(a, stream.Info{}, nil, nil)
	if _, err := b.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	tun.Attach(k, stream.Limits{Window: window})
	hear := func(most int) (total int) {
		for total < most {
			n := <-k.told
			if n < 0 {
				t.Fatalf("an end behind %d octets", total)
			}
			total += n
		}
		return total
	}
	total := hear(window)
	tun.mu.Lock()
	if room := tun.room(); room > 0 {
		t.Errorf("room for %d octets, with %d not released", room, total)
	}
	tun.mu.Unlock()
	if _, err := b.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	for tun.Release(total); total < size+4; {
		n := hear(1)
		tun.Release(n)
		total += n
	}
	tun.Reset(stream.Cancel)
	<-k.ended
}

// TestFill: octets go to where the sink wants them, and those that do not fit come by themselves,
// in order.
func TestFill(t *testing.T) {
	all := make([]byte, 300_000)
	for i := range all {
		all[i] = byte(i ^ i>>8)
	}
	place := make([]byte, 10_000)
	var got []byte
	filled := 0
	done := make(chan struct{})
	b := watched(t, &sink{
		fill: func() []byte {
			if len(got)%3 == 0 {
				return nil
			}
			return place
		},
		data: func(p []byte, fin bool) {
			if fin {
				close(done)
				return
			}
			if &p[0] == &place[0] {
				filled += len(p)
			}
			got = append(got, p...)
		},
	})
	if _, err := b.Write(all[:1000]); err != nil { // 1000 is no multiple of 3
		t.Fatal(err)
	}
	if _, err := io.Copy(b, bytes.NewReader(all[1000:])); err != nil {
		t.Fatal(err)
	}
	b.(*net.TCPConn).CloseWrite()
	<-done
	if !bytes.Equal(got, all) || filled == 0 {
		t.Errorf("%d octets, the same: %v; %d where they belong", len(got), bytes.Equal(got, all), filled)
	}
}
