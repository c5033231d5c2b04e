package h3

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"weir/stream"
	"weir/stream/streamtest"
	"weir/websocket"
)

var idleServer = flag.Bool("idle.server", false, "be the server of TestIdleMemory")

// TestIdleServer is the other process of TestIdleMemory: an echo. For each line that it reads it
// says how many octets it holds, of the heap and of stacks, and how many goroutines.
func TestIdleServer(t *testing.T) {
	if !*idleServer {
		t.Skip("it is run by TestIdleMemory")
	}
	pc := udp(t)
	echo := websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
		if f.IsData() {
			out = append(out, f.Reply())
		}
		return out
	})
	s := start(t, nil, websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return echo, nil
	}).ServeHTTP, pc, nil)
	defer s.end()
	fmt.Println("port", pc.LocalAddr().(*net.UDPAddr).Port)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		for range 3 { // pools give up what they hold in two
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println("holds", m.HeapAlloc+m.StackInuse, runtime.NumGoroutine())
	}
}

// echo is a sink.
type echo struct{ st stream.Stream }

func (e *echo) Data(b []byte, fin bool) {
	_, _ = e.st.Send([][]byte{b}, fin) // Closed tells
	e.st.Release(len(b))
}
func (*echo) Drained()     {}
func (*echo) Closed(error) {}

// hello is a client's message of 12 octets, with a masking key of zeros.
const hello = "\x81\x8c\x00\x00\x00\x00hello, hello"

// TestIdleMemory: what a WebSocket holds that has echoed a message and waits for the next, its
// goroutine's stack too. The clients are in this process, and the server in another.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has memory of its own")
	}
	for _, r := range []struct {
		name               string
		conns, per         int
		octets, goroutines int // at most, of each stream or connection
		each               string
	}{
		{name: "shared", conns: 10, per: 100, octets: 9 << 10, goroutines: 1, each: "WebSocket"},
		{name: "alone", conns: 100, per: 1, octets: 70 << 10, goroutines: 7, each: "connection"},
	} {
		t.Run(r.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestIdleServer$", "-test.v", "-idle.server")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			lines := bufio.NewScanner(out)
			says := func(format string, args ...any) {
				t.Helper()
				for lines.Scan() {
					if n, _ := fmt.Sscanf(lines.Text(), format, args...); n == len(args) {
						return
					}
				}
				t.Fatal("the server has ended:", lines.Err())
			}
			var port int
			says("port %d", &port)
			s := &site{T: t, addr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, socket: func() net.PacketConn { return udp(t) }}
			defer func() {
				for i := range s.ends {
					s.ends[len(s.ends)-1-i]()
				}
			}()
			open := func(conns, per int) {
				for range conns {
					p := s.dial()
					for range per {
						c := p.open(append(connect("/chat?room=1"), data(hello)...))
						if fs, err := c.answer(); err != nil || fs[":status"] != "200" {
							t.Fatal(fs, err)
						}
						readN(t, c, 14)
					}
				}
			}
			held := func() (octets, goroutines int) {
				t.Helper()
				io.WriteString(in, "\n")
				says("holds %d %d", &octets, &goroutines)
				return octets, goroutines
			}
			open(1, 1) // what is there once
			before, running := held()
			open(r.conns, r.per)
			n := r.conns * r.per
			each, now := 0, 0
			streamtest.Until(t, fmt.Sprintf("at most %d octets a %s", r.octets, r.each), func() bool {
				var after int
				after, now = held()
				if k := (after - before) / n; k != each {
					each = k
					t.Logf("%d octets and %.2f goroutines a %s", each, float64(now-running)/float64(n), r.each)
				}
				return each <= r.octets
			})
			if more := now - running - 10*r.conns; r.per > 1 && more > r.goroutines*n {
				t.Errorf("%d goroutines more, want at most %d", more, r.goroutines*n)
			}
		})
	}
}

// TestAllocs: nothing is allocated here for a message on its way through. QUIC allocates for
// itself.
func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	rate := runtime.MemProfileRate
	defer func() { runtime.MemProfileRate = rate }()
	var st stream.Stream
	opened := make(chan struct{})
	loopback(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		var err error
		if st, err = w.(stream.Opener).OpenStream(nil); err != nil {
			panic(err)
		}
		st.Attach(&echo{st}, stream.Limits{})
		close(opened)
	}, func(s *site) {
		c := s.dial().open(append(connect("/"), data("first")...))
		streamtest.Within(t, "the stream is open", opened)
		if _, err := c.answer(); err != nil {
			t.Fatal(err)
		}
		readN(t, c, 5)
		message := data(strings.Repeat("x", 100))
		const n = 2000
		echoes := func() {
			for range n {
				if _, err := c.Write(message); err != nil {
					t.Fatal(err)
				}
				readN(t, c, 100)
			}
		}
		echoes() // pools and buffers are there
		before := allocsHere()
		runtime.MemProfileRate = 1
		echoes()
		runtime.MemProfileRate = 0
		for where, k := range allocsHere() {
			if k -= before[where]; k > n/50 { // a writer now and then, and pools after a collection
				t.Errorf("%d allocations at %s for %d messages", k, where, n)
			}
		}
	})
}

// allocsHere counts allocations by the function of this package that made them.
func allocsHere() map[string]int {
	runtime.GC()
	runtime.GC() // a profile is that of the collection before the last
	var records []runtime.MemProfileRecord
	for n, ok := runtime.MemProfile(nil, true); !ok; {
		records = make([]runtime.MemProfileRecord, n+100)
		if n, ok = runtime.MemProfile(records, true); ok {
			records = records[:n]
		}
	}
	all := map[string]int{}
	for _, r := range records {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			if strings.HasPrefix(f.Function, "runtime.") || strings.HasPrefix(f.Function, "sync.") || strings.HasPrefix(f.Function, "bytes.") {
				if more {
					continue
				}
				break
			}
			if strings.HasPrefix(f.Function, "weir/h3.") && !strings.HasSuffix(f.File, "_test.go") {
				all[fmt.Sprintf("%s:%d", f.Function, f.Line)] += int(r.AllocObjects)
			}
			break
		}
	}
	return all
}
