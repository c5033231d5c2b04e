package h2_test

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

var (
	trafficRequests = flag.Int("traffic.requests", 2000,
		"how many requests TestTraffic makes of each server")
	trafficSeed  = flag.Uint64("traffic.seed", 1, "what the requests of TestTraffic come of")
	trafficBatch = flag.Int("traffic.batch", -1, "the only batch of TestTraffic to run")
	trafficOnly  = flag.Int("traffic.script", -1, "the only script of a batch to run")
)

// trafficBatchSize is how many requests run at once, over a few connections.
const trafficBatchSize = 50

// trafficRun is one batch against one server.
type trafficRun struct {
	t       *testing.T
	batch   int
	weir    *h2.Server // nil: net/http's
	secure  bool
	clock   trafficClock
	hs      *http.Server
	l       *memnet.Listener
	log     parityLog
	scripts []*trafficScript
	records []*trafficRecord

	window, answerWindow int // SETTINGS_INITIAL_WINDOW_SIZE of the server, and of its clients
	conns                int // raw ones, and as many Transports

	handlers sync.WaitGroup
	mu       sync.Mutex
	running  map[int]int         // handlers, by script
	watched  map[int]func() bool // by script: whether its request is still held
}

func (run *trafficRun) scheme() string {
	if run.secure {
		return "https"
	}
	return "http"
}

func (run *trafficRun) watch(i int, held func() bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.watched[i] = held
}

// enters counts the handlers of a script.
func (run *trafficRun) enters(i, n int) {
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.running[i] += n; run.running[i] == 0 {
		delete(run.running, i)
	}
}

// TestTraffic makes requests of random shape over net/http's HTTP/2 and over this package's, from
// Go's client and in raw frames, and holds what client and handler see on the one against the
// other. Where they differ, trafficDifferences says why. After each batch nothing may be left of
// it. interop/traffic.sh runs it with more requests.
func TestTraffic(t *testing.T) {
	cert := parityCert(t)
	batches := (*trafficRequests + trafficBatchSize - 1) / trafficBatchSize
	spared := &trafficTally{n: map[string]int{}}
	var done atomic.Int64
	first, last := 0, batches
	if *trafficBatch >= 0 {
		first, last = *trafficBatch, *trafficBatch+1
	}
	start := time.Now()
	trafficOne(t, cert, first,
		&trafficTally{n: map[string]int{}}) // fills what is kept for all: pools, tables
	heap := heapNow()
	t.Run("batches", func(t *testing.T) {
		for b := first; b < last; b++ {
			t.Run(fmt.Sprint(b), func(t *testing.T) {
				t.Parallel()
				trafficOne(t, cert, b, spared)
				if n := done.Add(1); n%100 == 0 || int(n) == batches {
					t.Logf("%d requests of each server, after %v; heap %d KiB", n*trafficBatchSize,
						time.Since(start).Round(time.Second), heapNow()>>10)
				}
			})
		}
	})
	spared.log(t)
	// A request that is kept costs 1 KiB at least; each of the tests that the batches are keeps a
	// little.
	if now, most := heapNow(), heap+4<<20+100*uint64(*trafficRequests); now > most {
		t.Errorf("the heap has grown from %d KiB to %d", heap>>10, now>>10)
	} else {
		t.Logf("heap: %d KiB before, %d after", heap>>10, now>>10)
	}
}

// heapNow is how much of the heap is in use, with nothing in it that could go.
func heapNow() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// trafficOne runs one batch against both servers.
func trafficOne(t *testing.T, cert tls.Certificate, batch int, spared *trafficTally) {
	var records [2][]*trafficRecord
	var scripts []*trafficScript
	for i, weir := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(*trafficSeed, uint64(batch)))
			run := &trafficRun{t: t, batch: batch, secure: r.IntN(8) == 0, clock: trafficClock{time.Now()},
				conns: 1 + r.IntN(3), running: map[int]int{}, watched: map[int]func() bool{}}
			run.window = []int{8192, 16384, 40_000, 65535, 1 << 18}[r.IntN(5)]
			run.answerWindow = []int{1000, 8192, 30_000, 65535, 1 << 20}[r.IntN(5)]
			g := &generator{Rand: r, window: run.window}
			for i := range trafficBatchSize {
				s := g.script(i, r.IntN(2) == 0, run.conns)
				if *trafficOnly >= 0 && i != *trafficOnly {
					s = nil
				}
				run.scripts = append(run.scripts, s)
				run.records = append(run.records, &trafficRecord{})
			}
			run.all(cert, weir, r)
			records[i], scripts = run.records, run.scripts
		})
	}
	for i, s := range scripts {
		if s != nil {
			trafficCompare(t, batch, s, records[0][i], records[1][i], spared)
		}
	}
}

