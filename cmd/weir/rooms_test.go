package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/wsframe"
)

// What one member sends goes to every member of its room, itself too, over whatever it came.
func TestRooms(t *testing.T) {
	p := start(t)
	var members []*raw
	for _, transport := range transports {
		l := newLane(t, p, transport)
		members = append(members, l.open(t, "/rooms/lobby"), l.open(t, "/rooms/lobby?compress=1", "Sec-WebSocket-Extensions", noTakeover))
	}
	elsewhere := newLane(t, p, "h1").open(t, "/rooms/elsewhere")
	for range members {
		p.event("open", "/rooms/lobby")
	}
	p.event("open", "/rooms/elsewhere")
	elsewhere.say(text("unheard"))
	elsewhere.wantNext(`text "unheard"`)
	for i, m := range members {
		m.say(begin(wsframe.Text, "Hel"), ping("only mine"), last("lo"), binaryFrame(strconv.Itoa(i)))
		m.wantNext(`pong "only mine"`)
		for j, other := range members {
			if j%2 == 0 {
				other.wantNext(`text "Hello"`)
				other.wantNext(fmt.Sprintf("binary %q", strconv.Itoa(i)))
			} else { // RFC 7692, 7.2.3.1
				other.wantNext(`text compressed "\xf2H\xcd\xc9\xc9\a\x00"`)
				if h, _, err := other.frame(); err != nil || !h.RSV1 || h.Op != wsframe.Binary {
					t.Fatalf("%+v, %v", h, err)
				}
			}
		}
	}
	for _, m := range members {
		m.say(closing(1000, ""))
		m.want(ended("1000")...)
		p.wantEnd("/rooms/lobby", event{"reason": "remote", "in": event{"messages": 2, "bytes": 6},
			"out": event{"messages": 2 * len(members), "bytes": 6 * len(members)}})
	}
	elsewhere.say(closing(1000, ""))
	elsewhere.want(ended("1000")...)
}

