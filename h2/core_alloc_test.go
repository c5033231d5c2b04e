package h2

import (
	"testing"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// TestNoAllocations: a message in and a message out on an open tunnel cost no allocation.
func TestNoAllocations(t *testing.T) {
	p := newPlayer(testConfig(), 0)
	p.greet()
	p.send("HEADERS 1 :method=CONNECT :protocol=websocket :scheme=http :path=/ :authority=a")
	s := p.streams[1]
	if err := p.c.answer(s, fieldsOf(":status=200"), false, false); err != nil {
		t.Fatal(err)
	}
	p.drain()
	in := h2test.AppendFrame(nil, http2.FrameData, 0, 1, make([]byte, 100))
	in = h2test.AppendFrame(in, http2.FrameWindowUpdate, 0, 0, []byte{0, 0, 0, 100})
	in = h2test.AppendFrame(in, http2.FrameWindowUpdate, 0, 1, []byte{0, 0, 0, 100})
	spare := make([]byte, 0, 1024)
	p.c.out = make([]byte, 0, 1024)
	v := [][]byte{make([]byte, 4), make([]byte, 96)}
	n := 0
	round := func() {
		p.c.feed(in, p.now)
		for ev, ok := p.c.next(); ok; ev, ok = p.c.next() {
			p.c.release(ev.s, len(ev.data))
			n += len(ev.data)
		}
		if _, err := p.c.send(s, v, false); err != nil {
			t.Fatal(err)
		}
		spare = p.c.swap(spare, p.now)
	}
	round()
	// The Framer makes a struct of each WINDOW_UPDATE; DATA, which is what a message is made of, makes none. One more is
	// what the race detector takes out of a pool of http2's.
	if got := testing.AllocsPerRun(1000, round); got > 3 {
		t.Errorf("%v allocations a round, want the 2 of WINDOW_UPDATE", got)
	}
	if n == 0 {
		t.Error("nothing arrived")
	}
}
