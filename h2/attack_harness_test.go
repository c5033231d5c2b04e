package h2_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/streamtest"

	"golang.org/x/net/http2"
)

// attack is something a hostile peer does, and what has to come of it.
type attack struct {
	name     string
	cfg      h2.Config
	settings []http2.Setting // of the peer
	deaf     bool            // the peer reads nothing before it has done its worst
	run      func(a *attacker)

	limit    string        // as the log names it, or two, whichever comes first; "": the connection lives
	code     http2.ErrCode // of the GOAWAY, if it ends; 0: ENHANCE_YOUR_CALM
	frames   int           // the answer comes before so many frames, those of the greeting counted; see play for a busy machine
	handlers int64         // at most so many are started
	paced    bool          // that is by a limit for 10 s: more are where the attack takes longer
}

// target is a server on a loopback socket, under attack.
type target struct {
	t        *testing.T
	l        net.Listener
	h2       *h2.Server
	started  atomic.Int64  // handlers
	pieces   atomic.Int64  // written by /big
	release  chan struct{} // lets /stuck go
	mu       sync.Mutex
	limits   []string // from the log
	framesAt int64
}

func newTarget(t *testing.T, cfg h2.Config) *target {
	tg := &target{t: t, release: make(chan struct{})}
	cfg.Logger = slog.New(limitHandler{slog.DiscardHandler, tg})
	hs := &http.Server{Handler: http.HandlerFunc(tg.serve)}
	var err error
	if tg.h2, err = h2.ConfigureServer(hs, &cfg); err != nil {
		t.Fatal(err)
	}
	if tg.l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go hs.Serve(tg.l) // ends with Close
	t.Cleanup(func() {
		close(tg.release)
		tg.h2.Close()
		hs.Close()
	})
	return tg
}

// limitHandler picks the limits out of the log.
type limitHandler struct {
	slog.Handler
	tg *target
}

func (h limitHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h limitHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "h2: limit" || r.Level != slog.LevelWarn {
		return nil
	}
	h.tg.mu.Lock()
	defer h.tg.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "limit":
			h.tg.limits = append(h.tg.limits, a.Value.String())
		case "frames":
			h.tg.framesAt = int64(a.Value.Uint64())
		}
		return true
	})
	return nil
}

// logged is what the log said of limits; it waits for it if wait.
func (tg *target) logged(wait bool) (limits string, frames int64) {
	for range 10_000 {
		tg.mu.Lock()
		limits, frames = strings.Join(tg.limits, " "), tg.framesAt
		tg.mu.Unlock()
		if limits != "" || !wait {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return limits, frames
}

func (tg *target) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/healthy" {
		tg.started.Add(1)
	}
	switch {
	case stream.Token(r.Context()) != "":
		st, err := w.(stream.Opener).OpenStream(http.Header{})
		if err != nil {
			return
		}
		st.Attach(echoSink{st}, stream.Limits{})
		st.Send(nil, false)
	case r.URL.Path == "/block":
		<-r.Context().Done()
	case r.URL.Path == "/stuck":
		<-tg.release
	case r.URL.Path == "/big":
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
			tg.pieces.Add(1)
		}
	case r.URL.Path == "/leave":
		w.Header().Set("Connection", "close") // GOAWAY
	default:
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	}
}

var piece = make([]byte, 16<<10)

// echoSink sends back what it gets.
type echoSink struct{ st stream.Stream }

func (s echoSink) Data(b []byte, fin bool) {
	s.st.Send([][]byte{b}, fin)
	s.st.Release(len(b))
}
func (s echoSink) Drained()     {}
func (s echoSink) Closed(error) {}

func (tg *target) dial() net.Conn {
	nc, err := net.Dial("tcp", tg.l.Addr().String())
	if err != nil {
		tg.t.Fatal(err)
	}
	tg.t.Cleanup(func() { nc.Close() })
	return nc
}

// attacker is the hostile end of a connection.
type attacker struct {
	tg   *target
	nc   net.Conn
	enc  h2test.Encoder
	buf  []byte
	hear chan struct{}  // closed when reading begins
	end  chan struct{}  // closed when the connection has ended
	over atomic.Bool    // GOAWAY was received, or the connection has ended
	code http2.ErrCode  // of the GOAWAY; good once end is closed
	gone bool           // a GOAWAY came
	at   time.Time      // when it came
	seen map[string]int // frames received, RST_STREAM with its code; good once end is closed
	mu   sync.Mutex
}