// serve starts the server.
func (run *trafficRun) serve(cert tls.Certificate, weir bool) {
	run.l = memnet.Listen()
	run.hs = &http.Server{Handler: run, ErrorLog: log.New(&run.log, "", 0),
		Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	run.hs.Protocols.SetHTTP1(true)
	run.hs.Protocols.SetHTTP2(true)
	run.hs.Protocols.SetUnencryptedHTTP2(true)
	run.hs.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: run.window,
		MaxReceiveBufferPerConnection: 65535 + 2*trafficBatchSize*run.window,
		MaxReadFrameSize:              16384} // Go's client puts as much of a body into its buffer
	if weir {
		var err error
		if run.weir, err = h2.ConfigureServer(run.hs, nil); err != nil {
			run.t.Fatal(err)
		}
	}
	go func() { // ends with the server
		if run.secure {
			run.hs.ServeTLS(run.l, "", "")
		} else {
			run.hs.Serve(run.l)
		}
	}()
	synctest.Wait()
}

func (run *trafficRun) dial() net.Conn {
	nc, err := run.l.Dial(run.t.Context())
	if err != nil {
		run.t.Fatal(err)
	}
	if run.secure {
		return tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	return nc
}

func (run *trafficRun) transport() *http.Transport {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn,
			error) {
			return run.l.Dial(ctx)
		},
		Protocols:       new(http.Protocols),
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		HTTP2:           &http.HTTP2Config{MaxReceiveBufferPerStream: run.answerWindow},

		ExpectContinueTimeout: 20*time.Millisecond + 450*time.Microsecond,
		DisableCompression:    true,
	}
	tr.Protocols.SetHTTP2(run.secure)
	tr.Protocols.SetUnencryptedHTTP2(!run.secure)
	return tr
}

// greet opens the connection of tr, so that the SETTINGS of the server are known. net/http holds a
// client to a small window before it can know of it.
func (run *trafficRun) greet(tr *http.Transport) {
	u := &url.URL{Scheme: run.scheme(), Host: "example.test", Path: trafficHello}
	req := (&http.Request{Header: http.Header{}, URL: u}).WithContext(run.t.Context())
	resp, err := tr.RoundTrip(req)
	if err != nil {
		run.t.Errorf("%s: %v", run.name(), err)
		return
	}
	resp.Body.Close()
}

// all plays the scripts, and then looks for what they have left.
func (run *trafficRun) all(cert tls.Certificate, weir bool, r *rand.Rand) {
	run.serve(cert, weir)
	var raws []*rawPeer
	var transports []*http.Transport
	for range run.conns {
		p := newRawPeer(run, run.dial(), rand.New(rand.NewPCG(r.Uint64(), 1)))
		raws = append(raws, p)
		transports = append(transports, run.transport())
		for i := range r.IntN(4) {
			at, ss := r.IntN(60), []http2.Setting{{ID: 4, Val: uint32(1000 + r.IntN(100_000))}, {ID: 5,
				Val: uint32(16384 + r.IntN(100_000))}, {ID: 1, Val: uint32(r.IntN(10_000))}}
			r.Shuffle(len(ss), func(i, j int) { ss[i], ss[j] = ss[j], ss[i] })
			ss = ss[:1+r.IntN(len(ss))]
			if i > 0 { // hpack.Decoder does not take two updates of the table's size at once
				ss = slices.DeleteFunc(ss,
					func(s http2.Setting) bool { return s.ID == http2.SettingHeaderTableSize })
			}
			defer time.AfterFunc(time.Duration(at)*time.Millisecond+400*time.Microsecond,
				func() { p.change(ss) }).Stop()
		}
	}
	for _, tr := range transports {
		run.greet(tr)
	}
	synctest.Wait()
	var clients sync.WaitGroup
	for i, s := range run.scripts {
		if s == nil {
			continue
		}
		clients.Go(func() {
			run.clock.until(1+s.Start, s.clientPhase())
			switch {
			case s.Raw:
				raws[s.Conn].play(s, run.records[i])
			case s.Close:
				tr := run.transport()
				run.greet(tr)
				run.viaTransport(tr, s, run.records[i])
				tr.CloseIdleConnections()
			default:
				run.viaTransport(transports[s.Conn], s, run.records[i])
			}
		})
	}
	clients.Wait()
	time.Sleep(2 * trafficGuard) // what a handler still does
	run.mu.Lock()
	for i := range run.running {
		run.t.Errorf("%s: the handler of script %d is still running: %v", run.name(), i, run.scripts[i])
	}
	run.mu.Unlock()
	time.Sleep(2 * time.Minute) // timers of the connection
	synctest.Wait()
	if weir {
		windows := run.rest()
		for _, p := range raws {
			p.mu.Lock()
			if have := windows[p.nc.LocalAddr().String()]; p.err == nil && have != p.credit {
				run.t.Errorf("weir at rest: a connection may send %d octets, and its client thinks %d", have,
					p.credit)
			}
			p.mu.Unlock()
		}
	}
	for _, p := range raws {
		for _, f := range p.finish() {
			run.t.Errorf("%s: raw frames: %s", run.name(), f)
		}
		p.nc.Close()
	}
	for _, tr := range transports {
		tr.CloseIdleConnections()
	}
	if text := run.log.text(); strings.Count(text, "\n") > 0 {
		run.logged(text)
	}
	synctest.Wait()
	run.hs.Close()
	run.l.Close()
	run.handlers.Wait()
	synctest.Wait()
}