// Nobody is too slow for what it says itself: a flood in one write comes back whole and in order,
// and reaches the others.
func TestRoomsFlood(t *testing.T) {
	const n = 20000
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		one, two := l.open(t, "/rooms/flood"), l.open(t, "/rooms/flood")
		p.event("open", "/rooms/flood")
		p.event("open", "/rooms/flood")
		var all []byte
		for i := range n {
			all = append(all, text(strconv.Itoa(i))...)
		}
		go one.say(all) // ends when the server has taken it all; it does so only as fast as it is read
		var wg sync.WaitGroup
		for _, m := range []*raw{one, two} {
			wg.Go(func() {
				for i := range n {
					if _, got, err := m.frame(); err != nil || string(got) != strconv.Itoa(i) {
						t.Errorf("message %d: %q, %v", i, got, err)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, m := range []*raw{one, two} {
			m.say(closing(1000, ""))
			m.want(ended("1000")...)
			p.wantEnd("/rooms/flood", event{"reason": "remote", "cut": nil})
		}
	})
}

// Among a room's members some never read. They cost bounded memory and are cut, which the events
// tell; the others get every message.
func TestSlowConsumers(t *testing.T) {
	const (
		size     = 16 << 10
		messages = 76 // of which the slow can have 64 waiting, and what the transport takes
		ahead    = 4  // messages that the fastest may be before the slowest that reads
	)
	p := start(t, "--idle-timeout", "0")
	var slow, fast []*raw
	for range roomConns {
		l := newLane(t, p, "h2c")
		for i := range roomStreams {
			r := l.open(t, "/rooms/slow")
			if i == 0 {
				slow = append(slow, r)
			} else {
				fast = append(fast, r)
			}
			p.event("open", "/rooms/slow")
		}
	}
	before := memory(t, p, "VmRSS")

	var progress sync.Mutex // guards what follows
	changed := sync.NewCond(&progress)
	got := make([]int, messages) // how many have message i
	var failed atomic.Bool       // set behind the test's error, once
	var wg sync.WaitGroup
	for _, m := range fast {
		wg.Go(func() {
			for i := range messages {
				_, b, err := m.frame()
				wrong := err != nil || len(b) != size || string(b[:8]) != fmt.Sprintf("%08d", i)
				progress.Lock()
				if wrong && !failed.Load() { // one says for all what is wrong
					t.Errorf("message %d: %d octets, %v", i, len(b), err)
					failed.Store(true)
				}
				if got[i]++; got[i] == len(fast) || wrong {
					changed.Signal()
				}
				progress.Unlock()
				if wrong {
					return
				}
			}
		})
	}
	began := time.Now()
	rest := payload(size - 8)
	for i := 0; i < messages && !failed.Load(); i++ {
		fast[0].say(binaryFrame(fmt.Sprintf("%08d", i) + rest))
		progress.Lock()
		for i >= ahead && got[i-ahead] < len(fast) && !failed.Load() {
			changed.Wait()
		}
		progress.Unlock()
	}
	if failed.Load() {
		t.FailNow() // the others wait for what is not sent; the end of the server ends them
	}
	wg.Wait()
	if failed.Load() {
		t.FailNow()
	}
	took := time.Since(began)

	for range slow {
		e := p.wantEnd("/rooms/slow", event{"reason": "error:closed", "cut": "backlog"})
		if out := e["out"].(map[string]any)["messages"].(float64); out >= messages {
			t.Errorf("a member that did not read was sent %v messages", out)
		}
	}
	peak := memory(t, p, "VmHWM")
	t.Logf("%d members, %d do not read: %d messages of %d octets in %v; memory %d KiB before, %d KiB at most", len(slow)+len(fast), len(slow), messages, size, took.Round(time.Millisecond), before>>10, peak>>10)
	if peak-before > roomGrowth {
		t.Errorf("memory grew by %d octets, %d are allowed", peak-before, roomGrowth)
	}
	for _, m := range slow {
		if got := m.all(); !strings.HasSuffix(got, "reset") {
			t.Errorf("a slow member's stream ended with %q, want RST_STREAM", got[max(0, len(got)-40):])
		}
	}
	for _, m := range fast {
		m.say(closing(1000, ""))
		m.want(ended("1000")...)
	}
	if _, text := fetch(t, client(t, false), http.MethodGet, p.http+"/metrics", nil); !strings.Contains(text, fmt.Sprintf("\nweir_slow_consumers_total %d\n", len(slow))) {
		t.Error("the metrics do not tell of the slow consumers")
	}
}

// What a room has sent is not kept for those that do not read: of 64 MiB the server holds what may
// wait, once.
func TestSlowConsumersMemory(t *testing.T) {
	const (
		size     = 64 << 10
		messages = 1024
	)
	for _, transport := range []string{"h2c", "h3"} {
		t.Run(transport, func(t *testing.T) {
			p := start(t)
			l := newLane(t, p, transport)
			for range 10 {
				l.open(t, "/rooms/slow")
			}
			m := newLane(t, p, transport).open(t, "/rooms/slow")
			before := memory(t, p, "VmRSS")
			message := binaryFrame(payload(size))
			go func() { // ends with the test: what is not read stops it
				for range messages {
					m.say(message)
				}
			}()
			for i := range messages {
				if _, b, err := m.frame(); err != nil || len(b) != size {
					t.Fatalf("message %d: %d octets, %v", i, len(b), err)
				}
			}
			for range 10 {
				p.wantEnd("/rooms/slow", event{"reason": "error:closed", "cut": "backlog"})
			}
			peak := memory(t, p, "VmHWM")
			t.Logf("%d MiB to one that reads and 10 that do not: memory %d KiB before, %d KiB at most", messages*size>>20, before>>10, peak>>10)
			if peak-before > slowGrowth {
				t.Errorf("memory grew by %d octets, %d are allowed", peak-before, slowGrowth)
			}
		})
	}
}

// memory is a line of the server's /proc/PID/status, in octets.
func memory(t *testing.T, p *process, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc: there is no telling how much memory the server takes")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in %s", name, status)
	return 0
}
