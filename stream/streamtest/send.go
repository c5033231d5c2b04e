package streamtest

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"testing"

	"weir/stream"
)

// pattern is n octets that tell where they stand.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func send(t *testing.T, s stream.Stream, fin bool, v ...[]byte) {
	t.Helper()
	if _, err := s.Send(v, fin); err != nil {
		t.Errorf("Send: %v", err)
	}
}

func wantOctets(t *testing.T, h heard, want []byte) {
	t.Helper()
	if !bytes.Equal(h.got, want) {
		t.Errorf("got %d octets, want %d, the same: false; closed %d: %v", len(h.got), len(want), h.closed, h.err)
	}
}

func testOrder(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	all := pattern(200_000)
	for _, s := range []stream.Stream{a, b} {
		for rest, n := all, 1; len(rest) > 0; n = n*3 + 1 {
			c := rest[:min(n, len(rest))]
			send(t, s, false, c[:len(c)/2], nil, c[len(c)/2:])
			rest = rest[len(c):]
		}
	}
	wantOctets(t, rb.octets(len(all)), all)
	wantOctets(t, ra.octets(len(all)), all)
	check(t, ra, rb)
}

func testLent(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{Window: 1000}, nil)
	all := pattern(30_000)
	v := [][]byte{make([]byte, 0, 100), nil}
	for i := 0; i < len(all); i += 200 {
		v[0] = append(v[0][:0], all[i:i+100]...)
		v[1] = append(v[1][:0], all[i+100:i+200]...)
		send(t, a, false, v...)
		clear(v[0])
		clear(v[1])
	}
	for n := 1000; n < len(all); n += 1000 {
		rb.octets(n)
		rb.release(1000)
	}
	wantOctets(t, rb.octets(len(all)), all)
	check(t, ra, rb)
}

func testWhole(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	const senders, each, size = 4, 30, 1500
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			half := bytes.Repeat([]byte{byte(i)}, size/2)
			for range each {
				send(t, a, false, half, half)
			}
		})
	}
	wg.Wait()
	got := rb.octets(senders * each * size).got
	seen := [senders]int{}
	for ; len(got) >= size; got = got[size:] {
		if int(got[0]) >= senders || bytes.Count(got[:size], got[:1]) != size {
			t.Fatal("the octets of one Send were torn apart")
		}
		seen[got[0]]++
	}
	if seen != [senders]int{each, each, each, each} {
		t.Errorf("messages by sender: %v", seen)
	}
	check(t, ra, rb)
}

func testEmpty(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	for _, v := range [][][]byte{nil, {}, {nil}, {{}, nil}} {
		if n, err := a.Send(v, false); n != 0 || err != nil {
			t.Errorf("Send(%v, false) = %d, %v", v, n, err)
		}
	}
	send(t, a, false, []byte("x"))
	wantOctets(t, rb.octets(1), []byte("x"))
	check(t, ra, rb)
}

func testDrained(t *testing.T, open Open) {
	a, b := open(t)
	ra := attach(t, a, stream.Limits{}, releasing)
	big := pattern(8 << 20)
	total := 0
	for range 64 { // the first is too much for most transports while nobody reads
		n, err := a.Send([][]byte{big}, false)
		if err != nil {
			t.Fatal(err)
		}
		if total += len(big); n > total {
			t.Errorf("queued %d of %d", n, total)
		}
		if n > 0 {
			break
		}
	}
	rb := attach(t, b, stream.Limits{Window: 1 << 20}, counting)
	ra.until(func(h *heard) bool { return h.drained > 0 })
	if n, err := a.Send(nil, false); n != 0 || err != nil {
		t.Errorf("after Drained: queued %d, %v", n, err)
	}
	if h := rb.octets(total); h.n != total {
		t.Errorf("got %d octets of %d: %v", h.n, total, h.err)
	}
	check(t, ra, rb)
	if h := ra.over(); h.drained != 1 {
		t.Errorf("Drained %d times", h.drained)
	}
}

// testQueuedBehindFin: what is queued is told after our end, too.
func testQueuedBehindFin(t *testing.T, open Open) {
	a, b := open(t)
	ra := attach(t, a, stream.Limits{}, releasing)
	big := pattern(8 << 20)
	total, queued := 0, 0
	for range 64 {
		if queued, _ = a.Send([][]byte{big}, false); queued == 0 {
			total += len(big)
			continue
		}
		total += len(big)
		break
	}
	send(t, a, true)
	if n, err := a.Send(nil, false); (n > 0) != (queued > 0) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("behind fin: queued %d, %v, and %d before it", n, err, queued)
	}
	rb := attach(t, b, stream.Limits{Window: 1 << 20}, counting)
	if h := rb.octets(total); h.n != total {
		t.Errorf("got %d octets of %d: %v", h.n, total, h.err)
	}
	check(t, ra, rb)
}

func testAfterEnd(t *testing.T, open Open) {
	a, b := open(t)
	ra, rb := attach(t, a, stream.Limits{}, releasing), attach(t, b, stream.Limits{}, releasing)
	send(t, a, true, []byte("last"))
	for _, v := range [][][]byte{nil, {[]byte("more")}} {
		if _, err := a.Send(v, false); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Send after fin: %v", err)
		}
	}
	if h := rb.finned(); string(h.got) != "last" {
		t.Errorf("got %q", h.got)
	}
	send(t, b, true)
	ra.over()
	if _, err := a.Send(nil, false); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Send after the end of the stream: %v", err)
	}
	check(t, ra, rb)
}