func (run *trafficRun) name() string {
	if run.weir != nil {
		return "weir"
	}
	return "net/http"
}

// logged holds ErrorLog to the panics that the scripts have asked for.
func (run *trafficRun) logged(text string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "panic serving") && !strings.Contains(line,
			"the handler of a script panics") {
			run.t.Errorf("%s: ErrorLog: %s", run.name(), line)
		}
	}
}

// rest holds that nothing is left of the requests while their connections are still there.
func (run *trafficRun) rest() map[string]int {
	windows, faults := run.weir.Rest()
	for _, f := range faults {
		run.t.Errorf("weir at rest: %s", f)
	}
	if st := run.weir.Stats(); st.Streams != 0 || st.Limits.Total() != 0 {
		run.t.Errorf("weir at rest: %d streams, limits %v", st.Streams, st.Limits)
	}
	for range 3 {
		runtime.GC()
		maps.DeleteFunc(run.watched, func(_ int, held func() bool) bool { return !held() })
	}
	for i := range run.watched {
		run.t.Errorf("weir at rest: the request is still held, by a timer or a list, of script %d: %v", i,
			run.scripts[i])
	}
	return windows
}

// trafficTally counts how often a difference was met.
type trafficTally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *trafficTally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[what]++
}

func (c *trafficTally) log(t *testing.T) {
	for _, what := range slices.Sorted(maps.Keys(c.n)) {
		t.Logf("%6d × %s", c.n[what], what)
	}
}

// trafficCompare holds what was seen on the two servers against each other.
func trafficCompare(t *testing.T, batch int, s *trafficScript, nethttp, weir *trafficRecord,
	spared *trafficTally) {
	keys := map[string]bool{}
	for k := range nethttp.seen {
		keys[k] = true
	}
	for k := range weir.seen {
		keys[k] = true
	}
	if *trafficOnly >= 0 {
		for _, seen := range []seenIn{nethttp.seen, weir.seen} {
			for _, k := range slices.Sorted(maps.Keys(seen)) {
				t.Logf("%s: %s", k, seen[k])
			}
		}
	}
	var text []string
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		a, inA := nethttp.seen[k]
		b, inB := weir.seen[k]
		if a == b && inA == inB && !strings.Contains(a, "WRONG") && k != "STUCK" {
			continue
		}
		asked := k == "request" || k == "request header" || k == "request content"
		if s.Wild && !asked && k != "STUCK" && !strings.Contains(a+b, "WRONG") {
			spared.add("what is done at the same time")
			continue
		}
		if what := trafficSpared(s, k, nethttp.seen, weir.seen); what != "" {
			spared.add(what)
			continue
		}
		if !inA {
			a = "(none)"
		}
		if !inB {
			b = "(none)"
		}
		text = append(text, fmt.Sprintf("%s\n\tnet/http %s\n\tweir     %s", k, a, b))
	}
	if len(text) > 0 {
		t.Errorf("-traffic.seed=%d -traffic.batch=%d -traffic.script=%d\n%s\nscript %v", *trafficSeed,
			batch, s.I, strings.Join(text, "\n"), s)
	}
}