func (tg *target) attack(settings []http2.Setting, deaf bool) *attacker {
	a := &attacker{tg: tg, nc: tg.dial(), hear: make(chan struct{}), end: make(chan struct{}), seen: map[string]int{}}
	if !deaf {
		close(a.hear)
	}
	a.buf = append(a.buf, http2.ClientPreface...)
	var p []byte
	for _, s := range settings {
		p = binary.BigEndian.AppendUint16(p, uint16(s.ID))
		p = binary.BigEndian.AppendUint32(p, s.Val)
	}
	a.frame(http2.FrameSettings, 0, 0, p...)
	a.frame(http2.FrameSettings, http2.FlagSettingsAck, 0)
	go a.read() // ends with the connection
	return a
}

func (a *attacker) read() {
	defer close(a.end)
	defer a.over.Store(true)
	<-a.hear
	var dec h2test.Decoder
	b := make([]byte, 32<<10)
	for {
		n, err := a.nc.Read(b)
		fs, ferr := dec.Feed(b[:n])
		a.mu.Lock()
		for _, f := range fs {
			name := f.Type.String()
			if f.Type == http2.FrameRSTStream {
				name += " " + f.Code.String()
			}
			if s := f.Field(":status"); s != "" {
				name += " " + s
			}
			a.seen[name]++
			if f.Type == http2.FrameGoAway && f.Code != http2.ErrCodeNo {
				a.code, a.gone, a.at = f.Code, true, time.Now()
				a.over.Store(true)
			}
		}
		a.mu.Unlock()
		if err != nil || ferr != nil {
			return
		}
	}
}

// frame sends a frame. False: there is no use in sending more.
func (a *attacker) frame(t http2.FrameType, flags http2.Flags, id uint32, payload ...byte) bool {
	a.buf = h2test.AppendFrame(a.buf, t, flags, id, payload)
	if len(a.buf) >= 8<<10 {
		a.flush()
	}
	return !a.over.Load()
}

// send sends a frame in text form.
func (a *attacker) send(line string) bool {
	b, err := a.enc.Append(nil, line)
	if err != nil {
		panic(err)
	}
	a.buf = append(a.buf, b...)
	if len(a.buf) >= 8<<10 {
		a.flush()
	}
	return !a.over.Load()
}

// block sends a field block, cut into frames.
func (a *attacker) block(id uint32, flags http2.Flags, p []byte) bool {
	t := http2.FrameHeaders
	for {
		n := min(len(p), 16384)
		if n == len(p) {
			flags |= http2.FlagHeadersEndHeaders
		}
		ok := a.frame(t, flags, id, p[:n]...)
		if p = p[n:]; len(p) == 0 || !ok {
			return ok
		}
		t, flags = http2.FrameContinuation, flags&^http2.FlagHeadersEndStream
	}
}

func (a *attacker) flush() {
	if len(a.buf) > 0 {
		_ = a.nc.SetWriteDeadline(time.Now().Add(streamtest.Patience(a.tg.t))) // who does not read may find the server does not either
		if _, err := a.nc.Write(a.buf); err != nil {
			a.over.Store(true)
		}
		a.buf = a.buf[:0]
	}
}

// count is how many frames of a name came.
func (a *attacker) count(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[name]
}

// await waits until n frames of a name came; false: the connection ended first, or they never came.
func (a *attacker) await(name string, n int) bool {
	a.flush()
	for end := time.Now().Add(streamtest.Patience(a.tg.t)); time.Now().Before(end); {
		if a.count(name) >= n {
			return true
		}
		select {
		case <-a.end:
			return a.count(name) >= n
		case <-time.After(time.Millisecond):
		}
	}
	return false
}

// healthy uses a second connection until stop is called, which says how often it was served.
func (tg *target) healthy() (stop func() int) {
	p, err := h2test.Dial(tg.dial())
	if err != nil {
		tg.t.Fatal(err)
	}
	done, result := make(chan struct{}), make(chan int)
	go func() { // ends with stop
		for n := 0; ; n++ {
			r, err := p.Get("/healthy")
			if err != nil || string(r.Body) != "hello" {
				tg.t.Errorf("the second connection: %v, %v", r, err)
				<-done
				result <- n
				return
			}
			select {
			case <-done:
				result <- n + 1
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() int {
		close(done)
		n := <-result
		p.Close()
		return n
	}
}

// heap watches how far the heap grows until stop, which gives the peak (garbage too) and what
// stays, both above what there was at the start.
func heap() (stop func() (peak, stays int64)) {
	old := debug.SetGCPercent(20)
	used := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	runtime.GC()
	runtime.GC()
	before := used()
	done, result := make(chan struct{}), make(chan int64)
	go func() { // ends with stop
		peak := before
		for {
			peak = max(peak, used())
			select {
			case <-done:
				result <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() (int64, int64) {
		close(done)
		peak := <-result
		runtime.GC()
		runtime.GC()
		debug.SetGCPercent(old)
		return peak - before, used() - before
	}
}
