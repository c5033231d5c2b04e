package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"weir/wsframe"
)

// A few octets ask for messages of 64 MiB that nobody reads. The server holds what its allowance
// says, the others wait for their turn, and get it.
func TestLargeMessages(t *testing.T) {
	const sockets = 8
	p := start(t)
	// /source closes behind its last message, which has 5 s to leave: it is not looked at.
	for _, path := range []string{"/push?interval=0&count=2&type=binary&size=", "/source?count=3&type=binary&size="} {
		t.Run(path, func(t *testing.T) {
			before := memory(t, p, "VmRSS")
			l := newLane(t, p, "h1")
			var all []*raw
			for range sockets {
				all = append(all, l.open(t, path+fmt.Sprint(maxPayload)))
			}
			for range all {
				p.event("open", path[:strings.Index(path, "?")])
			}
			wantSamples(t, p, "weir_", "weir_write_queue_sockets 2")
			if peak := memory(t, p, "VmHWM"); peak-before > largeGrowth {
				t.Errorf("memory grew by %d MiB, %d are allowed", (peak-before)>>20, largeGrowth>>20)
			}
			all[0].reset() // one that leaves makes room
			all[sockets-1].reset()
			var wg sync.WaitGroup
			for _, r := range all[1 : sockets-1] {
				wg.Go(func() {
					defer r.reset()
					for i := range 2 {
						head := make([]byte, 10)
						if _, err := io.ReadFull(r, head); err != nil {
							t.Error(err)
							return
						}
						h, n := wsframe.ParseHeader(head)
						if k, err := io.CopyN(io.Discard, r, h.Length); n != 10 || h.Length != maxPayload || err != nil {
							t.Errorf("message %d: %+v, %d octets, %v", i, h, k, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// Messages of all sessions are parts of one text, which is made in few lengths.
func TestPayloads(t *testing.T) {
	p := new(payloads)
	made := map[*byte]bool{}
	for n := int64(1); n < 1<<20; n += 999 {
		s := p.of(n)
		if int64(len(s)) != n || !strings.HasPrefix(s, "0123456789"[:min(10, n)]) {
			t.Fatalf("%d octets for %d", len(s), n)
		}
		made[unsafe.StringData(s)] = true
	}
	if len(made) > 6 {
		t.Errorf("%d texts", len(made))
	}
	if p.of(0) != "" {
		t.Error("a message of nothing has something")
	}
}

// A WebSocket keeps its query while it is open, so no query is long.
func TestLongQuery(t *testing.T) {
	p := start(t)
	for _, transport := range []string{"h1", "h1tls"} { // over HTTP/2 the limit is h2's own
		l := newLane(t, p, transport)
		l.open(t, "/echo?"+strings.Repeat("q", 60_000)).reset()
		if res, _ := upgradeOn(t, l.dial(t), "/echo?"+strings.Repeat("q", 100_000)); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %s", transport, res.Status)
		}
	}
}

// A peer may ask for larger messages than the flags say, but not without a limit: what it sends may
// inflate.
func TestFrameSizeAsked(t *testing.T) {
	declared := func(n int64) []byte {
		return wsframe.AppendHeader(nil, wsframe.Header{Fin: true, Op: wsframe.Binary, Masked: true, Length: n})
	}
	p := start(t)
	eachLane(t, p, func(t *testing.T, l *lane) {
		for _, x := range []exchange{
			{path: "/echo?max_frame_size=0", send: declared(maxAsked + 1)},
			{path: "/echo?max_frame_size=1099511627776", send: declared(maxAsked + 1)},
			{send: frames(script(`[{"set_options":{"max_frame_size":0}}]`), declared(maxAsked+1))},
		} {
			x.want, x.end = ended("1009"), event{"reason": "error:badsize"}
			x.run(t, l)
		}
	})
	for _, c := range []struct{ flag, asked, want int64 }{
		{1000, 0, maxAsked}, {1000, 5, 5}, {1000, maxAsked, maxAsked}, {1000, maxAsked + 1, maxAsked},
		{2 * maxAsked, 0, 2 * maxAsked}, {2 * maxAsked, 3 * maxAsked, 2 * maxAsked}, {0, 0, 0}, {0, 3 * maxAsked, 3 * maxAsked},
	} {
		if got := (&config{maxFrameSize: c.flag}).frameSize(c.asked); got != c.want {
			t.Errorf("--max-frame-size %d, %d asked for: %d, want %d", c.flag, c.asked, got, c.want)
		}
	}
}

// A message that is long for the number of members is not passed on: each of them may have it in a
// queue.
func TestRoomCopies(t *testing.T) {
	const members = roomCopy/900_000 + 1
	p := start(t)
	l := newLane(t, p, "h2c")
	for range members - 1 {
		l.open(t, "/rooms/many")
		p.event("open", "/rooms/many")
	}
	r := l.open(t, "/rooms/many")
	p.event("open", "/rooms/many")
	r.say(text(strings.Repeat("x", roomAny)), text(strings.Repeat("x", 900_000)))
	r.want(append([]string{"text of 65536"}, `close 1009 "900000 octets are too many for 75 members"`, "end")...)
	p.wantEnd("/rooms/many", event{"reason": "stop"})

	two := []*raw{l.open(t, "/rooms/few"), l.open(t, "/rooms/few")}
	p.event("open", "/rooms/few")
	p.event("open", "/rooms/few")
	two[0].say(text(strings.Repeat("x", 900_000)))
	for _, r := range two {
		r.wantNext("text of 900000")
	}
}
